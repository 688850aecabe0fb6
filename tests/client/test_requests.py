"""Building a request: no I/O."""

import json

import pytest

from django_etelecom.client.opaque import Opaque
from django_etelecom.client.protocol import (
    GET_STATUS,
    SEND_MESSAGE,
    endpoint,
    route_rule,
    send_message_body,
)

PROVIDER = "https://sms.etelecom.vn"


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://sms.etelecom.vn", "https://sms.etelecom.vn/api/OmniMessage/SendMessage"),
        ("https://sms.etelecom.vn/", "https://sms.etelecom.vn/api/OmniMessage/SendMessage"),
        ("https://sms.etelecom.vn/api", "https://sms.etelecom.vn/api/OmniMessage/SendMessage"),
        ("https://sms.etelecom.vn/API/", "https://sms.etelecom.vn/API/OmniMessage/SendMessage"),
        (" https://sms.etelecom.vn ", "https://sms.etelecom.vn/api/OmniMessage/SendMessage"),
        (
            "https://proxy.example/omni/api",
            "https://proxy.example/omni/api/OmniMessage/SendMessage",
        ),
        ("https://proxy.example/omni", "https://proxy.example/omni/api/OmniMessage/SendMessage"),
        ("https://proxy.example/X/", "https://proxy.example/X/api/OmniMessage/SendMessage"),
        (
            "https://proxy.example/to/http://api",
            "https://proxy.example/to/http://api/OmniMessage/SendMessage",
        ),
        ("https://api", "https://api/api/OmniMessage/SendMessage"),
        ("https://[::1", "https://[::1/api/OmniMessage/SendMessage"),
    ],
)
def test_endpoint(base_url, expected):
    assert endpoint(base_url, SEND_MESSAGE) == expected


def test_endpoint__get_status():
    expected = "https://sms.etelecom.vn/api/OmniReport/GetStatusOmni"
    assert endpoint(PROVIDER, GET_STATUS) == expected


@pytest.mark.parametrize(
    ("base_url", "form", "expected"),
    [
        ("https://sms.etelecom.vn", None, "1,3"),
        ("https://SMS.eTelecom.vn/api", None, "1,3"),
        (" https://sms.etelecom.vn:443", None, "1,3"),
        ("https://omni.incom.vn", None, ["1", "3"]),
        ("https://sms.etelecom.vn.example", None, ["1", "3"]),
        ("https://[::1", None, ["1", "3"]),
        ("https://sms.etelecom.vn", "list", ["1", "3"]),
        ("https://omni.incom.vn", "string", "1,3"),
    ],
)
def test_route_rule(base_url, form, expected):
    assert route_rule(("1", "3"), base_url=base_url, form=form) == expected


def test_route_rule__one_channel_is_still_a_string_or_a_list():
    assert route_rule(["2"], base_url=PROVIDER, form=None) == "2"
    assert route_rule(["2"], base_url="https://omni.incom.vn", form=None) == ["2"]


def body(**changes):
    fields = {
        "username": Opaque("shop"),
        "password": Opaque("canary-password"),
        "phone_number": "84912345678",
        "channels": ["1", "3"],
        "template_code": "ORDER",
        "list_param": Opaque({"customer_name": "Nguyễn Văn An", "otp": "canary-otp"}),
        "base_url": PROVIDER,
        "routerule_format": None,
    }
    return send_message_body(**{**fields, **changes})


def test_send_message_body():
    assert json.loads(body().reveal()) == {
        "username": "shop",
        "password": "canary-password",
        "phonenumber": "84912345678",
        "routerule": "1,3",
        "templatecode": "ORDER",
        "list_param": {"customer_name": "Nguyễn Văn An", "otp": "canary-otp"},
    }


def test_send_message_body__route_rule_in_the_form_that_the_account_says():
    written = json.loads(body(routerule_format="list").reveal())
    assert written["routerule"] == ["1", "3"]


def test_send_message_body__any_text_can_be_written():
    written = body(list_param=Opaque({"name": "\ud800\x00😀"})).reveal()
    assert json.loads(written)["list_param"] == {"name": "\ud800\x00😀"}
    assert written.decode("utf-8")


def test_send_message_body__is_opaque():
    assert repr(body()) == "<Opaque>"


@pytest.mark.parametrize(
    "changes",
    [
        {"list_param": Opaque({"otp": "canary-otp", "other": object()})},
        {"list_param": Opaque(["canary-otp"])},
        {"channels": [1, 3], "routerule_format": "string"},
    ],
)
def test_send_message_body__another_type_is_refused_without_a_trace_of_the_values(changes):
    with pytest.raises(TypeError, match="text only") as caught:
        body(**changes)
    assert caught.value.__context__ is caught.value.__cause__ is None
    assert "canary" not in str(caught.value)
    assert "canary" not in shown_locals(caught.value, but_of="body")


def test_send_message_body__interrupt_leaves_without_a_trace_of_the_values(monkeypatch):
    def stop(*_):
        raise SystemExit from ValueError("canary")

    monkeypatch.setattr(json, "dumps", stop)
    with pytest.raises(SystemExit) as caught:
        body()
    assert caught.value.__context__ is caught.value.__cause__ is None
    assert "canary" not in shown_locals(caught.value, but_of="body")


def shown_locals(error: BaseException, *, but_of: str) -> str:
    """Return what a reporter would show of the frames, but for the function `but_of`."""
    shown, traceback = [], error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_name != but_of and "django_etelecom" in code.co_filename:
            shown.append(f"{code.co_name} {traceback.tb_frame.f_locals}")
        traceback = traceback.tb_next
    assert shown
    return "\n".join(shown)
