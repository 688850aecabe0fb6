"""The list of messages: one of them is found."""

import pytest

from django_etelecom.services import send_message
from tests.browser.chromium import NEEDED

expect = pytest.importorskip("playwright.sync_api", reason=NEEDED).expect

NUMBERS = ["0912345678", "0912345679"]


@pytest.fixture
def messages(site):
    params = {
        "customer_name": "Lan",
        "order_code": "DH-1",
        "amount": 450_000,
        "delivery_date": "24/12/2026",
    }
    return [send_message("order_confirmation", to, params) for to in NUMBERS]


def test_search__finds_a_number_typed_with_dots(page, messages):
    page.goto("/admin/etelecom/messagelog/")

    page.locator("#searchbar").fill("+84 912.345.678")
    page.keyboard.press("Enter")

    expect(page.locator("#result_list tbody tr")).to_have_count(1)
    expect(page.locator("#result_list")).to_contain_text("0912 345 678")
