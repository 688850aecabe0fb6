"""How long messages are kept: what is stripped, what is deleted, and what stays as it is."""

import json
import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.serializers import serialize
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_etelecom import retention as room
from django_etelecom import stripping
from django_etelecom.campaigns import retry_campaign
from django_etelecom.client.codes import ReportedStatus
from django_etelecom.client.status import Report, StatusResult
from django_etelecom.exceptions import IdempotencyConflict, InvalidMessage
from django_etelecom.models import (
    Campaign,
    CampaignRow,
    InboxReport,
    MessageEvent,
    MessageLog,
    ReportedMessage,
)
from django_etelecom.retention import prune
from django_etelecom.services import (
    queue_message,
    refresh_status,
    resend_message,
    send_message,
)
from django_etelecom.worker import Worker
from shop.models import Order, Product
from tests.backends import accepted
from tests.test_send import in_thread

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("restless")]

PHONE = "0912345678"
DAYS = {"strip": 7, "delete": 90}


def left():
    return set(MessageLog.objects.values_list("pk", flat=True))


def stripped():
    return set(MessageLog.objects.filter(recipient="").values_list("pk", flat=True))


# --- What goes ----------------------------------------------------------------------------------


def test_prune__strips_and_deletes_by_age(make_delivered):
    young, old, ancient = make_delivered(6), make_delivered(8), make_delivered(91)

    pruned = prune()

    assert left() == {young.pk, old.pk}
    assert stripped() == {old.pk}
    assert pruned.deleted == Counter(transactional=1)
    assert pruned.stripped == Counter(transactional=1)
    assert not MessageEvent.objects.filter(message=ancient.pk).exists()


def test_prune__without_retention_keeps_everything(make_delivered, retention):
    retention()
    message = make_delivered(30_000)

    pruned = prune()

    assert left() == {message.pk}
    assert stripped() == set()
    assert pruned == room.Pruned()


def test_prune__keeps_categories_apart(make_delivered, retention, otp_template):
    retention(otp={"delete": 1}, advertising={"strip": 1})
    code, order = make_delivered(2, template=otp_template), make_delivered(2)

    pruned = prune()

    assert left() == {order.pk}
    assert stripped() == set()
    assert pruned.deleted == Counter(otp=1)
    assert code.pk not in left()


@pytest.mark.parametrize(
    ("days", "kept", "empty"),
    [
        ({"strip": 7}, True, True),
        ({"delete": 7}, False, False),
        ({"strip": None, "delete": None}, True, False),
        ({"strip": None, "delete": 9}, True, False),
        ({}, True, False),
    ],
)
def test_prune__either_may_be_left_out(make_delivered, retention, days, kept, empty):
    retention(transactional=days)
    make_delivered(8)

    prune()

    assert bool(left()) == kept
    assert bool(stripped()) == empty


def test_prune__days_count_from_the_last_sending(make_delivered):
    scheduled = make_delivered(100, sent_at=timezone.now() - timedelta(days=1))
    never_sent = make_delivered(8, sent_at=None, status="cancelled")

    prune()

    assert left() == {scheduled.pk, never_sent.pk}
    assert stripped() == {never_sent.pk}


def test_prune__later_reports_prolong_nothing(make_delivered):
    message = make_delivered(8, updated_at=timezone.now())

    prune()

    assert stripped() == {message.pk}


@pytest.mark.parametrize(
    "status",
    ["accepted", "delivered", "undelivered", "rejected", "unknown", "not_sent", "cancelled"],
)
def test_prune__takes_what_has_ended(make_delivered, status):
    make_delivered(8, status=status)

    assert prune().stripped == Counter(transactional=1)


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "queued"},
        {"status": "sending"},
        {"status": "accepted", "next_poll_at": timezone.now()},
        {"status": "unknown", "next_poll_at": timezone.now()},
        {"status": "undelivered", "next_poll_at": timezone.now()},
        {"status": "accepted", "lease_expires_at": timezone.now()},
    ],
)
@pytest.mark.parametrize("days", [8, 91])
def test_prune__leaves_and_counts_what_has_not_ended(make_delivered, fields, days):
    message = make_delivered(days, **fields)

    pruned = prune()

    assert left() == {message.pk}
    assert stripped() == set()
    assert (pruned.not_ended, pruned.deleted.total(), pruned.stripped.total()) == (1, 0, 0)


