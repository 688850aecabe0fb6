"""Messages that wait in their rows for a worker, and the worker that sends them."""

import dataclasses
import logging
import threading
import time
from collections import Counter
from datetime import timedelta
from io import StringIO

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_etelecom import delivery, events, flights, lifecycle, pace, sender, signals
from django_etelecom import worker as worker_module
from django_etelecom.client.codes import Failure, Refusal
from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.conf import settings as etelecom_settings
from django_etelecom.exceptions import IdempotencyConflict, InvalidMessage
from django_etelecom.models import AccountState, MessageEvent, MessageLog, MessageTemplate
from django_etelecom.models.batches import update_each
from django_etelecom.models.messages import Reason
from django_etelecom.sender import Sender
from django_etelecom.services import (
    cancel_message,
    queue_campaign,
    queue_message,
    resume_account,
    send_message,
)
from django_etelecom.worker import Tally, Worker
from tests.backends import accepted
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = "0912345678"
REFUSED = SendResult(outcome=Outcome.NOT_SENT, failure=Failure.CONNECTION_REFUSED)
LOST = SendResult(outcome=Outcome.UNKNOWN, failure=Failure.CONNECTION_LOST)


def refusing(refusal):
    return SendResult(
        outcome=Outcome.REJECTED, refusal=refusal, http_status=200, provider_status="-3"
    )


@pytest.fixture
def queued(askable, order_template, order_params):
    def queue(to=PHONE, **kwargs):
        return queue_message(order_template, to, order_params, **kwargs)

    return queue


@pytest.fixture
def account(settings):
    """Change the settings of the default account."""

    def change(**changes):
        accounts = settings.ETELECOM["ACCOUNTS"]
        settings.ETELECOM = {
            **settings.ETELECOM,
            "ACCOUNTS": {"default": {**accounts["default"], **changes}},
        }

    return change


def work(**options):
    return Worker(**options).run_once()


def claim(limit):
    """Claim messages of the default account."""
    claims = lifecycle.claim_due(etelecom_settings.account("default"), limit)
    return [message for claimed in claims for message in claimed.messages]


def answer(backend, *results):
    """Give these answers in turn, the last one always."""
    left = list(results)
    lock = threading.Lock()

    def next_one(outgoing):
        with lock:
            result = left.pop(0) if len(left) > 1 else left[0]
        return result(outgoing) if callable(result) else result

    backend.answer = staticmethod(next_one)


def expire():
    """Let the time of all that waits pass."""
    past = timezone.now() - timedelta(seconds=1)
    MessageLog.objects.update(expires_at=past, lease_expires_at=past)


def statuses():
    return Counter(MessageLog.objects.values_list("status", flat=True))


# --- Queueing -----------------------------------------------------------------------------------


def test_queue__waits_for_a_worker(queued, askable):
    message = queued()

    assert (message.status, message.attempts) == ("queued", 0)
    assert message.lease_expires_at == message.expires_at
    assert askable.sent == []

    assert work() == Tally(sent=1)

    message.refresh_from_db()
    assert (message.status, message.attempts) == ("accepted", 1)
    assert message.provider_message_id == "ICOMNI1"
    assert message.next_poll_at > timezone.now()
    [event] = message.events.all()
    assert (event.source, event.status, event.http_status) == ("send", "accepted", 200)
    [outgoing] = askable.sent
    assert outgoing.recipient == "84912345678"
    assert outgoing.channels == ("1", "3")
    assert outgoing.wire.reveal()["order_code"] == "DH-1024"


def test_queue__of_a_transaction_that_is_rolled_back_is_never_sent(queued, askable):
    with transaction.atomic():
        queued()
        transaction.set_rollback(True)

    assert work() == Tally()
    assert askable.sent == []


def test_queue__bad_input_is_refused_before_anything_is_written(queued, order_template):
    with pytest.raises(InvalidMessage) as caught:
        queue_message(order_template, "12", {"amount": "x"}, send_at="tomorrow")

    assert {"to", "params.amount", "params.customer_name", "send_at"} <= set(
        caught.value.message_dict
    )
    assert not MessageLog.objects.exists()


@pytest.mark.parametrize(
    ("send_at", "sentence"),
    [
        ("tomorrow", "Give a datetime with a time zone."),
        (timezone.now().replace(tzinfo=None), "Give a datetime with a time zone."),
        (timezone.now() + timedelta(days=800), "This is too far away"),
        (timezone.now() - timedelta(days=1), "This has passed."),
        (timezone.now() - timedelta(days=365), "This has passed."),
    ],
)
def test_queue__send_at_that_cannot_be_meant(queued, send_at, sentence):
    with pytest.raises(InvalidMessage) as caught:
        queued(send_at=send_at)

    assert sentence in caught.value.message_dict["send_at"][0]


def test_queue__expiry_before_it_is_to_be_sent_is_refused(queued):
    later = timezone.now() + timedelta(hours=2)

    with pytest.raises(InvalidMessage) as caught:
        queued(send_at=later, expires_at=later)

    assert caught.value.message_dict == {"expires_at": ["This is before it is to be sent."]}


def test_queue__send_at_is_waited_for(queued, askable):
    message = queued(send_at=timezone.now() + timedelta(hours=1))

    assert work() == Tally()
    assert message.expires_at - message.send_at == timedelta(days=1)

    MessageLog.objects.update(send_at=timezone.now() - timedelta(seconds=1))
    assert work() == Tally(sent=1)


def test_queue__send_at_in_the_past_is_now(queued, askable):
    queued(send_at=timezone.now() - timedelta(hours=1))

    assert work() == Tally(sent=1)


def test_queue__expired_message_is_not_sent(queued, askable):
    message = queued()
    expire()

    assert work() == Tally(lapsed=1)

    message.refresh_from_db()
    assert (message.status, message.reason) == ("not_sent", "expired")
    assert askable.sent == []


def test_queue__message_that_expires_in_its_turn_makes_room_for_the_next(
    queued, askable, monkeypatch
):
    late = [queued(), queued()]
    expire()
    in_time = queued()
    monkeypatch.setattr("django_etelecom.worker.sweep", lambda: 0)

    assert work(concurrency=1) == Tally(sent=1)

    assert statuses() == {"not_sent": 2, "accepted": 1}
    assert MessageLog.objects.get(status="accepted") == in_time
    assert set(MessageLog.objects.filter(reason="expired")) == set(late)


