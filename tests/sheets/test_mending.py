"""Phone numbers that a spreadsheet took for amounts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_etelecom.sheets import mend_number


@pytest.mark.parametrize(
    "typed",
    [
        "0912345678",
        "84912345678",
        "+84 912 345 678",
        "0912.345.678",
        "An",
        "",
        " ",
        "12345",
        "1" * 99,
    ],
)
def test_mend_number__leaves_alone_what_was_not_damaged(typed):
    assert mend_number(typed) == (typed, "", "")


@pytest.mark.parametrize(
    ("damaged", "mended"),
    [
        ("912345678", "0912345678"),
        (" 912345678 ", "0912345678"),
        ("841234567", "0841234567"),
        ("912345678.0", "0912345678"),
        ("912345678,00", "0912345678"),
        ("84912345678.0", "84912345678"),
        ("9.12345678E+08", "0912345678"),
        ("9,12345678e8", "0912345678"),
        ("9.123456780E+08", "0912345678"),
        ("8.4912345678E+10", "84912345678"),
        ("912,345,678", "0912345678"),
        ("84,912,345,678", "84912345678"),
    ],
)
def test_mend_number__one_reading_is_mended_and_told(damaged, mended):
    value, notice, fault = mend_number(damaged)

    assert value == mended
    assert notice
    assert not fault


def test_mend_number__apostrophe_that_made_it_text():
    assert mend_number("'0912345678") == ("0912345678", "", "")


@pytest.mark.parametrize(
    "damaged", ["9.12E+08", "9,12E+08", "9E8", "8.49123E+10", "9.123456785E+08"]
)
def test_mend_number__lost_digits_are_a_fault_that_says_how_to_avoid_it(damaged):
    value, notice, fault = mend_number(damaged)

    assert value == damaged
    assert not notice
    assert "as text" in fault


@pytest.mark.parametrize("typed", ["612345678", "6.12345678E+08"])
def test_mend_number__nine_digits_that_are_no_number_get_no_zero(typed):
    assert mend_number(typed).value == "612345678"


def test_mend_number__point_that_may_part_digits_leaves_two_readings():
    # 0849 123 456, or 84 912 345 600.
    assert "two readings" in mend_number("849123456.00").fault


@pytest.mark.parametrize("typed", ["376312345", "3.76312345E+08"])
def test_mend_number__nine_digits_that_may_come_from_abroad(typed, settings):
    assert mend_number(typed).value == "0376312345"

    # +376 312 345 is a mobile number of Andorra.
    settings.ETELECOM = {"ALLOWED_NUMBERS": {"VN": ["MOBILE"], "AD": ["MOBILE"]}}

    assert mend_number(typed).value == typed
    assert "two readings" in mend_number(typed).fault


@given(st.text(max_size=60) | st.from_regex(r"[0-9]{1,12}([.,][0-9]{1,9})?(E\+?[0-9]{1,2})?"))
def test_mend_number__any_text_is_mended_told_or_left(text):
    value, notice, fault = mend_number(text)

    assert not (notice and fault)
    assert not re.search("[0-9]{3}", notice + fault)
    assert mend_number(value).value == value or fault
