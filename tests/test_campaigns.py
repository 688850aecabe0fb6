"""Campaigns: many messages of one template, loaded, started, paused, cancelled and counted."""

import json
import logging
import threading
import time
import traceback
import weakref
from collections import Counter
from datetime import timedelta

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from django_etelecom import campaigns, delivery, dispatchers, lifecycle, loading, signals
from django_etelecom.client.codes import Failure, Refusal
from django_etelecom.client.opaque import Opaque
from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.conf import settings as etelecom_settings
from django_etelecom.drafts import prepare_many
from django_etelecom.exceptions import InvalidMessage
from django_etelecom.loading import Row, values_of
from django_etelecom.models import (
    Campaign,
    CampaignPart,
    CampaignRow,
    CampaignTally,
    MessageEvent,
    MessageLog,
    tallies,
)
from django_etelecom.models.messages import Reason, Status
from django_etelecom.sealing import SealBroken
from django_etelecom.sender import Sender, send_now
from django_etelecom.services import (
    begin_campaign,
    cancel_campaign,
    cancel_message,
    pause_campaign,
    queue_campaign,
    queue_message,
    refresh_status,
    resume_campaign,
    retry_campaign,
    start_campaign,
)
from django_etelecom.worker import Worker
from tests.backends import accepted
from tests.test_queue import claim

pytestmark = pytest.mark.django_db(transaction=True)

REFUSED = SendResult(outcome=Outcome.NOT_SENT, failure=Failure.CONNECTION_REFUSED)
LOST = SendResult(outcome=Outcome.UNKNOWN, failure=Failure.CONNECTION_LOST)
NO_TEMPLATE = SendResult(outcome=Outcome.REJECTED, refusal=Refusal.TEMPLATE, http_status=200)


def number(position):
    return f"09123{position:05}"


@pytest.fixture
def rows(order_params):
    def rows(count, **changes):
        return ({"to": number(n), **order_params, **changes} for n in range(count))

    return rows


@pytest.fixture
def loaded(askable, order_template, rows):
    """A campaign that waits to be confirmed, as an upload makes one."""

    def load(count=3, **options):
        campaign, mold = campaigns.draw_up(order_template, **options)
        numbered = (Row(n, Opaque(row)) for n, row in enumerate(rows(count), 1))
        assert loading.load(campaign, numbered, mold)
        Campaign.objects.filter(pk=campaign.pk).update(status="checking")
        campaign.refresh_from_db()
        return campaign

    return load


def work(**options):
    return Worker(**options).run_once()


def statuses():
    return Counter(MessageLog.objects.values_list("status", flat=True))


def answering(backend, *results):
    """Answer the first messages so, and all others with the last one."""
    left = list(results)
    lock = threading.Lock()

    def answer(outgoing):
        with lock:
            result = left.pop(0) if len(left) > 1 else left[0]
        return result(outgoing) if callable(result) else result

    backend.answer = staticmethod(answer)


# --- Queueing -----------------------------------------------------------------------------------


def test_campaign__sends_to_every_row(askable, order_template, rows, admin_user):
    campaign = queue_campaign(
        order_template, rows(5), name="November", sent_by=admin_user, route=None
    )

    assert (campaign.status, campaign.name, campaign.sent_by) == ("running", "November", admin_user)
    assert (campaign.read_rows, campaign.queued_rows, campaign.faulty_rows) == (5, 5, 0)
    assert askable.sent == []

    work()

    assert {one.recipient for one in askable.sent} == {f"84{number(n)[1:]}" for n in range(5)}
    campaign.refresh_from_db()
    assert campaign.status == "finished"
    assert campaign.counts() == {"accepted": 5}
    messages = campaign.messages.order_by("campaign_row")
    assert [one.campaign_row for one in messages] == [1, 2, 3, 4, 5]
    assert {one.sent_by for one in messages} == {admin_user}
    assert messages[0].params["order_code"] == "DH-1024"


def test_campaign__of_a_user_who_is_gone_is_refused(order_template, rows, admin_user):
    held = type(admin_user).objects.get(pk=admin_user.pk)
    admin_user.delete()

    with pytest.raises(InvalidMessage) as caught:
        queue_campaign(order_template, rows(2), sent_by=held)

    assert caught.value.message_dict == {"sent_by": ["It does not exist any more."]}
    assert not Campaign.objects.exists()


def test_campaign__rows_are_read_once_and_by_the_chunk(askable, order_template, rows, monkeypatch):
    monkeypatch.setattr(loading, "CHUNK", 2)
    written = []

    def watched():
        for row in rows(5):
            written.append(MessageLog.objects.count())
            yield row

    queue_campaign("order_confirmation", watched())

    assert written == [0, 0, 2, 2, 4]


def test_campaign__of_no_rows_is_finished(askable, order_template):
    campaign = queue_campaign(order_template, [])

    work()

    campaign.refresh_from_db()
    assert (campaign.status, campaign.counts()) == ("finished", {})


