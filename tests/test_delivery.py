"""One attempt: what stops it in the middle, and a database that goes away under it."""

import logging
from datetime import timedelta

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction
from django.utils import timezone

from django_etelecom import delivery, events, lifecycle, reports
from django_etelecom.accounts import backend_for
from django_etelecom.client.codes import Failure, ReportedStatus
from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.client.status import Report
from django_etelecom.models import MessageEvent, MessageLog
from django_etelecom.services import send_message
from tests.backends import accepted
from tests.replica import OnReplica
from tests.test_send import in_thread

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = "0912345678"


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(delivery, "RECORD_PAUSES", (0.01, 0.01))


def stops_with(error):
    def answer(outgoing):
        raise error

    return staticmethod(answer)


def test_deliver__backend_that_raises_is_unknown(scripted, otp_template):
    scripted.answer = stops_with(ValueError("otp 937415"))

    message = send_message("login_otp", PHONE, {"otp": "937415"})

    assert (message.status, message.reason) == ("unknown", "internal_error")
    assert message.events.get().failure_detail == "ValueError"


@pytest.mark.parametrize("answer", [None, "accepted", SendResult(outcome="sent")])
def test_deliver__backend_that_answers_nonsense_is_unknown(scripted, otp_template, answer):
    scripted.answer = staticmethod(lambda outgoing: answer)

    message = send_message("login_otp", PHONE, {"otp": "937415"})

    assert (message.status, message.reason) == ("unknown", "internal_error")


def test_deliver__told_to_stop_is_recorded_and_raised_afresh(scripted, otp_template):
    scripted.answer = stops_with(SystemExit(3))

    with pytest.raises(SystemExit) as caught:
        send_message("login_otp", PHONE, {"otp": "937415"})

    message = MessageLog.objects.get()
    assert (message.status, message.reason) == ("unknown", "interrupted")
    assert caught.value.code == 3
    assert caught.value.__context__ is None
    assert all("backends" not in str(entry.path) for entry in caught.traceback)


def test_deliver__told_to_stop_at_commit_is_recorded_and_raised(scripted, otp_template):
    scripted.answer = stops_with(KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt), transaction.atomic():
        send_message("login_otp", PHONE, {"otp": "937415"})

    assert MessageLog.objects.get().status == "unknown"


def test_deliver__time_limit_at_commit_is_raised_when_the_answer_is_on_record(
    scripted, otp_template, monkeypatch
):
    monkeypatch.setattr(delivery, "redact", raising_once(delivery.redact, SoftTimeLimit()))

    with pytest.raises(SoftTimeLimit), transaction.atomic():
        send_message("login_otp", PHONE, {"otp": "937415"})

    assert MessageLog.objects.get().status == "accepted"


def test_deliver__time_limit_at_commit_leaves_other_messages_unclaimed(
    scripted, order_template, order_params, monkeypatch
):
    monkeypatch.setattr(lifecycle, "claim", raising_once(lifecycle.claim, SoftTimeLimit()))

    with pytest.raises(SoftTimeLimit), transaction.atomic():
        for _ in range(2):
            send_message(order_template, PHONE, order_params)
    MessageLog.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    lifecycle.sweep()

    ends = MessageLog.objects.values_list("status", "reason")
    assert list(ends) == [("not_sent", "never_claimed")] * 2
    assert scripted.sent == []


@pytest.mark.parametrize(
    "error", [OperationalError("gone"), MessageLog.DoesNotExist(), KeyError("id"), OSError()]
)
def test_deliver__fault_at_commit_is_logged_and_stops_nothing(
    scripted, order_template, order_params, monkeypatch, caplog, error
):
    monkeypatch.setattr(lifecycle, "claim", raising_once(lifecycle.claim, error))
    with transaction.atomic():
        first, second = (send_message(order_template, PHONE, order_params) for _ in range(2))

    assert [one.getMessage() for one in caplog.records if one.levelno == logging.ERROR] == [
        f"Message {first.public_id} could not be sent at the commit."
    ]
    assert (first.status, second.status) == ("queued", "accepted")


