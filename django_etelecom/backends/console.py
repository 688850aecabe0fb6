"""Prints messages instead of sending them, for development. Shows one-time passwords."""

import sys
import uuid
from typing import TextIO

from ..client.protocol import Outcome, SendResult
from ..conf import Account
from ..models.routes import channel_names
from .base import BaseBackend, Outgoing


class ConsoleBackend(BaseBackend):
    """Write each message to standard output, with every parameter in the clear."""

    def __init__(self, account: Account, stream: TextIO | None = None) -> None:
        super().__init__(account)
        self._stream = stream

    def send_message(self, outgoing: Outgoing) -> SendResult:
        lines = [
            f"Message {outgoing.public_id}",
            f"  to       {outgoing.recipient}",
            f"  by       {channel_names(outgoing.channels)}",
            f"  template {outgoing.template_code}",
            *(f"  {name} = {value}" for name, value in outgoing.wire.reveal().items()),
        ]
        stream = self._stream or sys.stdout
        stream.write("\n".join(lines) + "\n" + "-" * 79 + "\n")
        stream.flush()
        return SendResult(
            outcome=Outcome.ACCEPTED,
            provider_message_id=f"CONSOLE{uuid.uuid4().hex}",
            provider_status="1",
            provider_detail="Success",
        )
