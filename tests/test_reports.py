"""What the provider says later: asked by hand, asked by the worker, told by a report."""

import dataclasses
import logging
import threading
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models import CharField, Value
from django.db.models.functions import Concat
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from django_etelecom import events, lifecycle, reports, signals, summary, transactions
from django_etelecom.accounts import backend_for
from django_etelecom.client.codes import Failure, Refusal, ReportedStatus
from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.client.status import Report, StatusResult
from django_etelecom.exceptions import InvalidMessage
from django_etelecom.models import (
    InboxReport,
    MessageEvent,
    MessageLog,
    ReportedMessage,
    RouteRule,
)
from django_etelecom.models.messages import Status
from django_etelecom.services import queue_message, refresh_status, send_message
from django_etelecom.worker import Tally, Worker
from tests.backends import accepted, answering
from tests.replica import OnReplica
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = "0912345678"


@pytest.fixture
def sent(askable, order_template, order_params):
    """A message that was accepted by the route ZNS, then SMS."""

    def send(**kwargs):
        return send_message(order_template, PHONE, order_params, **kwargs)

    return send


def due(message):
    """Make the next question due."""
    MessageLog.objects.filter(pk=message.pk).update(
        next_poll_at=timezone.now() - timedelta(seconds=1)
    )


def aged(message, **age):
    """Let a message be as old as this, its next question due."""
    MessageLog.objects.filter(pk=message.pk).update(sent_at=timezone.now() - timedelta(**age))
    due(message)


def told(message, word, **fields):
    return reports.keep(
        Report(
            provider_message_id=message.provider_message_id,
            status=ReportedStatus(word),
            provider_status=word.upper(),
            **fields,
        )
    )


def status_of(message):
    return MessageLog.objects.get(pk=message.pk).status


# --- refresh_status -----------------------------------------------------------------------------


def test_refresh__asks_the_provider_and_records_what_it_says(live, otp_template):
    message = send_message("login_otp", PHONE, {"otp": "937415"})

    assert refresh_status(message) is message
    first = message.status
    refresh_status(message)

    assert (first, message.status) == ("accepted", "delivered")
    assert (message.channel, message.network, message.paid_messages) == ("SMS", "3", 1)
    assert message.status_source == "poll"
    events = list(message.events.values_list("source", "status", "provider_status", "http_status"))
    assert events == [
        ("send", "accepted", "1", 200),
        ("poll", "accepted", "PROCESSING", 200),
        ("poll", "delivered", "SUCCESS", 200),
    ]
    assert not MessageEvent.objects.filter(payload__contains="937415").exists()


def test_refresh__unknown_id_is_told_as_such(live, otp_template):
    message = send_message("login_otp", PHONE, {"otp": "937415"})
    MessageLog.objects.update(provider_message_id="ICOMNInobody")

    refresh_status(message)

    event = message.events.last()
    assert message.status == "accepted"
    assert (event.source, event.status, event.reason) == ("poll", "", "bad_answer")
    assert event.provider_detail == "idOmniMess not found"


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (StatusResult(failure=Failure.TIMEOUT), "timeout"),
        (StatusResult(refusal=Refusal.CREDENTIALS, http_status=401), "credentials"),
        (StatusResult(failure=Failure.BAD_ANSWER, http_status=502), "bad_answer"),
    ],
)
def test_refresh__answer_that_says_nothing_is_an_event_and_moves_nothing(
    sent, askable, result, reason
):
    message = sent()
    askable.status = answering(result)

    refresh_status(message)

    assert message.status == "accepted"
    event = message.events.last()
    assert (event.source, event.status, event.reason) == ("poll", "", reason)


def test_refresh__answer_about_another_message_is_not_understood(sent, askable):
    message = sent()
    askable.tell("success", provider_message_id="ICOMNIother")

    refresh_status(message)

    assert message.status == "accepted"
    assert message.events.last().failure_detail == "the answer is about another message"


