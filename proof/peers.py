"""The app's peers in the same kills and under the same faults, and the app among them.

    python -m proof.job peers postgres://postgres@127.0.0.1:5432/postgres --count 10 --seed 1

Only what the app does is judged: a peer has not promised what the app has.
"""

import collections
import dataclasses
import importlib.metadata
import os
import re
import tempfile
import threading
import time
from collections.abc import Sequence

from django.conf import settings

from . import processes
from .job import Job
from .kills import Killing
from .peer_site import roles
from .peer_site.postmark import Postmark
from .peer_site.senders import (
    AppView,
    AppWorker,
    CarefulPostOffice,
    EarlyTask,
    LateTask,
    PostOffice,
    SavingAfter,
    SavingBefore,
    Sender,
    Site,
)
from .processes import Victim, wait_until
from .proxy import Behaviour, Proxy
from .results import Result
from .steps import Step
from .tally import Tally, tally

SENDERS = (
    AppWorker,
    AppView,
    PostOffice,
    CarefulPostOffice,
    LateTask,
    EarlyTask,
    SavingAfter,
    SavingBefore,
)

AT_RANDOM, AT_STEP = 20, 8
"""Messages of one kill."""

ANSWERS_AFTER = 0.03
"""Seconds that the provider takes, so that what is in flight is in flight for a while."""

COMES_TO_STEP = 10.0
"""Seconds after which a process that ends only by being killed comes to no step any more."""

MOST_MISSES = 10
"""Processes in a row that may end without coming to where they are to be killed."""

LOADED_LATE = (
    "anymail.backends.postmark",
    "celery.apps.worker",
    "celery.concurrency.thread",
    "kombu.transport.pyamqp",
)
"""What each process would load by itself, again and again."""

PACKAGES = ("django-post_office", "django-anymail", "celery", "requests", "urllib3")


@dataclasses.dataclass
class Trial:
    """One sender, and what was done to it."""

    sender: Sender
    did: str
    counts: Tally

    @property
    def line(self) -> str:
        """As a row of a Markdown table."""
        counts = self.counts
        lost = f"{counts.lost:,}"
        if counts.lost:
            lost += f" ({counts.never:,} never sent, {counts.unrecorded:,} sent and not recorded)"
        cells = [f"{counts.messages:,}", f"{counts.twice:,}", lost, f"{counts.false:,}"]
        cells += [f"{counts.in_doubt:,}"]
        return f"| {self.sender.name} | {self.did} | {' | '.join(cells)} |"


def run(job: Job) -> Result:
    """Kill each of them `job.count` times at random and as often at steps; then the faults."""
    trials: list[Trial] = []
    job.simulator.delay = ANSWERS_AFTER
    with (
        tempfile.TemporaryDirectory() as folder,
        Postmark(delay=ANSWERS_AFTER) as postmark,
        Proxy(("127.0.0.1", postmark.port)) as postmark_proxy,
    ):
        # Before the first process is forked, which reads it.
        os.environ["PROOF_POSTMARK_URL"] = f"http://127.0.0.1:{postmark_proxy.port}/"
        processes.preload("proof.peer_site.roles", *LOADED_LATE)
        site = Site(job, postmark, postmark_proxy, folder)
        for kind in SENDERS:
            sender = kind(site)
            job.say(sender.name)
            try:
                trials += [
                    kill_at_random(sender, job.count),
                    kill_at_steps(sender, job.count),
                    disturb(sender, job.count),
                ]
            finally:
                sender.close()
    return told(job, trials)


def told(job: Job, trials: Sequence[Trial]) -> Result:
    ours, theirs = Tally(), Tally()
    for one in trials:
        totals = ours if one.sender.is_ours else theirs
        totals += one.counts
    return Result(
        check="beside its peers",
        database=job.database,
        times=f"{ours.messages:,} messages",
        did="under the kills and faults of the table below",
        seen=f"{theirs.messages:,} of its peers, of which {theirs.twice:,} were sent twice, "
        f"{theirs.lost:,} lost, {theirs.false:,} falsely recorded",
        wrong={
            "sent twice": ours.twice,
            "lost": ours.lost,
            "falsely recorded": ours.false,
        },
        examples=ours.examples[:20],
        appendix=appendix(trials),
    )


# What is done to them


def kill_at_random(sender: Sender, count: int) -> Trial:
    """Kill a process after a random one of its messages has been answered, `count` times."""
    chance = sender.site.job.chance
    kills, misses, everyone = 0, 0, []
    while kills < count:
        numbers = ask(sender, AT_RANDOM)
        everyone += numbers
        victim = sender.start(numbers)
        sender.proxy.behaviour = KillingAfter(
            victim,
            answers=chance.randrange(1, AT_RANDOM),
            seconds=chance.random() * ANSWERS_AFTER,
        )
        # One that is to die after its last answers may have ended by then.
        is_killed = came_to_die(sender, victim)
        kills += is_killed
        misses = 0 if is_killed else misses + 1
        sender.finish(numbers)
        if misses > MOST_MISSES:
            raise RuntimeError(f"{sender.name}: after {kills} kills no process came to die.")
    return judged(sender, f"{kills:,} kills at random", everyone)


