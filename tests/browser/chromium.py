"""The machine's own Chromium; none is ever downloaded."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.test import Client

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

NAMES = ("chromium", "chromium-browser", "google-chrome")

NEEDED = "needs Playwright and Chromium: tox run -e browser"

# It runs as root on CI, where its sandbox cannot, and is to ask nobody on the network for anything.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def installed() -> str | None:
    """Return the path of this machine's Chromium, if it has one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def launched(path: str) -> Iterator[Browser]:
    """Run the Chromium at this path, without a window."""
    # Here, so that a machine without Playwright can ask what is installed.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def logged_in(browser: Browser, site: str, user: Any, **options: Any) -> BrowserContext:
    """Return a profile of its own, in which the user is logged in to the site.

    Args:
        browser: which runs.
        site: its URL.
        user: anybody of its users.
        options: what else `Browser.new_context` takes: a language, a size, a colour scheme.
    """
    client = Client()
    client.force_login(user)
    name = settings.SESSION_COOKIE_NAME
    context = browser.new_context(base_url=site, **options)
    context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": site}])
    return context
