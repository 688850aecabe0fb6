"""Which regular expressions of another's may be kept."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_etelecom.patterns import fault_of_pattern

SLOW = "It might take too long on some values."
UNREADABLE = "It is not a regular expression of Python's."


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        r"^\d{6}$",
        r"^[A-Z]{2}-[0-9]{1,10}$",
        r"^(0|84)\d{9}$",
        r"^(?:[A-Z]{2}-)?\d{1,6}$",
        r"[\w.]+@[\w.]+\.[a-z]{2,}",
        r"^.{0,30}$",
        r"(\d{3},)*\d{1,3}",
        r"(?P<day>[0-3]?\d)/\d{2}/\d{4}",
        r"[]a]+[^]\]]",
        r"\(\d+\)|\[x\]",
        "a{,}",
        "a{2,}?b*?",
        "a{x}{",
        "a|",
        "(" * 90 + ")" * 90,
        "Đ+ơn",
    ],
)
def test_pattern__that_is_kept(pattern):
    assert fault_of_pattern(pattern) == ""


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a*)*",
        "(a|a)*b",
        "(?:a?){200}",
        "([a-z]+ ?)+$",
        ".*.*.*.*x",
        "(?:(?:(?:(?:){200}){200}){200}){200}",
        "(?:(?:a{1,9}){1,9}){1,9}",
        # What is not looked into.
        "(?=a)b",
        "(?!a)b",
        "(?>a)b",
        "(?i)a",
        r"(a)\1",
        "(?P<a>x)(?P=a)",
        "(?#note)a",
        "(?:(?=a)b)",
    ],
)
def test_pattern__that_might_run_for_ever(pattern):
    assert fault_of_pattern(pattern) == SLOW


@pytest.mark.parametrize(
    "pattern",
    ["(", "[a", r"\p{L}+", "(?<name>a)", "*", "a{99999999999}", "[[a]b", "a(?i)b", "a**", "\\"],
)
def test_pattern__that_is_none(pattern):
    assert fault_of_pattern(pattern) == UNREADABLE


@pytest.mark.parametrize("pattern", ["a\n", "a\x00", "a\ud800", "a\u202eb", "\u200b"])
def test_pattern__that_cannot_be_shown(pattern):
    assert fault_of_pattern(pattern) == "It has characters that cannot be shown."


def test_pattern__that_is_too_long():
    assert fault_of_pattern("x" * 200) == ""
    assert fault_of_pattern("x" * 201) == "It has more than 200 characters."


@settings(deadline=None)
@given(st.text(alphabet="ab.*+?(){}[]|\\^$1,:P<>=", max_size=30))
def test_any_text__is_no_exception_and_what_is_kept_can_be_run(pattern):
    if fault_of_pattern(pattern) == "":
        re.fullmatch(pattern, "ab1" * 60 + "!")
