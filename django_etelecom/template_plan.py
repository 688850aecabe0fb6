"""What the provider's list of templates would change here: compared, told, not written."""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import router
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .client.templates import ProviderParameter, ProviderTemplate, TemplateList
from .models import Channel, MessageTemplate, TemplateParameter
from .models.routes import channel_names
from .parameter_types import brought_up, drawn_up
from .redaction import clean_text
from .schema import QUOTED, Kind, Parameter, validate_name
from .sealing import digest, digest_matches

PURPOSE = "template import"

_FIELDS = [field.name for field in dataclasses.fields(Parameter)]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ParameterChange:
    """A parameter that would be added or changed."""

    before: Parameter | None
    """None: it is new."""
    after: Parameter

    def sentence(self) -> str:
        """Say what would change."""
        if self.before is None:
            return _("New parameter %(name)s: %(facts)s") % {
                "name": self.after.name,
                "facts": ", ".join(filter(None, _facts(self.after))),
            }
        facts = zip(_facts(self.before), _facts(self.after), strict=True)
        moves = [
            f"{before} → {after}" if before else after for before, after in facts if before != after
        ]
        return _("Parameter %(name)s: %(moves)s") % {
            "name": self.after.name,
            "moves": ", ".join(moves),
        }


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TemplateChange:
    """What the provider's word on one template means here."""

    code: str
    is_new: bool = False
    parameters: tuple[ParameterChange, ...] = ()
    gone: tuple[str, ...] = ()
    """Our parameters that the provider does not name; they stay."""
    notes: tuple[str, ...] = ()
    """Sentences on what is not taken over."""
    channels: tuple[str, ...] = ()
    """Of a new one: the numbers of the channels that the provider sends it by."""

    @property
    def changes_something(self) -> bool:
        return self.is_new or bool(self.parameters)

    @property
    def content(self) -> tuple[Any, ...]:
        """What would be written."""
        return (self.code, self.is_new, self.parameters)

    @property
    def category(self) -> MessageTemplate.Category:
        """Which a new template gets: the provider does not say what a template is for."""
        has_otp = any(change.after.kind == Kind.OTP for change in self.parameters)
        categories = MessageTemplate.Category
        return categories.OTP if has_otp else categories.TRANSACTIONAL

    def sentences(self) -> list[str]:
        """Say what would change, and what is only told."""
        told = [change.sentence() for change in self.parameters]
        if self.is_new and not self.parameters:
            told.append(_("It has no parameters."))
        if self.channels:
            names = ", ".join(channel_names([channel]) for channel in self.channels)
            told.append(_("Registered for: %(channels)s") % {"channels": names})
        if self.is_new:
            told.append(
                _("Not active at first, in the category: %(category)s")
                % {"category": self.category.label}
            )
        if self.gone:
            told.append(
                _("The provider does not name these parameters; they stay: %(names)s.")
                % {"names": ", ".join(self.gone)}
            )
        return [*told, *self.notes]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImportPlan:
    """What the import of an account's templates would change, and what it only tells."""

    account: str
    listed: TemplateList = dataclasses.field(repr=False)
    """What the provider said."""
    templates: tuple[TemplateChange, ...]
    """In the provider's order, those that nothing would change included."""
    gone: tuple[str, ...] = ()
    """Codes of our templates of this account that the provider does not list; they stay."""

    @property
    def changes(self) -> list[TemplateChange]:
        """The templates that would be added or changed."""
        return [template for template in self.templates if template.changes_something]

    @property
    def remarks(self) -> list[TemplateChange]:
        """The templates that nothing would change, and of which there is something to tell."""
        return [
            template
            for template in self.templates
            if not template.changes_something and (template.gone or template.notes)
        ]

    @property
    def fingerprint(self) -> str:
        """What stands for these changes, and no others, while a person looks at them."""
        return digest(PURPOSE, self.account, self._content())

    def has_fingerprint(self, stored: str) -> bool:
        """Whether these are the changes that were shown under that fingerprint."""
        return digest_matches(stored, PURPOSE, self.account, self._content())

    def _content(self) -> str:
        return json.dumps([one.content for one in self.changes], default=dataclasses.asdict)

    def sentences(self) -> list[str]:
        """Say what there is to know of the list as a whole."""
        told = []
        unchanged = len(self.templates) - len(self.changes) - len(self.remarks)
        if unchanged:
            told.append(
                ngettext(
                    "%(count)d template is as the provider has it.",
                    "%(count)d templates are as the provider has them.",
                    unchanged,
                )
                % {"count": unchanged}
            )
        if self.gone:
            told.append(
                _("The provider does not list these templates; they stay: %(codes)s.")
                % {"codes": ", ".join(self.gone)}
            )
        if self.listed.unusable:
            told.append(
                ngettext(
                    "%(count)d entry of the provider's list has no code to send by.",
                    "%(count)d entries of the provider's list have no code to send by.",
                    self.listed.unusable,
                )
                % {"count": self.listed.unusable}
            )
        if not self.listed.is_complete:
            told.append(_("The provider may have more templates than it told."))
        return told


