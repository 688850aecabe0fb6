"""Every page of ours: for all eyes and ears, in light and dark, on a phone."""

import pytest
from django.urls import reverse

from tests.browser import stock
from tests.browser.chromium import NEEDED
from tests.browser.test_sending import fill_in_order

expect = pytest.importorskip("playwright.sync_api", reason=NEEDED).expect
Axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason=NEEDED).Axe

OURS = {
    "include": [["#content"]],
    # Django labels it with a picture, whose text axe-core does not count.
    "exclude": [["#searchbar"]],
}
"""The region of the page that axe-core is asked about; the rest is Django's own."""

PHONE = {"width": 360, "height": 740}


def url(name, *args):
    return reverse(f"admin:etelecom_{name}", args=args)


def send_form(page, made):
    page.goto(url("messagelog_send") + "?template=order_confirmation")


def faulty_send_form(page, made):
    send_form(page, made)
    page.get_by_role("button", name="Check the message").click()
    expect(page.get_by_text("Please correct the errors below.")).to_be_visible()


def send_check(page, made):
    send_form(page, made)
    fill_in_order(page)
    page.get_by_role("button", name="Check the message").click()
    expect(page.get_by_role("table", name="What will be sent")).to_be_visible()


def faulty_upload(page, made):
    page.goto(url("campaign_upload"))
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("Please correct the errors below.")).to_be_visible()


def address_of(name, made_of=lambda made: ()):
    """Return how to go to the page of this address; `made_of` gives the keys that are in it."""
    return lambda page, made: page.goto(url(name, *made_of(made)))


PAGES = {
    "messages": address_of("messagelog_changelist"),
    "delivered message": address_of("messagelog_change", lambda made: [made.messages[0].pk]),
    "undelivered message": address_of("messagelog_change", lambda made: [made.messages[2].pk]),
    "refused message": address_of("messagelog_change", lambda made: [made.messages[3].pk]),
    "unknown message": address_of("messagelog_change", lambda made: [made.messages[4].pk]),
    "hostile message": address_of("messagelog_change", lambda made: [made.hostile.pk]),
    "choice of a template": address_of("messagelog_send"),
    "send form": send_form,
    "faulty send form": faulty_send_form,
    "send check": send_check,
    "templates": address_of("messagetemplate_changelist"),
    "new template": address_of("messagetemplate_add"),
    "template": address_of("messagetemplate_change", lambda made: [made.messages[0].template_id]),
    "routes": address_of("routerule_changelist"),
    "new route": address_of("routerule_add"),
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
    "history": address_of("campaign_history", lambda made: [made.running.pk]),
}


@pytest.fixture
def made(site, staff):
    return stock.put_in(staff)


@pytest.mark.parametrize("go", PAGES.values(), ids=PAGES)
def test_page__keeps_nobody_out(page, made, go):
    go(page, made)

    faults = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        # Colours fade from one into the other.
        page.evaluate("document.getAnimations().forEach(fading => fading.finish())")
        faults += [
            (scheme, violation["id"], node["target"], node["failureSummary"])
            for violation in Axe().run(page, OURS).response["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
    assert faults == []


@pytest.mark.parametrize("go", PAGES.values(), ids=PAGES)
def test_page__fits_a_phone(open_page, made, go):
    page = open_page(viewport=PHONE)

    go(page, made)

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
