"""Makes the pictures in `docs/images/` anew: `tox run -e screenshots`.

They show the admin of the example shop, which is served from a database of its own, beside a
simulated provider.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import django

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"

SIZE = {"width": 1200, "height": 900}
"""Of a picture at most; a page that is shorter makes a shorter one."""

PICTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "messages": ("messages", {}),
    "message": ("delivered message", {}),
    "message-dark": ("delivered message", {"color_scheme": "dark"}),
    "template": ("template", {}),
    "send-check": ("send check", {}),
    "campaign-check": ("campaign check", {}),
    "campaign": ("running campaign", {}),
}
"""By the name of its file: a page of `tests/browser/pages.py`, and what the browser is told."""


def take_pictures() -> None:
    """Serve the shop, have everything happen that the pages show, and take the pictures."""
    # When Django is set up.
    from django.contrib.auth import get_user_model

    from django_etelecom.services import resume_account
    from shop.seeding import STAFF, give_staff_login, prepare_database
    from shop.simulation import HOST, listening_site, served, simulated_provider
    from tests.browser import chromium, pages, stock

    path = chromium.installed()
    if path is None:
        sys.exit(chromium.NEEDED)
    prepare_database()
    give_staff_login()
    staff = get_user_model().objects.get(username=STAFF)
    server = listening_site(0)
    logging.disable()
    with simulated_provider(), served(server), chromium.launched(path) as browser:
        made = stock.put_in(staff)
        resume_account("default")
        for name, (page_name, options) in PICTURES.items():
            profile = chromium.logged_in(
                browser, f"http://{HOST}:{server.server_port}", staff, viewport=SIZE, **options
            )
            # The page itself, without the list of all pages beside it.
            profile.add_init_script("localStorage.setItem('django.admin.navSidebarIsOpen', false)")
            page = profile.new_page()
            pages.PAGES[page_name](page, made)
            page.evaluate("document.activeElement.blur()")
            content = page.locator("#content").bounding_box()
            end = min(SIZE["height"], content["y"] + content["height"])
            page.screenshot(
                path=IMAGES / f"{name}.png",
                clip={"x": 0, "y": 0, **SIZE, "height": end},
                animations="disabled",
            )
            profile.close()


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "example_project")]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{folder}/pictures.sqlite3"
        os.environ["DJANGO_SETTINGS_MODULE"] = "shop_site.settings"
        # Playwright's event loop is in this thread; it does not run while a query does.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        django.setup()
        take_pictures()
