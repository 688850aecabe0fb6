"""The fold: the strongest evidence stands, in whatever order it comes."""

import pytest
from django.utils import timezone

from django_etelecom import events
from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.events import Evidence
from django_etelecom.models import MessageEvent, MessageLog
from django_etelecom.models.messages import Source, Status
from tests.replica import OnReplica
from tests.test_lifecycle import make  # noqa: F401

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
def test_record_send__strongest_evidence_stands(make, was, told, becomes):  # noqa: F811
    message = make(status=was)

    events.record_send(message, SendResult(outcome=told), can_be_asked=True)

    assert message.status == MessageLog.objects.get().status == becomes
    assert message.events.count() == 1


def test_record_send__id_is_kept_where_a_report_was_quicker(make):  # noqa: F811
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
    make,  # noqa: F811
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


def test_record_send__ends_the_lease(make):  # noqa: F811
    message = make(status="sending")

    events.record_send(message, ACCEPTED, can_be_asked=True)

    assert MessageLog.objects.get().lease_expires_at is None


@pytest.mark.parametrize("was", ["sending", "delivered"])
def test_record_send__shows_the_row_as_it_was_written(make, settings, was):  # noqa: F811
    message = make(status=was)
    settings.DATABASE_ROUTERS = [OnReplica(MessageLog, MessageEvent)]

    events.record_send(message, ACCEPTED, can_be_asked=True)

    assert message.provider_message_id == "ICOMNI7"


def test_record_requeued__shows_the_row_as_it_was_written(make, settings):  # noqa: F811
    message = make(status="sending", send_at=timezone.now(), attempts=1)
    settings.DATABASE_ROUTERS = [OnReplica(MessageLog, MessageEvent)]

    assert events.record_requeued(message, SendResult(outcome=Outcome.NOT_SENT))
    assert message.status == "queued"


def test_record__shows_the_row_as_it_was_written(make, settings):  # noqa: F811
    message = make(status="accepted", channels=["3"])
    settings.DATABASE_ROUTERS = [OnReplica(MessageLog, MessageEvent)]

    events.record(message, Evidence(source=Source.POLL, status=Status.DELIVERED))

    assert message.status == "delivered"
