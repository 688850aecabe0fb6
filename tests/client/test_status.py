"""GetStatusOmni: a request without a trace of its values, and what an answer says."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_etelecom.client.codes import Failure, Refusal, ReportedStatus
from django_etelecom.client.opaque import Opaque
from django_etelecom.client.status import Report, StatusResult, decipher_status, get_status_body
from django_etelecom.client.transport import NoAnswer, Response, status_result
from django_etelecom.client.wire import MAX_BODY
from tests.client.samples import cases, recorded
from tests.client.test_requests import shown_locals

ID = "ICOMNI0123456789abcdefghij0123456789"

SUCCESS, FAIL, PROCESSING = (
    ReportedStatus.SUCCESS,
    ReportedStatus.FAIL,
    ReportedStatus.PROCESSING,
)


def sample(case: str) -> StatusResult:
    return decipher_status(*recorded("get_status", case))


def decipher(body, *, status=200, headers=None) -> StatusResult:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return decipher_status(status, headers or {}, raw)


def report_of(body) -> Report:
    result = decipher(body)
    assert result.report is not None
    assert result.refusal is result.failure is None
    return result.report


def assert_not_understood(result: StatusResult, why: str = "") -> None:
    assert result.failure is Failure.BAD_ANSWER
    assert why in result.failure_detail
    assert result.failure_detail
    assert result.report is result.refusal is None


# The request


def body(**changes):
    fields = {
        "username": Opaque("shop"),
        "password": Opaque("canary-password"),
        "provider_message_id": ID,
    }
    return get_status_body(**{**fields, **changes})


def test_get_status_body():
    assert json.loads(body().reveal()) == {
        "username": "shop",
        "password": "canary-password",
        "idOmniMess": ID,
    }


def test_get_status_body__is_opaque():
    assert repr(body()) == "<Opaque>"


def test_get_status_body__another_type_is_refused_without_a_trace_of_the_values():
    with pytest.raises(TypeError, match="text only") as caught:
        body(provider_message_id=b"ICOMNI")
    assert caught.value.__context__ is caught.value.__cause__ is None
    assert "canary" not in shown_locals(caught.value, but_of="body")


def test_get_status_body__interrupt_leaves_without_a_trace_of_the_values(monkeypatch):
    def stop(*_):
        raise SystemExit from ValueError("canary")

    monkeypatch.setattr(json, "dumps", stop)
    with pytest.raises(SystemExit) as caught:
        body()
    assert caught.value.__context__ is caught.value.__cause__ is None
    assert "canary" not in shown_locals(caught.value, but_of="body")


# The provider's forms

REPORTS = {
    "as_printed": Report(
        status=FAIL, provider_status="FAIL", channel="XXXX", error_code="XXXX", payload=...
    ),
    "fail_by_zns": Report(
        status=FAIL, provider_status="FAIL", channel="ZNS", error_code="-118", payload=...
    ),
    "processing": Report(
        status=PROCESSING, provider_status="PROCESSING", channel="ZNS", payload=...
    ),
    "success_by_call": Report(
        status=SUCCESS,
        provider_status="SUCCESS",
        channel="AutoCall",
        error_code="0",
        duration=17,
        payload=...,
    ),
    "success_by_sms": Report(
        status=SUCCESS,
        provider_status="SUCCESS",
        channel="BrandnameSMS",
        error_code="0",
        paid_messages=1,
        network="3",
        is_charged=True,
        payload=...,
    ),
    "success_by_sms_as_printed": Report(
        status=SUCCESS,
        provider_status="SUCCESS",
        channel="BrandnameSMS",
        error_code="0",
        paid_messages=2,
        network="1",
        is_charged=True,
        payload=...,
    ),
    "numbers": Report(
        status=SUCCESS,
        provider_status="SUCCESS",
        channel="BrandnameSMS",
        error_code="0",
        paid_messages=1,
        network="3",
        is_charged=True,
        payload=...,
    ),
    "list_param_as_object": Report(
        status=SUCCESS, provider_status="SUCCESS", channel="ZNS", payload=...
    ),
    "lower_case": Report(
        provider_message_id=ID,
        status=FAIL,
        provider_status="fail",
        channel="AutoCall",
        error_code="17",
        duration=0,
        payload=...,
    ),
}
NO_REPORTS = {"unauthorized", "address", "not_found", "bad_gateway", "status_of_no_message"}


@pytest.mark.parametrize("case", REPORTS)
def test_report(case):
    result = sample(case)
    assert result.report is not None
    assert told(result.report) == told(REPORTS[case])
    assert result.provider_status == result.report.provider_status
    assert result.http_status == 200
    assert result.refusal is result.failure is None


def told(report: Report) -> dict[str, object]:
    return {name: getattr(report, name) for name in Report.__slots__ if name != "payload"}


def test_every_sample_has_its_test():
    assert cases("get_status") == {*REPORTS, *NO_REPORTS}


@pytest.mark.parametrize("case", ["as_printed", "success_by_sms_as_printed"])
def test_payload__of_the_printed_form_is_its_text(case):
    text = recorded("get_status", case)[2].decode()
    result = sample(case)
    assert result.payload == text
    assert result.report.payload == text


def test_payload__is_the_deciphered_object():
    answer = {"status": "SUCCESS", "list_param": {"otp": "1"}}
    result = decipher(answer)
    assert result.payload == result.report.payload == answer


@pytest.mark.parametrize(
    ("case", "refusal", "detail"),
    [
        ("unauthorized", Refusal.CREDENTIALS, "Unauthorized"),
        ("address", Refusal.ADDRESS, "Can't access from this IP"),
    ],
)
def test_refused(case, refusal, detail):
    result = sample(case)
    assert result.refusal is refusal
    assert (result.provider_status, result.provider_detail) == ("401", detail)
    assert result.http_status == 401
    assert result.payload == detail
    assert result.report is result.failure is None


def test_status_of_no_message__keeps_what_was_said():
    result = sample("status_of_no_message")
    assert_not_understood(result, "the answer has no status of a message")
    assert result.provider_status == "-1"
    assert result.provider_detail == "Nothing with this id"
    assert result.payload == {"status": "-1", "code": "Nothing with this id"}


def test_status_of_no_message__is_no_sentence():
    result = decipher({"status": "Nothing with this id"})
    assert result.provider_status == "Nothing with this id"
    assert result.provider_detail == ""


def test_not_found__keeps_what_was_said():
    result = sample("not_found")
    assert_not_understood(result, "HTTP 404")
    assert result.http_status == 404
    assert result.provider_detail == "No HTTP resource was found"


def test_bad_gateway():
    result = sample("bad_gateway")
    assert_not_understood(result, "HTTP 502")
    assert result.provider_detail == ""
    assert "502 Bad Gateway" in result.payload


# The forms a value may take


@pytest.mark.parametrize("key", ["status", "Status", " STATUS ", "sta_tus", "\tstatus\n"])
@pytest.mark.parametrize(
    ("word", "status"), [("SUCCESS", SUCCESS), ("fail", FAIL), (" Processing ", PROCESSING)]
)
def test_status(key, word, status):
    report = report_of({key: word})
    assert (report.status, report.provider_status) == (status, word)


def test_status__white_space_that_no_line_holds_is_kept_as_an_escape():
    report = report_of({"status": "FAIL\r\n"})
    assert (report.status, report.provider_status) == (FAIL, "FAIL\\u000d\\u000a")


@pytest.mark.parametrize(
    "word", ["", " ", "SUCCESSFUL", "1", 1, 0, True, None, [], {}, ["SUCCESS"], "ＦＡＩＬ", 10**30]
)
def test_status__not_of_the_table(word):
    assert_not_understood(decipher({"status": word}), "no status of a message")


@pytest.mark.parametrize("key", ["errorCode", "errorcode", "ErrorCode", "error_code", " errorCode"])
def test_keys__any_spelling(key):
    assert report_of({"status": "FAIL", key: "-118"}).error_code == "-118"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("-118", "-118"),
        (-118, "-118"),
        ("0", "0"),
        (0, "0"),
        (None, ""),
        ("", ""),
        (True, "true"),
        (1.5, "1.5"),
        ([1], ""),
        ({}, ""),
        ("9" * 5000, "9" * 50),
        ("a\x00b\ud800", "a\\u0000b\\ud800"),
        ("\n" * 60, ("\\u000a" * 10)[:50]),
    ],
)
@pytest.mark.parametrize(
    ("key", "name"), [("errorCode", "error_code"), ("channel", "channel"), ("telcoid", "network")]
)
def test_text(key, name, value, text):
    assert getattr(report_of({"status": "FAIL", key: value}), name) == text


@pytest.mark.parametrize(
    ("value", "count"),
    [
        *((1, 1), ("2", 2), (" 3 ", 3), (0, 0), ("999999999", 999999999)),
        *((-1, None), ("-1", None), ("", None), (None, None), (True, None), (1.5, None)),
        *(([], None), ("1,000", None), ("１", None), (10**9, None), (10**4000, None)),
    ],
)
@pytest.mark.parametrize(
    ("key", "name"),
    [("mtcount", "paid_messages"), ("quantity", "paid_messages"), ("duration", "duration")],
)
def test_count(key, name, value, count):
    assert getattr(report_of({"status": "SUCCESS", key: value}), name) == count


def test_count__of_paid_messages_by_both_names():
    answer = {"status": "SUCCESS", "mtcount": 0, "quantity": 2}
    assert report_of(answer).paid_messages == 0


@pytest.mark.parametrize(
    ("value", "charged"),
    [
        *(("True", True), ("true", True), (" TRUE ", True), ("1", True), (1, True), (True, True)),
        *(("False", False), ("0", False), (0, False), (False, False)),
        *(("", None), (None, None), ("yes", None), (2, None), ([], None)),
    ],
)
@pytest.mark.parametrize("key", ["ischarged", "IsCharged", "is_charged_zns", "isChargedZns"])
def test_is_charged(key, value, charged):
    assert report_of({"status": "SUCCESS", key: value}).is_charged is charged


def test_is_charged__by_both_names():
    answer = {"status": "SUCCESS", "ischarged": "False", "is_charged_zns": "True"}
    assert report_of(answer).is_charged is False


@pytest.mark.parametrize(
    ("given_id", "kept"), [(f" {ID} ", ID), (12345, "12345"), ("a\nb", ""), ("a" * 101, "")]
)
def test_id(given_id, kept):
    report = report_of({"status": "SUCCESS", " idOmniMess ": given_id})
    assert report.provider_message_id == kept


# What is not an answer


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "not JSON"),
        (b"null", "no JSON object"),
        (b'"SUCCESS"', "no JSON object"),
        (b'[{"status": "SUCCESS"}]', "no JSON object"),
        (b"{}", "no status of a message"),
        (b'{"status": "SUCCESS"', "not JSON"),
        (b'{"status": "SUCCESS", "a": NaN}', "not JSON"),
        (b'{"status": "SUCCESS", "a": 1e999}', "not JSON"),
        (b'{"status": "SUCCESS", "a": %s}' % (b"9" * 5000), "not JSON"),
        (b'{"status": "SUCCESS", "a": "\xff"}', "not JSON"),
        (b'{"status": "SUCCESS", "a": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", "too deep"),
        (b"[" * 65_000, "too deep"),
        (b'{"status": "SUCCESS", "status": "SUCCESS"}', "stands twice"),
        (b'{"status": "SUCCESS", "Status": "FAIL"}', "contradict"),
        (b'{"status": "SUCCESS", "a": [], "A": []}', "contradict"),
        (b'{"status": "SUCCESS", "errorCode": "1", "error_code": "2"}', "contradict"),
        (b'{"status": "SUCCESS", "a": "' + b"a" * MAX_BODY + b'"}', "more than"),
        (b"<!DOCTYPE html><title>Maintenance</title>", "not JSON"),
    ],
)
def test_body__not_understood(raw, why):
    assert_not_understood(decipher(raw), why)


def test_contradiction__under_another_http_status():
    result = decipher(b'{"code": "a", "Code": "b"}', status=500)
    assert_not_understood(result, "HTTP 500")
    assert result.provider_detail == ""


@pytest.mark.parametrize("status", [100, 201, 204, 302, 307, 400, 403, 404, 429, 500, 503])
def test_http_status__nothing_but_200_and_401_is_an_answer(status):
    result = decipher({"status": "SUCCESS"}, status=status)
    assert_not_understood(result, f"HTTP {status}")
    assert (result.http_status, result.provider_status) == (status, "SUCCESS")


def test_http_status__the_printed_form_needs_200_too():
    _status, headers, raw = recorded("get_status", "as_printed")
    assert_not_understood(decipher(raw, status=500, headers=headers), "HTTP 500")


def test_body__encoded():
    raw = gzip.compress(b'{"status": "SUCCESS"}')
    assert_not_understood(decipher(raw, headers={"Content-Encoding": "gzip"}), "encoded")


def test_detail__is_kept_bounded():
    assert len(decipher({"code": "a" * 5000}).provider_detail) == 500


def test_repr__shows_no_payload():
    result = decipher({"status": "SUCCESS", "list_param": {"otp": "canary"}})
    assert "canary" not in repr(result)
    assert "canary" not in repr(decipher({"list_param": {"otp": "canary"}}))


# The transport's part


def test_status_result__answer():
    response = Response(200, {}, b'{"status": "FAIL"}')
    assert status_result(response).report.status is FAIL


def test_status_result__no_answer():
    stop = SystemExit()
    result = status_result(NoAnswer(Failure.INTERRUPTED, True, "SystemExit", stop))
    assert result == StatusResult(
        failure=Failure.INTERRUPTED, failure_detail="SystemExit", interrupt=stop
    )


# The echo of the parameters


def printed(value: str, *, tail: str = ', "status":"FAIL", "errorCode":"7"') -> bytes:
    head = '{ "phonenumber":"84836106872", "list_param":'
    return f'{head}"{{"otp":"{value}"}}"{tail} }}'.encode()


@pytest.mark.parametrize("key", ["list_param", "listParam", "LISTPARAM", " list_param "])
def test_printed__any_spelling(key):
    raw = printed("1").replace(b'"list_param"', f'"{key}" '.encode())
    assert report_of(raw).status is FAIL


@pytest.mark.parametrize("tail", ["", " "])
def test_printed__echo_at_the_end(tail):
    raw = f'{{"status":"FAIL", "list_param":"{{"otp":"1"}}"{tail}}}'.encode()
    assert report_of(raw).status is FAIL


def test_printed__byte_order_mark():
    assert report_of(b"\xef\xbb\xbf" + printed("1")).status is FAIL


@pytest.mark.parametrize(
    "value",
    [
        '","status":"SUCCESS","x":"',
        '"}","x":"1',
        '"}","status":"SUCCESS","x":"',
        '"}","status":"SUCCESS","x":"\\',
        '"}","status":"SUCCESS","x":',
        '"},"status":"SUCCESS","x":{"y":"',
        '"}"}',
        '"}", "status":"SUCCESS"}',
        '{"status":"SUCCESS"}',
        '"list_param":"{"a":"b"}","status":"SUCCESS","x":"\\',
        "NaN\x00\n\t",
        "Nguyễn",
    ],
)
def test_printed__a_parameter_does_not_decide(value):
    report = report_of(printed(value))
    assert (report.status, report.error_code) == (FAIL, "7")


@pytest.mark.parametrize(
    ("value", "tail"),
    [
        # Two readings: with and without what the parameter adds.
        ('"}","Status":"SUCCESS","x":"\\', ', "status":"FAIL"'),
        ('"}","mtcount":"9","x":"\\', ', "status":"FAIL"'),
        ('"}","status":"SUCCESS","x":"\\', ', "errorCode":"7"'),
        ('"}","status":"SUCCESS","x":', ', "errorCode":"7"'),
        # None at all.
        ("1", ', "status":"FAIL", "status":"FAIL"'),
        ("1", ', "status":"FAIL", "a": NaN'),
        ("1", ', "status":"FAIL", "a": '),
        ("1", ', "status":"FAIL", "a": "'),
        # More than are tried.
        ('}",' * 51, ', "status":"FAIL"'),
    ],
)
def test_printed__not_understood_where_it_cannot_be_told_apart(value, tail):
    assert_not_understood(decipher(printed(value, tail=tail)), "not JSON")


def test_printed__contradiction():
    raw = printed("1", tail=', "status":"FAIL", "Status":"SUCCESS"')
    assert_not_understood(decipher(raw), "contradict")


def test_printed__without_a_status():
    result = decipher(printed("1", tail=', "status":"-1", "code":"No such id"'))
    assert_not_understood(result, "no status of a message")
    assert (result.provider_status, result.provider_detail) == ("-1", "No such id")
    assert isinstance(result.payload, str)


@pytest.mark.parametrize("echo", ['{"status":"SUCCESS"}', {"status": "SUCCESS"}, ["SUCCESS"], "{"])
def test_echo__in_json_does_not_decide(echo):
    assert report_of({"list_param": echo, "status": "FAIL"}).status is FAIL
    assert_not_understood(decipher({"list_param": echo}), "no status of a message")


# Whatever comes

FRAGMENTS = [
    *('"', "}", "{", "\\", ",", ":", " ", "[", "]", "\n", "1", "\x00", "é"),
    *('"}"', '"}",', '"}}', '"x":"', '"x":', '"x":{"y":"', '"x":"\\', '","x":"'),
    *('"status":"SUCCESS"', '"Status":"SUCCESS"', '"status":"success",', '"mtcount":"9",'),
    *('"list_param":"{', '"list_param":""'),
]
ATTACKS = [
    f'1"}}",{members},"x":{end}'
    for members in ('"status":"SUCCESS"', '"Status":"SUCCESS"', '"mtcount":"9"')
    for end in ("", '"', '"\\', '{"y":"')
]
values = st.sampled_from(ATTACKS) | st.lists(
    st.sampled_from(FRAGMENTS) | st.text(max_size=3), max_size=8
).map("".join)
parameters = st.dictionaries(st.sampled_from(["otp", "name", "a"]), values, min_size=1)
STATUS = '"status":"FAIL"'
OTHERS = ['"phonenumber":"84836106872"', '"channel":"ZNS"', '"errorCode":"7"']


def bare(echo: dict[str, str]) -> str:
    return "{" + ",".join(f'"{name}":"{value}"' for name, value in echo.items()) + "}"


@given(
    echo=parameters,
    write=st.sampled_from([bare, json.dumps]),
    others=st.sampled_from([[STATUS, *OTHERS], OTHERS]).flatmap(st.permutations),
    place=st.integers(min_value=0, max_value=4),
    comma=st.sampled_from([",", ", ", " , "]),
)
def test_echo__never_decides(echo, write, others, place, comma):
    members = [*others]
    members.insert(place, f'"list_param":"{write(echo)}"')
    result = decipher(("{" + comma.join(members) + "}").encode("utf-8", "surrogatepass"))
    if result.report is None:
        assert result.failure is Failure.BAD_ANSWER
    else:
        assert STATUS in members
        assert told(result.report) == told(
            Report(status=FAIL, provider_status="FAIL", channel="ZNS", error_code="7", payload=...)
        )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=8,
)
KEYS = ["status", " Status", "channel", "errorCode", "mtcount", "telcoid", "ischarged", "duration"]
answers = st.dictionaries(
    st.sampled_from([*KEYS, "idOmniMess", "list_param"]),
    st.sampled_from(["SUCCESS", "fail", "1", 1, True]) | json_values,
)
bodies = (
    st.binary(max_size=200)
    | json_values.map(lambda value: json.dumps(value).encode())
    | answers.map(lambda value: json.dumps(value).encode())
    | values.map(lambda value: f'{{"list_param":"{{{value}'.encode("utf-8", "surrogatepass"))
)


@given(
    status=st.sampled_from([200, 401, 500]) | st.integers(),
    headers=st.dictionaries(
        st.sampled_from(["Content-Encoding", "content-type"]), st.text(max_size=10), max_size=2
    ),
    raw=bodies,
)
def test_decipher_status__whatever_comes(status, headers, raw):
    result = decipher_status(status, headers, raw)
    said = [result.report, result.refusal, result.failure]
    assert said.count(None) == 2
    assert (result.refusal is not None) == (status == 401)
    assert len(result.provider_status) <= 50
    assert len(result.provider_detail) <= 500
    if result.report is not None:
        assert status == 200
        assert result.report.status is not None
        assert len(result.report.provider_message_id) <= 100
