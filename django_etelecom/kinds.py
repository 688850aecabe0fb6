"""The kinds of value a parameter may have, and the one form each has on the wire."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from .phone import UnknownCharacter, strip_separators

PROVIDER_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")

REORDERING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""Characters, as a pattern has them in brackets, that turn the direction of what is around them."""

# Control characters, ends of lines and paragraphs, what reorders text, lone surrogates. Vietnamese
# has no use for any; emoji have for what is not seen either: joiners, and the tags of flags.
_ANYWHERE = f"\x7f-\x9f\u2028\u2029{REORDERING}\ud800-\udfff"
_REFUSED = re.compile(f"[\x00-\x1f{_ANYWHERE}]")
_REFUSED_IN_TEXT = re.compile(f"[\x00-\x08\x0b-\x1f{_ANYWHERE}]")


class Kind(TextChoices):
    """What a parameter holds; each kind has one form on the wire."""

    TEXT = "text", pgettext_lazy("kind of value", "text")
    NUMBER = "number", _("number")
    MONEY = "money", _("amount in dong")
    DATE = "date", _("date")
    TIME = "time", _("time")
    PHONE = "phone", _("phone number")
    URL = "url", _("web address")
    OTP = "otp", _("one-time password")


# Zalo's limits for ZNS. They have drifted, so a parameter's own `max_length` goes before them.
DEFAULT_MAX_LENGTH: Mapping[Kind, int] = {
    Kind.TEXT: 200,
    Kind.NUMBER: 20,
    Kind.MONEY: 12,
    Kind.DATE: 20,
    Kind.TIME: 20,
    Kind.PHONE: 15,
    Kind.URL: 200,
    Kind.OTP: 10,
}


# --- Any value to text --------------------------------------------------------------------------


def text_of(value: object, *, kind: Kind, limit: int) -> str:
    """Return a value as text: still to be brought to the form of its kind, but safe to look at."""
    match value:
        case str():
            return _text_of_string(value, kind=kind, limit=limit)
        case bool():
            pass
        case int() | Decimal():
            return _text_of_number(value, kind=kind, limit=limit)
        case datetime():
            return _text_of_instant(value, kind=kind)
        case date():
            return _written_date(value)
        case time() if value.tzinfo is None:
            return f"{value:%H:%M:%S}" if value.second else f"{value:%H:%M}"
        case time():
            raise ValidationError(
                _("A time with a time zone cannot be placed without its date: give a datetime."),
                code="type",
            )
    raise ValidationError(
        _(
            "%(type)s is not taken: give text (str), a whole number, or in Python a Decimal, date, "
            "time or datetime."
        ),
        code="type",
        params={"type": type(value).__name__},
    )


def _text_of_string(value: str, *, kind: Kind, limit: int) -> str:
    # Not str(value): an enumeration's member would give its own name.
    text = str.__str__(value).strip()
    # The composed form of a character takes at most four; what is longer than that is not looked
    # into, for composing takes long where someone means it to.
    if len(text) > 4 * limit:
        raise too_long(len(text), limit)
    if kind == Kind.TEXT:
        text = text.replace("\r\n", "\n")
    refused = (_REFUSED_IN_TEXT if kind == Kind.TEXT else _REFUSED).search(text)
    if refused:
        raise ValidationError(
            _("The character %(code)s cannot be sent."),
            code="character",
            params={"code": f"U+{ord(refused.group()):04X}"},
        )
    return unicodedata.normalize("NFC", text)


def _text_of_number(value: int | Decimal, *, kind: Kind, limit: int) -> str:
    # Before they are written out: an integer may have too many digits for Python to write, and
    # the exponent of a Decimal may ask for more memory than there is.
    if isinstance(value, int):
        if value.bit_length() > 4 * limit:
            raise too_long(None, limit)
        value = Decimal(value)
    elif not value.is_finite():
        raise ValidationError(_("This is not a finite number."), code="invalid")
    first_digit, last_digit = value.adjusted(), int(value.as_tuple().exponent)
    if first_digit > 2 * limit or last_digit < -2 * limit:
        raise too_long(None, limit)
    if kind == Kind.MONEY and value == value.to_integral_value():
        value = value.to_integral_value()
    return f"{value or abs(value):f}"


def _text_of_instant(value: datetime, *, kind: Kind) -> str:
    if value.tzinfo is not None:
        try:
            value = value.astimezone(PROVIDER_ZONE)
        # At either end of the calendar.
        except OverflowError:
            raise ValidationError(
                _("This is not a date that can be sent."), code="invalid"
            ) from None
    if kind == Kind.DATE:
        return _written_date(value)
    return f"{value:%H:%M} {_written_date(value)}"