def test_deliver__told_to_stop_by_what_the_backend_answers(scripted, otp_template):
    scripted.answer = staticmethod(
        lambda outgoing: SendResult(
            outcome=Outcome.UNKNOWN, failure=Failure.INTERRUPTED, interrupt=SystemExit(3)
        )
    )

    with pytest.raises(SystemExit):
        send_message("login_otp", PHONE, {"otp": "937415"})

    assert MessageLog.objects.get().reason == "interrupted"


def test_deliver__what_is_not_sent_any_more_is_read_where_it_was_written(
    scripted, otp_template, settings
):
    settings.DATABASE_ROUTERS = [OnReplica(MessageLog)]

    with transaction.atomic():
        message = send_message("login_otp", PHONE, {"otp": "937415"})
        MessageLog.objects.filter(pk=message.pk).update(status="cancelled")

    assert message.status == "cancelled"
    assert scripted.sent == []


@pytest.mark.parametrize(("failure", "kept"), [(None, "1"), (Failure.BAD_ANSWER, "•••")])
def test_deliver__status_that_is_understood_is_no_echo(scripted, otp_template, failure, kept):
    scripted.answer = staticmethod(
        lambda outgoing: SendResult(
            outcome=Outcome.UNKNOWN, failure=failure, http_status=200, provider_status="1"
        )
    )

    message = send_message("login_otp", PHONE, {"otp": "1"})

    assert message.provider_status == kept


class SoftTimeLimit(Exception):
    """A time limit as task queues raise it: a plain exception, anywhere, by a signal."""


def raising_once(function, error):
    """Wrap a function so that it is interrupted at its first call."""
    calls = []

    def interrupted(*args, **kwargs):
        calls.append(1)
        if len(calls) == 1:
            raise error
        return function(*args, **kwargs)

    return interrupted


@pytest.mark.parametrize("name", ["redact", "mask_text", "clean_text"])
def test_deliver__time_limit_after_the_answer_keeps_the_answer(
    scripted, otp_template, monkeypatch, name
):
    monkeypatch.setattr(delivery, name, raising_once(getattr(delivery, name), SoftTimeLimit()))

    with pytest.raises(SoftTimeLimit):
        send_message("login_otp", PHONE, {"otp": "937415"})

    message = MessageLog.objects.get()
    assert (message.status, message.provider_message_id) == ("accepted", "ICOMNI1")
    assert message.events.count() == 1


def test_deliver__two_time_limits_after_the_answer_leave_it_unknown(
    scripted, otp_template, monkeypatch
):
    def interrupted(*args):
        raise SoftTimeLimit

    monkeypatch.setattr(delivery, "redact", interrupted)

    with pytest.raises(SoftTimeLimit):
        send_message("login_otp", PHONE, {"otp": "937415"})

    message = MessageLog.objects.get()
    assert (message.status, message.reason) == ("unknown", "interrupted")


@pytest.mark.parametrize("error", [SoftTimeLimit(), SystemExit(3)])
def test_record__told_to_stop_meanwhile_records_first(
    scripted, otp_template, impatient, monkeypatch, error
):
    monkeypatch.setattr(events, "record_send", raising_once(events.record_send, error))

    with pytest.raises(type(error)):
        send_message("login_otp", PHONE, {"otp": "937415"})

    message = MessageLog.objects.get()
    assert (message.status, message.provider_message_id) == ("accepted", "ICOMNI1")


@pytest.mark.parametrize(("error", "times"), [(SoftTimeLimit, 2), (KeyError, 1)])
def test_record__what_cannot_be_waited_for_is_told_at_critical_and_raised(
    scripted, otp_template, impatient, monkeypatch, caplog, error, times
):
    tries = []

    def fails(message, result, **kwargs):
        tries.append(1)
        raise error

    monkeypatch.setattr(events, "record_send", fails)

    with pytest.raises(error):
        send_message("login_otp", PHONE, {"otp": "937415"})

    [told] = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert told.getMessage() == unrecorded(MessageLog.objects.get(), error)
    assert len(tries) == times


