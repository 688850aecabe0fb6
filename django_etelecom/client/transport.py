"""One POST that knows, rather than guesses, whether a byte of the request could have left.

No redirects, no retries, no proxies, no cookies, nothing from the environment. Exceptions say
little about how far a request came, so the connection itself keeps the record (`connections.py`),
and what comes back is a value: an answer, or the reason why there is none.
"""

import contextlib
import dataclasses
import ipaddress
import os
import ssl
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse, IncompleteRead
from typing import cast
from urllib.parse import quote, urlsplit

import certifi

from .codes import Failure
from .connections import Connection, Exchange, LimitedTLSSocket, TooMuch, current
from .interrupts import comes_from_outside
from .opaque import Opaque, bare
from .protocol import Outcome, SendResult, decipher_send
from .status import StatusResult, decipher_status
from .templates import TemplatesResult, decipher_templates
from .wire import MAX_BODY


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer that came whole, or was cut where it passed `MAX_BODY`."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes = dataclasses.field(repr=False)
    """At most MAX_BODY + 1 bytes, as they came; kept out of reprs, for it may echo a parameter."""


@dataclasses.dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why there is no answer."""

    failure: Failure
    sent: bool
    """False: provably no byte of the request left."""
    detail: str
    """A technical sentence without anything of the request."""
    interrupt: BaseException | None = None
    """What told this process to stop, to be raised again by the caller."""


def check_url(url: str) -> None:
    """Check that credentials may travel to `url`: https, or http to the loopback.

    Raises:
        ValueError: they may not, or it is not such a URL. The sentence does not quote it.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        raise ValueError("this is not a URL.") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("the URL begins with https:// and a host.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL holds no user name or password.")
    if "?" in url or "#" in url:
        raise ValueError("the URL ends with its path.")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("http is for the loopback only; use https.")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


WITHOUT_BODY = {204, 304}
"""Kinds of answers that have none, behind which no connection is kept: a body that a server gives
to them all the same would be taken for the answer to the next request."""

Origin = tuple[str, str, int]
"""Scheme, host and port."""


class Transport:
    """Posts to one provider over kept connections. One instance serves many threads."""

    def __init__(
        self,
        *,
        connect_timeout: float,
        timeout: float,
        ssl_context: ssl.SSLContext | None = None,
        pool_size: int = 32,
        keep_alive: bool = True,
    ) -> None:
        """Make a transport.

        Args:
            connect_timeout: seconds for name resolution, connection and TLS handshake.
            timeout: seconds for the whole exchange.
            ssl_context: what to trust, by default the authorities that certifi lists. It belongs to
                the transport from now on.
            pool_size: connections kept open at most.
            keep_alive: False: every request has a connection of its own, so that no answer but its
                own can come on it.
        """
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._ssl_context = ssl_context or ssl.create_default_context(cafile=certifi.where())
        self._ssl_context.sslsocket_class = LimitedTLSSocket
        self._pool_size = pool_size
        self._keep_alive = keep_alive
        self._pid = os.getpid()
        self._targets: dict[str, _Target] = {}
        self._kept: dict[Origin, list[Connection]] = {}

    def post(self, url: str, body: Opaque[bytes]) -> Response | NoAnswer:
        """Post a JSON body once. Raises for nothing that network, peer or a stop signal do.

        Raises:
            ValueError: as `check_url`, before anything is opened.
        """
        target = self._targets.get(url) or self._target(url)
        exchange = Exchange(connect_timeout=self._connect_timeout, timeout=self._timeout)
        token = current.set(exchange)
        try:
            return self._answered(target, body)
        # Everything, for a worker's SystemExit or a soft time limit leaves the outcome as open as
        # a lost connection does. The frames below hold the credentials: nothing of them goes on.
        except BaseException as error:  # noqa: BLE001
            return _no_answer(exchange, error)
        finally:
            current.reset(token)

    def close(self) -> None:
        """Close the connections that are not in use."""
        kept, self._kept = self._kept, {}
        for connections in kept.values():
            for connection in connections:
                connection.close()

    def _target(self, url: str) -> "_Target":
        target = self._targets[url] = _target(url, keep_alive=self._keep_alive)
        return target

    def _answered(self, target: "_Target", body: Opaque[bytes]) -> Response | NoAnswer:
        connection = self._connection(target.origin)
        is_kept = False
        try:
            response = connection.ask(target.head, body)
            if response.status < 200:
                # http.client takes 103 for the answer; the real one would meet the next request.
                return NoAnswer(Failure.BAD_ANSWER, sent=True, detail=f"HTTP {response.status}")
            read = _read(response)
            is_kept = (
                response.isclosed()
                and not response.will_close
                and response.status not in WITHOUT_BODY
                # More would belong to no request.
                and connection.is_drained()
                and self._keep_alive
            )
            return Response(response.status, cast("Mapping[str, str]", response.headers), read)
        finally:
            if is_kept:
                self._put_back(target.origin, connection)
            else:
                connection.close()

    def _connection(self, origin: Origin) -> Connection:
        # A connection must not be shared with the process that this one was forked from.
        # Without a lock, which a fork could leave taken: at worst two threads close what is left.
        if self._pid != os.getpid():
            self.close()
            self._pid = os.getpid()
        kept = self._kept.get(origin, [])
        # Until there is none left, which another thread may bring about at any moment.
        with contextlib.suppress(IndexError):
            while True:
                # The one used last: those that are not needed grow old.
                connection = kept.pop()
                if connection.is_fresh():
                    return connection
                connection.close()
        scheme, host, port = origin
        return Connection(host, port, self._ssl_context if scheme == "https" else None)

    def _put_back(self, origin: Origin, connection: Connection) -> None:
        kept = self._kept.setdefault(origin, [])
        if len(kept) >= self._pool_size:
            connection.close()
            return
        connection.keep()
        kept.append(connection)


