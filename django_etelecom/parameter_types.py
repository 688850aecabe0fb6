"""What the provider's word for a parameter means here: its kind, its longest value, its pattern.

The provider's words are not published. Those below are Zalo's kinds of a ZNS parameter, and the
plain words that a gateway would have for them; any other says nothing of the kind.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import NamedTuple

from django.utils.translation import gettext as _

from .client.templates import ProviderParameter
from .patterns import fault_of_pattern
from .redaction import clean_text
from .schema import QUOTED, Kind, Parameter


class Meaning(NamedTuple):
    """What a word says."""

    kinds: tuple[Kind, ...]
    """Any of these fits; a new parameter gets the first."""
    max_length: int | None = None
    """Characters; None: the default of the kind."""


_TEXT = (Kind.TEXT,)
_AMOUNT = (Kind.NUMBER, Kind.MONEY)
_DIGITS = (*_AMOUNT, Kind.PHONE, Kind.OTP)
_TIME = (Kind.TIME, Kind.DATE)

MEANINGS: Mapping[str, Meaning] = {
    "name": Meaning(_TEXT, 30),
    "customername": Meaning(_TEXT, 30),
    "phone": Meaning((Kind.PHONE,)),
    "phonenumber": Meaning((Kind.PHONE,)),
    "address": Meaning(_TEXT),
    "code": Meaning(_TEXT, 30),
    "label": Meaning(_TEXT, 30),
    "customlabel": Meaning(_TEXT, 30),
    "status": Meaning(_TEXT, 30),
    "contact": Meaning(_TEXT, 50),
    "title": Meaning(_TEXT, 5),
    "product": Meaning(_TEXT),
    "productname": Meaning(_TEXT),
    "banknote": Meaning(_TEXT, 90),
    "amount": Meaning(_AMOUNT),
    "number": Meaning(_DIGITS),
    "int": Meaning(_DIGITS),
    "integer": Meaning(_DIGITS),
    "decimal": Meaning(_DIGITS),
    "money": Meaning((Kind.MONEY,)),
    "currency": Meaning((Kind.MONEY,)),
    "vnd": Meaning((Kind.MONEY,)),
    "vndamount": Meaning((Kind.MONEY,)),
    "date": Meaning((Kind.DATE,)),
    "time": Meaning(_TIME),
    "datetime": Meaning(_TIME),
    "otp": Meaning((Kind.OTP,)),
    "url": Meaning((Kind.URL,)),
    "link": Meaning((Kind.URL,)),
}
"""By the word without case, spaces and signs."""

PLAIN_WORDS = frozenset({"string", "text", "str", "varchar", "nvarchar"})
"""Every value is that on the wire: they say nothing of the kind."""

_NOTHING = Meaning(())

_NOT_LETTERS = re.compile(r"[^a-z]+")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
_ONE_TIME = ("onetime", "passcode", "verificationcode", "verifycode", "xacthuc", "xacminh")
_DAYS = ("date", "day", "ngay")


def drawn_up(told: ProviderParameter) -> tuple[Parameter, list[str]]:
    """Return a parameter that is new here, and sentences on what of it is not taken over."""
    meaning = _meaning(told)
    notes = []
    if meaning is None:
        notes.append(
            _("%(name)s: the type “%(type)s” is not known; it becomes text.")
            % {"name": told.name, "type": clean_text(told.type, QUOTED)}
        )
    kinds, max_length = meaning or _NOTHING
    kind = kinds[0] if kinds else Kind.TEXT
    if kinds == _TIME and _names_a_day(told.name):
        kind = Kind.DATE
    if _names_a_one_time_password(told.name):
        kind, max_length = Kind.OTP, None
    drawn = Parameter(told.name, kind, max_length=max_length, secret=kind == Kind.OTP)
    drawn, note = _with_pattern(drawn, told)
    return drawn, notes + note


def brought_up(ours: Parameter, told: ProviderParameter) -> tuple[Parameter, list[str]]:
    """Return a parameter of ours as the provider has it now, and what is not taken over.

    What the provider does not speak of stays, and so does a longest value that was set by hand. A
    secret stays one.
    """
    kinds, max_length = _meaning(told) or _NOTHING
    is_fixed = ours.is_secret and kinds != (Kind.OTP,)
    new = ours
    if kinds and not is_fixed:
        if ours.kind not in kinds:
            new = dataclasses.replace(ours, kind=kinds[0], max_length=max_length)
        elif ours.max_length is None:
            new = dataclasses.replace(ours, max_length=max_length)
    return _with_pattern(new, told)


def _meaning(told: ProviderParameter) -> Meaning | None:
    """Return what the type says; None where the word is not known."""
    word = _NOT_LETTERS.sub("", told.type.lower())
    if not told.type or word in PLAIN_WORDS:
        return _NOTHING
    return MEANINGS.get(word)


def _with_pattern(parameter: Parameter, told: ProviderParameter) -> tuple[Parameter, list[str]]:
    """Return the parameter with the provider's pattern, or as it is and why."""
    fault = fault_of_pattern(told.pattern, parameter.limit)
    if not fault:
        pattern = told.pattern or parameter.pattern
        return dataclasses.replace(parameter, pattern=pattern), []
    note = _("%(name)s: the pattern %(pattern)s is not taken over. %(fault)s") % {
        "name": told.name,
        "pattern": clean_text(told.pattern, QUOTED),
        "fault": fault,
    }
    return parameter, [note]


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]


def _names_a_day(name: str) -> bool:
    return any(word in _DAYS for word in _words(name))


def _names_a_one_time_password(name: str) -> bool:
    words = _words(name)
    joined = "".join(words)
    begins_or_ends = joined.startswith("otp") or joined.endswith("otp")
    return begins_or_ends or "otp" in words or any(part in joined for part in _ONE_TIME)
