"""Every page of ours: for all eyes and ears, in light and dark, on a phone."""

import pytest

from tests.browser import stock
from tests.browser.chromium import NEEDED
from tests.browser.pages import PAGES

Axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason=NEEDED).Axe

# What axe-core is asked about is our region of the page, `#content`; the rest is Django's own.
# It would copy style sheets into inline ones of its own, which the policy forbids.
OPTIONS = {"resultTypes": ["violations"], "preload": False}

PHONE = {"width": 360, "height": 740}


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
            for violation in Axe().run(page, "#content", OPTIONS).response["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
    assert faults == []


@pytest.mark.parametrize("go", PAGES.values(), ids=PAGES)
def test_page__fits_a_phone(open_page, made, go):
    page = open_page(viewport=PHONE)

    go(page, made)

    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
