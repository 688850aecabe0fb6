"""What was sent: one message is found, all of them are looked through, counted and taken away."""

import csv

import pytest

from django_etelecom.admin import MessageLogAdmin
from django_etelecom.services import send_message
from tests.browser.chromium import NEEDED

expect = pytest.importorskip("playwright.sync_api", reason=NEEDED).expect

NUMBERS = [f"091234567{last}" for last in range(5)]


@pytest.fixture
def messages(site):
    params = {
        "customer_name": "Lan",
        "order_code": "DH-1",
        "amount": 450_000,
        "delivery_date": "24/12/2026",
    }
    return [send_message("order_confirmation", to, params) for to in NUMBERS]


def shown(page):
    return page.locator("#result_list tbody .field-number_in_list")


def test_search__finds_a_number_typed_with_dots(page, messages):
    page.goto("/admin/etelecom/messagelog/")

    page.get_by_label("Number or id").fill("+84 912.345.672")
    page.keyboard.press("Enter")

    expect(shown(page)).to_have_text(["0912 345 672"])


def test_pages__lead_to_older_messages_and_back(page, messages, monkeypatch):
    monkeypatch.setattr(MessageLogAdmin, "list_per_page", 2)
    page.goto("/admin/etelecom/messagelog/")
    expect(shown(page)).to_have_text(["0912 345 674", "0912 345 673"])

    page.get_by_role("link", name="Older").click()
    expect(shown(page)).to_have_text(["0912 345 672", "0912 345 671"])

    page.get_by_role("link", name="Newer").click()
    expect(shown(page)).to_have_text(["0912 345 674", "0912 345 673"])


def test_export__downloads_what_the_list_was_asked_for(page, messages):
    page.goto("/admin/etelecom/messagelog/?q=0912345672")

    with page.expect_download() as download:
        page.get_by_role("link", name="Export as CSV").click()

    [_, row] = csv.reader(download.value.path().read_text("utf-8-sig").splitlines())
    assert "order_confirmation" in row


def test_dashboard__tells_of_what_was_sent(page, messages):
    page.goto("/admin/")
    page.locator("#content").get_by_role("link", name="Dashboard").click()

    sent = page.locator(".etelecom-numbers div", has_text="Sent").first
    expect(sent.locator(".etelecom-large")).to_have_text("5")