def test_queue__cancelled_message_is_not_sent(queued, askable):
    message = queued()

    assert cancel_message(message).status == "cancelled"
    assert work() == Tally()
    assert askable.sent == []


def test_queue__idempotency_key(queued, askable):
    first = queued(idempotency_key="order-1")

    assert queued(idempotency_key="order-1") == first
    with pytest.raises(IdempotencyConflict):
        queued("0912345679", idempotency_key="order-1")
    assert work() == Tally(sent=1)
    assert queued(idempotency_key="order-1").status == "accepted"
    assert len(askable.sent) == 1


def test_queue__what_was_queued_is_what_is_sent(queued, askable, order_template):
    queued()
    order_template.parameters.all().delete()
    MessageTemplate.objects.update(code="another", is_active=False)

    assert work() == Tally(sent=1)

    assert askable.sent[0].template_code == "order_confirmation"
    assert askable.sent[0].wire.reveal()["customer_name"] == "Nguyễn Văn An"


# --- Secrets ------------------------------------------------------------------------------------


@pytest.fixture
def queued_otp(askable, otp_template):
    return queue_message("login_otp", PHONE, {"otp": "937415"})


def test_secret__is_sealed_until_it_is_sent(queued_otp, askable):
    stored = MessageLog.objects.values().get()
    assert "937415" not in str(stored)
    assert stored["params"] == {"otp": "•••"}
    assert stored["sealed_params"]

    assert work() == Tally(sent=1)

    assert askable.sent[0].wire.reveal() == {"otp": "937415"}
    assert askable.sent[0].wire.secrets == ("937415",)
    assert MessageLog.objects.get().sealed_params == ""


def test_secret__is_erased_where_it_is_cancelled(queued_otp, askable):
    cancel_message(queued_otp)

    assert MessageLog.objects.get().sealed_params == ""


def test_secret__is_erased_where_it_expires_or_lapses(queued_otp, askable, otp_template):
    expire()
    lapsed = queue_message("login_otp", "0912345679", {"otp": "937415"})
    [claimed] = claim(8)
    assert claimed == lapsed
    MessageLog.objects.filter(pk=lapsed.pk).update(
        lease_expires_at=timezone.now() - timedelta(seconds=1)
    )

    assert work() == Tally(lapsed=1)

    assert statuses() == {"not_sent": 1, "unknown": 1}
    assert list(MessageLog.objects.values_list("sealed_params", flat=True)) == ["", ""]
    assert askable.sent == []


def test_secret__is_kept_for_another_attempt(queued_otp, askable):
    answer(askable, REFUSED, accepted)

    assert work() == Tally(sent=1)
    MessageLog.objects.update(send_at=timezone.now())
    assert work() == Tally(sent=1)

    assert [outgoing.wire.reveal()["otp"] for outgoing in askable.sent] == ["937415"] * 2
    assert MessageLog.objects.get().sealed_params == ""


def test_secret__key_that_no_longer_opens_it(queued_otp, askable, settings, caplog):
    settings.SECRET_KEY = "another"

    assert work() == Tally()

    queued_otp.refresh_from_db()
    assert (queued_otp.status, queued_otp.reason) == ("not_sent", "seal_broken")
    assert queued_otp.sealed_params == ""
    assert "cannot be opened by today's keys" in queued_otp.get_reason_display()
    assert str(queued_otp.public_id) in caplog.text
    assert askable.sent == []


def test_secret__former_key_opens_it(queued_otp, askable, settings):
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"

    assert work() == Tally(sent=1)


def test_secret__of_another_message_is_not_sent(queued_otp, askable):
    other = queue_message("login_otp", "0912345679", {"otp": "111111"})
    sealed = MessageLog.objects.get(pk=queued_otp.pk).sealed_params
    MessageLog.objects.filter(pk=other.pk).update(sealed_params=sealed)

    assert work() == Tally(sent=1)

    other.refresh_from_db()
    assert (other.status, other.reason) == ("not_sent", "seal_broken")


@pytest.mark.parametrize("sealed", [False, True])
def test_secret__mask_of_it_is_never_sent(queued_otp, askable, caplog, sealed):
    """However a row has come to lack a value that was not kept."""
    params = {"otp": "•••", "forgotten": "•••"} if sealed else {"otp": "•••"}
    kept = {"sealed_params": queued_otp.sealed_params if sealed else ""}
    MessageLog.objects.update(params=params, **kept)

    assert work() == Tally()

    queued_otp.refresh_from_db()
    assert (queued_otp.status, queued_otp.reason) == ("not_sent", "seal_broken")
    assert "was not kept" in caplog.text
    assert askable.sent == []


# --- Attempts -----------------------------------------------------------------------------------


def test_attempt__of_which_nothing_left_is_made_again(queued, askable, caplog):
    caplog.set_level(logging.INFO, "django_etelecom")
    message = queued()
    answer(askable, REFUSED, accepted)

    assert work() == Tally(sent=1)

    message.refresh_from_db()
    assert (message.status, message.attempts) == ("queued", 1)
    wait = message.send_at - timezone.now()
    assert timedelta(seconds=3) < wait <= timedelta(seconds=5)
    assert message.events.get().status == "not_sent"
    assert "is queued" in caplog.text
    assert work() == Tally()

    MessageLog.objects.update(send_at=timezone.now())
    assert work() == Tally(sent=1)
    message.refresh_from_db()
    assert (message.status, message.attempts) == ("accepted", 2)
    assert [event.status for event in message.events.all()] == ["not_sent", "accepted"]


def test_attempt__waits_longer_each_time(queued, askable):
    queued()
    answer(askable, REFUSED)
    waits = []
    for _ in range(4):
        MessageLog.objects.update(send_at=timezone.now())
        work()
        waits.append(round((MessageLog.objects.get().send_at - timezone.now()).total_seconds()))

    assert waits == [5, 20, 60, 60]


def test_attempt__that_would_come_too_late_is_not_made(queued, askable):
    message = queued(expires_at=timezone.now() + timedelta(seconds=3))
    answer(askable, REFUSED)

    assert work() == Tally(sent=1)

    message.refresh_from_db()
    assert (message.status, message.reason) == ("not_sent", "connection_refused")


def test_attempt__that_may_have_left_is_never_made_again(queued, askable):
    message = queued()
    answer(askable, LOST)

    assert work() == Tally(sent=1)
    assert work() == Tally()

    message.refresh_from_db()
    assert (message.status, message.reason) == ("unknown", "connection_lost")
    assert len(askable.sent) == 1