def compared(account: str, listed: TemplateList) -> ImportPlan:
    """Compare what the provider lists for an account with the site's own templates."""
    database = router.db_for_write(MessageTemplate)
    stored = MessageTemplate.objects.using(database).prefetch_related("parameters")
    own = {template.code: template for template in stored}
    # MariaDB takes codes that differ in case for the same.
    taken = {code.casefold(): code for code in own}
    changes = []
    for told in listed.templates:
        ours = own.get(told.code)
        if ours is not None and ours.account == account:
            changes.append(_changed(ours, told))
            continue
        changes.append(_new(told, account, ours, taken.get(told.code.casefold())))
        taken.setdefault(told.code.casefold(), told.code)
    changes += [
        TemplateChange(code=code, notes=(_("The provider describes it in two ways."),))
        for code in listed.contradictory
    ]
    codes = {change.code for change in changes}
    missing = [code for code in own if own[code].account == account and code not in codes]
    return ImportPlan(
        account=account,
        listed=listed,
        templates=tuple(changes),
        gone=tuple(missing) if listed.is_complete else (),
    )


def _new(
    told: ProviderTemplate, account: str, ours: MessageTemplate | None, namesake: str | None
) -> TemplateChange:
    if ours is not None:
        note = _("Here it belongs to the account “%(account)s”.") % {"account": ours.account}
        return TemplateChange(code=told.code, notes=(note,))
    if namesake is not None:
        note = _("Its code differs only in case from %(code)s.") % {"code": namesake}
        return TemplateChange(code=told.code, notes=(note,))
    if told.parameters is None:
        return TemplateChange(code=told.code, notes=(_not_understood(),))
    changes, notes = _parameter_changes({}, told.parameters)
    return TemplateChange(
        code=told.code,
        is_new=True,
        parameters=changes,
        notes=notes,
        channels=tuple(channel for channel in told.channels if channel in Channel.values),
    )


def _changed(ours: MessageTemplate, told: ProviderTemplate) -> TemplateChange:
    if told.parameters is None:
        return TemplateChange(code=told.code, notes=(_not_understood(),))
    own = {row.name: parameter_of(row) for row in ours.parameters.all()}
    changes, notes = _parameter_changes(own, told.parameters)
    names = {parameter.name for parameter in told.parameters}
    return TemplateChange(
        code=told.code,
        parameters=changes,
        gone=tuple(name for name in own if name not in names),
        notes=notes,
    )


def _parameter_changes(
    own: dict[str, Parameter], told: Sequence[ProviderParameter]
) -> tuple[tuple[ParameterChange, ...], tuple[str, ...]]:
    changes, notes = [], []
    taken = {name.casefold(): name for name in own}
    for one in told:
        before = own.get(one.name)
        if before is None and (fault := _fault_of_name(one.name, taken)):
            notes.append(fault)
            continue
        taken[one.name.casefold()] = one.name
        after, told_of_it = drawn_up(one) if before is None else brought_up(before, one)
        notes += told_of_it
        if after != before:
            changes.append(ParameterChange(before=before, after=after))
    return tuple(changes), tuple(notes)


def _fault_of_name(name: str, taken: dict[str, str]) -> str:
    try:
        validate_name(name)
    except ValidationError:
        return _("“%(name)s” is left out: it is no name that a parameter can have here.") % {
            "name": clean_text(name, QUOTED)
        }
    if name.casefold() in taken:
        return _("%(name)s is left out: there is %(other)s already.") % {
            "name": name,
            "other": taken[name.casefold()],
        }
    return ""


def parameter_of(row: TemplateParameter) -> Parameter:
    """Return a stored parameter as what it says."""
    return Parameter(**{name: getattr(row, name) for name in _FIELDS})


def _facts(parameter: Parameter) -> list[str]:
    """Return what there is to know of a parameter, each in its place; "" where there is none."""
    limit = parameter.limit
    return [
        # What a script has stored past the validation is shown as it is.
        str(dict(Kind.choices).get(parameter.kind, parameter.kind)),
        ngettext("at most %(count)d character", "at most %(count)d characters", limit)
        % {"count": limit},
        parameter.pattern and _("pattern %(pattern)s") % {"pattern": parameter.pattern},
        _("never stored or shown") if parameter.is_secret else "",
    ]


def _not_understood() -> str:
    return _("Its parameters cannot be understood.")
