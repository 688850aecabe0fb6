import gzip
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
from pathlib import Path
from urllib.parse import urlsplit

import phonenumbers
import pytest
import trustme

from django_etelecom.simulator import Outcome, Simulator

SEND = "/api/OmniMessage/SendMessage"
STATUS = "/api/OmniReport/GetStatusOmni"
ORDINARY_NUMBER = "84912345678"


@pytest.fixture
def simulator():
    with Simulator(hang_seconds=0.3, trickle_seconds=0.1) as simulator:
        yield simulator


def connect(simulator):
    url = urlsplit(simulator.base_url)
    return http.client.HTTPConnection(url.hostname, url.port, timeout=5)


def request(simulator, method, path, body=None, headers=None):
    connection = connect(simulator)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def message(phone_number=ORDINARY_NUMBER, **fields):
    return {
        "username": "shop",
        "password": "opens",
        "phonenumber": phone_number,
        "routerule": ["1", "3"],
        "templatecode": "OTP",
        "list_param": {"otp": "123456"},
    } | fields


def send(simulator, phone_number=ORDINARY_NUMBER, **fields):
    response, body = request(simulator, "POST", SEND, json.dumps(message(phone_number, **fields)))
    return response.status, body.decode()


def ask(simulator, provider_message_id, **fields):
    wanted = {"username": "shop", "password": "opens", "idOmniMess": provider_message_id} | fields
    response, body = request(simulator, "POST", STATUS, json.dumps(wanted))
    return response.status, body.decode()


def accepted_id(simulator, phone_number=ORDINARY_NUMBER, **fields):
    send(simulator, phone_number, **fields)
    return simulator.receipts[-1].provider_message_id


def raw_exchange(simulator, sent):
    url = urlsplit(simulator.base_url)
    with socket.create_connection((url.hostname, url.port), timeout=5) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while chunk := connection.recv(65_536):
            received += chunk
    return received


# The magic numbers


@pytest.mark.parametrize("outcome", Outcome)
def test_magic_number__is_a_valid_vietnamese_mobile(outcome):
    number = phonenumbers.parse(f"+{outcome.phone_number}")

    assert phonenumbers.is_valid_number(number)
    assert phonenumbers.number_type(number) == phonenumbers.PhoneNumberType.MOBILE


@pytest.mark.parametrize(
    ("outcome", "http_status", "body"),
    [
        (
            Outcome.REFUSED_PHONE_NUMBER,
            200,
            '{ "status": "-1", "code": "PhoneNumber Wrong Format" }',
        ),
        (
            Outcome.REFUSED_PARAMETER,
            200,
            '{ "status": "-2", "code": "Wrong Format Parameter: otp" }',
        ),
        (
            Outcome.REFUSED_OUT_OF_MESSAGES,
            200,
            '{ "status": "-3", "code": "You have run out of messages" }',
        ),
        (
            Outcome.REFUSED_TEMPLATE,
            200,
            '{ "status": "-6", "code": "Can\'t find template with templatecode: OTP " }',
        ),
        (
            Outcome.REFUSED_ROUTE,
            200,
            '{ "status": "-8", "code": "Can\'t find any routing for this request" }',
        ),
        (
            Outcome.REFUSED_CHANNEL,
            200,
            '{ "status": "-9", "code": "Can\'t find any information about channel: 1" }',
        ),
        (Outcome.ACCEPTED_WITHOUT_ID, 200, '{ "status": "1", "code": "Success" }'),
        (Outcome.UNKNOWN_CODE, 200, '{ "status": "-99", "code": "Something new" }'),
        (Outcome.REDIRECT, 307, ""),
        (Outcome.UNAUTHORIZED, 401, "Unauthorized"),
        (Outcome.UNAUTHORIZED_JSON, 401, '{ "status": "401", "code": "Unauthorized" }'),
        (Outcome.ADDRESS_REFUSED, 401, "Can't access from this IP"),
        (
            Outcome.ADDRESS_REFUSED_JSON,
            401,
            '{ "status": "401", "code": "Can\'t access from this IP" }',
        ),
        (Outcome.TOO_MANY_REQUESTS, 429, "Too Many Requests"),
        (Outcome.SERVER_ERROR, 500, '{ "message": "An error has occurred." }'),
        (
            Outcome.BAD_GATEWAY,
            502,
            "<html><head><title>502 Bad Gateway</title></head>"
            "<body><h1>502 Bad Gateway</h1></body></html>",
        ),
        (Outcome.EMPTY_BODY, 200, ""),
        (Outcome.BAD_JSON, 200, '{ "status": "1", "code": "Succ'),
    ],
    ids=lambda value: value.name if isinstance(value, Outcome) else "",
)
def test_magic_number__fixed_answer(simulator, outcome, http_status, body):
    answer = send(simulator, outcome.phone_number)

    assert answer == (http_status, body)
    [receipt] = simulator.receipts
    assert (receipt.outcome, receipt.provider_message_id) == (outcome, "")


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome.ACCEPTED,
        Outcome.UNDELIVERED,
        Outcome.DELIVERED_AFTER_FAILURE,
        Outcome.NEVER_ENDS,
        Outcome.BROKEN_REPORT,
    ],
    ids=lambda outcome: outcome.name,
)
def test_magic_number__accepted_in_the_spelling_of_the_documentation(simulator, outcome):
    http_status, body = send(simulator, outcome.phone_number)

    assert http_status == 200
    written = r'{ "status": "1", "code": "Success", " idOmniMess ": "(ICOMNI[0-9a-f]{30})" }'
    match = re.fullmatch(written, body)
    assert simulator.receipts[0].provider_message_id == match[1]
    assert simulator.receipts[0].outcome is outcome


