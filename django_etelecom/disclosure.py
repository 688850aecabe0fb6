"""All that is held about a number, as the person behind it may ask for.

Left out are the users who sent, who are persons of their own, and what says nothing to anybody:
keys, hashes, leases, and secret parameters that wait encrypted to be sent.
"""

from __future__ import annotations

import json
import uuid
from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Q
from django.utils import timezone

from . import turns
from .client.opaque import Opaque, shielded
from .models import Campaign, Consent, MessageEvent, MessageLog, MessageTemplate, Suppression
from .redaction import MASK
from .sealing import SealBroken
from .sheets import SheetRow
from .traces import BATCH, Traces
from .uploads import rows_waiting

TOLD_OF_MESSAGE = (
    "public_id",
    "template_code",
    "account",
    "recipient",
    "params",
    "channels",
    "requested_route",
    "status",
    "reason",
    "status_source",
    "provider_message_id",
    "provider_status",
    "provider_detail",
    "channel",
    "error_code",
    "network",
    "paid_messages",
    "attempts",
    "campaign_row",
    "metadata",
    "created_at",
    "send_at",
    "sent_at",
    "updated_at",
    "expires_at",
)
TOLD_OF_EVENT = (
    "source",
    "status",
    "reason",
    "http_status",
    "provider_status",
    "provider_detail",
    "channel",
    "error_code",
    "failure_detail",
    "payload",
    "created_at",
)
TOLD_OF_REPORT = (
    "provider_message_id",
    "status",
    "provider_status",
    "channel",
    "error_code",
    "network",
    "paid_messages",
    "payload",
    "created_at",
)
TOLD_OF_SUPPRESSION = ("reason", "scope", "note", "created_at")
TOLD_OF_CONSENT = ("source", "given_at", "withdrawn_at", "created_at")


def export_number(phone: str) -> Iterator[str]:
    """Return all that is held about a number as one JSON document, in pieces.

    However many messages there are, a few of them are in memory at a time, and the keys of all.
    Secret parameters are masked, as they are wherever messages are shown. What was stripped is
    found by no number any more.

    Args:
        phone: as a person typed it. It need not be one that may be sent to.

    Raises:
        InvalidMessage: under `phone`: this is no phone number.
        ImproperlyConfigured: `ENCRYPTION_KEYS` cannot be used.
    """
    return _document(Traces.of(phone))


def _document(traces: Traces) -> Iterator[str]:
    yield f'{{\n"number": {_json(traces.number)},\n"exported_at": {_json(timezone.now())}'
    parts: dict[str, Iterable[Any]] = {
        "suppressions": traces.listed(Suppression).values(*TOLD_OF_SUPPRESSION),
        "consents": traces.listed(Consent).values(*TOLD_OF_CONSENT),
        "recent_messages_for_limits": _turns(traces),
        "reports_without_a_message": (
            {name: getattr(report, name) for name in TOLD_OF_REPORT} for report in traces.reports()
        ),
        "rows_of_campaigns": _rows(traces),
        "messages": _messages(traces),
    }
    for name, members in parts.items():
        yield f',\n"{name}": ['
        separator = "\n"
        for member in members:
            yield separator + _json(member)
            separator = ",\n"
        yield "\n]"
    yield f',\n"rows_that_no_key_opens": {traces.unreadable}\n}}\n'


def _json(value: object) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)


def _turns(traces: Traces) -> Iterator[dict[str, Any]]:
    """Yield what limits know of the number."""
    for kept in traces.history.values_list("turns", flat=True):
        for turn in turns.read(kept):
            yield {
                "message": uuid.UUID(turn.message),
                "category": turn.category,
                "channels": list(turn.channels),
                "at": datetime.fromtimestamp(turn.at, UTC),
            }


def _messages(traces: Traces) -> Iterator[dict[str, Any]]:
    """Yield the messages, the oldest first, each with its events.

    No index has the messages of a number in this order, so that to look for the next ones would
    take longer with each batch. Their keys are kept instead, in eight bytes each.
    """
    keys = traces.messages.order_by("pk").values_list("pk", flat=True)
    pks = array("q", keys.iterator(chunk_size=BATCH))
    database = MessageLog.database()
    for start in range(0, len(pks), BATCH):
        batch = list(pks[start : start + BATCH])
        events: dict[int, list[dict[str, Any]]] = {}
        told = MessageEvent.objects.using(database).filter(message__in=batch).order_by("pk")
        for event in told.values("message_id", *TOLD_OF_EVENT):
            events.setdefault(event.pop("message_id"), []).append(event)
        # Not those that were erased meanwhile.
        messages = (
            traces.messages.filter(pk__in=batch)
            .order_by("pk")
            .values("pk", *TOLD_OF_MESSAGE, "campaign__public_id", "resend_of__public_id")
        )
        for message in messages:
            pk = message.pop("pk")
            message["campaign"] = message.pop("campaign__public_id")
            message["resend_of"] = message.pop("resend_of__public_id")
            yield {**message, "events": events.get(pk, [])}


def _rows(traces: Traces) -> Iterator[dict[str, Any]]:
    """Yield the rows of campaigns that were kept to be mended or are not loaded yet."""
    for campaign in traces.uploads():
        secrets = _secret_names(campaign)
        try:
            for waiting in rows_waiting(campaign):
                told = shielded(lambda: _told_of_waiting(traces, waiting, secrets))  # noqa: B023
                if told is not None:
                    yield {"campaign": campaign.public_id, **told}
        except SealBroken:
            traces.unreadable += 1
    for batch in traces.flagged_rows():
        for row, values in batch:
            secrets = _secret_names(row.campaign)
            yield {
                "campaign": row.campaign.public_id,
                "row": row.number,
                "values": shielded(lambda: _masked(values.reveal(), secrets)),  # noqa: B023
                "faults": row.faults,
            }


def _told_of_waiting(
    traces: Traces, waiting: Opaque[SheetRow], secrets: Collection[str]
) -> dict[str, Any] | None:
    row = waiting.reveal()
    if not traces.is_in(*row.values.values()):
        return None
    return {"row": row.number, "values": _masked(row.values, secrets)}


def _masked(values: Mapping[str, str], secrets: Collection[str]) -> dict[str, str]:
    return {name: MASK if name in secrets else value for name, value in values.items()}


def _secret_names(campaign: Campaign) -> set[str]:
    """Return the names under which a row of a campaign has secrets, and the columns of a sheet."""
    plan = MessageTemplate.objects.plan(Q(pk=campaign.template_id))
    names = plan.schema.secret_names if plan is not None else ()
    return {*names, *(campaign.columns[name] for name in names if name in campaign.columns)}
