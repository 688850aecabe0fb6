"""Which regular expressions of a template's parameters may be kept and run."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_etelecom.patterns import fault_of_cost, fault_of_pattern

LENGTH = 200

SLOW = (
    "It might take too long on some values, since it can match the same text in many ways. Repeat "
    "nothing that repeats itself, and put between two repetitions what neither of them takes: "
    "[A-Z]+(?:-[A-Z]+)* instead of ([A-Z]+-?)+"
)
COMPLICATED = (
    "It is too complicated to be checked. Write characters, classes such as [0-9], groups and "
    "counts such as {1,10}, and no reference to a group."
)
UNREADABLE = "It is not a regular expression of Python's."


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        # Codes and numbers, as templates have them.
        r"^\d{6}$",
        r"[0-9]{4,8}",
        r"^[A-Z]{2}-[0-9]{1,10}$",
        r"DH-\d+",
        r"(?i)dh-\d+",
        r"^(?:[A-Z]{2}-)?\d{1,6}$",
        r"[A-Z0-9]{3,}(?:-[A-Z0-9]{3,})*",
        r"\d{1,3}(\.\d{3})*( ?(đ|VND))?",
        r"(\d{3},)*\d{1,3}",
        r"[+-]?\d+(?:\.\d+)?",
        r"(?!0)\d{6}",
        r"\d{2}[A-Z]\d?-\d{3}(\.\d{2}|\d)",
        # Phone numbers, dates, times, addresses.
        r"^(0|84)\d{9}$",
        r"^(?:\+84|0)(?:3|5|7|8|9)[0-9]{8}$",
        r"^(0?[1-9]|[12]\d|3[01])/(0?[1-9]|1[0-2])/\d{4}$",
        r"(?P<day>[0-3]?\d)/\d{2}/\d{4}",
        r"^([01]?\d|2[0-3]):[0-5]\d( \d{2}/\d{2}/\d{4})?$",
        r"https?://[\w.-]+\.vn(/[\w./%-]*)?(\?[\w=&%-]*)?",
        r"https://shop\.example/(?:[a-z0-9-]+/)*",
        r"[\w.]+@[\w.]+\.[a-z]{2,}",
        r"[a-z0-9]+(?:[._-][a-z0-9]+)*@(?:[a-z0-9-]+\.)+[a-z]{2,}",
        # Names and text.
        r"^.{0,30}$",
        r".{1,1000}",
        r"[A-Z]+(?:-[A-Z]+)*",
        r"^[\w ,.'-]+$",
        r"\w+([ .-]\w+)*",
        r"\w+(?:\.\w+)*\.?",
        "[^,]*,[^,]*,[^,]*,.*",
        r"[^<>]*",
        r"(?s).+",
        r"(?:.|\n)*",
        "Đ+ơn",
        "[A-ZÀ-Ỹ][a-zà-ỹ]*( [A-ZÀ-Ỹ][a-zà-ỹ]*)*",
        "(?:giao|nhận|huỷ)( hàng)?",
        r"^(?=.*\d)(?=.*[A-Z])(?=.*[a-z]).{8,}$",
        r"(?<!x)(?i:abc)(?<=c)\b",
        # Whatever else Python reads.
        r"[]a]+[^]\]]",
        r"[\u0100-\u0200]+[\u0201-\u0300]*",
        r"[\U0001f600-\U0001f64f]+",
        r"\x41\012\0",
        r"\(\d+\)|\[x\]",
        "a{,}",
        "a{2,}?b*?",
        "a++b?+",
        "(?>a)b",
        "a{x}{",
        "a|",
        "(?:)|()|(?:|a)",
        "(?=a)*b",
        "(?:a*b){2,}",
        "x{300,400}y",
        "(" * 90 + ")" * 90,
    ],
)
def test_pattern__that_is_kept(pattern):
    assert fault_of_pattern(pattern, LENGTH) == ""


@pytest.mark.parametrize(
    "pattern",
    [
        # Repetitions in repetitions.
        "(a+)+$",
        "(a*)*",
        "(.*)*",
        "((a?)*)*b",
        "(?:a?){200}",
        "(.*a){20}",
        "([a-z]+ ?)+$",
        "([a-zA-Z]+)*$",
        r"(\w+\s*)+;",
        r"(\d+\.?)+",
        r"(?:\w+\.?)+@x",
        "(x+x+)+y",
        "(?:(?:a{1,9}){1,9}){1,9}",
        "(a{,5}){,50}b",
        r"^(([a-z])+.)+[A-Z]([a-z])+$",
        r"^(?:[a-z0-9](?:-*[a-z0-9])*)+$",
        "(?i)(a+)+b",
        "(?i:(?:k|K)+)+!",
        "(?s:(?:.+)+)b",
        "([^,]*)*;",
        "(?P<word>[a-z]+)+1",
        "(?:(?:a+)+)?b",
        "(a+?)+?b",
        # Alternatives that take the same.
        "(a|aa)+$",
        "(a|a)*b",
        "(a|a?)+b",
        "(?:a|ab|b)*c",
        r"^(\w|\d)+$",
        r"(?:\d|[0-9])+x",
        r"(?:.|\s)*x",
        "(?:[а-м]|[к-я])+!",
        r"(?:[\u0430-\u043c]|[\u043a-\u044f])+!",
        "(?i:[а-я]|[А-Я])+!",
        # Repetitions side by side.
        "a*a*a*b",
        ".*.*.*x",
        ".*.*.*.*x",
        ".*,.*,.*,.*",
        r"\d+\d+\d+\d+x",
        # Where something only looks.
        "(?=(a+)+$)a",
        "(?!(a|aa)+b)a+",
        "(?:(?=.*x.*y)a)*",
        "(?:(?=.*b)a?){30}x",
        # The engine is kept from going back, which is not looked into.
        "(?>a+)+b",
        "(a+)++b",
    ],
)
def test_pattern__that_might_run_for_ever(pattern):
    assert fault_of_pattern(pattern, LENGTH) == fault_of_cost(pattern, LENGTH) == SLOW


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a)\1",
        r"(a*)*\1",
        r"(?P<a>x)(?P=a)",
        "(a)?(?(1)b|c)",
        "(?#note)a",
        "(?x)a b",
        "(?-i:a)",
        "(?:(?:(?:(?:){200}){200}){200}){200}",
        # Each of the last thirteen characters can be where the middle one stands.
        "(a|b)*a(a|b){12}",
        "(?:a|b(?#note))*",
    ],
)
def test_pattern__that_cannot_be_counted(pattern):
    assert fault_of_pattern(pattern, LENGTH) == fault_of_cost(pattern, LENGTH) == COMPLICATED


@pytest.mark.parametrize(
    "pattern",
    ["(", "[a", r"\p{L}+", "(?<name>a)", "*", "a{99999999999}", "[[a]b", "a(?i)b", "a**", "\\"],
)
def test_pattern__that_is_none(pattern):
    assert fault_of_pattern(pattern, LENGTH) == UNREADABLE
    assert fault_of_cost(pattern, LENGTH) == ""


@pytest.mark.parametrize("pattern", ["a\n", "a\x00", "a\ud800", "a\u202eb", "\u200b"])
def test_pattern__that_cannot_be_shown(pattern):
    assert fault_of_pattern(pattern, LENGTH) == "It has characters that cannot be shown."


def test_pattern__that_is_too_long():
    assert fault_of_pattern("x" * 200, LENGTH) == ""
    assert fault_of_pattern("x" * 201, LENGTH) == "It has more than 200 characters."
    assert fault_of_cost("(x*)*" * 200, LENGTH) == ""


def test_pattern__is_measured_by_the_longest_value():
    assert fault_of_pattern(".*.*x", 500) == ""
    assert fault_of_pattern(".*.*x", 2000) == SLOW
    assert fault_of_pattern("(a+)+b", 10) == ""
    assert fault_of_pattern("[a-z]+( [a-z]+)*", 10**9) == SLOW


@given(st.text(alphabet="ab.*+?(){}[]|\\^$1,:P<>=!", max_size=30))
def test_any_text__is_no_exception_and_what_is_kept_can_be_run(pattern):
    if fault_of_pattern(pattern, LENGTH) == "":
        re.fullmatch(pattern, "ab1" * 60 + "!")
