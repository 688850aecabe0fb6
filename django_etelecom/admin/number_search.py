"""What the address of a list of numbers asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..exceptions import InvalidMessage
from ..finding.asked import Asked
from ..finding.search import Search
from ..numbers import read_number
from ..sealing import number_digests
from .asked import AFTER, BEFORE, PASSED_OVER, POPUP, SEARCH, read_key

NUMBER_SEARCHED = gettext_lazy("A whole phone number in any form. Parts of it are not searched.")


class Filter(NamedTuple):
    """A closed choice beside the list."""

    title: Any
    choices: Mapping[str, Any]
    """What each word of the address is called."""
    conditions: Mapping[str, dict[str, Any]]
    """What each asks of a row."""


@dataclass(frozen=True, kw_only=True)
class AskedOfNumbers(Asked):
    """Which listed numbers are meant, and from which of them on a page shows them."""

    conditions_of_filters: dict[str, Any] = field(default_factory=dict)

    def leading(self) -> dict[str, Any]:
        """Return none: no filter has an index."""
        return {}

    def others(self) -> dict[str, Any]:
        return self.conditions_of_filters


def read_number_address(address: Mapping[str, str], filters: Mapping[str, Filter]) -> Asked:
    """Return what an address asks for.

    Raises:
        SuspiciousOperation: it has a word that no page of ours writes, or a value that cannot be.
    """
    known = {*filters, SEARCH, BEFORE, AFTER, *POPUP, *PASSED_OVER}
    for name in address:
        if name not in known:
            raise SuspiciousOperation(f"This list cannot be asked for {name!r}.")
    conditions: dict[str, Any] = {}
    for name, one in filters.items():
        if word := address.get(name):
            if word not in one.conditions:
                raise SuspiciousOperation(f"There is no such {name}.")
            conditions |= one.conditions[word]
    faults: list[str] = []
    return AskedOfNumbers(
        conditions_of_filters=conditions,
        search=_search(address.get(SEARCH, "").replace("\x00", "").strip(), faults),
        before=read_key(address, BEFORE),
        after=read_key(address, AFTER),
        faults=tuple(faults),
    )


def _search(typed: str, faults: list[str]) -> Search | None:
    if not typed:
        return None
    try:
        number = read_number(typed)
        return Search(Q(number_digest__in=number_digests(number)), number)
    except InvalidMessage as error:
        faults += error.messages
    except ImproperlyConfigured as error:
        sentence = _("This site's settings do not allow a search: %(error)s")
        faults.append(sentence % {"error": error})
    return None
