"""From the form to what became of the message, as a person walks it."""

import re

import pytest

from django_etelecom import pace
from django_etelecom.models import MessageLog
from django_etelecom.models.messages import Reason
from django_etelecom.phone import display
from django_etelecom.services import queue_message
from django_etelecom.simulator import Outcome
from tests.browser.chromium import NEEDED
from tests.browser.pages import fill_in_order

expect = pytest.importorskip("playwright.sync_api", reason=NEEDED).expect


def check_order(page, to="0912 345 678"):
    """Open the form, fill it in, and go on to its check."""
    page.goto("/admin/etelecom/messagelog/send/?template=order_confirmation")
    fill_in_order(page, to)
    page.get_by_role("button", name="Check the message").click()


def test_check__double_click_sends_once(page, site):
    check_order(page)

    page.get_by_role("button", name="Send the message").dblclick()

    expect(page).to_have_url(re.compile(r"/messagelog/\d+/change/$"))
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    assert len(site.sent) == 1
    assert MessageLog.objects.count() == 1


def test_check__that_is_stopped_goes_on_with_what_was_typed(page, site):
    pace.pause("default", Reason.CREDENTIALS)
    page.goto("/admin/etelecom/messagelog/send/?template=login_otp")
    page.get_by_label("To:").fill("0912 345 678")
    page.get_by_role("textbox", name="Otp:").fill("482913")
    page.get_by_role("button", name="Check the message").click()
    stops = page.get_by_role("region", name="It cannot be sent now")
    expect(stops).to_contain_text("Account “default” is paused")
    expect(page.get_by_role("button", name="Send the message")).to_have_count(0)
    pace.resume("default")

    page.get_by_role("button", name="Check it again").click()
    expect(stops).to_have_count(0)
    page.get_by_role("button", name="Send the message").click()

    expect(page.get_by_text("The provider took the message to 0912 345 678.")).to_be_visible()
    [sent] = site.sent
    assert sent.list_param == {"otp": "482913"}


def test_message__timeline_grows_by_what_the_provider_says(page):
    check_order(page)
    page.get_by_role("button", name="Send the message").click()
    steps = page.get_by_role("region", name="Timeline").locator(".etelecom-badge")
    expect(steps).to_have_text(["accepted"])

    page.get_by_role("button", name="Refresh status").click()
    expect(page.get_by_text("The provider says nothing new of it.")).to_be_visible()
    page.get_by_role("button", name="Refresh status").click()

    expect(page.get_by_text("The message is delivered now.")).to_be_visible()
    expect(steps).to_have_text(["accepted", "accepted", "delivered"])


def test_message__is_sent_again_to_another_number(page, site):
    check_order(page, to=display(Outcome.REFUSED_PHONE_NUMBER.phone_number))
    page.get_by_role("button", name="Send the message").click()
    page.get_by_role("button", name="Send again").click()
    page.get_by_role("button", name="To another number").click()
    page.get_by_label("To:").fill("0912 345 678")
    page.get_by_role("button", name="Check the message").click()
    page.get_by_role("button", name="Send the message").click()

    expect(page.get_by_text("The provider took the message to 0912 345 678.")).to_be_visible()
    first, second = MessageLog.objects.order_by("pk")
    assert second.resend_of == first
    assert second.params == first.params


def test_message__that_waits_is_cancelled(page, site):
    message = queue_message("login_otp", "0912 345 678", {"otp": "482913"})
    page.goto(f"/admin/etelecom/messagelog/{message.pk}/change/")

    page.get_by_role("button", name="Cancel").click()

    expect(page.locator(".etelecom-badge", has_text="cancelled").first).to_be_visible()
    assert site.sent == []
