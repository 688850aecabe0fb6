"""Consents to advertising: recorded and withdrawn, never changed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ..exceptions import InvalidMessage
from ..models import Consent
from ..number_lists import CONSENTED
from ..numbers import read_agreement, record_consent, withdraw_consent
from .forms import unusable_settings
from .listed_numbers import ListedNumberAdmin
from .log import recorded
from .number_search import Filter
from .suppressions import phone_field
from .upload_forms import add_faults


class ConsentForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable
    """A consent that is to be recorded."""

    phone = phone_field()
    given_at = forms.DateTimeField(
        label=gettext_lazy("Given at"),
        required=False,
        help_text=gettext_lazy("Empty: now."),
        widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    class Meta:
        model = Consent
        fields = ("source", "given_at")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        cleaned["given_at"] = cleaned["given_at"] or timezone.now()
        try:
            read_agreement(cleaned["phone"], source=cleaned["source"], given_at=cleaned["given_at"])
        except InvalidMessage as error:
            add_faults(self, error)
        except ImproperlyConfigured as error:
            self.add_error(None, unusable_settings(error))
        return cleaned


FIELDS = (
    "number_in_words",
    "source_in_words",
    "given_at",
    "withdrawn_at",
    "created_at",
    "sender_in_words",
)
"""Of a consent, in the list and on its page."""


@admin.register(Consent)
class ConsentAdmin(ListedNumberAdmin):
    number_list = CONSENTED
    command = "etelecom_consent"
    filters = {
        "withdrawn": Filter(
            gettext_lazy("withdrawn"),
            {"no": gettext_lazy("No"), "yes": gettext_lazy("Yes")},
            {"no": {"withdrawn_at": None}, "yes": {"withdrawn_at__isnull": False}},
        )
    }
    list_display = FIELDS
    readonly_fields = FIELDS
    change_form_template = "admin/etelecom/consent/change_form.html"

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_withdraw(request) or super().has_view_permission(request, obj)

    def get_urls(self) -> list[Any]:
        withdraw = self.admin_site.admin_view(self.withdraw_view)
        return [
            path("<path:object_id>/withdraw/", withdraw, name="etelecom_consent_withdraw"),
            *super().get_urls(),
        ]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = ConsentForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else self.readonly_fields

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["phone", "source", "given_at"] if obj is None else self.readonly_fields

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        typed = form.cleaned_data
        consent = record_consent(
            typed["phone"], source=typed["source"], given_at=typed["given_at"], by=request.user
        )
        obj.pk = consent.pk
        obj.refresh_from_db()

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        row: Consent | None = context["original"]
        if row is not None and _is_open(row) and may_withdraw(request):
            context["withdraw_url"] = self.url("withdraw", row.pk)
        return super().render_change_form(request, context, *args, **kwargs)

    def withdraw_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Withdraw all that the number of a consent has agreed to."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not may_withdraw(request):
            raise PermissionDenied
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        count = withdraw_consent(row.recipient, by=request.user) if _is_open(row) else 0
        if count:
            self.log_change(request, row, recorded(gettext_lazy("Withdrawn.")))
            sentence = ngettext(
                "%(count)d consent of this number was withdrawn.",
                "%(count)d consents of this number were withdrawn.",
                count,
            )
            messages.success(request, sentence % {"count": count})
        else:
            messages.info(request, _("It was withdrawn before."))
        return HttpResponseRedirect(self.url("change", row.pk))

    @admin.display(description=gettext_lazy("source"))
    def source_in_words(self, row: Consent) -> SafeString:
        return format_html("<bdi>{}</bdi>", row.source)


def may_withdraw(request: HttpRequest) -> bool:
    """Whether this person may withdraw consents: who may change them."""
    return request.user.has_perm("etelecom.change_consent")


def _is_open(row: Consent) -> bool:
    return row.withdrawn_at is None and bool(row.recipient)
