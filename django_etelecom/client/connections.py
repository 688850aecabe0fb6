"""Connections that know how far an exchange has come and when it must end.

urllib3 and http.client do the HTTP. What is changed: a connection dials only before the request,
every read and write takes from one budget of time and bytes, the request leaves in one write, and
the moment before that write is on record.
"""

import concurrent.futures
import contextvars
import http.client
import socket
import ssl
import threading
import time
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NewConnectionError

from .codes import Failure

MAX_IDLE = 4.0
"""Seconds for which a kept connection is trusted; a server's close may be on its way after that."""

MAX_RECEIVED = 128 * 1024
"""Bytes of one answer, headers and framing included; TLS's own are not counted."""

OUR_HEADERS = frozenset(
    {"accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"}
)
"""All that we say; tracing tools like to add headers of their own to every request."""


class OutOfTime(TimeoutError):
    """The time for the exchange has passed."""


class TooMuch(OSError):
    """The peer sent more than any answer has."""


class Exchange:
    """One request and its answer: how far it has come, and what is left to it."""

    def __init__(self, *, connect_timeout: float, timeout: float) -> None:
        now = time.monotonic()
        self.deadline = now + timeout
        self.connect_deadline = min(now + connect_timeout, self.deadline)
        self.received = 0
        self.sent = False
        """Whether a byte of the request may have left."""
        self.failure = Failure.INTERNAL_ERROR
        """What it is called if it fails at this point, before a byte left."""

    def time_left(self) -> float:
        """Return the seconds left to this phase.

        Raises:
            OutOfTime: there are none.
        """
        left = (self.deadline if self.sent else self.connect_deadline) - time.monotonic()
        if left <= 0:
            raise OutOfTime("the time has passed")
        return left

    def count(self, received: int) -> int:
        self.received += received
        if self.received > MAX_RECEIVED:
            raise TooMuch(f"more than {MAX_RECEIVED} bytes")
        return received


current: contextvars.ContextVar[Exchange] = contextvars.ContextVar("exchange")
"""The exchange of this thread; by it no signature of a library has to carry ours."""


class LimitedSocket(socket.socket):
    """A plain socket whose every read and write is bounded by the exchange."""

    def recv_into(self, *args: Any) -> int:
        exchange = current.get()
        self.settimeout(exchange.time_left())
        return exchange.count(super().recv_into(*args))

    def sendall(self, *args: Any) -> None:
        # The timeout of a socket bounds a whole sendall.
        self.settimeout(current.get().time_left())
        super().sendall(*args)


class LimitedTLSSocket(ssl.SSLSocket):
    """A TLS socket whose every read and write is bounded by the exchange."""

    def recv_into(self, *args: Any) -> int:
        exchange = current.get()
        self.settimeout(exchange.time_left())
        return exchange.count(super().recv_into(*args))

    def send(self, *args: Any) -> int:
        # The sendall of a TLS socket is a loop of these.
        self.settimeout(current.get().time_left())
        return super().send(*args)


class _QuietResponse(http.client.HTTPResponse):
    """An answer whose unparsable header lines, which may echo the request, are not logged."""

    def begin(self) -> None:
        super().begin()
        self.msg.set_payload("")
        self.msg.defects.clear()


class _KnowingConnection(HTTPConnection):
    # Never dial again by itself: what looks closed may have carried the request away.
    auto_open = 0
    # A global debuglevel would print bodies.
    debuglevel = 0
    response_class = _QuietResponse

    _last_used = 0.0
    _request = b""

    @property
    def is_connected(self) -> bool:
        return super().is_connected and time.monotonic() - self._last_used < MAX_IDLE

    def connect(self) -> None:
        try:
            super().connect()
        except OSError as error:
            # urllib3 passes over a reset in `request`, for an answer may have come all the same.
            raise NewConnectionError(self, "no connection") from error
        current.get().failure = Failure.INTERNAL_ERROR

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.is_closed:
            self.connect()
        try:
            super().request(*args, **kwargs)
            current.get().sent = True
            super().send(self._request)
        finally:
            self._request = b""

    def send(self, data: Any) -> None:
        """Collect the request; it leaves when it is whole."""
        self._request += data

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        response = super().getresponse(*args, **kwargs)
        self._last_used = time.monotonic()
        return response

    def putheader(self, header: Any, *values: Any) -> None:
        if str(header).lower() in OUR_HEADERS:
            super().putheader(header, *values)

    def _new_conn(self) -> socket.socket:
        exchange = current.get()
        exchange.failure = Failure.NAME_RESOLUTION
        addresses = _resolved(self._dns_host, self.port, exchange.time_left())
        exchange.failure = Failure.CONNECT_FAILED
        failed = OSError("the name has no address")
        for position, address in enumerate(addresses):
            try:
                # The addresses that are left get their share of the time.
                connection = _dialled(exchange, address, shares=len(addresses) - position)
            except OSError as error:
                failed = error
                exchange.failure = _dialling_failure(error)
            else:
                exchange.failure = Failure.TLS_FAILED
                return connection
        raise failed


class KnowingHTTPConnection(_KnowingConnection):
    """Plain HTTP, to the loopback."""


class KnowingHTTPSConnection(_KnowingConnection, HTTPSConnection):
    """HTTP over TLS."""


class KnowingHTTPPool(HTTPConnectionPool):
    ConnectionCls = KnowingHTTPConnection


class KnowingHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = KnowingHTTPSConnection


def _dialled(exchange: Exchange, address: Any, *, shares: int) -> socket.socket:
    family, kind, protocol, _name, place = address
    connection = LimitedSocket(family, kind, protocol)
    try:
        connection.settimeout(exchange.time_left() / shares)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.connect(place)
        # What is left of the time to connect bounds the whole TLS handshake.
        connection.settimeout(exchange.time_left())
    except BaseException:
        connection.close()
        raise
    return connection


def _dialling_failure(error: OSError) -> Failure:
    if isinstance(error, ConnectionRefusedError):
        return Failure.CONNECTION_REFUSED
    if isinstance(error, TimeoutError):
        return Failure.CONNECT_TIMEOUT
    return Failure.CONNECT_FAILED


def _resolved(host: str, port: int, seconds: float) -> list[Any]:
    """Return `getaddrinfo`'s answer.

    Raises:
        TimeoutError: it did not come in time.
        OSError, UnicodeError: as `getaddrinfo`.
    """
    answer: concurrent.futures.Future[list[Any]] = concurrent.futures.Future()

    def resolve() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        # Whatever it is, the thread that waits will raise it.
        except Exception as error:  # noqa: BLE001
            answer.set_exception(error)

    # The system's resolver knows no timeout; a thread that hangs in it is left behind and ends
    # when the resolver gives up.
    threading.Thread(target=resolve, name="etelecom-resolver", daemon=True).start()
    return answer.result(seconds)
