"""Forms for sending by hand: choose a template, and a form grown from its parameters."""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any

from django import forms
from django.contrib.admin.helpers import AdminForm
from django.core.exceptions import ImproperlyConfigured
from django.forms.utils import pretty_name
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..client.opaque import Opaque
from ..exceptions import InvalidMessage
from ..models import MessageTemplate, RouteRule
from ..models.routes import channel_names
from ..models.templates import TemplatePlan
from ..redaction import clean_text
from ..schema import Kind, Parameter
from ..services import MessageCheck, check_message

PREFIX = "params."

LONG_TEXT = 100
"""Characters; a text whose template lets it have more gets more than one line to be typed in."""

LONGEST_FAULT = 1000
"""Characters of what is wrong with the settings."""

LONGEST_REFILLED = 5000
"""Characters of a faulty value that go back into the page."""


def _templates() -> list[tuple[str, str]]:
    active = MessageTemplate.objects.filter(is_active=True)
    choices = [(template.code, str(template)) for template in active]
    return [("", _("Choose a template")), *choices]


class TemplateChoiceForm(forms.Form):
    """The template to send by, named by its code."""

    template = forms.ChoiceField(
        label=gettext_lazy("Template"),
        choices=_templates,
        error_messages={
            "invalid_choice": gettext_lazy("There is no active template with this code.")
        },
    )


