"""Asks the provider what became of messages, several at once, for the worker."""

import queue
import time
from types import TracebackType
from typing import Self

from . import reports
from .conf import settings
from .events import Evidence

CATCH_UP = 0.1
"""Seconds whose questions are made up for, where the thread was busy with something else."""


PAUSE = 1.0
"""Seconds until it looks again after nothing was due."""


class Poller:
    """Keeps questions in flight. Used by one thread, in a `with` block.

    Leaving the block waits for what is in flight and records it.
    """

    def __init__(self) -> None:
        self._threads = reports.polling_threads()
        self._answered: queue.SimpleQueue[tuple[reports.Poll, Evidence]] = queue.SimpleQueue()
        self._next_at = time.monotonic()
        """When the next question may go, by the monotonic clock."""
        self._look_at = 0.0
        self.in_flight = 0
        self.is_held_back = False
        """Whether more may be due than MAX_POLLS_PER_SECOND has let through."""

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
    def is_busy(self) -> bool:
        """Whether there is more to do before this one may rest."""
        return self.in_flight > 0 or self.is_held_back

    def take_on(self) -> int:
        """Take on questions that are due, as many as MAX_POLLS_PER_SECOND has room for."""
        now = time.monotonic()
        gap = 1 / settings.max_polls_per_second
        if now < self._look_at:
            return 0
        self._next_at = max(self._next_at, now - max(CATCH_UP - gap, 0.0))
        slots = int((now - self._next_at) / gap) + 1 if now >= self._next_at else 0
        room = min(reports.CONCURRENT_POLLS - self.in_flight, slots)
        self.is_held_back = slots == 0
        if room <= 0:
            return 0
        polls = reports.due_polls(reports.usable_backends(), room)
        for poll in polls:
            self._threads.submit(self._ask, poll)
        if not polls:
            self._look_at = now + PAUSE
        self.in_flight += len(polls)
        self._next_at += len(polls) * gap
        return len(polls)

    def _ask(self, poll: reports.Poll) -> None:
        evidence, _interrupt = reports.ask(poll.message, poll.backend)
        self._answered.put((poll, evidence))

    def settle(self, *, wait: float) -> int:
        """Record the answers that have come; return how many.

        Args:
            wait: seconds to wait for the first one.
        """
        settled = 0
        while self.is_busy:
            try:
                poll, evidence = self._answered.get(timeout=wait)
            except queue.Empty:
                break
            self.in_flight -= 1
            reports.record_answer(poll.message, evidence, settled=poll)
            settled += 1
            wait = 0.0
        return settled