def unrecorded(message, error):
    return (
        f"The outcome of message {message.public_id} could not be recorded ({error.__name__}): "
        "it was accepted, the provider's id is ICOMNI1."
    )


def test_record__waits_for_a_database_that_comes_back(
    scripted, otp_template, impatient, monkeypatch
):
    tries = []
    record_send = events.record_send

    def flaky(message, result, **kwargs):
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("the database has gone away")
        record_send(message, result, **kwargs)

    monkeypatch.setattr(events, "record_send", flaky)

    message = send_message("login_otp", PHONE, {"otp": "937415"})

    assert message.status == "accepted"
    assert message.events.count() == 1
    assert len(scripted.sent) == 1


def test_record__commit_whose_answer_was_lost_is_not_repeated(
    scripted, otp_template, impatient, monkeypatch
):
    record_send = events.record_send

    def commits_and_fails(message, result, **kwargs):
        record_send(MessageLog.objects.get(), result, **kwargs)
        raise OperationalError("the answer to COMMIT was lost")

    monkeypatch.setattr(events, "record_send", commits_and_fails)

    message = send_message("login_otp", PHONE, {"otp": "937415"})

    assert message.status == "accepted"
    assert MessageEvent.objects.count() == 1


def test_record__commit_whose_answer_was_lost_is_looked_for_where_it_was_made(
    scripted, otp_template, impatient, monkeypatch, settings
):
    record_send = events.record_send

    def commits_and_fails(message, result, **kwargs):
        record_send(MessageLog.objects.using("default").get(), result, **kwargs)
        raise OperationalError("the answer to COMMIT was lost")

    monkeypatch.setattr(events, "record_send", commits_and_fails)
    settings.DATABASE_ROUTERS = [OnReplica(MessageLog, MessageEvent)]

    assert send_message("login_otp", PHONE, {"otp": "937415"}).status == "accepted"


def test_record__report_that_came_meanwhile_is_not_the_answer(
    scripted, otp_template, impatient, monkeypatch
):
    record_send = events.record_send
    tries = []

    def away_while_a_report_comes(message, result, **kwargs):
        tries.append(1)
        if len(tries) == 1:
            message.events.create(source="webhook")
            raise OperationalError("gone")
        return record_send(message, result, **kwargs)

    monkeypatch.setattr(events, "record_send", away_while_a_report_comes)

    assert send_message("login_otp", PHONE, {"otp": "937415"}).status == "accepted"


def test_record__report_that_was_quicker_is_read_where_it_was_matched(
    scripted, otp_template, settings
):
    settings.ETELECOM = {**settings.ETELECOM, "CONFIRM_REPORTS": False}
    settings.DATABASE_ROUTERS = [OnReplica(MessageLog, MessageEvent)]

    def answer(outgoing):
        reports.keep(Report(provider_message_id="ICOMNI1", status=ReportedStatus.SUCCESS))
        return accepted(outgoing)

    scripted.answer = staticmethod(answer)

    assert send_message("login_otp", PHONE, {"otp": "937415"}).status == "delivered"


def test_record__database_that_stays_away_is_told_at_critical(
    scripted, otp_template, impatient, monkeypatch, caplog
):
    def gone(message, result, **kwargs):
        raise DatabaseError("DETAIL: 937415")

    monkeypatch.setattr(events, "record_send", gone)

    message = send_message("login_otp", PHONE, {"otp": "937415"})

    [told] = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert told.getMessage() == unrecorded(message, DatabaseError)
    assert "937415" not in caplog.text
    assert MessageLog.objects.get().status == "sending"


