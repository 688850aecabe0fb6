"""The moves a message makes by our own doing: claim, cancel, expire, lapse, retry.

Each is one conditional UPDATE, so that of two processes that want the same move one gets it. What
the provider says moves a message in `events.py` alone.
"""

import logging
import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, TypeVar

from django.db import connections, transaction
from django.db.models import BooleanField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from . import guards, spending
from .conf import Account
from .models import AccountState, Campaign, MessageLog
from .models.clock import DatabaseNow
from .models.messages import Reason, Status
from .models.tallies import COLUMNS, Standing, tally
from .signals import announce, has_receivers

logger = logging.getLogger("django_etelecom")

LEASE_MARGIN = timedelta(seconds=60)
"""How much longer than its whole exchange a sending process may take before it counts as dead."""

BIRTH_LEASE = timedelta(minutes=15)
"""How long a message born inside a transaction waits for its own process to claim it."""

SWEEP_BATCH = 500

RETRY_AFTER = (timedelta(seconds=5), timedelta(seconds=20), timedelta(minutes=1))
"""How long a queued message waits after each attempt of which nothing left, and after the rest."""


Row = TypeVar("Row")


def lease(account: Account) -> timedelta:
    """Return how long a process that sends by `account` may hold a row."""
    return timedelta(seconds=account.connect_timeout + account.timeout) + LEASE_MARGIN


def itself(message: MessageLog) -> Q:
    """Find the message's own row: SQLite gives the key of a row that was rolled back to another."""
    return Q(pk=message.pk, public_id=message.public_id)


def locked(rows: QuerySet[MessageLog, Row], *, skips: bool = False) -> QuerySet[MessageLog, Row]:
    """Return messages to be read and changed by this transaction alone, which begins with it.

    Args:
        rows: which messages.
        skips: whether those that another transaction has locked are passed over, by a database
            that can.
    """
    database = MessageLog.database()
    features = connections[database].features
    if not features.has_select_for_update:
        # SQLite locks at the first write; a lock it has to raise from a read fails at once.
        MessageLog.objects.using(database).filter(pk=0).update(attempts=0)
    can_skip = features.has_select_for_update_skip_locked
    return rows.select_for_update(skip_locked=skips and can_skip)


def claim(message: MessageLog, account: Account) -> bool:
    """Take a queued message for one attempt: queued -> sending. False: it is not to be sent."""
    now = timezone.now()
    claimed = (
        MessageLog.objects.filter(itself(message), status=Status.QUEUED)
        .filter(Q(expires_at=None) | Q(expires_at__gt=DatabaseNow()))
        .update(
            status=Status.SENDING,
            attempts=F("attempts") + 1,
            sent_at=now,
            updated_at=now,
            lease_expires_at=DatabaseNow(after=lease(account)),
        )
    )
    if claimed:
        message.status = Status.SENDING
        message.attempts += 1
        message.sent_at = message.updated_at = now
    return bool(claimed)


NOT_PAUSED = (
    f"NOT EXISTS (SELECT 1 FROM {AccountState._meta.db_table} "  # noqa: S608  # nosec B608  # a table's name
    "WHERE alias = %s AND paused_at IS NOT NULL)"
)
"""As `~Exists(…)`, which takes longer to compile than to run."""


RUNS = (
    f"EXISTS (SELECT 1 FROM {Campaign._meta.db_table} "  # noqa: S608  # nosec B608  # a table's name
    f"WHERE id = %s AND status = '{Campaign.Status.RUNNING}')"
)


def count_due(account: Account, limit: int, *, among: Sequence[int] | None = None) -> int:
    """Return how many messages `claim_due` would find, at most `limit`."""
    found = 0
    for lane in _lanes(account):
        found += due(account, lane, among=among)[: limit - found].count()
        if found >= limit:
            break
    return found


class Claimed(NamedTuple):
    """Messages that were claimed at once."""

    messages: list[MessageLog]
    at: datetime
    """By the database's clock, which their expiry goes by."""


