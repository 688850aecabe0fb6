"""The contract of every transport: what each fault of a network or a peer looks like to us.

Whatever happens, the question "could a byte of the request have left?" has the right answer, the
answer comes in time and in little memory, and the peer never sees a request twice.
"""

import contextlib
import dataclasses
import gzip
import socket
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable

import pytest
import trustme

from django_etelecom.client.codes import Failure
from django_etelecom.client.opaque import Opaque
from django_etelecom.client.protocol import MAX_BODY, Outcome
from django_etelecom.client.transport import NoAnswer, Response, send_result
from tests.client.conftest import CONNECT_TIMEOUT, IMPATIENT, TIMEOUT, server_context
from tests.client.fault_server import BODY, Peer, answer, serve_one, serve_well

LATE = 0.7
"""Seconds by which an answer may be late on a machine that is not."""
TICK = 0.01
MEMORY = 3 * 1024 * 1024
"""Bytes that an exchange and the test's own server may take at their peak."""
WIRE = 16 * 1024 * 1024
"""Bytes that a peer may get rid of: most of them fill the kernel's buffers."""

BOMB = gzip.compress(bytes(50_000_000))


@contextlib.contextmanager
def in_time(timeout):
    """Find that something takes no longer than this, but for what the machine itself is late."""
    done = threading.Event()
    late = []

    def watch() -> None:
        asked = time.monotonic()
        while not done.wait(TICK):
            late.append(time.monotonic() - asked - TICK)
            asked = time.monotonic()

    watching = threading.Thread(target=watch)
    watching.start()
    began = time.monotonic()
    try:
        yield
    finally:
        took = time.monotonic() - began
        done.set()
        watching.join()
    # Each tick of a machine that has nothing else to do is some thousandths of a second late.
    assert took < timeout + LATE + sum(tick for tick in late if tick > TICK)


def post(transport, url, body=b'{"a": 1}', timeout=TIMEOUT):
    """Post once; return the answer, once its time and memory have been found to be bounded."""
    tracemalloc.start()
    with in_time(timeout):
        result = transport.post(url, Opaque(body))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MEMORY + len(body)
    assert not isinstance(result, Response) or len(result.body) <= MAX_BODY + 1
    return result


def wait_for_close() -> None:
    """Give the close of a kept connection the time to arrive."""
    time.sleep(0.1)


# Nothing left


def assert_nothing_left(result, *failures):
    assert isinstance(result, NoAnswer)
    assert not result.sent
    assert result.failure in failures
    assert send_result(result).outcome is Outcome.NOT_SENT


@pytest.fixture(params=["http", "https"])
def scheme(request):
    return request.param


@pytest.fixture
def context(scheme, tls):
    return tls if scheme == "https" else None


def test_refused(transport, scheme):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = post(transport, f"{scheme}://127.0.0.1:{port}/")
    assert_nothing_left(result, Failure.CONNECTION_REFUSED)


def test_name_not_found(transport, monkeypatch):
    def not_found(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", not_found)
    assert_nothing_left(post(transport, "https://sms.example/"), Failure.NAME_RESOLUTION)


def test_name_that_no_resolver_takes(transport):
    result = post(transport, f"https://{'a' * 64}.example/")
    assert_nothing_left(result, Failure.NAME_RESOLUTION)


def test_resolver_that_hangs(make_sockets, monkeypatch):
    # libcurl asks the system's resolver in a thread of its own, which no test can make hang.
    woken = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: woken.wait(5) and [])
    result = post(make_sockets(**IMPATIENT), "https://sms.example/")
    woken.set()
    assert_nothing_left(result, Failure.NAME_RESOLUTION)


