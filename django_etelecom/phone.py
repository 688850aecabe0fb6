"""Phone numbers: what a person typed, the wire's form of it, and how it is shown or hidden."""

import re
import unicodedata
from collections.abc import Iterator, Mapping

import phonenumbers
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType

from .conf import settings
from .exceptions import InvalidMessage

HOME_REGION = "VN"
HOME_COUNTRY_CODE = 84
LONGEST_TYPED = 50
"""Characters. No spelling of a number comes near it, and nothing longer is looked into."""

HIDDEN = "•••"

NUMBER_TYPES: Mapping[str, int] = {
    name: value for name, value in vars(PhoneNumberType).items() if name.isupper()
}

_SEPARATORS = frozenset(".()[]")
_FULL_WIDTH = str.maketrans("＋（）．", "+().")

# As people write them, in the middle of a text.
_WITHIN = re.compile(r"\+?[0-9](?:[ .()-]*[0-9]){8,}")

# Until 2018 Vietnamese mobile numbers had eleven digits: 0, one of these beginnings, seven more.
_ELEVEN_DIGITS = re.compile(r"(?:\+?84|0084)?0?1(?:2\d|6[2-9]|86|88|99)\d{7}")

# What may be a number in a form that no plan has any more: as dialled at home, and in the wire's.
_AT_HOME = re.compile(r"0[1-9][0-9]{8,9}")
_OF_ANY_COUNTRY = re.compile(r"\+?[1-9][0-9]{7,14}")


# What may be a number within a text, people's forms and the wire's. It begins with one of few
# characters, so that most of a text is passed over quickly.
_GAP = r"(?:[ .()+\u00a0-]|%20|%28|%29){0,2}"
_NATIONAL = rf"(?:0{_GAP})?[235789](?:{_GAP}[0-9]){{8}}"
_ABROAD = rf"[1-9](?:{_GAP}[0-9]){{8,14}}"
_NUMBER_IN_TEXT = re.compile(
    rf"""
    (?:
        0 (?: [235789][0-9](?:{_GAP}[0-9]){{7}} | 2[0-9](?:{_GAP}[0-9]){{8}} )
      | 0084 {_GAP} {_NATIONAL}
      | 84 {_GAP} {_NATIONAL}
      | \+ (?: 84 {_GAP} {_NATIONAL} | {_ABROAD} )
      | %2[Bb] (?: 84 {_GAP} {_NATIONAL} | {_ABROAD} )
    )
    (?![0-9A-Za-z])
    """,
    re.VERBOSE,
)
# What comes before it where it is no part of a longer word, nor the decimals of another number.
# The letter of an escape belongs to no word.
_BEFORE_A_NUMBER = re.compile(r"(?:\A|[^0-9A-Za-z]|%[0-9A-Fa-f]{2}|\\[nrt])(?<![0-9][.,])\Z")
# What has no nine digits together holds no number; most texts are done with that.
_MANY_DIGITS = re.compile(rf"[0-9](?:{_GAP}[0-9]){{8}}")
_ESCAPE = re.compile("%[0-9A-Fa-f]{2}")


class UnknownCharacter(ValueError):
    """A typed number has a character that no number has; `shown` names the first of them."""

    def __init__(self, character: str) -> None:
        super().__init__(character)
        self.shown = character if character.isprintable() else f"U+{ord(character):04X}"


def strip_separators(typed: str) -> str:
    """Return the digits of `typed` in ASCII, after a plus where it begins with one.

    Spaces, dots, dashes and brackets go, and so do the invisible characters that come along with
    a number copied from a page. Digits of other scripts, such as full-width ones, become ASCII.

    Raises:
        UnknownCharacter: anything else is in it, or a plus that is not at its beginning.
    """
    kept: list[str] = []
    for character in typed.strip().translate(_FULL_WIDTH):
        category = unicodedata.category(character)
        if category == "Nd":
            kept.append(str(unicodedata.decimal(character)))
        elif character == "+" and not kept:
            kept.append(character)
        elif character not in _SEPARATORS and category not in ("Zs", "Pd", "Cf"):
            raise UnknownCharacter(character)
    return "".join(kept)


