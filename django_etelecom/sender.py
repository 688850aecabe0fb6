"""Sends what is queued: keeps requests in flight and records their answers a batch at a time.

Each request in flight has its committed row, `sending`, before its first byte. One thread claims
and records; requests travel in others, which touch no database.
"""

import logging
import queue
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from django.core.exceptions import ImproperlyConfigured

from . import delivery, lifecycle, pace
from .accounts import backend_for
from .backends.base import BaseBackend, Outgoing
from .client.protocol import SendResult
from .conf import settings
from .models import MessageLog
from .models.messages import Reason
from .queued import outgoing_of
from .sealing import SealBroken

logger = logging.getLogger("django_etelecom")

DEFAULT_CONCURRENCY = 32

BATCH = 256
"""Answers that are recorded at once at most."""


@dataclass(frozen=True, slots=True)
class Flight:
    """A claimed message on its way."""

    message: MessageLog
    outgoing: Outgoing
    backend: BaseBackend
    starts_at: float
    """By the monotonic clock."""


class Sender:
    """Keeps up to `concurrency` queued messages in flight. Used by one thread, in a `with` block.

    Leaving the block waits for what is in flight and records it.
    """

    def __init__(self, concurrency: int = DEFAULT_CONCURRENCY) -> None:
        self.concurrency = concurrency
        self._threads = ThreadPoolExecutor(concurrency, "etelecom-send")
        self._answered: queue.SimpleQueue[tuple[Flight, SendResult]] = queue.SimpleQueue()
        self._waiting: list[Flight] = []
        self._flying: dict[int, Flight] = {}
        self._renewed_at = time.monotonic()
        self.is_held_back = False
        """Whether more is due than MAX_PER_SECOND has let through."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            while self.in_flight:
                self.settle(wait=0.1)
        finally:
            self._threads.shutdown()

    @property
    def in_flight(self) -> int:
        """How many messages are claimed and not yet recorded."""
        return len(self._flying)

    @property
    def is_busy(self) -> bool:
        """Whether there is more to do before this one may rest."""
        return bool(self._flying) or self.is_held_back

    def take_on(self, *, among: Sequence[int] | None = None) -> int:
        """Claim what is due, as much as there is room for, and start it; return how many.

        Args:
            among: the primary keys of messages to choose from; None: all.
        """
        taken = 0
        self.is_held_back = False
        paused = pace.paused_accounts()
        for alias in settings.account_aliases:
            room = self.concurrency - self.in_flight
            if alias not in paused and room:
                taken += self._take_on(alias, room, among)
        return taken

    def _take_on(self, alias: str, room: int, among: Sequence[int] | None) -> int:
        try:
            backend = backend_for(alias)
        except ImproperlyConfigured as error:
            logger.error("Nothing is sent by account '%s': %s", alias, error)
            return 0
        account = backend.account
        if account.max_per_second is not None and not lifecycle.due(account, among).exists():
            return 0
        slots = pace.reserve(account, room)
        self.is_held_back |= len(slots) < room
        messages = lifecycle.claim_due(account, len(slots), among=among) if slots else []
        now = time.monotonic()
        for message, wait in zip(messages, slots, strict=False):
            self._fly(message, backend, now + wait)
        self._start()
        return len(messages)

    def _fly(self, message: MessageLog, backend: BaseBackend, starts_at: float) -> None:
        try:
            outgoing = outgoing_of(message)
        except (SealBroken, ImproperlyConfigured) as error:
            logger.error("Message %s cannot be sent: %s", message.public_id, error)
            lifecycle.give_up(message, Reason.SEAL_BROKEN)
            return
        flight = Flight(message, outgoing, backend, starts_at)
        self._flying[message.pk] = flight
        self._waiting.append(flight)

    def _start(self) -> None:
        """Start the messages whose slot has come."""
        now = time.monotonic()
        due = [flight for flight in self._waiting if flight.starts_at <= now]
        if due:
            self._waiting = [flight for flight in self._waiting if flight.starts_at > now]
        for flight in due:
            self._threads.submit(self._send, flight)

    def _send(self, flight: Flight) -> None:
        self._answered.put((flight, delivery.attempt(flight.outgoing, flight.backend)))

    def settle(self, *, wait: float) -> int:
        """Record the answers that have come; return how many.

        Args:
            wait: seconds to wait for the first one.
        """
        if self._waiting:
            self._start()
        if self._waiting:
            next_start = min(flight.starts_at for flight in self._waiting) - time.monotonic()
            wait = min(wait, max(0.0, next_start))
        answers = list(self._come_in(wait)) if self.is_busy else []
        by_backend: dict[BaseBackend, list[tuple[MessageLog, SendResult]]] = {}
        for flight, result in answers:
            by_backend.setdefault(flight.backend, []).append((flight.message, result))
        try:
            for backend, results in by_backend.items():
                delivery.record_all(results, backend)
                pace.judge(backend.account, [result for _message, result in results])
        finally:
            for flight, _result in answers:
                del self._flying[flight.message.pk]
        self._renew()
        return len(answers)

    def _come_in(self, wait: float) -> Iterator[tuple[Flight, SendResult]]:
        try:
            yield self._answered.get(timeout=wait)
            for _ in range(BATCH - 1):
                yield self._answered.get_nowait()
        except queue.Empty:
            return

    def _renew(self) -> None:
        """Hold on to what is still in flight, long before another worker would take it for dead."""
        now = time.monotonic()
        if now - self._renewed_at < lifecycle.LEASE_MARGIN.total_seconds() / 3:
            return
        self._renewed_at = now
        by_backend: dict[BaseBackend, list[int]] = {}
        for pk, flight in self._flying.items():
            by_backend.setdefault(flight.backend, []).append(pk)
        for backend, pks in by_backend.items():
            lifecycle.renew(pks, backend.account)
