"""What every backend takes and gives."""

import dataclasses
import uuid
from functools import cached_property

from ..client.protocol import SendResult
from ..client.status import StatusResult
from ..conf import Account
from ..redaction import Secrets
from ..schema import Wire


@dataclasses.dataclass(frozen=True, slots=True)
class Outgoing:
    """One message, ready for the wire."""

    public_id: uuid.UUID
    template_code: str
    recipient: str
    """Wire form: country code and number, digits only."""
    channels: tuple[str, ...]
    wire: Wire


class BaseBackend:
    """Carries messages of one account. One instance serves many threads.

    A backend is made when an account is first used and raises `ImproperlyConfigured` then if the
    account cannot work. `send_message` makes one attempt and tells what became of it by its
    result: it raises for nothing that network or provider do. So does `get_status`.
    """

    def __init__(self, account: Account) -> None:
        self.account = account

    @cached_property
    def secrets(self) -> Secrets:
        """What no text of the provider's may show when it is stored: the account's credentials."""
        return Secrets(self.account.credentials.reveal())

    def send_message(self, outgoing: Outgoing) -> SendResult:
        """Send once; `SendResult.outcome` is NOT_SENT only if provably nothing left."""
        raise NotImplementedError

    def get_status(self, provider_message_id: str) -> StatusResult:
        """Ask once what became of a message; raises for nothing that network or provider do.

        A backend that leaves this out is not asked.
        """
        raise NotImplementedError

    @property
    def can_be_asked(self) -> bool:
        """Whether it has a `get_status` of its own."""
        return type(self).get_status is not BaseBackend.get_status

    def close(self) -> None:
        """Let go of connections; the backend is not used any more."""
