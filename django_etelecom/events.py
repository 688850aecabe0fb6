"""The one door through which the provider's word changes a message.

Evidence folds: of all that was ever said the strongest stands, in whatever order it came, so a
replayed or late report cannot move a message backwards.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import BooleanField, Q, QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone

from .client.codes import channel_kind
from .client.protocol import SendResult
from .conf import settings
from .lifecycle import locked, requeue
from .models import InboxReport, MessageEvent, MessageLog
from .models.batches import insert_each, update_each
from .models.clock import DatabaseNow
from .models.messages import Reason, Source, Status
from .models.tallies import Standing, tally, tally_wait
from .phone import mask, significant
from .redaction import mask_text
from .signals import announce, has_receivers
from .stripping import STRIPPED_OF_EVENT

logger = logging.getLogger("django_etelecom")

STRENGTH = [
    Status.UNKNOWN,
    Status.REJECTED,
    Status.ACCEPTED,
    Status.UNDELIVERED,
    Status.DELIVERED,
]
"""From the weakest evidence to the strongest."""

NOT_IN_INBOX = (
    f"NOT EXISTS (SELECT 1 FROM {InboxReport._meta.db_table} WHERE provider_message_id = %s)"  # noqa: S608  # nosec B608  # a table's name
)
"""As `~Exists(…)`, whose compiling takes a tenth of a whole send."""

OPEN = [Status.UNKNOWN, Status.ACCEPTED, Status.UNDELIVERED]
"""What the provider may still say something else of."""


class SomeMoved(Exception):
    """Of a batch, some rows were not what they were any more; nothing of it was written."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One answer or report of the provider, or the lack of one: bounded text without secrets."""

    source: Source
    status: Status | None
    """Where it puts the message; None: it says nothing of it."""
    is_understood: bool = True
    """Whether the provider said so; an answer that nobody understands leaves a message unknown."""
    reason: Reason | str = ""
    provider_message_id: str = ""
    http_status: int | None = None
    provider_status: str = ""
    provider_detail: str = ""
    failure_detail: str = ""
    channel: str = ""
    error_code: str = ""
    network: str = ""
    paid_messages: int | None = None
    payload: str = ""
    received_at: datetime = dataclasses.field(default_factory=timezone.now)


def movable_to(status: Status) -> list[Status]:
    """Return the statuses that evidence of `status` moves a message on from."""
    if status is Status.NOT_SENT:
        # Only the sending process knows that nothing left; it may wake after its lease lapsed.
        return [Status.SENDING, Status.UNKNOWN]
    return [Status.SENDING, *STRENGTH[: STRENGTH.index(status)]]


def of_send(result: SendResult) -> Evidence:
    """Return what an attempt says.

    Args:
        result: what the backend said, its texts and payload already free of secrets.
    """
    return Evidence(
        source=Source.SEND,
        status=Status(result.outcome.value),
        # An answer that could not be understood says nothing of the message.
        is_understood=result.failure is None or result.http_status is None,
        reason=_reason(result.refusal or result.failure),
        provider_message_id=result.provider_message_id,
        http_status=result.http_status,
        provider_status=result.provider_status,
        provider_detail=result.provider_detail,
        failure_detail=result.failure_detail,
        payload=str(result.payload or ""),
    )


def storable_http_status(told: object) -> int | None:
    """Return what a backend gives as an HTTP status; None where it is none."""
    return told if isinstance(told, int) and 0 <= told <= 999 else None


def _reason(code: str | None) -> Reason | str:
    return Reason(code) if code else ""


def record_send(message: MessageLog, result: SendResult, *, can_be_asked: bool) -> bool:
    """Append what came of an attempt as an event, and fold it into the message.

    One transaction that begins with a write. The given instance shows the row afterwards.

    Args:
        message: the message that this process claimed.
        result: what the backend said, its texts and payload already free of secrets.
        can_be_asked: whether the backend can ask later what became of it.

    Returns:
        Whether a delivery report that was quicker than we are waits in the inbox.
    """
    evidence = of_send(result)
    status = Status(result.outcome.value)
    told = _told(evidence) | {"lease_expires_at": None}
    if message.sealed_params:
        told["sealed_params"] = ""
    unreported = Q()
    if result.provider_message_id:
        told["provider_message_id"] = result.provider_message_id
        unreported = Q(RawSQL(NOT_IN_INBOX, [result.provider_message_id], BooleanField()))  # noqa: S611  # nosec B611  # a constant
        if can_be_asked and status in OPEN:
            told["next_poll_at"] = _first_poll()
    row = MessageLog.objects.filter(pk=message.pk)
    waiting = False
    with transaction.atomic(using=MessageLog.database()):
        moved = _move(row.filter(unreported), message, status, told)
        if not moved:
            moved = waiting = _move(row, message, status, told)
        if not moved and _is_stripped(row):
            evidence = _bare(evidence)
        elif not moved and result.provider_message_id:
            # The message has come further without us; the id is still news.
            row.filter(provider_message_id="").update(
                provider_message_id=result.provider_message_id
            )
        event = _append(message, evidence)
    if moved:
        for name, value in told.items():
            setattr(message, name, value)
        message.forget_expressions()
        announce(message, status, event)
    else:
        message.refresh_from_db(using=MessageLog.database())
    _log(message, message.status, event)
    return waiting