def test_campaign__faulty_rows_stop_no_other(askable, order_template, order_params):
    bad = {"to": "12", **order_params, "amount": "much"}

    campaign = queue_campaign(
        order_template,
        [
            {"to": number(1), **order_params},
            bad,
            "no mapping",
            {**order_params},
            {"to": number(2), **order_params, "colour": "red"},
            {"to": number(3), **order_params, "note": ""},
        ],
    )

    assert (campaign.read_rows, campaign.queued_rows, campaign.faulty_rows) == (6, 2, 4)
    flagged = {row.number: row for row in campaign.rows.all()}
    assert sorted(flagged) == [2, 3, 4, 5]
    assert flagged[2].faults.keys() == {"to", "params.amount"}
    assert values_of(flagged[2]) == {key: str(value) for key, value in bad.items()}
    assert "mapping" in flagged[3].faults["row"][0]
    assert values_of(flagged[3]) == {}
    assert flagged[4].faults == {"to": ["The phone number is missing."]}
    assert flagged[5].faults.keys() == {"params.colour"}
    work()
    assert statuses() == {"accepted": 2}


def test_campaign__what_a_reader_says_of_a_row_is_kept(askable, order_template, order_params):
    campaign, mold = campaigns.draw_up(order_template)
    good = Opaque({"to": number(1), **order_params})

    loading.load(
        campaign,
        [Row(7, good, notices=("The zero was put back.",)), Row(9, good, faults=("Too short.",))],
        mold,
    )

    told = {row.number: (row.is_queued, row.faults) for row in campaign.rows.all()}
    assert told == {
        7: (True, {"row": ["The zero was put back."]}),
        9: (False, {"row": ["Too short."]}),
    }
    assert [one.campaign_row for one in campaign.messages.all()] == [7]


def test_campaign__a_repeated_number_is_sent_to_and_told(
    askable, order_template, order_params, monkeypatch
):
    monkeypatch.setattr(loading, "CHUNK", 3)
    spellings = ["0912345678", "0912345679", "+84 912.345.678", "84912345678", "0912345670"]

    campaign = queue_campaign(order_template, [{"to": to, **order_params} for to in spellings])

    assert (campaign.queued_rows, campaign.repeated_rows) == (5, 2)
    told = {row.number: (row.is_queued, row.faults) for row in campaign.rows.all()}
    sentence = "Row 1 has this number as well."
    assert told == {3: (True, {"to": [sentence]}), 4: (True, {"to": [sentence]})}
    other = queue_campaign(order_template, [{"to": "0912345678", **order_params}])
    assert other.repeated_rows == 0


@pytest.mark.parametrize(
    ("arguments", "fields"),
    [
        ({"template": "nothing"}, {"template"}),
        ({"route": "nowhere"}, {"route"}),
        ({"sent_by": "Lan"}, {"sent_by"}),
        ({"send_at": "tomorrow"}, {"send_at"}),
        ({"template": "x", "send_at": "y", "sent_by": 7}, {"template", "send_at", "sent_by"}),
        ({"name": "x" * 201}, {"name"}),
        ({"name": "two\nlines"}, {"name"}),
        ({"name": 7}, {"name"}),
    ],
)
def test_campaign__bad_input_is_refused_before_anything_is_read(
    askable, order_template, arguments, fields
):
    def never():
        raise AssertionError
        yield

    with pytest.raises(InvalidMessage) as caught:
        queue_campaign(**{"template": order_template, "rows": never(), **arguments})

    assert caught.value.message_dict.keys() == fields
    assert not Campaign.objects.exists()


def test_campaign__whose_rows_raise_is_cancelled_and_sends_nothing(
    askable, order_template, rows, monkeypatch
):
    monkeypatch.setattr(loading, "CHUNK", 2)

    def breaking():
        yield from rows(3)
        raise OSError("the file has gone")

    with pytest.raises(OSError, match="the file has gone"):
        queue_campaign(order_template, breaking())

    campaign = Campaign.objects.get()
    assert (campaign.status, campaign.broke_off, campaign.queued_rows) == ("cancelled", True, 2)
    work()
    campaign.refresh_from_db()
    assert campaign.finished_at is not None
    assert statuses() == {"cancelled": 2}
    assert askable.sent == []


def test_campaign__whose_cancelling_fails_as_well_tells_the_first_fault(
    askable, order_template, rows, monkeypatch, caplog
):
    def gone(*args, **kwargs):
        raise OperationalError("gone")

    def breaking():
        yield from rows(1)
        monkeypatch.setattr(campaigns, "_cancel", gone)
        raise OSError("the file has gone")

    with pytest.raises(OSError, match="the file has gone"):
        queue_campaign(order_template, breaking())

    assert "could not be cancelled" in caplog.text


def test_campaign__whose_loading_process_died_is_cancelled(loaded, askable):
    campaign = loaded()
    past = timezone.now() - timedelta(seconds=1)
    Campaign.objects.update(status="loading", lease_expires_at=past)

    work()

    campaign.refresh_from_db()
    assert (campaign.status, campaign.broke_off) == ("cancelled", True)
    assert campaign.finished_at is not None
    assert (statuses(), askable.sent) == ({"cancelled": 3}, [])


