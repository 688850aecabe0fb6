"""From a template to what became of the message, as a person walks it."""

import re

import pytest

from django_etelecom.models import MessageLog
from tests.browser.chromium import NEEDED
from tests.browser.pages import fill_in_order

expect = pytest.importorskip("playwright.sync_api", reason=NEEDED).expect


def check_order(page, to="0912 345 678"):
    """Open the form, fill it in, and go on to its check."""
    page.goto("/admin/etelecom/messagelog/send/?template=order_confirmation")
    fill_in_order(page, to)
    page.get_by_role("button", name="Check the message").click()


def test_template__is_defined_and_sent_by(page, site):
    page.goto("/admin/")
    page.locator("#content").get_by_role("link", name="Templates").click()
    page.get_by_role("link", name="Add template").click()
    page.get_by_role("textbox", name="Code").fill("pick_up")
    page.get_by_role("textbox", name="Text").fill(
        "Chào {customer_name}, đơn {order_code} đang chờ bạn."
    )
    page.locator("#id_parameters-0-name").fill("customer_name")
    page.locator("#id_parameters-1-name").fill("order_code")
    page.get_by_role("button", name="Save and continue editing").click()
    page.get_by_role("link", name="Send message").click()
    page.get_by_label("To:").fill("0912 345 678")
    page.get_by_label("Customer name").fill("Lan")
    page.get_by_label("Order code").fill("DH-7")
    page.get_by_role("button", name="Check the message").click()
    page.get_by_role("button", name="Send the message").click()

    expect(page.get_by_text("The provider took the message to 0912 345 678.")).to_be_visible()
    [receipt] = site.sent
    assert receipt.template_code == "pick_up"
    assert receipt.list_param == {"customer_name": "Lan", "order_code": "DH-7"}


def test_check__double_click_sends_once(page, site):
    check_order(page)

    page.get_by_role("button", name="Send the message").dblclick()

    expect(page).to_have_url(re.compile(r"/messagelog/\d+/change/$"))
    expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
    assert len(site.sent) == 1
    assert MessageLog.objects.count() == 1


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
