"""What the transport over libcurl does beyond the contract of all transports."""

import os
import queue
import threading
import time

import pycurl
import pytest

from django_etelecom.client import curl as curl_module
from django_etelecom.client.codes import Failure
from django_etelecom.client.kept import Kept
from django_etelecom.client.opaque import Opaque
from django_etelecom.client.transport import NoAnswer, Response
from tests.client.fault_server import Peer, answer, serve_well


def post(transport, url, body=b"{}"):
    return transport.post(url, Opaque(body))


def test_close__what_is_in_flight_has_its_answer(curl, serve):
    read, may_answer = threading.Event(), threading.Event()
    came = []
    landed = threading.Event()

    def behave(peer: Peer) -> None:
        peer.wait_for_bytes()
        read.set()
        may_answer.wait(5)
        serve_well(peer)

    def answered(answer):
        came.append(answer)
        landed.set()

    server = serve(behave)
    curl.start(server.url, Opaque(b"{}"), answered)
    assert read.wait(5)
    curl.close()
    may_answer.set()

    assert landed.wait(5)
    assert isinstance(came[0], Response)


def test_close__is_no_end(curl, serve):
    server = serve(serve_well)
    curl.close()
    for _ in range(2):
        assert isinstance(post(curl, server.url), Response)
        curl.close()
    assert server.accepted == 2


def fail(*_):
    raise MemoryError


def test_loop__that_fails_before_a_request_sent_nothing(curl, serve, monkeypatch):
    server = serve(serve_well)
    with monkeypatch.context() as failing:
        failing.setattr(curl_module._Handle, "begin", fail)
        result = post(curl, server.url)
    assert isinstance(result, NoAnswer)
    assert (result.failure, result.sent) == (Failure.INTERNAL_ERROR, False)
    assert result.detail == "MemoryError"

    assert isinstance(post(curl, server.url), Response)


def test_loop__that_fails_leaves_the_outcome_open_of_what_flies(curl, serve, monkeypatch):
    server = serve(serve_well)
    with monkeypatch.context() as failing:
        failing.setattr(curl_module._Handle, "answer", fail)
        result = post(curl, server.url)
    assert isinstance(result, NoAnswer)
    assert (result.failure, result.sent) == (Failure.INTERNAL_ERROR, True)

    assert isinstance(post(curl, server.url), Response)
    assert len(server.requests) == 2


def test_loop__that_ends_tells_what_it_has_not_begun(curl):
    loop = curl._loop_of_this_process()
    ended = threading.Event()
    stop = loop._stop
    came = []

    def stop_late():
        loop.end()
        loop._inbox.put(curl_module._Flight("http://127.0.0.1:1/", Opaque(b""), came.append))
        stop()
        ended.set()

    loop._stop = stop_late
    loop.end()

    assert ended.wait(5)
    assert [(one.failure, one.sent) for one in came] == [(Failure.INTERNAL_ERROR, False)]
    assert not loop.take(curl_module._Flight("http://127.0.0.1:1/", Opaque(b""), came.append))


def test_loop__that_ends_meanwhile_is_followed_by_another(curl, serve, monkeypatch):
    take = curl_module._Loop.take
    ended = iter([False])
    monkeypatch.setattr(
        curl_module._Loop, "take", lambda loop, flight: next(ended, True) and take(loop, flight)
    )
    assert isinstance(post(curl, serve(serve_well).url), Response)


def test_post__error_of_ours_leaves_the_outcome_open(curl, monkeypatch):
    monkeypatch.setattr(curl, "start", fail)
    result = post(curl, "http://127.0.0.1:1/")
    assert (result.failure, result.sent) == (Failure.INTERNAL_ERROR, True)
    assert result.interrupt is None


def test_connection__that_libcurl_has_closed_is_no_fresh_one():
    kept = Kept()
    ours, theirs = os.pipe()
    os.close(theirs)
    kept.note(1, ours)
    os.close(ours)
    assert kept.is_stale(1)
    kept.note(2, -1)
    assert not kept.is_stale(2)
    kept.close()


def test_timeout__before_the_name_is_known_is_the_resolvers():
    kept = Kept()
    handle = curl_module._Handle({}, kept)
    assert handle._failure_before(pycurl.E_OPERATION_TIMEDOUT, 0) is Failure.NAME_RESOLUTION
    handle.curl.close()
    kept.close()


def test_connection__in_use_is_no_fresh_one():
    kept = Kept()
    assert not kept.is_stale(1)
    # Its answer has come, and nobody has noted it yet.
    assert kept.is_stale(1)
    # Dialled anew.
    assert not kept.is_stale(1)
    kept.close()


def test_what_comes_behind_an_answer_meets_no_request_that_waits(curl, serve):
    def behave(peer: Peer) -> None:
        while peer.read_request() is not None:
            whole = answer(b"its own")
            # Apart by more than a read takes: what comes with the headers libcurl reads with them,
            # and no further than to the end of the body what comes after.
            peer.send(whole[:-7])
            time.sleep(0.002)
            peer.send(whole[-7:] + answer(b"astray"))

    server = serve(behave)
    came: queue.SimpleQueue[Response | NoAnswer] = queue.SimpleQueue()
    in_flight, bodies = 0, []
    while len(bodies) < 2_000:
        while in_flight < 64:
            curl.start(server.url, Opaque(b"{}"), came.put)
            in_flight += 1
        bodies.append(came.get().body)
        in_flight -= 1
    assert {*bodies} == {b"its own"}


def test_answer__that_breaks_off_in_a_fold_leaves_the_next_one_whole(curl, serve):
    def behave(peer: Peer) -> None:
        peer.read_request()
        if server.accepted == 1:
            # In a read each: the state that is left is that of a blank with nothing behind it. It
            # is read before the reset, which would throw it away. That libcurl has read, nothing
            # tells; where it is slower than that, the test asks less.
            peer.send(b"HTTP/1.1 200 OK\r\nX: a\r\n")
            time.sleep(0.05)
            peer.send(b" ")
            time.sleep(0.05)
            peer.reset()
            return
        peer.send(answer(b"whole"))

    server = serve(behave)
    assert isinstance(post(curl, server.url), NoAnswer)
    assert post(curl, server.url).body == b"whole"


@pytest.mark.parametrize("trailer", ["  }", "0", ": X", "X: \0", "X: \rY"])
@pytest.mark.parametrize("headers", ["", "X: Y\r\n"])
def test_answer__trailer_that_is_none(curl, serve, trailer, headers):
    lines = [f"HTTP/1.1 200 OK\r\n{headers}Transfer-Encoding: chunked", "", "2", "{}", "0"]
    raw = "\r\n".join([*lines, trailer, "", ""]).encode()

    result = post(curl, serve(lambda peer: (peer.read_request(), peer.send(raw))).url)

    if isinstance(result, NoAnswer):
        assert result.failure in (Failure.BAD_ANSWER, Failure.NOT_HTTP, Failure.CONNECTION_LOST)
        assert result.sent
    else:
        assert (result.status, result.body) == (200, b"{}")


def test_url__may_change_from_post_to_post(curl, serve):
    servers = [serve(serve_well), serve(serve_well)]
    for server in (*servers, *servers):
        assert isinstance(post(curl, server.url), Response)
    assert [len(server.requests) for server in servers] == [2, 2]
