"""Makes the pictures in `docs/images/` anew: `tox run -e screenshots`.

They show the admin of the example shop, which is served from a database of its own, beside a
simulated provider.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import django

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"

WIDTH = 1200
MARGIN = 20


@dataclass(frozen=True, slots=True)
class Picture:
    """A file of `docs/images/`."""

    name: str
    page: str
    """One of `tests/browser/pages.py`."""
    begins: str = "body"
    """Selects what is at its upper edge."""
    height: int = 900
    """At most; it ends where the page does."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """What the browser is told of whoever looks at it."""


PICTURES = [
    Picture("dashboard", "dashboard", height=1000),
    Picture("dashboard-vi", "dashboard", height=1000, options={"locale": "vi-VN"}),
    Picture("messages", "messages", height=700),
    Picture("message", "delivered message"),
    Picture("message-dark", "delivered message", options={"color_scheme": "dark"}),
    Picture("template", "template", begins="fieldset:has(#id_text)", height=1000),
    Picture("send-check", "send check"),
    Picture("campaign-check", "campaign check"),
    Picture("campaign", "running campaign"),
]


def take_pictures() -> None:
    """Serve the shop, have everything happen that the pages show, and take the pictures."""
    # When Django is set up.
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.test import override_settings

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
    # Whatever the hour is at which they are taken.
    guards = {**settings.ETELECOM["GUARDS"], "advertising": {"HOURS": {}}}
    with (
        override_settings(ETELECOM={**settings.ETELECOM, "GUARDS": guards}),
        simulated_provider(),
        served(server),
        chromium.launched(path) as browser,
    ):
        made = stock.put_in(staff)
        stock.put_in_past_days()
        resume_account("default")
        for picture in PICTURES:
            profile = chromium.logged_in(
                browser,
                f"http://{HOST}:{server.server_port}",
                staff,
                viewport={"width": WIDTH, "height": picture.height},
                **picture.options,
            )
            # The page itself, without the list of all pages beside it.
            profile.add_init_script("localStorage.setItem('django.admin.navSidebarIsOpen', false)")
            page = profile.new_page()
            pages.PAGES[picture.page](page, made)
            page.evaluate("document.activeElement.blur()")
            first = page.locator(picture.begins).bounding_box()
            content = page.locator("#content").bounding_box()
            left, top = max(first["x"] - MARGIN, 0), first["y"]
            height = min(picture.height, content["y"] + content["height"] - top)
            page.screenshot(
                path=IMAGES / f"{picture.name}.png",
                full_page=True,
                clip={"x": left, "y": top, "width": WIDTH - left, "height": height},
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
