"""Deciphering an answer: bytes in, a result out."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_etelecom.client.codes import Failure, Refusal
from django_etelecom.client.protocol import MAX_BODY, Outcome, SendResult, decipher_send
from tests.client.samples import recorded

ID = "ICOMNI0123456789abcdefghij0123456789"


def sample(case: str) -> SendResult:
    return decipher_send(*recorded("send_message", case))


def decipher(body, *, status=200, headers=None) -> SendResult:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decipher_send(status, headers or {}, raw)


def assert_not_understood(result: SendResult) -> None:
    assert result.outcome is Outcome.UNKNOWN
    assert result.failure is Failure.BAD_ANSWER
    assert result.failure_detail
    assert result.refusal is None


# The provider's table


@pytest.mark.parametrize(
    ("case", "status", "message_id"),
    [
        ("accepted", "1", ID),
        ("accepted_as_integer", "1", ID),
        ("accepted_without_id", "1", ""),
    ],
)
def test_accepted(case, status, message_id):
    result = sample(case)
    assert result.outcome is Outcome.ACCEPTED
    assert result.provider_status == status
    assert result.provider_message_id == message_id
    assert result.provider_detail == "Success"
    assert result.http_status == 200
    assert result.refusal is result.failure is None


@pytest.mark.parametrize(
    ("case", "status", "detail"),
    [
        ("phone_number", "-1", "PhoneNumber Wrong Format"),
        ("parameter", "-2", "Wrong Format Parameter: order_code"),
        ("out_of_messages", "-3", "You have run out of messages"),
        ("template", "-6", "Can't find template with templatecode: order_confirmation "),
        ("route", "-8", "Can't find any routing for this request"),
        ("channel", "-9", "Can't find any information about channel: ZNS"),
    ],
)
def test_refused(case, status, detail):
    result = sample(case)
    assert result.outcome is Outcome.REJECTED
    assert result.refusal is Refusal(case)
    assert result.provider_status == status
    assert result.provider_detail == detail
    assert result.provider_message_id == ""
    assert result.payload == {"status": status, "code": detail}


@pytest.mark.parametrize(
    ("case", "refusal", "detail"),
    [
        ("unauthorized", Refusal.CREDENTIALS, "Unauthorized"),
        ("unauthorized_as_json", Refusal.CREDENTIALS, "Unauthorized"),
        ("address", Refusal.ADDRESS, "Can't access from this IP"),
        ("address_as_json", Refusal.ADDRESS, "Can't access from this IP"),
    ],
)
def test_unauthorized(case, refusal, detail):
    result = sample(case)
    assert result.outcome is Outcome.REJECTED
    assert result.refusal is refusal
    assert result.provider_status == "401"
    assert result.provider_detail == detail
    assert result.http_status == 401


@pytest.mark.parametrize(
    ("body", "detail", "refusal"),
    [
        (b"", "", Refusal.CREDENTIALS),
        (b'"Access from this ip is denied"', "Access from this ip is denied", Refusal.ADDRESS),
        (b'{"detail": " IP refused "}', "IP refused", Refusal.ADDRESS),
        (b'{"code": "", "error": "Unauthorized"}', "Unauthorized", Refusal.CREDENTIALS),
        (b'{"code": 5}', '{"code": 5}', Refusal.CREDENTIALS),
        (b'["Unauthorized"]', '["Unauthorized"]', Refusal.CREDENTIALS),
        (b'{"code": "a", "Code": "b"}', '{"code": "a", "Code": "b"}', Refusal.CREDENTIALS),
        (b"Your recipient is unknown", "Your recipient is unknown", Refusal.CREDENTIALS),
        (b"\xff Unauthorized", "\ufffd Unauthorized", Refusal.CREDENTIALS),
        (b"IP " * MAX_BODY, ("IP " * MAX_BODY)[:500], Refusal.ADDRESS),
    ],
)
def test_unauthorized__in_any_form(body, detail, refusal):
    result = decipher(body, status=401)
    assert result.outcome is Outcome.REJECTED
    assert result.provider_detail == detail
    assert result.refusal is refusal


def test_unauthorized__encoded_body_says_nothing():
    body = gzip.compress(b"Can't access from this IP")
    result = decipher(body, status=401, headers={"Content-Encoding": "gzip"})
    assert result.refusal is Refusal.CREDENTIALS
    assert result.provider_detail == ""
    assert result.payload == ""


# The forms an answer may take


@pytest.mark.parametrize("key", ["idOmniMess", " idOmniMess ", "IDOMNIMESS", "\tidomnimess\n"])
def test_keys__any_case_and_white_space(key):
    assert decipher({"status": "1", key: "ICOMNI-1"}).provider_message_id == "ICOMNI-1"


@pytest.mark.parametrize("status", ["1", " 1 ", 1, "1\n"])
def test_status__accepted_forms(status):
    assert decipher({"status": status}).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("status", ["-3", " -3", -3])
def test_status__refused_forms(status):
    assert decipher({"Status": status}).refusal is Refusal.OUT_OF_MESSAGES


@pytest.mark.parametrize(
    "status",
    [
        *(True, False, None, 1.0, -1.0, 1e300, [], {}, [1], {"status": 1}),
        *("", " ", "1.0", "+1", "１", "①", "01", "- 1", "--1", "1 1", "0x1", "1e0", "true"),
        *("0", "2", "-4", "-5", "-7", "-10", 0, 2, -10, 10**30, "9" * 5000),
    ],
)
def test_status__not_understood(status):
    assert_not_understood(decipher({"status": status, "idOmniMess": "ICOMNI-1"}))


def test_status__unknown_one_is_kept():
    result = sample("unknown_status")
    assert_not_understood(result)
    assert result.failure_detail == "the status is not in the provider's table"
    assert (result.provider_status, result.provider_detail) == ("-7", "Something new")


def test_status__is_kept_bounded():
    assert decipher({"status": "9" * 5000}).provider_status == "9" * 50


def test_detail__is_kept_bounded():
    assert len(decipher({"status": "1", "code": "a" * 5000}).provider_detail) == 500


@pytest.mark.parametrize(("code", "detail"), [(5, "5"), (None, ""), (True, "true"), ([], "")])
def test_detail__of_another_type(code, detail):
    assert decipher({"status": "1", "code": code}).provider_detail == detail


@pytest.mark.parametrize(("given_id", "kept"), [(" ICOMNI-1\r\n", "ICOMNI-1"), (12345, "12345")])
def test_id__is_taken(given_id, kept):
    assert decipher({"status": "1", "idOmniMess": given_id}).provider_message_id == kept


@pytest.mark.parametrize(
    "given_id",
    [None, True, 1.5, [], {}, "", "  ", "a" * 101, "a\x00b", "a\nb", "a\x7fb", "a\x9fb", "\ud800"],
)
def test_id__cannot_be_used_but_the_message_is_accepted(given_id):
    result = decipher({"status": "1", "idOmniMess": given_id})
    assert result.outcome is Outcome.ACCEPTED
    assert result.provider_message_id == ""


def test_body__utf8_byte_order_mark():
    result = decipher(b"\xef\xbb\xbf" + b'{"status": "1"}')
    assert result.outcome is Outcome.ACCEPTED


def test_content_encoding__identity_is_none():
    result = decipher({"status": "1"}, headers={"content-encoding": " Identity "})
    assert result.outcome is Outcome.ACCEPTED


# What is not an answer


@pytest.mark.parametrize(
    "body",
    [
        b'{"status": "1", "Status": "-1"}',
        b'{"status": "1", " status ": "-1"}',
        b'{"status": "1", "status": "1"}',
        b'{"status": "1", "status": "-1"}',
        b'{"status": 1, "Status": "1"}',
        b'{"status": 1, "Status": true}',
        b'{"status": "1", "a": [], "A": []}',
        b'{"status": "1", "idOmniMess": "a", "idomnimess": "b"}',
    ],
)
def test_contradiction(body):
    assert_not_understood(decipher(body))


def test_contradiction__is_kept():
    body = {"status": "1", "Status": "-1"}
    result = decipher(body)
    assert (result.http_status, result.payload) == (200, body)


@pytest.mark.parametrize("value", [b'"1"', b"1"])
def test_two_spellings_of_one_value__are_no_contradiction(value):
    body = b'{"status": %s, "Status": %s, "x": null, "X": null}' % (value, value)
    assert decipher(body).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    "status", [100, 201, 202, 204, 301, 302, 307, 400, 403, 404, 429, 500, 503]
)
def test_http_status__nothing_but_200_and_401_is_an_answer(status):
    result = decipher({"status": "1", "idOmniMess": "ICOMNI-1"}, status=status)
    assert_not_understood(result)
    assert result.http_status == status
    assert result.provider_message_id == ""


@pytest.mark.parametrize("case", ["bad_gateway", "too_many_requests"])
def test_recorded_answers_of_something_in_between(case):
    assert_not_understood(sample(case))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"null",
        b"1",
        b'"1"',
        b"[]",
        b'[{"status": "1"}]',
        b"{}",
        b'{"status": "1"',
        b"{'status': '1'}",
        b'{"status": "1"} {"status": "1"}',
        b'{"status": "1", "a": NaN}',
        b'{"status": "1", "a": -Infinity}',
        b'{"status": "1", "a": 1e999}',
        b'{"status": "1", "a": %s}' % (b"9" * 5000),
        b'{"status": "1", "a": "\xff"}',
        b'{"status": "1", "a": "\n"}',
        '{"status": "1"}'.encode("utf-16"),
        b'{"status": "1", "a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        b"[" * 65_000,
        b"<!DOCTYPE html><title>Maintenance</title>",
    ],
)
def test_body__not_understood(body):
    assert_not_understood(decipher(body))


def test_body__too_long():
    body = b'{"status": "1", "a": "' + b"a" * MAX_BODY + b'"}'
    result = decipher(body)
    assert_not_understood(result)
    assert len(result.payload) == MAX_BODY


def test_body__of_the_greatest_length_is_read():
    body = b'{"status": "1"}'
    assert decipher(body + b" " * (MAX_BODY - len(body))).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
def test_body__encoded(encoding):
    headers = {"Content-Encoding": encoding}
    assert_not_understood(decipher({"status": "1"}, headers=headers))


def test_payload__json_is_deciphered():
    payload = {"status": "5", "nested": {"list": [1, 2.5, None]}}
    assert decipher(payload, status=500).payload == payload


def test_payload__anything_else_is_text():
    assert decipher(b"<h1>\xff</h1>").payload == "<h1>\ufffd</h1>"


def test_result__repr_shows_no_payload():
    result = decipher({"status": "1", "list_param": {"otp": "canary"}})
    assert "canary" not in repr(result)


# Whatever comes

REFUSED = ["-1", "-2", "-3", "-6", "-8", "-9"]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=8,
)
answers = st.dictionaries(
    st.sampled_from(["status", "Status", " STATUS ", "code", "idOmniMess", " idOmniMess "]),
    st.sampled_from(["1", 1, "-1", -2, True, 1.0, " 1 "]) | json_values,
)
bodies = (
    st.binary(max_size=200)
    | json_values.map(lambda value: json.dumps(value).encode())
    | answers.map(lambda value: json.dumps(value).encode())
)
header_names = st.sampled_from(["Content-Encoding", "content-type"]) | st.text(max_size=5)


@given(
    status=st.sampled_from([200, 401, 500]) | st.integers(),
    headers=st.dictionaries(header_names, st.text(max_size=10), max_size=2),
    body=bodies,
)
def test_decipher_send__whatever_comes(status, headers, body):
    result = decipher_send(status, headers, body)
    assert len(result.provider_message_id) <= 100
    assert len(result.provider_status) <= 50
    assert len(result.provider_detail) <= 500
    if result.outcome is Outcome.ACCEPTED:
        fields = {key.strip().lower(): value for key, value in json.loads(body).items()}
        assert status == 200
        assert str(fields["status"]).strip() == "1"
    if result.outcome is Outcome.REJECTED:
        assert status == 401 or result.provider_status.strip() in REFUSED