@pytest.mark.parametrize("lease", [None, timedelta(days=4)])
def test_prune__takes_what_no_worker_can_ask_about(make_delivered, lease):
    now = timezone.now()
    message = make_delivered(
        8,
        status="accepted",
        account="gone",
        next_poll_at=now - timedelta(days=3, minutes=1),
        lease_expires_at=lease and now - lease,
    )
    Worker().run_once()

    assert prune().not_ended == 0

    assert stripped() == {message.pk}
    message.refresh_from_db()
    assert (message.next_poll_at, message.lease_expires_at) == (None, None)


@pytest.mark.parametrize(
    ("schedule", "overdue", "ended"), [([60], 1.1, 1), ([60, 86_400], 1.9, 0), ([], 1.1, 1)]
)
def test_prune__question_may_be_due_for_as_long_as_the_schedule_and_a_day(
    make_delivered, settings, schedule, overdue, ended
):
    settings.ETELECOM = {**settings.ETELECOM, "POLL_AFTER": schedule}
    make_delivered(8, status="accepted", next_poll_at=timezone.now() - timedelta(days=overdue))

    pruned = prune()

    assert (pruned.stripped.total(), pruned.not_ended) == (ended, 1 - ended)


def test_prune__question_that_is_just_being_asked_is_waited_for(make_delivered):
    now = timezone.now()
    lease = {"lease_expires_at": now + timedelta(minutes=1)}
    make_delivered(8, status="accepted", next_poll_at=now - timedelta(days=9), **lease)

    assert prune().not_ended == 1


def test_prune__leaves_what_a_report_has_the_worker_ask_about(make_delivered):
    asked, over = make_delivered(8, status="accepted"), make_delivered(8, status="delivered")
    ReportedMessage.objects.create(message=asked)
    ReportedMessage.objects.create(message=over)

    pruned = prune()

    assert stripped() == {over.pk}
    assert pruned.not_ended == 1


def test_prune__takes_the_leftover_of_a_report_along(make_delivered):
    ReportedMessage.objects.create(message=make_delivered(91))

    prune()

    assert not ReportedMessage.objects.exists()


def test_prune__empties_the_inbox_of_reports(make_delivered):
    fields = {"provider_message_id": "ICOMNI9", "payload": "canary"}
    InboxReport.objects.create(created_at=timezone.now() - timedelta(hours=2), **fields)
    young = InboxReport.objects.create(**fields)

    prune()

    assert InboxReport.objects.get() == young


def test_prune__takes_the_rows_of_a_campaign_that_wait_to_be_mended(old_campaign):
    assert prune(dry_run=True).rows == 2
    assert CampaignRow.objects.count() == 2

    assert prune(batch_size=1).rows == 2

    assert not CampaignRow.objects.exists()
    old_campaign.refresh_from_db()
    assert (old_campaign.faulty_rows, old_campaign.queued_rows) == (2, 1)


def test_prune__leaves_the_rows_of_a_young_campaign(old_campaign):
    Campaign.objects.update(created_at=timezone.now() - timedelta(days=6))

    assert prune().rows == 0
    assert CampaignRow.objects.count() == 2


def test_prune__campaign_counts_what_is_deleted(old_campaign):
    Worker().run_once()
    past = timezone.now() - timedelta(days=91)
    MessageLog.objects.update(created_at=past, sent_at=past, next_poll_at=None)

    assert prune().deleted.total() == 1

    assert old_campaign.counts() == {"accepted": 1}
    assert Campaign.objects.get() == old_campaign


def test_strip__message_of_a_campaign_is_not_tried_again(old_campaign):
    Campaign.objects.update(status="finished", finished_at=timezone.now())
    past = timezone.now() - timedelta(days=8)
    MessageLog.objects.update(status="not_sent", created_at=past, lease_expires_at=None)
    assert prune().stripped.total() == 1

    assert retry_campaign(old_campaign) == 0

    assert MessageLog.objects.get().status == "not_sent"


# --- What another row points at -----------------------------------------------------------------


def test_prune__message_that_was_sent_again_goes_with_its_repeat(make_delivered):
    first = make_delivered(100)
    second = make_delivered(99, resend_of=first)
    make_delivered(98, resend_of=second)

    pruned = prune()

    assert left() == set()
    assert pruned.deleted == Counter(transactional=3)
    assert pruned.held == 0


def test_prune__repeat_in_another_window_holds_it_until_the_next_run(make_delivered, monkeypatch):
    monkeypatch.setattr(room, "WINDOW", 1)
    first = make_delivered(100)
    make_delivered(99, resend_of=first)

    assert prune().held == 1
    assert left() == {first.pk}

    assert prune().held == 0
    assert left() == set()


