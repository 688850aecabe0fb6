"""Which messages are meant: every condition that a list of them can be asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from .search import Search


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which messages are meant, and from which of them on a page shows them."""

    statuses: tuple[str, ...] = ()
    template: int | None = None
    campaign: int | None = None
    account: str = ""
    search: Search | None = None
    since: datetime | None = None
    """The beginning of the first day that is meant."""
    until: datetime | None = None
    """The end of the last one."""
    before: int | None = None
    """The key that the page's messages are older than."""
    after: int | None = None
    """The key that they are newer than, where `before` is not given."""
    faults: tuple[str, ...] = ()
    """Sentences about what a person typed and nothing can be found by."""

    def conditions(self) -> Q:
        """Return all of them in one."""
        search = self.search.condition if self.search else Q()
        return Q(**self.leading(), **self.others()) & search

    def leading(self) -> dict[str, Any]:
        """Return the narrowest of the conditions that have an index which ends in the key."""
        chosen = self._with_index()
        return dict(list(chosen.items())[:1])

    def others(self) -> dict[str, Any]:
        """Return the rest of them."""
        without_index = {
            "status__in": self.statuses if len(self.statuses) > 1 else None,
            "account": self.account or None,
        }
        return _given(dict(list(self._with_index().items())[1:]) | without_index)

    def _with_index(self) -> dict[str, Any]:
        return _given(
            {
                "campaign": self.campaign,
                "status": self.statuses[0] if len(self.statuses) == 1 else None,
                "template": self.template,
            }
        )


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
