"""kill -9 of a sending process, at each step of `deliver` and at random."""

import collections
import dataclasses
import functools
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence

from django.conf import settings
from django.db import transaction

from django_etelecom import dispatchers
from django_etelecom.models import MessageLog
from django_etelecom.services import queue_campaign, queue_message

from . import roles
from .celery_app import app
from .job import Job
from .judge import Judgement, Received, Recorded, judge
from .processes import Victim, wait_until
from .processes import run as run_role
from .proxy import Behaviour
from .results import Result
from .site import LEASE
from .steps import Step

Numbers = Sequence[str]

TYPICAL = 0.15
"""Seconds for which a process is at work where that takes long."""

CELERY_TYPICAL = 2.0
"""The same of a worker of Celery's, which has to find its broker first."""

MOST_MISSES = 10
"""Processes in a row that may end without coming to a step; after more, none ever comes there."""


@dataclasses.dataclass(frozen=True)
class Way:
    """A way in which a site sends."""

    role: Callable[..., object]
    turns: Callable[[Numbers], Iterator[tuple[object, ...]]]
    """Given numbers to write to: the arguments of the role, for one process after the other."""
    messages: int
    """How many numbers it is given at once."""
    weight: int = 5
    """How many kills it gets to those of another."""
    is_queued: bool = True
    """Whether all of them are on record before anything is killed."""
    occurrences: int = 3
    """How often one process comes to each step, at least for the most part."""
    by_wire_alone: bool = False
    """Whether the process cannot tell by itself how far its requests are."""
    works_for: float = TYPICAL
    for_ever: bool = False
    """Whether a process ends by being killed alone."""


def run(job: Job) -> Result:
    """Kill `job.count` processes."""
    kills: collections.Counter[Step] = collections.Counter()
    judgement = Judgement()
    under_way = 0
    in_turn = itertools.cycle(Step)
    ways = {name: way for name, way in WAYS.items() if not job.parts or name in job.parts}
    weight_left, count_left = sum(way.weight for way in ways.values()), job.count
    for name, way in ways.items():
        share = round(count_left * way.weight / weight_left)
        weight_left -= way.weight
        count_left -= share
        steps = list(itertools.islice(in_turn, share))
        job.chance.shuffle(steps)
        killed, its_under_way, its_judgement = kill(job, name, way, steps)
        kills += killed
        under_way += its_under_way
        judgement += its_judgement
    return Result(
        check="kill -9 of a sending process",
        database=job.database,
        times=f"{kills.total():,} kills",
        did=f"{', '.join(ways)}: "
        + ", ".join(f"{kills[step]:,} {step}" for step in Step)
        + f" ({under_way:,} of these in the middle of a message)",
        seen=f"of all messages {judgement.seen}",
        wrong=judgement.wrong,
        examples=judgement.examples,
    )


def kill(
    job: Job, name: str, way: Way, steps: list[Step]
) -> tuple[collections.Counter[Step], int, Judgement]:
    """Kill a process that sends in one way at each of the steps, from the last to the first.

    Returns:
        The kills, how many of those at random left a message under way, and what came of it.
    """
    under_way = 0
    kills: collections.Counter[Step] = collections.Counter()
    judgement = Judgement()
    count = len(steps)
    misses = 0
    while steps:
        numbers = job.numbers(way.messages)
        for arguments in way.turns(numbers):
            # A later time, or a later moment, comes while others are in flight, or never.
            occurrence = job.chance.randint(1, way.occurrences) if not misses else 1
            within = way.works_for / 2**misses
            sending = rows_of(numbers).filter(status="sending")
            before = sending.count()
            if kill_at(job, way, steps[-1], arguments, occurrence=occurrence, within=within):
                step = steps.pop()
                kills[step] += 1
                under_way += step is Step.AT_RANDOM and sending.count() > before
                misses = 0
            else:
                misses += 1
            if not steps or misses > MOST_MISSES:
                break
        judgement += settle(job, numbers, known=numbers if way.is_queued else ())
        if misses > MOST_MISSES:
            raise RuntimeError(f"{name}: no process came to die {steps[-1]}.")
        job.say(f"{name}: {count - len(steps)} of {count} killed")
    return kills, under_way, judgement


def kill_at(
    job: Job, way: Way, step: Step, arguments: tuple, *, occurrence: int, within: float
) -> bool:
    """Have a process send and kill it at a step; tell whether it came that far.

    It is the `occurrence`-th time that it comes to the step; at random, a moment of its first
    `within` seconds.
    """
    at_random = step is Step.AT_RANDOM
    fate = (None if at_random else step, occurrence, job.proxy.port)
    victim = Victim(way.role, *arguments, *fate)
    job.proxy.behaviour = Killing(victim.pid, step, occurrence, by_wire_alone=way.by_wire_alone)
    victim.go()
    if at_random:
        # The moment is drawn, so nothing in the process tells when it has come.
        time.sleep(job.chance.random() * within)
        victim.kill()
    elif way.for_ever and not victim.dies_within(3 * way.works_for):
        victim.kill()
        victim.wait()
        return False
    return victim.wait()


