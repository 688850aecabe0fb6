"""The list of messages: a page of it by key, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, ngettext_lazy

from ..conf import settings
from ..finding.key_walk import COUNTED, KeyWalk, Stretch
from ..models import Campaign, MessageLog, MessageTemplate
from ..models.messages import Status
from ..numerals import grouped
from .asked import (
    ACCOUNT,
    AFTER,
    BEFORE,
    CAMPAIGN,
    FILTERS,
    POPUP,
    STATUS,
    STATUSES,
    TEMPLATE,
    WHICH,
    read_address,
)
from .log import recorded
from .numbers import record_sight, sees_numbers, shown_number
from .search import searched_for

WIDE = ("params", "sealed_params", "channels", "metadata")
"""Columns that no list of messages shows."""


class PageActionForm(ActionForm):
    """Actions are for what is ticked on one page: no one has looked at all that a filter finds."""

    def clean_select_across(self) -> bool:
        return False


class Choices:
    """One filter beside the list, as the admin's own template draws it."""

    template = "admin/filter.html"

    def __init__(self, title: str, word: str, choices: Iterable[tuple[str, Any]]) -> None:
        self.title = title
        self._word = word
        self._choices = choices

    def choices(self, listed: MessageList) -> Iterator[dict[str, Any]]:
        chosen = listed.params.get(self._word, "")
        without = listed.get_query_string({self._word: ""})
        yield {"selected": not chosen, "query_string": without, "display": _("All")}
        before = without if without == "?" else f"{without}&"
        for value, shown in self._choices:
            yield {
                "selected": chosen == value,
                "query_string": before + urlencode({self._word: value}),
                "display": shown,
            }


class MessageList(ChangeList):
    """A page of messages; older and newer ones are found by the keys at its ends."""

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

    def get_query_string(
        self, new_params: Mapping[str, Any] | None = None, remove: Any = None
    ) -> str:
        """Return the address of the newest messages of what is asked for, with other words."""
        kept = {word: self.params.get(word) for word in (*WHICH, *POPUP)}
        # `0` is a key.
        told = {
            word: value
            for word, value in {**kept, **(new_params or {})}.items()
            if value not in ("", None)
        }
        return f"?{urlencode(told)}"

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
        self.page = self._read_page(walk)
        self.sees_numbers = sees_numbers(request)
        for message in self.page.messages:
            message.shown_number = shown_number(message, whole=self.sees_numbers)
        self.result_list = self.page.messages
        # What the admin's own templates count is what they show.
        self.result_count = self.full_result_count = len(self.result_list)
        self.show_admin_actions = bool(self.result_list)
        are_all = self.is_newest and self.page.goes_on is None
        self.total = self.result_count if are_all else walk.count()

    def _read_page(self, walk: KeyWalk) -> Stretch:
        before, after = self.asked.before, self.asked.after
        self.is_newest = False
        self.is_upwards = True
        if before is None and after is not None:
            page = walk.newer(after, self.list_per_page)
            if page.goes_on is not None:
                return page
            # It reaches the newest: they fill a page.
        self.is_upwards = False
        self.is_newest = before is None
        return walk.older(before, self.list_per_page)

    @property
    def links(self) -> Iterator[tuple[str, str]]:
        """Yield the links to other pages, each with its text."""
        asked, page = self.asked, self.page
        keys = [message.pk for message in page.messages]
        further = None if page.is_cut else page.goes_on
        if self.is_upwards:
            is_oldest = asked.after == 0
            newer, older = further, keys[-1] if keys else (asked.after or 0) + 1
        else:
            is_oldest = page.goes_on is None
            newer, older = keys[0] if keys else max((asked.before or 0) - 1, 0), further
        if not self.is_newest:
            yield _("Newest"), self.get_query_string()
        if not self.is_newest and newer is not None:
            yield _("Newer"), self.get_query_string({AFTER: newer})
        if not is_oldest and older is not None:
            yield _("Older"), self.get_query_string({BEFORE: older})
        if not is_oldest:
            yield _("Oldest"), self.get_query_string({AFTER: 0})

    @property
    def further_url(self) -> str:
        """Return the address that looks through more messages than this page has."""
        return self.get_query_string({AFTER if self.is_upwards else BEFORE: self.page.goes_on})

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
