"""A message for those who may not see its number, whatever text the number stands in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from . import phone
from .models import MessageEvent, MessageLog
from .redaction import MASK, Secrets, mask_text

ROWS_TEXTS = (
    "provider_message_id",
    "provider_status",
    "provider_detail",
    "channel",
    "error_code",
    "network",
)
EVENTS_TEXTS = ("provider_status", "channel", "error_code")
EVENTS_LONG_TEXTS = ("provider_detail", "failure_detail", "payload")
"""Those that may have been cut off in the middle of the number."""

MOST_STEPS = 10
"""Messages that are gone back to from one that repeats another, which may repeat another."""


class Cover:
    """Masks phone numbers in every spelling, and leaves every other text as it is."""

    def __init__(self, *numbers: str) -> None:
        """Make one.

        Args:
            numbers: in wire form, a message's own first. "" is one that nobody knows any more:
                then whatever may be a number is masked.
        """
        known = filter(None, dict.fromkeys(numbers))
        self._numbers = [(Secrets(phone.spellings(one)), phone.mask(one)) for one in known]
        self._mask = phone.mask(numbers[0])
        self._are_all_known = "" not in numbers

    def text(self, text: str, *, may_be_cut: bool = False) -> str:
        for spellings, mask in self._numbers:
            masked = mask_text(text, spellings, may_be_cut=may_be_cut)
            # Nothing but the mask would be read as a secret.
            text = mask if masked == MASK != text else masked
        return text if self._are_all_known else phone.mask_within(text)

    def value(self, value: Any) -> Any:
        """Return a JSON value with the number masked in its keys and members."""
        if isinstance(value, dict):
            return {self.text(name): self.value(member) for name, member in value.items()}
        if isinstance(value, list):
            return [self.value(member) for member in value]
        masked = self.text(str(value))
        return value if masked == str(value) else masked

    def lay_on(self, message: MessageLog) -> None:
        """Mask the number in the row as it is held here; such a row is only to be shown."""
        message.recipient = self._mask
        # What was not read is not shown.
        for name in {"params", "metadata"} - message.get_deferred_fields():
            setattr(message, name, self.value(getattr(message, name)))
        for name in ROWS_TEXTS:
            setattr(message, name, self.text(getattr(message, name)))

    def lay_on_events(self, events: Iterable[MessageEvent]) -> None:
        """Mask the number in events as they are held here."""
        for event in events:
            for name in EVENTS_TEXTS:
                setattr(event, name, self.text(getattr(event, name)))
            for name in EVENTS_LONG_TEXTS:
                setattr(event, name, self.text(getattr(event, name), may_be_cut=True))


def cover_messages(messages: Sequence[Any], *, whole: bool) -> None:
    """Have messages that are only to be shown hide what a person may not see.

    Args:
        messages: each gets `cover`, what lies on it, or None.
        whole: whether they may see whole numbers.
    """
    covers = {} if whole else covers_of(messages)
    for message in messages:
        message.cover = covers.get(message.pk)
        if message.cover:
            message.cover.lay_on(message)


def covers_of(messages: Sequence[MessageLog]) -> dict[int, Cover]:
    """Return what covers each message that has its number still, by key.

    A message that repeats another holds what it took over from it, and that may hold the other's
    number. Costs a query a step back for all of them together, and none where nothing is repeated.
    """
    numbers = {message.pk: [message.recipient] for message in messages if not message.is_stripped}
    first_of = {
        message.pk: message.resend_of_id
        for message in messages
        if message.pk in numbers and message.resend_of_id
    }
    for _step in range(MOST_STEPS):
        if not first_of:
            break
        rows = MessageLog.objects.filter(pk__in=set(first_of.values()))
        known = {row.pk: row for row in rows.only("recipient", "resend_of")}
        further = {}
        for key, first in first_of.items():
            # A replica may not have it yet.
            row = known.get(first)
            numbers[key].append(row.recipient if row else "")
            if row and row.resend_of_id:
                further[key] = row.resend_of_id
        first_of = further
    for key in first_of:
        # Of those further back nobody has asked.
        numbers[key].append("")
    return {key: Cover(*chain) for key, chain in numbers.items()}
