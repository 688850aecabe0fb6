"""What has to be done while nobody waits: send what is queued, end what died, ask about messages.

Any number of workers may run side by side: each takes on what it does by a conditional UPDATE.
"""

import contextlib
import logging
import queue
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.db.transaction import TransactionManagementError

from . import campaigns, numbers, reports, summary, uploads
from .lifecycle import sweep
from .polling import Poller
from .sender import DEFAULT_CONCURRENCY, Sender
from .transactions import run_until_done

logger = logging.getLogger("django_etelecom")

IDLE = 1.0
"""Seconds between two looks for work."""

UPKEEP = 1.0
"""Seconds between two looks for what died, expired or was reported, and for messages that are due
where the look before found no more."""


@dataclass(slots=True)
class Tally:
    """What a worker has done."""

    sent: int = 0
    """Queued messages of which an attempt was made, whatever came of it."""
    lapsed: int = 0
    """Messages whose process had died, and queued ones that expired."""
    matched: int = 0
    """Reports that were quicker than our own commit."""
    polled: int = 0
    """Questions that were answered, or not."""

    def __bool__(self) -> bool:
        return bool(self.sent or self.lapsed or self.matched or self.polled)

    def __iadd__(self, other: "Tally") -> "Tally":
        self.sent += other.sent
        self.lapsed += other.lapsed
        self.matched += other.matched
        self.polled += other.polled
        return self


class Worker:
    """Works in the thread that calls it; requests travel in others, which touch no database."""

    def __init__(self, *, concurrency: int = DEFAULT_CONCURRENCY) -> None:
        """Make a worker.

        Args:
            concurrency: how many queued messages it keeps in flight at most.
        """
        self._concurrency = concurrency
        self._stopping = False
        self._upkeep_at = 0.0
        # Not an Event, whose lock the thread that a signal interrupts may hold itself.
        self._told_to_stop: queue.SimpleQueue[None] = queue.SimpleQueue()

    def stop(self) -> None:
        """End after what is in flight. May be called by a signal's handler."""
        self._stopping = True
        self._told_to_stop.put(None)

    def run_once(self) -> Tally:
        """Work until nothing is due.

        Raises:
            DatabaseError: the database is away.
            TransactionManagementError: as `Sender.take_on`.
        """
        done = Tally()
        is_idle = False
        with Sender(self._concurrency) as sender, Poller() as poller:
            while not self._stopping:
                upkeep = is_idle or self._is_time()
                turn = self._turn(sender, poller, upkeep=upkeep)
                done += turn
                is_idle = not (turn or sender.is_busy or poller.is_busy)
                if is_idle and upkeep:
                    break
        return done

    def run(self) -> Iterator[Tally]:
        """Work until told to stop; yields what each turn has done, nothing before it rests.

        Raises:
            TransactionManagementError: as `Sender.take_on`.
        """
        with Sender(self._concurrency) as sender, Poller() as poller:
            while not self._stopping:
                try:
                    turn = self._turn(sender, poller, upkeep=self._is_time())
                except TransactionManagementError:
                    # A kind of DatabaseError, and no waiting ends the caller's transaction.
                    raise
                except (DatabaseError, InterfaceError):
                    logger.exception("The worker could not reach the database; it tries again.")
                    close_old_connections()
                    self._rest()
                    continue
                close_old_connections()
                if turn:
                    yield turn
                elif not (sender.is_busy or poller.is_busy):
                    yield turn
                    self._rest()

    def _is_time(self) -> bool:
        """Tell, once in `UPKEEP` seconds, that it is time to look."""
        is_time = time.monotonic() >= self._upkeep_at
        if is_time:
            self._upkeep_at = time.monotonic() + UPKEEP
        return is_time

    def _turn(self, sender: Sender, poller: Poller, *, upkeep: bool) -> Tally:
        # Of two workers that MariaDB leads to the same rows by different indexes, it undoes one.
        return run_until_done(lambda: self._try_turn(sender, poller, upkeep=upkeep))

    def _try_turn(self, sender: Sender, poller: Poller, *, upkeep: bool) -> Tally:
        done = Tally()
        if upkeep:
            done.lapsed = sweep() + campaigns.upkeep() + uploads.upkeep()
            summary.upkeep()
            _if_configured(numbers.upkeep)
            done.matched = _if_configured(reports.match_inbox)
            reports.bring_forward()
        sender.come_in(wait=0.05)
        # Before the answers are recorded, so that what they made room for is on its way meanwhile.
        if upkeep or sender.may_find_more:
            sender.take_on()
        _if_configured(poller.take_on)
        done.sent = sender.record()
        done.polled = poller.settle(wait=0.0 if sender.is_busy else 0.05)
        return done

    def _rest(self) -> None:
        """Wait for work, or to be told to stop."""
        with contextlib.suppress(queue.Empty):
            self._told_to_stop.get(timeout=IDLE)


def _if_configured(part: Callable[[], int]) -> int:
    """Do a part of a turn; where a setting cannot be used, tell so, and the other parts go on."""
    try:
        return part()
    except ImproperlyConfigured as error:
        logger.error("A part of the worker's turn was left out: %s", error)
        return 0
