"""The suppression list: numbers are typed in, looked up, lifted, imported and exported."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..exceptions import InvalidMessage
from ..models import Suppression
from ..number_lists import SUPPRESSED
from ..numbers import read_entry, suppress_number, suppressions_of
from .forms import unusable_settings
from .listed_numbers import ListedNumberAdmin
from .number_import import REASONS
from .number_search import Filter
from .upload_forms import add_faults


def phone_field() -> forms.CharField:
    return forms.CharField(
        label=gettext_lazy("Phone number"),
        help_text=gettext_lazy("In any form, such as 0912 345 678."),
        widget=forms.TextInput({"type": "tel", "autocomplete": "off", "class": "vTextField"}),
    )


class SuppressionForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable
    """A number that is to be suppressed."""

    phone = phone_field()
    reason = forms.ChoiceField(label=gettext_lazy("Reason"), choices=REASONS)
    scope = forms.ChoiceField(
        label=gettext_lazy("No more"),
        required=False,
        choices=[("", gettext_lazy("As the reason has it")), *Suppression.Scope.choices],
        help_text=gettext_lazy(
            "By itself an opt-out or a complaint is about advertising, a decision of staff about "
            "everything."
        ),
    )

    class Meta:
        model = Suppression
        fields = ("reason", "scope", "note")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        try:
            entry = read_entry(
                cleaned["phone"],
                reason=cleaned["reason"],
                scope=cleaned["scope"] or None,
                note=cleaned["note"],
            )
            is_listed = suppressions_of(entry.number).filter(reason=entry.reason).exists()
        except InvalidMessage as error:
            add_faults(self, error)
        except ImproperlyConfigured as error:
            self.add_error(None, unusable_settings(error))
        else:
            if is_listed:
                fault = _("It is on the list for this reason: search for it to change its entry.")
                self.add_error("phone", fault)
        return cleaned


@admin.register(Suppression)
class SuppressionAdmin(ListedNumberAdmin):
    number_list = SUPPRESSED
    command = "etelecom_suppress"
    filters = {
        "reason": Filter(
            gettext_lazy("reason"),
            dict(Suppression.Reason.choices),
            {reason: {"reason": reason} for reason in Suppression.Reason.values},
        ),
        "scope": Filter(
            gettext_lazy("no more"),
            dict(Suppression.Scope.choices),
            {scope: {"scope": scope} for scope in Suppression.Scope.values},
        ),
    }
    list_display = ["number_in_words", "reason", "scope", "created_at", "sender_in_words"]
    readonly_fields = ["number_in_words", "reason", "created_at", "sender_in_words"]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = SuppressionForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ()
        # What was masked cannot be changed: it would be kept so.
        return [*self.readonly_fields, *(["note_in_words"] if obj.is_covered else [])]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ["phone", "reason", "scope", "note"]
        note = "note_in_words" if obj.is_covered else "note"
        return ["number_in_words", "reason", "scope", note, "created_at", "sender_in_words"]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            # Those alone: what else the row has is as it is shown.
            changed = {name: form.cleaned_data[name] for name in form.changed_data}
            if changed:
                self.get_queryset(request).filter(pk=obj.pk).update(**changed)
            return
        typed = form.cleaned_data
        listed = suppress_number(
            typed["phone"],
            reason=typed["reason"],
            scope=typed["scope"] or None,
            note=typed["note"],
            by=request.user,
        )
        obj.pk = listed.pk
        obj.refresh_from_db()

    @admin.display(description=gettext_lazy("note"))
    def note_in_words(self, row: Suppression) -> SafeString:
        return format_html("<bdi>{}</bdi>", row.note)
