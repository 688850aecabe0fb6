"""Cancelling a message that still waits, from its page."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import resolve, reverse

from django_etelecom import lifecycle
from django_etelecom.models import MessageLog
from django_etelecom.services import queue_campaign, queue_message
from tests.admin.conftest import PHONE, page, page_of, said

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queued(askable, order_template, order_params):
    return queue_message(order_template, PHONE, order_params)


@pytest.fixture
def canceller(staff_client):
    return staff_client("view_messagelog", "send_message")


def cancel_url(message):
    return reverse("admin:etelecom_messagelog_cancel", args=[message.pk])


def test_cancel__has_a_button_while_the_message_waits(canceller, queued):
    button = f'formaction="{cancel_url(queued)}">Cancel the message</button>'

    assert button in page(canceller.get(page_of(queued)))
    MessageLog.objects.update(status="sending")
    assert button not in page(canceller.get(page_of(queued)))


def test_cancel__who_may_not_send_has_no_button(staff_client, queued):
    html = page(staff_client("view_messagelog").get(page_of(queued)))

    assert cancel_url(queued) not in html


def test_cancel__of_a_waiting_message_is_on_record(canceller, queued, askable):
    response = canceller.post(cancel_url(queued))

    assert response.url == page_of(queued)
    assert said(response) == [("success", "The message was cancelled: it will not be sent.")]
    assert MessageLog.objects.get().status == "cancelled"
    entry = LogEntry.objects.get()
    assert (entry.get_edited_object(), entry.get_change_message()) == (queued, "Cancelled.")
    assert entry.user.username == "lan"


def test_cancel__of_a_campaigns_message_is_counted(
    canceller, askable, order_template, order_params
):
    campaign = queue_campaign(order_template, [{"to": PHONE, **order_params}])
    message = campaign.messages.get()

    canceller.post(cancel_url(message))

    message.refresh_from_db()
    assert message.status == "cancelled"
    assert campaign.tallies.get(status="cancelled").number == 1


@pytest.mark.parametrize("status", ["sending", "accepted", "delivered", "unknown"])
def test_cancel__of_what_a_worker_has_taken_says_so(canceller, queued, status):
    MessageLog.objects.update(status=status)

    response = canceller.post(cancel_url(queued))

    assert said(response) == [("warning", "It was being sent already; it could not be cancelled.")]
    assert MessageLog.objects.get().status == status
    assert not LogEntry.objects.exists()


def test_cancel__while_a_worker_takes_it_says_so(canceller, queued, monkeypatch):
    def lose_the_race(message):
        MessageLog.objects.update(status="sending")
        return cancel(message)

    cancel = lifecycle.cancel
    monkeypatch.setattr(lifecycle, "cancel", lose_the_race)

    response = canceller.post(cancel_url(queued))

    assert said(response) == [("warning", "It was being sent already; it could not be cancelled.")]


@pytest.mark.parametrize(
    ("status", "words"), [("cancelled", "cancelled"), ("not_sent", "not sent")]
)
def test_cancel__of_what_is_over_changes_nothing(canceller, queued, status, words):
    MessageLog.objects.update(status=status)

    response = canceller.post(cancel_url(queued))

    assert said(response) == [("info", f"The message is {words}; nothing was changed.")]
    assert not LogEntry.objects.exists()


def test_cancel__is_posted(canceller, queued):
    assert canceller.get(cancel_url(queued)).status_code == 405
    assert MessageLog.objects.get().status == "queued"


@pytest.mark.parametrize("missing", ["view_messagelog", "send_message"])
def test_cancel__needs_permission(staff_client, queued, client, missing):
    client_with_one = staff_client(
        *{"view_messagelog", "send_message", "view_recipient"} - {missing}
    )

    assert client_with_one.post(cancel_url(queued)).status_code == 403
    assert client.post(cancel_url(queued)).status_code == 302
    assert MessageLog.objects.get().status == "queued"


def test_cancel__needs_a_csrf_token(canceller, queued):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = canceller.cookies

    assert strict.post(cancel_url(queued)).status_code == 403


def test_cancel__of_no_message_is_not_found(canceller, queued):
    assert canceller.post(cancel_url(MessageLog(pk=queued.pk + 1))).status_code == 404


def test_cancel__commits_at_once(queued):
    assert resolve(cancel_url(queued)).func._non_atomic_requests == {"default"}