def claim_due(
    account: Account, limit: int, *, among: Sequence[int] | None = None
) -> Iterator[Claimed]:
    """Take up to `limit` messages that are due for one attempt each: queued -> sending.

    Of several processes each gets others. Messages of no campaign come before those of one, and
    the running campaigns have their turns at random. None while the account is paused.

    Args:
        account: whose messages.
        limit: how many at most.
        among: the primary keys to choose from; None: all.

    Yields:
        What was claimed, before anything else that may fail: nobody else knows of it.
    """
    left = spending.room(account, limit)
    for lane in _lanes(account):
        more = True
        while more and left > 0:
            claimed, late, held = _claim_due(account, lane, left, among)
            if claimed.messages:
                left -= len(claimed.messages)
                spending.note_sending(account, len(claimed.messages))
                yield claimed
            # What is not to go makes room for others; the worker ends most of what is late before
            # its turn.
            more = sum(map(expire, late)) + _stop(held) > 0
        if left <= 0:
            break


def _stop(held: guards.Held) -> int:
    """End what guards have stopped; return how many messages do not stand in the way any more."""
    for reason in set(held.stopped.values()):
        pks = [pk for pk, its in held.stopped.items() if its == reason]
        move_batch(Q(pk__in=pks, status=Status.QUEUED), to=Status.NOT_SENT, reason=reason)
    return len(held.stopped) + len(held.waiting)


def _lanes(account: Account) -> Iterator[int | None]:
    """Return the campaigns whose messages may go, by key; None: the messages of no campaign."""
    yield None
    campaigns = Campaign.objects.using(MessageLog.database()).order_by()
    running = campaigns.filter(status=Campaign.Status.RUNNING, account=account.alias)
    # What has expired is ended little by little.
    running = running.filter(Q(expires_at=None) | Q(expires_at__gt=DatabaseNow()))
    told = running.values_list(
        "pk", "template__category", "channels", "template__bars_zns_at_night"
    )
    # Not looked at one by one where none of them may go at this hour.
    lanes = [
        pk
        for pk, category, channels, bars_zns in told
        if guards.closed(category, channels, bars_zns=bars_zns) is None
    ]
    random.shuffle(lanes)
    yield from lanes


def due(
    account: Account, lane: int | None, *, among: Sequence[int] | None = None
) -> QuerySet[MessageLog]:
    """Return the queued messages that may go, in the order in which they do; none while paused.

    Args:
        account: whose messages.
        lane: the campaign whose messages, by key, if it runs; None: those of no campaign.
        among: the primary keys to choose from; None: all.
    """
    rows = MessageLog.objects.using(MessageLog.database())
    if among is not None:
        rows = rows.filter(pk__in=among)
    if lane is not None:
        rows = rows.filter(RawSQL(RUNS, [lane], BooleanField()))  # noqa: S611  # nosec B611  # a constant
    works = RawSQL(NOT_PAUSED, [account.alias], BooleanField())  # noqa: S611  # nosec B611  # a constant
    rows = rows.filter(
        works,
        campaign=lane,
        status=Status.QUEUED,
        account=account.alias,
        send_at__lte=DatabaseNow(),
    )
    # In the order that the index has, told as each database sees it: all that is due would be
    # sorted for each claim, and on MariaDB locked. PostgreSQL takes NULL for no constant.
    is_postgresql = connections[rows.db].vendor == "postgresql"
    return rows.order_by(*(["campaign_id"] if is_postgresql else []), "send_at")


