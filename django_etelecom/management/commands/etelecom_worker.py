"""`manage.py etelecom_worker`: what has to be done while nobody waits."""

import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ...worker import Tally, Worker


class Command(BaseCommand):
    help = (
        "Asks the provider what became of messages, matches its reports, and ends messages whose "
        "sending process died. Runs until it is told to stop (SIGTERM, Ctrl-C)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="Work until nothing is due, then end; for cron."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        worker = Worker()
        if options["once"]:
            self._tell(worker.run_once(), options["verbosity"])
            return
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stop())
        for done in worker.run():
            self._tell(done, options["verbosity"])

    def _tell(self, done: Tally, verbosity: int) -> None:
        if done and verbosity:
            self.stdout.write(
                f"Lapsed messages: {done.lapsed}. Reports matched: {done.matched}. "
                f"Status queries: {done.polled}."
            )
