"""The form of a template and of its parameters, as it is saved and as it is merely shown again."""

from typing import Any

from django import forms
from django.forms.utils import ErrorDict
from django.utils.translation import gettext_lazy as _

from ..conf import settings
from ..models import MessageTemplate


class MessageTemplateForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable
    """A template whose account is chosen among those of the site's settings."""

    class Meta:
        model = MessageTemplate
        fields = ("code", "name", "category", "account", "route", "is_active", "text")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "account" in self.fields:
            described = self.fields["account"]
            self.fields["account"] = forms.ChoiceField(
                label=described.label,
                help_text=described.help_text,
                choices=self._accounts(),
                initial=described.initial,
            )

    def _accounts(self) -> list[tuple[str, Any]]:
        choices: list[tuple[str, Any]] = [(alias, alias) for alias in settings.account_aliases]
        stored = self.instance.account if self.instance.pk else ""
        if stored and stored not in settings.account_aliases:
            label = _("%(account)s (not in the site's settings)") % {"account": stored}
            choices.append((stored, label))
        return choices


class ParameterFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]  # not subscriptable
    """Parameters of a template; those without a position come last, as their rows stand."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        position = form.fields["position"]
        position.required = False
        position.help_text = _("Empty: at the end.")
        if form.instance.pk is None:
            position.initial = form.initial["position"] = None

    def clean(self) -> None:
        super().clean()
        filled = [form for form in self.forms if form.is_valid() and form.has_changed()]
        kept = [form.instance.position for form in self.forms if form.instance.pk]
        given = [form.instance.position for form in filled]
        last = max((position for position in kept + given if position is not None), default=-1)
        for form in filled:
            if form.instance.position is None:
                last += 1
                form.instance.position = last


class ShownAgain:
    """Makes a form show what was typed, neither judged nor saved."""

    cleaned_data: dict[str, Any]
    _errors: ErrorDict

    def is_valid(self) -> bool:
        return False

    def full_clean(self) -> None:
        self._errors = ErrorDict()
        self.cleaned_data = {}


class ShownTemplateForm(ShownAgain, MessageTemplateForm):
    pass


class ShownParameterForm(ShownAgain, forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable
    pass


class ShownParameters(ParameterFormSet):
    def is_valid(self) -> bool:
        return False

    def full_clean(self) -> None:
        self._errors: list[ErrorDict] = []
        self._non_form_errors = self.error_class()
