"""What became of the messages of the last days, from sums that are kept as messages move.

However many messages there are, reading them costs the same.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Max, QuerySet, Sum
from django.utils import timezone

from .client.codes import channel_kind
from .models import DayTally, MessageLog, WaitTally
from .models.messages import Status
from .models.tallies import day_of, melt, time_of

MOVING_DAYS = 7
"""Days back of which messages still move in numbers, so that their tallies are melted down."""

MELT_AT = 200
"""Tallies of a day from which on a look is worth it whether they can be melted down."""

KIND = ("day", "account", "template_code", "channel", "network", "status")
WAIT_KIND = ("day", "bucket")


@dataclasses.dataclass(frozen=True, slots=True)
class Figures:
    """How many messages came to each end, and what they cost."""

    numbers: Mapping[str, int]
    """By status; those under way are not counted."""
    paid_messages: int

    def __add__(self, other: "Figures") -> "Figures":
        statuses = {*self.numbers, *other.numbers}
        return Figures(
            {status: self[status] + other[status] for status in statuses},
            self.paid_messages + other.paid_messages,
        )

    def __getitem__(self, status: str) -> int:
        return self.numbers.get(status, 0)

    @property
    def sent(self) -> int:
        """Those that the provider has taken, or may have."""
        return self.accepted + self.delivered + self.undelivered + self.unknown

    @property
    def accepted(self) -> int:
        return self[Status.ACCEPTED]

    @property
    def delivered(self) -> int:
        return self[Status.DELIVERED]

    @property
    def undelivered(self) -> int:
        return self[Status.UNDELIVERED]

    @property
    def rejected(self) -> int:
        return self[Status.REJECTED]

    @property
    def unknown(self) -> int:
        return self[Status.UNKNOWN]

    @property
    def not_sent(self) -> int:
        return self[Status.NOT_SENT]

    @property
    def cancelled(self) -> int:
        return self[Status.CANCELLED]

    @property
    def delivery_rate(self) -> float | None:
        """The part that was delivered of those of which the provider has told the end."""
        ended = self.delivered + self.undelivered
        return self.delivered / ended if ended else None


NONE = Figures({}, 0)


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """The messages of some days, by the day on which their last attempt began."""

    since: date
    until: date
    total: Figures
    by_day: dict[date, Figures]
    """Every day, the oldest first."""
    by_channel: dict[str, Figures]
    """By the number of `Channel`, else by the provider's own name; blank where it told none."""
    by_template: dict[str, Figures]
    """By the template's code; here and below the one with the most messages first."""
    by_network: dict[str, Figures]
    """By the provider's number; blank where it told none."""
    median: timedelta | None
    """Of the time from sending to the word of delivery, to about nine parts in a hundred."""
    p95: timedelta | None
    """The time that 95 of 100 did not exceed."""


def summarize(days: int) -> Summary:
    """Sum up the last days, today included.

    Args:
        days: how many, in the site's time zone.
    """
    until = day_of(timezone.now())
    since = until - timedelta(days=days - 1)
    tallies = DayTally.objects.filter(day__gte=since, day__lte=until).order_by()
    every_day = [since + timedelta(days=passed) for passed in range(days)]
    by_day = dict.fromkeys(every_day, NONE) | _figures(tallies, "day")
    waits = WaitTally.objects.filter(day__gte=since, day__lte=until).order_by()
    buckets = dict(waits.values_list("bucket").annotate(Sum("number")))
    return Summary(
        since=since,
        until=until,
        total=sum(by_day.values(), NONE),
        by_day=by_day,
        by_channel=_most_first(_figures(tallies, "channel", _channel)),
        by_template=_most_first(_figures(tallies, "template_code")),
        by_network=_most_first(_figures(tallies, "network")),
        median=_quantile(buckets, 0.5),
        p95=_quantile(buckets, 0.95),
    )


def _figures(
    tallies: QuerySet[DayTally], column: str, key: Callable[[Any], Any] = lambda value: value
) -> dict[Any, Figures]:
    sums = tallies.values_list(column, "status").annotate(Sum("number"), Sum("paid_messages"))
    figures: dict[Any, Figures] = {}
    for value, status, number, paid_messages in sums:
        # Messages that have left a status again, all of them, are nothing to tell of.
        if number:
            earlier = figures.get(key(value), NONE)
            figures[key(value)] = earlier + Figures({status: number}, paid_messages)
    return figures


def _channel(name: str) -> str:
    return channel_kind(name) or name


def _most_first(figures: dict[str, Figures]) -> dict[str, Figures]:
    return dict(sorted(figures.items(), key=lambda item: (-sum(item[1].numbers.values()), item[0])))


def _quantile(buckets: Mapping[int, int], part: float) -> timedelta | None:
    """Return the time that this part of the messages did not exceed."""
    wanted = math.ceil(part * sum(buckets.values()))
    for bucket in sorted(buckets):
        wanted -= buckets[bucket]
        if wanted <= 0 and buckets[bucket]:
            return time_of(bucket)
    return None


def upkeep() -> None:
    """Melt the tallies of each of the last days that has many down to one a kind."""
    database = MessageLog.database()
    since = day_of(timezone.now()) - timedelta(days=MOVING_DAYS)
    of_messages = DayTally.objects.using(database).filter(day__gte=since).order_by()
    _melt_days(of_messages, by=KIND, sums=("number", "paid_messages"))
    of_waits = WaitTally.objects.using(database).filter(day__gte=since).order_by()
    _melt_days(of_waits, by=WAIT_KIND, sums=("number",))


def _melt_days(tallies: QuerySet[Any], *, by: Sequence[str], sums: Sequence[str]) -> None:
    for day, number in list(tallies.values_list("day").annotate(Count("pk"))):
        of_day = tallies.filter(day=day)
        if number >= MELT_AT and number >= 2 * of_day.values(*by).distinct().count():
            newest = of_day.aggregate(Max("pk"))["pk__max"]
            while melt(of_day.filter(pk__lte=newest), by=by, sums=sums):
                pass
