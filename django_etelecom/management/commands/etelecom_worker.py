"""`manage.py etelecom_worker --once`: end what dead processes left behind."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...lifecycle import sweep


class Command(BaseCommand):
    help = (
        "Ends messages whose sending process died: those it had begun to send become unknown, "
        "the others not sent. Run it every minute."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once", action="store_true", help="Work until nothing is due, then end."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["once"]:
            raise CommandError("Run it with --once, for instance every minute by cron.")
        moved = sweep()
        if options["verbosity"]:
            self.stdout.write(f"Lapsed messages: {moved}")
