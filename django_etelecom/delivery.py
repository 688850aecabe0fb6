"""The only place that sends: claim, one POST outside any transaction, record."""

import dataclasses
import logging
import time

from django.db import DatabaseError, InterfaceError, connections

from . import events, lifecycle
from .backends.base import BaseBackend, Outgoing
from .client.codes import Failure
from .client.opaque import Opaque, bare
from .client.protocol import Outcome, SendResult
from .models import MessageEvent, MessageLog
from .redaction import clean_text, mask_text, redact

logger = logging.getLogger("django_etelecom")

RECORD_PAUSES = (0.1, 0.4, 1.0, 2.0, 4.0)
"""Seconds between the tries to write an answer down while the database is away."""


def deliver(message: MessageLog, outgoing: Outgoing, backend: BaseBackend) -> None:
    """Claim a queued message, send it by `backend` and record what came of it.

    Does nothing but bring the instance up to date if the row is not to be sent any more: it was
    cancelled, it expired, its process was taken for dead, or it was rolled back with a savepoint.

    Raises:
        BaseException: as `send_claimed`.
    """
    if lifecycle.claim(message, backend.account):
        send_claimed(message, outgoing, backend)
    elif MessageLog.objects.using(MessageLog.database()).filter(lifecycle.itself(message)).exists():
        lifecycle.expire(message)
        message.refresh_from_db(using=MessageLog.database())


def send_claimed(message: MessageLog, outgoing: Outgoing, backend: BaseBackend) -> None:
    """Send a message whose committed row says `sending`, and record what came of it.

    Raises:
        BaseException: what told this process to stop while it was sending (SystemExit, a time
            limit), afresh, once the outcome has been recorded.
    """
    result = _attempt(outgoing, backend)
    _record(message, result)
    if result.interrupt is not None:
        raise result.interrupt


def _attempt(outgoing: Outgoing, backend: BaseBackend) -> SendResult:
    """Send once and return the result, its texts free of secrets. Never raises."""
    secrets = Opaque((*outgoing.wire.secrets, *backend.account.credentials.reveal()))
    try:
        return _redacted(backend.send_message(outgoing), secrets)
    # A backend is not meant to raise, nor to answer with anything but a sound result. If it does,
    # what it did before is not known; and its error may show what it was sending, so only the name
    # of its class goes on. What tells the process to stop is raised again when the outcome is on
    # record.
    except BaseException as error:  # noqa: BLE001
        stop = not isinstance(error, Exception)
        return SendResult(
            outcome=Outcome.UNKNOWN,
            failure=Failure.INTERRUPTED if stop else Failure.INTERNAL_ERROR,
            failure_detail=type(error).__name__,
            interrupt=bare(error) if stop else None,
        )


def _redacted(result: SendResult, secrets: Opaque[tuple[str, ...]]) -> SendResult:
    """Return the result in the form in which it may be stored: bounded text without secrets."""
    understood = result.failure is None
    return dataclasses.replace(
        result,
        outcome=Outcome(result.outcome),
        provider_message_id=clean_text(result.provider_message_id, 100),
        # A status of the provider's table is no echo, even where a PIN looks like it.
        provider_status=clean_text(
            result.provider_status
            if understood
            else mask_text(result.provider_status, secrets.reveal()),
            50,
        ),
        provider_detail=clean_text(mask_text(result.provider_detail, secrets.reveal()), 500),
        failure_detail=clean_text(mask_text(result.failure_detail, secrets.reveal()), 255),
        payload=redact(result.payload, secrets.reveal()),
    )


def _record(message: MessageLog, result: SendResult) -> None:
    """Record the result, waiting some seconds for a database that is away.

    The answer of the provider cannot be had twice: where it cannot be written it goes to the log
    at CRITICAL, and the row, still `sending`, lapses to `unknown`.
    """
    connection = connections[MessageLog.database()]
    failed = ""
    for pause in (0.0, *RECORD_PAUSES):
        time.sleep(pause)
        try:
            if failed and _is_recorded(message):
                message.refresh_from_db()
            else:
                events.record_send(message, result)
            return
        except (DatabaseError, InterfaceError) as error:
            failed = type(error).__name__
            if connection.in_atomic_block:
                break
            connection.close()
    logger.critical(
        "The outcome of message %s could not be recorded (%s): it was %s, the provider's id is %s.",
        message.public_id,
        failed,
        result.outcome,
        result.provider_message_id or "not known",
    )


def _is_recorded(message: MessageLog) -> bool:
    """Tell whether a try that seemed to fail did commit: an attempt leaves one event."""
    events = MessageEvent.objects.using(MessageLog.database())
    sends = events.filter(message=message, source=MessageEvent.Source.SEND)
    return sends.count() >= message.attempts
