"""What an account has spent and sent, told closely enough to bound it.

No row is counted up that callers' transactions would wait for: what is in the tables is read now
and then, and what this process has let through since is added.
"""

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Hashable
from datetime import date, datetime, timedelta
from typing import Any

from django.core.signals import setting_changed
from django.db.models import Subquery, Sum
from django.utils import timezone

from .conf import Account
from .guard_rules import Limit
from .models import DayTally, MessageLog, MessageTemplate
from .models.messages import Status
from .models.tallies import day_of

logger = logging.getLogger("django_etelecom")

FRESH_FOR = 5.0
"""Seconds for which a process goes by what it has read; so long others' messages go unseen."""

WARNS_AT = 0.8
"""Of a cap, from which on operators are warned."""

PAID = (Status.ACCEPTED, Status.DELIVERED, Status.UNKNOWN)
"""What costs a message at least, whether or not the provider has said how many."""


@dataclasses.dataclass(frozen=True, slots=True)
class Spending:
    """What an account may spend in a period, and has."""

    cap: int
    """Paid messages."""
    spent: int
    period: str
    """`day` or `month`."""
    ends_at: datetime
    """When the next one begins."""

    @property
    def left(self) -> int:
        return max(0, self.cap - self.spent)

    @property
    def is_near(self) -> bool:
        """Whether it is time to warn."""
        return self.spent >= WARNS_AT * self.cap


@dataclasses.dataclass(slots=True)
class _Reading:
    value: int
    read_at: float
    since: int = 0


_readings: dict[tuple[Hashable, ...], _Reading] = {}
_warned: set[tuple[Hashable, ...]] = set()
_lock = threading.Lock()


def spendings(account: Account) -> list[Spending]:
    """Return how an account stands to each of its caps; none where it has none."""
    today = day_of(timezone.now())
    next_month = (today.replace(day=1) + timedelta(days=32)).replace(day=1)
    found = []
    for period, cap, since, until in (
        ("day", account.max_paid_per_day, today, today + timedelta(days=1)),
        ("month", account.max_paid_per_month, today.replace(day=1), next_month),
    ):
        if cap is not None:
            key = ("spent", account.alias, period, since)
            spent = _about(key, lambda since=since: _spent(account.alias, since))  # type: ignore[misc]
            found.append(Spending(cap, spent, period, _midnight(until)))
    for spending in found:
        _warn(account, spending)
    return found


def room(account: Account, limit: int) -> int:
    """Return how many of `limit` messages the caps of an account let through."""
    return min([limit, *(spending.left for spending in spendings(account))])


def over_budget(account: Account, category: str, budget: Limit) -> bool:
    """Tell whether an account has had its budget of single messages of a category."""
    key = ("sent", account.alias, category, budget.seconds)
    sent = _about(key, lambda: _sent(account.alias, category, budget))
    return sent >= budget.number


def note_sending(account: Account, number: int) -> None:
    """Take note of messages that this process is about to send."""
    _note("spent", account.alias, number)


def note_single(account: Account, category: str) -> None:
    """Take note of a message that is no campaign's and that this process lets through."""
    _note("sent", account.alias, 1, category)


def _note(matter: str, alias: str, number: int, *kind: Hashable) -> None:
    with _lock:
        for key, reading in _readings.items():
            if key[: 2 + len(kind)] == (matter, alias, *kind):
                reading.since += number


def forget(**_: Any) -> None:
    """Forget what was read."""
    with _lock:
        _readings.clear()
        _warned.clear()


def _about(key: tuple[Hashable, ...], read: Callable[[], int]) -> int:
    now = time.monotonic()
    with _lock:
        reading = _readings.get(key)
        noted = reading.since if reading else 0
    if reading is None or now - reading.read_at > FRESH_FOR:
        value = read()
        with _lock:
            # What other threads have let through meanwhile was perhaps not there to be read.
            meanwhile = reading.since - noted if reading else 0
            reading = _readings[key] = _Reading(value, now, meanwhile)
    return reading.value + reading.since


def _spent(alias: str, since: date) -> int:
    rows = DayTally.objects.using(MessageLog.database()).filter(account=alias, day__gte=since)
    kinds = rows.values_list("day", "template_code", "channel", "network", "status").order_by()
    spent = _under_way(alias)
    for *_kind, status, number, paid in kinds.annotate(Sum("number"), Sum("paid_messages")):
        spent += max(number, paid) if status in PAID else paid
    return spent


def _under_way(alias: str) -> int:
    """Count the messages that are being sent, or are at their transaction's commit: each may cost.

    Those that wait for a worker are let through when it claims them.
    """
    messages = MessageLog.objects.using(MessageLog.database()).filter(account=alias).order_by()
    at_commit = messages.filter(status=Status.QUEUED, campaign=None, send_at=None)
    return messages.filter(status=Status.SENDING).count() + at_commit.count()


def _sent(alias: str, category: str, budget: Limit) -> int:
    database = MessageLog.database()
    templates = MessageTemplate.objects.using(database).filter(account=alias, category=category)
    messages = MessageLog.objects.using(database).order_by()
    since = timezone.now() - timedelta(seconds=budget.seconds)
    # Both by an index: where the period begins, and the templates' messages from there on.
    first = messages.filter(created_at__gte=since).order_by("created_at").values("pk")[:1]
    of_them = messages.filter(
        template__in=templates.order_by().values("pk"),
        pk__gte=Subquery(first),
        campaign=None,
    )
    return of_them[: budget.number].count()


def _midnight(day: date) -> datetime:
    return timezone.make_aware(
        datetime.combine(day, datetime.min.time()), timezone.get_default_timezone()
    )


def _warn(account: Account, spending: Spending) -> None:
    key = (account.alias, spending.period, spending.ends_at)
    if not spending.is_near or key in _warned:
        return
    with _lock:
        _warned.add(key)
    logger.warning(
        "Account '%s' has spent %d of the %d paid messages that a %s may cost.",
        account.alias,
        spending.spent,
        spending.cap,
        spending.period,
    )


setting_changed.connect(forget, dispatch_uid="django_etelecom.spending")