def _move(
    row: QuerySet[MessageLog], message: MessageLog, status: Status, told: Mapping[str, Any]
) -> bool:
    """Set what an attempt tells, if it moves the message on to `status`; tell whether it does."""
    # Most likely it is what we made it, which is not counted, so that nothing else need be known.
    if row.filter(status=Status.SENDING).update(**told):
        was = Standing.of(message)._replace(status=Status.SENDING)
    else:
        now = locked(row).filter(status__in=movable_to(status)).first()
        if now is None or now.is_stripped or not row.update(**told):
            return False
        was = Standing.of(now)
    tally([(was, was._replace(status=status))])
    return True


def _first_poll() -> DatabaseNow | None:
    schedule = settings.poll_after
    return DatabaseNow(after=timedelta(seconds=schedule[0])) if schedule else None


def record_sends(results: Sequence[tuple[MessageLog, SendResult]], *, can_be_asked: bool) -> None:
    """Do what `record_send` does for many messages at once, in a few statements.

    Args:
        results: messages that this process claimed, each once, and what came of them.
        can_be_asked: as in `record_send`.

    Raises:
        SomeMoved: record them one by one.
    """
    database = MessageLog.database()
    told = [(message, of_send(result)) for message, result in results]
    first_poll = _first_poll() if can_be_asked else None
    by_poll: dict[DatabaseNow | None, list[dict[str, Any]]] = {}
    for message, evidence in told:
        is_askable = evidence.provider_message_id and evidence.status in OPEN
        row = {"id": message.pk, "provider_message_id": evidence.provider_message_id}
        by_poll.setdefault(first_poll if is_askable else None, []).append(row | _told(evidence))
    settled = {"lease_expires_at": None, "sealed_params": ""}
    with transaction.atomic(using=database):
        for next_poll, rows in by_poll.items():
            updated = update_each(
                MessageLog,
                rows,
                where={"status": Status.SENDING},
                also={**settled, "next_poll_at": next_poll},
                using=database,
            )
            if updated != len(rows):
                raise SomeMoved
        tally(
            (was := Standing.of(message), was._replace(status=evidence.status))
            for message, evidence in told
            if evidence.status
        )
        events = _append_all(told)
    for (message, evidence), event in zip(told, events, strict=True):
        vars(message).update(_told(evidence), **settled)
        message.provider_message_id = evidence.provider_message_id
        # The database has computed it: whoever reads it fetches it.
        vars(message).pop("next_poll_at", None)
        if event is not None:
            announce(message, message.status, event)
            _log(message, message.status, event)


def _append_all(told: Sequence[tuple[MessageLog, Evidence]]) -> list[MessageEvent | None]:
    """Append an event for each message; return those that a receiver or the log is to see."""
    database = MessageLog.database()
    if any(has_receivers(evidence.status or "", MessageLog) for _message, evidence in told):
        events = [_event(message, evidence) for message, evidence in told]
        MessageEvent.objects.using(database).bulk_create(events)
        return [*events]
    columns = [_columns(message, evidence) for message, evidence in told]
    insert_each(MessageEvent, columns, using=database)
    return [
        _event(message, evidence) if logger.isEnabledFor(_level(one["status"])) else None
        for (message, evidence), one in zip(told, columns, strict=True)
    ]


def record_requeued(message: MessageLog, result: SendResult) -> bool:
    """Append what came of an attempt of which nothing left, and queue the message for another.

    Returns:
        False: it has no other; nothing was written.
    """
    evidence = of_send(result)
    with transaction.atomic(using=MessageLog.database()):
        if not requeue(message):
            return False
        event = _append(message, evidence)
    message.refresh_from_db(using=MessageLog.database())
    _log(message, Status.QUEUED, event)
    return True


def record(
    message: MessageLog,
    evidence: Evidence,
    *,
    believed: bool = True,
    settled: Mapping[str, Any] | None = None,
) -> None:
    """Append what the provider said later as an event, and fold it into the message.

    One transaction that begins with a lock or a write. The given instance shows the row afterwards.

    Args:
        message: any stored message.
        evidence: what was said.
        believed: False: it is kept and moves nothing.
        settled: columns to set first, by which a worker ends its claim.
    """
    row = MessageLog.objects.filter(pk=message.pk)
    moved = False
    with transaction.atomic(using=MessageLog.database(), savepoint=False):
        told = dict(settled or {})
        for now in locked(row):
            if now.is_stripped:
                evidence = _bare(evidence)
            elif believed and evidence.status is not None:
                moved = now.status in movable_to(evidence.status)
                if moved or _says_again(now, evidence):
                    told |= _told_later(now, evidence)
                    _tally(now, evidence, evidence.status)
        if told:
            row.update(**told)
        event = _append(message, evidence)
    message.refresh_from_db(using=MessageLog.database())
    if moved and evidence.status is not None:
        announce(message, evidence.status, event)
        _log(message, evidence.status, event)


