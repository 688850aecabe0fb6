"""Where a phone number stands: all that is held about it, for who exports or erases it."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from django.db.models import Exists, OuterRef, Q, QuerySet

from . import phone
from .client.opaque import Opaque, shielded
from .exceptions import InvalidMessage
from .loading import values_of
from .models import (
    Campaign,
    CampaignPart,
    CampaignRow,
    Consent,
    InboxReport,
    MessageLog,
    NumberHistory,
    Suppression,
)
from .redaction import Secrets, mask_text
from .sealing import SealBroken, number_digests

Listed = TypeVar("Listed", Suppression, Consent)

BATCH = 500
"""Rows that are read at once."""

TELLING = 8
"""Digits by which a number is told from others in a text."""


_DIGIT = re.compile(r"\d")
_QUOTED = re.compile("“([^”]*)”")


class FlaggedRow(NamedTuple):
    """A row of a campaign that was kept to be mended."""

    row: CampaignRow
    values: Opaque[dict[str, str]]
    """What was uploaded, by name; it may hold secrets."""


class Traces:
    """Finds what is held about one number.

    What is sent to it is found by an index, and what is listed by its digests. Of what rests
    encrypted all is opened and looked into, a batch at a time. Messages to other numbers are not
    searched for it.
    """

    def __init__(self, number: str) -> None:
        """Make one.

        Args:
            number: in wire form.

        Raises:
            ImproperlyConfigured: `ENCRYPTION_KEYS` cannot be used.
        """
        self.number = number
        self.digits = phone.significant(number)
        self._telling = [one for one in phone.spellings(number) if len(one) >= TELLING]
        self._spellings = Secrets(self._telling)
        self._digests = number_digests(number)
        self._database = MessageLog.database()
        self.unreadable = 0
        """Rows and uploads that today's keys do not open, of those that were looked into."""

    @classmethod
    def of(cls, typed: object) -> Traces:
        """Return the traces of a number as a person typed it, which need not be allowed today.

        Raises:
            InvalidMessage: under `phone`: this is no phone number.
            ImproperlyConfigured: `ENCRYPTION_KEYS` cannot be used.
        """
        try:
            return cls(phone.recognize(typed))
        except InvalidMessage as error:
            raise InvalidMessage({"phone": error.messages}) from None

    @property
    def messages(self) -> QuerySet[MessageLog]:
        """Return the messages that were or are to be sent to it and are not stripped."""
        return MessageLog.objects.using(self._database).filter(recipient=self.number)

    def listed(self, model: type[Listed]) -> QuerySet[Listed]:
        """Return its suppressions or its consents."""
        # By the number as well, where no key of today's finds the digest.
        which = Q(number_digest__in=self._digests) | Q(recipient=self.number)
        return model._default_manager.using(self._database).filter(which)

    @property
    def history(self) -> QuerySet[NumberHistory]:
        """Return what limits know of it."""
        histories = NumberHistory.objects.using(self._database)
        return histories.filter(number_digest__in=self._digests)

    def without(self, text: str) -> str:
        """Return a text with the number masked, in whatever spelling it stands there."""
        return mask_text(text, self._spellings, may_be_cut=False)

    def is_in(self, *values: object) -> bool:
        """Tell whether one of the values that somebody gave has the number, spelled in digits."""
        # To look for all spellings takes fifty times as long, and there may be many rows.
        may_have_it = (text for text in map(str, values) if len(_DIGIT.findall(text)) >= TELLING)
        return any(self._is_typed(text) or self.without(text) != text for text in may_have_it)

    def _is_typed(self, text: str) -> bool:
        """Tell whether a text is the number as `phone` takes it: with any digits, and any gaps.

        In other text it is looked for with fewer of them.
        """
        digits = "".join(str(unicodedata.decimal(digit)) for digit in _DIGIT.findall(text))
        if not any(spelling in digits for spelling in self._telling):
            return False
        try:
            return phone.recognize(text) == self.number
        except InvalidMessage:
            return False

    def reports(self) -> list[InboxReport]:
        """Return the reports that wait for their message and have the number."""
        inbox = InboxReport.objects.using(self._database)
        return [
            report
            for report in inbox
            for told in [f"{report.payload} {report.provider_status}"]
            if self.without(told) != told
        ]

    def flagged_rows(self) -> Iterator[list[FlaggedRow]]:
        """Yield the rows that campaigns have kept and that have the number, a batch at a time."""
        rows = CampaignRow.objects.using(self._database).select_related("campaign").order_by("pk")
        last = 0
        while batch := list(rows.filter(pk__gt=last)[:BATCH]):
            last = batch[-1].pk
            yield [flagged for row in batch if (flagged := self._flagged(row)) is not None]

    def _flagged(self, row: CampaignRow) -> FlaggedRow | None:
        try:
            values = shielded(lambda: Opaque(values_of(row)))
        except SealBroken:
            self.unreadable += 1
            values = Opaque({})
        # A sentence about a fault quotes what is faulty, and may give a number as an example.
        quoted = _QUOTED.findall(" ".join(itertools.chain(*row.faults.values())))
        has_it = shielded(lambda: self.is_in(*quoted, *values.reveal(), *values.reveal().values()))
        return FlaggedRow(row, values) if has_it else None

    def uploads(self) -> list[Campaign]:
        """Return the campaigns of which rows are still to be loaded, whatever is in them."""
        campaigns = Campaign.objects.using(self._database).order_by("pk")
        has_parts = Exists(
            CampaignPart.objects.using(self._database).filter(campaign=OuterRef("pk"))
        )
        return list(campaigns.filter(has_parts | Q(status=Campaign.Status.LOADING)))

    def named(self) -> list[Campaign]:
        """Return the campaigns that staff have given a name with the number in it."""
        campaigns = Campaign.objects.using(self._database).exclude(name="").only("name")
        return [one for one in campaigns.iterator(chunk_size=BATCH) if self.is_in(one.name)]
