"""What a transport does while all goes well, and what it keeps to itself."""

import errno
import http.client
import os
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from django_etelecom.client import connections
from django_etelecom.client.codes import Failure
from django_etelecom.client.curl import CurlTransport
from django_etelecom.client.opaque import Opaque
from django_etelecom.client.protocol import Outcome
from django_etelecom.client.transport import (
    NoAnswer,
    Response,
    Transport,
    check_url,
    send_result,
)
from tests.client.fault_server import Peer, answer, serve_well


def post(transport, url, body=b"{}"):
    return transport.post(url, Opaque(body))


def echo(peer: Peer) -> None:
    while request := peer.read_request():
        peer.send(answer(request.body))


# The request


def test_request__is_one_post_of_json(transport, serve):
    server = serve(serve_well)
    post(transport, server.url, b'{"a": 1}')
    host = server.url.split("/")[2]
    assert server.requests[0].body == b'{"a": 1}'
    assert sorted(server.requests[0].head.split("\r\n")) == [
        "Accept-Encoding: identity",
        "Content-Length: 8",
        "Content-Type: application/json",
        f"Host: {host}",
        "POST /api HTTP/1.1",
        "User-Agent: django-etelecom",
    ]


def test_request__foreign_headers_stay_away(transport, serve, monkeypatch):
    stock = http.client.HTTPConnection.putrequest

    def traced(self, *args, **kwargs):
        stock(self, *args, **kwargs)
        self.putheader("sentry-trace", "1-2-3")
        self.putheader(b"baggage", b"a=b")

    monkeypatch.setattr(http.client.HTTPConnection, "putrequest", traced)
    server = serve(serve_well)
    post(transport, server.url)
    assert "sentry-trace" not in server.requests[0].head
    assert "baggage" not in server.requests[0].head


def test_response__names_of_headers_in_any_case(transport, serve):
    def behave(peer: Peer) -> None:
        peer.read_request()
        peer.send(answer(headers="X-Name: value\r\n"))

    result = post(transport, serve(behave).url)
    assert result.headers["x-name"] == "value"


# Connections


def test_connection__is_reused(transport, serve, tls):
    server = serve(serve_well, ssl_context=tls)
    for _ in range(3):
        assert send_result(post(transport, server.url)).outcome is Outcome.ACCEPTED
    assert len(server.requests) == 3
    assert server.accepted == 1


def test_connection__is_not_kept_where_none_is_to_be(make_transport, serve, tls):
    server = serve(serve_well, ssl_context=tls)
    transport = make_transport(keep_alive=False)
    for _ in range(3):
        assert send_result(post(transport, server.url)).outcome is Outcome.ACCEPTED
    assert server.accepted == 3
    assert all("Connection: close" in request.head for request in server.requests)


def test_connection__is_trusted_for_some_seconds_only(transport, serve, monkeypatch):
    server = serve(serve_well)
    post(transport, server.url)
    monkeypatch.setattr(connections, "MAX_IDLE", 0.0)
    post(transport, server.url)
    assert server.accepted == 2


def test_connection__is_kept_after_a_refusal(transport, serve):
    def behave(peer: Peer) -> None:
        while peer.read_request():
            peer.send(answer(b"Unauthorized", status="401 Unauthorized"))

    server = serve(behave)
    for _ in range(2):
        post(transport, server.url)
    assert server.accepted == 1