def test_attempt__whose_lease_had_lapsed_is_recorded_first_hand(queued, askable):
    first, second, third = queued(), queued(), queued()

    def lapse(outgoing):
        MessageLog.objects.filter(public_id=outgoing.public_id).update(
            status="unknown", reason="lapsed"
        )
        connection.close()

    def lapsed_and_accepted(outgoing):
        lapse(outgoing)
        return accepted(outgoing)

    def lapsed_and_refused(outgoing):
        lapse(outgoing)
        return REFUSED

    answer(askable, lapsed_and_accepted, lapsed_and_refused, accepted)

    assert work(concurrency=1) == Tally(sent=3)

    for message, status in ((first, "accepted"), (second, "not_sent"), (third, "accepted")):
        message.refresh_from_db()
        assert message.status == status
        assert message.events.count() == 1


def test_attempt__backend_that_raises(queued, askable):
    message = queued()

    def broken(outgoing):
        raise KeyError("937415")

    answer(askable, broken)

    assert work() == Tally(sent=1)

    message.refresh_from_db()
    assert (message.status, message.reason) == ("unknown", "internal_error")


def test_attempt__signals_and_log(queued, askable, caplog):
    caplog.set_level(logging.INFO, "django_etelecom")
    heard = []

    def hear(sender, message, event, **kwargs):
        heard.append((message.pk, message.status, event.pk is not None))

    signals.message_accepted.connect(hear)
    try:
        messages = [queued() for _ in range(3)]
        work()
    finally:
        signals.message_accepted.disconnect(hear)

    assert sorted(heard) == [(message.pk, "accepted", True) for message in messages]
    assert caplog.text.count("is accepted.") == 3
    assert "912345678" not in caplog.text


def test_record__database_away_for_a_moment_loses_nothing(queued, askable, monkeypatch):
    messages = [queued() for _ in range(3)]
    record_sends, record_send = events.record_sends, events.record_send
    failures = iter([True, True, False])
    monkeypatch.setattr(delivery, "RECORD_PAUSES", (0.0, 0.0))

    def away(*args, **kwargs):
        raise OperationalError("gone")

    def away_at_first(*args, **kwargs):
        if next(failures, False):
            raise OperationalError("gone")
        return record_send(*args, **kwargs)

    monkeypatch.setattr(events, "record_sends", away)
    monkeypatch.setattr(events, "record_send", away_at_first)

    assert work() == Tally(sent=3)

    assert statuses() == {"accepted": 3}
    assert MessageEvent.objects.count() == 3
    assert record_sends
    assert len(messages) == len(askable.sent)


def test_record__commit_that_only_seemed_to_fail_is_not_recorded_twice(
    queued, askable, monkeypatch, caplog
):
    [queued() for _ in range(3)]
    record_sends = events.record_sends

    def lost_after_commit(*args, **kwargs):
        record_sends(*args, **kwargs)
        raise OperationalError("gone")

    monkeypatch.setattr(events, "record_sends", lost_after_commit)

    assert work() == Tally(sent=3)

    assert statuses() == {"accepted": 3}
    assert MessageEvent.objects.count() == 3
    assert "Answers are recorded one by one (OperationalError)." in caplog.messages