def _says_again(message: MessageLog, evidence: Evidence) -> bool:
    """Tell whether evidence says what is known already, perhaps with more about it.

    A report that nobody has confirmed does not take the place of an answer to our own question.
    """
    is_confirmed = evidence.source is not Source.WEBHOOK
    return message.status == evidence.status and (
        is_confirmed or message.status_source == Source.WEBHOOK
    )


def _tally(message: MessageLog, evidence: Evidence, status: Status) -> None:
    """Count a message, as it was, that evidence of `status` is about to change."""
    was = Standing.of(message)
    now = was._replace(
        status=status,
        channel=evidence.channel,
        network=evidence.network,
        paid_messages=evidence.paid_messages or 0,
    )
    tally([(was, now)])
    is_news = message.status != status
    if status is Status.DELIVERED and is_news and message.sent_at is not None:
        tally_wait(was.day, evidence.received_at - message.sent_at)


def has_next_channel(channels: Sequence[str], failed: str) -> bool:
    """Tell whether the provider may yet slide to a channel after the one that failed.

    Args:
        channels: the message's, in the order in which they are tried.
        failed: the provider's name of a channel; where it says nothing to us, there may be one.
    """
    kind = channel_kind(failed)
    if kind in channels:
        return channels.index(kind) < len(channels) - 1
    return len(channels) > 1


def _told(evidence: Evidence) -> dict[str, Any]:
    """Return the columns of a message that every evidence sets."""
    return {
        "status": evidence.status,
        "reason": evidence.reason,
        "status_source": evidence.source,
        "provider_status": evidence.provider_status,
        "provider_detail": evidence.provider_detail,
        "updated_at": evidence.received_at,
    }


def _told_later(message: MessageLog, evidence: Evidence) -> dict[str, Any]:
    """Return the columns that an answer or a report after the attempt's own sets."""
    told = _told(evidence) | {
        "channel": evidence.channel,
        "error_code": evidence.error_code,
        "network": evidence.network,
        "paid_messages": evidence.paid_messages,
    }
    has_ended = evidence.status is Status.DELIVERED or (
        evidence.status is Status.UNDELIVERED
        and not has_next_channel(message.channels, evidence.channel)
    )
    return told | {"next_poll_at": None} if has_ended else told


def _is_stripped(row: QuerySet[MessageLog]) -> bool:
    # Locked, so that who strips has done so, or passes over it.
    return any(message.is_stripped for message in locked(row))


def _bare(evidence: Evidence) -> Evidence:
    """Return evidence without what is personal: it comes to a message that was stripped."""
    return dataclasses.replace(evidence, **STRIPPED_OF_EVENT)


def _append(message: MessageLog, evidence: Evidence) -> MessageEvent:
    event = _event(message, evidence)
    event.save()
    return event


def _event(message: MessageLog, evidence: Evidence) -> MessageEvent:
    event = MessageEvent(**_columns(message, evidence))
    event.message = message
    return event


def _columns(message: MessageLog, evidence: Evidence) -> dict[str, Any]:
    return {
        "message_id": message.pk,
        "source": evidence.source,
        "status": (evidence.status if evidence.is_understood else None) or "",
        "reason": evidence.reason,
        "http_status": evidence.http_status,
        "provider_status": evidence.provider_status,
        "provider_detail": evidence.provider_detail,
        "failure_detail": evidence.failure_detail,
        "channel": evidence.channel,
        "error_code": evidence.error_code,
        "payload": evidence.payload,
        "created_at": evidence.received_at,
    }


def tell(status: Status, *, event_pk: int) -> None:
    """Signal and log a move that the database made by itself, if anybody listens.

    Args:
        status: the one that the message was moved to.
        event_pk: of what the provider said.
    """
    if not (has_receivers(status, MessageLog) or logger.isEnabledFor(_level(status))):
        return
    database = MessageLog.database()
    event = MessageEvent.objects.using(database).select_related("message").get(pk=event_pk)
    announce(event.message, status, event)
    _log(event.message, status, event)


def _level(status: str) -> int:
    return logging.INFO if status in (Status.ACCEPTED, Status.DELIVERED) else logging.WARNING


def _log(message: MessageLog, status: str, event: MessageEvent) -> None:
    level = _level(event.status)
    if not logger.isEnabledFor(level):
        return
    logger.log(
        level,
        "Message %s to %s by %s is %s%s.",
        message.public_id,
        mask(message.recipient),
        message.template_code,
        status,
        f" ({_detail(message, event)})" if level > logging.INFO else "",
    )


def _detail(message: MessageLog, event: MessageEvent) -> str:
    """Say why, for the log: no number in it."""
    words = (event.channel, event.error_code, event.failure_detail or event.provider_detail)
    detail = ", ".join(filter(None, words))
    shown = mask_text(detail, [message.recipient, significant(message.recipient)])
    return ": ".join(filter(None, (event.reason or event.source, shown)))
