"""How long messages are kept: what is past its retention is stripped, and in the end deleted.

What goes of a stripped message and what stays is told in `stripping.py`. The rows of a campaign
that were kept to be mended go as a whole.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.deletion import Collector
from django.db.models.functions import Coalesce
from django.utils import timezone

from . import reports
from .conf import CATEGORIES, settings
from .events import OPEN
from .models import Campaign, CampaignRow, MessageLog, ReportedMessage
from .models.clock import DatabaseNow
from .models.messages import Status
from .stripping import DEFAULT_BATCH, check_batch_size, rest, strip, taken

WINDOW = 10_000
"""Primary keys that are looked through by one query."""

OVERDUE_MARGIN = timedelta(days=1)
"""How much longer a question may be due than the whole schedule of `POLL_AFTER` takes."""


@dataclass(slots=True)
class Pruned:
    """What was done, or would be done, to messages that are past their retention."""

    deleted: Counter[str] = field(default_factory=Counter)
    """By category."""
    stripped: Counter[str] = field(default_factory=Counter)
    """By category."""
    not_ended: int = 0
    """Left as they are: they wait, are under way, or are still asked about."""
    held: int = 0
    """Due to be deleted and only stripped: another row points at them, such as their repeat."""
    rows: int = 0
    """Of campaigns, kept to be mended, that were deleted."""


@dataclass(frozen=True, slots=True)
class _Limits:
    """The instants before which a message has to have been sent, by its template's category."""

    strip: dict[str, datetime]
    """Also of categories that are deleted and never stripped: what is held is stripped then."""
    delete: dict[str, datetime]

    @classmethod
    def now(cls) -> "_Limits":
        now = timezone.now()
        retentions = {category: settings.retention(category) for category in CATEGORIES}
        return cls(
            strip={
                category: now - kept.personal
                for category, kept in retentions.items()
                if kept.personal
            },
            delete={
                category: now - kept.delete for category, kept in retentions.items() if kept.delete
            },
        )


@dataclass(slots=True)
class _Due:
    """What is due of a window: primary keys with their categories, and what is left."""

    delete: list[tuple[int, str]] = field(default_factory=list)
    strip: list[tuple[int, str]] = field(default_factory=list)
    not_ended: int = 0
    held: int = 0


def prune(
    *,
    dry_run: bool = False,
    batch_size: int = DEFAULT_BATCH,
    go_on: Callable[[Pruned], bool] | None = None,
) -> Pruned:
    """Strip and delete messages that are past the retention of their category (`RETENTION`).

    Only what has ended: nothing that waits, is under way, or is still asked about. A question that
    has been due for longer than `POLL_AFTER` goes on, and a day, is not asked any more. Days count
    from when a message was last sent, or put on record where it never was; no later report prolongs
    them. Each batch is a transaction of its own, which other processes may work beside.

    Args:
        dry_run: count and write nothing. What a message that is due holds counts as held.
        batch_size: messages of one transaction at most.
        go_on: called after each batch with what was done so far; False ends it.

    Returns:
        What was done, or would be done.

    Raises:
        ImproperlyConfigured: `RETENTION` or `POLL_AFTER` cannot be used.
        ValueError: `batch_size` is not from 1 to 10,000.
        RuntimeError: inside `atomic()`, which would hold all of it to the end.
    """
    check_batch_size(batch_size)
    limits = _Limits.now()
    pruned = Pruned()
    if not dry_run:
        # Nobody else does where no worker runs and nothing is sent.
        reports.empty_inbox()
    for _ in _batches(limits, pruned, batch_size=batch_size, dry_run=dry_run):
        if go_on is not None and not go_on(pruned):
            break
    return pruned


def _batches(limits: _Limits, pruned: Pruned, *, batch_size: int, dry_run: bool) -> Iterator[None]:
    """Walk through the messages, the oldest first; yields after each batch and each window."""
    for number in _drop_rows(limits, batch_size=batch_size, dry_run=dry_run):
        pruned.rows += number
        yield
    for window in _windows(limits):
        due = _due(window, limits)
        while due.delete:
            went = 0
            for batch in _cut(due.delete, batch_size):
                deleted = batch if dry_run else _delete(batch)
                pruned.deleted.update(category for _pk, category in deleted)
                went += len(deleted)
                yield
            if dry_run or not went or not due.held:
                break
            # What held others is gone: a message that was sent again goes after its repeat.
            due = _due(window, limits)
        for batch in _cut(due.strip, batch_size):
            stripped = batch if dry_run else _strip(batch)
            pruned.stripped.update(category for _pk, category in stripped)
            yield
        pruned.not_ended += due.not_ended
        pruned.held += due.held
        yield


def _cut(due: Sequence[tuple[int, str]], size: int) -> Iterator[Sequence[tuple[int, str]]]:
    return (due[start : start + size] for start in range(0, len(due), size))


# --- What is due ----------------------------------------------------------------------------------


