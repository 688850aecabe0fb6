"""Whatever can happen to messages happens to several at once, in an order that Hypothesis draws.

Sequences of 50 steps: send alone, in a transaction or undone with it, queue, write again by an
idempotency key, resend, cancel, campaigns, the worker, SIGKILL in the middle, time that passes,
polls, reports that are true, false, early or forged, templates and settings that change, a line
that is cut. After each step all is looked at: receipts, rows, moves, events, secrets, tallies. At
the end of a sequence nothing is under way. What is found is told by the shortest sequence that does
it.
"""

import copy
from collections import Counter
from typing import Any
from unittest import mock

from django.conf import settings as django_settings
from django.db import connection
from django.test import override_settings
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from django_etelecom import stripping
from django_etelecom.models import MessageLog

from .job import Job
from .life import Life
from .machine import TOKEN
from .results import Result
from .witness import WRONG, Broken

STEPS = 50
"""Of one sequence."""

TIMEOUT = 0.25
"""Seconds that the provider has to answer a process that nobody kills."""


def site() -> dict[str, Any]:
    """Return the `ETELECOM` of the process that lives; those that are killed have their own."""
    etelecom = copy.deepcopy(django_settings.ETELECOM)
    for account in etelecom["ACCOUNTS"].values():
        account["TIMEOUT"] = TIMEOUT
    return etelecom | {"WEBHOOK_TOKENS": [TOKEN], "MAX_POLLS_PER_SECOND": 1000}


def run(job: Job) -> Result:
    """Run `job.count` sequences."""
    job.simulator.hang_seconds = 2 * TIMEOUT
    job.simulator.trickle_seconds = TIMEOUT / 4
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            # Processes die here, and no machine does.
            cursor.execute("PRAGMA synchronous = OFF")
    etelecom = site()
    Life.job, Life.etelecom, Life.done, Life.broken = job, etelecom, Counter(), None
    wrong = dict.fromkeys(WRONG, 0)
    examples = []
    with (
        override_settings(ETELECOM=etelecom, ROOT_URLCONF="django_etelecom.urls"),
        # Nobody else waits for the database.
        mock.patch.object(stripping, "REST", 0.0),
    ):
        try:
            run_state_machine_as_test(
                seed(job.chance.randrange(2**32))(Life),
                settings=settings(
                    max_examples=job.count,
                    stateful_step_count=STEPS,
                    deadline=None,
                    database=None,
                    print_blob=False,
                    verbosity=Verbosity.quiet,
                    phases=[Phase.generate, Phase.shrink],
                    report_multiple_bugs=False,
                    suppress_health_check=list(HealthCheck),
                ),
            )
        # Whatever the app raises that it is not to raise is one of the things that must not happen.
        except Exception as error:  # noqa: BLE001
            # The shortest that was found comes last. One that goes well the second time cannot be
            # shortened: then it is what was seen of it.
            fault, story = Life.broken or (error, [])
            wrong[fault.wrong if isinstance(fault, Broken) else "faults"] += 1
            examples.append(f"{type(fault).__name__} {fault}, after: {'; '.join(story)}")
    done = Life.done
    return Result(
        check="stateful sequences (send, kill, webhook, poll, edit template, tick, cancel, resend)",
        database=job.database,
        times=f"{done['sequences']:,} sequences of {STEPS} steps",
        did=f"{done['steps']:,} of the steps had something to do: {done['messages']:,} messages, "
        f"{done['requests']:,} POSTs of them, {done['reports']:,} reports, "
        f"{done['kills']:,} processes killed",
        seen="where Hypothesis drew a sequence to its end, "
        + ", ".join(f"{done[one]:,} {one}" for one in MessageLog.Status.values if done[one]),
        wrong=wrong,
        examples=examples,
    )