def test_refresh__backend_that_raises_shows_its_class_only(sent, askable):
    message = sent()

    def fails(provider_message_id):
        raise ValueError("canary-password")

    askable.status = staticmethod(fails)

    refresh_status(message)

    event = message.events.last()
    assert (event.reason, event.failure_detail) == ("internal_error", "ValueError")


@pytest.mark.parametrize("odd", ["OK", -1, 10**12, 2.5])
def test_refresh__backend_with_an_odd_http_status_does_not_end_the_worker(sent, askable, odd):
    askable.answer = staticmethod(
        lambda outgoing: dataclasses.replace(accepted(outgoing), http_status=odd)
    )
    message = sent()
    due(message)
    askable.status = answering(
        StatusResult(report=Report(status=ReportedStatus.SUCCESS), http_status=odd)
    )

    assert work().polled == 1

    assert [(one.status, one.http_status) for one in message.events.all()] == [
        ("accepted", None),
        ("delivered", None),
    ]


def test_refresh__told_to_stop_is_recorded_and_raised(sent, askable):
    message = sent()
    askable.status = answering(StatusResult(failure=Failure.INTERRUPTED, interrupt=SystemExit(3)))

    with pytest.raises(SystemExit):
        refresh_status(message)

    assert message.events.last().reason == "interrupted"


def test_refresh__told_to_stop_within_the_backend(sent, askable):
    message = sent()

    def stops(provider_message_id):
        raise KeyboardInterrupt

    askable.status = staticmethod(stops)

    with pytest.raises(KeyboardInterrupt):
        refresh_status(message)

    assert message.events.last().reason == "interrupted"


def test_refresh__inside_a_transaction_is_refused(sent, askable):
    message = sent()

    with transaction.atomic(), pytest.raises(TransactionManagementError, match="outside of atomic"):
        refresh_status(message)

    assert askable.asked == []


def test_refresh__of_what_cannot_be_asked(sent, scripted, otp_template):
    message = sent()
    MessageLog.objects.update(provider_message_id="")
    with pytest.raises(InvalidMessage, match="no id to ask by"):
        refresh_status(message)
    with pytest.raises(InvalidMessage, match="not a stored message"):
        refresh_status(MessageLog())


def test_refresh__backend_without_a_status(scripted, otp_template):
    message = send_message("login_otp", PHONE, {"otp": "1"})

    with pytest.raises(InvalidMessage, match="cannot be asked"):
        refresh_status(message)
    assert message.next_poll_at is None
    with pytest.raises(NotImplementedError):
        backend_for("default").get_status("ICOMNI1")


def test_refresh__credentials_in_an_answer_are_masked(sent, askable):
    message = sent()
    askable.status = answering(
        StatusResult(
            failure=Failure.BAD_ANSWER,
            http_status=500,
            provider_detail="user canary-username",
            payload={"password": "canary-password"},
        )
    )

    refresh_status(message)

    event = message.events.last()
    assert event.provider_detail == "user •••"
    assert "canary" not in event.payload


# --- Asked by the worker ------------------------------------------------------------------------


def work():
    return Worker().run_once()


def test_poll__accepted_message_is_asked_about_when_it_is_due(sent, askable):
    message = sent()
    assert timedelta(seconds=20) < message.next_poll_at - timezone.now() <= timedelta(seconds=30)
    assert work().polled == 0

    due(message)
    askable.tell("success", channel="ZNS")

    assert work().polled == 1
    message.refresh_from_db()
    assert (message.status, message.next_poll_at, message.lease_expires_at) == (
        "delivered",
        None,
        None,
    )
    assert askable.asked == ["ICOMNI1"]