def test_connection__next_address_is_tried(sockets, serve, monkeypatch):
    server = serve(serve_well)
    port = int(server.url.split(":")[2].split("/")[0])
    kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        addresses = [(*kind, closed.getsockname()), (*kind, ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: addresses)
    result = post(sockets, f"http://localhost:{port}/")
    assert send_result(result).outcome is Outcome.ACCEPTED


def test_connection__name_without_an_address(sockets, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
    result = post(sockets, "http://localhost:1/")
    assert (result.failure, result.sent) == (Failure.CONNECT_FAILED, False)


@pytest.mark.parametrize(
    ("number", "detail"),
    [
        (errno.ENETUNREACH, "OSError: Network is unreachable"),
        (errno.ECONNRESET, "ConnectionResetError: Connection reset by peer"),
    ],
)
def test_connection__no_address_answers(sockets, monkeypatch, number, detail):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(connections.LimitedSocket, "connect", fail)
    result = post(sockets, "http://127.0.0.1:1/")
    assert (result.failure, result.sent) == (Failure.CONNECT_FAILED, False)
    assert result.detail == detail


def test_connection__closed_under_the_request_is_not_dialled_again(sockets, serve, monkeypatch):
    def look_away(connection):
        connection._socket.shutdown(socket.SHUT_RDWR)
        return True

    server = serve(serve_well)
    post(sockets, server.url)
    monkeypatch.setattr(connections.Connection, "is_fresh", look_away)
    result = post(sockets, server.url)
    assert isinstance(result, NoAnswer)
    assert result.sent
    assert len(server.requests) == server.accepted == 1


def test_connection__no_more_are_kept_than_the_pool_holds(make_sockets, serve):
    together = threading.Barrier(2)

    def behave(peer: Peer) -> None:
        if peer.read_request():
            together.wait(5)
            peer.send(answer())
            serve_well(peer)

    transport = make_sockets(timeout=10.0, connect_timeout=10.0, pool_size=1)
    server = serve(behave)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: post(transport, server.url), range(2)))
    post(transport, server.url)
    assert server.accepted == 2
    assert len(server.requests) == 3


def test_close__connections_are_closed(transport, serve):
    gone = threading.Event()

    def behave(peer: Peer) -> None:
        serve_well(peer)
        gone.set()

    server = serve(behave)
    post(transport, server.url)
    transport.close()
    assert gone.wait(5)


def test_threads__each_answer_belongs_to_its_request(make_transport, serve):
    transport = make_transport(timeout=10.0, connect_timeout=10.0)
    server = serve(echo)

    def post_many(thread: int) -> list[bool]:
        bodies = [b"%d-%d" % (thread, number) for number in range(25)]
        return [post(transport, server.url, body).body == body for body in bodies]

    with ThreadPoolExecutor(8) as threads:
        rounds = list(threads.map(post_many, range(8)))
    assert all(all(matches) for matches in rounds)
    assert len(server.requests) == 200
    assert server.accepted <= 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_fork__child_opens_its_own_connections(transport, serve):
    server = serve(serve_well)
    post(transport, server.url)
    child = os.fork()
    if child == 0:
        try:
            result = post(transport, server.url)
        finally:
            os._exit(0 if isinstance(result, Response) else 1)
    _, status = os.waitpid(child, 0)
    result = post(transport, server.url)
    assert status == 0
    assert isinstance(result, Response)
    assert server.accepted == 2


def test_fork__connections_belong_to_one_process_id(transport, serve, monkeypatch):
    server = serve(serve_well)
    post(transport, server.url)
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    for _ in range(2):
        post(transport, server.url)
    assert server.accepted == 2


# The environment


def test_environment__proxies_are_not_used(transport, serve, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert isinstance(post(transport, serve(serve_well).url), Response)


def test_environment__netrc_is_not_used(transport, serve, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = serve(serve_well)
    post(transport, server.url)
    assert "authorization" not in server.requests[0].head.lower()


@pytest.mark.parametrize("kind", [Transport, CurlTransport])
def test_environment__authorities_are_not_used(serve, tls, trusted, monkeypatch, kind):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(trusted))
    transport = kind(connect_timeout=1, timeout=1)
    result = post(transport, serve(serve_well, ssl_context=tls).url)
    transport.close()
    assert result.failure is Failure.TLS_FAILED
    assert re.search("issuer|certificate|PEER_FAILED_VERIFICATION", result.detail)


def test_cookies__are_not_kept(transport, serve):
    def behave(peer: Peer) -> None:
        while peer.read_request():
            peer.send(answer(headers="Set-Cookie: session=1; Path=/\r\n"))

    server = serve(behave)
    for _ in range(2):
        post(transport, server.url)
    assert "cookie" not in server.requests[1].head.lower()


# URLs


@pytest.mark.parametrize(
    "url",
    [
        "https://sms.etelecom.vn/api",
        "http://localhost:8000",
        "http://127.0.0.1:8000",
        "http://127.3.2.1",
        "http://[::1]:8000",
    ],
)
def test_check_url__takes(url):
    check_url(url)


def test_post__name_in_other_letters_is_resolved_in_ascii(sockets, monkeypatch):
    asked = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *_, **__: asked.append(host) or [])
    post(sockets, "https://tin-nhắn.example/api")
    assert asked == ["xn--tin-nhn-mq4c.example"]


