"""Many workers on one queue, of wrong clocks, some of which are stopped for longer than a lease."""

import contextlib
import itertools
import math
import time

from . import roles
from .job import Job
from .kills import Numbers, queue, rows_of, settle
from .processes import PATIENCE, Victim
from .results import Result
from .site import LEASE

WORKERS = 16
ROWS_A_STOP = 200
STANDING_STILL = 6
"""Workers at a time at most."""

ANSWER_AFTER = 0.2
"""Seconds, so that there is always something in flight."""

CLOCKS = (-3600, 0, 3600)
"""Seconds by which the clocks of the workers are wrong."""


def run(job: Job) -> Result:
    """Have workers send `job.count` messages, and stop one of them for every 200."""
    numbers = job.numbers(job.count)
    wanted = math.ceil(job.count / ROWS_A_STOP)
    half = len(numbers) // 2
    queue("order", numbers[:half])
    queue("order_bulk", numbers[half:])
    job.simulator.delay = ANSWER_AFTER
    clocks = itertools.cycle(CLOCKS)
    workers = [Victim(roles.work_by_clock, next(clocks)) for _ in range(WORKERS)]
    try:
        for worker in workers:
            worker.go()
        stops, lapsed = stop_some(job, workers, numbers, wanted=wanted)
        wait_for(workers, numbers)
    finally:
        for worker in workers:
            worker.kill()
        job.simulator.delay = 0.0
    judgement = settle(job, numbers, known=numbers)
    return Result(
        check="workers on one queue",
        database=job.database,
        times=f"{job.count:,} rows, {stops} stops",
        did=f"{WORKERS} workers with clocks an hour apart; each stop of one of them took "
        f"{LEASE.total_seconds() + 1:.0f} seconds, and it went on",
        seen=f"{judgement.seen}; up to {lapsed} messages at a time had lapsed under a worker that "
        "stood still",
        wrong={
            "fewer stops than were meant": wanted - stops,
            "stops under which nothing lapsed": stops if not lapsed else 0,
            **judgement.wrong,
        },
        examples=judgement.examples,
    )


def stop_some(job: Job, workers: list[Victim], numbers: Numbers, *, wanted: int) -> tuple[int, int]:
    """Stop workers and have them go on, until it was so often or nothing is left to send.

    Returns:
        How often, and how many messages had lapsed meanwhile at most.
    """
    standing: list[tuple[float, Victim]] = []
    rows = rows_of(numbers)
    stops = lapsed = 0
    while standing or (stops < wanted and rows.filter(status="queued").exists()):
        now = time.monotonic()
        if standing and standing[0][0] <= now:
            _until, worker = standing.pop(0)
            lapsed = max(lapsed, rows.filter(status="unknown").count())
            worker.carry_on()
        stand_still = [worker for _until, worker in standing]
        at_work = [worker for worker in workers if worker.runs and worker not in stand_still]
        if stops < wanted and len(standing) < STANDING_STILL and at_work:
            worker = job.chance.choice(at_work)
            # It may have just ended.
            with contextlib.suppress(ProcessLookupError):
                worker.stop()
                standing.append((now + LEASE.total_seconds() + 1.0, worker))
                stops += 1
        time.sleep(0.2)
    return stops, lapsed


def wait_for(workers: list[Victim], numbers: Numbers) -> None:
    """Wait until all of them have ended, for as long as they get on.

    Raises:
        RuntimeError: as `Victim.wait`.
    """
    queued = rows_of(numbers).filter(status="queued")
    left = len(numbers) + 1
    for worker in workers:
        while not worker.dies_within(PATIENCE) and (left_now := queued.count()) < left:
            left = left_now
        worker.wait()
