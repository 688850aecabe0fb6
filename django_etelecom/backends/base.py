"""What every backend takes and gives."""

import dataclasses
import uuid
from collections.abc import Callable
from functools import cached_property
from typing import Protocol, TypeVar

from ..client.protocol import SendResult
from ..client.status import StatusResult
from ..client.templates import TemplatesResult
from ..conf import Account
from ..redaction import Secrets
from ..schema import Wire

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Outgoing:
    """One message, ready for the wire."""

    public_id: uuid.UUID
    template_code: str
    recipient: str = dataclasses.field(repr=False)
    """Wire form: country code and number, digits only. No repr shows it."""
    channels: tuple[str, ...]
    wire: Wire


Land = Callable[[T, Callable[[], SendResult]], None]
"""What a carrier calls once for each message, in any thread: with its ticket, and with what gives
the result, or raises as `send_message` may."""

MayBegin = Callable[[T], bool]
"""What a carrier asks with the ticket of each message right before it begins, in any thread. False:
its time is over, and it neither begins nor lands."""


class Carrier(Protocol[T]):
    """Carries many messages of one account at a time, for one worker."""

    def start(self, ticket: T, outgoing: Outgoing) -> None:
        """Send a message as soon as there is room."""

    def take_back(self) -> list[T]:
        """Return the tickets of those that have not begun, which now will not."""

    def close(self) -> None:
        """End, once everything that was started has landed."""


class BaseBackend:
    """Carries messages of one account. One instance serves many threads.

    A backend is made when an account is first used and raises `ImproperlyConfigured` then if the
    account cannot work. `send_message` makes one attempt and tells what became of it by its
    result: it raises for nothing that network or provider do. So do `get_status` and
    `get_templates`.
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

    def carrier(self, concurrency: int, land: Land[T], may_begin: MayBegin[T]) -> Carrier[T] | None:
        """Return what carries a worker's messages; None: its threads call `send_message`.

        Args:
            concurrency: how many messages are in flight at most.
            land: takes what came of each.
            may_begin: tells of each whether it is still to be sent.
        """
        return None

    def get_status(self, provider_message_id: str) -> StatusResult:
        """Ask once what became of a message; raises for nothing that network or provider do.

        A backend that leaves this out is not asked.
        """
        raise NotImplementedError

    @property
    def can_be_asked(self) -> bool:
        """Whether it has a `get_status` of its own."""
        return type(self).get_status is not BaseBackend.get_status

    def get_templates(self, page: int) -> TemplatesResult:
        """Ask once for a page, from 1, of the templates that the provider has for the account.

        Of a backend that leaves this out no templates are imported.
        """
        raise NotImplementedError

    @property
    def lists_templates(self) -> bool:
        """Whether it has a `get_templates` of its own."""
        return type(self).get_templates is not BaseBackend.get_templates

    def close(self) -> None:
        """Let go of connections; the backend is not used any more."""