def kill_at_steps(sender: Sender, count: int) -> Trial:
    """Kill a process at each of its steps, in all about `count` times."""
    chance = sender.site.job.chance
    kills: collections.Counter[Step] = collections.Counter()
    everyone, misses = [], 0
    steps = list(sender.steps) * max(1, count // len(sender.steps))
    while steps:
        numbers = ask(sender, AT_STEP)
        everyone += numbers
        # A later time comes while others are in flight, or never.
        occurrence = chance.randint(1, 4) if not misses else 1
        victim = sender.start(numbers, steps[-1], occurrence)
        sender.proxy.behaviour = Killing(victim.pid, steps[-1], occurrence, by_wire_alone=True)
        if came_to_die(sender, victim):
            kills[steps.pop()] += 1
            misses = 0
        else:
            misses += 1
        sender.finish(numbers)
        if misses > MOST_MISSES:
            raise RuntimeError(f"{sender.name}: no process came to die {steps[-1]}.")
    each = f"{kills.total():,} kills, {min(kills.values()):,} at each of {len(kills)} steps"
    return judged(sender, each, everyone)


def disturb(sender: Sender, count: int) -> Trial:
    """Let the first request of each message arrive, and its answer not come back."""
    # Each time-out is waited for by as many as can be in flight.
    count = max(1, count // roles.IN_FLIGHT) * roles.IN_FLIGHT
    everyone = []
    for by_reset in (True, False):
        numbers = ask(sender, count)
        everyone += numbers
        sender.proxy.behaviour = fault = Unanswered(by_reset=by_reset)
        sender.finish(numbers)
        sender.proxy.behaviour = Behaviour()
        if fault.met != set(numbers):
            raise RuntimeError(f"{sender.name}: {len(fault.met)} of {count} met the fault.")
    return judged(sender, f"{count:,} connections reset, {count:,} answers withheld", everyone)


def ask(sender: Sender, count: int) -> list[str]:
    numbers = sender.site.job.numbers(count)
    sender.queue(numbers)
    return numbers


def came_to_die(sender: Sender, victim: Victim) -> bool:
    """Let it work; tell whether it was killed where it was to be."""
    victim.go()
    if sender.ends or victim.dies_within(COMES_TO_STEP):
        was_killed = victim.wait()
        sender.proxy.behaviour = Behaviour()
        return was_killed
    # First, so that it does not come there yet.
    sender.proxy.behaviour = Behaviour()
    victim.kill()
    victim.wait()
    return False


def judged(sender: Sender, did: str, numbers: Sequence[str]) -> Trial:
    sender.settle(numbers)
    # What the dead had sent off has arrived, or never will.
    links = sender.proxy.links
    wait_until(lambda: all(one.ended.is_set() for one in links), what="The end of all connections")
    asked = numbers if sender.has_queue else ()
    return Trial(sender, did, tally(sender.received(), sender.rows(numbers), asked=asked))


class KillingAfter(Behaviour):
    """Kills a process some time after the n-th answer was passed on to it."""

    def __init__(self, victim: Victim, *, answers: int, seconds: float) -> None:
        self._victim = victim
        self._left = answers
        self._seconds = seconds
        self._lock = threading.Lock()

    def answer(self, link, piece) -> None:
        link.to_client(piece)
        with self._lock:
            self._left -= 1
            is_time = self._left == 0
        if is_time:
            time.sleep(self._seconds)
            self._victim.kill()


class Unanswered(Behaviour):
    """Lets the first request to each number arrive, and no answer to it come back."""

    def __init__(self, *, by_reset: bool) -> None:
        self._by_reset = by_reset
        self._unanswered = set()
        self._lock = threading.Lock()
        self.met: set[str] = set()

    def request(self, link, piece) -> None:
        with self._lock:
            for number in NUMBER.findall(piece):
                if number.decode() not in self.met:
                    self.met.add(number.decode())
                    self._unanswered.add(link)
        link.to_server(piece)

    def answer(self, link, piece) -> None:
        if link not in self._unanswered:
            link.to_client(piece)
        elif self._by_reset:
            link.reset()


NUMBER = re.compile(rb"8491[0-9]{7}")


# How it is told


def appendix(trials: Sequence[Trial]) -> str:
    """Return the section of the page."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return "\n".join(
        [
            INTRODUCTION,
            "| who sends | what was done | messages | sent twice | lost | falsely recorded "
            "| in doubt |",
            "|---|---|---|---|---|---|---|",
            *(one.line for one in trials),
            "",
            f"{versions}, from PyPI.",
            "",
        ]
    )


INTRODUCTION = f"""\
The same kills and the same faults, of the app and of what sites use to send: by the documentation
of each, with its defaults where no setting is named. A process has {roles.IN_FLIGHT} requests in
flight at most, one of django-post_office its {roles.IN_FLIGHT + 1}. Nobody but the app has made its
promise, and only what the app does can fail the command.

- *Kills at random*: {AT_RANDOM} messages each; a process is killed after a random one of them was
  answered, then others do what it had not begun. *Kills at steps*: {AT_STEP} messages each, on the
  way to the provider and back, and before and after a row is written: those steps that it has.
- *Connections reset, answers withheld*: the first request for a message arrives, and its answer
  does not come back. Whatever is tried again meets no fault.
- *Lost*: on record as to be sent, not received, and nothing says so; or received, and nothing says
  that it was or may have been. A row that says "pending" for ever says neither. A request to a view
  that was killed before it wrote or sent anything is no message: whoever asked saw it break.
- *Falsely recorded*: as sent and not received, or as failed and received.
- *In doubt*: on record as `unknown`, for a person to look into. It is what the app says instead of
  any of these; the others have no word for it.

The Celery worker has the pool `threads` and RabbitMQ; its task is written after the user guide's
"Automatic retry for known exceptions", with `retry_backoff=True`, and does nothing where its row
says that it was sent. A worker acknowledges early in the next turn of its loop, so that a task may
have sent before: it is carried again then too. The views run in a process of {roles.IN_FLIGHT}
threads; a request that broke is not made again. `RETRY_INTERVAL` is a second. Everybody waits
{settings.TIMEOUT:g} s for an answer, which comes after {ANSWERS_AFTER:g} s.
"""
