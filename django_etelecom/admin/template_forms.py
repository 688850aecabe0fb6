"""The form of a template and of its parameters, as it is saved and as it is merely shown again."""

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator
from django.forms.formsets import DELETION_FIELD_NAME
from django.forms.utils import ErrorDict
from django.utils.translation import gettext_lazy as _

from ..conf import settings
from ..models import MessageTemplate
from ..redaction import clean_text

LAST_POSITION = 9999
"""That can be typed: there has to be room after it."""


class MessageTemplateForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable
    """A template whose account is chosen among those of the site's settings."""

    class Meta:
        model = MessageTemplate
        fields = (
            "code",
            "name",
            "category",
            "account",
            "route",
            "is_active",
            "bars_zns_at_night",
            "text",
        )

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
            told = {"account": clean_text(stored, 100)}
            choices.append((stored, _("%(account)s (not in the site's settings)") % told))
        return choices


class ParameterFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]  # not subscriptable
    """Parameters of a template; those without a position come last, as their rows stand."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        position = form.fields["position"]
        position.required = False
        position.help_text = _("Empty: at the end.")
        position.validators.append(MaxValueValidator(LAST_POSITION))
        if form.instance.pk is None:
            position.initial = form.initial["position"] = None
        for field in form.fields.values():
            # The admin's table has its words in the head of a column alone.
            field.widget.attrs.setdefault("aria-label", field.label)

    def clean(self) -> None:
        super().clean()
        self._refuse_same_letters()
        filled = [form for form in self.forms if form.is_valid() and form.has_changed()]
        kept = [form.instance.position for form in self.forms if form.instance.pk]
        given = [form.instance.position for form in filled]
        last = max((position for position in kept + given if position is not None), default=-1)
        for form in filled:
            if form.instance.position is None:
                last += 1
                form.instance.position = last

    def _refuse_same_letters(self) -> None:
        """Refuse names that MariaDB takes for one."""
        typed = [form.cleaned_data for form in self.forms]
        names = [
            row["name"] for row in typed if row.get("name") and not row.get(DELETION_FIELD_NAME)
        ]
        by_letters = {name.lower(): name for name in names}
        for name in names:
            if by_letters[name.lower()] != name:
                raise forms.ValidationError(
                    _("“%(first)s” and “%(second)s” differ in nothing but capital letters."),
                    params={"first": name, "second": by_letters[name.lower()]},
                )


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
