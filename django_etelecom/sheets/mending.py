"""Phone numbers that a spreadsheet took for amounts: mended where there is exactly one reading."""

import re
from typing import NamedTuple

from django.utils.translation import gettext as _

from ..exceptions import InvalidMessage
from ..phone import LONGEST_TYPED, normalize

_EXPONENT = re.compile(r"([1-9])(?:[.,]([0-9]+))?[eE]\+?([0-9]{1,2})")
_DECIMAL = re.compile(r"([1-9][0-9]*)[.,]0+")
_GROUPED = re.compile(r"[1-9][0-9]{0,2}(?:,[0-9]{3})+")
_WITHOUT_ITS_ZERO = re.compile(r"[1-9][0-9]{8}")


class Mended(NamedTuple):
    """A number as it is to be read; `notice` says what was mended, `fault` why it cannot be.

    Both are sentences without the number in them, and empty where there is nothing to say.
    """

    value: str
    notice: str = ""
    fault: str = ""


def mend_number(value: str) -> Mended:
    """Undo what a spreadsheet does to a phone number.

    A number that nothing was done to, and any other text, comes back as it is: whether it is a
    number that can be written to is for `phone.normalize` to say.
    """
    typed = value.strip().removeprefix("'")
    if len(typed) > LONGEST_TYPED:
        return Mended(value)
    digits, notice = typed, ""
    if match := _EXPONENT.fullmatch(typed):
        first, decimals, exponent = match[1], match[2] or "", int(match[3])
        if len(decimals.rstrip("0")) > exponent or len(decimals) < exponent:
            return Mended(value, fault=_digits_lost())
        digits = first + decimals[:exponent]
        notice = _("The spreadsheet had written the number with an exponent; it shows all digits.")
    elif match := _DECIMAL.fullmatch(typed):
        digits = match[1]
        notice = _("The spreadsheet had written the number with decimals; they were cut off.")
        # The point may also part the digits of a number that a person typed.
        if _number(typed):
            return Mended(value, fault=_ambiguous())
    elif _GROUPED.fullmatch(typed):
        digits = typed.replace(",", "")
        notice = _("The spreadsheet had grouped the number's digits; the commas were taken out.")
    if _WITHOUT_ITS_ZERO.fullmatch(digits) and _number(f"0{digits}"):
        # Where numbers from abroad are allowed, it may also be a whole one.
        if _number(f"+{digits}"):
            return Mended(value, fault=_ambiguous())
        digits = f"0{digits}"
        notice = _("The spreadsheet had dropped the number's leading 0; it was put back.")
    return Mended(digits, notice) if digits != value.strip() else Mended(value)


def _number(typed: str) -> str | None:
    try:
        return normalize(typed)
    except InvalidMessage:
        return None


def _digits_lost() -> str:
    return _(
        "The spreadsheet shows this number with an exponent and has lost digits of it. Format the "
        "column as text before the numbers are typed or pasted into it, and save again."
    )


def _ambiguous() -> str:
    return _(
        "The spreadsheet has changed this number in a way that leaves two readings. Write it with "
        "its leading 0, or with a plus and the country code, in a column that is formatted as text."
    )