def test_campaign__that_is_cancelled_while_it_loads_reads_no_further(
    askable, order_template, rows, monkeypatch
):
    monkeypatch.setattr(loading, "CHUNK", 2)
    read = []

    def cancelling():
        for position, row in enumerate(rows(9)):
            read.append(position)
            if position == 3:
                cancel_campaign(Campaign.objects.get())
            yield row

    campaign = queue_campaign(order_template, cancelling())

    assert (campaign.status, campaign.queued_rows, read) == ("cancelled", 2, [0, 1, 2, 3])
    assert statuses() == {"cancelled": 2}


def test_campaign__of_a_transaction_that_is_rolled_back_leaves_nothing(
    askable, order_template, rows
):
    with transaction.atomic():
        queue_campaign(order_template, rows(2))
        transaction.set_rollback(True)

    assert not Campaign.objects.exists()
    assert not MessageLog.objects.exists()


def test_campaign__is_sent_at_its_time(askable, order_template, rows):
    later = timezone.now() + timedelta(hours=1)
    campaign = queue_campaign(order_template, rows(2), send_at=later)

    work()

    assert askable.sent == []
    assert campaign.expires_at == later + timedelta(days=1)
    MessageLog.objects.update(send_at=timezone.now())
    work()
    assert statuses() == {"accepted": 2}


def test_campaign__what_was_queued_is_what_is_sent(askable, order_template, rows):
    queue_campaign(order_template, rows(1))
    order_template.parameters.all().delete()
    order_template.is_active = False
    order_template.save()

    work()

    [outgoing] = askable.sent
    assert outgoing.wire.reveal()["order_code"] == "DH-1024"


handed_on = []


def hand_on(pks):
    """A DISPATCHER that takes two chunks."""
    if len(handed_on) == 2:
        raise OSError("the broker is away")
    handed_on.append(list(pks))


def test_dispatch__engine_gets_the_messages_by_the_chunk(
    loaded, askable, settings, monkeypatch, caplog
):
    handed_on.clear()
    monkeypatch.setattr(dispatchers, "CHUNK", 2)
    settings.ETELECOM = {**settings.ETELECOM, "DISPATCHER": "tests.test_campaigns.hand_on"}

    campaign = start_campaign(loaded(7))

    pks = list(campaign.messages.order_by("pk").values_list("pk", flat=True))
    assert [sorted(chunk) for chunk in handed_on] == [pks[:2], pks[2:4]]
    assert caplog.text.count("could not be handed on") == 1
    work()
    assert campaign.counts() == {"accepted": 7}


def test_dispatch__engine_sends_none_of_a_campaign_that_is_paused(loaded, askable):
    campaign = pause_campaign(start_campaign(loaded(2)))
    pks = list(campaign.messages.values_list("pk", flat=True))

    assert send_now(pks) == 0

    resume_campaign(campaign)
    assert send_now(pks) == 2


# --- Start, pause, resume, cancel ---------------------------------------------------------------


def test_start__sends_what_was_confirmed(loaded, askable):
    campaign = loaded()
    work()
    assert askable.sent == []

    assert start_campaign(campaign).status == "running"

    work()
    assert statuses() == {"accepted": 3}
    assert start_campaign(campaign).status == "finished"


def test_start__nobody_confirmed_it_for_a_week(loaded, askable):
    campaign = loaded()
    Campaign.objects.update(created_at=timezone.now() - timedelta(days=8))

    work()

    campaign.refresh_from_db()
    assert (campaign.status, campaign.broke_off) == ("cancelled", False)
    assert statuses() == {"cancelled": 3}


def test_pause__claims_nothing_more_of_it(loaded, askable, otp_template):
    campaign = start_campaign(loaded())

    paused = pause_campaign(campaign)

    assert paused.status == "paused"
    assert paused.ran_for > timedelta(0)
    queue_message(otp_template, number(9), {"otp": "483920"})
    work()
    assert [one.template_code for one in askable.sent] == ["login_otp"]
    assert pause_campaign(campaign).ran_for == paused.ran_for
    resumed = resume_campaign(campaign)
    assert resumed.status == "running"
    work()
    assert campaign.counts() == {"accepted": 3}


def test_pause__between_the_look_and_the_claim_is_obeyed(loaded, askable, monkeypatch):
    campaign = start_campaign(loaded())
    lanes = lifecycle._lanes

    def paused_meanwhile(account):
        found = list(lanes(account))
        pause_campaign(campaign)
        return iter(found)

    monkeypatch.setattr(lifecycle, "_lanes", paused_meanwhile)

    assert claim(9) == []


def meanwhile(monkeypatch, status):
    """Let another process move the campaign between the look at it and the next UPDATE of it."""
    moving = campaigns._campaign

    def late(campaign):
        monkeypatch.setattr(campaigns, "_campaign", moving)
        Campaign.objects.update(status=status)
        return moving(campaign)

    monkeypatch.setattr(campaigns, "_campaign", late)


def test_pause__that_another_was_quicker_at_changes_nothing(loaded, monkeypatch):
    campaign = start_campaign(loaded(1))
    meanwhile(monkeypatch, "paused")

    assert pause_campaign(campaign).ran_for == timedelta(0)


