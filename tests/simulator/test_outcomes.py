import gzip
import http.client
import json
import re
import time
from pathlib import Path

import phonenumbers
import pytest

from django_etelecom.simulator import Outcome
from django_etelecom.simulator.outcomes import Acceptance, Packing

from .conversation import ORDINARY_NUMBER, SEND, message, request, send


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
        outcome
        for outcome in Outcome
        if isinstance(outcome.effect, Acceptance) and outcome.effect.packing is Packing.PLAIN
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


def test_documentation__table_has_every_magic_number():
    page = Path(__file__).parents[2] / "docs" / "reference" / "simulator.md"
    rows = re.findall(
        r"^\| (0900000\d{3}) \| `(\w+)` \| (.+) \|$", page.read_text("utf-8"), re.MULTILINE
    )

    assert rows == [
        (f"0{outcome.phone_number[2:]}", outcome.name, outcome.sentence) for outcome in Outcome
    ]
