"""Sends through eTelecom's gateway, hundreds of queued messages at a time; the extra `bulk`."""

import re
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from django.core.exceptions import ImproperlyConfigured

from ..client.opaque import bare
from ..client.protocol import SendResult
from ..client.transport import NoAnswer, Response, send_result
from ..conf import Account
from .base import Land, MayBegin, Outgoing
from .http import HTTPBackend, Posting

T = TypeVar("T")

OLDEST_PYCURL = (7, 45, 7)
"""The first that keeps libcurl from sending a request again."""


class BulkBackend(HTTPBackend):
    """As `HTTPBackend`, over libcurl: one thread carries all that a worker has in flight."""

    def __init__(self, account: Account) -> None:
        fault = fault_of_pycurl()
        if fault:
            raise ImproperlyConfigured(f"BACKEND of account '{account.alias}' {fault}")
        super().__init__(account)

    def carrier(self, concurrency: int, land: Land[T], may_begin: MayBegin[T]) -> "BulkCarrier[T]":
        return BulkCarrier(self.begin, concurrency, land, may_begin)

    def begin(self, outgoing: Outgoing, answered: Callable[[Response | NoAnswer], None]) -> None:
        """Begin to send; `answered` is told in another thread what came of it."""
        self._curl.start(self._send_url, self._body(outgoing), answered)

    def _make_transport(self) -> Posting:
        # Here: its import needs what the extra installs.
        from ..client.curl import CurlTransport

        self._curl = CurlTransport(
            connect_timeout=self.account.connect_timeout,
            timeout=self.account.timeout,
            keep_alive=self.account.keep_alive,
        )
        return self._curl


def fault_of_pycurl() -> str:
    """Return what is wrong with the installed pycurl, as the end of a sentence; "": nothing."""
    try:
        import pycurl
    except ImportError as error:
        return (
            f"needs pycurl, which cannot be imported ({error}): "
            "pip install 'django-etelecom[bulk]'."
        )
    numbers = re.match(r"PycURL/(\d+)\.(\d+)\.(\d+)", pycurl.version)
    is_new = numbers is not None and tuple(map(int, numbers.groups())) >= OLDEST_PYCURL
    # Built with a libcurl of before 7.80, pycurl has no such option whatever its own age.
    if not is_new or not hasattr(pycurl, "PREREQFUNCTION"):
        return (
            "needs pycurl 7.45.7 with libcurl 7.80 or newer, for older ones send a request twice; "
            f"here is {' '.join(pycurl.version.split()[:2])}: "
            "pip install --upgrade 'django-etelecom[bulk]'."
        )
    if not pycurl.version_info()[4] & pycurl.VERSION_ASYNCHDNS:
        return "needs a libcurl whose name resolution ends in time; this one waits for ever."
    return ""


class BulkCarrier(Generic[T]):
    """Keeps up to `concurrency` messages of one account in flight for a worker."""

    def __init__(
        self,
        begin: Callable[[Outgoing, Callable[[Response | NoAnswer], None]], None],
        concurrency: int,
        land: Land[T],
        may_begin: MayBegin[T],
    ) -> None:
        self._begin = begin
        self._may_begin = may_begin
        self._concurrency = concurrency
        self._land = land
        self._lock = threading.Lock()
        self._waiting: deque[tuple[T, Outgoing]] = deque()
        self._flying = 0

    def start(self, ticket: T, outgoing: Outgoing) -> None:
        with self._lock:
            self._waiting.append((ticket, outgoing))
        self._fill()

    def take_back(self) -> list[T]:
        with self._lock:
            taken = [ticket for ticket, _outgoing in self._waiting]
            self._waiting.clear()
        return taken

    def close(self) -> None:
        """Leave the connections to the next worker."""

    def _fill(self) -> None:
        """Begin what waits, as much as there is room for."""
        while True:
            with self._lock:
                if not self._waiting or self._flying >= self._concurrency:
                    return
                ticket, outgoing = self._waiting.popleft()
                if not self._may_begin(ticket):
                    continue
                self._flying += 1
            self._start(ticket, outgoing)

    def _start(self, ticket: T, outgoing: Outgoing) -> None:
        try:
            self._begin(outgoing, partial(self._answered, ticket))
        # Its frames hold the message. What the worker makes of it is the same for every backend.
        except BaseException as error:  # noqa: BLE001
            failed = bare(error)
        else:
            return
        self._flying_less()
        self._land(ticket, partial(_raise, failed))

    def _answered(self, ticket: T, answer: Response | NoAnswer) -> None:
        self._flying_less()
        # First: to read an answer takes longer than to begin the next request.
        self._fill()
        self._land(ticket, partial(send_result, answer))

    def _flying_less(self) -> None:
        with self._lock:
            self._flying -= 1


def _raise(error: BaseException) -> SendResult:
    raise error