def test_prune__what_a_repeat_holds_is_stripped_at_least(make_delivered, retention):
    retention(transactional={"delete": 90})
    first = make_delivered(100)
    second = make_delivered(10, resend_of=first)

    pruned = prune()

    assert left() == {first.pk, second.pk}
    assert stripped() == {first.pk}
    assert pruned.held == 1
    # And not a second time.
    assert prune().stripped.total() == 0


def test_prune__row_of_the_site_lets_go_as_its_model_says(make_delivered):
    product = Product.objects.create(name="Tea", price=1)
    order = Order.objects.create(
        product=product,
        amount=1,
        name="An",
        phone=PHONE,
        delivery_date=timezone.localdate(),
        confirmation=make_delivered(91),
    )

    prune()

    order.refresh_from_db()
    assert order.confirmation is None
    assert left() == set()


# --- What stays ---------------------------------------------------------------------------------

STAYS_OF_MESSAGE = {
    *("id", "public_id", "resend_of", "template", "template_code", "account", "channels"),
    *("requested_route", "sent_by", "status", "reason", "status_source", "channel", "error_code"),
    *("network", "paid_messages", "attempts", "created_at", "sent_at", "updated_at", "send_at"),
    *("expires_at", "idempotency_digest", "campaign"),
    "campaign_row",
}
STAYS_OF_EVENT = {
    *("id", "message", "source", "status", "reason", "http_status", "channel", "error_code"),
    "created_at",
}


@pytest.mark.parametrize(
    ("model", "goes", "stays"),
    [
        (MessageLog, stripping.STRIPPED_OF_MESSAGE, STAYS_OF_MESSAGE),
        (MessageEvent, stripping.STRIPPED_OF_EVENT, STAYS_OF_EVENT),
    ],
)
def test_strip__of_each_column_it_is_decided_whether_it_stays(model, goes, stays):
    columns = {column.name for column in model._meta.concrete_fields}

    assert columns == goes.keys() | stays
    assert not goes.keys() & stays
    assert {name for name in stays if f"`{name}`" not in stripping.__doc__} <= {"id"}


CANARIES = ["912345678", "912 345 678", "Nguy", "DH-1024", "150000", "24/12/2026", "canary"]


def echoing(outgoing):
    """Answer with everything that was asked, wherever there is room for words."""
    said = f"canary {outgoing.recipient} {json.dumps(outgoing.wire.reveal())}"
    answer = accepted(outgoing)
    return type(answer)(
        outcome=answer.outcome,
        provider_message_id=f"canary-{outgoing.recipient}",
        provider_status=f"canary {outgoing.recipient}",
        provider_detail=said,
        failure_detail=said[:200],
        http_status=200,
        payload={"said": said},
    )


def test_strip__leaves_nothing_of_the_recipient_and_what_was_said(
    retention, askable, order_template, order_params, django_user_model
):
    askable.answer = staticmethod(echoing)
    user = django_user_model.objects.create_user("lan")
    message = send_message(
        order_template,
        PHONE,
        order_params,
        idempotency_key="order-1024",
        metadata={"canary": PHONE},
        sent_by=user,
    )
    report = Report(provider_status="FAIL", status=ReportedStatus.FAIL, channel="SMS")
    askable.status = staticmethod(
        lambda pk: StatusResult(report=report, http_status=200, payload={"said": "canary"})
    )
    refresh_status(message)
    assert all(canary in dump() for canary in CANARIES if canary != "912 345 678")
    past = timezone.now() - timedelta(days=8)
    MessageLog.objects.update(created_at=past, sent_at=past, next_poll_at=None)
    before = MessageLog.objects.get()

    assert prune().stripped.total() == 1

    assert [canary for canary in CANARIES if canary in dump()] == []
    after = MessageLog.objects.get()
    for name in STAYS_OF_MESSAGE | {"content_digest"}:
        assert getattr(after, name) == getattr(before, name)
    assert [event.status for event in after.events.all()] == ["accepted", "undelivered"]


def dump():
    """Return every row of ours as text, as somebody with a copy of the database reads it."""
    rows = [*MessageLog.objects.all(), *MessageEvent.objects.all(), *InboxReport.objects.all()]
    return serialize("json", rows, ensure_ascii=False)


