"""Lists that are paged by key: what a page costs does not grow with the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.contrib.admin.helpers import ActionForm
from django.contrib.admin.views.main import ChangeList
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from ..finding.asked import Asked
from ..finding.key_walk import KeyWalk, Stretch
from .asked import AFTER, BEFORE


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

    def choices(self, listed: KeyList) -> Iterator[dict[str, Any]]:
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


class KeyList(ChangeList):
    """A page of a list; older and newer rows are found by the keys at its ends."""

    words: tuple[str, ...]
    """What of its address says which rows are meant."""
    asked: Asked
    page: Stretch

    def get_query_string(
        self, new_params: Mapping[str, Any] | None = None, remove: Any = None
    ) -> str:
        """Return the address of the newest rows of what is asked for, with other words."""
        kept = {word: self.params.get(word) for word in self.words}
        # `0` is a key.
        told = {
            word: value
            for word, value in {**kept, **(new_params or {})}.items()
            if value not in ("", None)
        }
        return f"?{urlencode(told)}"

    def read_page(self, walk: KeyWalk) -> Stretch:
        """Return the rows that the address asks for."""
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
        keys = [row.pk for row in page.messages]
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
        """Return the address that looks through more than this page has."""
        return self.get_query_string({AFTER if self.is_upwards else BEFORE: self.page.goes_on})
