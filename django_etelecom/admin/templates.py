"""Templates with their parameters, and a look at the text they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import HttpRequest
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters

from ..models import MessageTemplate, TemplateParameter
from . import drawing_up
from .advertising import advertising_faults
from .lookups import AskableLists
from .previews import (
    channels_of,
    differences,
    preview_view,
    stored_look,
    typed_look,
    typed_parameters,
    unposted_parameters,
)
from .template_forms import (
    MessageTemplateForm,
    ParameterFormSet,
    ShownParameterForm,
    ShownParameters,
    ShownTemplateForm,
)
from .template_import import import_view
from .usage import usage_of


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

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        if drawing_up.is_under_way(request):
            kwargs |= {"form": ShownParameterForm, "formset": ShownParameters}
        return super().get_formset(request, obj, **kwargs)


@admin.register(MessageTemplate)
class MessageTemplateAdmin(AskableLists):
    form = MessageTemplateForm
    inlines = [TemplateParameterInline]
    list_display = ["code", "name", "category", "account", "route", "is_active"]
    list_filter = ["is_active", "category", "account", "route"]
    list_select_related = ["route"]
    search_fields = ["code", "name"]

    fieldsets = [
        (None, {"fields": ["code", "name", "category", "is_active"]}),
        (_("Sending"), {"fields": ["account", "route", "bars_zns_at_night"]}),
        (_("Text"), {"fields": ["text"]}),
    ]

    class Media:
        css = {"all": ["etelecom/admin.css"]}

    def get_urls(self) -> list[Any]:
        # Before the admin's own, which take whatever follows for an object's id.
        view = preview_view(self)
        return [
            path("import/", import_view(self), name="etelecom_messagetemplate_import"),
            path("preview/", view, name="etelecom_messagetemplate_preview"),
            path("<int:pk>/preview/", view, name="etelecom_messagetemplate_preview"),
            *super().get_urls(),
        ]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if drawing_up.is_under_way(request):
            kwargs["form"] = ShownTemplateForm
        return super().get_form(request, obj, change, **kwargs)

    # A sample has what customers were told, and one-time passwords.
    @method_decorator(sensitive_post_parameters(drawing_up.SAMPLE))
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        shown = dict(extra_context or {})
        if drawing_up.is_asked_for(request):
            shown |= self._draw_up(request, object_id)
        return super().changeform_view(request, object_id, form_url, shown)

    def _draw_up(self, request: HttpRequest, object_id: str | None) -> dict[str, Any]:
        """Put the parameters of the pasted sample into the rows that were posted.

        Raises:
            PermissionDenied: this person may not add parameters to this template.
        """
        template = self.get_object(request, unquote(object_id)) if object_id else None
        if not self._may_draw_up(request, template):
            raise PermissionDenied
        if object_id and template is None:
            return {}
        form = drawing_up.SampleForm(request.POST)
        sampled = form.cleaned_data[drawing_up.SAMPLE] if form.is_valid() else []
        before = [
            *unposted_parameters(self, request, template),
            *typed_parameters(request.POST),
        ]
        names = [parameter.name for parameter in before]
        new = [parameter for parameter in sampled if parameter.name not in names]
        request.POST = drawing_up.drawn_up(request.POST, new)  # type: ignore[assignment]
        if form.errors:
            return {"sample": form.in_admin, "errors": form.errors}
        drawing_up.tell(request, sampled, names)
        # What was taken in is not drawn up again by the next button.
        return {"sample": drawing_up.SampleForm().in_admin}

    def _may_draw_up(self, request: HttpRequest, template: MessageTemplate | None) -> bool:
        may_edit = (
            self.has_change_permission(request, template)
            if template
            else self.has_add_permission(request)
        )
        inlines = self.get_inline_instances(request, template)
        return may_edit and any(inline.has_add_permission(request, template) for inline in inlines)

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> Any:
        """Show besides the form what the text looks like, and where the template is used."""
        look = (
            typed_look(request.POST, unposted_parameters(self, request, obj))
            if request.method == "POST"
            else stored_look(obj)
        )
        may_edit = self.has_change_permission(request, obj) if obj else add
        told = {
            "look": look,
            "preview_url": self._preview_url(obj) if may_edit else "",
            "sample": drawing_up.SampleForm().in_admin,
            "may_draw_up": self._may_draw_up(request, obj),
            "usage": obj and usage_of(obj, request, self.admin_site),
        }
        return super().render_change_form(request, {**told, **context}, add, change, form_url, obj)

    def _preview_url(self, template: MessageTemplate | None) -> str:
        return reverse(
            "admin:etelecom_messagetemplate_preview",
            args=[template.pk] if template else [],
            current_app=self.admin_site.name,
        )

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        template = form.instance
        names = template.parameters.values_list("name", flat=True)
        channels = channels_of(template.route)
        for sentence in (
            *differences(template.text, names),
            *advertising_faults(template.category, template.text, channels),
        ):
            messages.warning(request, sentence)

    def get_deleted_objects(
        self, objs: Sequence[Any] | models.QuerySet[Any], request: HttpRequest
    ) -> Any:
        deleted, counts, lacking, protected = super().get_deleted_objects(objs, request)
        # Messages protect their template from everyone. That nobody may delete messages either
        # is not what the person has to know.
        return deleted, counts, set() if protected else lacking, protected