@pytest.mark.parametrize(
    ("age", "next_one"),
    [
        ({"seconds": 31}, timedelta(seconds=120 - 31)),
        ({"minutes": 3}, timedelta(minutes=7)),
        ({"hours": 5}, timedelta(hours=1)),
        ({"hours": 30}, timedelta(hours=18)),
        ({"hours": 48}, None),
    ],
)
def test_poll__asks_at_growing_intervals(sent, askable, age, next_one):
    message = sent()
    aged(message, **age)

    assert work().polled == 1

    message.refresh_from_db()
    assert message.lease_expires_at is None
    if next_one is None:
        assert message.next_poll_at is None
        assert work().polled == 0
    else:
        left = message.next_poll_at - timezone.now()
        assert next_one - timedelta(seconds=10) < left <= next_one


def test_poll__schedule_is_a_setting(sent, askable, settings):
    settings.ETELECOM = {**settings.ETELECOM, "POLL_AFTER": []}

    assert sent().next_poll_at is None

    settings.ETELECOM = {**settings.ETELECOM, "POLL_AFTER": [3600]}
    left = sent().next_poll_at - timezone.now()
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


def test_poll__failed_channel_with_another_after_it_is_asked_about_on(sent, askable):
    message = sent()
    due(message)
    askable.tell("fail", channel="ZNS", error_code="-118")
    work()
    message.refresh_from_db()
    assert (message.status, message.error_code) == ("undelivered", "-118")
    assert message.next_poll_at is not None

    due(message)
    askable.tell("success", channel="BrandnameSMS", paid_messages=1)
    work()

    message.refresh_from_db()
    assert (message.status, message.channel, message.error_code) == (
        "delivered",
        "BrandnameSMS",
        "",
    )


@pytest.mark.parametrize("channel", ["SMS", "BrandnameSMS", "3"])
def test_poll__failed_last_channel_is_the_end(sent, askable, channel):
    message = sent()
    due(message)
    askable.tell("fail", channel="ZNS", error_code="-118")
    work()
    due(message)
    askable.tell("fail", channel=channel, error_code="7")
    work()

    message.refresh_from_db()
    assert (message.status, message.channel, message.error_code) == ("undelivered", channel, "7")
    assert message.next_poll_at is None


def test_poll__failed_only_channel_is_the_end(askable, otp_template):
    otp_template.route = RouteRule.objects.create(name="SMS only", channels=["3"])
    otp_template.save()
    message = send_message("login_otp", PHONE, {"otp": "1"})
    due(message)
    askable.tell("fail", channel="something new")
    work()

    message.refresh_from_db()
    assert (message.status, message.next_poll_at) == ("undelivered", None)


def test_poll__unknown_with_an_id_is_asked_about(sent, askable):
    message = sent()
    MessageLog.objects.update(status="unknown")
    due(message)

    work()

    message.refresh_from_db()
    assert (message.status, message.status_source) == ("accepted", "poll")


@pytest.mark.parametrize("status", ["delivered", "rejected", "not_sent", "cancelled", "sending"])
def test_poll__leaves_the_rest_alone(sent, askable, status):
    message = sent()
    MessageLog.objects.update(status=status)
    due(message)

    assert work().polled == 0


def test_poll__unanswered_is_asked_again_later(sent, askable):
    message = sent()
    due(message)
    askable.status = answering(StatusResult(failure=Failure.TIMEOUT))

    work()

    message.refresh_from_db()
    assert message.status == "accepted"
    assert message.next_poll_at > timezone.now()
    assert message.lease_expires_at is None


def test_poll__taken_on_by_one_of_two(sent, askable):
    message = sent()
    due(message)
    backends = [backend_for("default")]

    first = reports.due_polls(backends, 8)
    second = reports.due_polls(backends, 8)

    assert [poll.message.pk for poll in first] == [message.pk]
    assert second == []


def test_poll__taken_between_look_and_claim_is_left(sent, askable, monkeypatch):
    message = sent()
    due(message)
    next_poll_after = reports._next_poll_after

    def another_takes_it(row):
        MessageLog.objects.update(lease_expires_at=timezone.now() + timedelta(minutes=1))
        return next_poll_after(row)

    monkeypatch.setattr(reports, "_next_poll_after", another_takes_it)

    assert reports.due_polls([backend_for("default")], 8) == []


