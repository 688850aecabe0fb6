"""The moves a message makes by our own doing: claim, cancel, expire, lapse.

Each is one conditional UPDATE, so that of two processes that want the same move one gets it. What
the provider says moves a message in `events.py` alone.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta

from django.db import connections, transaction
from django.db.models import BooleanField, F, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from .conf import Account
from .models import AccountState, MessageLog
from .models.clock import DatabaseNow
from .models.messages import Reason, Status
from .signals import announce, has_receivers

logger = logging.getLogger("django_etelecom")

LEASE_MARGIN = timedelta(seconds=60)
"""How much longer than its whole exchange a sending process may take before it counts as dead."""

BIRTH_LEASE = timedelta(minutes=15)
"""How long a message born inside a transaction waits for its own process to claim it."""

SWEEP_BATCH = 500

RETRY_AFTER = (timedelta(seconds=5), timedelta(seconds=20), timedelta(minutes=1))
"""How long a queued message waits after each attempt of which nothing left, and after the rest."""


def lease(account: Account) -> timedelta:
    """Return how long a process that sends by `account` may hold a row."""
    return timedelta(seconds=account.connect_timeout + account.timeout) + LEASE_MARGIN


def itself(message: MessageLog) -> Q:
    """Find the message's own row: SQLite gives the key of a row that was rolled back to another."""
    return Q(pk=message.pk, public_id=message.public_id)


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
    f"NOT EXISTS (SELECT 1 FROM {AccountState._meta.db_table} "  # noqa: S608  # a table's name
    "WHERE alias = %s AND paused_at IS NOT NULL)"
)
"""As `~Exists(…)`, which takes longer to compile than to run."""


def due(account: Account, among: Sequence[int] | None = None) -> QuerySet[MessageLog]:
    """Return the queued messages of an account that a worker may take now, the oldest first.

    None while the account is paused.

    Args:
        account: whose messages.
        among: the primary keys to choose from; None: all.
    """
    is_alive = Q(expires_at=None) | Q(expires_at__gt=DatabaseNow())
    rows = MessageLog.objects.using(MessageLog.database())
    if among is not None:
        rows = rows.filter(pk__in=among)
    works = RawSQL(NOT_PAUSED, [account.alias], BooleanField())  # noqa: S611  # a constant
    return rows.filter(
        works, is_alive, status=Status.QUEUED, account=account.alias, send_at__lte=DatabaseNow()
    ).order_by("send_at", "pk")


def claim_due(
    account: Account, limit: int, *, among: Sequence[int] | None = None
) -> list[MessageLog]:
    """Take up to `limit` messages that are due for one attempt each: queued -> sending.

    Of several processes each gets others.

    Args:
        account: whose messages.
        limit: how many at most.
        among: as in `due`.
    """
    database = MessageLog.database()
    rows = due(account, among)
    now = timezone.now()
    with transaction.atomic(using=database):
        if not connections[database].features.has_select_for_update:
            # SQLite locks at the first write; a lock it has to raise from a read fails at once.
            MessageLog.objects.using(database).filter(pk=0).update(attempts=0)
        skips = connections[database].features.has_select_for_update_skip_locked
        found = rows.select_for_update(skip_locked=skips)[:limit]
        # MariaDB finds `Default` for `default`.
        messages = [message for message in found if message.account == account.alias]
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
    return messages


def renew(pks: Sequence[int], account: Account) -> None:
    """Hold claimed messages for another lease."""
    held = MessageLog.objects.filter(pk__in=pks, status=Status.SENDING)
    held.update(lease_expires_at=DatabaseNow(after=lease(account)))


def requeue(message: MessageLog) -> bool:
    """Let a queued message of whose attempt nothing left wait for another: sending -> queued.

    False: it would not be worth sending by then, or its lease had lapsed.
    """
    wait = DatabaseNow(after=RETRY_AFTER[min(message.attempts, len(RETRY_AFTER)) - 1])
    in_time = Q(expires_at=None) | Q(expires_at__gt=wait)
    moved = MessageLog.objects.filter(in_time, pk=message.pk, status=Status.SENDING).update(
        status=Status.QUEUED, send_at=wait, lease_expires_at=None, updated_at=timezone.now()
    )
    return bool(moved)


def give_back(pks: Sequence[int]) -> None:
    """Queue claimed messages again that this process has not begun to send: sending -> queued."""
    MessageLog.objects.filter(pk__in=pks, status=Status.SENDING).update(
        status=Status.QUEUED,
        attempts=F("attempts") - 1,
        sent_at=None,
        lease_expires_at=None,
        updated_at=timezone.now(),
    )


def give_up(message: MessageLog, reason: Reason) -> bool:
    """End a claimed message that cannot be sent, before anything of it was: sending -> not sent."""
    return _move(message.pk, Q(status=Status.SENDING), to=Status.NOT_SENT, reason=reason)


def cancel(message: MessageLog) -> bool:
    """Queued -> cancelled. False: it was not queued any more."""
    is_queued = itself(message) & Q(status=Status.QUEUED)
    return _move(message.pk, is_queued, to=Status.CANCELLED)


def expire(message: MessageLog) -> bool:
    """Queued and past its time -> not sent. False: it was something else."""
    is_late = itself(message) & Q(status=Status.QUEUED, expires_at__lte=DatabaseNow())
    return _move(message.pk, is_late, to=Status.NOT_SENT, reason=Reason.EXPIRED)


def sweep() -> int:
    """End what dead processes left behind; return how many messages moved.

    Claimed before the process died: it may have been sent, so `unknown`. Never claimed: nothing
    was sent, and its secrets are gone with the process, so `not_sent`.
    """
    lapsed = Q(lease_expires_at__lt=DatabaseNow())
    return _sweep(
        Q(status=Status.SENDING) & lapsed, to=Status.UNKNOWN, reason=Reason.LAPSED
    ) + _sweep(Q(status=Status.QUEUED) & lapsed, to=Status.NOT_SENT, reason=Reason.NEVER_CLAIMED)


def expire_due() -> int:
    """End queued messages that are not worth sending any more; return how many moved."""
    is_late = Q(expires_at__lte=DatabaseNow(), send_at__lte=DatabaseNow())
    return _sweep(Q(status=Status.QUEUED) & is_late, to=Status.NOT_SENT, reason=Reason.EXPIRED)


def _sweep(which: Q, *, to: Status, reason: Reason) -> int:
    moved = 0
    # Not from a replica, which may not know yet what the last batch moved.
    rows = MessageLog.objects.using(MessageLog.database()).filter(which)
    while pks := list(rows.values_list("pk", flat=True)[:SWEEP_BATCH]):
        batch = sum(_move(pk, which, to=to, reason=reason) for pk in pks)
        moved += batch
        if not batch:
            # Another sweep is at the same rows.
            break
    return moved


def _move(pk: int, which: Q, *, to: Status, reason: Reason | str = "") -> bool:
    moved = MessageLog.objects.filter(which, pk=pk).update(
        status=to,
        reason=reason,
        lease_expires_at=None,
        sealed_params="",
        updated_at=timezone.now(),
    )
    if moved:
        # What needs a reason was not meant to happen.
        level = logging.WARNING if reason else logging.INFO
        logger.log(level, "Message %s is %s%s.", pk, to, f" ({reason})" if reason else "")
        _announce(pk, to)
    return bool(moved)


def _announce(pk: int, status: Status) -> None:
    if has_receivers(status, MessageLog):
        announce(MessageLog.objects.using(MessageLog.database()).get(pk=pk), status)
