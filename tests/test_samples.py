"""Parameters drawn up from a sample of `list_param`."""

import json

import pytest
from django.core.exceptions import ValidationError

from django_etelecom.samples import MAX_NAMES, MAX_SAMPLE, draw_up
from django_etelecom.schema import Kind, Schema


def sentence(sample: str) -> str:
    with pytest.raises(ValidationError) as refused:
        draw_up(sample)
    [told] = refused.value.messages
    return told


def drawn(sample: str) -> list[tuple[str, str]]:
    return [(parameter.name, parameter.example) for parameter in draw_up(sample)]


# --- Names, kinds, examples ---------------------------------------------------------------------


def test_names__stay_in_the_order_of_the_sample():
    assert drawn('{"b": "x", "a": "y", "c": "z"}') == [("b", "x"), ("a", "y"), ("c", "z")]


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("customer_name", "Nguyễn Văn An", Kind.TEXT),
        ("order_code", "DH-1024", Kind.TEXT),
        ("order_code", "1024", Kind.TEXT),
        ("orderId", 1024, Kind.TEXT),
        ("code", "12a", Kind.TEXT),
        ("zip", "00700", Kind.TEXT),
        ("empty", "", Kind.TEXT),
        ("nothing", None, Kind.TEXT),
        ("is_paid", True, Kind.TEXT),
        ("quantity", 3, Kind.NUMBER),
        ("quantity", "3", Kind.NUMBER),
        ("weight", 1.50, Kind.NUMBER),
        ("amount", 150000, Kind.MONEY),
        ("totalPrice", "150000", Kind.MONEY),
        ("so_tien", "150000", Kind.MONEY),
        ("amount", "150.000", Kind.TEXT),
        ("day", "24/12/2026", Kind.DATE),
        ("day", "2026-12-24", Kind.DATE),
        ("day", "31/02/2026", Kind.TEXT),
        ("at", "08:30", Kind.TIME),
        ("at", "08:30 24/12/2026", Kind.TIME),
        ("sdt", "1900 1234", Kind.PHONE),
        ("contact", "0912345678", Kind.PHONE),
        ("link", "https://shop.example/1", Kind.URL),
        ("link", "javascript:alert(1)", Kind.TEXT),
        ("otp", "123456", Kind.OTP),
        ("otp", "", Kind.OTP),
        ("loginOTP", 123456, Kind.OTP),
        ("code", "123456", Kind.OTP),
    ],
)
def test_kind__is_guessed_from_value_and_name(name, value, kind):
    [parameter] = draw_up(json.dumps({name: value}))

    assert parameter.kind == kind


def test_kind__takes_the_value_it_was_guessed_from():
    values = {
        "a": "x" * 300,
        "amount": "0150000",
        "day": "1/2/2026",
        "u": f"https://x.vn/{'a' * 300}",
    }

    parameters = draw_up(json.dumps(values))

    assert set(Schema(parameters).bind(values).reveal()) == set(values)


def test_number__stays_as_it_was_written():
    assert drawn('{"weight": 1.50, "big": 1234567890123456789012}') == [
        ("weight", "1.50"),
        ("big", "1234567890123456789012"),
    ]


def test_number__may_have_more_digits_than_python_reads():
    [parameter] = draw_up('{"big": ' + "9" * 5000 + "}")

    assert parameter.max_length == 5000
    assert len(parameter.example) == 200


@pytest.mark.parametrize("name", ["otp", "loginOtp", "pin", "password", "access_token", "mat_khau"])
def test_secret__is_no_example(name):
    [parameter] = draw_up(json.dumps({name: "483920"}))

    assert parameter.is_secret
    assert parameter.example == ""


def test_example__is_one_storable_line():
    assert drawn(r'{"note": "one\ntwo\u0000\ud800\u202e"}') == [
        ("note", r"one two\u0000\ud800\u202e")
    ]


# --- Where the object may stand -----------------------------------------------------------------


@pytest.mark.parametrize(
    "sample",
    [
        '  {"name": "An"}\n',
        '{"username": "u", "list_param": {"name": "An"}}',
        '{"listParam": {"name": "An"}}',
        '{"list_param": "{\\"name\\": \\"An\\"}", "status": "FAIL"}',
        '"{\\"name\\": \\"An\\"}"',
        '{ "phonenumber":"84836106872", "list_param":"{"name":"An"}", "status":"FAIL" }',
        '"{"name":"An"}"',
        '"list_param": {"name": "An"},',
    ],
)
def test_sample__is_found_in_what_surrounds_it(sample):
    assert drawn(sample) == [("name", "An")]


# --- What nothing can be drawn up from ----------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "told"),
    [
        ("", "Paste a sample."),
        (" \n", "Paste a sample."),
        ("name=An", "The sample is not JSON: see line 1, character 1."),
        ('{"a":\n"b" "c"}', "The sample is not JSON: see line 2, character 5."),
        ('{"a": {"b": "c"} "d"}', "The sample is not JSON: see line 1, character 18."),
        ('{"a": NaN}', "The sample is not JSON, which has no NaN."),
        ('{"a": -Infinity}', "The sample is not JSON, which has no -Infinity."),
        ("{}", "The sample has no names."),
        ('{"a": {"b": "c"}}', "The value of “a” is an object or a list; a parameter takes text."),
        ('{"a": []}', "The value of “a” is an object or a list; a parameter takes text."),
        ('{"a": 1, "b": 2, "a": 3}', "“a” stands in the sample twice."),
        ("[" * MAX_SAMPLE, "The sample is nested too deep."),
        ("1" * (MAX_SAMPLE + 1), "The sample is too long: at most 20000 characters are taken."),
        (
            '{"a": "' + "x" * 1_000_000 + '"}',
            "The sample is too long: at most 20000 characters are taken.",
        ),
    ],
)
def test_sample__is_refused_with_its_reason(sample, told):
    assert sentence(sample) == told


@pytest.mark.parametrize("sample", ["[1]", '"text"', "12", "null", '{"list_param": 5}'])
def test_sample__that_is_no_object_is_refused(sample):
    assert "no object of names and values" in sentence(sample)


@pytest.mark.parametrize(
    ("name", "shown"),
    [("", ""), ("no spaces", "no spaces"), ("1st", "1st"), ("tên", "tên"), ("\ud800", r"\ud800")],
)
def test_name__that_no_text_could_hold_is_refused(name, shown):
    told = sentence(json.dumps({"good": "1", name: "2"}))

    assert told.startswith(f"“{shown}” cannot be the name of a parameter. A name has 1 to 50")


def test_names__are_bounded():
    told = sentence(json.dumps({f"name{number}": "" for number in range(MAX_NAMES + 1)}))

    assert told == "The sample has 51 names; at most 50 are taken."
