"""`manage.py etelecom_worker`: what has to be done while nobody waits."""

import signal
import time
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ...sender import DEFAULT_CONCURRENCY
from ...worker import Tally, Worker
from ..progress import Progress


def _concurrency(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise ArgumentTypeError("a whole number from 1 to 1000")
    return int(text)


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
        if options["once"]:
            done = worker.run_once()
            if done:
                progress.end(_told(done))
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        self._run(worker, progress)

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
