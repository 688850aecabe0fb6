"""Counting messages without counting the table: each move is told, and the sums are the counts."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils import timezone

from .batches import insert_each
from .campaigns import CampaignTally
from .messages import MessageLog, Status
from .summary import DayTally, WaitTally

Row = TypeVar("Row", bound=Model)

UNDER_WAY = frozenset({Status.QUEUED, Status.SENDING})
"""What is not counted by itself: it is the rest."""

BUCKETS_AN_OCTAVE = 8
"""Times to delivery are kept to about nine parts in a hundred."""

MELT_AT_ONCE = 5000
"""Rows that are melted in one transaction."""


class Standing(NamedTuple):
    """What a message counts as."""

    campaign_id: int | None
    day: date
    account: str
    template_code: str
    channel: str
    network: str
    status: str
    paid_messages: int

    @classmethod
    def of(cls, message: Any) -> Standing:
        """Return what a message counts as, given by its row or by the columns `COLUMNS` of it."""
        return cls(
            message.campaign_id,
            day_of(message.sent_at or message.created_at),
            message.account,
            message.template_code,
            message.channel,
            message.network,
            message.status,
            message.paid_messages or 0,
        )


COLUMNS = (
    "campaign_id",
    "sent_at",
    "created_at",
    "account",
    "template_code",
    "channel",
    "network",
    "status",
    "paid_messages",
)


def day_of(instant: datetime) -> date:
    """Return the day of an instant in the site's time zone, whatever this thread's is."""
    return timezone.localtime(instant, timezone.get_default_timezone()).date()


def tally(moves: Iterable[tuple[Standing, Standing]]) -> None:
    """Count messages that have moved. Belongs into the transaction that moves them.

    Args:
        moves: for each message what it was and what it is now.
    """
    numbers: Counter[Standing] = Counter()
    for before, after in moves:
        numbers[before] -= 1
        numbers[after] += 1
    counted = {
        standing: number
        for standing, number in numbers.items()
        if number and standing.status not in UNDER_WAY
    }
    database = MessageLog.database()
    of_campaigns: Counter[tuple[int, str]] = Counter()
    of_days: dict[Standing, int] = {}
    for standing, number in counted.items():
        if standing.campaign_id is not None:
            of_campaigns[standing.campaign_id, standing.status] += number
        of_day = standing._replace(campaign_id=None)
        of_days[of_day] = of_days.get(of_day, 0) + number
    insert_each(
        CampaignTally,
        [
            {"campaign_id": campaign_id, "status": status, "number": number}
            for (campaign_id, status), number in of_campaigns.items()
            if number
        ],
        using=database,
    )
    insert_each(
        DayTally,
        [_columns(standing, number) for standing, number in of_days.items() if number],
        using=database,
    )


def _columns(standing: Standing, number: int) -> dict[str, Any]:
    columns = standing._asdict()
    del columns["campaign_id"]
    return columns | {"number": number, "paid_messages": number * standing.paid_messages}


def tally_wait(day: date, wait: timedelta) -> None:
    """Count how long a message of a day took to be delivered."""
    insert_each(
        WaitTally,
        [{"day": day, "bucket": bucket_of(wait), "number": 1}],
        using=MessageLog.database(),
    )


def bucket_of(wait: timedelta) -> int:
    """Return the bucket that a time falls into; the first one is a second and less."""
    return math.floor(BUCKETS_AN_OCTAVE * math.log2(max(wait.total_seconds(), 1)))


def time_of(bucket: int) -> timedelta:
    """Return the time in the middle of a bucket."""
    return timedelta(seconds=2 ** ((bucket + 0.5) / BUCKETS_AN_OCTAVE))


def melt(tallies: QuerySet[Row], *, by: Sequence[str], sums: Sequence[str] = ("number",)) -> bool:
    """Melt some rows of tallies down to one for each kind.

    Args:
        tallies: some of one model.
        by: the columns that tell the kind.
        sums: the columns that are added up.

    Returns:
        Whether there may be more to melt.
    """

    def kind(row: Row) -> tuple[Any, ...]:
        return tuple(getattr(row, name) for name in by)

    rows = sorted(tallies.order_by("pk")[:MELT_AT_ONCE], key=kind)
    melted = []
    for columns, those in itertools.groupby(rows, key=kind):
        same = list(those)
        added = {name: sum(getattr(row, name) for row in same) for name in sums}
        if any(added.values()):
            melted.append(dict(zip(by, columns, strict=True)) | added)
    with transaction.atomic(using=tallies.db):
        # By the primary key alone: two workers that MariaDB leads to the same rows by different
        # indexes lock each other up.
        of_these = tallies.model._base_manager.using(tallies.db)
        deleted, _by_model = of_these.filter(pk__in=[row.pk for row in rows]).delete()
        if deleted != len(rows):
            # Another worker has just done it.
            transaction.set_rollback(True, using=tallies.db)
            return False
        insert_each(tallies.model, melted, using=tallies.db)
    return len(rows) == MELT_AT_ONCE
