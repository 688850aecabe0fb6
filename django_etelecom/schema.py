"""A template's parameters: what values they take, and those values in the wire's form."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NoReturn

from django.core.exceptions import ValidationError
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .client.opaque import Opaque, shielded
from .exceptions import InvalidMessage
from .kinds import DEFAULT_MAX_LENGTH, FORMS, RULES, Kind, text_of, too_long
from .patterns import fault_of_pattern
from .phone import mask, mask_numbers
from .redaction import MASK, clean_text

__all__ = [
    "DEFAULT_MAX_LENGTH",
    "Kind",
    "Parameter",
    "Schema",
    "Wire",
    "parts",
    "placeholders",
    "validate_name",
]

MAX_NAME_LENGTH = 50
MAX_UNKNOWN_NAMES = 20
"""As many names that a template does not have are refused one by one."""
QUOTED = 40
"""Characters of a faulty value that its sentence quotes."""

_NAME = re.compile(rf"[A-Za-z_][A-Za-z0-9_]{{0,{MAX_NAME_LENGTH - 1}}}")
_PLACEHOLDER = re.compile(rf"\{{({_NAME.pattern})\}}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One variable of a template."""

    name: str
    kind: Kind
    required: bool = True
    max_length: int | None = None
    """Characters; None: the default of the kind."""
    pattern: str = ""
    """A regular expression of Python's that the whole wire value must match."""
    secret: bool = False
    example: str = ""

    @property
    def is_secret(self) -> bool:
        """Whether its values are never stored or shown; a one-time password's never are."""
        return self.secret or self.kind == Kind.OTP

    @property
    def limit(self) -> int:
        """How many characters a value may have on the wire."""
        return self.max_length or DEFAULT_MAX_LENGTH[self.kind]

    def clean(self, value: object) -> str:
        """Return the value in the wire's form; "" where an optional one is blank.

        Takes `str`, `int`, `Decimal`, `date`, `time` and `datetime`. Dates and times are written
        in Asia/Ho_Chi_Minh: aware datetimes are converted, naive ones are there already.

        Raises:
            ValidationError: with sentences that quote nothing of a secret.
        """
        text = text_of(value, kind=self.kind, limit=self.limit)
        if text == MASK:
            raise ValidationError(
                _("“%(mask)s” stands for a value that was not kept: give the value itself."),
                code="masked",
                params={"mask": MASK},
            )
        if not text and not self.required:
            return ""
        if not text:
            raise ValidationError(_("This parameter is missing."), code="missing")
        written = FORMS[self.kind](text)
        if written is None:
            raise ValidationError(self._refusal(text, RULES[self.kind]), code="invalid")
        if len(written) > self.limit:
            raise too_long(len(written), self.limit)
        if self.pattern and not self._matches(written):
            rule = _("It must match the pattern %(pattern)s.") % {"pattern": self.pattern}
            raise ValidationError(self._refusal(written, rule), code="pattern")
        return written

    def _matches(self, text: str) -> bool:
        # A script may have stored what no form would have taken.
        if fault := fault_of_pattern(self.pattern, self.limit):
            raise _unusable_pattern(fault)
        try:
            return re.fullmatch(self.pattern, text) is not None
        # Some versions of Python come to this by groups in what is repeated by `++`.
        except SystemError:
            raise _unusable_pattern(_("Python fails on it.")) from None

    def _refusal(self, text: str, rule: str | Promise) -> str:
        if self.is_secret:
            return str(rule)
        # The sentence goes into a site's log with the error.
        quoted = mask(text) if self.kind == Kind.PHONE else mask_numbers(clean_text(text, QUOTED))
        return _("“%(value)s” is not taken. %(rule)s") % {"value": quoted, "rule": rule}