def test_finish__leaves_what_another_has_moved_meanwhile(loaded, askable, monkeypatch):
    campaign = start_campaign(loaded(1))
    cancel_message(campaign.messages.get())
    meanwhile(monkeypatch, "paused")

    assert campaigns.upkeep() == 0

    campaign.refresh_from_db()
    assert (campaign.status, campaign.finished_at) == ("paused", None)


def test_pause__campaign_that_waits_to_be_confirmed_stays_so(loaded):
    assert pause_campaign(loaded()).status == "checking"


@pytest.mark.parametrize("campaign", [None, "campaign", Campaign()])
@pytest.mark.parametrize(
    "act", [start_campaign, pause_campaign, resume_campaign, cancel_campaign, retry_campaign]
)
def test_campaign__that_is_not_stored_is_refused(act, campaign):
    with pytest.raises(InvalidMessage, match="not a stored campaign"):
        act(campaign)


@pytest.mark.parametrize("write", [queue_campaign, begin_campaign])
def test_campaign__of_a_template_whose_parameter_is_called_as_the_recipient(order_template, write):
    order_template.parameters.create(name="to", required=False, position=9)

    with pytest.raises(InvalidMessage, match="cannot give the parameter “to”"):
        write(order_template, [])

    assert not Campaign.objects.exists()
    assert not MessageLog.objects.exists()


@pytest.mark.parametrize("rows", [None, 5, lambda: iter([]), {"to": "0912345678"}, "0912", b"0"])
def test_queue__rows_that_cannot_be_read_leave_nothing_behind(order_template, rows):
    with pytest.raises(InvalidMessage, match="Give an iterable of mappings, not"):
        queue_campaign(order_template, rows)

    assert not Campaign.objects.exists()


def test_cancel__queued_messages_are_cancelled(loaded, askable):
    campaign = start_campaign(loaded())
    with Sender(1) as sender:
        sender._ahead = 0
        sender.take_on()
        assert cancel_campaign(campaign).status == "cancelled"
        assert campaign.finished_at is None

    assert statuses() == {"accepted": 1, "cancelled": 2}
    assert campaign.counts() == {"accepted": 1, "cancelled": 2}
    work()
    campaign.refresh_from_db()
    assert campaign.finished_at is not None
    assert cancel_campaign(campaign).status == "cancelled"


def test_cancel__what_is_left_of_it_keeps_a_worker_no_longer_than_it_has_patience(
    loaded, monkeypatch
):
    monkeypatch.setattr(lifecycle, "SWEEP_BATCH", 1)
    monkeypatch.setattr(campaigns, "PATIENCE", 0)
    campaign = start_campaign(loaded(3))
    Campaign.objects.update(status="cancelled")

    assert [campaigns.upkeep() for _time in range(2)] == [1, 1]

    assert statuses() == {"cancelled": 2, "queued": 1}
    # With `--once` it does not end before.
    work()
    campaign.refresh_from_db()
    assert statuses() == {"cancelled": 3}
    assert campaign.finished_at is not None


def test_cancel__caller_has_all_of_it_cancelled(loaded, monkeypatch):
    monkeypatch.setattr(lifecycle, "SWEEP_BATCH", 1)
    monkeypatch.setattr(campaigns, "PATIENCE", 0)

    assert cancel_campaign(start_campaign(loaded(3))).finished_at is not None

    assert statuses() == {"cancelled": 3}


def test_expire__keeps_a_worker_no_longer_than_it_has_patience(loaded, monkeypatch):
    monkeypatch.setattr(lifecycle, "SWEEP_BATCH", 1)
    monkeypatch.setattr(campaigns, "PATIENCE", 0)
    campaign = start_campaign(loaded(3))
    Campaign.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert campaigns.upkeep() == 1

    assert statuses() == {"not_sent": 1, "queued": 2}
    work()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.counts()) == ("finished", {"not_sent": 3})


def test_cancel__finished_campaign_stays_so(loaded, askable):
    campaign = start_campaign(loaded())
    work()

    assert cancel_campaign(campaign).status == "finished"


def test_cancel__one_message_of_it(loaded, askable):
    campaign = start_campaign(loaded())

    cancel_message(campaign.messages.first())
    work()

    campaign.refresh_from_db()
    assert (campaign.status, campaign.counts()) == ("finished", {"accepted": 2, "cancelled": 1})


def test_expiry__what_is_left_is_not_sent(loaded, askable):
    campaign = pause_campaign(start_campaign(loaded()))
    Campaign.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    work()

    campaign.refresh_from_db()
    assert (campaign.status, campaign.counts()) == ("finished", {"not_sent": 3})
    assert set(MessageLog.objects.values_list("reason", flat=True)) == {"expired"}


def test_lanes__messages_of_no_campaign_go_first(loaded, askable, otp_template):
    start_campaign(loaded(5))
    queue_message(otp_template, number(9), {"otp": "483920"})

    [first] = claim(1)

    assert first.template_code == "login_otp"


