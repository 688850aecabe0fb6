"""Erases what is held about a number, when the person behind it asks for that.

Erased is what a message loses by stripping (`stripping.py`), at once and whether or not it was to
be asked about, and what else has the number: rows of campaigns that were kept to be mended, rows
of uploads that are not loaded yet, reports that wait for their message, what limits know of it. Of
suppressions and consents the number's keyed digest stays, so that it is still not sent to.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from . import lifecycle
from .client.opaque import shielded
from .models import (
    Campaign,
    CampaignPart,
    CampaignRow,
    Consent,
    InboxReport,
    MessageLog,
    Suppression,
)
from .models.messages import Status
from .numbers import Entry, suppress_all
from .sealing import SealBroken
from .stripping import DEFAULT_BATCH, check_batch_size, rest, strip
from .traces import Traces
from .uploads import drop_rows, rows_waiting
from .users import present_user_pk

HAS_LEFT = ~Q(status__in=[Status.QUEUED, Status.SENDING])
"""Messages that no process sends any more."""

ERASED = (Suppression.Reason.ERASED, Suppression.Scope.EVERYTHING)
"""Why a number that was erased is suppressed, and what it gets no more of."""

HELD_UP = 50
"""Tries to have messages that another process has locked, a tenth of a second apart."""


@dataclass(slots=True)
class Erased:
    """What was erased, or would be, and what is left."""

    messages: int = 0
    """Stripped, those that were cancelled included."""
    cancelled: int = 0
    """Messages that waited, and will not be sent."""
    rows: int = 0
    """Of campaigns: kept to be mended, or not loaded yet."""
    reports: int = 0
    """That waited for their message."""
    suppressions: int = 0
    """Of which the digest stays."""
    consents: int = 0
    """Withdrawn; the digest stays."""
    left: int = 0
    """Messages that are being sent, or held by another process."""
    being_loaded: int = 0
    """Campaigns whose rows are just being read or loaded, and may bring the number again."""
    unreadable: int = 0
    """Rows of campaigns, and uploads, that today's keys do not open."""
    was_ended: bool = False
    """Whether it was told to end before it was through."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left that a second run would erase."""
        return not (self.left or self.being_loaded or self.was_ended)


def erase_number(
    phone: str,
    *,
    suppress: bool = False,
    by: Any = None,
    dry_run: bool = False,
    batch_size: int = DEFAULT_BATCH,
    go_on: Callable[[Erased], bool] | None = None,
) -> Erased:
    """Erase what is held about a number, but for the proof that something was sent and when.

    Messages that wait are cancelled first. The others are stripped as retention does, at once:
    nobody asks any more what became of them. What is just being sent is left and told of: run it
    again. So it is after it was killed: it goes on where it was, and each batch is a transaction
    of its own, which other processes may work beside.

    Args:
        phone: as a person typed it. It need not be one that may be sent to.
        suppress: put its digest on the suppression list, so that nothing is sent to it any more.
        by: the user who erases, for the suppression list.
        dry_run: count and write nothing.
        batch_size: messages of one transaction at most.
        go_on: called after each batch with what was done so far; False ends it.

    Raises:
        InvalidMessage: under `phone`: this is no phone number; under `by`: no stored user.
        ImproperlyConfigured: `ENCRYPTION_KEYS` cannot be used.
        ValueError: `batch_size` is not from 1 to 10,000.
        RuntimeError: inside `atomic()`, which would hold all of it to the end.
    """
    check_batch_size(batch_size)
    by_pk = present_user_pk("by", by)
    traces = Traces.of(phone)
    erased = Erased()
    if dry_run:
        steps = _counted(traces, erased)
    else:
        steps = _erased(traces, erased, suppress=suppress, by_pk=by_pk, batch_size=batch_size)
    for _ in steps:
        if go_on is not None and not go_on(erased):
            erased.was_ended = True
            break
    left = traces.messages.filter(status=Status.SENDING) if dry_run else traces.messages
    erased.left = left.count()
    erased.unreadable += traces.unreadable
    return erased


