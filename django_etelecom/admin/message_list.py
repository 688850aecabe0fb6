"""The list of messages: a page of it by key, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, ngettext_lazy

from ..conf import settings
from ..covers import cover_messages
from ..finding.key_walk import COUNTED, KeyWalk
from ..models import Campaign, MessageLog, MessageTemplate
from ..models.messages import Status
from ..numerals import grouped
from .asked import (
    ACCOUNT,
    CAMPAIGN,
    FILTERS,
    POPUP,
    STATUS,
    STATUSES,
    TEMPLATE,
    WHICH,
    read_address,
)
from .key_list import Choices, KeyList
from .log import recorded
from .numbers import record_sight, sees_numbers
from .search import searched_for

WIDE = ("params", "sealed_params", "channels", "metadata")
"""Columns that no list of messages shows."""


class MessageList(KeyList):
    """A page of messages."""

    words = (*WHICH, *POPUP)

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Any = None
    ) -> QuerySet[MessageLog]:
        """Return what an action may be for; the page itself reads by key."""
        self.asked = read_address(self.params)
        if STATUSES in self.params:
            self.params[STATUS] = self.params.pop(STATUSES)
        self.filter_specs: Any = list(self._filters())
        self.has_filters = True
        self.has_active_filters = any(self.params.get(word) for word in FILTERS)
        self.clear_all_filters_qs = self.get_query_string(dict.fromkeys(FILTERS))
        return self.root_queryset.filter(self.asked.conditions()).order_by("-pk")

    def _filters(self) -> Iterator[Choices]:
        under_way = (f"{Status.QUEUED},{Status.SENDING}", _("under way"))
        yield Choices(_("status"), STATUS, [under_way, *Status.choices])
        if self.asked.campaign is not None:
            # Others are found on the list of campaigns.
            campaign = Campaign.objects.filter(pk=self.asked.campaign).first()
            key = str(self.asked.campaign)
            yield Choices(_("campaign"), CAMPAIGN, [(key, campaign or key)])
        templates = MessageTemplate.objects.order_by("code").values_list("pk", "code")
        yield Choices(_("template"), TEMPLATE, [(str(pk), code) for pk, code in templates])
        accounts = settings.account_aliases
        if len(accounts) > 1:
            yield Choices(_("account"), ACCOUNT, [(alias, alias) for alias in accounts])

    def url_for_result(self, result: Any) -> str:
        """Return the address of a message, with the way back to this list."""
        address = super().url_for_result(result)
        return f"{address}?{self._way_back}" if self._way_back else address

    def get_results(self, request: HttpRequest) -> None:
        # For each row the admin would look up anew which page the way back belongs to.
        self._way_back, self.preserved_filters = self.preserved_filters, ""
        messages = self.apply_select_related(self.root_queryset).defer(*WIDE)
        walk = KeyWalk(messages, self.asked)
        self.page = self.read_page(walk)
        self.sees_numbers = sees_numbers(request)
        cover_messages(self.page.messages, whole=self.sees_numbers)
        self.result_list = self.page.messages
        # What the admin's own templates count is what they show.
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_admin_actions = bool(self.result_list)
        are_all = self.is_newest and self.page.goes_on is None
        self.total = self.result_count if are_all else walk.count()

    @property
    def looked_to(self) -> Any:
        """Return when the last message that was looked through was created."""
        last = self.root_queryset.filter(pk=self.page.goes_on)
        return last.values_list("created_at", flat=True).first()

    @property
    def total_in_words(self) -> str:
        if self.total is None:
            return ""
        if self.total > COUNTED:
            return _("More than %(count)s messages") % {"count": grouped(COUNTED)}
        return ngettext("%(count)s message", "%(count)s messages", self.total) % {
            "count": grouped(self.total)
        }

    @property
    def kept_words(self) -> list[tuple[str, str]]:
        """Return what a new search leaves as it is."""
        return [(word, self.params[word]) for word in (*FILTERS, *POPUP) if word in self.params]

    @property
    def export_url(self) -> str:
        site = self.model_admin.admin_site.name
        return (
            reverse("admin:etelecom_messagelog_export", current_app=site) + self.get_query_string()
        )


def record_list(request: HttpRequest, listed: MessageList) -> None:
    """Write into the admin's log what a person looked for, and the whole numbers that it showed."""
    sentences = []
    if listed.asked.search and listed.asked.search.number:
        sentences.append(searched_for(listed.asked.search))
    seen = sum(not message.is_stripped for message in listed.page.messages)
    if listed.sees_numbers and seen:
        saw = ngettext_lazy(
            "Saw the number of %(count)d message.", "Saw the numbers of %(count)d messages.", seen
        )
        sentences.append(recorded(saw, count=seen))
    if sentences:
        record_sight(request, " ".join(sentences))
