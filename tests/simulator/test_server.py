import contextlib
import http.client
import json
import re
import socket
import ssl
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
import trustme

from django_etelecom.simulator import Outcome, Simulator

from .conversation import (
    ORDINARY_NUMBER,
    SEND,
    STATUS,
    accepted_id,
    ask,
    connect,
    message,
    raw_exchange,
    request,
    send,
)


def test_receipt__holds_the_request_as_it_came(simulator):
    body = json.dumps(message()).encode()

    request(simulator, "POST", SEND, body, {"X-Shop": "1"})

    [receipt] = simulator.receipts
    assert (receipt.number, receipt.path, receipt.body) == (1, SEND, body)
    assert receipt.headers["X-Shop"] == "1"
    assert receipt.json == message()
    assert receipt.phone_number == ORDINARY_NUMBER
    assert receipt.template_code == "OTP"
    assert receipt.list_param == {"otp": "123456"}
    assert abs(datetime.now(UTC) - receipt.received_at) < timedelta(minutes=1)


def test_receipt__of_something_else_has_empty_conveniences(simulator):
    request(simulator, "POST", SEND, b"[]")
    send(simulator, 84, list_param=[])

    for receipt in simulator.receipts:
        assert (receipt.phone_number, receipt.list_param) == ("", {})


def test_receipt__repr_has_no_secret(simulator):
    send(simulator)

    assert "opens" not in repr(simulator.receipts)
    assert "123456" not in repr(simulator.receipts)
    assert "Outcome.ACCEPTED" in repr(simulator.receipts)


def test_receipts__of_status_requests_name_the_message(simulator):
    provider_message_id = accepted_id(simulator)

    ask(simulator, provider_message_id)

    receipt = simulator.receipts[1]
    assert (receipt.path, receipt.outcome) == (STATUS, None)
    assert receipt.provider_message_id == provider_message_id


def test_clear__forgets_receipts_but_no_message(simulator):
    provider_message_id = accepted_id(simulator)

    simulator.clear()

    assert simulator.receipts == []
    assert "PROCESSING" in ask(simulator, provider_message_id)[1]
    assert simulator.receipts[0].number == 2


def test_on_receipt__is_told_before_the_answer_and_may_look_at_the_receipts():
    seen = []

    with Simulator(on_receipt=lambda receipt: seen.append(simulator.receipts)) as simulator:
        send(simulator)

        assert seen == [simulator.receipts]


def test_page__lists_the_magic_numbers(simulator):
    response, body = request(simulator, "GET", "/")

    assert response.status == 200
    for outcome in Outcome:
        assert f"0{outcome.phone_number[2:]}  {outcome.sentence}\n" in body.decode()


@pytest.mark.parametrize(
    ("method", "path", "http_status"),
    [
        ("GET", "/elsewhere", 404),
        ("POST", "/elsewhere", 404),
        ("GET", SEND, 405),
        ("GET", STATUS, 405),
        ("POST", "/", 405),
        ("PUT", SEND, 405),
        ("DELETE", SEND, 405),
        ("HEAD", "/", 405),
    ],
)
def test_wrong_path_or_method(simulator, method, path, http_status):
    response, _ = request(simulator, method, path, b"{}")

    assert response.status == http_status


def test_body_above_a_mebibyte__is_refused_and_the_answer_arrives(simulator):
    response, _ = request(simulator, "POST", SEND, b" " * (2**20 + 1))

    assert response.status == 413
    assert [receipt.body for receipt in simulator.receipts] == [b""]


@pytest.mark.parametrize(
    ("headers", "http_status"),
    [
        (b"", 411),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", 411),
        (b"Content-Length: -1\r\n", 400),
        (b"Content-Length: 2\xb2\r\n", 400),
        (b"Content-Length: " + b"9" * 5_000 + b"\r\n", 413),
    ],
)
def test_length_that_cannot_be_read(simulator, headers, http_status):
    answer = raw_exchange(simulator, b"POST / HTTP/1.1\r\n" + headers + b"\r\n{}")

    assert answer.startswith(b"HTTP/1.1 %d " % http_status)


@pytest.mark.parametrize(
    "sent", [b"", b"\x16\x03\x01\x02\r\n\r\n", b"POST " + SEND.encode() + b" HTTP/1.1\r\nConte"]
)
def test_bad_request__leaves_the_server_alive_and_quiet(simulator, sent, capfd):
    raw_exchange(simulator, sent)

    assert send(simulator)[0] == 200
    assert capfd.readouterr() == ("", "")


def test_body_cut_short__is_no_receipt(simulator):
    head = f"POST {SEND} HTTP/1.1\r\nContent-Length: 100\r\n\r\n".encode()

    answer = raw_exchange(simulator, head + b"{")

    assert answer == b""
    assert simulator.receipts == []


