"""Stripping: nothing personal comes back into a message by what is told of it later."""

import threading

import pytest
from django.db import transaction
from django.db.models import Q

from django_etelecom import events, lifecycle, reports, stripping
from django_etelecom.client.codes import ReportedStatus
from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.client.status import Report
from django_etelecom.events import Evidence
from django_etelecom.models import MessageEvent, MessageLog, ReportedMessage
from django_etelecom.models.messages import Source, Status
from django_etelecom.services import send_message
from django_etelecom.stripping import STRIPPED_OF_EVENT, STRIPPED_OF_MESSAGE, strip
from django_etelecom.worker import Worker
from tests.test_send import in_thread

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("restless")]

PHONE = "0912345678"

ECHO = {
    "provider_status": "canary 84912345678",
    "provider_detail": "canary 84912345678",
    "failure_detail": "canary 84912345678",
    "payload": '{"phonenumber": "84912345678"}',
}


def texts():
    """Return what the events and the messages hold that may be personal."""
    return {
        text
        for model, names in ((MessageEvent, STRIPPED_OF_EVENT), (MessageLog, STRIPPED_OF_MESSAGE))
        for row in model.objects.values_list(*names)
        for text in row
        if text not in ("", {}, None)
    }


def test_strip__takes_what_is_so_and_tells_which(message, order_template, order_params):
    other = send_message(order_template, PHONE, order_params)

    stripped = strip([message.pk, other.pk], ~Q(pk=other.pk))

    assert stripped == {message.pk}
    assert MessageLog.objects.get(recipient="") == message


def test_late_answer__of_a_process_that_was_taken_for_dead_brings_nothing_back(message):
    MessageLog.objects.update(status="sending", lease_expires_at=message.created_at)
    MessageEvent.objects.all().delete()
    lifecycle.sweep()
    strip([message.pk], Q())
    answer = SendResult(
        outcome=Outcome.ACCEPTED, provider_message_id="ICOMNI-canary", http_status=200, **ECHO
    )

    events.record_send(message, answer, can_be_asked=True)

    assert texts() == set()
    [event] = message.events.all()
    assert (event.source, event.status, event.http_status) == ("send", "accepted", 200)
    assert message.status == "unknown"


@pytest.mark.parametrize("believed", [True, False])
def test_late_answer__to_a_question_brings_nothing_back(message, believed):
    strip([message.pk], Q())
    evidence = Evidence(source=Source.POLL, status=Status.DELIVERED, channel="SMS", **ECHO)

    events.record(message, evidence, believed=believed)

    assert texts() == set()
    assert [event.status for event in message.events.all()] == ["accepted", "delivered"]
    assert message.status == "accepted"


def test_late_report__that_waits_for_who_strips_brings_nothing_back(message, live_webhook_report):
    MessageLog.objects.update(provider_message_id="ICOMNI1")
    reporting = threading.Thread(target=lambda: in_thread(live_webhook_report))

    with stripping.taken([message.pk], Q()) as held:
        MessageEvent.objects.filter(message__in=held).update(**STRIPPED_OF_EVENT)
        MessageLog.objects.filter(pk__in=held).update(**STRIPPED_OF_MESSAGE)
        reporting.start()
        # It has found the message by then, and waits.
        reporting.join(timeout=0.5)
    reporting.join(timeout=30)

    assert texts() == set()
    assert [event.source for event in message.events.all()] == ["send", "webhook"]


@pytest.fixture
def live_webhook_report():
    report = Report(
        provider_message_id="ICOMNI1",
        status=ReportedStatus.SUCCESS,
        provider_status="SUCCESS",
        payload={"phonenumber": "84912345678"},
    )
    return lambda: reports.keep(report)


def test_strip__what_was_stripped_is_asked_about_no_more(message, askable):
    ReportedMessage.objects.create(message=message)
    strip([message.pk], Q())

    Worker().run_once()

    assert askable.asked == []
    assert not ReportedMessage.objects.exists()
    assert MessageLog.objects.get().next_poll_at is None


def test_strip__inside_a_transaction_is_refused(message):
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        strip([message.pk], Q())

    assert MessageLog.objects.get().recipient
