"""One POST that knows, rather than guesses, whether a byte of the request could have left.

No redirects, no retries, no proxies, no cookies, nothing from the environment. The exceptions of
HTTP libraries say little about how far a request came, so the connection itself keeps the record
(`connections.py`), and what comes back is a value: an answer, or the reason why there is none.
"""

import dataclasses
import http.client
import ipaddress
import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import certifi
import requests
import urllib3
from requests.adapters import HTTPAdapter

from .codes import Failure
from .connections import (
    Exchange,
    KnowingHTTPPool,
    KnowingHTTPSPool,
    LimitedTLSSocket,
    OutOfTime,
    TooMuch,
    current,
)
from .opaque import Opaque
from .protocol import MAX_BODY, Outcome, SendResult, decipher_send


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer that came whole, or was cut where it passed `MAX_BODY`."""

    status: int
    headers: Mapping[str, str]
    """Names in any case."""
    body: bytes
    """At most MAX_BODY + 1 bytes, as they came."""


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
    ) -> None:
        """Make a transport.

        Args:
            connect_timeout: seconds for name resolution, connection and TLS handshake.
            timeout: seconds for the whole exchange.
            ssl_context: what to trust; by default the authorities that certifi lists.
            pool_size: connections kept open at most.
        """
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._ssl_context = ssl_context or ssl.create_default_context(cafile=certifi.where())
        self._ssl_context.sslsocket_class = LimitedTLSSocket
        self._pool_size = pool_size
        self._lock = threading.Lock()
        self._adapter = _Adapter(self._ssl_context, pool_size)
        self._pid = os.getpid()
        self._prepared: dict[str, requests.PreparedRequest] = {}

    def post(self, url: str, body: Opaque[bytes]) -> Response | NoAnswer:
        """Post a JSON body once. Raises for nothing that network, peer or a stop signal do.

        Raises:
            ValueError: as `check_url`, before anything is opened.
        """
        request = self._prepared.get(url) or self._prepare(url)
        exchange = Exchange(connect_timeout=self._connect_timeout, timeout=self._timeout)
        token = current.set(exchange)
        try:
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

    def _prepare(self, url: str) -> requests.PreparedRequest:
        check_url(url)
        request = requests.Request(
            "POST",
            url,
            headers={
                "Accept-Encoding": "identity",
                "Content-Type": "application/json",
                "User-Agent": "django-etelecom",
            },
        ).prepare()
        self._prepared[url] = request
        return request

    def _adapter_of_this_process(self) -> "_Adapter":
        # A connection must not be shared with the process that this one was forked from.
        if self._pid != os.getpid():
            with self._lock:
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


def _answered(
    adapter: _Adapter, prepared: requests.PreparedRequest, body: Opaque[bytes]
) -> Response | NoAnswer:
    request = prepared.copy()
    request.body = body.reveal()
    request.headers["Content-Length"] = str(len(body.reveal()))
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
        answer = Response(raw.status, raw.headers, bytes(read))
        if len(read) <= MAX_BODY:
            raw.release_conn()
        return answer
    finally:
        # Without effect where the connection went back to its pool.
        raw.close()


def _no_answer(exchange: Exchange, error: BaseException) -> NoAnswer:
    if not isinstance(error, Exception):
        error.__cause__ = error.__context__ = None
        return NoAnswer(
            Failure.INTERRUPTED,
            exchange.sent,
            type(error).__name__,
            error.with_traceback(None),
        )
    failure = _failure_after(exchange, error) if exchange.sent else _failure_before(exchange, error)
    return NoAnswer(failure, exchange.sent, _detail(error))


def _failure_before(exchange: Exchange, error: Exception) -> Failure:
    if exchange.is_out_of_time() and exchange.failure is not Failure.NAME_RESOLUTION:
        return Failure.CONNECT_TIMEOUT
    return exchange.failure


def _failure_after(exchange: Exchange, error: Exception) -> Failure:
    chain = list(_chain(error))
    if exchange.is_out_of_time() or _any(chain, OutOfTime):
        return Failure.TIMEOUT
    if _any(chain, TooMuch):
        return Failure.BAD_ANSWER
    if _any(chain, ConnectionError, http.client.IncompleteRead, urllib3.exceptions.IncompleteRead):
        return Failure.CONNECTION_LOST
    if _any(chain, http.client.HTTPException, urllib3.exceptions.DecodeError):
        return Failure.NOT_HTTP
    if _any(chain, OSError):
        return Failure.CONNECTION_LOST
    return Failure.INTERNAL_ERROR


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Walk from an error of requests down to what it wraps."""
    seen: list[BaseException] = []
    ahead: list[object] = [error]
    while ahead and len(seen) < 50:
        candidate = ahead.pop()
        if isinstance(candidate, BaseException) and candidate not in seen:
            seen.append(candidate)
            yield candidate
            ahead += [candidate.__cause__, candidate.__context__, *candidate.args]
            ahead.append(getattr(candidate, "reason", None))


def _any(chain: list[BaseException], *kinds: type[BaseException]) -> bool:
    # requests' ConnectionError is an OSError too, and says nothing.
    return any(
        isinstance(error, kinds)
        for error in chain
        if not isinstance(error, requests.RequestException)
    )


def _detail(error: BaseException) -> str:
    """Name the innermost error; its words could quote the request, its class and number cannot."""
    innermost = list(_chain(error))[-1]
    number = getattr(innermost, "errno", None)
    words = f": {os.strerror(number)}" if isinstance(number, int) and number > 0 else ""
    return type(innermost).__name__ + words


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
