"""Servers that close kept connections whenever they like: nothing is sent twice."""

import random
import threading
from collections import Counter

import pytest

from django_etelecom.client.opaque import Opaque
from django_etelecom.client.transport import NoAnswer, Response
from tests.client.fault_server import Peer, answer

THREADS, POSTS = 8, 50


def closes_at_random(chance: random.Random):
    """Answer, and close at once, a little later, or when the next request has been read."""

    def behave(peer: Peer) -> None:
        while peer.read_request():
            if chance.random() < 0.1:
                # Read, and never answered.
                (peer.reset if chance.random() < 0.5 else peer.close)()
                return
            peer.send(answer())
            if chance.random() < 0.3:
                peer.server.stopping.wait(chance.random() * 0.002)
                (peer.reset if chance.random() < 0.5 else peer.close)()
                return

    return behave


def post_all(transport, url, *, threads, posts):
    """Post numbered bodies from several threads; return what came of each."""
    results = {}

    def post_some(first: int) -> None:
        for number in range(first, threads * posts, threads):
            body = b"%d" % number
            results[body] = transport.post(url, Opaque(body))

    workers = [threading.Thread(target=post_some, args=(first,)) for first in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return results


@pytest.mark.parametrize("is_tls", [False, True])
def test_closing_server__sees_no_request_twice(make_transport, serve, tls, is_tls):
    server = serve(closes_at_random(random.Random(4)), ssl_context=tls if is_tls else None)  # noqa: S311
    transport = make_transport(timeout=20.0, connect_timeout=20.0)

    results = post_all(transport, server.url, threads=THREADS, posts=POSTS)

    seen = Counter(request.body for request in server.requests)
    assert len(results) == THREADS * POSTS
    assert set(seen.values()) == {1}
    not_sent = {body for body, one in results.items() if isinstance(one, NoAnswer) and not one.sent}
    assert not not_sent & seen.keys()
    assert all(body in seen for body, one in results.items() if isinstance(one, Response))
