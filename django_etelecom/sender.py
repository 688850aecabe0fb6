"""Sends what is queued: keeps requests in flight and records their answers a batch at a time.

Each request in flight has its committed row, `sending`, before its first byte. One thread claims
and records; requests travel by carriers, a backend's own or threads, which touch no database.
"""

import contextlib
import logging
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError

from . import delivery, flights, lifecycle, pace
from .accounts import backend_for
from .backends.base import BaseBackend, Carrier, Outgoing
from .carriers import Threads
from .client.protocol import Outcome, SendResult
from .conf import Account, settings
from .flights import Flight
from .lifecycle import Claimed
from .models import MessageLog
from .models.messages import Reason, Status
from .queued import outgoing_of
from .sealing import SealBroken
from .transactions import refuse_inside_atomic, run_until_done

logger = logging.getLogger("django_etelecom")

DEFAULT_CONCURRENCY = 32

AHEAD = 0.25
"""Of the concurrency: messages claimed before their turn at least, so that no request waits for a
claim. Where answers come quickly or many at once, as many as came since the last one, up to the
concurrency."""

AHEAD_KEPT = 0.9
"""Of what was claimed ahead, from one claim to the next: bursts of answers come back."""

GATHER = 0.005
"""Seconds that answers are gathered in, so that many are recorded at once."""

BATCH = 256
"""Answers that are recorded at once at most."""


def _send(flight: Flight, outgoing: Outgoing) -> SendResult:
    return flight.backend.send_message(outgoing)