def test_ordinary_number__is_accepted(simulator):
    send(simulator, ORDINARY_NUMBER)

    assert simulator.receipts[0].outcome is Outcome.ACCEPTED


def test_too_many_requests__says_when_to_come_back(simulator):
    body = json.dumps(message(Outcome.TOO_MANY_REQUESTS.phone_number))

    response, _ = request(simulator, "POST", SEND, body)

    assert response.headers["Retry-After"] == "30"


def test_redirect__followed_leaves_a_second_receipt(simulator):
    body = json.dumps(message(Outcome.REDIRECT.phone_number))
    response, _ = request(simulator, "POST", SEND, body)

    request(simulator, "POST", response.headers["Location"], body)

    assert [(receipt.path, receipt.outcome) for receipt in simulator.receipts] == [
        (SEND, Outcome.REDIRECT),
        ("/redirected/api/OmniMessage/SendMessage", Outcome.ACCEPTED),
    ]


def test_huge_body__is_an_acceptance_behind_megabytes(simulator):
    _, body = send(simulator, Outcome.HUGE_BODY.phone_number)

    assert len(body) > 4 * 2**20
    assert json.loads(body)["status"] == "1"


def test_gzip_bomb__is_an_acceptance_in_200_mebibytes(simulator):
    body = json.dumps(message(Outcome.GZIP_BOMB.phone_number))

    response, packed = request(simulator, "POST", SEND, body)

    assert response.headers["Content-Encoding"] == "gzip"
    assert len(packed) < 300_000
    unpacked = gzip.decompress(packed)
    assert len(unpacked) > 200 * 2**20
    assert json.loads(unpacked[200 * 2**20 :])["status"] == "1"


def test_hang__closes_without_an_answer(simulator):
    began = time.monotonic()

    with pytest.raises(http.client.RemoteDisconnected):
        send(simulator, Outcome.HANG.phone_number)

    assert time.monotonic() - began >= 0.3
    assert simulator.receipts[0].outcome is Outcome.HANG


def test_reset_before_reading__leaves_no_receipt(simulator):
    with pytest.raises(ConnectionResetError):
        send(simulator, Outcome.RESET_BEFORE_READING.phone_number)

    assert simulator.receipts == []


def test_reset_after_reading__leaves_a_receipt(simulator):
    with pytest.raises(ConnectionResetError):
        send(simulator, Outcome.RESET_AFTER_READING.phone_number)

    assert simulator.receipts[0].outcome is Outcome.RESET_AFTER_READING


def test_trickle__brings_a_byte_at_a_time_and_never_all(simulator):
    began = time.monotonic()

    with pytest.raises(http.client.IncompleteRead) as caught:
        send(simulator, Outcome.TRICKLE.phone_number)

    assert 1 <= len(caught.value.partial) <= 3
    assert time.monotonic() - began >= 0.1
    assert simulator.receipts[0].outcome is Outcome.TRICKLE


# What the gateway demands of a request


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"username": ""}, (401, "Unauthorized")),
        ({"password": None}, (401, "Unauthorized")),
        ({"phonenumber": "0912345678"}, "PhoneNumber Wrong Format"),
        ({"phonenumber": "+84912345678"}, "PhoneNumber Wrong Format"),
        ({"phonenumber": 84912345678}, "PhoneNumber Wrong Format"),
        ({"templatecode": ""}, "Can't find template with templatecode: "),
        ({"templatecode": 7}, "Can't find template with templatecode: "),
        ({"routerule": []}, "Can't find any routing for this request"),
        ({"routerule": ""}, "Can't find any routing for this request"),
        ({"routerule": "4"}, "Can't find any routing for this request"),
        ({"routerule": [1, 3]}, "Can't find any routing for this request"),
        ({"routerule": None}, "Can't find any routing for this request"),
        ({"list_param": "otp"}, "Wrong Format Parameter: list_param"),
        ({"list_param": {"a": "1", "b": 2, "c": 3}}, "Wrong Format Parameter: b"),
        ({"list_param": {'"\ud800': 2}}, 'Wrong Format Parameter: "\ud800'),
    ],
)
def test_send__request_that_is_not_well_formed_is_refused(simulator, fields, answer):
    http_status, body = send(simulator, **fields)

    if http_status == 200:
        assert json.loads(body)["code"].rstrip() == answer.rstrip()
    else:
        assert (http_status, body) == answer


