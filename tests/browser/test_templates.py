"""Templates, as a person shapes them: typed in, from a sample, from the provider."""

import pytest

from django_etelecom.models import MessageTemplate
from tests.browser.chromium import NEEDED

expect = pytest.importorskip("playwright.sync_api", reason=NEEDED).expect

NEW = "/admin/etelecom/messagetemplate/add/"


def names_of(code):
    return list(MessageTemplate.objects.get(code=code).parameters.values_list("name", flat=True))


def open_template(page, code):
    page.goto("/admin/etelecom/messagetemplate/")
    page.get_by_role("link", name=code).click()


def save(page):
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist .success")).to_be_visible()


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


def test_preview__follows_what_is_typed(page, site):
    page.goto(NEW)
    preview = page.get_by_role("region", name="Preview")

    page.get_by_role("textbox", name="Text").fill("Chào {customer_name}!")
    expect(preview).to_contain_text("The text names what is not a parameter: customer_name.")

    page.locator("#id_parameters-0-name").fill("customer_name")
    page.locator("#id_parameters-0-example").fill("Lan")
    expect(preview.locator(".etelecom-text")).to_have_text("Chào Lan!")
    expect(preview).not_to_contain_text("names what is not a parameter")


def test_parameters__are_ordered_by_buttons(page, site):
    open_template(page, "promotion")

    page.get_by_role("button", name="Move last_day up").click()
    expect(page.get_by_text("last_day is now number 3 of 4.")).to_be_attached()
    save(page)

    assert names_of("promotion") == ["customer_name", "product", "last_day", "price"]


def test_parameters__are_drawn_up_from_a_sample(page, site):
    page.goto(NEW)
    page.get_by_role("textbox", name="Code").fill("reminder")
    page.get_by_role("textbox", name="Sample").fill(
        '{"customer_name": "Lan", "due_date": "24/12/2026"}'
    )

    page.get_by_role("button", name="Draw up parameters").click()
    expect(page.locator("#id_parameters-1-kind")).to_have_value("date")
    save(page)

    assert names_of("reminder") == ["customer_name", "due_date"]


def test_templates__are_imported_after_a_look(page, site):
    site.simulator.templates = {"survey": {"customer_name": ("name", "")}}
    page.goto("/admin/etelecom/messagetemplate/")
    page.get_by_role("link", name="Import from the provider").click()
    expect(page.get_by_role("checkbox", name="survey")).to_be_visible()
    assert not MessageTemplate.objects.filter(code="survey").exists()

    page.get_by_role("checkbox", name="survey").check()
    page.get_by_role("button", name="Import what is ticked").click()
    expect(page.locator(".messagelist .success")).to_be_visible()

    assert names_of("survey") == ["customer_name"]
