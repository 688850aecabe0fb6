"""The only place that sends: claim, one POST outside any transaction, record."""

import dataclasses
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from django.db import DatabaseError, InterfaceError, connections

from . import events, lifecycle, pace, reports
from .backends.base import BaseBackend, Outgoing
from .client.codes import Failure
from .client.interrupts import comes_from_outside, finished
from .client.opaque import bare
from .client.protocol import Outcome, SendResult
from .models import MessageEvent, MessageLog
from .redaction import Secrets, clean_text, mask_text, redact

logger = logging.getLogger("django_etelecom")

RECORD_PAUSES = (0.1, 0.4, 1.0, 2.0, 4.0)
"""Seconds between the tries to write an answer down while the database is away."""


def deliver_at_commit(message: MessageLog, outgoing: Outgoing, backend: BaseBackend) -> None:
    """Do what `deliver` does, once the caller's transaction has committed.

    Raises:
        BaseException: as `send_claimed`.
    """
    try:
        deliver(message, outgoing, backend)
    except Exception as error:
        # A robust hook of Django's would swallow a time limit, and the task run on to its hard end.
        # Raised, it keeps the hooks behind this one from running, the caller's among them: what
        # tells this process to stop is meant to stop it, and they would hardly come to their end.
        if _tells_to_stop(error):
            raise
        # The caller's work is committed by now, and no fault of ours may undo its answer.
        logger.exception("Message %s could not be sent at the commit.", message.public_id)


def _tells_to_stop(error: Exception) -> bool:
    # The database's errors are Django's by the time that they come here.
    ours = type(error).__module__.split(".")[0] in {"django", "django_etelecom"}
    return not ours and comes_from_outside(error)


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
    result = attempt(lambda: backend.send_message(outgoing), outgoing, backend)
    interrupt = _record(message, result, backend) or result.interrupt
    try:
        pace.judge_refusals(backend.account, [result])
    # The message is on record, and the next refusal pauses the account as well.
    except (DatabaseError, InterfaceError):
        logger.exception("Account '%s' could not be paused.", backend.account.alias)
    if interrupt is not None:
        raise interrupt


def attempt(send: Callable[[], SendResult], outgoing: Outgoing, backend: BaseBackend) -> SendResult:
    """Send once; return the result, its texts free of secrets. No database, and never raises.

    Args:
        send: sends the message, or has sent it and gives what came of it.
        outgoing: the message.
        backend: by which.
    """
    secrets = backend.secrets + outgoing.wire.secrets
    try:
        result = send()
    # A backend is not meant to raise. If it does, what it did before is not known; and its error
    # may show what it was sending, so only the name of its class goes on. What tells the process
    # to stop is raised again when the outcome is on record.
    except BaseException as error:  # noqa: BLE001
        return _unknown(error, stop=not isinstance(error, Exception))
    try:
        redacted, interrupt = finished(lambda: _redacted(result, secrets))
    # Nor is it meant to answer with anything but a sound result.
    except BaseException as error:  # noqa: BLE001
        return _unknown(error, stop=comes_from_outside(error))
    return dataclasses.replace(redacted, interrupt=interrupt) if interrupt else redacted


def record_all(
    results: Sequence[tuple[MessageLog, SendResult]], backend: BaseBackend
) -> BaseException | None:
    """Record what came of queued messages, all of one account's, in as few statements as can be.

    A message of which nothing left is queued for another attempt where it is worth it by then.

    Returns:
        What told this process to stop meanwhile.

    Raises:
        BaseException: as `_record`.
    """
    interrupt: BaseException | None = None
    failed = ""
    final = [(message, result) for message, result in results if not _may_try_again(result)]
    one_by_one = deque((message, result) for message, result in results if _may_try_again(result))
    try:
        if final:
            events.record_sends(final, can_be_asked=backend.can_be_asked)
    # What is away is waited for below; what moved meanwhile is looked at one by one.
    except (DatabaseError, InterfaceError, events.SomeMoved) as error:
        failed = type(error).__name__
    except BaseException as error:
        failed = type(error).__name__
        if not comes_from_outside(error):
            _tell_all_unrecorded(results, failed)
            raise
        interrupt = bare(error)
    if failed:
        logger.warning("Answers are recorded one by one (%s).", failed)
        one_by_one += final
    ends_at = time.monotonic() + sum(RECORD_PAUSES)
    try:
        while one_by_one:
            message, result = one_by_one.popleft()
            told_to_stop = _record(message, result, backend, failed=failed, ends_at=ends_at)
            interrupt = told_to_stop or interrupt
    except BaseException as error:
        _tell_all_unrecorded(one_by_one, type(error).__name__)
        raise
    return interrupt


