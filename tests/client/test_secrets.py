"""No secret in a repr, a log line, an exception or an error report."""

import http.client
import logging
import os
import subprocess
import sys

import pytest

from django_etelecom.client.opaque import Opaque
from django_etelecom.client.transport import Transport, send_result
from tests.client.fault_server import Peer, answer, serve_well

SECRET = "canary-secret"
BODY = Opaque(b'{"password": "%s"}' % SECRET.encode())


def echo_in_headers_that_cannot_be_parsed(peer: Peer) -> None:
    while request := peer.read_request():
        peer.send(answer(headers=f"no header line {request.body.decode()}\r\n"))


def echo_in_a_continuation_of_no_header(peer: Peer) -> None:
    while request := peer.read_request():
        peer.send(b"HTTP/1.1 200 OK\r\n " + request.body + b"\r\nContent-Length: 0\r\n\r\n")


def reset_after_reading(peer: Peer) -> None:
    peer.read_request()
    peer.reset()


def not_http(peer: Peer) -> None:
    request = peer.read_request()
    peer.send(request.body + b"\r\n\r\n")


PEERS = [
    serve_well,
    echo_in_headers_that_cannot_be_parsed,
    echo_in_a_continuation_of_no_header,
    reset_after_reading,
    not_http,
]


@pytest.mark.parametrize("behave", PEERS)
def test_logs__nothing_secret_at_any_level(transport, serve, caplog, capfd, monkeypatch, behave):
    monkeypatch.setattr(http.client.HTTPConnection, "debuglevel", 9)
    caplog.set_level(logging.DEBUG)
    for _ in range(2):
        transport.post(serve(behave).url, BODY)
    printed = capfd.readouterr()
    assert SECRET not in caplog.text + printed.out + printed.err


@pytest.mark.parametrize("behave", PEERS)
def test_repr__nothing_secret(transport, serve, behave):
    result = transport.post(serve(behave).url, BODY)
    shown = f"{transport!r} {vars(transport)} {send_result(result)!r}"
    assert SECRET not in shown


def test_repr__answer_that_echoes_the_request(serve):
    def echo(peer: Peer) -> None:
        request = peer.read_request()
        peer.send(answer(request.body))

    transport = Transport(connect_timeout=1, timeout=1)
    result = transport.post(serve(echo).url, BODY)
    transport.close()
    assert SECRET.encode() in result.body
    assert SECRET not in f"{result!r} {send_result(result)!r}"


def test_sentry__reports_nothing_secret_and_adds_nothing_to_the_request():
    pytest.importorskip("sentry_sdk")
    secrets = {
        "PROBE_USERNAME": "canary-username",
        "PROBE_PASSWORD": "canary-word",
        "PROBE_OTP": "927461",
    }
    probe = subprocess.run(
        [sys.executable, "-m", "tests.client.sentry_probe"],
        env={**os.environ, **secrets},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    reports, _, wire = probe.stdout.partition("WIRE")
    scenarios = (
        "interrupted",
        "out_of_memory",
        "wrong_type",
        "status_of_wrong_type",
        "refused_url",
    )
    for scenario in scenarios:
        assert f"seen {scenario}" in reports
    assert not [name for name, secret in secrets.items() if secret in probe.stdout + probe.stderr]
    assert "POST /api" in wire
    assert "sentry-trace" not in wire.lower().split("\n\n")[0]