@pytest.mark.parametrize("routerule", ["1", "1,3", ["2"], ["1", "2", "3"]])
def test_send__route_rule_is_a_string_or_a_list(simulator, routerule):
    _, body = send(simulator, routerule=routerule)

    assert json.loads(body)["code"] == "Success"


def test_send__refused_parameter_without_any_parameter(simulator):
    _, body = send(simulator, Outcome.REFUSED_PARAMETER.phone_number, list_param={})

    assert json.loads(body)["code"] == "Wrong Format Parameter: list_param"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000, b'{"username": ' + b"9" * 5_000 + b"}"]
)
def test_send__body_that_is_no_json_object(simulator, body):
    response, _ = request(simulator, "POST", SEND, body)

    assert response.status == 400
    assert (simulator.receipts[0].body, simulator.receipts[0].json) == (body, None)


def test_credentials__let_in_only_the_account_given():
    with Simulator(credentials=("shop", "opens")) as simulator:
        right, _ = send(simulator)
        wrong, _ = send(simulator, password="guessed")

    assert (right, wrong) == (200, 401)


# GetStatusOmni


def test_status__processing_then_delivered_by_sms(simulator):
    provider_message_id = accepted_id(simulator)

    first, second, third = (json.loads(ask(simulator, provider_message_id)[1]) for _ in range(3))

    assert (first["status"], first["channel"], first["errorCode"]) == ("PROCESSING", "", "")
    assert (second["status"], second["channel"]) == ("SUCCESS", "SMS")
    assert (second["mtcount"], second["telcoid"]) == ("1", "3")
    assert third == second


@pytest.mark.parametrize(
    ("outcome", "reported"),
    [
        (Outcome.UNDELIVERED, [("PROCESSING", ""), ("FAIL", "-118"), ("FAIL", "-118")]),
        (Outcome.DELIVERED_AFTER_FAILURE, [("FAIL", "-118"), ("SUCCESS", ""), ("SUCCESS", "")]),
        (Outcome.NEVER_ENDS, [("PROCESSING", ""), ("PROCESSING", ""), ("PROCESSING", "")]),
    ],
    ids=lambda value: value.name if isinstance(value, Outcome) else "",
)
def test_status__follows_the_magic_number(simulator, outcome, reported):
    provider_message_id = accepted_id(simulator, outcome.phone_number)

    reports = [json.loads(ask(simulator, provider_message_id)[1]) for _ in range(3)]

    assert [(report["status"], report["errorCode"]) for report in reports] == reported


def test_status__echoes_the_message(simulator):
    provider_message_id = accepted_id(simulator, list_param={"name": 'Bảo "Bo"'})

    report = json.loads(ask(simulator, provider_message_id)[1])

    assert report["phonenumber"] == ORDINARY_NUMBER
    assert report["templatecode"] == "OTP"
    assert json.loads(report["list_param"]) == {"name": 'Bảo "Bo"'}
    written = report["createdatetime"] + " +0700"
    accepted_at = datetime.strptime(written, "%d/%m/%Y %H:%M:%S %z")
    assert abs(datetime.now(UTC) - accepted_at) < timedelta(minutes=1)


def test_status__broken_report_is_spelled_as_in_the_documentation(simulator):
    number = Outcome.BROKEN_REPORT.phone_number
    provider_message_id = accepted_id(simulator, number, list_param={"otp": "1", "x": "\ud800"})

    _, body = ask(simulator, provider_message_id)

    assert '"list_param": "{"otp": "1", "x": "\\ud800"}", "createdatetime"' in body
    assert '"status": "FAIL", "channel": "ZNS"' in body
    with pytest.raises(json.JSONDecodeError):
        json.loads(body)


@pytest.mark.parametrize("provider_message_id", ["ICOMNI", None, ["ICOMNI"]])
def test_status__unknown_id(simulator, provider_message_id):
    answer = ask(simulator, provider_message_id)

    assert answer == (200, '{ "status": "-1", "code": "idOmniMess not found" }')


def test_status__wrong_credentials(simulator):
    provider_message_id = accepted_id(simulator)

    answer = ask(simulator, provider_message_id, username="")

    assert answer == (401, "Unauthorized")


# Receipts


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


def test_on_receipt__is_told_before_the_answer():
    told = []

    with Simulator(on_receipt=told.append) as simulator:
        send(simulator)
        assert told == simulator.receipts


# The server


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


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com", ""])
def test_host__elsewhere_is_refused(host):
    with pytest.raises(ValueError, match=re.escape(repr(host))):
        Simulator(host=host)


# The documentation


def test_documentation__table_has_every_magic_number():
    page = Path(__file__).parents[1] / "docs" / "reference" / "simulator.md"
    rows = re.findall(
        r"^\| (0900000\d{3}) \| `(\w+)` \| (.+) \|$", page.read_text("utf-8"), re.MULTILINE
    )

    assert rows == [
        (f"0{outcome.phone_number[2:]}", outcome.name, outcome.sentence) for outcome in Outcome
    ]