def _claim_due(
    account: Account, lane: int | None, limit: int, among: Sequence[int] | None
) -> tuple[Claimed, list[MessageLog], guards.Held]:
    """Claim from one lane; return what was claimed, what has expired, and what guards hold."""
    database = MessageLog.database()
    is_late = ExpressionWrapper(Q(expires_at__lte=DatabaseNow()), BooleanField())
    rows = due(account, lane, among=among).annotate(is_late=is_late, at=DatabaseNow())
    now = timezone.now()
    with transaction.atomic(using=database):
        found = locked(rows, skips=True)[:limit]
        # MariaDB finds `Default` for `default`.
        ours = [message for message in found if message.account == account.alias]
        in_time: list[MessageLog] = [message for message in ours if not message.is_late]
        late: list[MessageLog] = [message for message in ours if message.is_late]
        held = guards.at_dispatch(in_time) if in_time else guards.Held()
        for opens in set(held.waiting.values()):
            pks = [pk for pk, its in held.waiting.items() if its == opens]
            MessageLog.objects.filter(pk__in=pks).update(send_at=opens, updated_at=now)
        messages = [message for message in in_time if message not in held]
        claimed = Claimed(messages, ours[0].at if ours else now)
        if not messages:
            return claimed, late, held
        for message in messages:
            message.status = Status.SENDING
            message.attempts += 1
            message.sent_at = message.updated_at = now
        MessageLog.objects.filter(pk__in=[message.pk for message in messages]).update(
            status=Status.SENDING,
            attempts=F("attempts") + 1,
            sent_at=now,
            updated_at=now,
            lease_expires_at=DatabaseNow(after=lease(account)),
        )
    return claimed, late, held


def renew(pks: Collection[int], account: Account) -> Collection[int]:
    """Hold claimed messages for another lease; return those that are held."""
    rows = MessageLog.objects.using(MessageLog.database())
    ours = rows.filter(pk__in=pks, status=Status.SENDING)
    if ours.update(lease_expires_at=DatabaseNow(after=lease(account))) == len(pks):
        return pks
    return set(ours.values_list("pk", flat=True))


def requeue(message: MessageLog) -> bool:
    """Let a queued message of whose attempt nothing left wait for another: sending -> queued.

    False: it would not be worth sending by then, or its lease had lapsed.
    """
    wait = DatabaseNow(after=RETRY_AFTER[min(message.attempts, len(RETRY_AFTER)) - 1])
    in_time = Q(expires_at=None) | Q(expires_at__gt=wait)
    moved = MessageLog.objects.filter(in_time, pk=message.pk, status=Status.SENDING).update(
        status=Status.QUEUED,
        send_at=wait,
        lease_expires_at=F("expires_at"),
        updated_at=timezone.now(),
    )
    return bool(moved)


def give_back(messages: Iterable[MessageLog]) -> None:
    """Queue claimed messages again that this process has not begun to send: sending -> queued.

    Those whose lease lapsed are left to be swept. May be called again where it seemed to fail:
    what has been queued by that, and claimed by another, is known by when it was claimed.
    """
    claims = {message.pk: message.sent_at for message in messages}
    ours = MessageLog.objects.filter(pk__in=claims, sent_at__in=set(claims.values()))
    ours.filter(status=Status.SENDING, lease_expires_at__gt=DatabaseNow()).update(
        status=Status.QUEUED,
        attempts=F("attempts") - 1,
        sent_at=None,
        lease_expires_at=F("expires_at"),
        updated_at=timezone.now(),
    )


def give_up(message: MessageLog, reason: Reason) -> bool:
    """End a claimed message that cannot be sent, before anything of it was: sending -> not sent."""
    is_ours = Q(status=Status.SENDING, sent_at=message.sent_at)
    return _move(message.pk, is_ours, to=Status.NOT_SENT, reason=reason)


def cancel(message: MessageLog) -> bool:
    """Queued -> cancelled. False: it was not queued any more."""
    is_queued = itself(message) & Q(status=Status.QUEUED)
    return _move(message.pk, is_queued, to=Status.CANCELLED)


def expire(message: MessageLog) -> bool:
    """Queued and past its time -> not sent. False: it was something else."""
    is_late = itself(message) & Q(status=Status.QUEUED, expires_at__lte=DatabaseNow())
    return _move(message.pk, is_late, to=Status.NOT_SENT, reason=Reason.EXPIRED)


def sweep() -> int:
    """End what dead processes left behind and what is not worth sending any more.

    Claimed before its process died: it may have been sent, so `unknown`. Never claimed: nothing
    was sent, so `not_sent`; the secrets of one that no worker was to send are gone with the
    process.

    Returns:
        How many messages moved.
    """
    lapsed = Q(lease_expires_at__lt=DatabaseNow())
    queued = lapsed & Q(status=Status.QUEUED)
    return (
        _sweep(lapsed & Q(status=Status.SENDING), to=Status.UNKNOWN, reason=Reason.LAPSED)
        + _sweep(queued & Q(send_at=None), to=Status.NOT_SENT, reason=Reason.NEVER_CLAIMED)
        + _sweep(queued & ~Q(send_at=None), to=Status.NOT_SENT, reason=Reason.EXPIRED)
    )


