"""`manage.py etelecom_suppress`: put numbers on the suppression list, or take them off."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...models import Suppression
from ...number_lists import SUPPRESSED, NumberList, Taken, lifted
from ..number_command import NumberCommand


class Command(NumberCommand):
    help = (
        "Puts phone numbers on the suppression list, from the command line or from CSV and XLSX "
        "files with the columns phone, reason, scope and note; again, and nothing changes. Exits "
        "with 1 if a line was faulty; the good ones are kept."
    )
    model = Suppression
    own_options = ("reason", "scope", "note", "lift")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--reason",
            choices=Suppression.Reason.values,
            help="Why, where a line does not say so (default: opt_out). With --lift: the one that "
            "holds no more (default: all).",
        )
        parser.add_argument(
            "--scope",
            choices=Suppression.Scope.values,
            help="What they get no more of (default: advertising for opt_out and complaint, "
            "everything for the others).",
        )
        parser.add_argument("--note", help="For staff, at most 255 characters.")
        parser.add_argument(
            "--lift", action="store_true", help="Take the numbers off the list instead."
        )

    def kind(self, options: Mapping[str, Any]) -> tuple[NumberList[Any], Mapping[str, str]]:
        if not options["lift"]:
            told = {name: options[name] or "" for name in ("scope", "note")}
            return SUPPRESSED, {**told, "reason": options["reason"] or "opt_out"}
        if options["scope"] or options["note"]:
            raise CommandError("With --lift there is neither --scope nor --note.")
        return lifted(options["reason"]), {}

    def told(self, done: Taken, options: Mapping[str, Any]) -> str:
        if options["lift"]:
            return f"Numbers: {done.good}. Entries lifted: {done.changed}."
        return f"New: {done.changed}. On the list before: {done.good - done.changed}."