def test_lanes__what_is_due_is_counted_no_further_than_there_is_room(loaded, askable, otp_template):
    start_campaign(loaded(2))
    for person in (8, 9):
        queue_message(otp_template, number(person), {"otp": "483920"})
    account = etelecom_settings.account("default")

    assert [lifecycle.count_due(account, limit) for limit in (1, 2, 3, 9)] == [1, 2, 3, 4]


def test_lanes__several_campaigns_run_side_by_side(loaded, askable):
    both = [start_campaign(loaded(40)), start_campaign(loaded(40))]

    claimed = [message.campaign_id for _ in range(40) for message in claim(1)]

    assert set(claimed) == {campaign.pk for campaign in both}


# --- Counts -------------------------------------------------------------------------------------


def test_counts__every_outcome(loaded, askable):
    answering(askable, NO_TEMPLATE, LOST, accepted)
    campaign = start_campaign(loaded(5))

    work(concurrency=1)

    campaign.refresh_from_db()
    assert campaign.counts() == {"rejected": 1, "unknown": 1, "accepted": 3}
    assert campaign.counts() == dict(statuses())
    assert campaign.status == "finished"


def test_counts__follow_what_became_of_them(loaded, askable):
    campaign = start_campaign(loaded(2))
    work()
    first, second = campaign.messages.all()

    askable.tell("success")
    refresh_status(first)
    refresh_status(first)
    askable.tell("fail", channel="SMS")
    refresh_status(second)

    assert campaign.counts() == {"delivered": 1, "undelivered": 1}


def test_counts__a_message_that_moved_unseen(loaded, askable):
    campaign = start_campaign(loaded(1))
    work()
    stale = campaign.messages.get()
    askable.tell("fail", channel="SMS")
    refresh_status(campaign.messages.get())

    askable.tell("success")
    refresh_status(stale)

    assert campaign.counts() == {"delivered": 1}


def test_counts__lapsed_messages(loaded, askable):
    campaign = start_campaign(loaded(2))
    claim(1)
    MessageLog.objects.filter(status="sending").update(
        lease_expires_at=timezone.now() - timedelta(seconds=1)
    )

    work()

    assert campaign.counts() == {"unknown": 1, "accepted": 1}


def test_counts__answers_that_are_recorded_one_by_one(loaded, askable):
    campaign = start_campaign(loaded(3))
    claimed = claim(3)
    MessageLog.objects.filter(pk=claimed[0].pk).update(status="unknown")
    CampaignTally.objects.create(campaign=campaign, status="unknown", number=1)
    results = [
        (
            message,
            SendResult(
                outcome=Outcome.ACCEPTED,
                provider_message_id=f"ICOMNI-{message.pk}",
                http_status=200,
            ),
        )
        for message in claimed
    ]

    delivery.record_all(results, askable(etelecom_settings.account("default")))

    assert campaign.counts() == {"accepted": 3}


def test_counts__are_melted_down(loaded, askable, monkeypatch):
    monkeypatch.setattr(campaigns, "MELT_AT", 3)
    campaign = start_campaign(loaded(1))
    CampaignTally.objects.bulk_create(
        CampaignTally(campaign=campaign, status=status, number=number)
        for status, number in [("accepted", 5), ("accepted", -2), ("delivered", 2), ("unknown", 1)]
    )

    campaigns.upkeep()

    assert campaign.counts() == {"accepted": 3, "delivered": 2, "unknown": 1}
    assert campaign.tallies.count() == 3


def test_counts__many_are_melted_by_and_by(loaded, monkeypatch):
    monkeypatch.setattr(campaigns, "MELT_AT", 3)
    monkeypatch.setattr(tallies, "MELT_AT_ONCE", 2)
    campaign = loaded(1)
    for _ in range(5):
        CampaignTally.objects.create(campaign=campaign, status="accepted", number=1)

    campaigns._melt_tallies()

    assert [one.number for one in campaign.tallies.all()] == [5]


def test_counts__two_workers_melt_them_once(loaded, monkeypatch):
    monkeypatch.setattr(campaigns, "MELT_AT", 2)
    campaign = loaded(1)
    for _ in range(2):
        CampaignTally.objects.create(campaign=campaign, status="accepted", number=1)
    queryset = type(CampaignTally.objects.all())
    delete = queryset.delete

    def late(tallies):
        monkeypatch.setattr(queryset, "delete", delete)
        first = CampaignTally.objects.order_by("pk").first()
        first.delete()
        CampaignTally.objects.create(campaign=campaign, status="accepted", number=1)
        return delete(tallies)

    monkeypatch.setattr(queryset, "delete", late)

    campaigns._melt_tallies()

    assert campaign.counts() == {"accepted": 2}


def test_counts__query_none_of_the_messages(loaded, askable, django_assert_num_queries):
    campaign = start_campaign(loaded(3))
    work()

    with django_assert_num_queries(1) as captured:
        campaigns.progress(campaign)

    assert "messagelog" not in captured[0]["sql"]


