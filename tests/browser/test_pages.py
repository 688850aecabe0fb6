"""Every page of ours: for all eyes and ears, in light and dark, on a phone."""

import pytest

from tests.browser import stock
from tests.browser.chromium import NEEDED
from tests.browser.pages import PAGES

Axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason=NEEDED).Axe

# It would copy style sheets into inline ones of its own, which the policy forbids.
WITHOUT_COPIES = {"resultTypes": ["violations"], "preload": False}

SCHEMES = {
    "light": WITHOUT_COPIES,
    # Nothing else is another in the dark.
    "dark": {**WITHOUT_COPIES, "runOnly": ["color-contrast", "link-in-text-block"]},
}
"""What axe-core is asked of each."""

PHONE = {"width": 360, "height": 740}


@pytest.fixture
def made(site, staff):
    return stock.put_in(staff)


@pytest.mark.parametrize("go", PAGES.values(), ids=PAGES)
def test_page__keeps_nobody_out(page, made, go):
    go(page, made)

    faults = []
    for scheme, options in SCHEMES.items():
        page.emulate_media(color_scheme=scheme)
        # Colours fade from one into the other.
        page.evaluate("document.getAnimations().forEach(fading => fading.finish())")
        # Our region of the page; the rest is Django's own.
        faults += [
            (scheme, violation["id"], node["target"], node["failureSummary"])
            for violation in Axe().run(page, "#content", options).response["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
    assert faults == []


def test_pages__fit_a_phone(open_page, made):
    page = open_page(viewport=PHONE)

    too_wide = []
    for name, go in PAGES.items():
        go(page, made)
        if page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            too_wide.append(name)
    assert too_wide == []