def test_record__one_by_one_passes_over_none(queued, askable, monkeypatch):
    messages = [queued() for _ in range(2)]
    answer(askable, lambda outgoing: results.pop())
    results = [SendResult(outcome=Outcome.NOT_SENT), SendResult(outcome=Outcome.ACCEPTED)]

    def away(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(events, "record_sends", away)

    work()

    assert statuses() == {"accepted": 1, "queued": 1}
    assert MessageEvent.objects.count() == len(messages)


@pytest.fixture
def stopped_once(monkeypatch):
    """Have answers be recorded one by one, and the process be told to stop at the first."""
    record_send = events.record_send
    stops = iter([True])

    def away(*args, **kwargs):
        raise OperationalError("gone")

    def stopped(*args, **kwargs):
        if next(stops, False):
            raise SystemExit(3)
        return record_send(*args, **kwargs)

    monkeypatch.setattr(events, "record_sends", away)
    monkeypatch.setattr(events, "record_send", stopped)


def test_record__told_to_stop_one_by_one_records_the_rest(queued, askable, stopped_once):
    [queued() for _ in range(3)]

    with pytest.raises(SystemExit):
        work()

    assert statuses() == {"accepted": 3}


def test_sender__told_to_stop_while_its_block_ends_records_the_rest(queued, askable, stopped_once):
    [queued() for _ in range(3)]

    with pytest.raises(SystemExit), Sender() as one:
        assert one.take_on() == 3

    assert statuses() == {"accepted": 3}


def test_sender__answer_that_is_lost_to_what_stops_it_is_told(queued, askable, caplog):
    message = queued()

    class Stopped:
        """A queue whose reader is told to stop with what it has just taken out in its hand."""

        def __init__(self, answers):
            self.answers = answers
            self.stops = iter([True])

        def put(self, one):
            self.answers.put(one)

        def get(self, **options):
            one = self.answers.get(**options)
            if next(self.stops, False):
                raise SystemExit(3)
            return one

    with pytest.raises(SystemExit), Sender() as one:
        one._answered = Stopped(one._answered)
        one.take_on()
        one.come_in(wait=10)

    assert f"The answer to message {message.public_id} was lost" in caplog.text
    assert statuses() == {"sending": 1}


def test_record__database_away_for_long_is_told_of_each_and_lapses(
    queued, askable, monkeypatch, caplog
):
    messages = [queued() for _ in range(3)]
    monkeypatch.setattr(delivery, "RECORD_PAUSES", (0.0, 0.01))

    def away(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(events, "record_sends", away)
    monkeypatch.setattr(events, "record_send", away)

    assert work() == Tally(sent=3)

    critical = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert len(critical) == 3
    for message in messages:
        assert str(message.public_id) in caplog.text
    assert statuses() == {"sending": 3}
    MessageLog.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert work() == Tally(lapsed=3)
    assert statuses() == {"unknown": 3}


def test_record__error_of_ours_is_told_with_every_outcome(queued, askable, monkeypatch, caplog):
    messages = [queued() for _ in range(2)]
    monkeypatch.setattr(events, "record_sends", lambda *args, **kwargs: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        work(concurrency=2)

    told = {record.getMessage() for record in caplog.records if record.levelname == "CRITICAL"}
    assert {sentence.partition(" the provider's id")[0] for sentence in told} == {
        f"The outcome of message {message.public_id} could not be recorded (ZeroDivisionError): "
        "it was accepted,"
        for message in messages
    }


class SoftTimeLimit(Exception):
    """As task queues raise it: a plain exception, anywhere, by a signal."""


@pytest.mark.parametrize("stop", [SystemExit, KeyboardInterrupt, SoftTimeLimit])
def test_record__told_to_stop_in_a_batch_records_it_first(
    queued, askable, monkeypatch, caplog, stop
):
    [queued() for _ in range(3)]

    def stopped(*args, **kwargs):
        raise stop

    monkeypatch.setattr(events, "record_sends", stopped)

    with pytest.raises(stop):
        work()

    assert statuses() == {"accepted": 3}
    assert MessageEvent.objects.count() == 3
    assert not [record for record in caplog.records if record.levelname == "CRITICAL"]


def test_record__error_of_ours_one_by_one_is_told_with_every_outcome(
    queued, askable, monkeypatch, caplog
):
    [queued() for _ in range(3)]

    def away(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(events, "record_sends", away)
    monkeypatch.setattr(events, "record_send", lambda *args, **kwargs: 1 / 0)

    with pytest.raises(ZeroDivisionError), Sender(3) as one:
        assert one.take_on() == 3
        # The answers come from other threads.
        wait_until(lambda: one._answered.qsize() == 3)
        one.come_in(wait=1)
        one.record()

    told = [record.getMessage() for record in caplog.records if record.levelname == "CRITICAL"]
    assert len(told) == 3
    assert all("could not be recorded (ZeroDivisionError)" in sentence for sentence in told)


def test_record__of_a_site_that_asks_nothing(queued, askable, settings):
    settings.ETELECOM = {**settings.ETELECOM, "POLL_AFTER": []}
    message = queued()

    assert work() == Tally(sent=1)

    message.refresh_from_db()
    assert (message.status, message.next_poll_at) == ("accepted", None)


def test_update_each__touches_only_what_it_should(queued):
    first, second = queued(), queued()
    MessageLog.objects.filter(pk=second.pk).update(status="cancelled")

    updated = update_each(
        MessageLog,
        [{"id": pk, "reason": f"r{pk}", "sent_at": timezone.now()} for pk in (first.pk, second.pk)],
        where={"status": "queued"},
        also={"channel": "SMS"},
        using="default",
    )

    assert updated == 1
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.reason, first.channel, first.sent_at is not None) == (f"r{first.pk}", "SMS", True)
    assert (second.reason, second.channel, second.sent_at) == ("", "", None)


# --- Many at once -------------------------------------------------------------------------------


def test_worker__keeps_as_many_in_flight_as_it_may(queued, askable):
    for number in range(20):
        queued(f"09123456{number:02}")
    lock, flying, most = threading.Lock(), [0], [0]

    def slow(outgoing):
        with lock:
            flying[0] += 1
            most[0] = max(most[0], flying[0])
        # Long enough for all threads to be at it together.
        time.sleep(0.05)
        with lock:
            flying[0] -= 1
        return accepted(outgoing)

    answer(askable, slow)

    assert work(concurrency=5) == Tally(sent=20)
    assert most == [5]
    assert statuses() == {"accepted": 20}


def test_worker__looks_for_more_no_sooner_than_is_of_use(queued, askable, monkeypatch):
    monkeypatch.setattr(worker_module, "UPKEEP", 60)
    looks = []
    claim_due = lifecycle.claim_due

    def look(*args, **kwargs):
        claimed = list(claim_due(*args, **kwargs))
        looks.append(sum(len(one.messages) for one in claimed))
        return claimed

    monkeypatch.setattr(lifecycle, "claim_due", look)
    for number in range(12):
        queued(f"09123456{number:02}")
    # Several turns of a worker, each of which waits for an answer for 0.05 s.
    answer(askable, lambda outgoing: time.sleep(0.2) or accepted(outgoing))

    assert work(concurrency=4) == Tally(sent=12)

    # Where there was room for more than was found, and once nothing is under way any more.
    assert sum(looks) == 12
    assert looks.count(0) <= 2
    assert looks[-1] == 0


def test_worker__finds_what_is_queued_while_an_answer_is_waited_for(queued, askable, monkeypatch):
    monkeypatch.setattr(worker_module, "UPKEEP", 0.05)
    first = queued()
    is_found = threading.Event()

    def slow(outgoing):
        if outgoing.public_id == first.public_id:
            queued("0912345679")
            connection.close()
            assert is_found.wait(10)
        else:
            is_found.set()
        return accepted(outgoing)

    answer(askable, slow)

    assert work(concurrency=5) == Tally(sent=2)
    assert statuses() == {"accepted": 2}


def test_worker__every_request_in_flight_has_its_committed_row(queued, askable):
    for number in range(12):
        queued(f"09123456{number:02}")
    seen = []

    def look(outgoing):
        seen.append(MessageLog.objects.get(public_id=outgoing.public_id).status)
        connection.close()
        return accepted(outgoing)

    answer(askable, look)

    assert work(concurrency=4) == Tally(sent=12)
    assert seen == ["sending"] * 12


def test_worker__several_side_by_side_send_each_message_once(queued, askable):
    for number in range(60):
        queued(f"09123456{number:02}")
    done = []

    def one():
        try:
            done.append(work(concurrency=4).sent)
        finally:
            connection.close()

    workers = [threading.Thread(target=one) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert sum(done) == 60
    assert Counter(outgoing.public_id for outgoing in askable.sent).most_common(1)[0][1] == 1
    assert statuses() == {"accepted": 60}


def test_worker__holds_on_to_what_takes_long(queued, askable, monkeypatch):
    message = queued()
    monkeypatch.setattr(lifecycle, "LEASE_MARGIN", timedelta(seconds=0.3))
    leases = []

    def slow(outgoing):
        for _ in range(2):
            # Longer than a third of the margin, at which leases are renewed, and than a turn.
            time.sleep(0.15)
            leases.append(MessageLog.objects.get().lease_expires_at)
        connection.close()
        return accepted(outgoing)

    answer(askable, slow)

    assert work() == Tally(sent=1)
    assert leases[1] > leases[0]
    message.refresh_from_db()
    assert message.lease_expires_at is None


def test_worker__records_a_batch_in_a_few_statements(
    queued, askable, caplog, django_assert_max_num_queries
):
    for number in range(20):
        queued(f"09123456{number:02}")
    one = Sender(20)
    with one:
        assert one.take_on() == 20
        # The answers come from other threads.
        wait_until(lambda: one._answered.qsize() == 20)
        # BEGIN and COMMIT, the rows, their events; the state of the account.
        one.come_in(wait=1)
        with django_assert_max_num_queries(5):
            assert one.record() == 20

    assert statuses() == {"accepted": 20}
    assert "one by one" not in caplog.text


def test_worker__told_to_stop_finishes_what_is_in_flight(queued, askable):
    for number in range(6):
        queued(f"09123456{number:02}")
    worker = Worker(concurrency=2)

    def stop(outgoing):
        worker.stop()
        # In flight while the worker ends.
        time.sleep(0.05)
        return accepted(outgoing)

    answer(askable, stop)

    assert list(worker.run()) in ([], [Tally(sent=1)], [Tally(sent=2)])

    assert statuses() == {"accepted": 2, "queued": 4}


def test_worker__unusable_account_is_told_and_passed_over(queued, askable, settings, caplog):
    queued()
    broken = {"BACKEND": "nowhere.Backend"}
    settings.ETELECOM = {"ACCOUNTS": {"broken": broken, **settings.ETELECOM["ACCOUNTS"]}}

    assert work() == Tally(sent=1)
    assert "Nothing is sent by account 'broken'" in caplog.text


def test_worker__setting_that_its_answers_are_recorded_by_is_judged_first(
    queued, askable, settings, caplog
):
    queued()
    settings.ETELECOM = {**settings.ETELECOM, "POLL_AFTER": "soon"}

    with Sender() as one:
        assert one.take_on() == 0

    assert askable.sent == []
    assert "Nothing is sent by account 'default'" in caplog.text


def test_worker__account_that_only_looks_the_same_is_another(queued, askable):
    first, second = queued(), queued()
    MessageLog.objects.filter(pk=first.pk).update(account="Default")

    assert work() == Tally(sent=1)

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == ("queued", "accepted")


def test_command__sends_what_is_queued(queued, askable):
    queued()
    out = StringIO()

    call_command("etelecom_worker", "--once", "--concurrency", "4", stdout=out)

    assert out.getvalue() == "Sent: 1. Lapsed: 0. Reports matched: 0. Status queries: 0.\n"


@pytest.mark.parametrize("wrong", ["0", "1001", "many", "-1"])
def test_command__concurrency_out_of_bounds(wrong):
    with pytest.raises(CommandError, match="a whole number from 1 to 1000"):
        call_command("etelecom_worker", "--once", f"--concurrency={wrong}")


# --- Pace ---------------------------------------------------------------------------------------


def test_pace__holds_across_workers(queued, askable, account):
    account(MAX_PER_SECOND=20)
    for number in range(12):
        queued(f"09123456{number:02}")
    starts, lock = [], threading.Lock()

    def note(outgoing):
        with lock:
            starts.append(time.monotonic())
        return accepted(outgoing)

    answer(askable, note)

    def one():
        try:
            work()
        finally:
            connection.close()

    workers = [threading.Thread(target=one) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert statuses() == {"accepted": 12}
    starts.sort()
    # Eleven gaps of a twentieth of a second, where a busy machine may have made the first one late.
    assert starts[-1] - starts[0] >= 11 / 20 / 2


def test_pace__slots_lie_one_after_the_other(askable, account):
    account(MAX_PER_SECOND=10)
    alias = etelecom_settings.account("default")

    first, second = pace.reserve(alias, 3), pace.reserve(alias, 100)

    assert [round(slot, 1) for slot in first] == [0.0, 0.1, 0.2]
    # Not further ahead than half a second.
    assert [round(slot, 1) for slot in second] in ([0.3, 0.4, 0.5], [0.3, 0.4])
    assert pace.reserve(alias, 1) == []


def test_pace__without_a_limit_writes_nothing(askable):
    assert pace.reserve(etelecom_settings.account("default"), 3) == [0.0, 0.0, 0.0]
    assert not AccountState.objects.exists()


# --- Pause --------------------------------------------------------------------------------------


@pytest.fixture
def paused():
    heard = []

    def hear(sender, account, reason, **kwargs):
        heard.append((sender, account, reason))

    signals.account_paused.connect(hear)
    yield heard
    signals.account_paused.disconnect(hear)


@pytest.mark.parametrize("refusal", [Refusal.OUT_OF_MESSAGES, Refusal.CREDENTIALS, Refusal.ADDRESS])
def test_pause__refusal_that_the_next_one_would_meet(queued, askable, paused, caplog, refusal):
    for number in range(10):
        queued(f"09123456{number:02}")
    answer(askable, accepted, accepted, refusing(refusal))

    work(concurrency=2)

    # At most what was in flight is lost to it.
    assert statuses()["rejected"] <= 2
    assert statuses()["queued"] >= 6
    assert paused == [(AccountState, "default", Reason(refusal))]
    [told] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "Account 'default' is paused" in told.getMessage()
    state = AccountState.objects.get()
    assert (str(state), state.pause_reason) == ("default", refusal)

    answer(askable, accepted)
    assert work() == Tally()
    assert resume_account("default")
    assert not resume_account("default")
    work()
    assert statuses()["queued"] == 0


def test_resume__of_an_account_that_nobody_knows(settings):
    pace.pause("of_old", Reason.UNKNOWN_RUN)

    assert resume_account("of_old")
    assert not resume_account("of_old")
    with pytest.raises(ImproperlyConfigured, match="has no account 'defualt'; it has: default"):
        resume_account("defualt")


def test_pause__other_refusals_stop_nobody_else(queued, askable, paused):
    for number in range(4):
        queued(f"09123456{number:02}")
    answer(askable, refusing(Refusal.PHONE_NUMBER))

    assert work() == Tally(sent=4)
    assert paused == []


def test_pause__run_of_unknown_outcomes(queued, askable, account, paused):
    account(PAUSE_AFTER_UNKNOWN=3)
    for number in range(10):
        queued(f"09123456{number:02}")
    answer(askable, LOST)

    work(concurrency=1)

    # One may have begun before the third was known.
    assert statuses()["unknown"] in (3, 4)
    assert statuses()["queued"] == 10 - statuses()["unknown"]
    assert paused == [(AccountState, "default", Reason.UNKNOWN_RUN)]


def test_pause__answer_in_between_ends_the_run(queued, askable, account, paused):
    account(PAUSE_AFTER_UNKNOWN=3)
    for number in range(6):
        queued(f"09123456{number:02}")
    answer(askable, LOST, LOST, accepted, LOST, LOST, accepted)

    work(concurrency=1)

    assert statuses() == {"unknown": 4, "accepted": 2}
    assert paused == []


def test_pause__may_be_switched_off(queued, askable, account, paused):
    account(PAUSE_AFTER_UNKNOWN=None)
    for number in range(25):
        queued(f"09123456{number:02}")
    answer(askable, LOST)

    work()

    assert statuses() == {"unknown": 25}
    assert paused == []


def test_pause__twice_is_told_once(askable, paused):
    assert pace.pause("default", Reason.CREDENTIALS)
    assert not pace.pause("default", Reason.ADDRESS)
    assert AccountState.objects.get().pause_reason == "credentials"
    assert len(paused) == 1


def test_pause__state_that_another_worker_makes_meanwhile(askable, monkeypatch):
    AccountState.objects.create(alias="default")
    monkeypatch.setattr(pace, "_exists", lambda alias: False)

    assert pace.pause("default", Reason.CREDENTIALS)


def test_pause__immediate_message_that_meets_the_refusal(
    scripted, order_template, order_params, paused
):
    scripted.answer = staticmethod(lambda outgoing: refusing(Refusal.OUT_OF_MESSAGES))

    assert send_message(order_template, PHONE, order_params).status == "rejected"

    assert paused == [(AccountState, "default", Reason.OUT_OF_MESSAGES)]


# --- Dispatchers --------------------------------------------------------------------------------

handed_on: list[list[int]] = []


def by_hand(pks):
    handed_on.append(list(pks))


def broker_down(pks):
    raise ConnectionError("no broker")


@pytest.fixture
def dispatcher(settings):
    def change(path):
        handed_on.clear()
        settings.ETELECOM = {**settings.ETELECOM, "DISPATCHER": path}

    return change


def test_dispatcher__is_called_once_the_message_is_committed(queued, dispatcher):
    dispatcher("tests.test_queue.by_hand")
    with transaction.atomic():
        message = queued()
        queued(send_at=timezone.now() + timedelta(hours=1))
        assert handed_on == []

    assert handed_on == [[message.pk]]


@pytest.mark.parametrize("path", ["tests.test_queue.broker_down", "nowhere.at_all", "os.sep", 3])
def test_dispatcher__that_fails_costs_a_log_line_and_no_message(
    queued, askable, dispatcher, caplog, path
):
    dispatcher(path)

    assert queued().status == "queued"
    assert "could not be handed on" in caplog.text
    assert work() == Tally(sent=1)


def test_send_now__sends_what_is_due_of_these(queued, askable):
    first, second, third = queued(), queued(), queued(send_at=timezone.now() + timedelta(hours=1))

    assert sender.send_now([first.pk, third.pk]) == 1
    assert sender.send_now([first.pk, third.pk]) == 0

    assert statuses() == {"accepted": 1, "queued": 2}
    second.refresh_from_db()
    assert second.status == "queued"


def test_send_now__asks_for_its_own_account_alone(queued, askable, settings):
    accounts = settings.ETELECOM["ACCOUNTS"]
    others = {f"other_{number}": accounts["default"] for number in range(5)}
    queued_messages = [queued(), queued()]
    with CaptureQueriesContext(connection) as alone:
        sender.send_now([queued_messages[0].pk])

    settings.ETELECOM = {**settings.ETELECOM, "ACCOUNTS": {**accounts, **others}}
    with CaptureQueriesContext(connection) as among_others:
        sender.send_now([queued_messages[1].pk])

    assert statuses() == {"accepted": 2}
    assert len(among_others) == len(alone)


def test_send_now__keeps_to_the_pace(queued, askable, account):
    account(MAX_PER_SECOND=20)
    pks = [queued(f"09123456{number:02}").pk for number in range(14)]

    assert sender.send_now(pks) == 14


def test_sender__error_of_ours_forgets_nothing_that_flies(queued, askable, monkeypatch):
    for number in range(3):
        queued(f"09123456{number:02}")
    monkeypatch.setattr(pace, "judge", lambda *_: 1 / 0)

    with pytest.raises(ZeroDivisionError), Sender(1) as one:
        while one.take_on():
            one.come_in(wait=1)
            one.record()

    assert statuses()["sending"] == 0


def test_outgoing__is_kept_from_the_eyes_of_reporters(queued_otp, askable):
    [message] = claim(1)

    outgoing = sender.outgoing_of(message)

    assert "937415" not in repr(outgoing)
    assert dataclasses.asdict(dataclasses.replace(outgoing, wire=None))["channels"] == ("1", "3")


def test_secret__of_an_attempt_whose_lease_had_lapsed_stays_erased(queued_otp, askable):
    def lapse(outgoing):
        MessageLog.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        lifecycle.sweep()
        connection.close()
        return accepted(outgoing)

    answer(askable, lapse)

    assert work() == Tally(sent=1)

    queued_otp.refresh_from_db()
    assert (queued_otp.status, queued_otp.sealed_params) == ("accepted", "")


def test_worker__told_to_stop_at_once_begins_nothing(queued, askable):
    queued()
    worker = Worker()
    worker.stop()

    assert worker.run_once() == Tally()
    assert askable.sent == []


def test_worker__told_to_stop_records_the_question_in_flight(queued, askable):
    queued()
    work()
    MessageLog.objects.update(next_poll_at=timezone.now() - timedelta(seconds=1))
    worker = Worker()
    told = askable.status

    def stop(provider_message_id):
        worker.stop()
        # In flight while the worker ends.
        time.sleep(0.3)
        return told(provider_message_id)

    askable.status = staticmethod(stop)

    list(worker.run())

    assert MessageEvent.objects.filter(source="poll").count() == 1


def test_sender__records_a_batch_at_most_at_once(queued, askable, monkeypatch):
    monkeypatch.setattr(sender, "BATCH", 2)
    for number in range(5):
        queued(f"09123456{number:02}")

    assert work() == Tally(sent=5)
    assert statuses() == {"accepted": 5}


def test_sender__gives_back_what_has_not_begun(queued, askable):
    for number in range(5):
        queued(f"09123456{number:02}")
    all_begun, may_end = threading.Barrier(5), threading.Event()

    def held(outgoing):
        all_begun.wait(5)
        may_end.wait(5)
        return accepted(outgoing)

    answer(askable, held)

    with Sender(4) as one:
        assert one.take_on() == 5
        all_begun.wait(5)
        one._give_back()
        may_end.set()

    assert statuses() == {"accepted": 4, "queued": 1}
    left = MessageLog.objects.get(status="queued")
    assert (left.attempts, left.sent_at, left.lease_expires_at) == (0, None, left.expires_at)
    answer(askable, accepted)
    assert work() == Tally(sent=1)


def test_sender__pause_of_one_account_leaves_the_others_going(
    queued, askable, settings, order_template, paused
):
    accounts = settings.ETELECOM["ACCOUNTS"]
    settings.ETELECOM = {
        **settings.ETELECOM,
        "ACCOUNTS": {**accounts, "second": accounts["default"]},
    }
    MessageTemplate.objects.update(account="second")
    order_template.refresh_from_db()
    for number in range(4):
        queued(f"09123456{number:02}")
    MessageLog.objects.filter(
        pk__in=list(MessageLog.objects.values_list("pk", flat=True)[:2])
    ).update(account="default")

    def refuse_default(outgoing):
        account = MessageLog.objects.get(public_id=outgoing.public_id).account
        connection.close()
        return refusing(Refusal.CREDENTIALS) if account == "default" else accepted(outgoing)

    answer(askable, refuse_default)

    work(concurrency=1)

    assert [account for _sender, account, _reason in paused] == ["default"]
    assert MessageLog.objects.filter(account="second", status="accepted").count() == 2


def test_sender__gives_back_what_is_of_the_paused_account_alone(queued, askable, account):
    account(MAX_PER_SECOND=4)
    for number in range(2):
        queued(f"09123456{number:02}")
    other = dataclasses.replace(etelecom_settings.account("default"), alias="other")

    with Sender() as one:
        assert one.take_on() == 2
        # The second waits for its slot.
        one._give_back(other)
        assert statuses()["queued"] == 0
        one._give_back(etelecom_settings.account("default"))
        assert statuses()["queued"] == 1

    assert statuses() == {"accepted": 1, "queued": 1}


def test_sender__records_what_is_in_flight_where_the_rest_cannot_be_given_back(
    queued, askable, monkeypatch, caplog
):
    for number in range(2):
        queued(f"09123456{number:02}")
    may_end = threading.Event()

    def held(outgoing):
        may_end.wait(5)
        return accepted(outgoing)

    def away(messages):
        may_end.set()
        raise OperationalError("gone")

    answer(askable, held)
    monkeypatch.setattr(lifecycle, "give_back", away)

    with Sender(1) as one:
        assert one.take_on() == 2
        # Until the one thread has taken the first.
        while one._threads._ready.qsize() > 1:
            time.sleep(0.01)

    assert statuses() == {"accepted": 1, "sending": 1}
    assert "could not be queued again" in caplog.text


def test_sender__fault_with_one_accounts_answers_leaves_the_others_to_be_recorded(
    queued, askable, settings, monkeypatch
):
    accounts = settings.ETELECOM["ACCOUNTS"]
    settings.ETELECOM = {"ACCOUNTS": {**accounts, "second": accounts["default"]}}
    queued()
    MessageLog.objects.filter(pk=queued().pk).update(account="second")
    record_sends = events.record_sends
    failures = iter([True])

    def fails_once(*args, **kwargs):
        if next(failures, False):
            raise ZeroDivisionError
        return record_sends(*args, **kwargs)

    monkeypatch.setattr(events, "record_sends", fails_once)

    with pytest.raises(ZeroDivisionError), Sender() as one:
        assert one.take_on() == 2
        # Until both are answered, by other threads.
        wait_until(lambda: one._answered.qsize() == 2)
        one.come_in(wait=1)
        one.record()

    assert statuses() == {"sending": 1, "accepted": 1}


# --- What was claimed and has not begun -----------------------------------------------------------


def failing_once(function, *, when=lambda *args: True):
    """Wrap a function so that MariaDB undoes its first call, or the first one `when` it is so."""
    fails = iter([True])

    def undone_once(*args, **kwargs):
        if when(*args) and next(fails, False):
            raise OperationalError(1213, "Deadlock found when trying to get lock")
        return function(*args, **kwargs)

    return undone_once


def test_claim__is_known_though_the_next_lane_fails(
    queued, askable, monkeypatch, order_template, order_params
):
    queued()
    queue_campaign(order_template, [{"to": "0912345679", **order_params}])
    of_a_campaign = failing_once(lifecycle._claim_due, when=lambda _account, lane, *_: lane)
    monkeypatch.setattr(lifecycle, "_claim_due", of_a_campaign)

    assert work().sent == 2

    assert statuses() == {"accepted": 2}


@pytest.mark.parametrize("name", ["expire", "_stop"])
def test_claim__is_known_though_what_is_not_to_go_cannot_be_ended(
    queued, askable, monkeypatch, name
):
    MessageLog.objects.filter(pk=queued().pk).update(
        expires_at=timezone.now() - timedelta(seconds=1)
    )
    queued()
    monkeypatch.setattr(lifecycle, name, failing_once(getattr(lifecycle, name)))

    work()

    assert statuses() == {"accepted": 1, "not_sent": 1}


def test_claim__is_known_though_one_that_cannot_be_read_cannot_be_ended(
    queued, queued_otp, askable, monkeypatch
):
    queued()
    MessageLog.objects.filter(pk=queued_otp.pk).update(sealed_params="not ours")
    monkeypatch.setattr(lifecycle, "give_up", failing_once(lifecycle.give_up))

    assert work() == Tally(sent=1)

    assert statuses() == {"accepted": 1, "not_sent": 1}
    queued_otp.refresh_from_db()
    assert queued_otp.reason == "seal_broken"


@pytest.fixture
def one_waits(queued, account):
    """A sender with one message under way and one that waits for its slot."""
    account(MAX_PER_SECOND=4)
    for number in range(2):
        queued(f"09123456{number:02}")

    def take_on(one):
        assert one.take_on() == 2
        [waiting] = one._waiting
        return waiting

    return take_on


def test_give_back__that_failed_is_tried_again_and_begins_nothing(one_waits, askable, monkeypatch):
    monkeypatch.setattr(lifecycle, "give_back", failing_once(lifecycle.give_back))

    with Sender() as one:
        one_waits(one)
        with pytest.raises(OperationalError):
            one._give_back()
        assert one.is_busy

    assert statuses() == {"accepted": 1, "queued": 1}
    assert len(askable.sent) == 1


def test_give_back__that_only_seemed_to_fail_leaves_alone_what_another_has_claimed(
    one_waits, askable, monkeypatch
):
    give_back = lifecycle.give_back

    def lost_after_commit(messages):
        give_back(messages)
        raise OperationalError("gone")

    monkeypatch.setattr(lifecycle, "give_back", lost_after_commit)
    with Sender() as one:
        one_waits(one)
        with pytest.raises(OperationalError):
            one._give_back()
        monkeypatch.undo()
        [claimed] = claim(1)

    claimed.refresh_from_db()
    assert (claimed.status, claimed.attempts) == ("sending", 1)


def later(monkeypatch, seconds):
    """Have the process have been frozen for so long."""
    now = flights.clock
    monkeypatch.setattr(flights, "clock", lambda: now() + seconds)


def test_begin__not_where_its_lease_may_end_before_its_answer(one_waits, askable, monkeypatch):
    with Sender() as one:
        one_waits(one)
        later(monkeypatch, lifecycle.LEASE_MARGIN.total_seconds())
        one.come_in(wait=0)
        assert statuses()["queued"] == 1
        monkeypatch.undo()

    assert len(askable.sent) == 1
    MessageLog.objects.update(send_at=timezone.now())
    assert work() == Tally(sent=1)


def test_begin__not_where_it_was_taken_for_dead(one_waits, askable, monkeypatch):
    with Sender() as one:
        flight = one_waits(one)
        rows = MessageLog.objects.filter(pk=flight.message.pk)
        rows.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        lifecycle.sweep()
        later(monkeypatch, 3600)
        # Its slot comes a quarter of a second after the first.
        time.sleep(0.3)
        one.come_in(wait=0)

    assert rows.get().status == "unknown"
    assert len(askable.sent) == 1


def test_begin__not_where_its_lease_has_ended_and_nobody_has_swept_it(
    one_waits, askable, monkeypatch
):
    with Sender() as one:
        flight = one_waits(one)
        rows = MessageLog.objects.filter(pk=flight.message.pk)
        rows.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
        later(monkeypatch, 3600)
        one.come_in(wait=0)

    assert rows.get().status == "sending"
    assert lifecycle.sweep() == 1
    assert len(askable.sent) == 1


def test_begin__not_where_it_has_expired(queued, askable, account, monkeypatch):
    account(MAX_PER_SECOND=4)
    soon = timezone.now() + timedelta(seconds=30)
    for number in range(2):
        queued(f"09123456{number:02}", expires_at=soon)
    with Sender() as one:
        assert one.take_on() == 2
        later(monkeypatch, 31)
        # Its slot comes a quarter of a second after the first.
        time.sleep(0.3)
        one.come_in(wait=0)

    assert statuses() == {"accepted": 1, "queued": 1}


def test_begin__not_where_its_carrier_had_it_for_too_long(queued, askable, monkeypatch):
    for number in range(2):
        queued(f"09123456{number:02}")

    def stalls(outgoing):
        # The second one is in its carrier's hands by then.
        wait_until(lambda: len(one._in_the_air) == 2)
        later(monkeypatch, lifecycle.LEASE_MARGIN.total_seconds())
        return accepted(outgoing)

    answer(askable, stalls)
    with Sender(1) as one:
        # Its only thread has the second one next.
        assert one.take_on() == 2
        wait_until(lambda: one._answered.qsize() and not one._threads._ready.qsize())

    assert statuses() == {"accepted": 1, "queued": 1}
    assert len(askable.sent) == 1


def test_begin__what_was_too_late_is_taken_on_again(queued, askable, monkeypatch):
    queued()
    hold = Sender._hold
    stalls = iter([True])

    def stalls_once(self, *args):
        hold(self, *args)
        if next(stalls, False):
            for flight in self._waiting:
                flight.begins_until = 0.0

    monkeypatch.setattr(Sender, "_hold", stalls_once)

    assert work() == Tally(sent=1)


def test_begin__what_is_renewed_may(one_waits, askable, monkeypatch):
    with Sender() as one:
        flight = one_waits(one)
        later(monkeypatch, 50)
        one._renewed_at = 0.0
        one._renew()
        assert flight.begins_until > flights.clock() + 55


def test_renew__tells_what_is_still_held(queued):
    queued("0912345601"), queued("0912345602")
    first, second = claim(2)
    held = lifecycle.renew([first.pk, second.pk], etelecom_settings.account("default"))
    assert set(held) == {first.pk, second.pk}
    MessageLog.objects.filter(pk=first.pk).update(status="unknown")

    held = lifecycle.renew([first.pk, second.pk], etelecom_settings.account("default"))

    assert set(held) == {second.pk}


def test_attempt__receivers_see_the_row_as_it_is(queued_otp, askable):
    heard = []

    def hear(sender, message, **kwargs):
        heard.append((message.sealed_params, message.lease_expires_at, message.next_poll_at))

    signals.message_accepted.connect(hear)
    try:
        work()
    finally:
        signals.message_accepted.disconnect(hear)

    assert heard == [("", None, MessageLog.objects.get().next_poll_at)]


def test_pause__that_cannot_be_written_keeps_the_message(
    scripted, order_template, order_params, monkeypatch, caplog
):
    scripted.answer = staticmethod(lambda outgoing: refusing(Refusal.OUT_OF_MESSAGES))

    def away(*args):
        raise OperationalError("gone")

    monkeypatch.setattr(pace, "pause", away)

    assert send_message(order_template, PHONE, order_params).status == "rejected"
    assert "Account 'default' could not be paused." in caplog.messages


def test_sender__takes_on_nothing_of_an_account_that_was_just_refused(queued, askable):
    for number in range(3):
        queued(f"09123456{number:02}")
    answer(askable, refusing(Refusal.CREDENTIALS))

    with Sender(1) as one:
        assert one.take_on() == 2
        # The answer comes from another thread, and is not looked at yet.
        wait_until(lambda: one._answered.qsize())
        assert one.take_on() == 0

    assert statuses() == {"rejected": 1, "queued": 2}


def test_sender__begins_nothing_of_an_account_that_was_just_refused(one_waits, askable):
    answer(askable, refusing(Refusal.CREDENTIALS))

    with Sender() as one:
        flight = one_waits(one)
        wait_until(lambda: one._answered.qsize())
        # Its slot comes before the answer is looked at.
        flight.starts_at = 0.0
        one._start()

    assert statuses() == {"rejected": 1, "queued": 1}
    assert len(askable.sent) == 1


def test_sender__leaving_the_block_records_what_is_in_flight(queued, askable):
    queued()

    with Sender() as one:
        assert one.take_on() == 1

    assert statuses() == {"accepted": 1}
