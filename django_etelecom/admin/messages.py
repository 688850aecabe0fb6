"""The messages that were sent: to be looked at and searched, never changed."""

import contextlib
import json
import uuid
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import phone
from ..conf import settings
from ..exceptions import InvalidMessage
from ..explanation import Step, explain, network_name
from ..models import Campaign, MessageLog
from ..models.routes import channel_names
from ..transactions import non_atomic
from .accounts import paused_accounts
from .lookups import AskableLists
from .refresh import refresh_many, refresh_view
from .rendering import filled_text, status_badge
from .send import send_view


class AccountFilter(admin.SimpleListFilter):
    """By account, as the settings list them: asking every message would take long."""

    title = _("account")
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(alias, alias) for alias in settings.account_aliases]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(account=self.value()) if self.value() else queryset


class CampaignFilter(admin.SimpleListFilter):
    """By the campaign whose page led here; others are found on the list of campaigns."""

    title = _("campaign")
    parameter_name = "campaign__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        chosen = self.value()
        if not chosen:
            return []
        campaign = Campaign.objects.filter(pk=int(chosen)).first()
        return [(chosen, str(campaign or chosen))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset.filter(campaign=int(chosen)) if chosen else queryset


@admin.register(MessageLog)
class MessageLogAdmin(AskableLists):
    list_display = [
        "recipient_in_words",
        "status_in_words",
        "template_code",
        "created_at",
        "sent_by",
        "provider_message_id",
    ]
    list_filter = [
        "status",
        CampaignFilter,
        "created_at",
        "template__category",
        "template",
        AccountFilter,
    ]
    list_select_related = ["sent_by"]
    # What the search box looks in; `get_search_results` says how.
    search_fields = ["recipient", "provider_message_id", "public_id"]
    search_help_text = _("A whole phone number, the provider's id or the public id.")
    # A log grows: nothing on the list may make the database read all of it.
    ordering = ["-pk"]
    sortable_by = ()
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ["refresh_selected"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("status_in_words", "reason_in_words"),
                    "recipient_in_words",
                    "template",
                    "text_in_words",
                    "params_in_words",
                ]
            },
        ),
        (
            _("What the provider says"),
            {
                "fields": [
                    ("provider_message_id", "status_source"),
                    ("provider_status", "provider_detail_in_words"),
                    ("channel", "error_code", "network_in_words", "paid_messages"),
                ]
            },
        ),
        (
            _("Sending"),
            {
                "fields": [
                    ("account", "channels_in_words", "requested_route", "attempts"),
                    ("campaign", "campaign_row"),
                    ("sent_by", "resend_of", "resends_in_words"),
                    ("created_at", "send_at", "sent_at", "updated_at", "expires_at"),
                    ("public_id", "metadata_in_words"),
                ]
            },
        ),
    ]
    readonly_fields = [
        "status_in_words",
        "reason_in_words",
        "recipient_in_words",
        "text_in_words",
        "params_in_words",
        "channels_in_words",
        "resends_in_words",
        "provider_detail_in_words",
        "network_in_words",
        "metadata_in_words",
        "public_id",
    ]

    class Media:
        css = {"all": ["etelecom/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        # Before the admin's own, which take whatever follows `messagelog/` for an object's id.
        return [
            path("send/", send_view(self), name="etelecom_messagelog_send"),
            path(
                "<path:object_id>/refresh/", refresh_view(self), name="etelecom_messagelog_refresh"
            ),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[MessageLog]:
        # The digests are of no use to a reader.
        return super().get_queryset(request).defer("idempotency_digest", "content_digest")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out what there is nothing to say of."""
        told = []
        for title, options in self.fieldsets:
            lines = [[line] if isinstance(line, str) else line for line in options["fields"]]
            kept = [[name for name in line if self._has(obj, name)] for line in lines]
            told.append((title, {"fields": [line for line in kept if line]}))
        return [(title, options) for title, options in told if options["fields"]]

    def _has(self, message: MessageLog, name: str) -> bool:
        display = getattr(self, name, None)
        value = display(message) if display else getattr(message, name)
        return value not in (None, "", {}, [])

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find messages by a whole number or id, each by its index; nothing else is searched."""
        term = search_term.strip()
        if not term:
            return queryset, False
        found = Q(provider_message_id=term)
        with contextlib.suppress(InvalidMessage):
            found |= Q(recipient=phone.normalize(term))
        with contextlib.suppress(ValueError):
            found |= Q(public_id=uuid.UUID(term))
        return queryset.filter(found), False

    @non_atomic
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        told = {"paused_accounts": paused_accounts(request, self.admin_site)}
        return super().changelist_view(request, {**told, **(extra_context or {})})

    @admin.action(description=_("Refresh status"), permissions=["view"])
    def refresh_selected(self, request: HttpRequest, queryset: QuerySet[MessageLog]) -> None:
        refresh_many(request, queryset)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        """Say on top of the page what became of the message."""
        message = context["original"]
        explanation = explain(message, message.events.all())
        may_resend = request.user.has_perms(["etelecom.send_message", "etelecom.resend_message"])
        return super().render_change_form(
            request,
            {
                **context,
                "explanation": explanation,
                "refresh_url": Step.REFRESH in explanation.steps
                and self._url("refresh", message.pk),
                "resend_url": Step.RESEND in explanation.steps
                and may_resend
                and self._resend_url(message),
            },
            *args,
            **kwargs,
        )

    def _resend_url(self, message: MessageLog) -> str:
        query = urlencode({"template": message.template.code, "resend_of": str(message.public_id)})
        return f"{self._url('send')}?{query}"

    @admin.display(description=_("network"))
    def network_in_words(self, message: MessageLog) -> str:
        return network_name(message.network)

    @admin.display(description=_("status"))
    def status_in_words(self, message: MessageLog) -> SafeString:
        return status_badge(message)

    @admin.display(description=_("reason"))
    def reason_in_words(self, message: MessageLog) -> str:
        return message.get_reason_display()

    @admin.display(description=_("recipient"))
    def recipient_in_words(self, message: MessageLog) -> str:
        return gettext("erased") if message.is_stripped else phone.display(message.recipient)

    @admin.display(description=_("text"))
    def text_in_words(self, message: MessageLog) -> SafeString | str:
        """The template's text of today with the values of then."""
        if message.is_stripped:
            return ""
        names = message.template.parameters.values_list("name", flat=True)
        return message.template.text and filled_text(
            message.template.text, {**dict.fromkeys(names, ""), **message.params}
        )

    @admin.display(description=_("parameters"))
    def params_in_words(self, message: MessageLog) -> SafeString | str:
        return message.params and format_html(
            '<table class="etelecom-params">{}</table>',
            format_html_join(
                "",
                '<tr><th scope="row">{}</th><td><bdi>{}</bdi></td></tr>',
                message.params.items(),
            ),
        )

    @admin.display(description=_("channels"))
    def channels_in_words(self, message: MessageLog) -> str:
        return channel_names(message.channels)

    @admin.display(description=_("sent again as"))
    def resends_in_words(self, message: MessageLog) -> SafeString:
        return format_html_join(
            ", ",
            '<a href="{}">{}</a>',
            (
                (self._url("change", pk), shown)
                for pk, shown in message.resends.values_list("pk", "public_id")
            ),
        )

    def _url(self, name: str, *args: Any) -> str:
        site = self.admin_site.name
        return reverse(f"admin:etelecom_messagelog_{name}", args=args, current_app=site)

    @admin.display(description=_("provider's words"))
    def provider_detail_in_words(self, message: MessageLog) -> SafeString | str:
        return message.provider_detail and format_html("<bdi>{}</bdi>", message.provider_detail)

    @admin.display(description=_("metadata"))
    def metadata_in_words(self, message: MessageLog) -> SafeString | str:
        return message.metadata and format_html(
            '<pre class="etelecom-payload"><bdi>{}</bdi></pre>',
            json.dumps(message.metadata, indent=2, ensure_ascii=False),
        )
