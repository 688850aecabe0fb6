import json
from datetime import UTC, datetime, timedelta

import pytest

from django_etelecom.simulator import Outcome, Simulator

from .conversation import ORDINARY_NUMBER, SEND, accepted_id, ask, request, send


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


def test_advance__older_report_moves_nothing_back(simulator):
    provider_message_id = accepted_id(simulator, Outcome.DELIVERED_AFTER_FAILURE.phone_number)
    failed, delivered = Outcome.DELIVERED_AFTER_FAILURE.effect.reports

    simulator.gateway.advance(provider_message_id, delivered)
    simulator.gateway.advance(provider_message_id, failed)

    assert json.loads(ask(simulator, provider_message_id)[1])["status"] == "SUCCESS"
