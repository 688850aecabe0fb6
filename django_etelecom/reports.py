"""What the provider says later: the answer to a question of ours, or a report of its own.

A report is a hint. It is kept as an event at once, and where `CONFIRM_REPORTS` is on the
worker asks about its message at once; only the answer moves the message. Reports belong to a
message by the provider's id alone.
"""

import dataclasses
import logging
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.db.models import Case, Exists, F, OuterRef, Q, When
from django.utils import timezone

from . import events
from .accounts import backend_for, secrets_of_provider
from .backends.base import BaseBackend
from .client.codes import Failure, ReportedStatus
from .client.interrupts import comes_from_outside
from .client.opaque import bare
from .client.status import Report, StatusResult
from .client.wire import MAX_STATUS
from .conf import settings
from .events import OPEN, Evidence, storable_http_status
from .lifecycle import lease
from .models import InboxReport, MessageEvent, MessageLog, ReportedMessage, functions
from .models.clock import DatabaseNow
from .models.messages import Reason, Source, Status
from .redaction import Secrets, clean_text, mask_text, redact
from .transactions import run_until_done

logger = logging.getLogger("django_etelecom")

INBOX_SIZE = 1000
"""Reports that wait for a message with their id; more are not kept."""

INBOX_AGE = timedelta(hours=1)
"""How long they wait; a message has its id a minute after its report at the latest."""

MAX_REPORTS = 50
"""Reports of one message that are kept; an honest provider sends a few."""

STATUS_BY_WORD = {
    ReportedStatus.SUCCESS: Status.DELIVERED,
    ReportedStatus.FAIL: Status.UNDELIVERED,
    ReportedStatus.PROCESSING: Status.ACCEPTED,
}

ENDS = [Status.DELIVERED, Status.UNDELIVERED]

REPORTED = [
    "provider_message_id",
    "provider_status",
    "channel",
    "error_code",
    "network",
    "paid_messages",
    "payload",
]
"""The columns that evidence and a report in the inbox have in common."""

MAX_NAMESAKES = 10
"""Messages of one id of the provider's that are told that they share it."""

BATCH = 500
"""Messages that are brought forward at once."""

CONCURRENT_POLLS = 8
"""Questions in flight at once; each may take its account's TIMEOUT."""

MOST_PAID = 100
"""Messages that one of ours may be said to have cost, which is more than any phone takes at once.

Larger figures stay in the event's payload alone: they would spend an account's cap by one report,
and the sum of three of them is more than a column takes, where the worker's upkeep would end.
"""


# --- Asking ---------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Poll:
    """A question that this process has taken on."""

    message: MessageLog
    backend: BaseBackend
    is_last: bool
    """Whether the schedule has no question after it."""


def due_polls(backends: Sequence[BaseBackend], limit: int) -> list[Poll]:
    """Take on questions that are due, the longest due first, so that no other process asks them.

    Args:
        backends: the `usable_backends`.
        limit: how many questions to take on at most.
    """
    by_alias = {backend.account.alias: backend for backend in backends}
    rows = (
        MessageLog.objects.using(MessageLog.database())
        .filter(_is_due(), account__in=list(by_alias))
        .order_by("next_poll_at")[:limit]
    )
    polls = []
    for message in rows:
        backend = by_alias.get(message.account)
        if backend is None:
            continue  # MariaDB finds `Default` for `default`.
        held = lease(backend.account)
        after = _next_poll_after(message)
        taken = MessageLog.objects.filter(_is_due(), pk=message.pk).update(
            lease_expires_at=DatabaseNow(after=held),
            # The last question is asked again where this process dies over it.
            next_poll_at=DatabaseNow(after=held if after is None else after),
        )
        if taken:
            polls.append(Poll(message, backend, is_last=after is None))
    return polls


def _is_due() -> Q:
    is_free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=DatabaseNow())
    return Q(next_poll_at__lte=DatabaseNow(), status__in=OPEN) & is_free


def _next_poll_after(message: MessageLog) -> timedelta | None:
    """Return how long from now the schedule has its next question; None: no more."""
    age = timezone.now() - (message.sent_at or message.created_at)
    later = (timedelta(seconds=seconds) - age for seconds in settings.poll_after)
    return next((after for after in later if after > timedelta(0)), None)


def ask(message: MessageLog, backend: BaseBackend) -> tuple[Evidence, BaseException | None]:
    """Ask once what became of a message. Touches no database, and never raises.

    Returns:
        What was answered, and what told this process to stop meanwhile.
    """
    try:
        result = backend.get_status(message.provider_message_id)
        return _of_answer(result, message, backend.secrets), result.interrupt
    # A backend is not meant to raise; its error may show credentials, so its name alone goes on.
    except BaseException as error:  # noqa: BLE001
        stop = comes_from_outside(error)
        failure = Failure.INTERRUPTED if stop else Failure.INTERNAL_ERROR
        evidence = Evidence(
            source=Source.POLL,
            status=None,
            reason=Reason(failure),
            failure_detail=type(error).__name__,
        )
        return evidence, bare(error) if stop else None