class Killing(Behaviour):
    """Kills a process at a moment on the wire that the process itself does not see."""

    def __init__(self, pid: int, step: Step, occurrence: int, *, by_wire_alone: bool) -> None:
        self._pid = pid
        self._step = step
        self._left = occurrence
        self._by_wire_alone = by_wire_alone

    def _comes_to(self, step: Step) -> bool:
        if step is not self._step:
            return False
        self._left -= 1
        if self._left == 0:
            os.kill(self._pid, signal.SIGKILL)
        return self._left == 0

    def connected(self, link) -> None:
        if self._by_wire_alone:
            self._comes_to(Step.AFTER_CONNECT)

    def request(self, link, piece) -> None:
        if self._by_wire_alone:
            self._comes_to(Step.AFTER_FIRST_BYTE)
        # What has left the process arrives, whatever becomes of it.
        link.to_server(piece)

    def answer(self, link, piece) -> None:
        if self._comes_to(Step.BEFORE_ANSWER):
            link.close()
            return
        link.to_client(piece)
        self._comes_to(Step.AFTER_ANSWER)


def settle(
    job: Job, numbers: Numbers, *, known: Numbers, besides: Sequence[Received] = ()
) -> Judgement:
    """Let the dead be taken for dead, have the rest done by a worker that lives, and judge.

    Args:
        job: whose provider it was.
        numbers: that were written to.
        known: those of them whose messages a caller was told to be on record.
        besides: what was answered in the simulator's place.
    """
    job.proxy.behaviour = Behaviour()
    # By the database's clock: nothing in the rows is helped along.
    time.sleep(LEASE.total_seconds())

    def is_over() -> bool:
        run_role(roles.work, None, 0, job.proxy.port)
        return not rows_of(numbers).filter(status__in=["queued", "sending"]).exists()

    wait_until(is_over, what="Ending what the dead had left")
    return judge([*job.take_receipts(), *besides], recorded(numbers), known=known)


def recorded(numbers: Numbers) -> list[Recorded]:
    """Return what the rows say of messages, by recipient."""
    columns = ("recipient", "status", "provider_message_id", "reason")
    return [Recorded(*row) for row in rows_of(numbers).values_list(*columns)]


def rows_of(numbers: Numbers):
    return MessageLog.objects.filter(recipient__gte=numbers[0], recipient__lte=numbers[-1])


# The ways


def one_each(numbers: Numbers) -> Iterator[tuple[str]]:
    for number in numbers:
        yield (number,)


def from_queue(write: Callable[[Numbers], None]):
    def turns(numbers: Numbers) -> Iterator[tuple[()]]:
        write(numbers)
        while waiting(numbers):
            yield ()

    return turns


def carried_by(broker: str, write: Callable[[Numbers], None]):
    def turns(numbers: Numbers) -> Iterator[tuple[str]]:
        app.conf.broker_url = settings.BROKERS[broker]
        write(numbers)
        try:
            while pks := waiting(numbers):
                # Also what a dead worker may still have: a message is carried more than once.
                for start in range(0, len(pks), 10):
                    dispatchers.celery(pks[start : start + 10])
                yield (broker,)
        finally:
            with app.connection_for_write() as connection:
                connection.default_channel.queue_delete(app.conf.task_default_queue)

    return turns


def queue(template: str, numbers: Numbers) -> None:
    with transaction.atomic():
        for position, number in enumerate(numbers):
            queue_message(template, number, {"order_code": f"DH-{position}", "pin": "271828"})


def queue_as_campaign(template: str, numbers: Numbers) -> None:
    rows = [{"to": number, "order_code": "DH-1024", "pin": "-"} for number in numbers]
    queue_campaign(template, rows)


def waiting(numbers: Numbers) -> list[int]:
    queued = rows_of(numbers).filter(status="queued").order_by("pk")
    return list(queued.values_list("pk", flat=True))


_order = functools.partial(queue, "order")
_order_bulk = functools.partial(queue, "order_bulk")
_offers = functools.partial(queue_as_campaign, "offer")
_offers_bulk = functools.partial(queue_as_campaign, "offer_bulk")

WAYS = {
    "one message": Way(roles.send, one_each, 60, is_queued=False, occurrences=1),
    "one at the commit": Way(roles.send_at_commit, one_each, 60, is_queued=False, occurrences=1),
    "worker": Way(roles.work, from_queue(_order), 120),
    "worker with bulk": Way(roles.work, from_queue(_order_bulk), 120, by_wire_alone=True),
    "campaign": Way(roles.work, from_queue(_offers), 120),
    "campaign with bulk": Way(roles.work, from_queue(_offers_bulk), 120, by_wire_alone=True),
    **{
        f"{what} over {broker}": Way(
            roles.work_for_celery,
            carried_by(broker, write),
            120,
            weight=1,
            works_for=CELERY_TYPICAL,
            for_ever=True,
        )
        for broker in settings.BROKERS
        for what, write in (("Celery", _order), ("campaign by Celery", _offers))
    },
}