@pytest.mark.parametrize(
    "url",
    [
        "http://sms.etelecom.vn/api",
        "http://localhost.example",
        "http://127.0.0.1.example",
        "http://127.0.0.1\\@sms.example",
        "http://10.0.0.1",
        "ftp://localhost",
        "sms.etelecom.vn",
        "https://",
        "https://[::1",
        "https://sms.example:99999",
        "https://user:password@sms.example",
        "https://user@sms.example",
        "https://sms.example/?a=b",
        "https://sms.example/#a",
        "",
    ],
)
def test_check_url__refuses(url):
    with pytest.raises(ValueError, match=r"\.$") as caught:
        check_url(url)
    assert "password" not in str(caught.value).replace("user name or password", "")


def test_post__refused_url_opens_nothing(transport, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(ValueError, match="loopback only"):
        post(transport, "http://sms.example/")


# Time


def test_timeout__bounds_the_connecting_too(make_transport, serve, tls):
    transport = make_transport(connect_timeout=60.0, timeout=0.2)
    server = serve(Peer.hang, ssl_context=tls, shakes_hands=False)
    began = time.monotonic()
    result = post(transport, server.url)
    assert time.monotonic() - began < 1.5
    assert result.failure is Failure.CONNECT_TIMEOUT


def test_timeout__may_have_passed_before_anything_began(make_sockets):
    result = post(make_sockets(timeout=0.0), "http://127.0.0.1:1/")
    assert not result.sent
    assert result.detail == "OutOfTime"


def test_timeout__may_have_passed_when_the_connection_stands(sockets, monkeypatch):
    def out_of_time(*_):
        raise connections.OutOfTime

    def connect_slowly(*_):
        monkeypatch.setattr(connections.Exchange, "time_left", out_of_time)

    monkeypatch.setattr(connections.LimitedSocket, "connect", connect_slowly)
    result = post(sockets, "http://127.0.0.1:1/")
    assert (result.failure, result.sent) == (Failure.CONNECT_TIMEOUT, False)


# What comes from outside


class TimeLimit(Exception):
    """As task queues have them: a plain exception, raised by a signal."""


@pytest.mark.parametrize("kind", [TimeLimit, SystemExit, KeyboardInterrupt])
def test_interrupt__while_waiting_for_the_answer(make_transport, serve, kind):
    def stop(*_):
        raise kind("stop")

    def behave(peer: Peer) -> None:
        peer.read_request()
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        peer.hang()

    server = serve(behave)
    transport = make_transport(timeout=5.0)
    before = signal.signal(signal.SIGALRM, stop)
    try:
        result = post(transport, server.url)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert isinstance(result, NoAnswer)
    assert (result.failure, result.sent) == (Failure.INTERRUPTED, True)
    assert type(result.interrupt) is kind
    assert result.interrupt.__traceback__ is None
    assert result.interrupt.__context__ is result.interrupt.__cause__ is None
    assert send_result(result).interrupt is result.interrupt


def test_interrupt__before_the_request(sockets, monkeypatch):
    def stop(*_):
        raise SystemExit

    monkeypatch.setattr(connections, "_resolved", stop)
    result = post(sockets, "https://sms.example/")
    assert (result.failure, result.sent) == (Failure.INTERRUPTED, False)


def test_interrupt__while_dialling(sockets, serve, monkeypatch):
    def stop(*_):
        raise SystemExit

    monkeypatch.setattr(connections.LimitedSocket, "connect", stop)
    result = post(sockets, serve(serve_well).url)
    assert (result.failure, result.sent) == (Failure.INTERRUPTED, False)


@pytest.mark.parametrize("error", [MemoryError(), ZeroDivisionError()])
def test_unknown_error__in_the_write_leaves_the_outcome_open(sockets, serve, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(connections.LimitedSocket, "sendall", fail)
    result = post(sockets, serve(serve_well).url)
    assert (result.failure, result.sent) == (Failure.INTERNAL_ERROR, True)
    assert result.interrupt is None


def test_unknown_error__before_the_write_means_not_sent(sockets, serve, monkeypatch):
    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(connections.Connection, "ask", fail)
    result = post(sockets, serve(serve_well).url)
    assert (result.failure, result.sent) == (Failure.INTERNAL_ERROR, False)
    assert send_result(result).outcome is Outcome.NOT_SENT
