"""Reads the rows of a campaign: each becomes a queued message, or is kept with all its faults.

In constant memory, a chunk at a time, each chunk in a transaction of its own.
"""

import dataclasses
import itertools
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from .client.opaque import Opaque, shielded
from .drafts import Mold
from .exceptions import InvalidMessage
from .models import Campaign, CampaignRow, MessageLog
from .models.batches import insert_each
from .models.clock import DatabaseNow
from .queued import seal_secrets
from .redaction import MASK, clean_text, storable_text
from .sealing import seal, unseal
from .segments import segments

CHUNK = 1000
"""Rows that are written in one transaction."""

LEASE = timedelta(minutes=15)
"""How long after its last chunk a process that loads is taken for dead."""

PURPOSE = "row of a campaign"

LONGEST_VALUE = 10_000
"""Characters of a faulty row's value that are kept: as many as a cell of a sheet may have."""

LONGEST_NAME = 1000
"""Characters of the name of one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One row as it came."""

    number: int
    """As a person counts them."""
    values: Opaque[object]
    """A mapping: `to` and the parameters by name. It may hold secrets."""
    notices: tuple[str, ...] = ()
    """Sentences about it that stop nothing."""
    faults: tuple[str, ...] = ()
    """Sentences about it by which it cannot be sent."""


@dataclasses.dataclass(slots=True)
class Chunk:
    """What some rows have become."""

    messages: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    """What each has of its own."""
    flagged: list[CampaignRow] = dataclasses.field(default_factory=list)
    read: int = 0
    faulty: int = 0
    repeated: int = 0
    sms_parts: int = 0


def load(campaign: Campaign, rows: Iterable[Row], mold: Mold) -> bool:
    """Write the rows of a campaign that is `loading`.

    Args:
        campaign: to which they belong.
        rows: an iterable that is read once.
        mold: what they have in common.

    Returns:
        Whether all were written; False: it was cancelled meanwhile.
    """
    loader = Loader(campaign, mold, lease=LEASE)
    source = iter(rows)
    while (chunk := loader.read(itertools.islice(source, CHUNK))).read:
        if not loader.write(chunk):
            return False
    return True