class Sender:
    """Keeps up to `concurrency` queued messages in flight. Used by one thread, in a `with` block.

    Leaving the block gives back what has not begun, waits for what is in flight and records it.
    """

    def __init__(self, concurrency: int = DEFAULT_CONCURRENCY) -> None:
        self.concurrency = concurrency
        self._ahead = math.ceil(concurrency * AHEAD)
        self._carriers: dict[BaseBackend, Carrier[Flight]] = {}
        self._threads = Threads(_send, concurrency, self._land, self._may_begin)
        self._answered: queue.SimpleQueue[tuple[Flight, SendResult]] = queue.SimpleQueue()
        # What carriers have not begun: it was too late, or the provider has refused its account.
        self._stopped: queue.SimpleQueue[Flight] = queue.SimpleQueue()
        self._refused: set[str] = set()
        # Between a refusal and a beginning; reentrant, for a carrier may land what it starts.
        self._beginning = threading.RLock()
        self._waiting: list[Flight] = []
        self._flying: dict[int, Flight] = {}
        self._in_the_air: set[int] = set()
        """Of those that fly, the ones whose answer their carrier has not handed over."""
        self._landed: list[tuple[Flight, SendResult]] = []
        # What will not begin here, until its rows say so.
        self._returning: list[MessageLog] = []
        self._unreadable: list[MessageLog] = []
        self._renewed_at = time.monotonic()
        self._well_since: dict[str, float] = {}
        self.is_held_back = False
        """Whether more is due than MAX_PER_SECOND has let through."""
        self.may_find_more = False
        """Whether more may be due than was taken on, for want of room, of slots or of time."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        interrupt: BaseException | None = None
        try:
            self._try_to_give_back()
            while self._flying or self._landed:
                all_answered = not self._in_the_air
                came = self._take_in(wait=0.1)
                interrupt = self._record_landed() or interrupt
                if all_answered and not came:
                    break
            # What carriers have passed over meanwhile, and what could not be queued before.
            self._try_to_give_back()
            self._tell_lost()
        finally:
            for carrier in self._all_carriers():
                carrier.close()
        if interrupt is not None:
            raise interrupt

    def _try_to_give_back(self) -> None:
        try:
            run_until_done(self._give_back)
        # It lapses then; what is in flight is recorded all the same, or told at CRITICAL.
        except (DatabaseError, InterfaceError):
            logger.exception("What had not begun could not be queued again.")

    def _tell_lost(self) -> None:
        """Tell of answers that an interrupt threw away while they were taken in."""
        for flight in self._flying.values():
            logger.critical(
                "The answer to message %s was lost to what stopped this process; it lapses.",
                flight.message.public_id,
            )

    @property
    def is_busy(self) -> bool:
        """Whether there is more to do before this one may rest."""
        is_under_way = self._flying or self._landed or self._returning or self._unreadable
        return bool(is_under_way) or self.is_held_back or self.may_find_more

    def take_on(self, *, among: Sequence[int] | None = None) -> int:
        """Claim what is due, as much as there is room for, and start it; return how many.

        Args:
            among: the primary keys of messages to choose from; None: all.

        Raises:
            TransactionManagementError: inside `atomic()`: what is claimed there is not committed
                before it is sent, and a rollback would have it sent again. Nothing was claimed.
        """
        refuse_inside_atomic("What sends queued messages", using=MessageLog.database())
        taken = 0
        self.is_held_back = self.may_find_more = False
        for alias in _accounts_to_send_by(among):
            if alias in self._refused:
                continue
            room = self.concurrency + self._ahead - len(self._flying)
            number = self._take_on(alias, room, among) if room > 0 else 0
            self.may_find_more |= number >= room
            taken += number
        self.may_find_more |= self.is_held_back
        return taken

    def _take_on(self, alias: str, room: int, among: Sequence[int] | None) -> int:
        try:
            backend = backend_for(alias)
            settings.check_recording()
        except ImproperlyConfigured as error:
            logger.error("Nothing is sent by account '%s': %s", alias, error)
            return 0
        account = backend.account
        if account.max_per_second is not None:
            # No slot is taken for what is not there: others wait for it.
            room = lifecycle.count_due(account, room, among=among)
            if not room:
                return 0
        slots = pace.reserve(account, room)
        self.is_held_back |= len(slots) < room
        waits = iter(slots)
        taken = 0
        since = flights.clock()
        for claimed in lifecycle.claim_due(account, len(slots), among=among):
            # At once: whatever goes wrong from here on, they are known.
            self._hold(claimed, backend, waits, since)
            taken += len(claimed.messages)
            self._start()
            since = flights.clock()
        return taken

    def _hold(
        self, claimed: Claimed, backend: BaseBackend, waits: Iterator[float], since: float
    ) -> None:
        """Have claimed messages wait for their slots.

        Args:
            claimed: the messages.
            backend: by which they are sent.
            waits: the seconds until their slots.
            since: an instant before they were claimed, by `clock`.
        """
        now = time.monotonic()
        for message, wait in zip(claimed.messages, waits, strict=False):
            flight = Flight(message, backend, now + wait)
            flight.is_held_from(since)
            flight.expires_after(since, claimed.at)
            self._flying[message.pk] = flight
            self._waiting.append(flight)

    def _start(self) -> None:
        """Start the messages whose slot has come, and let go of those that are too late."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._waiting.append(self._stopped.get_nowait())
        now = time.monotonic()
        # Each at most once, whatever its carrier raises.
        looked_at, self._waiting = deque(self._waiting), []
        try:
            while looked_at:
                flight = looked_at.popleft()
                if flight.is_late:
                    self._let_go(flight, self._returning)
                    self.may_find_more = True
                elif flight.starts_at > now:
                    self._waiting.append(flight)
                else:
                    self._begin(flight)
        finally:
            self._waiting += looked_at
        self._write_let_go()

    def _begin(self, flight: Flight) -> None:
        try:
            flight.outgoing = outgoing_of(flight.message)
        except (SealBroken, ImproperlyConfigured) as error:
            logger.error("Message %s cannot be sent: %s", flight.message.public_id, error)
            self._let_go(flight, self._unreadable)
            return
        with self._beginning:
            if flight.account in self._refused:
                self._waiting.append(flight)
            else:
                self._in_the_air.add(flight.message.pk)
                self._carrier(flight.backend).start(flight, flight.outgoing)

    def _let_go(self, flight: Flight, kept: list[MessageLog]) -> None:
        """Have a message not begin here; its row is written by `_write_let_go`."""
        del self._flying[flight.message.pk]
        self._in_the_air.discard(flight.message.pk)
        kept.append(flight.message)

    def _write_let_go(self) -> None:
        """End what cannot be read, and queue the rest again; what fails is kept for another try."""
        while self._unreadable:
            lifecycle.give_up(self._unreadable[-1], Reason.SEAL_BROKEN)
            self._unreadable.pop()
        if self._returning:
            lifecycle.give_back(self._returning)
            self._returning.clear()

    def _carrier(self, backend: BaseBackend) -> Carrier[Flight]:
        if backend not in self._carriers:
            carrier = backend.carrier(self.concurrency, self._land, self._may_begin)
            self._carriers[backend] = carrier or self._threads
        return self._carriers[backend]

    def _all_carriers(self) -> set[Carrier[Flight]]:
        return {self._threads, *self._carriers.values()}

    def _may_begin(self, flight: Flight) -> bool:
        """Tell whether a message may begin whose turn has come, in the thread of its carrier."""
        if flight.is_late:
            self._stop(flight)
            return False
        return True

    def _stop(self, flight: Flight) -> None:
        # First: once it is put there it may be begun again.
        self._in_the_air.discard(flight.message.pk)
        self._stopped.put(flight)

    def _land(self, flight: Flight, send: Callable[[], SendResult]) -> None:
        """Take what came of a message, in the thread of its carrier."""
        result = delivery.attempt(send, flight.outgoing, flight.backend)
        if pace.is_refused(result):
            # At once, for those behind it would begin before the account is paused.
            with self._beginning:
                self._refused.add(flight.account)
                for one in self._carrier(flight.backend).take_back():
                    self._stop(one)
        self._answered.put((flight, result))
        self._in_the_air.discard(flight.message.pk)

    def _give_back(self, account: Account | None = None) -> None:
        """Queue again what was claimed and has not begun.

        Args:
            account: whose messages; None: all.
        """
        ready = [flight for carrier in self._all_carriers() for flight in carrier.take_back()]
        with contextlib.suppress(queue.Empty):
            while True:
                ready.append(self._stopped.get_nowait())
        waiting, self._waiting = [*ready, *self._waiting], []
        for flight in waiting:
            if account is None or flight.account == account.alias:
                self._let_go(flight, self._returning)
            else:
                self._waiting.append(flight)
        self._write_let_go()

    def come_in(self, *, wait: float) -> None:
        """Take in the answers that have come, which makes room; they are recorded by `record`.

        Args:
            wait: seconds to wait for the first one.
        """
        self._start()
        if self._waiting:
            next_start = min(flight.starts_at for flight in self._waiting) - time.monotonic()
            wait = min(wait, max(0.0, next_start))
        if not self.is_busy:
            return
        by_account: dict[Account, list[SendResult]] = {}
        for flight, result in self._take_in(wait=wait):
            by_account.setdefault(flight.backend.account, []).append(result)
        for account, results in by_account.items():
            self._judge(account, results)

    def _take_in(self, *, wait: float) -> list[tuple[Flight, SendResult]]:
        """Take in answers, and return those that came. Touches no database."""
        before = len(self._landed)
        few = max(1, self.concurrency // 8)
        ends_at = 0.0
        with contextlib.suppress(queue.Empty):
            while len(self._landed) < BATCH:
                self._landed.append(self._answered.get(timeout=wait))
                ends_at = ends_at or time.monotonic() + GATHER
                wait = max(0.0, ends_at - time.monotonic()) if len(self._landed) < few else 0.0
        came = self._landed[before:]
        least = math.ceil(self.concurrency * AHEAD), math.ceil(self._ahead * AHEAD_KEPT)
        self._ahead = min(max(*least, len(came)), self.concurrency)
        for flight, _result in came:
            del self._flying[flight.message.pk]
        return came

    def _judge(self, account: Account, results: Sequence[SendResult]) -> None:
        """Pause an account before more of its messages are claimed.

        That answers came which were good is told once a second.
        """
        now = time.monotonic()
        is_well = all(result.outcome is Outcome.ACCEPTED for result in results)
        if is_well and now - self._well_since.get(account.alias, -math.inf) < 1.0:
            return
        if is_well:
            self._well_since[account.alias] = now
        try:
            if pace.judge(account, results):
                self._give_back(account)
                self._start()
        finally:
            if any(map(pace.is_refused, results)):
                self._refused.discard(account.alias)

    def record(self) -> int:
        """Record the answers that were taken in; return how many.

        Raises:
            BaseException: what told this process to stop meanwhile, once all are recorded.
        """
        recorded = len(self._landed)
        interrupt = self._record_landed()
        if interrupt is not None:
            raise interrupt
        return recorded

    def _record_landed(self) -> BaseException | None:
        """Do what `record` does; return what told this process to stop meanwhile."""
        interrupt: BaseException | None = None
        while self._landed:
            backend = self._landed[0][0].backend
            results = [
                (flight.message, result)
                for flight, result in self._landed
                if flight.backend is backend
            ]
            # Before: what goes wrong with one account's leaves the others' to be recorded.
            self._landed = [one for one in self._landed if one[0].backend is not backend]
            interrupt = delivery.record_all(results, backend) or interrupt
        self._renew()
        return interrupt

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
            since = flights.clock()
            for pk in lifecycle.renew(pks, backend.account):
                self._flying[pk].is_held_from(since)


def _accounts_to_send_by(among: Sequence[int] | None) -> Sequence[str]:
    """Return the accounts to claim for: all, or those by which some of `among` are to go."""
    if among is None:
        return settings.account_aliases
    rows = MessageLog.objects.using(MessageLog.database()).order_by()
    queued = rows.filter(pk__in=among, status=Status.QUEUED)
    told = set(queued.values_list("account", flat=True).distinct())
    return [alias for alias in settings.account_aliases if alias in told]


def send_now(pks: Sequence[int], *, is_told_to_stop: Callable[[], bool] = lambda: False) -> int:
    """Send those of the messages that are due and that nobody else has taken on.

    What an engine calls in its process. Ends when none of them is due any more: the rest were
    sent, wait for another attempt, or belong to an account that is paused.

    Args:
        pks: their primary keys.
        is_told_to_stop: once it says so, nothing more is begun; what is in flight is recorded.

    Returns:
        How many attempts were made.

    Raises:
        TransactionManagementError: inside `atomic()`, or autocommit is off; nothing was sent.
    """
    sent = 0
    with Sender(min(len(pks), DEFAULT_CONCURRENCY)) as sender:
        while not is_told_to_stop() and (sender.take_on(among=pks) or sender.is_busy):
            sent += sender.record()
            sender.come_in(wait=0.5)
    return sent
