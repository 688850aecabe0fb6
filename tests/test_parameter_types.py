"""What the provider's word for a parameter means here."""

import pytest

from django_etelecom.client.templates import ProviderParameter
from django_etelecom.models import TemplateParameter
from django_etelecom.parameter_types import MEANINGS, brought_up, drawn_up
from django_etelecom.patterns import LONGEST_PATTERN, fault_of_cost
from django_etelecom.schema import Kind, Parameter


def told(name="value", type="", pattern="") -> ProviderParameter:  # noqa: A002
    return ProviderParameter(name=name, type=type, pattern=pattern)


@pytest.mark.parametrize(
    ("word", "kind", "limit"),
    [
        *(("name", "text", 30), ("Customer Name", "text", 30), ("phone", "phone", 15)),
        *(("PHONE_NUMBER", "phone", 15), ("address", "text", 200), ("code", "text", 30)),
        *(("custom label", "text", 30), ("status", "text", 30), ("contact", "text", 50)),
        *(("title", "text", 5), ("product", "text", 200), ("amount", "number", 20)),
        *(("time", "time", 20), ("OTP", "otp", 10), ("url", "url", 200), ("VND", "money", 12)),
        *(("VND amount", "money", 12), ("bank note", "text", 90), ("date", "date", 20)),
        *(("", "text", 200), ("string", "text", 200), ("NVarChar", "text", 200)),
    ],
)
def test_new__kind_and_longest_value(word, kind, limit):
    parameter, notes = drawn_up(told(type=word))

    assert (parameter.kind, parameter.limit, notes) == (kind, limit, [])
    assert parameter.required


@pytest.mark.parametrize("word", ["emoji", "7", "đ"])
def test_new__unknown_word_is_text_and_told(word):
    parameter, notes = drawn_up(told(type=word))

    assert parameter.kind == "text"
    assert notes == [f"value: the type “{word}” is not known; it becomes text."]


@pytest.mark.parametrize(
    "name",
    ["otp", "OTP", "login_otp", "otpCode", "maotp", "smsOtp", "one_time_password", "ma_xac_thuc"],
)
@pytest.mark.parametrize("word", ["", "string", "number", "otp"])
def test_new__one_time_password_by_its_name(name, word):
    parameter, _notes = drawn_up(told(name, word))

    assert (parameter.kind, parameter.secret, parameter.max_length) == ("otp", True, None)


@pytest.mark.parametrize("name", ["footprint", "robotpart", "code", "option"])
def test_new__other_names_are_no_one_time_password(name):
    parameter, _notes = drawn_up(told(name))

    assert (parameter.kind, parameter.secret) == ("text", False)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("delivery_date", "date"), ("ngay_giao", "date"), ("expires_at", "time"), ("update", "time")],
)
def test_new__zalos_time_is_a_date_where_the_name_says_so(name, kind):
    assert drawn_up(told(name, "time"))[0].kind == kind


def test_new__takes_the_pattern():
    assert drawn_up(told(pattern=r"^\d+$"))[0].pattern == r"^\d+$"


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [
        ("(a+)+", f"(a+)+ is not taken over. {fault_of_cost('(a+)+', 200)}"),
        ("(\x00", "(\\u0000 is not taken over. It has characters that cannot be shown."),
        ("x" * 201, f"{'x' * 39}… is not taken over. It has more than 200 characters."),
    ],
)
def test_pattern__that_is_not_taken_over_is_told(pattern, shown):
    for parameter, notes in (
        drawn_up(told(pattern=pattern)),
        brought_up(Parameter("value", Kind.TEXT), told(pattern=pattern)),
    ):
        assert parameter.pattern == ""
        assert notes == [f"value: the pattern {shown}"]


def test_pattern__is_measured_by_the_longest_value_that_the_parameter_will_have():
    costly = ".*,.*,.*,.*"

    name, _notes = drawn_up(told(type="name", pattern=costly))
    text, notes = drawn_up(told(pattern=costly))

    assert (name.max_length, name.pattern) == (30, costly)
    assert (text.limit, text.pattern, len(notes)) == (200, "", 1)


@pytest.mark.parametrize(
    ("ours", "word", "kind", "max_length"),
    [
        # What the provider does not speak of stays.
        (Parameter("value", Kind.MONEY, max_length=9), "", "money", 9),
        (Parameter("value", Kind.MONEY, max_length=9), "string", "money", 9),
        (Parameter("value", Kind.MONEY, max_length=9), "emoji", "money", 9),
        # Any kind that fits stays, and so does a longest value that was set by hand.
        (Parameter("value", Kind.MONEY), "number", "money", None),
        (Parameter("value", Kind.PHONE), "int", "phone", None),
        (Parameter("value", Kind.PHONE), "amount", "number", None),
        (Parameter("value", Kind.DATE), "time", "date", None),
        (Parameter("value", Kind.TEXT), "name", "text", 30),
        (Parameter("value", Kind.TEXT, max_length=60), "name", "text", 60),
        # Another kind takes its place, with its own longest value.
        (Parameter("value", Kind.TEXT, max_length=60), "vnd", "money", None),
        (Parameter("value", Kind.DATE), "name", "text", 30),
        (Parameter("value", Kind.TEXT), "otp", "otp", None),
        # A secret stays one.
        (Parameter("value", Kind.OTP), "number", "otp", None),
        (Parameter("value", Kind.TEXT, secret=True), "name", "text", None),
        (Parameter("value", Kind.TEXT, secret=True), "otp", "otp", None),
        (Parameter("value", Kind.OTP), "otp", "otp", None),
    ],
)
def test_existing__kind_and_longest_value(ours, word, kind, max_length):
    new, notes = brought_up(ours, told(type=word))

    assert (new.kind, new.max_length, notes) == (kind, max_length, [])
    assert new.secret == ours.secret


@pytest.mark.parametrize(("pattern", "kept"), [("", "^a$"), ("^b$", "^b$"), ("(", "^a$")])
def test_existing__pattern(pattern, kept):
    ours = Parameter("value", Kind.OTP, required=False, pattern="^a$", example="a")

    new, _notes = brought_up(ours, told(pattern=pattern))

    assert new.pattern == kept
    assert (new.required, new.example) == (False, "a")


def test_existing__name_alone_makes_no_secret():
    ours = Parameter("otp", Kind.TEXT)

    assert brought_up(ours, told("otp"))[0] == ours


def test_twice__changes_nothing_the_second_time():
    for word in ["", "emoji", *MEANINGS]:
        for kind in Kind:
            once = brought_up(Parameter("value", kind), told(type=word))[0]
            assert brought_up(once, told(type=word))[0] == once
        drawn = drawn_up(told(type=word))[0]
        assert brought_up(drawn, told(type=word))[0] == drawn


def test_pattern__fits_its_column():
    assert TemplateParameter._meta.get_field("pattern").max_length == LONGEST_PATTERN
