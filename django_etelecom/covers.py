"""A message for those who may not see its number, whatever text the number stands in."""

from __future__ import annotations

from collections.abc import Iterable
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


class Cover:
    """Masks one phone number in every spelling, and leaves every other text as it is."""

    def __init__(self, number: str) -> None:
        self._spellings = Secrets(phone.spellings(number))
        self._mask = phone.mask(number)

    def text(self, text: str, *, may_be_cut: bool = False) -> str:
        masked = mask_text(text, self._spellings, may_be_cut=may_be_cut)
        # Nothing but the mask would be read as a secret.
        return self._mask if masked == MASK != text else masked

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
        message.params = self.value(message.params)
        message.metadata = self.value(message.metadata)
        for name in ROWS_TEXTS:
            setattr(message, name, self.text(getattr(message, name)))

    def lay_on_events(self, events: Iterable[MessageEvent]) -> None:
        """Mask the number in events as they are held here."""
        for event in events:
            for name in EVENTS_TEXTS:
                setattr(event, name, self.text(getattr(event, name)))
            for name in EVENTS_LONG_TEXTS:
                setattr(event, name, self.text(getattr(event, name), may_be_cut=True))
