"""Certificates, servers and transports for the client's tests."""

import contextlib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
import trustme

from django_etelecom.client.curl import CurlTransport
from django_etelecom.client.opaque import Opaque
from django_etelecom.client.transport import NoAnswer, Response, Transport
from tests.client.fault_server import FaultServer

PATIENCE = 10.0
"""Seconds, of a transport whose peer is never waited for: no loaded machine is so late."""
CONNECT_TIMEOUT = 0.5
TIMEOUT = 0.6
IMPATIENT = {"connect_timeout": CONNECT_TIMEOUT, "timeout": TIMEOUT}
"""Of a transport whose peer lets it wait until the time is up."""


class AnyTransport(Protocol):
    """What every transport can do."""

    def post(self, url: str, body: Opaque[bytes]) -> Response | NoAnswer: ...
    def close(self) -> None: ...


def sockets_transport(
    *, connect_timeout: float, timeout: float, trusted: Path, **options: Any
) -> AnyTransport:
    return Transport(
        connect_timeout=connect_timeout,
        timeout=timeout,
        ssl_context=ssl.create_default_context(cafile=trusted),
        **options,
    )


def curl_transport(
    *, connect_timeout: float, timeout: float, trusted: Path, **options: Any
) -> AnyTransport:
    return CurlTransport(
        connect_timeout=connect_timeout,
        timeout=timeout,
        authorities=str(trusted),
        **options,
    )


TRANSPORTS = {"sockets": sockets_transport, "curl": curl_transport}
"""Every transport passes the same contract."""


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def trusted(authority, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def server_context(authority: trustme.CA, host: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host).configure_cert(context)
    return context


@pytest.fixture(scope="session")
def tls(authority) -> ssl.SSLContext:
    return server_context(authority)


@pytest.fixture
def serve() -> Iterator[Callable[..., FaultServer]]:
    """Start a `FaultServer` that lives as long as the test."""
    with contextlib.ExitStack() as servers:
        yield lambda *args, **kwargs: servers.enter_context(FaultServer(*args, **kwargs))


@contextlib.contextmanager
def made_as(kind: str, trusted: Path) -> Iterator[Callable[..., AnyTransport]]:
    """Make transports of a kind that trust the test's authority, and close them."""
    with contextlib.ExitStack() as transports:

        def make(**kwargs: Any) -> AnyTransport:
            times = {"connect_timeout": PATIENCE, "timeout": PATIENCE}
            transport = TRANSPORTS[kind](trusted=trusted, **{**times, **kwargs})
            transports.callback(transport.close)
            return transport

        yield make


@pytest.fixture(params=TRANSPORTS)
def make_transport(request, trusted) -> Iterator[Callable[..., AnyTransport]]:
    """Make a transport, of each kind there is."""
    with made_as(request.param, trusted) as make:
        yield make


@pytest.fixture
def transport(make_transport) -> AnyTransport:
    return make_transport()


@pytest.fixture
def impatient(make_transport) -> AnyTransport:
    return make_transport(**IMPATIENT)


@pytest.fixture
def make_sockets(trusted) -> Iterator[Callable[..., AnyTransport]]:
    """Make a transport over our own connections, whose inside the test reaches into."""
    with made_as("sockets", trusted) as make:
        yield make


@pytest.fixture
def sockets(make_sockets) -> AnyTransport:
    return make_sockets()


@pytest.fixture
def make_curl(trusted) -> Iterator[Callable[..., AnyTransport]]:
    """Make a transport over libcurl, of which the test wants what no other can."""
    with made_as("curl", trusted) as make:
        yield make


@pytest.fixture
def curl(make_curl) -> AnyTransport:
    return make_curl()
