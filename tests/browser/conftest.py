"""The shop's site beside the simulator, and a browser in which its staff are logged in.

The site is served under a strict policy; what its pages complain of on the console fails a test.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.utils.formats import reset_format_cache

from django_etelecom.simulator import Receipt, Simulator
from shop import seeding
from shop.simulation import HOST, listening_site, served, simulated_provider, webhook_url, working
from tests.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

PATIENCE = 30_000
"""Milliseconds that a page may take to show what it is to show."""


@dataclass(frozen=True, slots=True)
class Site:
    """The shop's site, while it is served."""

    url: str
    simulator: Simulator
    webhook_url: str

    @property
    def sent(self) -> list[Receipt]:
        """What reached the provider, but for questions."""
        return [receipt for receipt in self.simulator.receipts if receipt.template_code]


@pytest.fixture(scope="package")
def browser() -> Iterator["Browser"]:
    """One Chromium for the tests of this folder; each worker of xdist has its own."""
    path = chromium.installed()
    if path is None:
        pytest.skip(f"none of {', '.join(chromium.NAMES)} is on PATH")
    pytest.importorskip("playwright.sync_api").expect.set_options(timeout=PATIENCE)
    with pytest.MonkeyPatch.context() as patch, chromium.launched(path) as browser:
        # While Playwright runs, its event loop does in this thread; it is no danger to the tests'
        # own queries, for it never runs during one. Both end with this folder.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield browser


@pytest.fixture
def site(transactional_db, settings, caplog) -> Iterator[Site]:
    """The shop and its admin; messages go to a simulator."""
    settings.ROOT_URLCONF = "shop_site.urls"
    settings.ALLOWED_HOSTS = [HOST]
    settings.LANGUAGES = [("vi", "Tiếng Việt"), ("en", "English")]
    settings.FORMAT_MODULE_PATH = "shop_site.formats"
    [templates] = settings.TEMPLATES
    settings.TEMPLATES = [{**templates, "DIRS": [Path(seeding.__file__).parents[1] / "templates"]}]
    first, *rest = settings.MIDDLEWARE
    settings.MIDDLEWARE = [
        "tests.browser.policy.strict_policy",
        first,
        "django.middleware.locale.LocaleMiddleware",
        *rest,
    ]
    # Whatever the hour is at which the tests run.
    hours = {"advertising": {"HOURS": {}}}
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": hours}
    seeding.seed()
    server = listening_site(0)
    # It names each page and each of its files, otherwise.
    caplog.set_level(logging.ERROR, "django.server")
    # Closing it waits for its requests, so that none is still at the database.
    server.daemon_threads = False
    reset_format_cache()
    with simulated_provider() as simulator, served(server):
        yield Site(f"http://{HOST}:{server.server_port}", simulator, webhook_url(server))
    reset_format_cache()


@pytest.fixture
def worker(site) -> Iterator[None]:
    """A worker beside the site, to whose webhook the provider reports."""
    site.simulator.webhook_url = site.webhook_url
    with working():
        yield


@pytest.fixture
def staff(site, django_user_model) -> Any:
    return django_user_model.objects.create_superuser("lan")


@pytest.fixture
def open_page(browser, site, staff) -> Iterator[Callable[..., "Page"]]:
    """Return a function that opens a page in a profile of its own, with the given options."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def note(line: "ConsoleMessage") -> None:
        # Chromium asks every site for one by itself; the admin has none.
        if not line.location["url"].endswith("/favicon.ico"):
            complaints.append(f"{line.type}: {line.text}")

    def open_page(**options: Any) -> "Page":
        context = chromium.logged_in(browser, site.url, staff, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        context.on("console", note)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(open_page) -> "Page":
    return open_page()