def _windows(limits: _Limits) -> Iterator[QuerySet[MessageLog]]:
    """Yield the messages a range of primary keys at a time, up to those that are too young.

    No index has their age, and needs to: keys grow with `created_at`. A message with a wrong clock
    among them does not end it, only a whole window without an old one.
    """
    if not limits.strip:
        return
    youngest = max(limits.strip.values())
    rows = MessageLog.objects.using(MessageLog.database())
    keys = rows.order_by("pk").values_list("pk", flat=True)
    last = 0
    while (first := keys.filter(pk__gt=last).first()) is not None:
        last = first + WINDOW - 1
        window = rows.filter(pk__range=(first, last))
        if not window.filter(created_at__lt=youngest).exists():
            return
        yield window


def _due(window: QuerySet[MessageLog], limits: _Limits) -> _Due:
    rows = (
        window.annotate(since=Coalesce("sent_at", "created_at"))
        .filter(_is_past(limits.delete) | (_is_past(limits.strip) & ~Q(recipient="")))
        .annotate(has_ended=_has_ended(), is_held=_is_held())
        .order_by("pk")
        .values_list("pk", "template__category", "since", "recipient", "has_ended", "is_held")
    )
    due = _Due()
    for pk, category, since, recipient, has_ended, is_held in rows:
        is_to_go = category in limits.delete and since < limits.delete[category]
        if not has_ended:
            due.not_ended += 1
            continue
        if is_to_go and not is_held:
            due.delete.append((pk, category))
            continue
        due.held += is_to_go
        if recipient:
            due.strip.append((pk, category))
    return due


def _is_past(limits: dict[str, datetime]) -> Q:
    past = Q(pk__in=[])
    for category, limit in limits.items():
        past |= Q(template__category=category, since__lt=limit)
    return past


def _has_ended() -> Q:
    """Find what no process holds and nobody asks about any more."""
    reported = ReportedMessage.objects.filter(pk=OuterRef("pk"))
    # Of an account that is gone, or whose backend cannot be asked, a question stays due for ever.
    given_up = DatabaseNow(after=-_longest_overdue())
    is_free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=given_up)
    is_free &= Q(next_poll_at=None) | Q(next_poll_at__lt=given_up)
    # The worker is about to ask about it.
    is_to_be_asked = Q(Exists(reported), status__in=OPEN)
    return is_free & ~Q(status__in=[Status.QUEUED, Status.SENDING]) & ~is_to_be_asked


def _longest_overdue() -> timedelta:
    """Return for how long a question may be due and still be asked."""
    return timedelta(seconds=max(settings.poll_after, default=0)) + OVERDUE_MARGIN


def _is_held() -> Q:
    """Find what a row points at that must not lose it, of ours or of the site's own models."""
    held = Q(pk__in=[])
    for relation in MessageLog._meta.get_fields(include_hidden=True):
        if isinstance(relation, models.ManyToOneRel) and relation.on_delete in (
            models.PROTECT,
            models.RESTRICT,
        ):
            pointing = relation.related_model._base_manager.using(MessageLog.database())
            target = relation.get_related_field().attname
            named = {relation.field.attname: OuterRef(target)}
            held |= Q(Exists(pointing.filter(**named)))
    return held


# --- Rows of campaigns ----------------------------------------------------------------------------


def _drop_rows(limits: _Limits, *, batch_size: int, dry_run: bool) -> Iterator[int]:
    """Delete the rows of campaigns that have been waiting to be mended for too long.

    They hold what was uploaded, encrypted. Days count from when the campaign was made.
    """
    past = Q(pk__in=[])
    for category, limit in limits.strip.items():
        past |= Q(campaign__template__category=category, campaign__created_at__lt=limit)
    rows = CampaignRow.objects.using(Campaign.database()).filter(past).order_by("pk")
    if dry_run:
        yield rows.count()
        return
    while pks := list(rows.values_list("pk", flat=True)[:batch_size]):
        number, _by_model = CampaignRow.objects.using(rows.db).filter(pk__in=pks).delete()
        rest()
        yield number


# --- A batch --------------------------------------------------------------------------------------


def _delete(batch: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    with taken([pk for pk, _category in batch], _has_ended() & ~_is_held()) as held:
        database = MessageLog.database()
        rows = MessageLog.objects.using(database).filter(pk__in=held)
        deletion = _Deletion(using=database, origin=rows)
        deletion.collect(rows)
        deletion.delete()
    return _of(batch, held)


class _Deletion(Collector):
    """As `QuerySet.delete()`, in some statements a batch: the site's models may point here."""

    def related_objects(
        self, related_model: type[models.Model], related_fields: Any, objs: Any
    ) -> QuerySet[models.Model]:
        found = super().related_objects(related_model, related_fields, objs)
        # What was sent again is not among them. Asked about so many, of which most have none,
        # MariaDB would read the whole index for each batch.
        return found.none() if related_model is MessageLog else found


def _strip(batch: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    stripped = strip([pk for pk, _category in batch], _has_ended() & ~Q(recipient=""))
    return _of(batch, stripped)


def _of(batch: Sequence[tuple[int, str]], pks: set[int]) -> list[tuple[int, str]]:
    return [(pk, category) for pk, category in batch if pk in pks]