def test_poll__of_a_dead_worker_is_taken_over(sent, askable):
    message = sent()
    due(message)
    reports.due_polls([backend_for("default")], 8)
    MessageLog.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    due(message)

    assert work().polled == 1


def test_poll__last_question_of_a_dead_worker_is_asked_again(sent, askable):
    message = sent()
    aged(message, hours=49)
    [poll] = reports.due_polls([backend_for("default")], 8)

    assert poll.is_last
    message.refresh_from_db()
    assert message.next_poll_at is not None


def test_poll__report_during_the_last_question_brings_one_more(sent, askable):
    message = sent()
    aged(message, hours=49)
    [poll] = reports.due_polls([backend_for("default")], 8)
    evidence, _interrupt = reports.ask(poll.message, poll.backend)
    told(message, "success")
    reports.bring_forward()
    reports.record_answer(poll.message, evidence, settled=poll)

    assert MessageLog.objects.get().next_poll_at <= timezone.now()


def test_poll__unusable_account_is_told_and_passed_over(sent, askable, settings, caplog):
    message = sent()
    due(message)
    accounts = {**settings.ETELECOM["ACCOUNTS"], "broken": {"BACKEND": "nowhere.Backend"}}
    settings.ETELECOM = {"ACCOUNTS": accounts}

    assert work().polled == 1
    assert "Nothing is asked by account 'broken'" in caplog.text


def test_poll__id_shared_by_two_messages_moves_neither(sent, askable):
    first, second = sent(), sent()
    MessageLog.objects.update(provider_message_id="ICOMNI1")
    due(first)
    due(second)
    askable.tell("success")

    assert work().polled == 2

    for message in (first, second):
        message.refresh_from_db()
        assert (message.status, message.next_poll_at) == ("accepted", None)
        event = message.events.last()
        assert (event.status, event.reason) == ("", "ambiguous")


# --- Told by a report ---------------------------------------------------------------------------


def test_report__is_an_event_and_asks_for_its_confirmation(sent, askable):
    message = sent()

    assert told(message, "success", channel="SMS", payload={"Status": "SUCCESS"})

    reports.bring_forward()
    message.refresh_from_db()
    assert message.status == "accepted"
    assert message.next_poll_at <= timezone.now()
    event = message.events.last()
    assert (event.source, event.status, event.channel) == ("webhook", "delivered", "SMS")
    assert event.payload == '{"Status": "SUCCESS"}'
    assert askable.asked == []

    askable.tell("success", channel="SMS")
    assert work().polled == 1
    message.refresh_from_db()
    assert (message.status, message.status_source) == ("delivered", "poll")


def test_report__of_several_messages_are_brought_forward_in_batches(sent, askable, monkeypatch):
    monkeypatch.setattr(reports, "BATCH", 2)
    messages = [sent() for _ in range(3)]
    MessageLog.objects.update(
        provider_message_id=Concat(Value("ICOMNI"), "pk", output_field=CharField())
    )
    for message in messages:
        message.refresh_from_db()
        assert told(message, "success")
        assert told(message, "success")
    assert {str(reported) for reported in ReportedMessage.objects.all()} == {
        str(message.pk) for message in messages
    }

    reports.bring_forward()

    assert not ReportedMessage.objects.exists()
    assert MessageLog.objects.filter(next_poll_at__lte=timezone.now()).count() == 3


def test_report__that_is_forged_moves_nothing(sent, askable):
    message = sent()
    told(message, "success")
    askable.tell("fail", channel="SMS")

    work()

    message.refresh_from_db()
    assert message.status == "undelivered"


def test_report__of_processing_asks_nothing(sent, askable):
    message = sent()
    before = message.next_poll_at

    assert told(message, "processing")

    reports.bring_forward()
    message.refresh_from_db()
    assert message.next_poll_at == before


