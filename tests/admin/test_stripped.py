"""A message that was stripped, as staff see it."""

from datetime import timedelta

import pytest
from django.urls import reverse

from django_etelecom.explanation import explain
from django_etelecom.models import MessageLog
from django_etelecom.retention import prune
from tests.admin.conftest import (
    ORDER,
    PHONE,
    check,
    confirm,
    page,
    page_of,
    refresh_url,
    said,
    send_url,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("restless")]

STRIPPED = "were erased, by retention or on request"


def strip(message):
    past = message.created_at - timedelta(days=2)
    MessageLog.objects.update(created_at=past, sent_at=past, next_poll_at=None)
    assert prune().stripped.total() == 1
    return MessageLog.objects.get()


@pytest.fixture
def stripped(retention, message):
    retention(transactional={"strip": 1})
    return strip(message)


def test_page__says_that_it_was_stripped(resender, stripped):
    html = page(resender.get(page_of(stripped)))

    assert STRIPPED in html
    assert "erased" in html
    assert "912 345 678" not in html
    assert "912345678" not in html
    assert "Refresh status" not in html
    assert "Send again" not in html
    # A text without its values would be read as what was sent.
    assert "Dear" not in html


def test_list__shows_and_finds_it(resender, stripped):
    address = reverse("admin:etelecom_messagelog_changelist")

    assert "erased" in page(resender.get(address))
    assert str(stripped.pk) in page(resender.get(address, {"q": str(stripped.public_id)}))
    assert "0 messages" in page(resender.get(address, {"q": PHONE}))


def test_refresh__is_refused_in_a_sentence(resender, stripped, askable):
    response = resender.post(refresh_url(stripped))

    assert said(response) == [("error", "It was stripped, by retention or on request.")]
    assert askable.asked == []


def test_refresh__of_a_selection_passes_it_over(resender, stripped, askable):
    response = resender.post(
        reverse("admin:etelecom_messagelog_changelist"),
        {"action": "refresh_selected", "_selected_action": [stripped.pk]},
    )

    assert said(response)[0][0] == "warning"
    assert askable.asked == []


def test_resend__of_it_is_a_new_message(resender, stripped, askable):
    address = f"{send_url('order_confirmation')}&resend_of={stripped.public_id}"

    html = page(resender.get(address))

    assert "What the first message said was erased: this will be a new one." in html
    assert "This repeats" not in html
    confirm(resender, check(resender, "order_confirmation", ORDER))
    assert MessageLog.objects.latest().resend_of is None


def test_resend__that_was_checked_before_it_was_stripped(
    resender,
    message,
    retention,
    askable,
):
    address = f"{send_url('order_confirmation')}&resend_of={message.public_id}"
    response = resender.post(address, {"step": "check", **ORDER})
    token = response.content.decode().split('name="message" value="')[1].split('"')[0]
    retention(transactional={"strip": 1})
    strip(message)

    html = page(confirm(resender, token))

    assert "Nothing was sent" in html
    assert len(askable.sent) == 1


def test_explanation__of_a_question_whose_answer_was_erased(stripped):
    stripped.events.create(source="poll")

    [sentence] = explain(stripped, stripped.events.all()).story

    assert sentence == "Asked what became of it, eTelecom gave no answer that says so."


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("accepted", "eTelecom took it. Whether it arrived was never known."),
        ("delivered", "It arrived, by SMS."),
        ("undelivered", "It did not arrive."),
        ("rejected", "eTelecom refused it: nothing went out."),
        ("unknown", "It is not known whether it went out."),
        ("not_sent", "It was not sent: nothing left this server."),
        ("cancelled", "It was cancelled before it was sent."),
    ],
)
def test_explanation__of_each_status(stripped, status, sentence):
    MessageLog.objects.update(status=status, channel="SMS")
    row = MessageLog.objects.get()

    explanation = explain(row, row.events.all())

    assert explanation.where.startswith(sentence)
    assert len(explanation.advice) == 1
    assert STRIPPED in explanation.advice[0]
    assert explanation.steps == []
