"""Connections that know how far an exchange has come and when it must end.

http.client reads the answers. Dialling and writing are our own: a connection dials only before the
request, every read and write takes from one budget of time and bytes, the request leaves in one
write, and the moment before that write is on record.
"""

import concurrent.futures
import contextvars
import http.client
import io
import re
import socket
import ssl
import threading
import time
from typing import Any

from .codes import Failure
from .opaque import Opaque

MAX_IDLE = 4.0
"""Seconds for which a kept connection is trusted; a server's close may be on its way after that."""

MAX_RECEIVED = 128 * 1024
"""Bytes of one answer, headers and framing included; TLS's own are not counted."""


STATUS_LINE = re.compile(rb"HTTP/1\.[0-9][ \t]+[1-9][0-9]{2}(?:[ \t\r\n]|\Z)")
"""How an answer begins. http.client takes `+2_00` for 200, and libcurl `2000` or `200;`; of an
HTTP that is none, such as 3.1 or 2001.0, libcurl takes whatever status it says for 200."""

FIELD_LINE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*(?:\r?\n)?\Z")
"""A header (RFC 9112). At another line, and at a CR within one, http.client ends the headers, so
that a length behind it counts for nothing; libcurl passes over it. One that is folded is none here
either."""

BLANK_LINES = (b"\r\n", b"\n", b"")
"""What ends the headers, the end of the stream included. At CR CR LF libcurl ends them, and
http.client reads on."""

OWS = " \t"
"""What may stand around a value (RFC 9110). More is white to Python, which takes `9\\x1d` for 9."""

_CHUNK_LINE = re.compile(rb"[0-9A-Fa-f]+[ \t]*(?:;.*|\r)?\n\Z")
"""What stands before a piece of a body that comes in chunks. http.client takes `-1` and `1_0`, and
the `0` of a line that was cut off for the end of the body."""


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


class Lines(io.BufferedReader):
    """What http.client reads of an answer, in which each line is what has its place there."""

    _place = STATUS_LINE
    number_read = 0
    """Bytes that http.client has taken, of those that came."""
    _chunk_left: int | None = None
    """Bytes that a chunk still has; None: none has begun."""

    def begin_body(self) -> None:
        """Note that all headers have been read."""
        self._place = _CHUNK_LINE

    def read(self, size: int | None = -1, /) -> bytes:
        piece = super().read(size)
        self.number_read += len(piece)
        if self._chunk_left:
            self._chunk_left -= len(piece)
        elif self._chunk_left == 0 and not b"\r\n".startswith(piece):
            # http.client takes any two bytes for the end of a chunk.
            raise http.client.HTTPException("a chunk that is longer than it says")
        return piece

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        self.number_read += len(line)
        is_blank = line in BLANK_LINES
        if not is_blank and not self._place.match(line):
            raise http.client.HTTPException("a line that has no place there")
        if self._place is STATUS_LINE:
            self._place = FIELD_LINE
        elif is_blank:
            # Another answer follows one of kind 100.
            self._place = STATUS_LINE
        elif self._place is _CHUNK_LINE:
            self._chunk_left = int(line.partition(b";")[0], 16) or None
            if self._chunk_left is None:
                # Headers may follow the last chunk, which is empty.
                self._place = FIELD_LINE
        return line


class Connection:
    """A connection to one server, dialled for its first request. Used by one thread at a time."""

    def __init__(self, host: str, port: int, ssl_context: ssl.SSLContext | None) -> None:
        """Make a connection.

        Args:
            host: a name, or an address without brackets.
            port: of the server.
            ssl_context: what to trust; None: plain HTTP.
        """
        self._host = host
        self._port = port
        self._ssl_context = ssl_context
        self._socket: socket.socket | None = None
        self._lines: Lines | None = None
        self._last_used = 0.0

    def ask(self, head: bytes, body: Opaque[bytes]) -> http.client.HTTPResponse:
        """Send a request in one write and return the answer, its body yet to be read.

        Args:
            head: the request's first lines, but for the end of the last one: the body's length.
            body: what to send.
        """
        if self._socket is None:
            self._socket = self._dialled()
        current.get().failure = Failure.INTERNAL_ERROR
        current.get().sent = True
        self._socket.sendall(
            b"%b%d\r\n\r\n%b" % (head, len(body.reveal()), body.reveal()),
        )
        response = http.client.HTTPResponse(self._socket, method="POST")
        response.fp = self._lines = lines = Lines(response.fp.detach())
        response.begin()
        lines.begin_body()
        lengths = {told.strip(OWS) for told in response.headers.get_all("Content-Length", [])}
        # Of two http.client believes the first, and takes `+1_0` for 10.
        if len(lengths) > 1 or not all(map(str.isdecimal, lengths)):
            raise http.client.HTTPException("no length")
        return response

    def is_drained(self) -> bool:
        """Tell whether nothing has come but the answer that was read."""
        return self._lines is not None and self._lines.number_read == current.get().received

    def is_fresh(self) -> bool:
        """Tell whether a kept connection may carry another request, as far as can be seen here."""
        kept = self._socket
        if kept is None or time.monotonic() - self._last_used >= MAX_IDLE:
            return False
        kept.settimeout(0.0)
        try:
            # Of the plain socket, also under TLS: whatever has come, it is no answer of ours.
            socket.socket.recv(kept, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def keep(self) -> None:
        """Note that the connection has just carried a whole answer."""
        self._last_used = time.monotonic()

    def close(self) -> None:
        # What reads of a socket keeps it open.
        kept, self._socket, self._lines = self._socket, None, None
        if kept is not None:
            kept.close()

    def _dialled(self) -> socket.socket:
        exchange = current.get()
        connection = self._plain(exchange)
        if self._ssl_context is None:
            return connection
        exchange.failure = Failure.TLS_FAILED
        try:
            return self._ssl_context.wrap_socket(connection, server_hostname=self._host.rstrip("."))
        except BaseException:
            connection.close()
            raise

    def _plain(self, exchange: Exchange) -> socket.socket:
        exchange.failure = Failure.NAME_RESOLUTION
        addresses = _resolved(self._host, self._port, exchange.time_left())
        exchange.failure = Failure.CONNECT_FAILED
        failed = OSError("the name has no address")
        for position, address in enumerate(addresses):
            try:
                # The addresses that are left get their share of the time.
                return _dialled(exchange, address, shares=len(addresses) - position)
            except OSError as error:
                failed = error
                exchange.failure = _dialling_failure(error)
        raise failed


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