def test_report__after_the_end_asks_nothing(sent, askable):
    message = sent()
    due(message)
    askable.tell("success")
    work()

    assert told(message, "fail")

    reports.bring_forward()
    message.refresh_from_db()
    assert (message.status, message.next_poll_at) == ("delivered", None)


@pytest.fixture
def believing(askable, settings):
    settings.ETELECOM = {**settings.ETELECOM, "CONFIRM_REPORTS": False}


def test_report__believed_where_the_site_says_so(sent, believing):
    message = sent()

    told(message, "fail", channel="ZNS", error_code="-118")
    assert status_of(message) == "undelivered"
    told(message, "success", channel="SMS", network="3", paid_messages=2)

    message.refresh_from_db()
    assert (message.status, message.status_source) == ("delivered", "webhook")
    assert (message.network, message.paid_messages, message.next_poll_at) == ("3", 2, None)


def test_report__does_not_take_the_place_of_an_answer(sent, askable, believing):
    message = sent()
    askable.tell("success", channel="SMS")
    refresh_status(message)

    told(message, "success", channel="forged")

    message.refresh_from_db()
    assert (message.channel, message.status_source) == ("SMS", "poll")


def test_report__said_again_with_more_is_kept(sent, believing):
    message = sent()
    told(message, "success")

    told(message, "success", channel="SMS", paid_messages=1)

    message.refresh_from_db()
    assert (message.channel, message.paid_messages) == ("SMS", 1)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="alone keeps them by a function")
def test_report__that_comes_twice_at_once_undoes_neither(sent, believing, monkeypatch):
    monkeypatch.setattr(transactions, "UNDONE_RETRIES", 0)
    message = sent()
    kept = []

    def keep():
        try:
            kept.append(told(message, "success"))
        finally:
            connection.close()

    both = [threading.Thread(target=keep) for _ in range(2)]
    with transaction.atomic():
        # Shared, so that both come as far as they may share it too.
        lock = "SELECT 1 FROM etelecom_messagelog WHERE id = %s FOR KEY SHARE"
        with connection.cursor() as cursor:
            cursor.execute(lock, [message.pk])
        for one in both:
            one.start()
        wait_until(lambda: waiting_for_locks() == 2)
    for one in both:
        one.join()

    assert kept == [True, True]
    assert (status_of(message), message.events.count()) == ("delivered", 3)


def waiting_for_locks():
    asked = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with connection.cursor() as cursor:
        # A transaction sees them as they were when it first looked.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(asked)
        return cursor.fetchone()[0]


def test_report__that_was_undone_for_anothers_sake_is_kept_again(sent, believing, monkeypatch):
    message = sent()
    keep = reports._keep
    tries = []

    def undone_at_first(evidence):
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError(1213, "Deadlock found when trying to get lock")
        return keep(evidence)

    monkeypatch.setattr(reports, "_keep", undone_at_first)

    assert told(message, "success")

    assert status_of(message) == "delivered"


def test_report__word_that_nobody_knows_is_an_event(sent, believing):
    message = sent()

    assert reports.keep(Report(provider_message_id="ICOMNI1", provider_status="MAYBE"))

    event = message.events.last()
    assert (event.status, event.provider_status) == ("", "MAYBE")


@pytest.mark.parametrize("paid", [-1, 2**40, reports.MOST_PAID + 1])
def test_report__number_that_no_message_costs_is_left_out(sent, believing, paid):
    message = sent()

    assert told(message, "success", paid_messages=paid)

    message.refresh_from_db()
    assert message.paid_messages is None


def test_report__costs_of_some_thousand_millions_stop_no_worker(sent, believing, monkeypatch):
    monkeypatch.setattr(summary, "MELT_AT", 4)

    for message in (sent(), sent(), sent()):
        # As many digits as a count may have: the sum of three is more than a column takes.
        assert told(message, "success", paid_messages=999_999_999)
    summary.upkeep()

    assert MessageLog.objects.filter(status="delivered", paid_messages=None).count() == 3