def test_client_that_resets__leaves_the_server_alive_and_quiet(simulator, capfd):
    url = urlsplit(simulator.base_url)
    body = json.dumps(message(Outcome.HUGE_BODY.phone_number)).encode()
    head = f"POST {SEND} HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    with socket.create_connection((url.hostname, url.port), timeout=5) as client:
        client.sendall(head + body)
        client.recv(1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    assert send(simulator)[0] == 200
    simulator.stop()
    assert capfd.readouterr() == ("", "")


def test_fault_of_an_observer__is_told_and_does_no_harm(capfd):
    def observe(receipt):
        raise LookupError("an observer's own fault")

    with Simulator(on_receipt=observe) as simulator:
        with pytest.raises(http.client.RemoteDisconnected):
            send(simulator)
        response, _ = request(simulator, "GET", "/")

    assert response.status == 200
    assert "an observer's own fault" in capfd.readouterr().err


def test_keep_alive__serves_one_request_after_another(simulator):
    connection = connect(simulator)

    for _ in range(3):
        connection.request("POST", SEND, json.dumps(message()))
        response = connection.getresponse()
        response.read()
        kept = connection.sock
    connection.close()

    assert response.headers["Connection"] == "keep-alive"
    assert kept is not None
    assert len({receipt.provider_message_id for receipt in simulator.receipts}) == 3


def test_expect_continue__is_told_to_go_on(simulator):
    body = json.dumps(message()).encode()
    head = f"POST {SEND} HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"

    answer = raw_exchange(simulator, head.encode() + body)

    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


def test_many_clients_at_once__every_request_has_its_receipt(simulator):
    def send_some(client):
        return [json.loads(send(simulator, f"8491000{client:02d}{n:02d}")[1]) for n in range(10)]

    with ThreadPoolExecutor(16) as clients:
        answers = [answer for answers in clients.map(send_some, range(16)) for answer in answers]

    receipts = simulator.receipts
    assert [receipt.number for receipt in receipts] == list(range(1, 161))
    assert len({receipt.phone_number for receipt in receipts}) == 160
    assert {receipt.provider_message_id for receipt in receipts} == {
        answer[" idOmniMess "] for answer in answers
    }


def test_delay__is_waited_before_each_answer():
    with Simulator(delay=0.2) as simulator:
        began = time.monotonic()
        send(simulator)

    assert time.monotonic() - began >= 0.2


def test_tls__serves_https(tmp_path):
    authority = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)

    with Simulator(tls=server_context) as simulator:
        url = urlsplit(simulator.base_url)
        connection = http.client.HTTPSConnection(
            url.hostname, url.port, timeout=5, context=client_context
        )
        connection.request("POST", SEND, json.dumps(message()))
        response = connection.getresponse()
        response.read()
        connection.request(
            "POST", SEND, json.dumps(message(Outcome.RESET_AFTER_READING.phone_number))
        )
        with pytest.raises(ConnectionResetError):
            connection.getresponse()
        connection.close()

    assert url.scheme == "https"
    assert response.status == 200


def test_tls__client_that_speaks_plain_http_does_no_harm(capfd):
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(server_context)

    with Simulator(tls=server_context) as simulator:
        # The server may hang up before the client has ended its own side.
        with contextlib.suppress(OSError):
            raw_exchange(simulator, b"GET / HTTP/1.1\r\n\r\n")
        assert simulator.receipts == []

    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("outcome", [Outcome.HANG, Outcome.TRICKLE], ids=lambda o: o.name)
def test_stop__ends_waiting_answers_at_once(outcome):
    failed = []

    def send_and_fail(simulator):
        with pytest.raises(http.client.HTTPException) as caught:
            send(simulator, outcome.phone_number)
        failed.append(caught.value)

    arrived = threading.Event()
    with Simulator(on_receipt=lambda receipt: arrived.set()) as simulator:
        client = threading.Thread(target=send_and_fail, args=(simulator,))
        client.start()
        assert arrived.wait(5)
        began = time.monotonic()
    stopped_after = time.monotonic() - began
    client.join(5)

    assert stopped_after < 1
    assert len(failed) == 1


def test_stop__closes_idle_connections_and_the_port(simulator):
    connection = connect(simulator)
    connection.request("GET", "/")
    connection.getresponse().read()

    simulator.stop()

    assert connection.sock.recv(1) == b""
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        send(simulator)


def test_stop__twice_does_no_harm(simulator):
    simulator.stop()
    simulator.stop()

    assert simulator.receipts == []


def test_start__again_keeps_what_there_was(simulator):
    provider_message_id = accepted_id(simulator)
    simulator.stop()

    simulator.start()

    assert "PROCESSING" in ask(simulator, provider_message_id)[1]
    assert [receipt.number for receipt in simulator.receipts] == [1, 2]


def test_start__twice_raises(simulator):
    with pytest.raises(RuntimeError, match="runs already"):
        simulator.start()


def test_start__taken_port_raises(simulator):
    taken = urlsplit(simulator.base_url).port

    with pytest.raises(OSError, match="in use"):
        Simulator(port=taken).start()


def test_base_url__before_the_start_raises():
    with pytest.raises(RuntimeError, match="Start the simulator first"):
        _ = Simulator().base_url


def test_host__localhost_is_the_loopback():
    with Simulator(host="localhost") as simulator:
        assert simulator.base_url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com", ""])  # noqa: S104
def test_host__elsewhere_is_refused(host):
    with pytest.raises(ValueError, match=re.escape(repr(host))):
        Simulator(host=host)
