"""`check_message` and `resend_message`."""

import pytest

from django_etelecom.exceptions import InvalidMessage
from django_etelecom.models import MessageLog, MessageTemplate, RouteRule
from django_etelecom.services import cancel_message, check_message, resend_message, send_message

PHONE = "0912345678"
committing = pytest.mark.django_db(transaction=True)


def test_check__tells_what_would_be_sent(scripted, order_template, order_params):
    check = check_message("order_confirmation", PHONE, order_params)

    assert check.template == "order_confirmation"
    assert check.recipient == "84912345678"
    assert check.channels == ("1", "3")
    assert check.text == ("Dear Nguyễn Văn An, order DH-1024 of 150000 VND comes on 24/12/2026.")
    assert check.wire == {
        "phonenumber": "84912345678",
        "routerule": "1,3",
        "templatecode": "order_confirmation",
        "list_param": {
            "customer_name": "Nguyễn Văn An",
            "order_code": "DH-1024",
            "amount": "150000",
            "delivery_date": "24/12/2026",
        },
    }
    assert check.verdicts
    assert all(verdict.passes for verdict in check.verdicts)
    assert check.sendable


def test_check__writes_and_sends_nothing(scripted, otp_template):
    check_message(otp_template, PHONE, {"otp": "123456"})

    assert scripted.sent == []
    assert not MessageLog.objects.exists()


def test_check__masks_secrets(scripted, otp_template):
    check = check_message("login_otp", PHONE, {"otp": "937415"})

    assert check.text == "Your code is •••."
    assert "937415" not in str(check)


def test_check__value_with_braces_is_not_expanded_again(scripted, order_template, order_params):
    order_params["customer_name"] = "{order_code} {0.__class__}"

    check = check_message("order_confirmation", PHONE, order_params)

    assert check.text.startswith("Dear {order_code} {0.__class__}, order DH-1024")


def test_check__bad_input_raises(scripted, otp_template):
    with pytest.raises(InvalidMessage) as caught:
        check_message("login_otp", "12", {})

    assert set(caught.value.message_dict) == {"to", "params.otp"}


def test_check__template_without_parameters_needs_no_params(scripted, default_route):
    MessageTemplate.objects.create(code="plain", text="Hello")

    assert check_message("plain", PHONE).text == "Hello"


@committing
def test_resend__as_it_was(scripted, order_template, order_params, django_user_model):
    user = django_user_model.objects.create(username="lan")
    RouteRule.objects.create(name="SMS only", channels=["3"])
    first = send_message("order_confirmation", PHONE, order_params, route="SMS only")

    second = resend_message(first, sent_by=user)

    assert second.pk != first.pk
    assert second.resend_of == first
    assert second.sent_by == user
    assert scripted.sent[1].wire.reveal() == scripted.sent[0].wire.reveal()
    assert scripted.sent[1].channels == ("3",)
    assert list(first.resends.all()) == [second]


@committing
def test_resend__with_changes(scripted, order_template, order_params):
    RouteRule.objects.create(name="SMS only", channels=["3"])
    first = send_message("order_confirmation", PHONE, order_params)

    second = resend_message(first, to="0912345679", params={"order_code": "DH-2"}, route="SMS only")

    assert second.recipient == "84912345679"
    assert second.params == {**first.params, "order_code": "DH-2"}
    assert second.channels == ["3"]


@committing
def test_resend__secret_must_be_given_again(scripted, unhurried, otp_template):
    first = send_message("login_otp", PHONE, {"otp": "123456"})

    with pytest.raises(InvalidMessage) as caught:
        resend_message(first)
    second = resend_message(first, params={"otp": "654321"})

    assert list(caught.value.message_dict) == ["params.otp"]
    assert scripted.sent[1].wire.reveal() == {"otp": "654321"}
    assert second.status == "accepted"


@committing
@pytest.mark.parametrize("params", ["otp=1", [], 0, "", False])
def test_resend__params_that_are_no_mapping_raise(scripted, otp_template, params):
    first = send_message("login_otp", PHONE, {"otp": "123456"})

    with pytest.raises(InvalidMessage) as caught:
        resend_message(first, params=params)

    assert list(caught.value.message_dict) == ["params"]


@committing
def test_resend__follows_todays_schema(scripted, otp_template):
    first = send_message("login_otp", PHONE, {"otp": "123456"})
    otp_template.parameters.create(name="shop", position=1)

    with pytest.raises(InvalidMessage) as caught:
        resend_message(first, params={"otp": "1"})

    assert list(caught.value.message_dict) == ["params.shop"]


@committing
def test_resend__key_makes_it_once(scripted, unhurried, otp_template):
    first = send_message("login_otp", PHONE, {"otp": "123456"})

    second = resend_message(first, params={"otp": "1"}, idempotency_key="again")
    third = resend_message(first, params={"otp": "1"}, idempotency_key="again")

    assert third == second
    assert len(scripted.sent) == 2


@committing
def test_resend__optional_secret_must_be_given_again_or_left_out(scripted, unhurried, otp_template):
    otp_template.parameters.create(name="pin", secret=True, required=False, position=1)
    first = send_message("login_otp", PHONE, {"otp": "123456", "pin": "9999"})

    with pytest.raises(InvalidMessage) as caught:
        resend_message(first, params={"otp": "1"})
    resend_message(first, params={"otp": "1", "pin": ""})

    assert list(caught.value.message_dict) == ["params.pin"]
    assert scripted.sent[1].wire.reveal() == {"otp": "1"}


@committing
@pytest.mark.parametrize("message", [None, "message", MessageLog()])
def test_cancel__of_what_is_not_stored_raises(message):
    with pytest.raises(InvalidMessage, match="not a stored message"):
        cancel_message(message)


@committing
def test_resend__of_what_is_not_stored_raises(scripted, otp_template):
    first = send_message("login_otp", PHONE, {"otp": "123456"})
    MessageLog.objects.filter(pk=first.pk).delete()

    for message in (first, MessageLog(), "message", None):
        with pytest.raises(InvalidMessage) as caught:
            resend_message(message, params={"otp": "1"})
        assert caught.value.message_dict == {"message": ["This is not a stored message."]}
    assert len(scripted.sent) == 1
