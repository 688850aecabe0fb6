"""`manage.py etelecom_prune`: keep no message longer than its retention."""

from collections import Counter
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...conf import CATEGORIES, settings
from ...retention import Pruned, prune
from ...stripping import DEFAULT_BATCH
from ..batches import batch_size, ending_by_signals
from ..progress import Progress


class Command(BaseCommand):
    help = (
        "Strips and deletes messages that are past the retention of their category "
        "(ETELECOM['RETENTION']). SIGTERM and Ctrl-C end it after the batch at hand."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--dry-run", action="store_true", help="Only say what would be stripped and deleted."
        )
        parser.add_argument(
            "--batch-size",
            type=batch_size,
            default=DEFAULT_BATCH,
            help="How many messages one transaction takes at most (default: %(default)s).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._progress = Progress(self.stdout, verbosity=options["verbosity"])
        try:
            if not any(settings.retention(category).personal for category in CATEGORIES):
                self._progress.end("ETELECOM['RETENTION'] sets no days: everything is kept.")
                return
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        with ending_by_signals() as self._is_stopping:
            pruned = prune(
                dry_run=options["dry_run"], batch_size=options["batch_size"], go_on=self._go_on
            )
        self._progress.end(self._told(pruned, would=options["dry_run"]))

    def _go_on(self, pruned: Pruned) -> bool:
        deleted, stripped = pruned.deleted.total(), pruned.stripped.total()
        self._progress.tell(f"{deleted} deleted, {stripped} stripped so far.")
        return not self._is_stopping()

    def _told(self, pruned: Pruned, *, would: bool) -> str:
        deleted, stripped = ("Would delete", "Would strip") if would else ("Deleted", "Stripped")
        lines = [
            f"{deleted}: {_counts(pruned.deleted)}.",
            f"{stripped}: {_counts(pruned.stripped)}.",
        ]
        if pruned.rows:
            lines.append(f"{deleted} rows of campaigns: {pruned.rows}.")
        if pruned.not_ended:
            sentence = "that have not ended. Is etelecom_worker running?"
            lines.append(f"Left: {pruned.not_ended} {sentence}")
        if pruned.held:
            lines.append(f"Not deleted yet: {pruned.held} that another row points at.")
        if self._is_stopping():
            lines.append("Told to stop: the rest is for the next run.")
        return "\n".join(lines)


def _counts(by_category: Counter[str]) -> str:
    told = ", ".join(f"{count} {category}" for category, count in sorted(by_category.items()))
    return f"{by_category.total()} ({told})" if told else "0"
