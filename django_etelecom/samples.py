"""A template's parameters, drawn up from a sample of the `list_param` that it takes. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from .kinds import DEFAULT_MAX_LENGTH, FORMS, Kind
from .redaction import clean_text
from .schema import QUOTED, Parameter, validate_name

MAX_SAMPLE = 20_000
"""Characters."""
MAX_NAMES = 50
"""Names of one sample: a page with the rows of many more could not be posted."""
MAX_EXAMPLE = 200

# As the provider's documentation prints it: an object in quotes whose own are not escaped, or the
# lone line of a request.
_PRINTED = re.compile(r'(?:"|"\s*list_?param\s*"\s*:\s*)(\{[^{}]*\})', re.IGNORECASE)
_LIST_PARAM = re.compile(r"\s*list_?param\s*", re.IGNORECASE)

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")
_ONE_TIME = frozenset({"otp", "pin", "passcode", "verification", "verify", "xacthuc"})
_SECRET = frozenset({"password", "passwd", "pwd", "matkhau", "secret", "token"})
_PHONE = frozenset({"phone", "phonenumber", "mobile", "tel", "hotline", "sdt"})
_MONEY = frozenset(
    {"amount", "balance", "cost", "debt", "fee", "money", "price", "total", "vnd"}
    | {"cod", "gia", "phi", "sotien", "tien", "tong"}
)
_LABEL = frozenset({"code", "id", "ma", "number"})
"""What has one of these in its name is named by its digits, not counted by them."""
_MOBILE = re.compile(r"(?:\+?84|0)[35789][0-9]{8}")


class _Number(str):
    """A number of JSON, as it was written."""

    __slots__ = ()


class _Object(list[tuple[str, Any]]):
    """The names and values of an object of JSON, each as often as it stands there."""


def draw_up(sample: str) -> list[Parameter]:
    """Return the parameters whose names and values a sample gives, in its order.

    Takes the object itself, a request or an answer that has it as its `list_param`, and the form
    that the provider's documentation prints. The kinds are guessed. What looks like a secret has
    no example, for it would rest in the clear.

    Raises:
        ValidationError: one sentence says why nothing can be drawn up.
    """
    pairs = _pairs(sample)
    names = [name for name, _value in pairs]
    if not names:
        raise ValidationError(_("The sample has no names."))
    if len(names) > MAX_NAMES:
        raise ValidationError(
            _("The sample has %(count)d names; at most %(limit)d are taken."),
            params={"count": len(names), "limit": MAX_NAMES},
        )
    for name in names:
        _check_name(name, names)
    return [_parameter(name, value) for name, value in pairs]


# --- What was pasted -----------------------------------------------------------------------------


def _pairs(sample: str) -> _Object:
    text = sample.strip()
    if not text:
        raise ValidationError(_("Paste a sample."))
    if len(text) > MAX_SAMPLE:
        raise ValidationError(
            _("The sample is too long: at most %(limit)d characters are taken."),
            params={"limit": MAX_SAMPLE},
        )
    value = _inner(_value(text))
    if not isinstance(value, _Object):
        raise ValidationError(
            _("The sample is JSON, but no object of names and values: %(example)s"),
            params={"example": '{"customer_name": "An"}'},
        )
    return value


def _value(text: str) -> object:
    try:
        return _decoded(text)
    except json.JSONDecodeError as error:
        printed = _PRINTED.findall(text)
        if len(printed) == 1:
            return _value(printed[0])
        raise ValidationError(
            _("The sample is not JSON: see line %(line)d, character %(column)d."),
            params={"line": error.lineno, "column": error.colno},
        ) from None
    except RecursionError:
        raise ValidationError(_("The sample is nested too deep.")) from None


def _inner(value: object) -> object:
    """Return what stands under `list_param`, where the value has one; else the value."""
    if isinstance(value, _Object):
        inner = [member for name, member in value if _LIST_PARAM.fullmatch(name)]
        value = inner[0] if len(inner) == 1 else value
    if isinstance(value, str) and value.lstrip().startswith("{"):
        return _value(value)
    return value


def _decoded(text: str) -> object:
    # Numbers stay as they were written: they may have more digits than Python reads.
    return json.loads(
        text,
        object_pairs_hook=_Object,
        parse_int=_Number,
        parse_float=_Number,
        parse_constant=_refuse_constant,
    )


def _refuse_constant(constant: str) -> None:
    raise ValidationError(
        _("The sample is not JSON, which has no %(constant)s."), params={"constant": constant}
    )


def _check_name(name: str, names: list[str]) -> None:
    shown = clean_text(name, QUOTED)
    try:
        validate_name(name)
    except ValidationError as error:
        raise ValidationError(
            _("“%(name)s” cannot be the name of a parameter. %(rule)s"),
            params={"name": shown, "rule": " ".join(error.messages)},
        ) from None
    if names.count(name) > 1:
        raise ValidationError(_("“%(name)s” stands in the sample twice."), params={"name": shown})


# --- What it tells of a parameter ----------------------------------------------------------------


def _parameter(name: str, value: object) -> Parameter:
    if isinstance(value, list):
        raise ValidationError(
            _("The value of “%(name)s” is an object or a list; a parameter takes text."),
            params={"name": name},
        )
    text = _text(value)
    words = {word.lower() for word in _WORDS.findall(name)}
    # Words that are written apart as well as together: `so_tien`, `sotien`.
    words |= {"".join(_WORDS.findall(name)).lower()}
    kind = _kind(text, words, is_number=isinstance(value, _Number))
    secret = bool(words & _SECRET)
    is_hidden = secret or kind == Kind.OTP
    longest = DEFAULT_MAX_LENGTH[kind]
    return Parameter(
        name=name,
        kind=kind,
        max_length=len(text) if len(text) > longest else None,
        secret=secret,
        example="" if is_hidden else clean_text(" ".join(text.split())[:MAX_EXAMPLE], MAX_EXAMPLE),
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _kind(text: str, words: set[str], *, is_number: bool) -> Kind:
    """Return the likely kind of a value; it takes the value in any case."""
    digits = re.fullmatch("[0-9]+", text) is not None
    is_counted = is_number or (text.isdecimal() and not text.startswith("0"))
    guesses: Mapping[Kind, bool] = {
        Kind.OTP: bool(words & _ONE_TIME) or (words == {"code"} and digits),
        Kind.URL: True,
        Kind.DATE: True,
        Kind.TIME: True,
        Kind.PHONE: bool(words & _PHONE or _MOBILE.fullmatch(text)),
        Kind.MONEY: bool(words & _MONEY),
        Kind.NUMBER: is_counted and not words & _LABEL,
    }
    for kind, is_likely in guesses.items():
        if is_likely and text and FORMS[kind](text) is not None:
            return kind
    # Nothing but its name tells what an empty value stands for.
    return Kind.OTP if words & _ONE_TIME and not text else Kind.TEXT
