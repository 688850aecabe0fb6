"""The messages that were sent: to be looked at and searched, never changed."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..finding.search import read_search
from ..models import MessageLog
from ..transactions import non_atomic
from .accounts import paused_accounts
from .export import export_view, may_export
from .key_list import PageActionForm
from .lookups import AskableLists
from .message_list import MessageList, record_list
from .message_page import MessagePage
from .number_pages import NumberPages, may_answer
from .numbers import record_sight
from .refresh import refresh_many
from .rendering import status_badge
from .search import SEARCHABLE, searched_for
from .send import SendPages


@admin.register(MessageLog)
class MessageLogAdmin(MessagePage, SendPages, NumberPages, AskableLists):
    list_display = [
        "number_in_list",
        "status_in_words",
        "template_code",
        "created_at",
        "sender_in_list",
        "provider_id_in_list",
    ]
    list_select_related = ["sent_by"]
    # Which the list does not ask: `search.py` says what the search box takes.
    search_fields = ["recipient", "provider_message_id", "public_id"]
    search_help_text = SEARCHABLE
    ordering = ["-pk"]
    sortable_by = ()
    # Drawing the rows is most of what a page takes.
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = ["refresh_selected"]
    action_form = PageActionForm

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
            path("export/", export_view(self), name="etelecom_messagelog_export"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[MessageLog]:
        # The digests are of no use to a reader.
        return super().get_queryset(request).defer("idempotency_digest", "content_digest")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return MessageList

    @non_atomic
    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        told = {
            "paused_accounts": paused_accounts(request, self.admin_site),
            "may_export": may_export(request),
            "may_answer": may_answer(request),
        }
        response = super().changelist_view(request, {**told, **(extra_context or {})})
        # An action may have answered in its place, as one that asks whether it is meant.
        page = response.context_data if isinstance(response, TemplateResponse) else None
        if page and "cl" in page:
            record_list(request, page["cl"])
        return response

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find messages for a field that completes what is typed, by a whole number or id."""
        search = read_search(search_term.replace("\x00", "").strip())
        if search is None:
            return queryset.none(), False
        if search.number:
            record_sight(request, searched_for(search))
        return queryset.filter(search.condition), False

    @admin.action(description=_("Refresh status"), permissions=["view"])
    def refresh_selected(self, request: HttpRequest, queryset: QuerySet[MessageLog]) -> None:
        refresh_many(request, queryset)

    def action_checkbox(self, obj: Any) -> SafeString:
        """Return the box to tick; a widget of the forms takes a quarter of drawing the list."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="{}">',
            ACTION_CHECKBOX_NAME,
            obj.pk,
            gettext("Choose message %(id)s") % {"id": obj},
        )

    # With its heading, which Django 6.0 and older keep in its attributes.
    vars(action_checkbox).update(vars(admin.ModelAdmin.action_checkbox))

    @admin.display(description=_("status"))
    def status_in_words(self, message: MessageLog) -> SafeString:
        return status_badge(message)

    @admin.display(description=_("recipient"))
    def number_in_list(self, message: MessageLog) -> str:
        return self.number_in_words(message)

    @admin.display(description=_("sent by"))
    def sender_in_list(self, message: MessageLog) -> SafeString | str | None:
        return self.sender_in_words(message) or None

    @admin.display(description=_("provider's id"))
    def provider_id_in_list(self, message: MessageLog) -> SafeString:
        return format_html("<bdi>{}</bdi>", message.provider_message_id)
