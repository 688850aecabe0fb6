"""The provider, simulated in this process, so that the example needs no account and no network."""

import contextlib
import secrets
import threading
from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.servers.basehttp import (
    ThreadedWSGIServer,
    WSGIRequestHandler,
    get_internal_wsgi_application,
)
from django.db import connection
from django.test import override_settings
from django.urls import reverse

from django_etelecom.simulator import Receipt, Simulator
from django_etelecom.worker import Worker

HOST = "127.0.0.1"
WEBHOOKS = "/etelecom/webhooks/"

TIMEOUT_SECONDS = 2
MAX_PAID_PER_DAY = 500
# Nobody who tries it waits half a minute.
POLL_AFTER_SECONDS = [5, 20, 60, 300]

# The shop's own templates as eTelecom has registered them, with a pattern that the shop does not
# know yet, and one that it has not defined.
REGISTERED = {
    "order_confirmation": {
        "customer_name": ("name", ""),
        "order_code": ("code", "^DH-[0-9]+$"),
        "amount": ("vnd", ""),
        "delivery_date": ("date", ""),
    },
    "login_otp": {"otp": ("otp", "")},
    "promotion": {
        "customer_name": ("name", ""),
        "product": ("product", ""),
        "price": ("vnd", ""),
        "last_day": ("date", ""),
    },
    "delivery_delayed": {
        "customer_name": ("name", ""),
        "order_code": ("code", "^DH-[0-9]+$"),
        "new_date": ("date", ""),
        "hotline": ("phone", ""),
    },
}


@contextlib.contextmanager
def simulated_provider(
    *, port: int = 0, on_receipt: Callable[[Receipt], object] | None = None
) -> Iterator[Simulator]:
    """Run the simulator and send every message of this process to it, whatever the settings say.

    Args:
        port: 0 takes any free one.
        on_receipt: called with each request as it comes.

    Raises:
        OSError: the port is taken.
    """
    with Simulator(
        port=port, on_receipt=on_receipt, report_seconds=0.5, templates=REGISTERED
    ) as simulator:
        account = {
            "USERNAME": "demo",
            "PASSWORD": "demo",  # nosec B105  # of the simulator
            "BASE_URL": simulator.base_url,
            "TIMEOUT": TIMEOUT_SECONDS,
            "MAX_PAID_PER_DAY": MAX_PAID_PER_DAY,
        }
        etelecom = {
            **settings.ETELECOM,
            "ACCOUNTS": {"default": account},
            # The magic numbers are few, and there to be tried over and over.
            "GUARDS": {**settings.ETELECOM.get("GUARDS", {}), "transactional": {}},
            "WEBHOOK_TOKENS": [secrets.token_urlsafe(24)],
            "POLL_AFTER": POLL_AFTER_SECONDS,
        }
        with override_settings(ETELECOM=etelecom):
            yield simulator


def webhook_url(site: ThreadedWSGIServer) -> str:
    """Return where the simulated provider is to report to."""
    [token] = settings.ETELECOM["WEBHOOK_TOKENS"]
    return f"http://{HOST}:{site.server_port}{reverse('etelecom:webhook', args=[token])}"


class _Handler(WSGIRequestHandler):
    """Prints each request but the reports: their path holds a token."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as it is inherited
        if not getattr(self, "path", "").startswith(WEBHOOKS):
            super().log_message(format, *args)


def listening_site(port: int) -> ThreadedWSGIServer:
    """Return the site's server, which listens; it is what runserver runs, without its reloader.

    Raises:
        OSError: the port is taken.
        OverflowError: there is no such port.
    """
    site = ThreadedWSGIServer((HOST, port), _Handler)
    site.set_app(StaticFilesHandler(get_internal_wsgi_application()))
    return site


@contextlib.contextmanager
def served(site: ThreadedWSGIServer) -> Iterator[None]:
    """Serve the site from a thread."""
    thread = threading.Thread(target=site.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield
    finally:
        site.shutdown()
        thread.join()
        site.server_close()


@contextlib.contextmanager
def working() -> Iterator[None]:
    """Run a worker in a thread, as `etelecom_worker` does in a process of its own."""
    worker = Worker()

    def work() -> None:
        try:
            for _turn in worker.run():
                pass
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join()