def _may_try_again(result: SendResult) -> bool:
    return result.outcome is Outcome.NOT_SENT


def _unknown(error: BaseException, *, stop: bool) -> SendResult:
    return SendResult(
        outcome=Outcome.UNKNOWN,
        failure=Failure.INTERRUPTED if stop else Failure.INTERNAL_ERROR,
        failure_detail=type(error).__name__,
        interrupt=bare(error) if stop else None,
    )


def _redacted(result: SendResult, secrets: Secrets) -> SendResult:
    """Return the result in the form in which it may be stored: bounded text without secrets."""
    understood = result.failure is None
    return dataclasses.replace(
        result,
        outcome=Outcome(result.outcome),
        http_status=events.storable_http_status(result.http_status),
        provider_message_id=clean_text(result.provider_message_id, 100),
        # A status of the provider's table is no echo, even where a PIN looks like it.
        provider_status=clean_text(
            result.provider_status if understood else mask_text(result.provider_status, secrets),
            50,
        ),
        provider_detail=clean_text(mask_text(result.provider_detail, secrets), 500),
        failure_detail=clean_text(mask_text(result.failure_detail, secrets), 255),
        payload=redact(result.payload, secrets),
    )


def _record(
    message: MessageLog,
    result: SendResult,
    backend: BaseBackend,
    *,
    failed: str = "",
    ends_at: float = math.inf,
) -> BaseException | None:
    """Record the result; return what told this process to stop meanwhile.

    Args:
        message: what was sent.
        result: what came of it.
        backend: by which.
        failed: what went wrong in a try before this one, which may have been committed.
        ends_at: when, by the monotonic clock, to wait no more.

    Waits some seconds for a database that is away. The answer of the provider cannot be had twice:
    where it cannot be written it goes to the log at CRITICAL, and the row, still `sending`, lapses
    to `unknown`.

    Raises:
        BaseException: what is neither the database's doing nor from outside, or the second time
            that this process was told to stop.
    """
    connection = connections[MessageLog.database()]
    interrupt: BaseException | None = None
    for pause in (0.0, *RECORD_PAUSES):
        if pause and time.monotonic() > ends_at:
            break
        try:
            time.sleep(pause)
            if failed and _is_recorded(message):
                message.refresh_from_db(using=connection.alias)
            elif _is_queued_again(message, result):
                pass
            elif events.record_send(message, result, can_be_asked=backend.can_be_asked):
                reports.match_inbox()
                message.refresh_from_db(using=connection.alias)
            return interrupt
        except (DatabaseError, InterfaceError) as error:
            failed = type(error).__name__
            if connection.in_atomic_block:
                break
            connection.close()
        except BaseException as error:
            failed = type(error).__name__
            if interrupt is not None or not comes_from_outside(error):
                _tell_unrecorded(message, result, failed)
                raise
            interrupt = bare(error)
    _tell_unrecorded(message, result, failed)
    return interrupt


def _is_queued_again(message: MessageLog, result: SendResult) -> bool:
    is_for_a_worker = message.send_at is not None
    return is_for_a_worker and _may_try_again(result) and events.record_requeued(message, result)


def _tell_unrecorded(message: MessageLog, result: SendResult, failed: str) -> None:
    logger.critical(
        "The outcome of message %s could not be recorded (%s): it was %s, the provider's id is %s.",
        message.public_id,
        failed,
        result.outcome,
        result.provider_message_id or "not known",
    )


def _tell_all_unrecorded(results: Iterable[tuple[MessageLog, SendResult]], failed: str) -> None:
    for message, result in results:
        _tell_unrecorded(message, result, failed)


def _is_recorded(message: MessageLog) -> bool:
    """Tell whether a try that seemed to fail did commit: an attempt leaves one event."""
    events = MessageEvent.objects.using(MessageLog.database())
    sends = events.filter(message=message, source=MessageEvent.Source.SEND)
    return sends.count() >= message.attempts
