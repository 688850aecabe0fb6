"""`manage.py etelecom_erase`: erase what is held about a number."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import services
from ...exceptions import InvalidMessage
from ...phone import mask, recognize
from ...privacy import Erased
from ...stripping import DEFAULT_BATCH
from ..asking import says_yes
from ..batches import batch_size, ending_by_signals
from ..progress import Progress


class Command(BaseCommand):
    help = (
        "Erases what is held about a phone number, but for the counts and the proof that something "
        "was sent and when. Says what would go, and asks. SIGTERM and Ctrl-C end it after the "
        "batch at hand. Exits with 1 if something is left: run it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("phone", help="The phone number, in any form.")
        parser.add_argument(
            "--suppress",
            action="store_true",
            help="Keep its hash, and send nothing to it any more.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say what would go.")
        parser.add_argument("--yes", action="store_true", help="Erase it without asking.")
        parser.add_argument(
            "--batch-size",
            type=batch_size,
            default=DEFAULT_BATCH,
            help="How many messages one transaction takes at most (default: %(default)s).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._progress = Progress(self.stdout, verbosity=options["verbosity"])
        try:
            self._shown = mask(recognize(options["phone"]))
            if options["dry_run"] or not options["yes"]:
                would = services.erase_number(options["phone"], dry_run=True)
                self._progress.end("\n".join(self._told(would, verb="Would erase")))
                if options["dry_run"] or not says_yes("Erase it? It cannot be had back."):
                    self._progress.end("Nothing was changed.")
                    return
            erased = self._erase(options)
        except InvalidMessage as error:
            raise CommandError(" ".join(error.messages)) from None
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        lines = list(self._told(erased, verb="Erased"))
        if options["suppress"]:
            lines.append("It is on the suppression list: nothing is sent to it any more.")
        self._progress.end("\n".join(lines))
        if not erased.is_complete:
            raise CommandError("Not all of it is erased: run it again.")

    def _erase(self, options: dict[str, Any]) -> Erased:
        with ending_by_signals() as is_to_end:

            def go_on(erased: Erased) -> bool:
                self._progress.tell(f"{erased.messages} messages erased so far.")
                return not is_to_end()

            return services.erase_number(
                options["phone"],
                suppress=options["suppress"],
                batch_size=options["batch_size"],
                go_on=go_on,
            )

    def _told(self, erased: Erased, *, verb: str) -> Iterator[str]:
        yield (
            f"{verb} of {self._shown}: messages {erased.messages} "
            f"(cancelled before they were sent: {erased.cancelled}), "
            f"rows of campaigns {erased.rows}, early reports {erased.reports}."
        )
        if erased.suppressions or erased.consents:
            yield (
                f"By its hash alone stay: suppressions {erased.suppressions}, "
                f"consents {erased.consents}, which are withdrawn."
            )
        if erased.unreadable:
            yield (
                f"Could not be looked into: {erased.unreadable} rows or uploads of campaigns, "
                "which no key of ENCRYPTION_KEYS or SECRET_KEY opens."
            )
        if erased.being_loaded:
            yield (
                f"Left: {erased.being_loaded} campaigns whose rows are being loaded, and may have "
                "the number. Is etelecom_worker running?"
            )
        if erased.left and not erased.was_ended:
            yield (f"Left: {erased.left} messages that are being sent. That takes a minute or two.")
        if erased.was_ended:
            yield f"Told to stop: {erased.left} messages are left."