def normalize(raw: object) -> str:
    """Return the wire's form of a recipient, `84912345678`: country code and number, no plus.

    `raw` is whatever a person typed. Only Vietnamese mobile numbers pass, unless the site's
    `ALLOWED_NUMBERS` says otherwise. A number in the wire's form comes back as it is.

    Raises:
        InvalidMessage: under `to`, with a sentence that says what is wrong.
        ImproperlyConfigured: `ALLOWED_NUMBERS` cannot be used.
    """
    check_allowed_numbers()
    digits = _digits(raw)
    candidates = list(_readings(digits))
    for number in candidates:
        if _is_allowed(number):
            return _wire_form(number)
    if candidates:
        raise _refused(_forbidden())
    if _ELEVEN_DIGITS.fullmatch(digits):
        raise _refused(
            _(
                "This is an old number of eleven digits. Vietnamese mobile numbers have had ten "
                "since 2018: ask for today's number."
            )
        )
    raise _refused(_no_number())


def recognize(raw: object) -> str:
    """Return the wire's form of a number that may be on record, whether or not it may be sent to.

    Takes all that `normalize` takes, in the same way; also what today's `ALLOWED_NUMBERS` or the
    numbering plan refuses, for that may have been sent to before.

    Raises:
        InvalidMessage: under `to`: it is no number.
    """
    digits = _digits(raw)
    number = _parse(digits)
    if number is None and not digits.startswith(("+", "0")):
        number = _parse(f"+{digits}")
    if number is not None:
        return _wire_form(number)
    if _AT_HOME.fullmatch(digits):
        return f"{HOME_COUNTRY_CODE}{digits[1:]}"
    if _OF_ANY_COUNTRY.fullmatch(digits):
        return digits.removeprefix("+")
    raise _refused(_no_number())


def existing(raw: object) -> str:
    """Return the wire's form of a number of any country and type, whether or not it is allowed.

    Raises:
        InvalidMessage: under `to`: no numbering plan has it, as where a digit is missing.
        ImproperlyConfigured: `ALLOWED_NUMBERS` cannot be used.
    """
    number = recognize(raw)
    # Of what is none, `normalize` says why.
    return normalize(raw) if _parse(f"+{number}") is None else number


def check_allowed_numbers() -> None:
    """Check the site's `ALLOWED_NUMBERS`.

    Raises:
        ImproperlyConfigured: it is not a mapping of regions to lists of number types that
            `phonenumbers` knows.
    """
    allowed: object = settings.allowed_numbers
    if not isinstance(allowed, Mapping):
        raise ImproperlyConfigured(
            "ETELECOM['ALLOWED_NUMBERS'] is a dictionary such as {'VN': ['MOBILE']}."
        )
    for region, types in allowed.items():
        if region not in phonenumbers.SUPPORTED_REGIONS:
            raise ImproperlyConfigured(
                f"ETELECOM['ALLOWED_NUMBERS'] names the region {region!r}, which does not exist; "
                "a region is a code such as 'VN'."
            )
        if not isinstance(types, list | tuple) or not all(
            isinstance(name, str) and name in NUMBER_TYPES for name in types
        ):
            raise ImproperlyConfigured(
                f"ETELECOM['ALLOWED_NUMBERS'][{region!r}] is a list of number types; "
                f"known are {', '.join(NUMBER_TYPES)}."
            )


def mask(number: str) -> str:
    """Return the number with its middle hidden, `84912•••678`, for logs and unprivileged eyes.

    Takes any text. At most six digits of a subscriber's own number stay, and none of a text that
    has fewer than nine digits.
    """
    digits = re.sub(r"[^0-9]", "", number)
    if re.fullmatch(r"84[0-9]{9}", digits):
        return f"{digits[:5]}{HIDDEN}{digits[-3:]}"
    if len(digits) >= 9:
        return f"{digits[:3]}{HIDDEN}{digits[-3:]}"
    return HIDDEN if number else ""


def mask_numbers(text: str) -> str:
    """Return the text with every phone number in it masked as `mask` does.

    Finds Vietnamese numbers as people and the wire write them, and those of other countries after
    a plus. Nine digits without the zero before them may be anything, and stay.
    """
    if _MANY_DIGITS.search(text) is None:
        return text
    return _NUMBER_IN_TEXT.sub(_masked_match, text)


