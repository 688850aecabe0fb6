"""The one door through which the provider's word changes a message.

Evidence folds: of all that was ever said the strongest stands, in whatever order it came, so a
replayed or late report cannot move a message backwards.
"""

import logging
from typing import Any

from django.db import transaction
from django.utils import timezone

from .client.protocol import SendResult
from .models import MessageEvent, MessageLog
from .models.messages import Reason, Status
from .phone import mask, significant
from .redaction import mask_text

logger = logging.getLogger("django_etelecom")

STRENGTH = [
    Status.UNKNOWN,
    Status.REJECTED,
    Status.ACCEPTED,
    Status.UNDELIVERED,
    Status.DELIVERED,
]
"""From the weakest evidence to the strongest."""


def movable_to(status: Status) -> list[Status]:
    """Return the statuses that evidence of `status` moves a message on from."""
    if status is Status.NOT_SENT:
        # Only the sending process knows that nothing left; it may wake after its lease lapsed.
        return [Status.SENDING, Status.UNKNOWN]
    return [Status.SENDING, *STRENGTH[: STRENGTH.index(status)]]


def record_send(message: MessageLog, result: SendResult) -> None:
    """Append what came of an attempt as an event, and fold it into the message.

    One transaction that begins with a write. The given instance shows the row afterwards.

    Args:
        message: the message that this process claimed.
        result: what the backend said, its texts and payload already free of secrets.
    """
    status = Status(result.outcome.value)
    event = _event(message, result)
    told: dict[str, Any] = {
        "status": status,
        "reason": event.reason,
        "provider_status": event.provider_status,
        "provider_detail": event.provider_detail,
        "lease_expires_at": None,
        "updated_at": event.created_at,
    }
    if result.provider_message_id:
        told["provider_message_id"] = result.provider_message_id
    with transaction.atomic(using=MessageLog.database(), savepoint=False):
        row = MessageLog.objects.filter(pk=message.pk)
        moved = row.filter(status__in=movable_to(status)).update(**told)
        if not moved and result.provider_message_id:
            # A report was quicker than we were; the id is still news.
            row.filter(provider_message_id="").update(
                provider_message_id=result.provider_message_id
            )
        event.save(force_insert=True)
    if moved:
        for name, value in told.items():
            setattr(message, name, value)
    else:
        message.refresh_from_db(using=MessageLog.database())
    _log(message, event)


def _event(message: MessageLog, result: SendResult) -> MessageEvent:
    # An answer that could not be understood says nothing of the message.
    understood = result.failure is None or result.http_status is None
    reason = result.refusal or result.failure
    return MessageEvent(
        message=message,
        source=MessageEvent.Source.SEND,
        status=Status(result.outcome.value) if understood else "",
        reason=Reason(reason) if reason else "",
        http_status=result.http_status,
        provider_status=result.provider_status,
        provider_detail=result.provider_detail,
        failure_detail=result.failure_detail,
        payload=str(result.payload or ""),
        created_at=timezone.now(),
    )


def _log(message: MessageLog, event: MessageEvent) -> None:
    level = logging.INFO if event.status == Status.ACCEPTED else logging.WARNING
    logger.log(
        level,
        "Message %s to %s by %s is %s%s.",
        message.public_id,
        mask(message.recipient),
        message.template_code,
        message.status,
        f" ({event.reason}: {_detail(message, event)})" if event.reason else "",
    )


def _detail(message: MessageLog, event: MessageEvent) -> str:
    """Return the technical detail, else the provider's words, for the log: no number in them."""
    detail = event.failure_detail or event.provider_detail
    return mask_text(detail, [message.recipient, significant(message.recipient)])
