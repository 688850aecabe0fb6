"""The reports that the simulated gateway posts by itself: planned, posted in time, and kept.

No public page documents the gateway's webhook. The keys are those that its known consumers read.
"""

import contextlib
import heapq
import http.client
import itertools
import json
import re
import socket
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import SplitResult, urlsplit

from .gateway import new_id
from .loopback import loopback
from .outcomes import VIETTEL, Report, Webhook

POST_SECONDS = 5.0
"""How long one webhook may take, from its connection to the end of the answer."""

LARGEST_ANSWER_BYTES = 65_536
LARGEST_QUEUE = 10_000
KEPT_DELIVERIES = 10_000

HIDDEN = "•••"

# The only channel whose name in a webhook is known, and it is not the one of GetStatusOmni.
WEBHOOK_CHANNELS = {"SMS": "BrandnameSMS"}

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[ -~]*")


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """One webhook, and what came back."""

    url: str = field(repr=False)
    """As it was given, with its secret; `shown_url` hides it."""
    body: dict[str, Any]
    http_status: int | None
    """None if no answer came."""
    error: str
    """Why no answer came; empty if one did."""
    posted_at: datetime
    """UTC; when the posting began."""

    @property
    def shown_url(self) -> str:
        """The URL for lines that others may read: the last part of its path is a secret."""
        parts = urlsplit(self.url)
        path = re.sub(r"[^/]+(/*)$", rf"{HIDDEN}\1", parts.path)
        return f"{parts.scheme}://{parts.netloc}{path}{f'?{HIDDEN}' if parts.query else ''}"


@dataclass(frozen=True, slots=True)
class _Target:
    """A URL, taken apart for a connection."""

    url: str
    address: str
    port: int
    host: str
    path: str