def test_report__same_id_on_two_messages_moves_neither(sent, believing):
    sent()
    sent()
    MessageLog.objects.update(provider_message_id="ICOMNI1")

    assert told(MessageLog.objects.first(), "success")

    for message in MessageLog.objects.all():
        assert message.status == "accepted"
        event = message.events.last()
        assert (event.source, event.status, event.reason) == ("webhook", "", "ambiguous")


def test_report__of_one_message_are_kept_up_to_a_number(sent, askable, monkeypatch, caplog):
    message = sent()
    monkeypatch.setattr(reports, "MAX_REPORTS", 3)

    kept = [told(message, "success") for _ in range(5)]

    assert kept == [True, True, True, False, False]
    assert message.events.filter(source="webhook").count() == 3
    assert "has too many reports" in caplog.text


# --- The inbox ----------------------------------------------------------------------------------


def early(**fields):
    return Report(
        provider_message_id="ICOMNI1",
        status=ReportedStatus.SUCCESS,
        provider_status="SUCCESS",
        channel="SMS",
        error_code="0",
        network="3",
        paid_messages=1,
        payload={"Status": "SUCCESS"},
        **fields,
    )


def test_inbox__report_before_our_own_commit_is_matched_with_it(sent, askable):
    assert reports.keep(early())
    assert str(InboxReport.objects.get()) == "ICOMNI1"

    message = sent()

    assert not InboxReport.objects.exists()
    assert (message.status, ReportedMessage.objects.get().pk) == ("accepted", message.pk)
    events = list(message.events.values_list("source", "status", "channel"))
    assert sorted(events) == [("send", "accepted", ""), ("webhook", "delivered", "SMS")]


def test_inbox__report_is_believed_where_the_site_says_so(sent, believing):
    reports.keep(early())

    message = sent()

    assert (message.status, message.network, message.paid_messages) == ("delivered", "3", 1)


def test_inbox__word_that_nobody_knows(sent, askable):
    reports.keep(Report(provider_message_id="ICOMNI1", provider_status="MAYBE"))

    message = sent()

    event = message.events.get(source="webhook")
    assert (event.status, event.provider_status) == ("", "MAYBE")


def test_inbox__what_the_send_did_not_see_the_worker_matches(sent, askable):
    message = sent()
    InboxReport.objects.create(provider_message_id="ICOMNI1", status="delivered")

    assert Worker().run_once().matched == 1

    assert message.events.filter(source="webhook").count() == 1
    assert not InboxReport.objects.exists()


def test_inbox__taken_by_another_process_is_left(sent, askable, monkeypatch):
    message = sent()
    InboxReport.objects.create(provider_message_id="ICOMNI1", status="delivered")
    atomic = transaction.atomic

    def another_takes_it(**kwargs):
        InboxReport.objects.all().delete()
        return atomic(**kwargs)

    monkeypatch.setattr(reports, "transaction", SimpleNamespace(atomic=another_takes_it))

    assert reports.match_inbox() == 0
    assert not message.events.filter(source="webhook").exists()


@pytest.mark.parametrize("other", ["icomni1", "ICOMNI1 ", "ÍCOMNI1"])
def test_inbox__report_of_an_id_that_only_looks_the_same_waits(sent, askable, other):
    message = sent()

    assert reports.keep(Report(provider_message_id=other, status=ReportedStatus.SUCCESS))

    assert work() == Tally()
    assert InboxReport.objects.get().provider_message_id == other
    assert not message.events.filter(source="webhook").exists()


def test_poll__account_that_only_looks_the_same_is_another(sent, askable):
    message = sent()
    due(message)
    MessageLog.objects.update(account="Default")

    assert work() == Tally()
    assert askable.asked == []


