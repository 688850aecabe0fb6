"""The pages of ours, and how to get to each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from django.urls import reverse

if TYPE_CHECKING:
    from playwright.sync_api import FilePayload, Page

    from tests.browser.stock import Stock


def url(name: str, *args: object) -> str:
    return reverse(f"admin:etelecom_{name}", args=args)


def fill_in_order(page: Page, to: str = "0912 345 678") -> None:
    page.get_by_label("To:").fill(to)
    page.get_by_label("Customer name").fill("Nguyễn Thị Lan")
    page.get_by_label("Order code").fill("DH-00012")
    page.get_by_label("Amount").fill("450000")
    page.get_by_label("Delivery date").fill("2026-12-24")


def send_form(page: Page, made: Stock) -> None:
    page.goto(url("messagelog_send") + "?template=order_confirmation")


def resend_form(page: Page, made: Stock) -> None:
    of = made.messages[0]
    query = f"?template={of.template_code}&resend_of={of.public_id}&way=number"
    page.goto(url("messagelog_send") + query)


def faulty_send_form(page: Page, made: Stock) -> None:
    send_form(page, made)
    page.get_by_role("button", name="Check the message").click()
    page.get_by_text("Please correct the errors below.").wait_for()


def send_check(page: Page, made: Stock) -> None:
    send_form(page, made)
    fill_in_order(page)
    page.get_by_role("button", name="Check the message").click()
    page.get_by_role("table", name="What will be sent").wait_for()


def drawn_up(page: Page, made: Stock) -> None:
    page.goto(url("messagetemplate_add"))
    page.get_by_role("textbox", name="Text").fill("Chào {customer_name}!")
    # What stands below moves down when it comes.
    page.get_by_role("region", name="Preview").wait_for()
    page.get_by_role("textbox", name="Sample").fill('{"customer_name": "Lan"}')
    page.get_by_role("button", name="Draw up parameters").click()
    page.get_by_text("Drawn up, and not saved yet").wait_for()


def faulty_upload(page: Page, made: Stock) -> None:
    page.goto(url("campaign_upload"))
    page.get_by_role("button", name="Upload").click()
    page.get_by_text("Please correct the errors below.").wait_for()


def erasing(page: Page, made: Stock) -> None:
    page.goto(url("messagelog_number"))
    page.get_by_label("Number:").fill("0912 345 678")
    page.get_by_role("button", name="Erase…").click()
    page.get_by_text("What is erased cannot be had back.").wait_for()


def import_check(page: Page, made: Stock) -> None:
    page.goto(url("suppression_import"))
    lines = "phone,note\n0912 345 601,\n0912 345 609,\n0912 345,quen\n"
    file: FilePayload = {
        "name": "khong-gui.csv",
        "mimeType": "text/csv",
        "buffer": lines.encode(),
    }
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Check the file").click()
    page.get_by_role("table", name="What is in the file").wait_for()


def address_of(
    name: str, keys: Callable[[Stock], Iterable[int]] = lambda made: ()
) -> Callable[[Page, Stock], object]:
    """Return how to go to the page of this address, which has these keys in it."""
    return lambda page, made: page.goto(url(name, *keys(made)))


PAGES: dict[str, Callable[[Page, Stock], object]] = {
    "dashboard": address_of("dashboard"),
    "messages": address_of("messagelog_changelist"),
    "delivered message": address_of("messagelog_change", lambda made: [made.messages[0].pk]),
    "undelivered message": address_of("messagelog_change", lambda made: [made.messages[2].pk]),
    "refused message": address_of("messagelog_change", lambda made: [made.messages[3].pk]),
    "unknown message": address_of("messagelog_change", lambda made: [made.messages[4].pk]),
    "hostile message": address_of("messagelog_change", lambda made: [made.hostile.pk]),
    "choice of a template": address_of("messagelog_send"),
    "send form": send_form,
    "ways to send again": address_of("messagelog_resend", lambda made: [made.messages[2].pk]),
    "resend form": resend_form,
    "faulty send form": faulty_send_form,
    "send check": send_check,
    "number": address_of("messagelog_number"),
    "erasing": erasing,
    "templates": address_of("messagetemplate_changelist"),
    "new template": address_of("messagetemplate_add"),
    "template": address_of("messagetemplate_change", lambda made: [made.messages[0].template_id]),
    "drawn up template": drawn_up,
    "import": address_of("messagetemplate_import"),
    "routes": address_of("routerule_changelist"),
    "new route": address_of("routerule_add"),
    "route": address_of("routerule_change", lambda made: [made.route.pk]),
    "accounts": address_of("accountstate_changelist"),
    "account": address_of("accountstate_change", lambda made: [made.account.pk]),
    "campaigns": address_of("campaign_changelist"),
    "upload": address_of("campaign_upload"),
    "faulty upload": faulty_upload,
    "columns": address_of("campaign_change", lambda made: [made.matching.pk]),
    "campaign check": address_of("campaign_change", lambda made: [made.checking.pk]),
    "running campaign": address_of("campaign_change", lambda made: [made.running.pk]),
    "finished campaign": address_of("campaign_change", lambda made: [made.finished.pk]),
    "cancelling": address_of("campaign_cancel", lambda made: [made.running.pk]),
    "suppression list": address_of("suppression_changelist"),
    "new suppression": address_of("suppression_add"),
    "suppression": address_of("suppression_change", lambda made: [made.suppression.pk]),
    "import of numbers": address_of("suppression_import"),
    "check of numbers": import_check,
    "consents": address_of("consent_changelist"),
    "new consent": address_of("consent_add"),
    "consent": address_of("consent_change", lambda made: [made.consent.pk]),
    "history": address_of("campaign_history", lambda made: [made.running.pk]),
}
