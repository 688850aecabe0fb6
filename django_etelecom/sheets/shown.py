"""What a cell of a workbook shows, in the forms that the provider takes numbers and dates in."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, time, timedelta
from decimal import Decimal
from enum import Flag, auto

from .package import parse

SECONDS_A_DAY = 86_400
LAST_SERIAL = 2_958_465
"""Midnight of 31/12/9999, in days since the end of 1899."""

DAYS_TO_1904 = 1_462

PRECISION = 15
"""Digits that a spreadsheet shows of a number; what the file has beyond them is rounding."""


class DateFormat(Flag):
    """What a cell's format shows of the moment that its number stands for."""

    DATE = auto()
    TIME = auto()
    SECONDS = auto()
    DURATION = auto()


# What the format has without writing it down (ECMA-376, part 1, 18.8.30).
_BUILT_IN: Mapping[int, DateFormat] = {
    **dict.fromkeys([*range(14, 18), *range(27, 32), 36, *range(50, 59)], DateFormat.DATE),
    **dict.fromkeys([18, 20, 32, 33], DateFormat.TIME),
    **dict.fromkeys([19, 21, 45, 47], DateFormat.TIME | DateFormat.SECONDS),
    22: DateFormat.DATE | DateFormat.TIME,
    46: DateFormat.DURATION | DateFormat.SECONDS,
}

_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|general', re.DOTALL | re.IGNORECASE)
_ELAPSED = re.compile(r"\[(?:h+|m+|s+)\]", re.IGNORECASE)
_BRACKETED = re.compile(r"\[[^\]]*\]")


def date_formats(blocks: Iterator[bytes]) -> dict[str, DateFormat]:
    """Read a workbook's styles, and return those that show a date or a time.

    Keys are what a cell names its style by.
    """
    codes: dict[str, str] = {}
    styles: list[str] = []
    is_in_styles = False

    def number_format(attributes: Mapping[str, str]) -> None:
        codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")

    def begin_styles(_attributes: Mapping[str, str]) -> None:
        nonlocal is_in_styles
        is_in_styles = True

    def end_styles() -> None:
        nonlocal is_in_styles
        is_in_styles = False

    def style(attributes: Mapping[str, str]) -> None:
        # The same element also stands in a list of styles by name.
        if is_in_styles:
            styles.append(attributes.get("numFmtId", ""))

    starts = {"numFmt": number_format, "cellXfs": begin_styles, "xf": style}
    parse(blocks, starts, {"cellXfs": end_styles})
    built_in = {str(number): date_format for number, date_format in _BUILT_IN.items()}
    known = built_in | {number: date_format_of(code) for number, code in codes.items()}
    found = {str(index): known.get(number) for index, number in enumerate(styles)}
    return {style: date_format for style, date_format in found.items() if date_format}


def date_format_of(code: str) -> DateFormat:
    """Return what a format's code, such as `dd/mm/yyyy`, shows: nothing where it is for amounts."""
    code = _LITERAL.sub("", code).partition(";")[0].lower()
    shows = DateFormat(0)
    if _ELAPSED.search(code):
        return DateFormat.DURATION | DateFormat.SECONDS if "s" in code else DateFormat.DURATION
    code = _BRACKETED.sub("", code)
    if "h" in code or "s" in code:
        shows |= DateFormat.TIME
    if "s" in code:
        shows |= DateFormat.SECONDS
    # An m alone is a month; beside hours or seconds it may be minutes.
    if "d" in code or "y" in code or ("m" in code and not shows):
        shows |= DateFormat.DATE
    return shows


def shown_number(raw: str) -> str:
    """Return a number as digits with a point before its decimals: no grouping, no exponent.

    Raises:
        ValueError: it is no number.
    """
    raw = raw.strip()
    if re.fullmatch(r"(?:0|-?[1-9][0-9]{0,18})", raw):
        return raw
    number = float(raw)
    if not abs(number) < float("inf"):
        raise ValueError
    text = f"{Decimal(f'{number:.{PRECISION}g}'):f}"
    return "0" if text == "-0" else text


def shown_date(raw: str, shows: DateFormat, *, from_1904: bool = False) -> str:
    """Return the moment that a number stands for: `dd/mm/yyyy`, `hh:mm[:ss]` or both.

    Raises:
        ValueError: it is no number, or not one of the calendar.
    """
    serial = float(raw)
    last = LAST_SERIAL - DAYS_TO_1904 if from_1904 else LAST_SERIAL
    if not 0 <= serial <= last:
        raise ValueError
    # To the second: the fraction of a day is never exact.
    seconds = round(serial * SECONDS_A_DAY)
    if DateFormat.DURATION in shows:
        return _clock(seconds, shows)
    if DateFormat.DATE not in shows:
        return _clock(seconds % SECONDS_A_DAY, shows)
    if serial < 1 and not from_1904:
        # A time alone in a cell for a date: what is shown is day 0 of January 1900.
        raise ValueError
    moment = _epoch(serial, from_1904=from_1904) + timedelta(seconds=seconds)
    return _written(moment, with_time=DateFormat.TIME in shows)


def shown_iso_date(raw: str) -> str:
    """Return a date, a time or both that a file holds as text of ISO 8601.

    Raises:
        ValueError: it is none of them.
    """
    raw = raw.strip().removesuffix("Z")
    if "T" not in raw and ":" in raw:
        clock = time.fromisoformat(raw)
        return f"{clock:%H:%M:%S}" if clock.second else f"{clock:%H:%M}"
    return _written(datetime.fromisoformat(raw), with_time="T" in raw)


def _epoch(serial: float, *, from_1904: bool) -> datetime:
    if from_1904:
        return datetime(1904, 1, 1)  # noqa: DTZ001
    # Spreadsheets hold 1900 for a leap year, which day 60 would be in.
    return datetime(1899, 12, 30 if serial >= 60 else 31)  # noqa: DTZ001


def _clock(seconds: int, shows: DateFormat) -> str:
    minutes, second = divmod(seconds, 60)
    text = f"{minutes // 60:02}:{minutes % 60:02}"
    return f"{text}:{second:02}" if DateFormat.SECONDS in shows else text


def _written(moment: datetime, *, with_time: bool) -> str:
    day = f"{moment.day:02}/{moment.month:02}/{moment.year:04}"
    return f"{moment:%H:%M} {day}" if with_time else day