def test_poll__id_that_only_looks_the_same_is_another_messages(sent, askable):
    first, second = sent(), sent()
    MessageLog.objects.filter(pk=second.pk).update(provider_message_id="icomni1")
    askable.tell("success")

    assert refresh_status(first).status == "delivered"


def test_inbox__is_bounded_in_number(sent, askable, monkeypatch, caplog):
    monkeypatch.setattr(reports, "INBOX_SIZE", 3)

    kept = [reports.keep(Report(provider_message_id=f"forged{n}")) for n in range(5)]

    assert kept == [True, True, True, False, False]
    assert InboxReport.objects.count() == 3
    assert "inbox of delivery reports is full" in caplog.text


def test_inbox__is_bounded_in_age(askable, db):
    reports.keep(Report(provider_message_id="forged"))
    InboxReport.objects.update(created_at=timezone.now() - reports.INBOX_AGE)

    work()

    assert not InboxReport.objects.exists()


def test_inbox__send_that_comes_to_nothing_leaves_the_report(sent, askable):
    reports.keep(early())
    message = sent()
    assert message.status == "accepted"
    MessageLog.objects.update(status="delivered", provider_message_id="")
    reports.keep(early())

    answer = SendResult(outcome=Outcome.ACCEPTED, provider_message_id="ICOMNI1")
    assert not events.record_send(message, answer, can_be_asked=True)
    assert message.provider_message_id == "ICOMNI1"
    assert work().matched == 1


# --- Signals and log ----------------------------------------------------------------------------


@pytest.fixture
def heard():
    """What the signals told: name, status of the message, source of the event."""
    told = []
    receivers = []
    for name in ("accepted", "rejected", "not_sent", "unknown", "delivered", "undelivered"):

        def receive(sender, message, event, name=name, **kwargs):
            in_transaction = transaction.get_connection().in_atomic_block
            told.append((name, message.status, event and event.source, in_transaction))

        receivers.append((name, receive))
        signals.BY_STATUS[name].connect(receive, sender=MessageLog)
    yield told
    for name, receive in receivers:
        signals.BY_STATUS[name].disconnect(receive, sender=MessageLog)


def test_signals__tell_of_a_report_that_is_believed(sent, believing, heard, caplog):
    caplog.set_level(logging.INFO, "django_etelecom")
    message = sent()
    heard.clear()

    told(message, "success", channel="SMS")
    told(message, "success", channel="SMS")

    assert heard == [("delivered", "delivered", "webhook", False)]
    assert caplog.text.count("is delivered") == 1


def test_signals__tell_each_move_once_after_the_commit(sent, askable, heard):
    message = sent()
    due(message)
    work()
    due(message)
    askable.tell("fail", channel="ZNS")
    work()
    due(message)
    askable.tell("success", channel="SMS")
    work()
    told(message, "success")

    assert heard == [
        ("accepted", "accepted", "send", False),
        ("undelivered", "undelivered", "poll", False),
        ("delivered", "delivered", "poll", False),
    ]


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.NOT_SENT, Outcome.UNKNOWN])
def test_signals__tell_how_an_attempt_ended(sent, askable, heard, outcome):
    askable.answer = staticmethod(lambda outgoing: SendResult(outcome=outcome))

    sent()

    assert heard == [(outcome, outcome, "send", False)]


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.REJECTED])
def test_signals__tell_how_an_attempt_of_the_worker_ended(
    askable, order_template, order_params, heard, outcome
):
    askable.answer = staticmethod(lambda outgoing: SendResult(outcome=outcome))
    queue_message(order_template, PHONE, order_params)

    work()

    assert heard == [(outcome, outcome, "send", False)]


def test_signals__tell_what_lapsed(sent, askable, heard):
    message = sent()
    heard.clear()
    MessageLog.objects.update(status="sending", lease_expires_at=message.created_at)

    work()

    assert heard == [("unknown", "unknown", None, False)]