def _of_answer(result: StatusResult, message: MessageLog, secrets: Secrets) -> Evidence:
    report = result.report
    if report is not None and report.provider_message_id not in ("", message.provider_message_id):
        result = dataclasses.replace(
            result,
            report=None,
            failure=Failure.BAD_ANSWER,
            failure_detail="the answer is about another message",
        )
        report = None
    code = result.refusal or result.failure
    evidence = Evidence(
        source=Source.POLL,
        status=None,
        reason=Reason(code) if code else "",
        http_status=storable_http_status(result.http_status),
        provider_status=clean_text(mask_text(result.provider_status, secrets), 50),
        provider_detail=clean_text(mask_text(result.provider_detail, secrets), 500),
        failure_detail=clean_text(mask_text(result.failure_detail, secrets), 255),
        payload=redact(result.payload, secrets),
    )
    return evidence if report is None else dataclasses.replace(evidence, **_told(report, secrets))


def _told(report: Report, secrets: Secrets) -> dict[str, Any]:
    """Return what a report says, as fields of evidence, without secrets."""

    def words(text: str, limit: int) -> str:
        return clean_text(mask_text(text, secrets, may_be_cut=len(text) >= MAX_STATUS), limit)

    paid = report.paid_messages
    return {
        "status": STATUS_BY_WORD.get(report.status) if report.status else None,
        "provider_message_id": report.provider_message_id,
        "provider_status": words(report.provider_status, 50),
        "channel": words(report.channel, 50),
        "error_code": words(report.error_code, 50),
        "network": words(report.network, 20),
        "paid_messages": paid if paid is not None and 0 <= paid <= MOST_PAID else None,
    }


def refresh_many(messages: Iterable[MessageLog], *, patience: float) -> int:
    """Ask about several messages at once, and return how many were asked about.

    Args:
        messages: those that the provider gave no id, or whose account cannot be used, are left out.
        patience: seconds after which no further question is put.
    """
    by_alias = {backend.account.alias: backend for backend in usable_backends()}
    askable = [one for one in messages if one.provider_message_id and one.account in by_alias]
    ends_at = time.monotonic() + patience
    asked = 0
    with polling_threads() as threads:
        while askable and time.monotonic() < ends_at:
            batch, askable = askable[:CONCURRENT_POLLS], askable[CONCURRENT_POLLS:]
            answers = threads.map(lambda one: ask(one, by_alias[one.account]), batch)
            for message, (evidence, _interrupt) in zip(batch, answers, strict=True):
                record_answer(message, evidence)
            asked += len(batch)
    return asked


def usable_backends() -> list[BaseBackend]:
    """Return the backends of all accounts that work and can be asked."""
    backends = []
    for alias in settings.account_aliases:
        try:
            backends.append(backend_for(alias))
        except ImproperlyConfigured as error:
            logger.error("Nothing is asked by account '%s': %s", alias, error)
    return [backend for backend in backends if backend.can_be_asked]


def polling_threads() -> ThreadPoolExecutor:
    """Return the threads that questions travel in; they touch no database."""
    return ThreadPoolExecutor(CONCURRENT_POLLS, "etelecom-poll")


def record_answer(message: MessageLog, evidence: Evidence, *, settled: Poll | None = None) -> None:
    """Record the answer to a question; `settled` is the claim under which it was asked."""
    believed = True
    namesakes = _messages_of(message.provider_message_id)
    if not namesakes:
        # Stripped or deleted meanwhile: nothing personal comes back into it by the answer.
        return
    if evidence.status is not None and any(other.pk != message.pk for other in namesakes):
        believed = False
        evidence = _ambiguous(evidence)
    freed: dict[str, Any] = {}
    if settled is not None:
        # Brought forward meanwhile by a report, the next question is asked at once.
        over = When(next_poll_at__gt=DatabaseNow(), then=None)
        freed["lease_expires_at"] = None
        if settled.is_last or not believed:
            freed["next_poll_at"] = Case(over, default=F("next_poll_at"))
    events.record(message, evidence, believed=believed, settled=freed)


# --- Being told -----------------------------------------------------------------------------------


def keep(report: Report) -> bool:
    """Keep a delivery report that came by itself; whom it is about is found by its id.

    Returns:
        Whether it is in the database now. It is not where the inbox is full, or where a message has
        more reports than an honest provider sends; the status query finds what it said.
    """
    secrets = secrets_of_provider()
    payload = redact(report.payload, secrets)
    evidence = Evidence(source=Source.WEBHOOK, payload=payload, **_told(report, secrets))
    # The same report may come twice at once, and meets what the worker does by others.
    return run_until_done(lambda: _keep(evidence))


