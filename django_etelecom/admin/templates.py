"""Templates with their parameters, and a look at the text they make."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest
from django.urls import path
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from ..conf import settings
from ..models import MessageTemplate, TemplateParameter
from ..schema import placeholders
from .lookups import AskableLists
from .rendering import filled_text
from .template_import import import_view


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


class TemplateParameterInline(admin.TabularInline):  # type: ignore[type-arg]  # not subscriptable
    model = TemplateParameter
    formset = ParameterFormSet
    fields = (
        "position",
        "name",
        "kind",
        "required",
        "secret",
        "max_length",
        "example",
        "pattern",
    )

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        # Without JavaScript there is no button that adds a row.
        return 1 if obj else 3


@admin.register(MessageTemplate)
class MessageTemplateAdmin(AskableLists):
    form = MessageTemplateForm
    inlines = [TemplateParameterInline]
    list_display = ["code", "name", "category", "account", "route", "is_active"]
    list_filter = ["is_active", "category", "account", "route"]
    list_select_related = ["route"]
    search_fields = ["code", "name"]
    readonly_fields = ["preview"]

    class Media:
        css = {"all": ["etelecom/admin.css"]}

    def get_urls(self) -> list[Any]:
        # Before the admin's own, which take whatever follows `messagetemplate/` for an object's id.
        importing = path("import/", import_view(self), name="etelecom_messagetemplate_import")
        return [importing, *super().get_urls()]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        text = ["text", "preview"] if obj and obj.text else ["text"]
        return [
            (None, {"fields": ["code", "name", "category", "is_active"]}),
            (_("Sending"), {"fields": ["account", "route"]}),
            (_("Text"), {"fields": text}),
        ]

    @admin.display(description=_("Preview"))
    def preview(self, template: MessageTemplate) -> SafeString:
        examples = {
            parameter.name: parameter.example or parameter.name
            for parameter in template.parameters.all()
        }
        return filled_text(template.text, examples)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        self._warn_of_text(request, form.instance)

    def _warn_of_text(self, request: HttpRequest, template: MessageTemplate) -> None:
        """Tell where the text and the parameters name different things."""
        if not template.text:
            return
        in_text = placeholders(template.text)
        names = list(template.parameters.values_list("name", flat=True))
        if undefined := [name for name in in_text if name not in names]:
            messages.warning(
                request,
                _("The text names what is not a parameter: %(names)s.")
                % {"names": ", ".join(undefined)},
            )
        if unused := [name for name in names if name not in in_text]:
            messages.warning(
                request,
                _("The text does not name these parameters: %(names)s.")
                % {"names": ", ".join(unused)},
            )

    def get_deleted_objects(
        self, objs: Sequence[Any] | models.QuerySet[Any], request: HttpRequest
    ) -> Any:
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        # Messages protect their template from everyone. That nobody may delete messages either
        # is not what the person has to know.
        return deleted, counts, set() if protected else lacking, protected
