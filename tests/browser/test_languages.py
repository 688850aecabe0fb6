"""The admin in the language of whoever reads it."""

import pytest

from tests.browser.chromium import NEEDED

expect = pytest.importorskip("playwright.sync_api", reason=NEEDED).expect

LIST = "/admin/etelecom/messagelog/"


def test_language__is_what_the_browser_asks_for(open_page):
    page = open_page(locale="vi-VN")

    page.goto(LIST)

    expect(page.locator("html")).to_have_attribute("lang", "vi")
    expect(page.get_by_role("link", name="Gửi tin nhắn")).to_be_visible()


def test_language__changes_by_a_button_and_back(page):
    page.goto(LIST)
    expect(page.get_by_role("link", name="Send message")).to_be_visible()

    page.locator("button[lang=vi]").click()
    expect(page.get_by_role("link", name="Gửi tin nhắn")).to_be_visible()

    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("link", name="Send message")).to_be_visible()