def test_record__inside_a_transaction_is_tried_once(scripted, otp_template, monkeypatch, caplog):
    tries = []

    def gone(message, result, **kwargs):
        tries.append(1)
        raise OperationalError("gone")

    monkeypatch.setattr(events, "record_send", gone)
    message = MessageLog(status="sending", attempts=1)

    with transaction.atomic():
        delivery._record(message, SendResult(outcome=Outcome.NOT_SENT), backend_for("default"))

    assert tries == [1]
    assert "it was not_sent, the provider's id is not known" in caplog.text


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="ends a server's own connection")
def test_record__connection_that_the_server_ended_meanwhile(scripted, otp_template):
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        [pid] = cursor.fetchone()

    def end_connection():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])

    def answer(outgoing):
        in_thread(end_connection)
        return SendResult(outcome=Outcome.ACCEPTED, provider_status="1")

    scripted.answer = staticmethod(answer)

    message = send_message("login_otp", PHONE, {"otp": "937415"})

    assert message.status == "accepted"
    assert MessageLog.objects.get().status == "accepted"


LONG = "9" * 10_000


def test_record__texts_are_kept_up_to_the_length_of_their_columns(scripted, otp_template):
    scripted.answer = staticmethod(
        lambda outgoing: SendResult(
            outcome=Outcome.UNKNOWN,
            failure=Failure.BAD_ANSWER,
            provider_message_id=LONG,
            provider_status=LONG,
            provider_detail=LONG,
            failure_detail=LONG,
        )
    )

    message = send_message("login_otp", PHONE, {"otp": "937415"})

    def lengths(row, *names):
        return [(len(getattr(row, name)), row._meta.get_field(name).max_length) for name in names]

    kept = [
        *lengths(message, "provider_message_id", "provider_status", "provider_detail"),
        *lengths(message.events.get(), "provider_status", "provider_detail", "failure_detail"),
    ]
    assert all(length == most for length, most in kept), kept


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(delivery, "time", clock)
    return clock


@pytest.fixture
def away(monkeypatch):
    """Have the database be away for whoever records."""

    def gone(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(events, "record_send", gone)
    monkeypatch.setattr(events, "record_sends", gone)


def test_record__does_not_wait_for_a_database_that_is_there(scripted, otp_template, clock):
    send_message("login_otp", PHONE, {"otp": "937415"})

    assert clock.slept == [0.0]


def test_record__waits_longer_each_time(scripted, otp_template, clock, away):
    send_message("login_otp", PHONE, {"otp": "937415"})

    assert clock.slept == [0.0, *delivery.RECORD_PAUSES]


def test_record__waits_for_many_messages_no_longer_than_for_one(
    scripted, otp_template, clock, away
):
    messages = [MessageLog(pk=pk, attempts=1, status="sending") for pk in range(1, 21)]
    result = SendResult(outcome=Outcome.ACCEPTED)

    told = delivery.record_all([(one, result) for one in messages], backend_for("default"))

    assert told is None
    longest = sum(delivery.RECORD_PAUSES)
    assert longest <= clock.now < longest + 1
    assert clock.slept.count(0.0) == len(messages)


def test_record__is_asked_about_later_by_a_backend_that_can_be_asked(askable, otp_template):
    send_message("login_otp", PHONE, {"otp": "937415"})

    assert MessageLog.objects.get().next_poll_at > timezone.now()


def test_record__http_status_that_is_none_is_not_kept(scripted, otp_template):
    scripted.answer = staticmethod(
        lambda outgoing: SendResult(
            outcome=Outcome.ACCEPTED, provider_message_id="ICOMNI1", http_status="200 OK"
        )
    )

    message = send_message("login_otp", PHONE, {"otp": "937415"})

    assert (message.status, message.events.get().http_status) == ("accepted", None)


def test_record__strange_texts_are_kept_readable(scripted, otp_template):
    scripted.answer = staticmethod(
        lambda outgoing: SendResult(
            outcome=Outcome.UNKNOWN,
            failure=Failure.BAD_ANSWER,
            http_status=200,
            provider_status="nul\0" * 30,
            provider_detail="lone \ud800" + "x" * 10_000,
            payload={"a": "\0\ud800", "b": float("nan"), "c": 10**5000},
        )
    )

    message = send_message("login_otp", PHONE, {"otp": "937415"})

    event = message.events.get()
    assert event.provider_status.startswith(r"nul\u0000")
    assert event.provider_detail.startswith(r"lone \ud800")
    assert len(event.provider_detail) == 500
    assert r"\u0000\ud800" in event.payload