def _written_date(value: date) -> str:
    # Not strftime, which does not pad the year everywhere.
    return f"{value.day:02}/{value.month:02}/{value.year:04}"


def too_long(length: int | None, limit: int) -> ValidationError:
    if length is None:
        return ValidationError(
            _("This is too long: at most %(limit)d characters are taken."),
            code="max_length",
            params={"limit": limit},
        )
    return ValidationError(
        _("This has %(length)d characters; at most %(limit)d are taken."),
        code="max_length",
        params={"length": length, "limit": limit},
    )


# --- Text to the form of a kind, None where it is not of the kind --------------------------------


def _number_form(text: str) -> str | None:
    return text if re.fullmatch(r"[+-]?[0-9]+(?:\.[0-9]+)?", text) else None


def _money_form(text: str) -> str | None:
    return text.lstrip("0") or None if re.fullmatch(r"[0-9]+", text) else None


def _date_form(text: str) -> str | None:
    if match := re.fullmatch(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", text):
        return _real_date(match[3], match[2], match[1])
    if match := re.fullmatch(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})", text):
        return _real_date(match[1], match[2], match[3])
    if match := re.fullmatch(r"([0-9]{1,2})/([0-9]{4})", text):
        whole = _real_date("1", match[1], match[2])
        return whole and whole.removeprefix("01/")
    return None


def _real_date(day: str, month: str, year: str) -> str | None:
    try:
        return _written_date(date(int(year), int(month), int(day)))
    except ValueError:
        return None


def _time_form(text: str) -> str | None:
    if match := re.fullmatch(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?", text):
        seconds = match[3] and f":{match[3]}"
        clock = _real_time(match[1], match[2], match[3] or "0")
        return clock and clock + (seconds or "")
    if match := re.fullmatch(r"([0-9]{1,2}):([0-9]{2}) +([0-9]{1,2}/[0-9]{1,2}/[0-9]{4})", text):
        hour, minute, second, day = match[1], match[2], "0", match[3]
    # As a browser's datetime-local field and str(datetime) give it.
    elif match := re.fullmatch(
        r"([0-9-]{10})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.[0-9]+)?)?", text
    ):
        day, hour, minute, second = match[1], match[2], match[3], match[4] or "0"
    else:
        return None
    clock, on = _real_time(hour, minute, second), _date_form(day)
    return f"{clock} {on}" if clock and on else None


def _real_time(hour: str, minute: str, second: str) -> str | None:
    """Return `hh:mm`, or None where a clock does not show this."""
    try:
        return f"{time(int(hour), int(minute), int(second)):%H:%M}"
    except ValueError:
        return None


def _phone_form(text: str) -> str | None:
    if text.startswith("-"):
        return None
    try:
        digits = strip_separators(text)
    except UnknownCharacter:
        return None
    return digits if re.fullmatch(r"\+?[0-9]{3,15}", digits) else None


def _url_form(text: str) -> str | None:
    try:
        _web_address(text)
    except ValidationError:
        return None
    return None if "@" in urlsplit(text).netloc else text


def _otp_form(text: str) -> str | None:
    return text if re.fullmatch(r"[A-Za-z0-9]+", text) else None


_web_address = URLValidator(schemes=["http", "https"])

FORMS: Mapping[Kind, Callable[[str], str | None]] = {
    Kind.TEXT: lambda text: text,
    Kind.NUMBER: _number_form,
    Kind.MONEY: _money_form,
    Kind.DATE: _date_form,
    Kind.TIME: _time_form,
    Kind.PHONE: _phone_form,
    Kind.URL: _url_form,
    Kind.OTP: _otp_form,
}

RULES: Mapping[Kind, str | Promise] = {
    Kind.NUMBER: _("Write a number with a point before its decimals and no grouping: 1234.5"),
    Kind.MONEY: _("Write a whole amount in dong above zero in digits only: 150000"),
    Kind.DATE: _("Write a date of the calendar as dd/mm/yyyy or mm/yyyy."),
    Kind.TIME: _("Write a time as hh:mm, hh:mm:ss or hh:mm dd/mm/yyyy."),
    Kind.PHONE: _("Write 3 to 15 digits, with a plus before them where it belongs."),
    Kind.URL: _("Write a web address that begins with http:// or https://, without a user name."),
    Kind.OTP: _("Write letters from A to Z and digits only."),
}
