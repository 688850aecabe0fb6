"""`manage.py etelecom_simulator`: run the simulated gateway until it is told to end."""

import contextlib
import signal
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any
from urllib.parse import urlsplit

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import phone
from ...simulator import Receipt, Simulator, WebhookDelivery
from ...simulator.outcomes import table

ACCOUNT = """\
ETELECOM = {{
    "ACCOUNTS": {{
        "default": {{
            "USERNAME": "simulator",
            "PASSWORD": "simulator",
            "BASE_URL": "{base_url}",
        }},
    }},
}}
"""

Arrivals = SimpleQueue[Receipt | WebhookDelivery | None]
"""What the main thread is to print a line about; None says that it is time to end."""


class Command(BaseCommand):
    help = "Runs a server on this machine that answers as eTelecom's gateway does."
    # It serves before a site's settings and database are in order.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--host", default="127.0.0.1", help="The address of the loopback to listen on."
        )
        parser.add_argument(
            "--port", type=int, default=8055, help="The port to listen on; 0 takes a free one."
        )
        parser.add_argument(
            "--webhook-url",
            metavar="URL",
            help="Where to post reports: a URL of this machine, its secret token included.",
        )
        parser.add_argument(
            "--webhook-header",
            action="append",
            default=[],
            metavar="'NAME: VALUE'",
            help="A header to send along with each report; can be given more than once.",
        )
        parser.add_argument(
            "--quiet", action="store_true", help="Print the base URL and nothing else."
        )

    def handle(
        self,
        *,
        host: str,
        port: int,
        webhook_url: str | None,
        webhook_header: list[str],
        quiet: bool,
        **options: Any,
    ) -> None:
        """Serve until SIGINT or SIGTERM.

        Raises:
            CommandError: the host or the webhook's URL is not on the loopback, a header cannot be
                sent, or the port cannot be listened on.
        """
        arrivals = Arrivals()
        with _none_on_signals(arrivals):
            simulator = _start(host, port, webhook_url, _headers(webhook_header), arrivals)
            try:
                self._greet(simulator.base_url, quiet=quiet)
                while (arrival := arrivals.get()) is not None:
                    if not quiet:
                        self._print(_line(arrival))
            finally:
                simulator.stop()

    def _greet(self, base_url: str, *, quiet: bool) -> None:
        if quiet:
            self._print(base_url)
            return
        self._print(f"eTelecom's gateway, simulated at {base_url}")
        self._print("Paste into your settings:", "", ACCOUNT.format(base_url=base_url))
        self._print("Send to one of these numbers to see:", "", table(), "")
        self._print("Requests and webhooks, as they come (Ctrl-C ends the simulator):")

    def _print(self, *lines: str) -> None:
        self.stdout.write("\n".join(lines))
        # Whoever reads through a pipe is to see it now.
        self.stdout.flush()


@contextlib.contextmanager
def _none_on_signals(arrivals: Arrivals) -> Iterator[None]:
    # Of the queues, SimpleQueue alone promises that a signal handler may put into it.
    handlers = {
        number: signal.signal(number, lambda *_frame: arrivals.put(None))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _headers(typed: list[str]) -> dict[str, str]:
    headers = {}
    for line in typed:
        name, colon, value = line.partition(":")
        if not colon:
            # What was typed is not shown: it may be the token alone.
            raise CommandError("Write --webhook-header as 'NAME: VALUE', with the quotes.")
        headers[name.strip()] = value.strip()
    return headers


def _start(
    host: str,
    port: int,
    webhook_url: str | None,
    webhook_headers: dict[str, str],
    arrivals: Arrivals,
) -> Simulator:
    try:
        return Simulator(
            host=host,
            port=port,
            on_receipt=arrivals.put,
            webhook_url=webhook_url,
            webhook_headers=webhook_headers,
            on_webhook=arrivals.put,
        ).start()
    except ValueError as error:
        raise CommandError(str(error)) from error
    except (OSError, OverflowError) as error:
        raise CommandError(f"Can't listen on {host}, port {port}: {error}.") from error


def _line(arrival: Receipt | WebhookDelivery) -> str:
    if isinstance(arrival, Receipt):
        return _request_line(arrival)
    return _webhook_line(arrival)


def _webhook_line(delivery: WebhookDelivery) -> str:
    """Return one line about a webhook, without the secret in its URL."""
    words = [
        f"{delivery.posted_at.astimezone():%H:%M:%S}",
        urlsplit(delivery.shown_url).path,
        delivery.body["IdOmniMess"],
        delivery.body["Status"],
        # An error can quote what the site answered, and that could hold control characters.
        ascii(delivery.error)[1:-1] if delivery.http_status is None else str(delivery.http_status),
    ]
    return "  ".join(words)


def _request_line(receipt: Receipt) -> str:
    """Return one line about a request, without its password and parameters."""
    # What a client sent is escaped: it could hold control characters of the terminal.
    words = [f"{receipt.received_at.astimezone():%H:%M:%S}", ascii(receipt.path)[1:-1]]
    if receipt.outcome is not None:
        words += [
            phone.mask(receipt.phone_number),
            ascii(receipt.template_code)[1:-1],
            receipt.outcome.name.lower(),
        ]
    return "  ".join(words)