class TypedField(forms.Field):
    """Takes what a person typed as it is: the services judge it, not the form.

    `required` only decides how the label looks.
    """

    def __init__(self, *, secret: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.secret = secret

    def validate(self, value: Any) -> None:
        pass

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Return what goes back into the page: no secret, and nothing of megabytes."""
        # A field that was not asked for and is at fault comes with what it was filled with.
        shown = initial if data is None else data
        return "" if self.secret or len(shown or "") > LONGEST_REFILLED else shown


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a message that is sent again takes over from the first, by the names of the fields."""

    values: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Taken where nothing is typed."""
    masked: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Of those the ones that this person may not see, as they are shown."""
    asked: Collection[str] | None = None
    """The fields that are there to be filled in; None: all."""
    cover: Callable[[str], str] = str
    """Masks in a text what this person may not see."""


NOTHING = Kept()


class MessageForm(forms.Form):
    """A message by one template: `to`, `route` and a field `params.<name>` for each parameter.

    Once it is valid, `check` says what would be sent and `length` how many characters its text
    has, secrets included.
    """

    check: MessageCheck
    length: int

    def __init__(
        self,
        plan: TemplatePlan,
        data: Opaque[Mapping[str, Any]] | None = None,
        *,
        initial: Mapping[str, str] | None = None,
        kept: Kept = NOTHING,
    ) -> None:
        self.plan = plan
        self.kept = kept
        super().__init__(
            None if data is None else data.reveal(),
            initial={**(initial or {}), **dict.fromkeys(self._secret, "")},
        )
        self._left_out = _fields(plan)
        self.names = tuple(self._left_out)
        for name in self.names:
            if kept.asked is None or name in kept.asked or self.data.get(name):
                self._ask(name)

    def _ask(self, name: str) -> None:
        field = self.fields[name] = self._left_out.pop(name)
        if name in self.kept.masked:
            field.required = False
            field.help_text = _("Leave it empty to keep %(masked)s.") % {
                "masked": self.kept.masked[name]
            }

    @property
    def fieldsets(self) -> list[tuple[Any, dict[str, Any]]]:
        """The fields in the admin's own notation."""
        shown = [name for name in self.names if name in self.fields]
        params = [name for name in shown if name.startswith(PREFIX)]
        others = [name for name in shown if name not in params]
        fieldsets = [(None, {"fields": others}), (_("Parameters"), {"fields": params})]
        return [(title, options) for title, options in fieldsets if options["fields"]]

    @property
    def typed(self) -> dict[str, str]:
        """What was typed, by the fields' names; parameters that the template has not included.

        A field that was not posted is blank, unless its value is kept: of a message that is sent
        again, the old value would take its place after the check.
        """
        return {**dict.fromkeys(self.names, ""), **self.kept.values, **self._posted}

    @property
    def _posted(self) -> dict[str, str]:
        return {
            name: self.data[name]
            for name in self.data
            if (name in ("to", "route") or name.startswith(PREFIX))
            and (name not in self.kept.masked or self.data[name].strip())
        }

    @property
    def taken_over(self) -> list[str]:
        """The names of the fields whose value is the first message's."""
        posted = self._posted
        return [name for name in self.kept.values if name not in posted]

    @property
    def shareable(self) -> dict[str, str]:
        """What was typed, without the secrets."""
        return {name: value for name, value in self.typed.items() if name not in self._secret}

    @property
    def _secret(self) -> set[str]:
        return {PREFIX + name for name in self.plan.schema.secret_names}

    def clean(self) -> None:
        try:
            self.check = check_message(self.plan.code, **message_arguments(self.typed))
        except InvalidMessage as error:
            for name, sentences in error.message_dict.items():
                self._add_faults(name, sentences)
        except ImproperlyConfigured as error:
            self.add_error(None, unusable_settings(error))
        else:
            wire = self.plan.schema.bind(message_arguments(self.typed)["params"])
            self.length = len(wire.render(self.plan.text, masked=False))

    def _add_faults(self, name: str, sentences: list[str]) -> None:
        sentences = [self.kept.cover(sentence) for sentence in sentences]
        if name in self._left_out:
            self._ask(name)
        if name in self.fields:
            self.add_error(name, sentences)
        else:
            # Of a parameter that the template has not, the sentences alone do not tell the name.
            shown = f"{name.removeprefix(PREFIX)}: " if name.startswith(PREFIX) else ""
            self.add_error(None, [shown + sentence for sentence in sentences])


def message_arguments(typed: dict[str, str]) -> dict[str, Any]:
    """Return the fields of a `MessageForm` as the services take them: `to`, `params`, `route`."""
    return {
        "to": typed.get("to", ""),
        "route": typed.get("route", ""),
        "params": {
            name.removeprefix(PREFIX): value
            for name, value in typed.items()
            if name.startswith(PREFIX)
        },
    }


def unusable_settings(error: ImproperlyConfigured) -> str:
    sentence = _("This site's settings do not allow it to be sent: %(error)s")
    # It may quote what somebody has stored.
    return sentence % {"error": clean_text(str(error), LONGEST_FAULT)}


def admin_form(form: Any, fieldsets: Any) -> AdminForm:
    """Return the form as the admin's own template of a fieldset takes it."""
    return AdminForm(form, fieldsets, {})


def label(name: str) -> str:
    """Return a parameter's name as a person reads it: `customer_name` as `Customer name`."""
    return pretty_name(name)


def _fields(plan: TemplatePlan) -> dict[str, TypedField]:
    fields = {
        "to": TypedField(
            label=_("To"),
            help_text=_("A mobile number, such as 0912 345 678."),
            widget=_input(type="tel", autocomplete="off"),
        ),
        "route": TypedField(
            label=_("Route"), required=False, widget=forms.Select(choices=_routes(plan))
        ),
    }
    for parameter in plan.schema.parameters:
        fields[PREFIX + parameter.name] = TypedField(
            label=label(parameter.name),
            required=parameter.required,
            secret=parameter.is_secret,
            help_text=_help(parameter),
            widget=_widget(parameter),
        )
    return fields


def _routes(plan: TemplatePlan) -> list[tuple[str, str]]:
    own = _("Choose a route: the template has none")
    if plan.channels:
        whose = (
            _("The template's own: %(channels)s")
            if plan.has_own_route
            else _("The default route: %(channels)s")
        )
        own = whose % {"channels": channel_names(plan.channels)}
    rules = RouteRule.objects.order_by("name")
    return [
        ("", own),
        *((rule.name, f"{rule}: {channel_names(rule.channels)}") for rule in rules),
    ]


def _help(parameter: Parameter) -> str:
    sentences = [
        _("%(kind)s, at most %(limit)d characters.")
        % {"kind": capfirst(str(Kind(parameter.kind).label)), "limit": parameter.limit}
    ]
    if not parameter.required:
        sentences.append(_("Optional."))
    if parameter.is_secret:
        sentences.append(_("Never stored or shown."))
    return " ".join(sentences)


def _widget(parameter: Parameter) -> forms.Widget:
    if parameter.is_secret:
        return _input(autocomplete="off", placeholder=parameter.example)
    match parameter.kind:
        case Kind.DATE:
            return _input(type="date")
        case Kind.NUMBER:
            return _input(type="number", step="any", placeholder=parameter.example)
        case Kind.MONEY:
            return _input(type="number", step="1", min="1", placeholder=parameter.example)
        case Kind.PHONE:
            return _input(type="tel", placeholder=parameter.example)
        case Kind.URL:
            return _input(type="url", placeholder=parameter.example)
        case Kind.TEXT if (parameter.max_length or 0) > LONG_TEXT:
            return forms.Textarea(
                {"class": "vLargeTextField", "rows": 3, "placeholder": parameter.example}
            )
    return _input(placeholder=parameter.example)


def _input(**attributes: str) -> forms.TextInput:
    filled = {name: value for name, value in attributes.items() if value}
    return forms.TextInput({"class": "vTextField", **filled})
