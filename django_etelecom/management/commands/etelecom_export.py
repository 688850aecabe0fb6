"""`manage.py etelecom_export`: all that is held about a number, as JSON."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import services
from ...exceptions import InvalidMessage


class Command(BaseCommand):
    help = (
        "Writes all that is held about a phone number as JSON: its messages with what became of "
        "them, suppressions, consents, rows of campaigns. Changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("phone", help="The phone number, in any form.")
        parser.add_argument(
            "--output",
            metavar="FILE",
            help="A file that does not exist yet, for your eyes only. By default it is printed.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            pieces = services.export_number(options["phone"])
        except InvalidMessage as error:
            raise CommandError(" ".join(error.messages)) from None
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        if options["output"] is None:
            for piece in pieces:
                self.stdout.write(piece, ending="")
            return
        self._write(pieces, Path(options["output"]))
        if options["verbosity"]:
            self.stdout.write(self.style.SUCCESS(f"Written to {options['output']}."))

    def _write(self, pieces: Iterator[str], path: Path) -> None:
        try:
            # Of its own from the beginning: nobody else has it open, and it leads nowhere.
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise CommandError(f"{path} cannot be made: {error.strerror}.") from None
        try:
            with open(opened, "w", encoding="utf-8") as file:
                file.writelines(pieces)
        except BaseException as error:
            # Half of a document is none.
            path.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
            raise
