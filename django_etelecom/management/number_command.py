"""What the commands of the two lists of numbers have in common."""

import contextlib
import os
from abc import ABC, abstractmethod
from argparse import ArgumentTypeError
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ..models import Consent, Suppression
from ..number_lists import (
    COLUMNS,
    Line,
    NumberList,
    Taken,
    read_line,
    read_list,
    take_over,
    written,
)
from ..sheets import UnreadableSheet, write_csv
from .progress import Progress


def _argument(text: str) -> Path | str:
    """Tell a file from a phone number: files have letters in their names, or are there."""
    if not text.strip() or "\0" in text:
        raise ArgumentTypeError("a phone number or a file")
    # Not Path.is_file(), which raises where the text is too long for a name.
    if any(character.isalpha() for character in text) or os.path.isfile(text):
        return Path(text)
    return text


class NumberCommand(BaseCommand, ABC):
    """Puts numbers on one of the lists, takes them off, or writes the list out."""

    model: ClassVar[type[Suppression | Consent]]
    own_options: ClassVar[tuple[str, ...]]
    """Names of those that say what becomes of the numbers."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "numbers",
            nargs="*",
            type=_argument,
            metavar="PHONE|FILE",
            help="A phone number, or a CSV or XLSX file of them whose first line names its "
            "columns.",
        )
        parser.add_argument(
            "--export",
            metavar="FILE",
            help="Write the list as CSV into a file that is not there yet, or to - (standard "
            "output). Numbers are written out whole.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        numbers: list[Path | str] = options["numbers"]
        if bool(numbers) == bool(options["export"]):
            raise CommandError("Give phone numbers or files, or --export FILE.")
        if options["export"] and any(options[name] for name in self.own_options):
            raise CommandError(
                "The list is written out as a whole: --export takes no other option."
            )
        self._progress = Progress(self.stdout, verbosity=options["verbosity"])
        if options["export"]:
            self._export(options["export"])
            return
        kind, given = self.kind(options)
        done = Taken()
        for place, number in enumerate(numbers, start=1):
            try:
                if isinstance(number, Path):
                    with self._opened(number) as file:
                        lines = read_list(kind, file, number.name, given)
                        self._take_over(kind, lines, f"{number}, line", done)
                else:
                    line = read_line(kind, {**given, "phone": number}, number=place)
                    self._take_over(kind, iter([line]), "argument", done)
            except UnreadableSheet as error:
                raise CommandError(f"{number}: {error} {self.told(done, options)}") from None
            except ImproperlyConfigured as error:
                raise CommandError(f"{error} {self.told(done, options)}") from None
        self._progress.end(self.told(done, options))
        if done.faulty:
            raise CommandError(f"Faulty, and not taken over: {done.faulty}.")

    @abstractmethod
    def kind(self, options: Mapping[str, Any]) -> tuple[NumberList[Any], Mapping[str, str]]:
        """Return what becomes of the numbers, and the values that the options give."""

    @abstractmethod
    def told(self, done: Taken, options: Mapping[str, Any]) -> str:
        """Say what was done."""

    def _take_over(
        self, kind: NumberList[Any], lines: Iterator[Line[Any]], where: str, done: Taken
    ) -> None:
        before = Taken(done.good, done.faulty, done.changed)
        for taken, faulty in take_over(kind, lines):
            done.good = before.good + taken.good
            done.faulty = before.faulty + taken.faulty
            done.changed = before.changed + taken.changed
            for line in faulty:
                for fault in line.faults:
                    self.stderr.write(f"{where} {line.number}: {fault}")
            self._progress.tell(f"{done.good + done.faulty} lines so far.")

    @contextlib.contextmanager
    def _opened(self, path: Path) -> Iterator[Any]:
        try:
            file = path.open("rb")
        except OSError as error:
            raise UnreadableSheet(f"It cannot be read: {error.strerror}.") from None
        with file:
            yield file

    def _export(self, target: str) -> None:
        rows = self.model._default_manager.using(self.model.database())
        pieces = write_csv(written(rows.all()), list(COLUMNS[self.model]))
        if target == "-":
            for piece in pieces:
                self.stdout.write(piece, ending="")
            return
        try:
            # Whole numbers: for nobody else on this machine to read.
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise CommandError(f"{target} cannot be written: {error.strerror}.") from None
        with open(descriptor, "w", encoding="utf-8", newline="") as file:
            file.writelines(pieces)
        self._progress.end(f"Written to {target}.")
