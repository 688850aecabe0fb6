"""Claimed messages on their way, and until when each may begin."""

import math
import time
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from . import lifecycle
from .backends.base import BaseBackend, Outgoing
from .models import MessageLog

clock = (
    # Runs on while the machine sleeps, as the database's clock does.
    partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    if hasattr(time, "CLOCK_BOOTTIME")
    else time.monotonic
)
"""Return seconds of the time that leases and expiry are measured in here."""


@dataclass(slots=True, eq=False)
class Flight:
    """A claimed message on its way."""

    message: MessageLog
    backend: BaseBackend
    starts_at: float
    """When its slot comes, by the monotonic clock."""
    worth_until: float = math.inf
    """When it expires, by `clock`."""
    begins_until: float = math.inf
    """When it may begin at the latest, lest its lease end before its answer comes; by `clock`."""
    outgoing: Outgoing = field(init=False, repr=False)
    """What is sent, once it begins."""

    @property
    def account(self) -> str:
        """The alias of the account that it is sent by."""
        return self.backend.account.alias

    @property
    def is_late(self) -> bool:
        """Whether it must not begin any more: it may be taken for dead by now, or it expired."""
        return clock() >= min(self.begins_until, self.worth_until)

    def is_held_from(self, since: float) -> None:
        """Note a lease.

        Args:
            since: when by `clock`, at the latest, it began.
        """
        # By so much it is longer than the exchange.
        self.begins_until = since + lifecycle.LEASE_MARGIN.total_seconds()

    def expires_after(self, since: float, at: datetime) -> None:
        """Note when it is not worth sending any more.

        Args:
            since: an instant by `clock`.
            at: the same one, or a later one, by the database's clock, which its expiry goes by.
        """
        if self.message.expires_at is not None:
            self.worth_until = since + (self.message.expires_at - at).total_seconds()
