"""What is personal about a message, and how it is erased.

To strip a message erases whom it went to, what it said and whatever the provider wrote about it.
What stays proves that something was sent, when, by whom and what became of it, and names nobody.

Of a message stay:
`id`, `public_id`, `resend_of`, `campaign`, `campaign_row`
    Our own names of it, which others may have written down.
`template`, `template_code`, `account`, `channels`, `requested_route`, `sent_by`
    What was sent, by which member of the staff; the same for everybody who got it.
`status`, `reason`, `status_source`, `channel`, `error_code`, `network`, `paid_messages`, `attempts`
    What became of it and what it cost, in codes.
`created_at`, `sent_at`, `updated_at`, `send_at`, `expires_at`
    When. None is set anew: stripping is nothing that happened to the message itself.
`idempotency_digest`, `content_digest`
    By which a late repeat of the caller's still finds this row, and sends nothing. Both are hashes;
    that of the content, keyed, goes where there is no key that it belongs to.

Of an event stay its `message`, `source`, `status`, `reason`, `http_status`, `channel`, `error_code`
and `created_at`.
"""

import contextlib
import time
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django.db import connections, transaction
from django.db.models import Case, F, Q, Value, When

from .lifecycle import locked
from .models import MessageEvent, MessageLog

DEFAULT_BATCH = 1000
"""Messages of one transaction, with all their events."""

MOST_IN_BATCH = 10_000
"""Messages that a transaction may be told to take."""

REST = 0.15
"""Seconds between two batches on SQLite, whose waiters look for the lock every tenth of one."""

STRIPPED_OF_MESSAGE: dict[str, Any] = {
    "recipient": "",
    "params": {},
    # Empty since it was dispatched; a row that a script has written may have it still.
    "sealed_params": "",
    # The caller's own, which we know nothing about.
    "metadata": {},
    # Whoever asks the provider by it is told the number and the parameters again.
    "provider_message_id": "",
    # Free text where it is none of the provider's table; where it is, `reason` says the same.
    "provider_status": "",
    "provider_detail": "",
    # Nobody asks about it any more.
    "next_poll_at": None,
    "lease_expires_at": None,
    "content_digest": Case(
        When(idempotency_digest=None, then=Value("")), default=F("content_digest")
    ),
}
STRIPPED_OF_EVENT: dict[str, Any] = {
    "provider_status": "",
    "provider_detail": "",
    "failure_detail": "",
    "payload": "",
}


CODES_OF_MESSAGE = ("channel", "error_code", "network")
CODES_OF_EVENT = ("channel", "error_code")
"""Columns that the provider fills, against its own table also with other text."""


def check_batch_size(number: object) -> None:
    """Refuse a number of rows that no transaction takes: of 0 there would never be an end.

    Raises:
        ValueError: it is none from 1 to `MOST_IN_BATCH`.
    """
    if not isinstance(number, int) or not 1 <= number <= MOST_IN_BATCH:
        raise ValueError(f"A batch is a whole number from 1 to {MOST_IN_BATCH}.")


def strip(pks: Collection[int], which: Q, *, digits: str = "") -> set[int]:
    """Strip those of some messages that are so and that nobody else holds; return their keys.

    Args:
        pks: the primary keys of the messages.
        which: what must be so of them.
        digits: what goes from the provider's codes as well, where it has put it there.
    """
    database = MessageLog.database()
    with taken(pks, which) as held:
        events = MessageEvent.objects.using(database).filter(message__in=held)
        events.update(**STRIPPED_OF_EVENT, **_without(digits, CODES_OF_EVENT))
        messages = MessageLog.objects.using(database).filter(pk__in=held)
        messages.update(**STRIPPED_OF_MESSAGE, **_without(digits, CODES_OF_MESSAGE))
    return held


def _without(digits: str, names: Sequence[str]) -> dict[str, Any]:
    return {
        name: Case(When(Q((f"{name}__contains", digits)), then=Value("")), default=F(name))
        for name in names
        if digits
    }


@contextlib.contextmanager
def taken(pks: Collection[int], which: Q) -> Iterator[set[int]]:
    """Hold, in one transaction, those of some messages that are so and that nobody else holds."""
    database = MessageLog.database()
    with transaction.atomic(using=database, durable=True):
        rows = MessageLog.objects.using(database).filter(which, pk__in=pks)
        yield set(locked(rows, skips=True).values_list("pk", flat=True))
    rest()


def rest() -> None:
    """Let others have SQLite's one lock, which goes to whoever asks at the right moment."""
    if not connections[MessageLog.database()].features.has_select_for_update:
        time.sleep(REST)
