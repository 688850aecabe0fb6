"""`manage.py etelecom_consent`: record who agreed to advertising, or withdraw it."""

from collections.abc import Mapping
from typing import Any

from django.core.management.base import CommandError, CommandParser

from ...models import Consent
from ...number_lists import CONSENTED, WITHDRAWN, NumberList, Taken
from ..number_command import NumberCommand


class Command(NumberCommand):
    help = (
        "Records consents to advertising, from the command line or from CSV and XLSX files with "
        "the columns phone, source, given_at and withdrawn_at; again, and nothing changes. Exits "
        "with 1 if a line was faulty; the good ones are kept."
    )
    model = Consent
    own_options = ("source", "given_at", "withdraw")

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--source", help="How and where they were given, where a line does not say so."
        )
        parser.add_argument(
            "--given-at",
            metavar="TIME",
            help="When they were given, where a line does not say so, such as 2026-12-24 or "
            "'2026-12-24 08:30'; without a time zone Vietnam's.",
        )
        parser.add_argument(
            "--withdraw",
            action="store_true",
            help="Withdraw what the numbers agreed to instead; the records stay.",
        )

    def kind(self, options: Mapping[str, Any]) -> tuple[NumberList[Any], Mapping[str, str]]:
        if not options["withdraw"]:
            return CONSENTED, {name: options[name] or "" for name in ("source", "given_at")}
        if options["source"] or options["given_at"]:
            raise CommandError("With --withdraw there is neither --source nor --given-at.")
        return WITHDRAWN, {}

    def told(self, done: Taken, options: Mapping[str, Any]) -> str:
        if options["withdraw"]:
            return f"Numbers: {done.good}. Consents withdrawn: {done.changed}."
        return f"New: {done.changed}. On record before: {done.good - done.changed}."