def test_progress__tells_rate_and_time_left(loaded, askable):
    campaign = start_campaign(loaded(4))
    Campaign.objects.update(started_at=timezone.now() - timedelta(seconds=10))
    campaign.refresh_from_db()

    fresh = campaigns.progress(campaign)
    assert (fresh.under_way, fresh.ended, fresh.per_second) == (4, 0, None)
    assert fresh.seconds_left is None

    cancel_message(campaign.messages.first())
    half = campaigns.progress(campaign)

    assert (half.under_way, half.ended) == (3, 1)
    assert 0.05 < half.per_second < 0.11
    assert half.seconds_left == pytest.approx(3 / half.per_second)
    assert campaigns.progress(pause_campaign(campaign)).seconds_left is None


def test_signal__campaign_finished(loaded, askable):
    heard = []

    def hear(sender, campaign, **kwargs):
        heard.append((sender, campaign.pk, campaign.status))

    signals.campaign_finished.connect(hear)
    try:
        campaign = start_campaign(loaded(1))
        work()
        work()
    finally:
        signals.campaign_finished.disconnect(hear)

    assert heard == [(Campaign, campaign.pk, "finished")]


# --- Again --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("note", "kept"),
    [
        ("n" * 1503, "n" * 1503),
        ("line 1\nline 2\r\n\tline 3", "line 1\nline 2\r\n\tline 3"),
        ("\u202dx", "\u202dx"),
        ("nul\0 and \ud800", "nul\\u0000 and \\ud800"),
        ("n" * 10_001, "n" * 9_999 + "…"),
        (7, "7"),
    ],
)
def test_faulty__row_is_kept_as_it_came(order_template, order_params, note, kept):
    campaign = queue_campaign(order_template, [{"to": "12", **order_params, "note": note}])

    assert values_of(campaign.rows.get())["note"] == kept


def test_retry__sends_what_was_not_sent(loaded, askable):
    campaign = start_campaign(loaded(3))
    cancel_message(campaign.messages.last())
    Campaign.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    work()
    assert statuses() == {"cancelled": 1, "not_sent": 2}

    assert retry_campaign(campaign) == 2

    assert campaign.status == "running"
    assert campaign.finished_at is None
    work()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.counts()) == ("finished", {"cancelled": 1, "accepted": 2})
    assert retry_campaign(campaign) == 0
    assert campaign.status == "finished"


def test_retry__unknown_messages_are_left_to_a_person(loaded, askable):
    answering(askable, LOST)
    campaign = start_campaign(loaded(2))
    work()

    assert retry_campaign(campaign) == 0

    assert campaign.counts() == {"unknown": 2}


@pytest.fixture
def unsent(loaded):
    """A campaign that has finished, of so many messages that were not sent."""

    def unsent(count):
        campaign = start_campaign(loaded(count))
        Campaign.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        work()
        campaign.refresh_from_db()
        assert (campaign.status, campaign.counts()) == ("finished", {"not_sent": count})
        return campaign

    return unsent


def after(monkeypatch, then):
    """Have this done after each batch that is queued again, in its transaction."""
    retry = lifecycle.retry_batch

    def and_then(*args, **kwargs):
        moved = retry(*args, **kwargs)
        then(moved)
        return moved

    monkeypatch.setattr(lifecycle, "retry_batch", and_then)


def test_retry__process_that_dies_over_it_leaves_none_of_its_messages_behind(
    unsent, askable, monkeypatch
):
    campaign = unsent(2)
    monkeypatch.setattr(lifecycle, "SWEEP_BATCH", 1)
    batches = []

    def die(moved):
        batches.append(moved)
        if len(batches) == 2:
            raise SystemExit

    after(monkeypatch, die)
    with pytest.raises(SystemExit):
        retry_campaign(campaign)

    work()
    assert campaign.counts() == {"accepted": 1, "not_sent": 1}
    assert retry_campaign(campaign) == 1
    work()
    assert campaign.counts() == {"accepted": 2}


def test_retry__nothing_to_do_leaves_it_finished(unsent, askable):
    campaign = unsent(1)
    retry_campaign(campaign)
    work()

    assert retry_campaign(campaign) == 0
    assert campaign.status == "finished"


def test_retry__while_it_is_being_finished(loaded, askable, monkeypatch):
    campaign = start_campaign(loaded(1))
    campaigns._end_queued(campaign, to=Status.NOT_SENT, reason=Reason.EXPIRED)
    counts = Campaign.counts

    def late(counted):
        """Count, and have the message queued again before the count is used."""
        told = counts(counted)
        monkeypatch.setattr(Campaign, "counts", counts)
        assert retry_campaign(Campaign.objects.get()) == 1
        return told

    monkeypatch.setattr(Campaign, "counts", late)

    assert campaigns.upkeep() == 0

    assert Campaign.objects.get().status == "running"
    work()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.counts()) == ("finished", {"accepted": 1})


def test_retry__cancelled_in_the_middle_queues_nothing_more(unsent, askable, monkeypatch):
    campaign = unsent(3)
    monkeypatch.setattr(lifecycle, "SWEEP_BATCH", 1)
    retry = campaigns._retry_batch

    def and_cancel(*args, **kwargs):
        moved = retry(*args, **kwargs)
        cancel_campaign(Campaign.objects.get())
        return moved

    monkeypatch.setattr(campaigns, "_retry_batch", and_cancel)

    assert retry_campaign(campaign) == 1

    assert campaign.status == "cancelled"
    assert campaign.finished_at is not None
    assert campaign.counts() == {"cancelled": 1, "not_sent": 2}


