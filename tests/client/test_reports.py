"""The webhook's body: bytes in, delivery reports out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_etelecom.client.codes import ReportedStatus
from django_etelecom.client.status import MalformedReport, Report, decipher_reports
from django_etelecom.client.wire import UNPRINTABLE
from tests.client.samples import SAMPLES

ID = "ICOMNI0123456789abcdefghij0123456789"

SUCCESS, FAIL, PROCESSING = (
    ReportedStatus.SUCCESS,
    ReportedStatus.FAIL,
    ReportedStatus.PROCESSING,
)

SMS = {
    "provider_message_id": ID,
    "status": SUCCESS,
    "provider_status": "SUCCESS",
    "channel": "BrandnameSMS",
    "error_code": "0",
    "paid_messages": 1,
    "network": "3",
    "is_charged": True,
}
ZNS = {
    "provider_message_id": ID,
    "status": FAIL,
    "provider_status": "FAIL",
    "channel": "ZNS",
    "error_code": "-118",
    "is_charged": False,
}
REPORTS = {
    "pascal_case": [SMS],
    "fail_by_zns": [ZNS],
    "processing": [
        {
            "provider_message_id": ID,
            "status": PROCESSING,
            "provider_status": "PROCESSING",
            "channel": "AutoCall",
            "duration": 0,
        }
    ],
    "snake_case": [{**SMS, "channel": "ZNS"}],
    "camel_case": [{**SMS, "provider_status": "success", "paid_messages": 2, "network": "1"}],
    "list": [ZNS, SMS],
}


def body_of(case: str) -> bytes:
    return (SAMPLES / "webhook" / f"{case}.json").read_bytes()


def reports(body) -> list[Report]:
    return decipher_reports(body if isinstance(body, bytes) else json.dumps(body).encode())


def given_report(**changes) -> dict[str, object]:
    return {"IdOmniMess": ID, "Status": "SUCCESS", **changes}


@pytest.mark.parametrize("case", REPORTS)
def test_report(case):
    body = body_of(case)
    told = json.loads(body)
    payloads = told if isinstance(told, list) else [told]
    expected = [
        Report(**fields, payload=payload)
        for fields, payload in zip(REPORTS[case], payloads, strict=True)
    ]
    assert decipher_reports(body) == expected


def test_every_sample_has_its_test():
    assert {path.stem for path in (SAMPLES / "webhook").iterdir()} == set(REPORTS)


def test_status__not_of_the_table_is_kept_as_it_came():
    [report] = reports(given_report(Status="SENT"))
    assert (report.status, report.provider_status) == (None, "SENT")


@pytest.mark.parametrize("status", [" success ", "Success", "SUCCESS"])
def test_status__any_case_and_white_space(status):
    [report] = reports(given_report(Status=status))
    assert (report.status, report.provider_status) == (SUCCESS, status)


@pytest.mark.parametrize(("status", "text"), [(1, "1"), (True, "true")])
def test_status__of_another_type(status, text):
    [report] = reports(given_report(Status=status))
    assert (report.status, report.provider_status) == (None, text)


def test_text__nul_and_surrogates_are_kept_as_escapes():
    [report] = reports(given_report(Channel="Z\x00NS", ErrorCode="\ud800", Status="A\x1b"))
    assert report.channel == "Z\\u0000NS"
    assert report.error_code == "\\ud800"
    assert report.provider_status == "A\\u001b"


def test_unknown_keys__are_ignored_whatever_they_hold():
    deep: list[object] = []
    for _ in range(50):
        deep = [deep, {"Status": "FAIL"}]
    [report] = reports(given_report(More=deep, Other={"Status": "FAIL"}, Number=10**400))
    assert report.status is SUCCESS


def test_body__byte_order_mark_and_white_space():
    assert reports(b"\xef\xbb\xbf \n" + body_of("pascal_case"))[0].status is SUCCESS


def test_repr__shows_no_payload():
    assert "canary" not in repr(reports(given_report(Phone="canary")))


# What is no report

NO_ID = "a report has an IdOmniMess of at most 100 printable characters"
NO_STATUS = "a report has a Status, such as SUCCESS"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the body is not JSON"),
        (b"IdOmniMess=canary&Status=SUCCESS", "the body is not JSON"),
        (b'{"IdOmniMess": "canary", "Status": NaN}', "the body is not JSON"),
        (b'{"IdOmniMess": "canary", "Status": "\xff"}', "the body is not JSON"),
        (b'{"a": %s}' % (b"9" * 5000), "the body is not JSON"),
        (b"[" * 100_000, "the body is nested too deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "the body is nested too deep"),
        (b'{"Status": "FAIL", "Status": "FAIL"}', "a key stands twice in one object"),
        (b'{"a": {"canary": 1, "canary": 2}}', "a key stands twice in one object"),
        (b"null", "a report is a JSON object"),
        (b"1", "a report is a JSON object"),
        (b'"canary"', "a report is a JSON object"),
        ([], "the list holds no report"),
        ([[]], "report 1 of the list: a report is a JSON object"),
        ({}, NO_ID),
        (given_report(IdOmniMess=""), NO_ID),
        (given_report(IdOmniMess=None), NO_ID),
        (given_report(IdOmniMess=True), NO_ID),
        (given_report(IdOmniMess=["canary"]), NO_ID),
        (given_report(IdOmniMess="canary\x00"), NO_ID),
        (given_report(IdOmniMess="canary\ud800"), NO_ID),
        (given_report(IdOmniMess="a" * 101), NO_ID),
        ({"IdOmniMess": "canary"}, NO_STATUS),
        (given_report(Status=""), NO_STATUS),
        (given_report(Status=" "), NO_STATUS),
        (given_report(Status=None), NO_STATUS),
        (given_report(Status={"canary": 1}), NO_STATUS),
        (given_report(status="FAIL"), "two spellings of one key contradict"),
        (given_report(id_omni_mess="canary"), "two spellings of one key contradict"),
        ([given_report(), given_report(Status="")], f"report 2 of the list: {NO_STATUS}"),
        ([given_report(IdOmniMess="")], f"report 1 of the list: {NO_ID}"),
        (
            [given_report(), given_report(), given_report(STATUS="canary")],
            "report 3 of the list: two spellings of one key contradict",
        ),
    ],
)
def test_malformed(body, why):
    with pytest.raises(MalformedReport) as caught:
        reports(body)
    assert str(caught.value) == why
    # What lies behind an error of the JSON reader holds the whole body.
    assert caught.value.__context__ is caught.value.__cause__ is None


def test_malformed__is_a_value_error():
    assert issubclass(MalformedReport, ValueError)


# Whatever comes

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=8,
)
KEYS = ["IdOmniMess", "Status", "status", "Channel", "ErrorCode", "MtCount", "IsCharged", "More"]
members = st.dictionaries(
    st.sampled_from(KEYS), st.sampled_from([ID, "SUCCESS", "1", 1, True]) | json_values
)
likely = members.map(lambda changes: given_report(**changes))
bodies = st.binary(max_size=200) | (json_values | likely | st.lists(likely | members)).map(
    lambda value: json.dumps(value).encode()
)


@given(body=bodies)
def test_decipher_reports__whatever_comes(body):
    try:
        found = decipher_reports(body)
    except MalformedReport:
        return
    assert found
    for report in found:
        assert 0 < len(report.provider_message_id) <= 100
        assert report.provider_status
        for text in (
            report.provider_message_id,
            report.provider_status,
            report.channel,
            report.error_code,
            report.network,
        ):
            assert len(text) <= 100
            assert not UNPRINTABLE.search(text)
