"""The moves a message makes by our own doing: claim, cancel, expire, lapse.

Each is one conditional UPDATE, so that of two processes that want the same move one gets it. What
the provider says moves a message in `events.py` alone.
"""

import logging
from datetime import timedelta

from django.db.models import F, Q
from django.utils import timezone

from .conf import Account
from .models import MessageLog
from .models.clock import DatabaseNow
from .models.messages import Reason, Status
from .signals import announce, has_receivers

logger = logging.getLogger("django_etelecom")

LEASE_MARGIN = timedelta(seconds=60)
"""How much longer than its whole exchange a sending process may take before it counts as dead."""

BIRTH_LEASE = timedelta(minutes=15)
"""How long a message born inside a transaction waits for its own process to claim it."""

SWEEP_BATCH = 500


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


def cancel(message: MessageLog) -> bool:
    """Queued -> cancelled. False: it was not queued any more."""
    due = itself(message) & Q(status=Status.QUEUED)
    return _move(message.pk, due, to=Status.CANCELLED)


def expire(message: MessageLog) -> bool:
    """Queued and past its time -> not sent. False: it was something else."""
    due = itself(message) & Q(status=Status.QUEUED, expires_at__lte=DatabaseNow())
    return _move(message.pk, due, to=Status.NOT_SENT, reason=Reason.EXPIRED)


def sweep() -> int:
    """End what dead processes left behind; return how many messages moved.

    Claimed before the process died: it may have been sent, so `unknown`. Never claimed: nothing
    was sent, and its secrets are gone with the process, so `not_sent`.
    """
    lapsed = Q(lease_expires_at__lt=DatabaseNow())
    return _sweep(
        Q(status=Status.SENDING) & lapsed, to=Status.UNKNOWN, reason=Reason.LAPSED
    ) + _sweep(Q(status=Status.QUEUED) & lapsed, to=Status.NOT_SENT, reason=Reason.NEVER_CLAIMED)


def _sweep(due: Q, *, to: Status, reason: Reason) -> int:
    moved = 0
    # Not from a replica, which may not know yet what the last batch moved.
    rows = MessageLog.objects.using(MessageLog.database()).filter(due)
    while pks := list(rows.values_list("pk", flat=True)[:SWEEP_BATCH]):
        batch = sum(_move(pk, due, to=to, reason=reason) for pk in pks)
        moved += batch
        if not batch:
            # Another sweep is at the same rows.
            break
    return moved


def _move(pk: int, due: Q, *, to: Status, reason: Reason | str = "") -> bool:
    moved = MessageLog.objects.filter(due, pk=pk).update(
        status=to, reason=reason, lease_expires_at=None, updated_at=timezone.now()
    )
    if moved:
        # What needs a reason was not meant to happen.
        level = logging.WARNING if reason else logging.INFO
        logger.log(level, "Message %s is %s%s.", pk, to, f" ({reason})" if reason else "")
        _announce(pk, to)
    return bool(moved)


def _announce(pk: int, status: Status) -> None:
    if has_receivers(status, MessageLog):
        announce(MessageLog.objects.using(MessageLog.database()).get(pk=pk))
