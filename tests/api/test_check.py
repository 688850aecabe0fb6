"""Checking a message without sending it."""

import pytest

from django_etelecom.models import MessageLog, Suppression
from django_etelecom.sealing import number_digests
from tests.api.conftest import MASKED, told

CHECK = "/api/messages/check/"


def test_check__tells_what_would_be_sent(sender, order):
    response = sender.post(CHECK, order)

    assert response.status_code == 200
    check = told(response)
    assert check.pop("verdicts")
    assert check == {
        "template": "order_confirmation",
        "recipient": MASKED,
        "channels": ["1", "3"],
        "text": "Dear Nguyễn Văn An, order DH-1024 of 150000 VND comes on 24/12/2026.",
        "wire": {
            "phonenumber": MASKED,
            "routerule": ["1", "3"],
            "templatecode": "order_confirmation",
            "list_param": {
                "customer_name": "Nguyễn Văn An",
                "order_code": "DH-1024",
                "amount": "150000",
                "delivery_date": "24/12/2026",
            },
        },
        "sendable": True,
    }
    assert not MessageLog.objects.exists()


def test_check__tells_what_would_stop_it(sender, order):
    Suppression.objects.create(
        number_digest=number_digests("84912345678")[0], reason="staff", scope="everything"
    )

    check = told(sender.post(CHECK, order))

    assert check["sendable"] is False
    [verdict] = [verdict for verdict in check["verdicts"] if not verdict["passes"]]
    assert verdict["guard"] == "suppression"
    assert verdict["reason"]
    assert verdict["detail"]
    assert verdict["retry_after"] is None


def test_check__shows_the_number_to_whom_may_see_it(api_client, order):
    client = api_client("send_message", "view_recipient")

    assert told(client.post(CHECK, order))["recipient"] == "84912345678"


def test_check__shows_no_secret(sender, otp_template):
    response = sender.post(
        CHECK, {"template": "login_otp", "to": "0912345678", "params": {"otp": "937415"}}
    )

    assert response.status_code == 200
    assert "937415" not in response.content.decode()


def test_check__tells_all_faults_by_their_names(sender, order):
    order["params"] |= {"amount": 1.5, "order_code": True, "colour": "red"}

    response = sender.post(CHECK, {**order, "to": "12"})

    assert response.status_code == 400
    assert set(told(response)) == {"to", "params.amount", "params.order_code", "params.colour"}
    assert told(response)["params.amount"] == [
        "float is not taken: give text (str), a whole number, or in Python a Decimal, date, time "
        "or datetime."
    ]


@pytest.mark.parametrize("params", [None, {}, []])
def test_check__without_parameters_names_those_that_are_missing(sender, order, params):
    response = sender.post(CHECK, {**order, "params": params})

    assert response.status_code == 400
    assert set(told(response)) <= {"params"} | {f"params.{name}" for name in order["params"]}