class Webhooks:
    """Post what is planned from a thread of its own, each at its time.

    Args:
        url: where to; None plans and posts nothing.
        headers: sent along with each post.
        report_seconds: the length of a webhook's step.
        late_report_seconds: from the acceptance to a webhook that comes late.
        on_posting: called with the message's id and the report, just before the post.
        on_delivery: called with each delivery in order, once it is kept.

    Raises:
        ValueError: the URL is not `http` on the loopback, or a header cannot be sent.
    """

    def __init__(
        self,
        *,
        url: str | None,
        headers: Mapping[str, str],
        report_seconds: float,
        late_report_seconds: float,
        on_posting: Callable[[str, Report], object],
        on_delivery: Callable[[WebhookDelivery], object] | None,
    ) -> None:
        self.url = url
        self._headers = _checked_headers(headers)
        self._report_seconds = report_seconds
        self._late_report_seconds = late_report_seconds
        self._on_posting = on_posting
        self._on_delivery = on_delivery
        self._deliveries: deque[WebhookDelivery] = deque(maxlen=KEPT_DELIVERIES)
        # Reentrant, so that `on_delivery` may look at the deliveries.
        self._deliveries_lock = threading.RLock()
        # When each is due, by the monotonic clock; the number keeps the order of equal times.
        self._planned: list[tuple[float, int, str, Report]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._stopping = False
        self._open: set[socket.socket] = set()

    @property
    def url(self) -> str | None:
        return None if self._target is None else self._target.url

    @url.setter
    def url(self, url: str | None) -> None:
        self._target = None if url is None else _target(url)

    @property
    def deliveries(self) -> list[WebhookDelivery]:
        with self._deliveries_lock:
            return list(self._deliveries)

    def clear(self) -> None:
        with self._deliveries_lock:
            self._deliveries.clear()

    def start(self) -> None:
        """Begin to post what is due, and what fell due since `stop()`."""
        self._stopping = False
        self._thread = threading.Thread(target=self._post_what_is_due)
        self._thread.start()

    def stop(self) -> None:
        """Hang up on every receiver and join the thread; what is planned stays so."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            for connection in self._open:
                _hang_up(connection)
        self._thread.join()

    def plan(self, provider_message_id: str, webhooks: Sequence[Webhook]) -> None:
        """Post what comes before the answer, by the thread that calls; plan everything else."""
        target = self._target
        if target is None:
            return
        now = time.monotonic()
        for webhook in webhooks:
            message_id = new_id() if webhook.forged_id else provider_message_id
            if webhook.step == 0:
                self._post(message_id, webhook.report)
                continue
            seconds = webhook.step * self._report_seconds
            if webhook.late:
                seconds = self._late_report_seconds
            with self._changed:
                full = len(self._planned) >= LARGEST_QUEUE
                if not full:
                    planned = (now + seconds, next(self._numbers), message_id, webhook.report)
                    heapq.heappush(self._planned, planned)
                    self._changed.notify_all()
            if full:
                error = f"not posted: {LARGEST_QUEUE} others wait"
                self._keep(target, _body(message_id, webhook.report), None, error)

    def _post_what_is_due(self) -> None:
        while (due := self._next()) is not None:
            self._post(*due)

    def _next(self) -> tuple[str, Report] | None:
        """Wait for the next webhook and return it; None once it is time to end."""
        with self._changed:
            while not self._stopping:
                seconds = self._planned[0][0] - time.monotonic() if self._planned else None
                if seconds is not None and seconds <= 0:
                    return heapq.heappop(self._planned)[2:]
                self._changed.wait(seconds)
        return None

    def _post(self, provider_message_id: str, report: Report) -> None:
        target = self._target
        if target is None:
            # The URL was taken away since this was planned.
            return
        self._on_posting(provider_message_id, report)
        body = _body(provider_message_id, report)
        posted_at = datetime.now(UTC)
        http_status, error = self._exchange(target, json.dumps(body).encode("ascii"))
        self._keep(target, body, http_status, error, posted_at)

    def _exchange(self, target: _Target, body: bytes) -> tuple[int | None, str]:
        """Return the HTTP status, or why there is none."""
        headers = {"Host": target.host, "Content-Type": "application/json", "Connection": "close"}
        connection = http.client.HTTPConnection(target.address, target.port, timeout=POST_SECONDS)
        ends_at = time.monotonic() + POST_SECONDS
        try:
            connection.connect()
            with self._hung_up_in_time(connection.sock):
                connection.request("POST", target.path, body, headers | self._headers)
                with connection.getresponse() as response:
                    # Read, since a site whose answer nobody takes would log a broken pipe.
                    response.read(LARGEST_ANSWER_BYTES)
                return response.status, ""
        except (OSError, http.client.HTTPException) as error:
            if self._stopping:
                return None, "the simulator was stopped"
            if time.monotonic() >= ends_at:
                return None, f"no answer within {POST_SECONDS:g} s"
            return None, f"{type(error).__name__}: {error}"
        finally:
            connection.close()

    @contextlib.contextmanager
    def _hung_up_in_time(self, connection: socket.socket) -> Iterator[None]:
        """End the connection after POST_SECONDS, or as soon as `stop()` is called."""
        with self._changed:
            if self._stopping:
                raise ConnectionAbortedError
            self._open.add(connection)
        # A socket's own timeout begins anew with each byte.
        timer = threading.Timer(POST_SECONDS, _hang_up, (connection,))
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            timer.join()
            with self._changed:
                self._open.discard(connection)

    def _keep(
        self,
        target: _Target,
        body: dict[str, Any],
        http_status: int | None,
        error: str,
        posted_at: datetime | None = None,
    ) -> None:
        posted_at = posted_at or datetime.now(UTC)
        delivery = WebhookDelivery(target.url, body, http_status, error, posted_at)
        # One lock over keeping and telling: both are in the same order.
        with self._deliveries_lock:
            self._deliveries.append(delivery)
            if self._on_delivery is None:
                return
            try:
                self._on_delivery(delivery)
            # An observer's own fault is told, as the server tells it, and the posting goes on.
            except Exception:  # noqa: BLE001
                traceback.print_exc()


def _body(provider_message_id: str, report: Report) -> dict[str, Any]:
    paid_messages = int(report.extra.get("mtcount", "0"))
    return {
        "IdOmniMess": provider_message_id,
        "Status": report.status,
        "Channel": WEBHOOK_CHANNELS.get(report.channel, report.channel),
        "ErrorCode": report.error_code,
        "MtCount": paid_messages,
        "TelcoId": VIETTEL,
        "IsCharged": str(paid_messages > 0),
    }


def _target(url: str) -> _Target:
    """Take a webhook's URL apart; no error shows its path, where the secret is.

    Raises:
        ValueError: it is not an `http` URL of the loopback.
    """
    parts, port = _split(url)
    if parts is None or parts.scheme != "http" or "@" in parts.netloc:
        raise ValueError(
            "A webhook's URL has the form http://127.0.0.1:PORT/PATH, and this one has another."
        )
    address = loopback(parts.hostname or "")
    if address is None:
        raise ValueError(
            "The simulator posts webhooks to 127.0.0.1 and its like only, "
            f"and {parts.hostname!r} is none of them."
        )
    query = f"?{parts.query}" if parts.query else ""
    return _Target(url, address, port, parts.netloc, (parts.path or "/") + query)


def _split(url: str) -> tuple[SplitResult | None, int]:
    """Return the parts of the URL and its port; None for what is no URL."""
    # Other characters cannot stand in the head of a request, and urlsplit drops some silently.
    if re.fullmatch(r"[!-~]+", url):
        with contextlib.suppress(ValueError):
            parts = urlsplit(url)
            return parts, 80 if parts.port is None else parts.port
    return None, 0


def _checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers.

    Raises:
        ValueError: one cannot be sent; its value, which may be a secret, is not shown.
    """
    for name, value in headers.items():
        if not (_HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)):
            raise ValueError(f"The webhook's header {name!r} is not plain ASCII of one line.")
    return dict(headers)


def _hang_up(connection: socket.socket) -> None:
    # Its other end may have closed it already.
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