def test_strip__late_repeat_of_the_caller_sends_nothing(
    retention, askable, order_template, order_params
):
    first = send_message(order_template, PHONE, order_params, idempotency_key="order-1024")
    past = timezone.now() - timedelta(days=8)
    MessageLog.objects.update(created_at=past, sent_at=past, next_poll_at=None)
    prune()

    again = send_message(order_template, PHONE, order_params, idempotency_key="order-1024")

    assert again == first
    assert again.is_stripped
    assert len(askable.sent) == 1
    with pytest.raises(IdempotencyConflict):
        send_message(order_template, "0987654321", order_params, idempotency_key="order-1024")


def test_strip__hash_of_the_content_stays_only_beside_a_key(make_delivered):
    without, with_key = make_delivered(8), make_delivered(8, idempotency_digest="k" * 64)

    prune()

    assert MessageLog.objects.get(pk=without.pk).content_digest == ""
    assert MessageLog.objects.get(pk=with_key.pk).content_digest == "c" * 64


def test_strip__message_cannot_be_sent_again_or_asked_about(make_delivered, order_params):
    message = make_delivered(8, provider_message_id="ICOMNI1")
    prune()

    with pytest.raises(InvalidMessage, match="were erased, by retention or on request"):
        resend_message(message, to=PHONE, params=order_params)
    with pytest.raises(InvalidMessage, match="was stripped"):
        refresh_status(message)


def test_strip__answer_that_comes_meanwhile_brings_nothing_back(make_delivered, askable):
    message = make_delivered(8, status="accepted", provider_message_id="ICOMNI1")

    def meanwhile(provider_message_id):
        prune()
        return StatusResult(http_status=200, payload={"said": "canary"})

    askable.status = staticmethod(meanwhile)

    refreshed = refresh_status(message)

    assert refreshed.is_stripped
    assert "canary" not in dump()


def test_delete__answer_that_comes_meanwhile_is_told(make_delivered, askable):
    message = make_delivered(91, status="accepted", provider_message_id="ICOMNI1")

    def meanwhile(provider_message_id):
        prune()
        return StatusResult(http_status=200, payload={})

    askable.status = staticmethod(meanwhile)

    with pytest.raises(InvalidMessage, match="It was deleted when its retention ended"):
        refresh_status(message)


# --- How it works -------------------------------------------------------------------------------


def test_prune__dry_run_counts_and_writes_nothing(make_delivered):
    make_delivered(8), make_delivered(91), make_delivered(91, status="queued")
    InboxReport.objects.create(created_at=timezone.now() - timedelta(hours=2))
    before = dump()

    pruned = prune(dry_run=True)

    assert (pruned.deleted.total(), pruned.stripped.total(), pruned.not_ended) == (1, 1, 1)
    assert dump() == before


def test_prune__is_cut_into_batches(make_delivered):
    for days in [8] * 5 + [91] * 5:
        make_delivered(days)
    seen = []

    prune(
        batch_size=2,
        go_on=lambda pruned: not seen.append((pruned.deleted.total(), pruned.stripped.total())),
    )

    assert seen == [(2, 0), (4, 0), (5, 0), (5, 2), (5, 4), (5, 5), (5, 5)]


def test_prune__inside_a_transaction_is_refused(make_delivered):
    make_delivered(91)

    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        prune()

    assert MessageLog.objects.count() == 1


def test_prune__may_be_ended_between_batches(make_delivered):
    for _ in range(5):
        make_delivered(91)

    pruned = prune(batch_size=2, go_on=lambda pruned: False)

    assert pruned.deleted.total() == 2
    assert MessageLog.objects.count() == 3


def statements_of(count, make_delivered, days):
    for _ in range(count):
        make_delivered(days)
    with CaptureQueriesContext(connection) as statements:
        prune()
    return len(statements)


@pytest.mark.parametrize("days", [8, 91])
def test_prune__statements_do_not_grow_with_the_rows(make_delivered, days):
    few = statements_of(2, make_delivered, days)

    # Django's own collector deletes a hundred rows by one statement.
    assert statements_of(90, make_delivered, days) == few


def test_prune__young_messages_end_the_walk(make_delivered, monkeypatch):
    monkeypatch.setattr(room, "WINDOW", 10)
    make_delivered(8)
    with CaptureQueriesContext(connection) as few:
        prune(dry_run=True)
    for _ in range(200):
        make_delivered(1)

    with CaptureQueriesContext(connection) as many:
        prune(dry_run=True)

    assert len(many) <= len(few) + 2


