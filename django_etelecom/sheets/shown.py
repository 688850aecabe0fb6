"""What a cell of a workbook shows, in the forms that the provider takes numbers and dates in."""

import re
from datetime import date, datetime, time, timedelta
from decimal import Decimal

PRECISION = 15
"""Digits that a spreadsheet shows of a number; what the file has beyond them is rounding."""

FIRST_YEAR = 1900

_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.', re.DOTALL)
_BRACKETED = re.compile(r"\[[^\]]*\]")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


def shown(value: object, number_format: str) -> str:
    """Return a value of openpyxl's as text: `dd/mm/yyyy`, `hh:mm[:ss]`, digits with a point.

    `number_format` is the cell's, such as `0.00`; it says how much of a moment is shown.

    Raises:
        ValueError: the value is not one of the calendar, or no number.
    """
    if isinstance(value, str):
        return _ESCAPED.sub(_character, value) if "_x" in value else value
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        text = _number(value)
        # A number of so many digits, such as a phone number's 0000000000.
        return text.zfill(len(number_format)) if not number_format.strip("0") else text
    return _moment(value, _LITERAL.sub("", number_format).partition(";")[0].lower())


def _number(value: float) -> str:
    if isinstance(value, int) and abs(value) < 10**19:
        return str(value)
    if not abs(value) < float("inf"):
        raise ValueError
    text = f"{Decimal(f'{value:.{PRECISION}g}'):f}"
    return "0" if text == "-0" else text


def _moment(value: object, code: str) -> str:
    if isinstance(value, timedelta):
        minutes, seconds = divmod(int(value.total_seconds()), 60)
        text = f"{minutes // 60:02}:{minutes % 60:02}"
        return f"{text}:{seconds:02}" if "s" in code else text
    code = _BRACKETED.sub("", code)
    shows_time = "h" in code or "s" in code
    if isinstance(value, time):
        # A moment before the first day: in a cell for a date it is day 0 of January 1900.
        if code != "general" and not shows_time:
            raise ValueError
        return _clock(value, with_seconds="s" in code or bool(code == "general" and value.second))
    if not isinstance(value, date) or value.year < FIRST_YEAR:
        raise ValueError
    day = f"{value.day:02}/{value.month:02}/{value.year:04}"
    if not isinstance(value, datetime) or not (shows_time or code == "general"):
        return day
    if "d" in code or "y" in code or code == "general":
        return f"{value:%H:%M} {day}"
    return _clock(value, with_seconds="s" in code)


def _clock(moment: time | datetime, *, with_seconds: bool) -> str:
    return f"{moment:%H:%M:%S}" if with_seconds else f"{moment:%H:%M}"


def _character(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    # Half a character cannot be stored anywhere, and NUL not in every database.
    return match[0] if character == "\0" or "\ud800" <= character <= "\udfff" else character
