"""What has to be done while nobody waits: end what died, match reports, ask about messages.

Any number of workers may run side by side: each takes on what it does by a conditional UPDATE.
"""

import concurrent.futures
import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError, close_old_connections

from . import reports
from .conf import settings
from .lifecycle import sweep

logger = logging.getLogger("django_etelecom")

IDLE = 1.0
"""Seconds between two looks for work."""


@dataclass(slots=True)
class Tally:
    """What a worker has done."""

    lapsed: int = 0
    """Messages whose process had died."""
    matched: int = 0
    """Reports that were quicker than our own commit."""
    polled: int = 0
    """Questions that were answered, or not."""

    def __bool__(self) -> bool:
        return bool(self.lapsed or self.matched or self.polled)

    def __iadd__(self, other: "Tally") -> "Tally":
        self.lapsed += other.lapsed
        self.matched += other.matched
        self.polled += other.polled
        return self


class Worker:
    """Works in the thread that calls it; questions travel in others, which touch no database."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._next_poll_at = 0.0

    def stop(self) -> None:
        """End after what is in flight. May be called by a signal's handler."""
        self._stopping.set()

    def run_once(self) -> Tally:
        """Work until nothing is due.

        Raises:
            DatabaseError: the database is away.
        """
        done = Tally()
        with reports.polling_threads() as threads:
            while not self._stopping.is_set() and (turn := self._turn(threads)):
                done += turn
        return done

    def run(self) -> Iterator[Tally]:
        """Work until told to stop; yields what each turn that had work has done."""
        with reports.polling_threads() as threads:
            while not self._stopping.is_set():
                try:
                    turn = self._turn(threads)
                except (DatabaseError, InterfaceError):
                    logger.exception("The worker could not reach the database; it tries again.")
                    turn = Tally()
                close_old_connections()
                if turn:
                    yield turn
                else:
                    self._stopping.wait(IDLE)

    def _turn(self, threads: concurrent.futures.Executor) -> Tally:
        lapsed, matched = sweep(), reports.match_inbox()
        reports.bring_forward()
        return Tally(lapsed=lapsed, matched=matched, polled=self._poll(threads))

    def _poll(self, threads: concurrent.futures.Executor) -> int:
        """Ask what is due, as much as may be in flight at once, and record the answers."""
        polls = reports.due_polls(reports.usable_backends(), reports.CONCURRENT_POLLS)
        asked = {}
        for poll in polls:
            self._wait_for_turn()
            asked[threads.submit(reports.ask, poll.message, poll.backend)] = poll
        for answered in concurrent.futures.as_completed(asked):
            evidence, _interrupt = answered.result()
            poll = asked[answered]
            reports.record_answer(poll.message, evidence, settled=poll)
        return len(polls)

    def _wait_for_turn(self) -> None:
        """Keep to MAX_POLLS_PER_SECOND."""
        now = time.monotonic()
        at = max(now, self._next_poll_at)
        self._next_poll_at = at + 1 / settings.max_polls_per_second
        time.sleep(at - now)