def test_signals__tell_the_move_that_was_made_not_the_one_after_it(
    sent, askable, heard, monkeypatch, caplog
):
    message = sent()
    heard.clear()
    look_again = MessageLog.refresh_from_db

    def look_again_late(row, **kwargs):
        monkeypatch.setattr(MessageLog, "refresh_from_db", look_again)
        askable.tell("success")
        refresh_status(MessageLog.objects.get())
        look_again(row, **kwargs)

    monkeypatch.setattr(MessageLog, "refresh_from_db", look_again_late)
    askable.tell("fail")
    refresh_status(message)

    assert message.status == "delivered"
    assert heard == [
        ("delivered", "delivered", "poll", False),
        ("undelivered", "delivered", "poll", False),
    ]
    assert " is undelivered (poll)." in caplog.text


def test_signals__tell_a_lapse_that_evidence_overtook(sent, askable, heard, monkeypatch):
    message = sent()
    heard.clear()
    MessageLog.objects.update(status="sending", lease_expires_at=message.created_at)
    tell = lifecycle._tell

    def late(pk, status, reason):
        refresh_status(MessageLog.objects.get(pk=pk))
        tell(pk, status, reason)

    monkeypatch.setattr(lifecycle, "_tell", late)
    work()

    assert heard == [
        ("accepted", "accepted", "poll", False),
        ("unknown", "accepted", None, False),
    ]


@pytest.fixture
def moved_by_the_database(sent, askable, settings):
    """An event, after which a message was delivered without anything of ours."""
    message = sent()
    MessageLog.objects.update(status="delivered")
    return message.events.create(source="webhook", status="delivered")


def test_signals__tell_a_move_that_the_database_made(moved_by_the_database, heard, settings):
    settings.DATABASE_ROUTERS = [OnReplica(MessageEvent)]

    events.tell(Status.DELIVERED, event_pk=moved_by_the_database.pk)

    assert heard == [("delivered", "delivered", "webhook", False)]


def test_log__has_a_line_for_an_attempt_of_the_worker(
    askable, order_template, order_params, caplog
):
    askable.answer = staticmethod(
        lambda outgoing: SendResult(outcome=Outcome.REJECTED, refusal=Refusal.PARAMETER)
    )
    queue_message(order_template, PHONE, order_params)

    work()

    [told] = caplog.messages
    assert told.endswith(" to 84912•••678 by order_confirmation is rejected (parameter).")


def test_log__has_a_line_for_a_move_that_the_database_made(moved_by_the_database, caplog):
    caplog.set_level(logging.INFO, "django_etelecom")

    events.tell(Status.DELIVERED, event_pk=moved_by_the_database.pk)

    [told] = caplog.messages
    assert told.endswith(" to 84912•••678 by order_confirmation is delivered.")


def test_signals__move_that_nobody_listens_to_asks_nothing(
    moved_by_the_database, django_assert_num_queries
):
    with django_assert_num_queries(0):
        events.tell(Status.DELIVERED, event_pk=moved_by_the_database.pk)


def test_signals__receiver_that_raises_changes_nothing(sent, askable, caplog):
    def fails(**kwargs):
        raise ValueError("a fault of the site's")

    signals.message_accepted.connect(fails)
    try:
        message = sent()
    finally:
        signals.message_accepted.disconnect(fails)

    assert message.status == "accepted"
    assert message.events.count() == 1
    assert "a fault of the site's" in caplog.text


def test_log__has_one_line_a_move(sent, askable, caplog):
    caplog.set_level(logging.INFO, "django_etelecom")
    message = sent()
    due(message)
    work()
    due(message)
    askable.tell("fail", channel="ZNS", error_code="-118")
    work()
    told(message, "fail")

    assert [record.getMessage() for record in caplog.records] == [
        f"Message {message.public_id} to 84912•••678 by order_confirmation is accepted.",
        f"Message {message.public_id} to 84912•••678 by order_confirmation is undelivered "
        "(poll: ZNS, -118).",
    ]