def test_backlog_full(impatient, scheme):
    with contextlib.ExitStack() as sockets:
        listener = sockets.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        result = post(impatient, f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/")
    assert_nothing_left(result, Failure.CONNECT_TIMEOUT)


def shake_hands_and_serve(peer: Peer) -> None:
    peer.shake_hands()
    serve_well(peer)


def garbage(peer: Peer) -> None:
    peer.wait_for_bytes()
    peer.send(b"\x00garbage\r\n\r\n")


def closed(peer: Peer) -> None:
    peer.connection.recv(65536)
    peer.close()


def reset(peer: Peer) -> None:
    peer.wait_for_bytes()
    peer.reset()


def hang(peer: Peer) -> None:
    peer.hang()


def trickled_handshake(peer: Peer) -> None:
    peer.wait_for_bytes()
    # A handshake record of 16 KB that never comes to its end.
    peer.send(b"\x16\x03\x03\x40\x00")
    peer.trickle(b"\x02")


@pytest.mark.parametrize(
    ("behave", "failure"),
    [
        (garbage, Failure.TLS_FAILED),
        (closed, Failure.TLS_FAILED),
        (reset, Failure.TLS_FAILED),
        (hang, Failure.CONNECT_TIMEOUT),
        (trickled_handshake, Failure.CONNECT_TIMEOUT),
    ],
)
def test_handshake(make_transport, serve, tls, behave, failure):
    transport = make_transport(**(IMPATIENT if failure is Failure.CONNECT_TIMEOUT else {}))
    server = serve(behave, ssl_context=tls, shakes_hands=False)
    result = post(transport, server.url, timeout=CONNECT_TIMEOUT)
    assert_nothing_left(result, failure)


def test_untrusted_certificate(transport, serve):
    server = serve(serve_well, ssl_context=server_context(trustme.CA()))
    result = post(transport, server.url)
    assert_nothing_left(result, Failure.TLS_FAILED)
    assert server.requests == []


def test_certificate_of_another_host(transport, serve, authority):
    server = serve(serve_well, ssl_context=server_context(authority, "other.example"))
    result = post(transport, server.url)
    assert_nothing_left(result, Failure.TLS_FAILED)
    assert server.requests == []


def test_kept_connection_closed_then_refused(transport, serve, context):
    server = serve(serve_one, ssl_context=context)
    post(transport, server.url)
    server.stop_listening()
    wait_for_close()
    result = post(transport, server.url)
    assert_nothing_left(result, Failure.CONNECTION_REFUSED)
    assert len(server.requests) == 1


# Sent, and no answer to be understood


@dataclasses.dataclass(frozen=True)
class Fault:
    """What a peer does, and what we call it."""

    behave: Callable[[Peer], None]
    failures: tuple[Failure, ...]
    requests: int = 1
    """How many requests the peer reads."""
    http_status: int | None = None
    """Of an answer that came, though it is none of the provider's."""
    may_be_cut: bool = False
    """Whether an answer that is too long may also count as one that came."""
    is_bounded: bool = True
    """Whether the peer gets rid of little."""
    seconds: float = TIMEOUT
    """Within which the exchange is over."""


def reset_after_reading(peer: Peer) -> None:
    peer.read_request()
    peer.reset()


def closed_after_reading(peer: Peer) -> None:
    peer.read_request()


def hang_after_reading(peer: Peer) -> None:
    peer.read_request()
    peer.hang()


def says(*raw: bytes, then: Callable[[Peer], None] = Peer.close) -> Callable[[Peer], None]:
    def behave(peer: Peer) -> None:
        peer.read_request()
        for piece in raw:
            peer.send(piece)
        then(peer)

    return behave


def floods(piece: bytes) -> Callable[[Peer], None]:
    return lambda peer: peer.flood(piece)


def trickles(piece: bytes) -> Callable[[Peer], None]:
    return lambda peer: peer.trickle(piece)


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BOMBED = answer(BOMB, headers="Content-Encoding: gzip\r\n")
BOMBED_REDIRECT = answer(
    BOMB,
    status="302 Found",
    headers="Content-Encoding: gzip\r\nLocation: http://127.0.0.1:9/\r\n",
)
LOST, LATE_ANSWER = (Failure.CONNECTION_LOST,), (Failure.TIMEOUT,)
BAD, NOT_HTTP = (Failure.BAD_ANSWER,), (Failure.NOT_HTTP,)

FAULTS = {
    "reset instead of reading": Fault(reset, LOST, requests=0),
    "reset after reading": Fault(reset_after_reading, LOST),
    "closed after reading": Fault(closed_after_reading, LOST),
    "hang": Fault(hang_after_reading, LATE_ANSWER),
    "status line cut": Fault(says(b"HTTP/1.1 20"), (*LOST, *NOT_HTTP)),
    "trickled header": Fault(says(OK, b"X: ", then=trickles(b"a")), LATE_ANSWER),
    "trickled headers": Fault(says(OK, then=trickles(b"X: a\r\n")), LATE_ANSWER),
    "trickled body": Fault(
        says(OK, b"Content-Length: 999\r\n\r\n", then=trickles(b" ")), LATE_ANSWER
    ),
    "trickled body without length": Fault(says(OK, b"\r\n", then=trickles(b" ")), LATE_ANSWER),
    "trickled chunks": Fault(says(CHUNKED, then=trickles(b"1\r\na\r\n")), LATE_ANSWER),
    "trickled trailers": Fault(says(CHUNKED, b"0\r\n", then=trickles(b"X: a\r\n")), LATE_ANSWER),
    "trickled 100s": Fault(says(then=trickles(b"HTTP/1.1 100 Continue\r\n\r\n")), LATE_ANSWER),
    "endless 100s": Fault(says(then=floods(b"HTTP/1.1 100 Continue\r\n\r\n")), BAD),
    "endless headers": Fault(says(OK, then=floods(b"X: a\r\n")), (*BAD, *NOT_HTTP)),
    "one endless header": Fault(says(OK, b"X: ", then=floods(b"a")), (*BAD, *NOT_HTTP)),
    "endless status line": Fault(says(then=floods(b"HTTP")), (*BAD, *NOT_HTTP)),
    "endless body": Fault(
        says(OK, b"Content-Length: 999999999\r\n\r\n", then=floods(b" ")), BAD, http_status=200
    ),
    "endless body without length": Fault(
        says(OK, b"\r\n", then=floods(b" ")), BAD, http_status=200
    ),
    # By the bytes of the framing or by those of the body, whichever are too many first.
    "endless chunks": Fault(
        says(CHUNKED, then=floods(b"5\r\nabcde\r\n")),
        BAD,
        may_be_cut=True,
        # Thirteen thousand of them, each seen by tracemalloc and by coverage.
        seconds=4 * TIMEOUT,
    ),
    "one endless chunk": Fault(
        says(CHUNKED, b"fffffff\r\n", then=floods(b" ")), BAD, http_status=200
    ),
    "chunk of size -1": Fault(
        says(CHUNKED, b"-1\r\n", then=floods(b" ")), (*BAD, *LOST, *NOT_HTTP)
    ),
    "chunk that is longer than it says": Fault(
        says(CHUNKED, b'f\r\n{"status": "1"}-10\r\n\r\n'), (*LOST, *NOT_HTTP)
    ),
    "chunk without size": Fault(says(CHUNKED, b"x\r\n"), (*LOST, *NOT_HTTP)),
    # Of some length: twenty thousand lines take tracemalloc and coverage longer than an answer may.
    "endless trailers": Fault(
        says(CHUNKED, b"0\r\n", then=floods(b"X: " + 60 * b"a" + b"\r\n")), BAD
    ),
    # libcurl passes over it without a word, in no memory, until the time is up.
    "endless chunk extension": Fault(
        says(CHUNKED, b"1;", then=floods(b"a")),
        (*BAD, *NOT_HTTP, *LOST, *LATE_ANSWER),
        is_bounded=False,
    ),
    "body shorter than its length": Fault(says(OK, b"Content-Length: 999\r\n\r\n", BODY), LOST),
    "body shorter than its length, and a hang": Fault(
        says(OK, b"Content-Length: 999\r\n\r\n", BODY, then=Peer.hang), LATE_ANSWER
    ),
    "body shorter than its length, which is beyond all numbers": Fault(
        says(OK, b"Content-Length: %d\r\n\r\n" % 10**30, BODY), (*BAD, *LOST)
    ),
    "body longer than its length": Fault(
        says(OK, b"Content-Length: 9\r\n\r\n", BODY), BAD, http_status=200
    ),
    "two lengths": Fault(
        says(OK, b"Content-Length: 9\r\nContent-Length: 10\r\n\r\n", BODY), NOT_HTTP
    ),
    "two lengths, one beyond all numbers": Fault(
        says(OK, b"Content-Length: 60\r\nContent-Length: %d\r\n\r\n" % 10**30, BODY),
        (*BAD, *NOT_HTTP),
    ),
    **{
        f"length {length!r}": Fault(
            says(OK + b"Content-Length: " + length + b"\r\n\r\n" + BODY), (*BAD, *NOT_HTTP)
        )
        for length in (
            b"",
            b"x",
            b"+%d" % len(BODY),
            b"%d, %d" % (len(BODY), len(BODY)),
            b"0_9",
            b"-1",
            b"%d \x1d" % len(BODY),
            b"\x0b%d" % len(BODY),
            b"%d\xa0" % len(BODY),
            b"%d\x85" % len(BODY),
        )
    },
    "two encodings, the last one none": Fault(
        says(answer(headers="Content-Encoding: gzip\r\nContent-Encoding: identity\r\n")),
        BAD,
        http_status=200,
    ),
    **{
        f"status {status}": Fault(says(answer(status=f"{status} OK")), (*BAD, *NOT_HTTP))
        for status in ("0200", "2000", "2_00", "+200", "200;", "20", "000", "0401", "4_01")
    },
    **{
        f"line {line!r} among the headers": Fault(
            says(OK + line + b"\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY),
            (*BAD, *NOT_HTTP),
        )
        for line in (
            b"no colon",
            b"Content-Length : 9",
            b" folded: 9",
            b": no name",
            b"\xc3\xa9: 9",
            b"CR: a\rb",
            b"NUL: a\0b",
            b"\r",
        )
    },
    # At CR CR LF one reader ends the headers, and another reads on.
    **{
        f"{blank!r} behind the headers": Fault(
            says(OK + b"Content-Length: %d\r\n" % len(BODY) + blank + BODY), (*BAD, *NOT_HTTP)
        )
        for blank in (b"\r\r\n\r\n", b"\r\r\n\n", b"\r\r\n")
    },
    "encoding of an odd name": Fault(
        says(answer(headers="Content-Encoding: identity\x1d\r\n")), BAD, http_status=200
    ),
    **{
        f"chunk of size {size!r}": Fault(
            says(CHUNKED + size % len(BODY) + b"\r\n" + BODY + b"\r\n0\r\n\r\n"),
            (*BAD, *NOT_HTTP, *LOST),
        )
        for size in (b"+%x", b" %x", b"0x%x", b"0_%x")
    },
    "truncated chunk": Fault(says(CHUNKED, b"ff\r\nabc"), LOST),
    **{
        f"size {cut!r} of a chunk, cut off": Fault(
            says(CHUNKED + b"%x\r\n%s\r\n" % (len(BODY), BODY) + cut), (*LOST, *NOT_HTTP)
        )
        for cut in (b"0", b"0\r", b"00", b"0;name")
    },
    **{
        f"version {version}": Fault(
            says(answer().replace(b"1.1 200", version.encode() + b" 500", 1)), (*BAD, *NOT_HTTP)
        )
        for version in ("3.1", "2001.0", "2.0", "2", "0.9", "1", "11.1")
    },
    "bomb": Fault(says(BOMBED), BAD, http_status=200),
    "bombed redirect": Fault(says(BOMBED_REDIRECT), BAD, http_status=302),
    "103": Fault(says(b"HTTP/1.1 103 Early Hints\r\n\r\n", answer()), BAD),
    "not HTTP": Fault(says(b"SSH-2.0-OpenSSH_9.6\r\n"), NOT_HTTP),
}


def assert_sent(result, fault: Fault):
    if isinstance(result, NoAnswer):
        assert fault.http_status is None
        assert result.sent
    elif fault.may_be_cut:
        assert len(result.body) > MAX_BODY
    else:
        assert isinstance(result, Response)
        assert result.status == fault.http_status
    meaning = send_result(result)
    assert meaning.outcome is Outcome.UNKNOWN
    assert meaning.failure in fault.failures


@pytest.mark.parametrize("name", FAULTS)
def test_sent(make_transport, serve, context, name):
    fault = FAULTS[name]
    transport = make_transport(**(IMPATIENT if Failure.TIMEOUT in fault.failures else {}))
    server = serve(fault.behave, ssl_context=context)
    result = post(transport, server.url, timeout=fault.seconds)
    assert_sent(result, fault)
    assert len(server.requests) == fault.requests
    assert server.accepted == 1
    assert server.bytes_sent < WIRE or not fault.is_bounded


def test_reset_at_once(transport, serve, context):
    # Before our write or after it, as the kernel will have it: both words for it are true.
    server = serve(Peer.reset, ssl_context=context)
    result = post(transport, server.url)
    assert isinstance(result, NoAnswer)
    assert result.failure is (Failure.CONNECTION_LOST if result.sent else Failure.CONNECT_FAILED)
    assert server.requests == []
    assert server.accepted == 1


def test_slow_reader_of_a_large_body(impatient, serve, context):
    server = serve(hang, ssl_context=context, small_buffers=True)
    result = post(impatient, server.url, b"a" * 8_000_000)
    assert_sent(result, Fault(hang, LATE_ANSWER))
    assert server.accepted == 1


def test_client_certificate_wanted(transport, serve, authority):
    context = server_context(authority)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    server = serve(serve_well, ssl_context=context)
    result = post(transport, server.url)
    assert_sent(result, Fault(serve_well, LOST))
    assert server.requests == []


@pytest.mark.parametrize("fault", [reset_after_reading, closed_after_reading])
def test_reused_connection_lost_after_reading(transport, serve, context, fault):
    def behave(peer: Peer) -> None:
        serve_one(peer)
        fault(peer)

    server = serve(behave, ssl_context=context)
    assert isinstance(post(transport, server.url), Response)
    result = post(transport, server.url)
    assert_sent(result, Fault(behave, LOST))
    # libcurl dials before it asks whether it may send again.
    assert len(server.requests) == 2


# Redialled, and sent once


@pytest.mark.parametrize("end", [Peer.close, Peer.reset])
def test_kept_connection_already_closed(transport, serve, context, end):
    answered, ended = threading.Event(), threading.Event()

    def behave(peer: Peer) -> None:
        serve_one(peer)
        if server.accepted == 1:
            answered.wait(5)
            end(peer)
            ended.set()

    server = serve(behave, ssl_context=context)
    post(transport, server.url)
    answered.set()
    ended.wait(5)
    wait_for_close()
    result = post(transport, server.url)
    assert send_result(result).outcome is Outcome.ACCEPTED
    assert len(server.requests) == 2
    assert server.accepted == 2


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_body_of_an_answer_without_one_meets_no_later_request(transport, serve, context, status):
    def behave(peer: Peer) -> None:
        peer.read_request()
        if server.accepted == 1:
            peer.send(f"HTTP/1.1 {status}\r\n\r\n".encode())
            # It comes later than the look that a kept connection gets.
            peer.read_request()
        peer.send(answer(b"%d" % server.accepted))

    server = serve(behave, ssl_context=context)
    post(transport, server.url)
    result = post(transport, server.url)
    assert isinstance(result, Response)
    assert result.body == b"2"


def test_what_comes_behind_an_answer_meets_no_later_request(transport, serve, context):
    def behave(peer: Peer) -> None:
        peer.read_request()
        if server.accepted == 1:
            peer.send(answer(b"1") + b"\r\n")
            # It comes later than the look that a kept connection gets.
            peer.read_request()
            peer.send(answer(b"astray"))
        peer.send(answer(b"%d" % server.accepted))

    server = serve(behave, ssl_context=context)
    assert post(transport, server.url).body == b"1"
    assert post(transport, server.url).body == b"2"


def test_answer_after_103_meets_no_later_request(transport, serve, context):
    def behave(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" if server.accepted == 1 else b"")
        peer.send(answer(b"%d" % server.accepted))
        peer.hang()

    server = serve(behave, ssl_context=context)
    post(transport, server.url)
    result = post(transport, server.url)
    assert isinstance(result, Response)
    assert result.body == b"2"


# Answers


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect"])
def test_redirect__is_an_answer_and_not_followed(transport, serve, context, status):
    target = serve(serve_well, ssl_context=context)
    redirect = answer(b"", status=status, headers=f"Location: {target.url}\r\n")
    server = serve(says(redirect), ssl_context=context)
    result = post(transport, server.url)
    assert isinstance(result, Response)
    assert result.status == int(status[:3])
    assert send_result(result).outcome is Outcome.UNKNOWN
    assert target.accepted == 0


@pytest.mark.parametrize(
    "raw",
    [
        answer(),
        OK + b"\r\n" + BODY,
        CHUNKED + b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
        CHUNKED + b"00%X ;a=b\r\n%s\r\n0 \r\nX: a\r\n\r\n" % (len(BODY), BODY),
        b"HTTP/1.1 100 Continue\r\nX: a\r\n\r\n" + answer(),
        b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
    ],
    ids=["length", "no length", "chunked", "chunked, with all there is", "after 100", "HTTP/1.0"],
)
def test_answer(transport, serve, context, raw):
    server = serve(says(raw, then=Peer.say_goodbye), ssl_context=context)
    result = post(transport, server.url)
    assert isinstance(result, Response)
    assert result.body == BODY
    assert len(server.requests) == 1