def test_prune__wrong_clock_does_not_end_the_walk(make_delivered, monkeypatch):
    monkeypatch.setattr(room, "WINDOW", 2)
    ahead = make_delivered(-400)
    old = make_delivered(8)

    prune()

    assert stripped() == {old.pk}
    assert ahead.pk in left()


def test_prune__gaps_between_keys_cost_nothing(make_delivered):
    make_delivered(8, pk=3)
    make_delivered(8, pk=2**40)

    assert prune().stripped.total() == 2


def test_prune__beside_another_prune_each_row_goes_once(make_delivered):
    for _ in range(30):
        make_delivered(91)
        make_delivered(8)
    totals = Counter()
    lock = threading.Lock()
    together = threading.Barrier(3)

    def run():
        together.wait(timeout=10)
        pruned = prune(batch_size=3)
        with lock:
            totals.update(deleted=pruned.deleted.total(), stripped=pruned.stripped.total())

    threads = [threading.Thread(target=lambda: in_thread(run)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    # What another held at that moment was passed over.
    prune()
    assert MessageLog.objects.count() == 30
    assert stripped() == left()
    assert totals["deleted"] <= 30
    assert totals["stripped"] <= 30


def test_prune__beside_what_is_being_sent(make_delivered, askable, order_template, order_params):
    for _ in range(300):
        make_delivered(91)
    faults = []

    def send():
        try:
            for _ in range(10):
                send_message(order_template, PHONE, order_params)
                queue_message(order_template, PHONE, order_params)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=lambda: in_thread(send)) for _ in range(3)]
    for thread in threads:
        thread.start()
    pruned = prune(batch_size=5)
    for thread in threads:
        thread.join(timeout=60)
    Worker().run_once()

    assert faults == []
    assert pruned.deleted.total() == 300
    assert Counter(MessageLog.objects.values_list("status", flat=True)) == Counter(accepted=60)
    assert len(askable.sent) == 60


@pytest.mark.skipif(
    # Not by its features, which MariaDB tells only where the database may be asked.
    connection.vendor == "sqlite",
    reason="locks the whole file",
)
def test_prune__passes_over_what_another_transaction_holds(make_delivered):
    held, free = make_delivered(91), make_delivered(91)
    holding, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            MessageLog.objects.select_for_update().get(pk=held.pk)
            holding.set()
            done.wait(timeout=30)

    thread = threading.Thread(target=lambda: in_thread(hold))
    thread.start()
    assert holding.wait(timeout=30)
    prune()
    done.set()
    thread.join(timeout=30)

    assert left() == {held.pk}
    assert free.pk not in left()


def test_prune__what_changed_since_it_was_found_is_left(make_delivered, monkeypatch):
    to_delete, to_strip = (
        make_delivered(91, status="accepted"),
        make_delivered(8, status="accepted"),
    )
    due = room._due

    def found_then_changed(window, limits):
        found = due(window, limits)
        MessageLog.objects.update(next_poll_at=timezone.now())
        return found

    monkeypatch.setattr(room, "_due", found_then_changed)

    pruned = prune()

    assert pruned.deleted.total() == pruned.stripped.total() == 0
    assert left() == {to_delete.pk, to_strip.pk}
    assert stripped() == set()


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        ([], "maps categories to days; the categories are advertising, otp, transactional"),
        ({"opt": {}}, "maps categories to days"),
        ({"otp": 7}, r"\['otp'\] maps 'strip', 'delete' or both to days"),
        ({"otp": {"erase": 7}}, r"\['otp'\] maps 'strip', 'delete' or both"),
        ({"otp": {"strip": -1}}, r"\['otp'\]\['strip'\] is a whole number of days, from 1"),
        ({"otp": {"strip": 0}}, "is a whole number of days"),
        ({"otp": {"delete": "90"}}, r"\['delete'\] is a whole number of days"),
        ({"otp": {"delete": True}}, "is a whole number of days"),
        ({"otp": {"delete": 1.5}}, "is a whole number of days"),
        ({"otp": {"delete": 10**9}}, "from 1 to 36500"),
        ({"otp": {"strip": 90, "delete": 90}}, "'strip' is less than 'delete'"),
    ],
)
def test_prune__retention_that_cannot_be_used(make_delivered, settings, days, sentence):
    settings.ETELECOM = {**settings.ETELECOM, "RETENTION": days}
    message = make_delivered(30_000)

    with pytest.raises(ImproperlyConfigured, match=sentence):
        prune()

    assert left() == {message.pk}
    assert stripped() == set()
