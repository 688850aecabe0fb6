"""The fold: the strongest evidence stands, in whatever order it comes."""

import logging

import pytest
from django.utils import timezone

from django_etelecom import events
from django_etelecom.client.codes import Failure
from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.events import Evidence
from django_etelecom.models import MessageEvent, MessageLog
from django_etelecom.models.messages import Reason, Source, Status
from tests.replica import OnReplica

pytestmark = pytest.mark.django_db

ACCEPTED = SendResult(
    outcome=Outcome.ACCEPTED, provider_message_id="ICOMNI7", provider_status="1", payload=""
)
FROM_EACH_STATUS = [
    # was, is told, becomes
    ("sending", Outcome.ACCEPTED, "accepted"),
    ("unknown", Outcome.ACCEPTED, "accepted"),
    ("undelivered", Outcome.ACCEPTED, "undelivered"),
    ("delivered", Outcome.ACCEPTED, "delivered"),
    ("sending", Outcome.REJECTED, "rejected"),
    ("unknown", Outcome.REJECTED, "rejected"),
    ("delivered", Outcome.REJECTED, "delivered"),
    ("sending", Outcome.UNKNOWN, "unknown"),
    ("accepted", Outcome.UNKNOWN, "accepted"),
    ("sending", Outcome.NOT_SENT, "not_sent"),
    ("unknown", Outcome.NOT_SENT, "not_sent"),
    ("accepted", Outcome.NOT_SENT, "accepted"),
    ("cancelled", Outcome.ACCEPTED, "cancelled"),
]


@pytest.mark.parametrize(("was", "told", "becomes"), FROM_EACH_STATUS)
def test_record_send__strongest_evidence_stands(make, was, told, becomes):
    message = make(status=was)

    events.record_send(message, SendResult(outcome=told), can_be_asked=True)

    assert message.status == MessageLog.objects.get().status == becomes
    assert message.events.count() == 1


def test_record_send__no_report_waits(make):
    message = make(status="sending")

    assert events.record_send(message, ACCEPTED, can_be_asked=True) is False


def test_record_send__no_answer_has_no_payload(make):
    message = make(status="sending")

    events.record_send(message, SendResult(outcome=Outcome.UNKNOWN), can_be_asked=True)

    assert message.events.get().payload == ""


def test_record_send__id_is_kept_where_a_report_was_quicker(make):
    message = make(status="delivered")

    events.record_send(message, ACCEPTED, can_be_asked=True)

    assert message.provider_message_id == "ICOMNI7"


def record_one(message, result, **options):
    events.record_send(message, result, **options)


def record_many(message, result, **options):
    events.record_sends([(message, result)], **options)


@pytest.mark.parametrize("record", [record_one, record_many])
@pytest.mark.parametrize(
    ("outcome", "told_id", "can_be_asked", "is_asked"),
    [
        (Outcome.ACCEPTED, "ICOMNI7", True, True),
        (Outcome.UNKNOWN, "ICOMNI7", True, True),
        (Outcome.ACCEPTED, "ICOMNI7", False, False),
        (Outcome.ACCEPTED, "", True, False),
        (Outcome.REJECTED, "ICOMNI7", True, False),
    ],
)
def test_record_send__is_asked_about_later_where_it_can_be(
    make,
    record,
    outcome,
    told_id,
    can_be_asked,
    is_asked,
):
    message = make(status="sending")
    result = SendResult(outcome=outcome, provider_message_id=told_id)

    record(message, result, can_be_asked=can_be_asked)

    assert (MessageLog.objects.get().next_poll_at is not None) == is_asked


@pytest.mark.parametrize("record", [record_one, record_many])
@pytest.mark.parametrize(
    ("failure", "http_status", "is_told"),
    [(None, 200, "unknown"), (Failure.TIMEOUT, None, "unknown"), (Failure.BAD_ANSWER, 200, "")],
)
def test_record_send__event_of_an_answer_that_nobody_understands_says_nothing(
    make,
    record,
    failure,
    http_status,
    is_told,
):
    message = make(status="sending")
    result = SendResult(outcome=Outcome.UNKNOWN, failure=failure, http_status=http_status)

    record(message, result, can_be_asked=True)

    assert (message.status, message.events.get().status) == ("unknown", is_told)


