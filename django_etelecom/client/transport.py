"""One POST that knows, rather than guesses, whether a byte of the request could have left.

No redirects, no retries, no proxies, no cookies, nothing from the environment. The exceptions of
HTTP libraries say little about how far a request came, so the connection itself keeps the record
(`connections.py`), and what comes back is a value: an answer, or the reason why there is none.
"""

import contextlib
import copy
import dataclasses
import ipaddress
import os
import ssl
from collections.abc import Iterator, Mapping
from http.client import HTTPException, IncompleteRead
from typing import Any, cast
from urllib.parse import urlsplit

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from .codes import Failure
from .connections import (
    Exchange,
    KnowingHTTPPool,
    KnowingHTTPSPool,
    LimitedTLSSocket,
    TooMuch,
    current,
)
from .interrupts import comes_from_outside
from .opaque import Opaque, bare
from .protocol import Outcome, SendResult, decipher_send
from .status import StatusResult, decipher_status
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
        self._adapter = _Adapter(self._ssl_context, pool_size)
        self._pid = os.getpid()
        self._requests: dict[str, requests.PreparedRequest] = {}

    def post(self, url: str, body: Opaque[bytes]) -> Response | NoAnswer:
        """Post a JSON body once. Raises for nothing that network, peer or a stop signal do.

        Raises:
            ValueError: as `check_url`, before anything is opened.
        """
        request = self._requests.get(url) or self._prepared(url)
        exchange = Exchange(connect_timeout=self._connect_timeout, timeout=self._timeout)
        token = current.set(exchange)
        try:
            if not self._keep_alive:
                with contextlib.closing(_Adapter(self._ssl_context, 1)) as adapter:
                    return _answered(adapter, request, body)
            return _answered(self._adapter_of_this_process(), request, body)
        # Everything, for a worker's SystemExit or a soft time limit leaves the outcome as open as
        # a lost connection does. The frames below hold the credentials: nothing of them goes on.
        except BaseException as error:  # noqa: BLE001
            return _no_answer(exchange, error)
        finally:
            current.reset(token)

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._adapter.close()

    def _prepared(self, url: str) -> requests.PreparedRequest:
        check_url(url)
        headers = {
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": "django-etelecom",
        }
        if not self._keep_alive:
            headers["Connection"] = "close"
        request = requests.Request("POST", url, headers=headers).prepare()
        self._requests[url] = request
        return request

    def _adapter_of_this_process(self) -> "_Adapter":
        # A connection must not be shared with the process that this one was forked from.
        # Without a lock, which a fork could leave taken: at worst a second adapter lives once.
        if self._pid != os.getpid():
            self._adapter = _Adapter(self._ssl_context, self._pool_size)
            self._pid = os.getpid()
        return self._adapter


class _Adapter(HTTPAdapter):
    """requests' adapter over our connections."""

    def __init__(self, ssl_context: ssl.SSLContext, pool_size: int) -> None:
        self._ssl_context = ssl_context
        super().__init__(pool_connections=4, pool_maxsize=pool_size, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {
            "http": KnowingHTTPPool,
            "https": KnowingHTTPSPool,
        }

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: object, cert: object = None
    ) -> tuple[Any, Any]:
        parts = urlsplit(request.url or "")
        host = {"scheme": parts.scheme, "host": parts.hostname, "port": parts.port}
        return host, {"ssl_context": self._ssl_context} if parts.scheme == "https" else {}

    def cert_verify(self, *args: Any) -> None:
        """Leave trust to the context; the stock method loads certifi's file at every connect."""

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Hand the answer over as it is; the stock method collects its cookies."""
        response = requests.Response()
        response.raw = resp
        return response


def _answered(
    adapter: _Adapter, prepared: requests.PreparedRequest, body: Opaque[bytes]
) -> Response | NoAnswer:
    # A shallow copy with headers of its own: the prepared request serves all threads.
    request = copy.copy(prepared)
    request.body = body.reveal()
    length = {"Content-Length": str(len(body.reveal()))}
    request.headers = cast("Any", {**prepared.headers, **length})
    raw = adapter.send(request, stream=True, timeout=None).raw
    try:
        if raw.status < 200:
            # http.client takes 103 for the answer; the real one would meet the next request.
            return NoAnswer(Failure.BAD_ANSWER, sent=True, detail=f"HTTP {raw.status}")
        read = bytearray()
        # A short body passes the first read; only an empty one is its end.
        while len(read) <= MAX_BODY and (
            piece := raw.read(MAX_BODY + 1 - len(read), decode_content=False)
        ):
            read += piece
        return Response(raw.status, raw.headers, bytes(read))
    finally:
        # Without effect where the body was read to its end: the connection is back in its pool.
        raw.close()


def _no_answer(exchange: Exchange, error: BaseException) -> NoAnswer:
    if comes_from_outside(error):
        return NoAnswer(Failure.INTERRUPTED, exchange.sent, type(error).__name__, bare(error))
    chain = list(_chain(error))
    failure, link = _failure_after(chain) if exchange.sent else _failure_before(exchange, chain)
    return NoAnswer(failure, exchange.sent, _detail(link))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk from an error of requests down to the one that began it."""
    link: BaseException | None = error
    while link is not None:
        yield link
        wrapped = (getattr(link, "reason", None), *link.args, link.__cause__, link.__context__)
        link = next((inner for inner in wrapped if isinstance(inner, BaseException)), None)


def _failure_before(
    exchange: Exchange, chain: list[BaseException]
) -> tuple[Failure, BaseException]:
    if exchange.failure is Failure.TLS_FAILED and isinstance(chain[-1], TimeoutError):
        return Failure.CONNECT_TIMEOUT, chain[-1]
    return exchange.failure, chain[-1]


_FAILURES_AFTER: list[tuple[type[BaseException], Failure]] = [
    (TimeoutError, Failure.TIMEOUT),
    (TooMuch, Failure.BAD_ANSWER),
    (ConnectionError, Failure.CONNECTION_LOST),
    (IncompleteRead, Failure.CONNECTION_LOST),
    (HTTPException, Failure.NOT_HTTP),
    (OSError, Failure.CONNECTION_LOST),
    # urllib3's own; most of them wrap one of the above.
    (HTTPError, Failure.NOT_HTTP),
]
"""What an error after the write means: the first line that one of the chain is of."""


def _failure_after(chain: list[BaseException]) -> tuple[Failure, BaseException]:
    for kind, failure in _FAILURES_AFTER:
        for link in chain:
            # Those of requests are all OSErrors, and say nothing.
            if isinstance(link, kind) and not isinstance(link, requests.RequestException):
                return failure, link
    return Failure.INTERNAL_ERROR, chain[-1]


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
