"""Keeps messages in a list, for tests; `django_etelecom.testing.outbox` is that list."""

import dataclasses
import uuid

from ..client.protocol import Outcome, SendResult
from .base import BaseBackend, Outgoing


@dataclasses.dataclass(frozen=True, slots=True)
class SentMessage:
    """What would have gone to the provider, in the clear."""

    account: str
    public_id: uuid.UUID
    template_code: str
    recipient: str
    channels: tuple[str, ...]
    params: dict[str, str]
    """Wire values by name, secrets included."""


outbox: list[SentMessage] = []


class LocMemBackend(BaseBackend):
    """Append each message to `outbox` and answer as a provider that accepted it."""

    def send_message(self, outgoing: Outgoing) -> SendResult:
        outbox.append(
            SentMessage(
                account=self.account.alias,
                public_id=outgoing.public_id,
                template_code=outgoing.template_code,
                recipient=outgoing.recipient,
                channels=outgoing.channels,
                params=outgoing.wire.reveal(),
            )
        )
        return SendResult(
            outcome=Outcome.ACCEPTED,
            provider_message_id=f"LOCMEM{uuid.uuid4().hex}",
            provider_status="1",
            provider_detail="Success",
        )
