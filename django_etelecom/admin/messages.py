"""The messages that were sent: to be looked at and searched, never changed."""

import contextlib
import uuid
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .. import phone
from ..conf import settings
from ..exceptions import InvalidMessage
from ..models import Campaign, MessageLog
from ..transactions import non_atomic
from .accounts import paused_accounts
from .lookups import AskableLists
from .message_page import MessagePage
from .refresh import refresh_many
from .rendering import status_badge
from .send import SendPages


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
class MessageLogAdmin(MessagePage, SendPages, AskableLists):
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

    class Media:
        css = {"all": ["etelecom/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[MessageLog]:
        # The digests are of no use to a reader.
        return super().get_queryset(request).defer("idempotency_digest", "content_digest")

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

    @admin.display(description=_("status"))
    def status_in_words(self, message: MessageLog) -> SafeString:
        return status_badge(message)

    @admin.display(description=_("recipient"))
    def recipient_in_words(self, message: MessageLog) -> str:
        return gettext("erased") if message.is_stripped else phone.display(message.recipient)