def _erased(
    traces: Traces, erased: Erased, *, suppress: bool, by_pk: Any, batch_size: int
) -> Iterator[None]:
    """Erase step by step; yields after each batch."""
    # First, so that no guard lets anything new go.
    _take_off_lists(traces, erased)
    if suppress:
        suppress_all([Entry(traces.number, *ERASED)], by_pk=by_pk)
    yield
    # What a dead process has left behind would be left for ever where no worker runs.
    lifecycle.sweep()
    _rename_campaigns(traces)
    # Before the messages, which they may become.
    yield from _drop_rows_waiting(traces, erased)
    yield from _erase_messages(traces, erased, batch_size)
    for batch in traces.flagged_rows():
        pks = [flagged.row.pk for flagged in batch]
        if pks:
            CampaignRow.objects.using(Campaign.database()).filter(pk__in=pks).delete()
            erased.rows += len(pks)
            rest()
        yield
    erased.reports += _drop_reports(Q(pk__in=[report.pk for report in traces.reports()]))


def _take_off_lists(traces: Traces, erased: Erased) -> None:
    with transaction.atomic(using=MessageLog.database(), durable=True):
        suppressions = traces.listed(Suppression)
        erased.suppressions = suppressions.update(recipient="", note="")
        consents = traces.listed(Consent)
        for consent in consents:
            consents.filter(pk=consent.pk).update(source=traces.without(consent.source))
        # Who wants to be forgotten agrees to nothing any more.
        withdrawn_at = Coalesce(F("withdrawn_at"), Value(timezone.now()))
        erased.consents = consents.update(recipient="", withdrawn_at=withdrawn_at)
        traces.history.delete()


def _rename_campaigns(traces: Traces) -> None:
    for campaign in traces.named():
        itself = Campaign.objects.using(Campaign.database()).filter(pk=campaign.pk)
        itself.update(name=traces.without(campaign.name))


def _drop_rows_waiting(traces: Traces, erased: Erased) -> Iterator[None]:
    for campaign in traces.uploads():
        if campaign.status == Campaign.Status.CANCELLED:
            # Of no use to anybody; the worker has not come to them.
            CampaignPart.objects.using(Campaign.database()).filter(campaign=campaign).delete()
            continue
        try:
            dropped = drop_rows(campaign, lambda row: traces.is_in(*row.values.values()))
        except SealBroken:
            erased.unreadable += 1
            continue
        if dropped is None:
            erased.being_loaded += 1
        erased.rows += dropped or 0
        rest()
        yield


def _erase_messages(traces: Traces, erased: Erased, batch_size: int) -> Iterator[None]:
    """Cancel what waits and strip what has left, by the batch, until there is no more of either."""
    waits = Q(recipient=traces.number, status=Status.QUEUED)
    is_to_go = HAS_LEFT & Q(recipient=traces.number)
    held_up = 0
    while held_up < HELD_UP:
        cancelled = lifecycle.move_batch(waits, to=Status.CANCELLED)
        has_left = traces.messages.filter(HAS_LEFT).order_by()
        found = dict(has_left.values_list("pk", "provider_message_id")[:batch_size])
        # What another is at may wait again when it is done.
        if not (cancelled or found or traces.messages.filter(waits).exists()):
            return
        stripped = strip(found, is_to_go, digits=traces.digits)
        erased.cancelled += cancelled
        erased.messages += len(stripped)
        # What was told of them and has not come to them yet.
        ids = {found[pk] for pk in stripped} - {""}
        erased.reports += _drop_reports(Q(provider_message_id__in=ids))
        held_up = 0 if cancelled or stripped else held_up + 1
        if held_up:
            time.sleep(0.1)
        yield


def _drop_reports(which: Q) -> int:
    deleted, _by_model = InboxReport.objects.using(MessageLog.database()).filter(which).delete()
    return deleted


def _counted(traces: Traces, erased: Erased) -> Iterator[None]:
    erased.messages = traces.messages.exclude(status=Status.SENDING).count()
    erased.cancelled = traces.messages.filter(status=Status.QUEUED).count()
    erased.suppressions = traces.listed(Suppression).count()
    erased.consents = traces.listed(Consent).count()
    erased.reports = len(traces.reports())
    yield
    for campaign in traces.uploads():
        is_held = campaign.status == Campaign.Status.LOADING and not campaign.sheet_columns
        erased.being_loaded += is_held
        try:
            for row in rows_waiting(campaign):
                erased.rows += shielded(lambda: traces.is_in(*row.reveal().values.values()))  # noqa: B023
        except SealBroken:
            erased.unreadable += 1
        yield
    for batch in traces.flagged_rows():
        erased.rows += len(batch)
        yield
