"""Reading messages by their keys, a stretch at a time, whatever the size of the table.

1. One condition leads: its index ends in the key, so that a stretch is read off it in order.
2. The others are asked of `WINDOW` messages of the leading one at a time. Where those are through
   before a stretch is full, it says so and where it stopped.
3. The messages of one phone number have no index in the order of keys. A few are read at once; the
   keys of up to `COUNTED` are read and sorted; a number that has more is one of the other
   conditions.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import BigAutoField, Case, F, Q, QuerySet, When

from ..models import MessageLog
from .asked import Asked

WINDOW = 10_000
"""Messages that are looked through at most before a stretch is given."""

COUNTED = 10_000
"""Messages that are counted at most."""

FEW = 50
"""Messages of a look-up that are read without asking how many there are."""

BEYOND = BigAutoField.MAX_BIGINT
"""A key that no message has."""


class Stretch(NamedTuple):
    """Messages that follow one another, newest first."""

    messages: list[Any]
    goes_on: int | None
    """The key to go on from; None: those were all in this direction."""
    is_cut: bool
    """Whether as many were looked through as is allowed before the stretch was full."""


class KeyWalk:
    """The messages that are asked for, in the order of their keys."""

    def __init__(self, messages: QuerySet[MessageLog], asked: Asked) -> None:
        self._messages = messages
        since = self._first_key(asked.since) if asked.since else 0
        until = self._first_key(asked.until) if asked.until else BEYOND
        self._span = Q(pk__gte=since, pk__lt=0 if asked.faults else until)
        self._leading = Q()
        self._order: list[Any] = [F("pk")]
        self._others = Q(**asked.others())
        self._keys: list[int] | None = None
        """Of all that is meant, newest first, where a look-up has found them."""
        self._at_hand: dict[int, MessageLog] = {}
        """Those messages, where they are few."""
        for name, value in asked.leading().items():
            # Not `status = 'delivered'`: planners take it for found everywhere alike, and look for
            # it through the whole table where it has not come up for long. Asked so, only the
            # index that begins with it gives the order.
            self._leading = Q((f"{name}__gte", value), (f"{name}__lte", value))
            self._order = [F(name), F("pk")]
        if asked.search:
            self._lead_by_search(asked.search.condition)

    def _lead_by_search(self, condition: Q) -> None:
        found = self._messages.filter(condition & self._span).order_by()
        meant = self._leading & self._others
        if not meant and len(few := list(found[: FEW + 1])) <= FEW:
            self._at_hand = {message.pk: message for message in few}
            self._keys = sorted(self._at_hand, reverse=True)
        elif found[: COUNTED + 1].count() <= COUNTED:
            keys = found.filter(meant).values_list("pk", flat=True)
            self._keys = sorted(keys, reverse=True)
        else:
            self._others &= condition

    def _first_key(self, instant: datetime) -> int:
        """Return the key of the first message since an instant: keys are given out as time goes."""
        later = self._messages.filter(created_at__gte=instant).order_by("created_at", "pk")
        return later.values_list("pk", flat=True).first() or BEYOND

    def older(self, before: int | None, most: int) -> Stretch:
        """Return the newest messages that are older than a key; None: the newest of all."""
        before = BEYOND if before is None else before
        if self._keys is not None:
            return self._stretch([key for key in self._keys if key < before], most)
        return self._read(Q(pk__lt=before), most, downwards=True)

    def newer(self, after: int, most: int) -> Stretch:
        """Return the oldest messages that are newer than a key, newest first."""
        if self._keys is not None:
            return self._stretch([key for key in reversed(self._keys) if key > after], most)
        return self._read(Q(pk__gt=after), most, downwards=False)

    def count(self) -> int | None:
        """Return how many there are, `COUNTED + 1` for more; None: it would take too long."""
        if self._keys is not None:
            return len(self._keys)
        if self._others:
            return None
        return self._in_order(Q(), downwards=True)[: COUNTED + 1].count()

    def _read(self, beyond: Q, most: int, *, downwards: bool) -> Stretch:
        found = self._in_order(beyond, downwards=downwards)
        # The keys first: what the index has is all that is read of what is not shown.
        stopped_at = None
        if self._others:
            meant = Case(When(self._others, then=True), default=False)
            seen = found.annotate(is_meant=meant).values_list("pk", "is_meant")
            looked_through = list(seen[:WINDOW])
            if len(looked_through) == WINDOW:
                stopped_at = looked_through[-1][0]
            keys = [key for key, is_meant in looked_through if is_meant]
        else:
            keys = list(found.values_list("pk", flat=True)[: most + 1])
        return self._stretch(keys, most, stopped_at)

    def _stretch(self, keys: list[int], most: int, stopped_at: int | None = None) -> Stretch:
        is_full = len(keys) > most
        # Not by the messages: some may have been deleted since.
        goes_on = keys[most - 1] if is_full else stopped_at
        shown = sorted(keys[:most], reverse=True)
        messages = (
            [self._at_hand[key] for key in shown]
            if self._at_hand
            else list(self._messages.filter(pk__in=shown).order_by("-pk"))
        )
        return Stretch(messages, goes_on, is_cut=goes_on is not None and not is_full)

    def _in_order(self, condition: Q, *, downwards: bool) -> QuerySet[MessageLog]:
        order = [key.desc() if downwards else key.asc() for key in self._order]
        return self._messages.filter(self._leading & self._span & condition).order_by(*order)