class Wire:
    """The values of one message as they go over the wire, kept from the eyes of error reporters.

    Not a mapping, no `__dict__`, a repr of names only, and it cannot be pickled: a secret comes
    out by the methods below and in no other way.
    """

    __slots__ = ("_names", "_secret_names", "_values")

    def __init__(
        self, values: dict[str, str], *, names: Iterable[str], secret_names: Iterable[str]
    ) -> None:
        self._values = values
        self._names = frozenset(names)
        self._secret_names = frozenset(secret_names)

    def reveal(self) -> dict[str, str]:
        """Return the values by name, in the schema's order, secrets included."""
        return dict(self._values)

    def masked(self) -> dict[str, str]:
        """Return the values by name, in the schema's order, with a mask for every secret."""
        return {
            name: MASK if name in self._secret_names else value
            for name, value in self._values.items()
        }

    def secret_values(self) -> dict[str, str]:
        """Return the values by name that are never to be stored or shown."""
        return {name: value for name, value in self._values.items() if name in self._secret_names}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that are never to be stored or shown."""
        return tuple(self.secret_values().values())

    def render(self, text: str, *, masked: bool = True) -> str:
        """Return the text with each `{name}` replaced by its value.

        A parameter without a value leaves nothing behind; braces around anything else stay. What
        is replaced is not looked into again.
        """
        values = self.masked() if masked else self._values
        return _PLACEHOLDER.sub(
            lambda match: values.get(match[1], "" if match[1] in self._names else match[0]), text
        )

    def __repr__(self) -> str:
        return f"<Wire: {', '.join(self._values)}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Values that may be secret are not to be pickled or copied.")


class Schema:
    """The parameters of a template, in its order."""

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self.parameters = tuple(parameters)
        self.names = tuple(parameter.name for parameter in self.parameters)
        self.secret_names = frozenset(
            parameter.name for parameter in self.parameters if parameter.is_secret
        )
        if len(set(self.names)) < len(self.names):
            raise ValueError("Two parameters of a template have the same name.")

    def bind(self, params: object) -> Wire:
        """Check a mapping of names to values and return the values in the wire's form.

        Optional parameters that are left out or blank stay off the wire.

        Raises:
            InvalidMessage: with all faults at once, under `params` and `params.<name>`.
        """
        values = Opaque(params)
        del params  # An error reporter that reads this frame finds no secret in it.
        return shielded(lambda: self._bound(values.reveal()))

    def _bound(self, params: object) -> Wire:
        if not isinstance(params, Mapping):
            sentence = _("Give the parameters as a mapping of names to values, not as %(type)s.")
            raise InvalidMessage({"params": [sentence % {"type": type(params).__name__}]})
        faults = self._faults_of_names(params)
        values: dict[str, str] = {}
        for parameter in self.parameters:
            try:
                written = parameter.clean(params.get(parameter.name, ""))
            except ValidationError as error:
                faults[f"params.{parameter.name}"] = error.messages
            else:
                if written:
                    values[parameter.name] = written
        if faults:
            raise InvalidMessage(faults)
        return Wire(values, names=self.names, secret_names=self.secret_names)

    def _faults_of_names(self, params: Mapping[object, object]) -> dict[str, list[str]]:
        faults: dict[str, list[str]] = {}
        unknown = 0
        for name in params:
            if not isinstance(name, str):
                faults["params"] = [
                    _("The name of a parameter is text, not %(type)s.")
                    % {"type": type(name).__name__}
                ]
            elif name not in self.names:
                unknown += 1
                if unknown <= MAX_UNKNOWN_NAMES:
                    shown = mask_numbers(clean_text(name, QUOTED))
                    faults[f"params.{shown}"] = [self._unknown_name()]
        if unknown > MAX_UNKNOWN_NAMES:
            faults.setdefault("params", []).append(
                _("%(count)d names are not parameters of this template.") % {"count": unknown}
            )
        return faults

    def _unknown_name(self) -> str:
        if not self.names:
            return str(_("The template has no parameters."))
        return _("The template has no parameter of this name. It has: %(names)s.") % {
            "names": ", ".join(self.names)
        }


def placeholders(text: str) -> list[str]:
    """Return the names that stand in braces in a template's text, in order, each once."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(text)))


def parts(text: str) -> list[str]:
    """Return a template's text cut at its placeholders: text and a name by turns, text first."""
    return _PLACEHOLDER.split(text)


def validate_name(name: str) -> None:
    """Accept the name of a parameter.

    Raises:
        ValidationError: it is anything but a letter or underscore with up to 49 letters, digits
            and underscores after it.
    """
    if not _NAME.fullmatch(name):
        raise ValidationError(
            _("A name has 1 to 50 letters, digits and underscores, and no digit at its beginning."),
            code="invalid",
        )


def _unusable_pattern(fault: str | Promise) -> ValidationError:
    return ValidationError(
        _(
            "The template's pattern for this parameter cannot be used: ask who looks after the "
            "templates to mend it. %(fault)s"
        ),
        code="pattern",
        params={"fault": fault},
    )