def test_retry__engine_gets_what_is_queued_again(unsent, askable, monkeypatch):
    campaign = unsent(2)
    monkeypatch.setattr(lifecycle, "SWEEP_BATCH", 1)
    handed_on = []
    monkeypatch.setattr(campaigns, "dispatch_many", lambda pks: handed_on.extend(pks))

    retry_campaign(campaign)

    assert sorted(handed_on) == sorted(campaign.messages.values_list("pk", flat=True))


@pytest.mark.skipif(connection.vendor == "sqlite", reason="its writers wait for one another anyway")
def test_retry__waits_for_who_finishes_it_and_runs_it_again(loaded, askable, monkeypatch):
    campaign = start_campaign(loaded(1))
    campaigns._end_queued(campaign, to=Status.NOT_SENT, reason=Reason.EXPIRED)
    has_under_way = campaigns._has_under_way
    counts, retries = [], []
    retrying = threading.Thread(target=lambda: retries.append(retried_by_another(campaign)))

    def slowly(counted):
        counts.append(1)
        if len(counts) == 2:  # Its row is locked now.
            retrying.start()
            time.sleep(0.5)
            assert retries == []
        return has_under_way(counted)

    monkeypatch.setattr(campaigns, "_has_under_way", slowly)

    assert campaigns._finish(campaign)

    retrying.join()
    assert retries == [1]
    assert Campaign.objects.get().status == "running"


def retried_by_another(campaign):
    try:
        return retry_campaign(Campaign.objects.get(pk=campaign.pk))
    finally:
        connection.close()


def test_retry__ends_where_what_it_queues_is_not_sent_again_at_once(loaded, askable, monkeypatch):
    monkeypatch.setattr(lifecycle, "SWEEP_BATCH", 1)
    campaign = start_campaign(loaded(2))
    pause_campaign(campaign)
    campaigns._end_queued(campaign, to=Status.NOT_SENT, reason=Reason.EXPIRED)
    Campaign.objects.update(expires_at=timezone.now())
    after(
        monkeypatch,
        lambda moved: campaigns._end_queued(campaign, to=Status.NOT_SENT, reason=Reason.EXPIRED),
    )

    assert retry_campaign(campaign) == 2

    assert campaign.counts() == {"not_sent": 2}
    assert campaign.expires_at > timezone.now() + timedelta(hours=23)


def test_retry__campaign_that_was_not_started_was_cancelled_or_has_secrets_is_refused(
    loaded, askable, otp_template
):
    campaign = loaded(1)
    with pytest.raises(InvalidMessage, match="that was started"):
        retry_campaign(campaign)
    cancel_campaign(start_campaign(campaign))
    with pytest.raises(InvalidMessage, match="was cancelled is not retried"):
        retry_campaign(campaign)
    secret = queue_campaign(otp_template, [{"to": number(1), "otp": "483920"}])

    with pytest.raises(InvalidMessage, match="secret"):
        retry_campaign(secret)


def test_retry__is_refused_once_any_row_had_a_secret(askable, otp_template):
    campaign, mold = campaigns.draw_up(otp_template)
    assert loading.load(campaign, [Row(1, Opaque({"to": number(1), "otp": "483920"}))], mold)
    otp_template.parameters.update(secret=False, kind="text")
    mold = prepare_many(otp_template)
    assert loading.load(campaign, [Row(2, Opaque({"to": number(2), "otp": "483920"}))], mold)
    campaigns.start_loaded(campaign)

    with pytest.raises(InvalidMessage, match="secret"):
        retry_campaign(campaign)


def test_retry__attempt_of_which_nothing_left_is_made_again_by_itself(loaded, askable):
    answering(askable, REFUSED, accepted)
    campaign = start_campaign(loaded(1))
    work()
    assert campaign.counts() == {}
    MessageLog.objects.update(send_at=timezone.now())

    work()

    assert campaign.counts() == {"accepted": 1}


# --- Secrets ------------------------------------------------------------------------------------


def dump():
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        rows = []
        for table in tables:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608  # names alone
            rows += cursor.fetchall()
    return repr(rows)


def test_secret__rests_nowhere_in_the_clear(askable, otp_template, caplog):
    caplog.set_level(logging.DEBUG)
    campaign = queue_campaign(
        otp_template,
        [{"to": number(1), "otp": "483920"}, {"to": "12", "otp": "593847"}],
    )

    assert "483920" not in dump()
    assert "593847" not in dump()
    faulty = campaign.rows.get()
    assert values_of(faulty) == {"to": "12", "otp": "•••"}
    work()
    assert askable.sent[0].wire.reveal() == {"otp": "483920"}
    assert MessageLog.objects.get().sealed_params == ""
    assert not {"483920", "593847"} & set(caplog.text.split())


