"""`manage.py etelecom_worker`: what has to be done while nobody waits."""

import contextlib
import signal
import threading
import time
from argparse import ArgumentTypeError
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ...sender import DEFAULT_CONCURRENCY
from ...worker import Tally, Worker
from ..progress import Progress


def _concurrency(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise ArgumentTypeError("a whole number from 1 to 1000")
    return int(text)


@contextlib.contextmanager
def _ended_by_signals(worker: Worker) -> Iterator[None]:
    """Have SIGTERM and Ctrl-C stop a worker; in a thread of its own the process's are not its."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, lambda *_: worker.stop())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            # None: it was not set by Python.
            signal.signal(number, handler or signal.SIG_DFL)


class Command(BaseCommand):
    help = (
        "Sends what is queued, asks the provider what became of messages, matches its reports, and "
        "ends messages whose sending process died. Runs until it is told to stop (SIGTERM, Ctrl-C)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="Work until nothing is due, then end; for cron."
        )
        parser.add_argument(
            "--concurrency",
            type=_concurrency,
            default=DEFAULT_CONCURRENCY,
            help="How many queued messages are in flight at most (default: %(default)s).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        worker = Worker(concurrency=options["concurrency"])
        progress = Progress(self.stdout, verbosity=options["verbosity"])
        with _ended_by_signals(worker):
            if not options["once"]:
                self._run(worker, progress)
            elif done := worker.run_once():
                progress.end(_told(done))

    def _run(self, worker: Worker, progress: Progress) -> None:
        since = time.monotonic()
        done = Tally()
        for turn in worker.run():
            if turn:
                # A burst of work is told of as one, with its pace.
                since = since if done else time.monotonic()
                done += turn
                seconds = time.monotonic() - since
                pace = f" {done.sent / seconds:.0f}/s." if done.sent and seconds > 1 else ""
                progress.tell(_told(done) + pace)
            elif done:
                progress.end(_told(done))
                done = Tally()
        if done:
            progress.end(_told(done))


def _told(done: Tally) -> str:
    return (
        f"Sent: {done.sent}. Lapsed: {done.lapsed}. Reports matched: {done.matched}. "
        f"Status queries: {done.polled}."
    )