def _sweep(which: Q, *, to: Status, reason: Reason) -> int:
    moved = 0
    while batch := move_batch(which, to=to, reason=reason):
        moved += batch
    return moved


def move_batch(which: Q, *, to: Status, reason: Reason | str = "") -> int:
    """Move up to `SWEEP_BATCH` messages that are under way; return how many moved.

    Those that another transaction is at are left to it: to wait for it, in an order that an index
    gives, is how MariaDB comes to undo one of the two.

    Args:
        which: by what they are found, a status of those under way included.
        to: the status that they come to.
        reason: why.
    """
    database = MessageLog.database()
    # Not from a replica, which may not know yet what the last batch moved.
    rows = MessageLog.objects.using(database).filter(which).order_by()
    # Mostly there are none, and SQLite would lock all there is to find it out.
    if not rows.exists():
        return 0
    columns = rows.values_list("pk", *COLUMNS, named=True)
    with transaction.atomic(using=database):
        found = list(locked(columns, skips=True)[:SWEEP_BATCH])
        if found:
            _ended(Q(pk__in=[row.pk for row in found]), to=to, reason=reason)
            tally((was := Standing.of(row), was._replace(status=to)) for row in found)
    for row in found:
        _tell(row.pk, to, reason)
    return len(found)


def retry_batch(campaign_id: int, *, before: datetime) -> int:
    """Queue again up to `SWEEP_BATCH` messages of a campaign: not sent -> queued.

    Args:
        campaign_id: of the campaign, whose row the caller's transaction holds, and whose messages
            have no secrets.
        before: what came to `not_sent` later is left as it is.

    Returns:
        How many moved; 0: there are no more.
    """
    database = MessageLog.database()
    # What was stripped has no recipient any more.
    rows = MessageLog.objects.using(database).exclude(recipient="")
    not_sent = rows.filter(campaign=campaign_id, status=Status.NOT_SENT, updated_at__lt=before)
    columns = not_sent.values_list("pk", *COLUMNS, named=True)
    with transaction.atomic(using=database):
        # What another is at, such as to strip it, is left to it: it may wait for the campaign.
        found = list(locked(columns, skips=True)[:SWEEP_BATCH])
        if found:
            MessageLog.objects.using(database).filter(pk__in=[row.pk for row in found]).update(
                status=Status.QUEUED, reason="", send_at=DatabaseNow(), updated_at=timezone.now()
            )
            tally((was := Standing.of(row), was._replace(status=Status.QUEUED)) for row in found)
    return len(found)


def _move(pk: int, which: Q, *, to: Status, reason: Reason | str = "") -> bool:
    rows = MessageLog.objects.using(MessageLog.database()).filter(pk=pk)
    with transaction.atomic(using=MessageLog.database()):
        moved = _ended(Q(pk=pk) & which, to=to, reason=reason)
        if moved:
            now = Standing.of(rows.values_list(*COLUMNS, named=True).get())
            # What it was before is counted as the rest.
            tally([(now._replace(status=Status.QUEUED), now)])
    if moved:
        _tell(pk, to, reason)
    return bool(moved)


def _ended(which: Q, *, to: Status, reason: Reason | str) -> int:
    return MessageLog.objects.filter(which).update(
        status=to,
        reason=reason,
        lease_expires_at=None,
        sealed_params="",
        updated_at=timezone.now(),
    )


def _tell(pk: int, to: Status, reason: Reason | str) -> None:
    # What needs a reason was not meant to happen.
    level = logging.WARNING if reason else logging.INFO
    logger.log(level, "Message %s is %s%s.", pk, to, f" ({reason})" if reason else "")
    if has_receivers(to, MessageLog):
        announce(MessageLog.objects.using(MessageLog.database()).get(pk=pk), to)