def test_secret__of_a_faulty_row_cannot_be_opened_by_other_keys(askable, otp_template, settings):
    campaign = queue_campaign(otp_template, [{"to": "12", "otp": "593847"}])
    settings.SECRET_KEY = "another"

    with pytest.raises(SealBroken):
        values_of(campaign.rows.get())


def test_secret__is_in_no_frame_of_what_loading_raises(askable, otp_template, monkeypatch, rows):
    def fails(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(loading, "insert_each", fails)

    with pytest.raises(OperationalError) as caught:
        queue_campaign(otp_template, iter([{"to": number(1), "otp": "483920"}]))

    frame = caught.value.__traceback__.tb_next
    seen = []
    while frame is not None:
        seen.append(repr(frame.tb_frame.f_locals))
        frame = frame.tb_next
    assert "483920" not in "".join(seen)


def test_secret__of_a_faulty_row_that_lacks_it_stays_blank(askable, otp_template):
    campaign = queue_campaign(otp_template, [{"to": number(1), "otp": ""}])

    assert values_of(campaign.rows.get())["otp"] == ""


def test_secret__is_in_no_frame_of_rows_that_cannot_be_read(askable, otp_template):
    def rows():
        yield {"to": number(1), "otp": "".join(["483", "920"])}
        raise OperationalError("gone")

    with pytest.raises(OperationalError) as caught:
        queue_campaign(otp_template, rows())

    assert "483920" not in frames_of(caught.value)


def test_secret__is_in_no_frame_of_what_cannot_be_sealed(askable, otp_template, monkeypatch):
    def fails(*args):
        raise OperationalError("gone")

    monkeypatch.setattr(loading, "seal_secrets", fails)

    with pytest.raises(OperationalError) as caught:
        queue_campaign(otp_template, iter([{"to": number(1), "otp": "483920"}]))

    assert "483920" not in frames_of(caught.value)


def frames_of(error):
    return repr([frame.f_locals for frame, _line in traceback.walk_tb(error.__traceback__)][1:])


# --- Many ---------------------------------------------------------------------------------------


def test_many__nothing_of_a_chunk_stays_when_the_next_is_read(
    askable, order_template, order_params, monkeypatch
):
    monkeypatch.setattr(loading, "CHUNK", 50)
    alive = weakref.WeakSet()
    most = []

    class Kept(dict):
        """A row that can be watched."""

        __hash__ = object.__hash__

    def watched():
        for position in range(200):
            row = Kept(to=number(position), **order_params)
            alive.add(row)
            most.append(len(alive))
            yield row

    queue_campaign(order_template, watched())

    assert max(most) <= 60


def test_many__rows_of_any_length_and_script_come_as_they_are(
    askable, order_template, order_params
):
    names = ["A", "Nguyễn Thị Ánh Tuyết " * 4, "%s %(x)s", "'; --", 'x"\\\n'.strip(), "🎁"]

    queue_campaign(
        order_template,
        [{"to": number(n), **order_params, "customer_name": name} for n, name in enumerate(names)],
    )

    stored = MessageLog.objects.order_by("campaign_row")
    assert [one.params["customer_name"] for one in stored] == [name.strip() for name in names]
    assert {one.params["order_code"] for one in stored} == {"DH-1024"}
    assert {one.metadata == {} and one.channels == ["1", "3"] for one in stored} == {True}


def test_many__loading_asks_the_same_questions_whatever_the_rows(
    askable, order_template, rows, django_assert_max_num_queries
):
    with django_assert_max_num_queries(25):
        queue_campaign(order_template, rows(500))


def test_many__workers_side_by_side_send_each_once(loaded, askable):
    campaign = start_campaign(loaded(60))
    failed = []

    def run():
        try:
            work(concurrency=4)
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert len({one.recipient for one in askable.sent}) == len(askable.sent) == 60
    work()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.counts()) == ("finished", {"accepted": 60})
    assert MessageEvent.objects.count() == 60


def test_names__of_rows_and_tallies(loaded):
    campaign = loaded(1)
    assert str(campaign) == f"order_confirmation {campaign.created_at:%Y-%m-%d}"
    assert str(Campaign(name="November")) == "November"
    assert str(CampaignTally(status="accepted", number=2)) == "accepted +2"
    assert str(CampaignRow(number=7)) == "7"
    assert str(CampaignPart(pk=8)) == "8"
    assert json.dumps(campaign.counts()) == "{}"


@pytest.mark.parametrize("lane", ["a campaign", "none"])
def test_lanes__claims_are_not_sorted(loaded, lane):
    campaign = start_campaign(loaded(50))
    if lane == "none":
        MessageLog.objects.update(campaign=None)
    account = etelecom_settings.account("default")
    due = lifecycle.due(account, campaign.pk if lane == "a campaign" else None)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # It is right to read so small a table whole.
            cursor.execute("SET LOCAL enable_seqscan = off")
            # What it knows of the table may be of the tests before.
            cursor.execute(f"ANALYZE {MessageLog._meta.db_table}")
        plan = due[:8].explain()

    assert "etelecom_message_queue" in plan
    assert not {"Sort", "filesort", "TEMP"} & set(plan.replace(";", " ").split())