def _messages_of(provider_message_id: str) -> list[MessageLog]:
    rows = MessageLog.objects.using(MessageLog.database())
    found = rows.filter(provider_message_id=provider_message_id)[:MAX_NAMESAKES]
    # MariaDB finds `icomni1` for `ICOMNI1`.
    return [message for message in found if message.provider_message_id == provider_message_id]


def _keep(evidence: Evidence) -> bool:
    """Keep what is about one message by PostgreSQL's function, else step by step."""
    database = MessageLog.database()
    ends = evidence.status in ENDS
    confirms = settings.confirms_reports
    # What else a report may do to a message depends on the message.
    is_plain = confirms or evidence.status in (Status.DELIVERED, None)
    if is_plain and functions.has_functions(database):
        told = {name: getattr(evidence, name) for name in [*REPORTED, "received_at"]}
        told |= {
            # What an enumeration is to the database takes its driver a while to find out.
            "status": evidence.status.value if evidence.status else "",
            "max_reports": MAX_REPORTS,
            "to_be_asked": ends and confirms,
        }
        if ends and not confirms:
            told["movable"] = events.movable_to(Status.DELIVERED)
            told["zone"] = timezone.get_default_timezone_name()
        kept = functions.keep_report(database, told)
        if kept is not None and kept.has_moved:
            events.tell(Status.DELIVERED, event_pk=kept.event_pk)
        if kept is not None:
            return True
    return _keep_step_by_step(evidence)


def _keep_step_by_step(evidence: Evidence) -> bool:
    messages = _messages_of(evidence.provider_message_id)
    if not messages:
        return _keep_in_inbox(evidence)
    earlier = MessageEvent.objects.using(MessageLog.database()).filter(source=Source.WEBHOOK)
    for message in messages:
        if earlier.filter(message=message).count() >= MAX_REPORTS:
            logger.warning("Message %s has too many reports; one was dropped.", message.public_id)
            return False
    if len(messages) > 1:
        evidence = _ambiguous(evidence)
    believed = len(messages) == 1 and not settings.confirms_reports
    with transaction.atomic(using=MessageLog.database(), savepoint=False):
        for message in messages:
            events.record(message, evidence, believed=believed)
        if len(messages) == 1 and not believed and evidence.status in ENDS:
            reported = ReportedMessage(message=messages[0])
            ReportedMessage.objects.bulk_create([reported], ignore_conflicts=True)
    return True


def _ambiguous(evidence: Evidence) -> Evidence:
    return dataclasses.replace(evidence, is_understood=False, reason=Reason.AMBIGUOUS)


def _keep_in_inbox(evidence: Evidence) -> bool:
    inbox = InboxReport.objects.using(MessageLog.database())
    if inbox.count() >= INBOX_SIZE:
        logger.warning("The inbox of delivery reports is full; a report was dropped.")
        return False
    inbox.create(
        status=evidence.status or "",
        created_at=evidence.received_at,
        **{name: getattr(evidence, name) for name in REPORTED},
    )
    return True


def bring_forward() -> None:
    """Have those messages asked about at once of which a report says that they ended."""
    database = MessageLog.database()
    reported = ReportedMessage.objects.using(database)
    is_later = Q(next_poll_at=None) | Q(next_poll_at__gt=DatabaseNow())
    while pks := list(reported.values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic(using=database):
            # First, so that a report that comes meanwhile waits, and is told of anew.
            reported.filter(pk__in=pks).delete()
            # Of what was stripped meanwhile there is no id to ask by.
            askable = MessageLog.objects.filter(pk__in=pks, status__in=OPEN).exclude(recipient="")
            askable.filter(is_later).update(next_poll_at=DatabaseNow())


def match_inbox() -> int:
    """Give the reports that wait to the messages that have their ids by now; return how many.

    Reports that have waited too long are thrown away.
    """
    inbox = InboxReport.objects.using(MessageLog.database())
    namesakes = MessageLog.objects.filter(provider_message_id=OuterRef("provider_message_id"))
    matched = 0
    for report in inbox.filter(Exists(namesakes)).order_by("pk"):
        if not _messages_of(report.provider_message_id):
            continue
        with transaction.atomic(using=MessageLog.database()):
            # Of two processes that found it, one deletes it.
            taken, _by_model = inbox.filter(pk=report.pk).delete()
            if taken:
                _keep(_of_inbox(report))
        matched += taken
    empty_inbox()
    return matched


def empty_inbox() -> None:
    """Throw away the reports that have waited too long."""
    inbox = InboxReport.objects.using(MessageLog.database())
    inbox.filter(created_at__lt=DatabaseNow(after=-INBOX_AGE)).delete()


def _of_inbox(report: InboxReport) -> Evidence:
    return Evidence(
        source=Source.WEBHOOK,
        status=Status(report.status) if report.status else None,
        received_at=report.created_at,
        **{name: getattr(report, name) for name in REPORTED},
    )