def test_record_sends__shows_what_was_written_of_a_message_that_was_not_wholly_read(make):
    make(status="sending")
    message = MessageLog.objects.defer("next_poll_at").get()

    record_many(message, ACCEPTED, can_be_asked=True)

    assert (message.status, message.reason) == ("accepted", "")
    assert message.provider_message_id == "ICOMNI7"
    assert message.next_poll_at > timezone.now()


def test_record_send__ends_the_lease(make):
    message = make(status="sending")

    events.record_send(message, ACCEPTED, can_be_asked=True)

    assert MessageLog.objects.get().lease_expires_at is None


@pytest.mark.parametrize("was", ["sending", "delivered"])
def test_record_send__shows_the_row_as_it_was_written(make, settings, was):
    message = make(status=was)
    settings.DATABASE_ROUTERS = [OnReplica(MessageLog, MessageEvent)]

    events.record_send(message, ACCEPTED, can_be_asked=True)

    assert message.provider_message_id == "ICOMNI7"


def test_record_requeued__shows_the_row_as_it_was_written(make, settings):
    message = make(status="sending", send_at=timezone.now(), attempts=1)
    settings.DATABASE_ROUTERS = [OnReplica(MessageLog, MessageEvent)]

    assert events.record_requeued(message, SendResult(outcome=Outcome.NOT_SENT))
    assert message.status == "queued"


def test_record__shows_the_row_as_it_was_written(make, settings):
    message = make(status="accepted", channels=["3"])
    settings.DATABASE_ROUTERS = [OnReplica(MessageLog, MessageEvent)]

    events.record(message, Evidence(source=Source.POLL, status=Status.DELIVERED))

    assert message.status == "delivered"


@pytest.mark.parametrize(
    ("told", "stored"),
    [(0, 0), (200, 200), (999, 999), (1000, None), (-1, None), ("200", None), (2.5, None)],
)
def test_storable_http_status__is_a_number_of_at_most_three_digits(told, stored):
    assert events.storable_http_status(told) == stored


@pytest.mark.parametrize(
    ("channels", "failed", "has_next"),
    [
        (["1", "3"], "ZNS", True),
        (["1", "2", "3"], "AutoCall", True),
        (["1", "3"], "BrandnameSMS", False),
        (["3"], "SMS", False),
        # Which one that was is not known.
        (["1", "3"], "Pigeon", True),
        (["1", "3"], "", True),
        (["3"], "Pigeon", False),
        # It is none of the message's.
        (["1", "3"], "AutoCall", True),
    ],
)
def test_has_next_channel(channels, failed, has_next):
    assert events.has_next_channel(channels, failed) is has_next


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "poll"),
        ({"reason": Reason.PARAMETER}, "parameter"),
        ({"channel": "SMS", "error_code": "7"}, "poll: SMS, 7"),
        ({"provider_detail": "No such phone"}, "poll: No such phone"),
        ({"provider_detail": "No such phone", "failure_detail": "Timeout"}, "poll: Timeout"),
        ({"provider_detail": "84912345678 is none"}, "poll: ••• is none"),
        ({"provider_detail": "0912345678 is none"}, "poll: 0••• is none"),
    ],
)
def test_log__says_why_without_a_number(make, caplog, said, why):
    message = make(status="accepted", channels=["3"])

    events.record(message, Evidence(source=Source.POLL, status=Status.UNDELIVERED, **said))

    told = f"Message {message.public_id} to 84912•••678 by login_otp is undelivered ({why})."
    assert caplog.messages == [told]


def test_log__says_that_it_arrived_without_a_reason(make, caplog):
    caplog.set_level(logging.INFO, "django_etelecom")
    message = make(status="accepted", channels=["3"])

    events.record(message, Evidence(source=Source.POLL, status=Status.DELIVERED, channel="SMS"))

    assert caplog.messages == [
        f"Message {message.public_id} to 84912•••678 by login_otp is delivered."
    ]


@pytest.mark.parametrize(
    ("status", "is_asked_on"),
    [(Status.ACCEPTED, True), (Status.UNDELIVERED, False), (Status.DELIVERED, False)],
)
def test_record__asks_on_until_the_only_channel_has_ended(make, status, is_asked_on):
    message = make(status="unknown", channels=["3"], next_poll_at=timezone.now())

    events.record(message, Evidence(source=Source.POLL, status=status, channel="SMS"))

    assert (message.next_poll_at is not None) == is_asked_on