def _masked_match(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - 3) : match.start()]
    if _BEFORE_A_NUMBER.search(before) is None:
        return match[0]
    return mask(_ESCAPE.sub("", match[0]))


def mask_within(text: str) -> str:
    """Return a text with every number in it masked that could be a phone's, a mistyped one too.

    For what was typed where a phone number belongs; `mask_numbers` is for any text.
    """
    return _WITHIN.sub(lambda match: mask(match[0]), text)


def significant(number: str) -> str:
    """Return the digits that the forms of a Vietnamese number have in common: `912345678`."""
    return number.removeprefix("84") if re.fullmatch(r"84[0-9]{9}", number) else number


def spellings(number: str) -> Iterator[str]:
    """Return the digits that all spellings of a number have in common, at home and abroad."""
    at_home = significant(number)
    yield at_home
    # Of a number at home that is all; to look up what it is takes longer than to mask it.
    shown = display(number) if at_home == number else ""
    if shown.startswith("+"):
        yield "".join(filter(str.isdigit, shown.partition(" ")[2]))


def display(number: str) -> str:
    """Return the wire's form as people write it: `0912 345 678`, or `+65 8123 4567` from abroad.

    Text that is no number comes back as it is.
    """
    if not re.fullmatch(r"[0-9]{5,15}", number):
        return number
    parsed = _parse(f"+{number}")
    if parsed is None:
        return number
    at_home = parsed.country_code == HOME_COUNTRY_CODE
    style = PhoneNumberFormat.NATIONAL if at_home else PhoneNumberFormat.INTERNATIONAL
    return phonenumbers.format_number(parsed, style)


def _digits(raw: object) -> str:
    try:
        return strip_separators(_typed(raw))
    except UnknownCharacter as error:
        raise _refused(
            _("A phone number does not contain “%(character)s”: type its digits only.")
            % {"character": error.shown}
        ) from None


def _typed(raw: object) -> str:
    if not isinstance(raw, str):
        raise _refused(
            _("A phone number is given as text, not as %(type)s.") % {"type": type(raw).__name__}
        )
    if not raw.strip():
        raise _refused(_("The phone number is missing."))
    if len(raw) > LONGEST_TYPED:
        raise _refused(
            _("This has %(length)d characters, which is too long for a phone number.")
            % {"length": len(raw)}
        )
    return raw


def _readings(digits: str) -> Iterator[PhoneNumber]:
    """Read a number as one dialled in Vietnam, then as the wire's form of one from abroad."""
    # Never cut 84 off by hand: 0841234567 and 841234567 are one VinaPhone number.
    at_home = _parse(digits)
    if at_home is not None:
        yield at_home
    elif not digits.startswith(("+", "0")):
        abroad = _parse(f"+{digits}")
        if abroad is not None and _is_allowed(abroad):
            yield abroad


def _parse(digits: str) -> PhoneNumber | None:
    try:
        number = phonenumbers.parse(digits, HOME_REGION)
    except phonenumbers.NumberParseException:
        return None
    return number if phonenumbers.is_valid_number(number) else None


def _wire_form(number: PhoneNumber) -> str:
    return phonenumbers.format_number(number, PhoneNumberFormat.E164).removeprefix("+")


def _is_allowed(number: PhoneNumber) -> bool:
    region = phonenumbers.region_code_for_number(number)
    allowed = {NUMBER_TYPES[name] for name in settings.allowed_numbers.get(region or "", ())}
    kind = phonenumbers.number_type(number)
    if kind == PhoneNumberType.FIXED_LINE_OR_MOBILE:
        # Where the plan cannot tell the two apart (+1), having allowed either is enough.
        return not allowed.isdisjoint({kind, PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE})
    return kind in allowed


def _forbidden() -> str:
    if settings.allowed_numbers == {HOME_REGION: ["MOBILE"]}:
        return str(_("Only Vietnamese mobile numbers can be written to."))
    return str(_("Numbers of this country or of this type are not allowed on this site."))


def _no_number() -> str:
    return str(_("This is not a phone number. Type it as 0912 345 678 or +84 912 345 678."))


def _refused(sentence: str | Promise) -> InvalidMessage:
    return InvalidMessage({"to": [str(sentence)]})
