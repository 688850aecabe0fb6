"""`manage.py etelecom_import_templates`: take over what the provider has registered."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ... import services
from ...conf import settings
from ...exceptions import EtelecomError
from ...template_plan import ImportPlan, TemplateChange
from ..asking import says_yes


class Command(BaseCommand):
    help = (
        "Asks the provider for an account's templates, prints what they would change here, and "
        "changes it once somebody has said yes. New templates are not active. Exits with 1 if "
        "nobody could be asked."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--account", help="An account of the settings; not needed where there is one."
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say what would change.")
        parser.add_argument("--yes", action="store_true", help="Change it without asking.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            plan = services.check_import(options["account"] or self._only_account())
        except (EtelecomError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        self._show(plan)
        if not plan.changes:
            self.stdout.write("There is nothing to change.")
        elif options["dry_run"] or not (options["yes"] or says_yes("Make these changes?")):
            self.stdout.write("Nothing was changed.")
        else:
            self._take_over(plan)

    def _only_account(self) -> str:
        aliases = settings.account_aliases
        if not aliases:
            raise CommandError("ETELECOM['ACCOUNTS'] has no account.")
        if len(aliases) > 1:
            raise CommandError(f"Give one of the accounts by --account: {', '.join(aliases)}.")
        return aliases[0]

    def _show(self, plan: ImportPlan) -> None:
        for change in plan.changes:
            self.stdout.write(f"{'+' if change.is_new else '~'} {change.code}")
            self._tell(change)
        for template in plan.remarks:
            self.stdout.write(f"  {template.code}")
            self._tell(template)
        for sentence in plan.sentences():
            self.stdout.write(sentence)

    def _tell(self, template: TemplateChange) -> None:
        for sentence in template.sentences():
            self.stdout.write(f"    {sentence}")

    def _take_over(self, plan: ImportPlan) -> None:
        try:
            services.import_templates(plan)
        except EtelecomError as error:
            raise CommandError(f"Nothing was changed. {error}") from None
        added = sum(change.is_new for change in plan.changes)
        changed = len(plan.changes) - added
        self.stdout.write(self.style.SUCCESS(f"Templates added: {added}, changed: {changed}."))
        if added:
            self.stdout.write(
                "The new ones are not active: look at each one's category, text and route in the "
                "admin, and set it active there."
            )