class Loader:
    """Reads rows of a campaign into chunks, and writes those."""

    def __init__(self, campaign: Campaign, mold: Mold, *, lease: timedelta) -> None:
        """Make a loader.

        Args:
            campaign: to which the rows belong.
            mold: what they have in common.
            lease: for how long a chunk that was written keeps the campaign to this process.
        """
        self._campaign = campaign
        self._mold = mold
        self._lease = lease
        campaigns = Campaign.objects.using(Campaign.database()).filter(pk=campaign.pk)
        now = campaigns.values_list(DatabaseNow(), flat=True).get()
        self._send_at = campaign.send_at or now

    def read(self, rows: Iterator[Row]) -> Chunk:
        """Make messages of rows, and keep what cannot be one. Writes nothing."""
        chunk = Chunk()
        for row in rows:
            chunk.read += 1
            self._take(row, chunk)
        self._flag_repeats(chunk)
        return chunk

    def _take(self, row: Row, chunk: Chunk) -> None:
        faults: dict[str, list[str]] = {"row": list(row.faults)} if row.faults else {}
        try:
            recipient, wire = self._mold.cast(row.values)
        except InvalidMessage as error:
            faults |= error.message_dict
        if faults:
            chunk.faulty += 1
            chunk.flagged.append(self._flagged(row, faults))
            return
        if "3" in self._mold.channels:
            # Bound to no name, for it holds the secrets.
            chunk.sms_parts += segments(
                wire.render(self._mold.template.text, masked=False)
            ).messages
        public_id = uuid.uuid4()
        chunk.messages.append(
            {
                "public_id": public_id,
                "recipient": recipient,
                "params": wire.masked(),
                "sealed_params": seal_secrets(public_id, wire),
                "campaign_row": row.number,
            }
        )
        if row.notices:
            chunk.flagged.append(self._flagged(row, {"row": list(row.notices)}, is_queued=True))

    def _flag_repeats(self, chunk: Chunk) -> None:
        messages = MessageLog.objects.using(MessageLog.database())
        numbers = [message["recipient"] for message in chunk.messages]
        earlier = messages.filter(recipient__in=numbers, campaign=self._campaign)
        first_rows = dict(earlier.order_by("-pk").values_list("recipient", "campaign_row"))
        for message in chunk.messages:
            number = message["campaign_row"]
            first = first_rows.setdefault(message["recipient"], number)
            if first == number:
                continue
            chunk.repeated += 1
            sentence = _("Row %(row)d has this number as well.") % {"row": first}
            chunk.flagged.append(
                CampaignRow(
                    campaign=self._campaign,
                    number=number,
                    faults={"to": [sentence]},
                    is_queued=True,
                )
            )

    def _flagged(
        self, row: Row, faults: Mapping[str, list[str]], *, is_queued: bool = False
    ) -> CampaignRow:
        return CampaignRow(
            campaign=self._campaign,
            number=row.number,
            faults=faults,
            is_queued=is_queued,
            sealed_values="" if is_queued else shielded(lambda: self._sealed(row.values)),
        )

    def _sealed(self, values: Opaque[object]) -> str:
        """Seal what is to be mended; what is secret is masked, and given again by who mends it."""
        given = values.reveal()
        if not isinstance(given, Mapping):
            return ""
        secret = self._mold.template.schema.secret_names
        kept = {
            clean_text(name, LONGEST_NAME): MASK if name in secret and value else _kept(value)
            for name, value in given.items()
        }
        return seal(json.dumps(kept), purpose=PURPOSE)

    def _common(self) -> dict[str, Any]:
        campaign, mold = self._campaign, self._mold
        now = timezone.now()
        return {
            "template_id": mold.template.pk,
            "template_code": mold.template.code,
            "account": mold.template.account,
            "channels": list(mold.channels),
            "requested_route": mold.requested_route,
            "sent_by_id": campaign.sent_by_id,
            "campaign_id": campaign.pk,
            "created_at": now,
            "updated_at": now,
            "send_at": self._send_at,
        }

    def write(self, chunk: Chunk) -> bool:
        """Write a chunk; False: the campaign is not loading any more, and nothing was written."""
        database = Campaign.database()
        loading = Campaign.objects.filter(pk=self._campaign.pk, status=Campaign.Status.LOADING)
        # By the template as these rows were read: it may have got a secret since the first ones.
        has_secrets = {"has_secrets": True} if self._mold.template.schema.secret_names else {}
        with transaction.atomic(using=database):
            is_loading = loading.update(
                read_rows=F("read_rows") + chunk.read,
                queued_rows=F("queued_rows") + len(chunk.messages),
                faulty_rows=F("faulty_rows") + chunk.faulty,
                repeated_rows=F("repeated_rows") + chunk.repeated,
                sms_parts=F("sms_parts") + chunk.sms_parts,
                lease_expires_at=DatabaseNow(after=self._lease),
                **has_secrets,
            )
            if is_loading:
                insert_each(MessageLog, chunk.messages, also=self._common(), using=database)
                CampaignRow.objects.using(database).bulk_create(chunk.flagged)
        return bool(is_loading)


def _kept(value: object) -> str:
    # As it is: once it is mended it is uploaded again, and sent.
    if isinstance(value, str):
        return storable_text(value, LONGEST_VALUE)
    return clean_text(value, LONGEST_VALUE)


def values_of(row: CampaignRow) -> dict[str, str]:
    """Return what a faulty row held, as text, secrets masked.

    Raises:
        SealBroken: today's keys do not open it.
        ImproperlyConfigured: `ENCRYPTION_KEYS` cannot be used.
    """
    if not row.sealed_values:
        return {}
    values: dict[str, str] = shielded(
        lambda: json.loads(unseal(row.sealed_values, purpose=PURPOSE))
    )
    return values