@dataclasses.dataclass(frozen=True, slots=True)
class _Target:
    """A URL, ready to be posted to."""

    origin: Origin
    head: bytes
    """The first lines of every request, up to the length of its body."""


def _target(url: str, *, keep_alive: bool) -> _Target:
    origin, name, path = parted(url)
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: {name}",
        "Accept-Encoding: identity",
        "Content-Type: application/json",
        "User-Agent: django-etelecom",
        *([] if keep_alive else ["Connection: close"]),
        "Content-Length: ",
    ]
    return _Target(origin, "\r\n".join(lines).encode("ascii"))


def parted(url: str) -> tuple[Origin, str, str]:
    """Return an URL's origin, the name of its host as a request gives it, and its path, in ASCII.

    Raises:
        ValueError: as `check_url`.
    """
    check_url(url)
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host.isascii():
        host = host.encode("idna").decode("ascii")
    name = f"[{host}]" if ":" in host else host
    default_port = 443 if parts.scheme == "https" else 80
    if parts.port not in (None, default_port):
        name += f":{parts.port}"
    path = quote(parts.path or "/", safe="%/:=&~+!$,;@()*")
    return (parts.scheme, host, parts.port or default_port), name, path


def _read(response: HTTPResponse) -> bytes:
    """Read a body to its end, or until it is longer than any that is understood."""
    read = bytearray()
    # A short body passes the first read; only an empty one is its end.
    while len(read) <= MAX_BODY and (piece := response.read(MAX_BODY + 1 - len(read))):
        read += piece
    if len(read) <= MAX_BODY and response.length:
        raise IncompleteRead(b"", response.length)
    return bytes(read)


def _no_answer(exchange: Exchange, error: BaseException) -> NoAnswer:
    if comes_from_outside(error):
        return NoAnswer(Failure.INTERRUPTED, exchange.sent, type(error).__name__, bare(error))
    failure = _failure_after(error) if exchange.sent else _failure_before(exchange, error)
    return NoAnswer(failure, exchange.sent, _detail(error))


def _failure_before(exchange: Exchange, error: BaseException) -> Failure:
    if exchange.failure is Failure.TLS_FAILED and isinstance(error, TimeoutError):
        return Failure.CONNECT_TIMEOUT
    return exchange.failure


_FAILURES_AFTER: list[tuple[type[BaseException], Failure]] = [
    (TimeoutError, Failure.TIMEOUT),
    (TooMuch, Failure.BAD_ANSWER),
    (ConnectionError, Failure.CONNECTION_LOST),
    (IncompleteRead, Failure.CONNECTION_LOST),
    (HTTPException, Failure.NOT_HTTP),
    (OSError, Failure.CONNECTION_LOST),
]
"""What an error after the write means: the first line that it is of."""


def _failure_after(error: BaseException) -> Failure:
    for kind, failure in _FAILURES_AFTER:
        if isinstance(error, kind):
            return failure
    return Failure.INTERNAL_ERROR


def _detail(error: BaseException) -> str:
    """Name the error and what the system says of it; its own words could quote the request."""
    words = ""
    if isinstance(error, ssl.SSLCertVerificationError):
        words = error.verify_message
    elif isinstance(error, ssl.SSLError):
        words = error.reason
    elif isinstance(error, OSError):
        words = error.strerror or ""
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def send_result(answer: Response | NoAnswer) -> SendResult:
    """Tell what an exchange of SendMessage means for the message."""
    if isinstance(answer, Response):
        return decipher_send(answer.status, answer.headers, answer.body)
    return SendResult(
        outcome=Outcome.UNKNOWN if answer.sent else Outcome.NOT_SENT,
        failure=answer.failure,
        failure_detail=answer.detail,
        interrupt=answer.interrupt,
    )


def status_result(answer: Response | NoAnswer) -> StatusResult:
    """Tell what an exchange of GetStatusOmni says of the message."""
    if isinstance(answer, Response):
        return decipher_status(answer.status, answer.headers, answer.body)
    return StatusResult(
        failure=answer.failure, failure_detail=answer.detail, interrupt=answer.interrupt
    )


def templates_result(answer: Response | NoAnswer) -> TemplatesResult:
    """Tell what an exchange of GetTemplate says of the account's templates."""
    if isinstance(answer, Response):
        return decipher_templates(answer.status, answer.headers, answer.body)
    return TemplatesResult(
        failure=answer.failure, failure_detail=answer.detail, interrupt=answer.interrupt
    )
