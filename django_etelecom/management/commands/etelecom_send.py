"""`manage.py etelecom_send`: send one message from the command line."""

import getpass
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ... import services
from ...exceptions import EtelecomError, InvalidMessage, MessageFailed, SendBlocked
from ...phone import mask


class Command(BaseCommand):
    help = "Sends one message and prints what became of it. Exits with 1 if it was not accepted."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("template", help="The template's code.")
        parser.add_argument("to", help="The phone number.")
        parser.add_argument(
            "params",
            nargs="*",
            metavar="NAME=VALUE",
            help="A parameter. NAME= alone asks for the value without showing it.",
        )
        parser.add_argument("--route", help="The name of a route rule.")
        parser.add_argument("--key", dest="idempotency_key", help="An idempotency key.")
        parser.add_argument("--check", action="store_true", help="Only show what would be sent.")

    def handle(self, *args: Any, **options: Any) -> None:
        template, to, route = options["template"], options["to"], options["route"]
        params = self._params(options["params"])
        try:
            if options["check"]:
                self._show(services.check_message(template, to, params, route=route))
                return
            message = services.send_message(
                template, to, params, route=route, idempotency_key=options["idempotency_key"]
            )
        except InvalidMessage as error:
            lines = [
                f"{field}: {sentence}"
                for field, sentences in error.message_dict.items()
                for sentence in sentences
            ]
            raise CommandError("\n".join(lines)) from None
        except SendBlocked as error:
            raise CommandError(f"{error} ({_stop(error.reason, error.retry_after)})") from None
        except (EtelecomError, ImproperlyConfigured) as error:
            raise CommandError(str(error)) from None
        for event in message.events.all():
            at = timezone.localtime(event.created_at)
            self.stdout.write(f"{at:%H:%M:%S}  {event}  {event.provider_detail}")
        try:
            message.raise_for_status()
        except MessageFailed as error:
            raise CommandError(str(error)) from None
        self.stdout.write(
            self.style.SUCCESS(
                f"Message {message.public_id} to {mask(message.recipient)} is {message.status}."
            )
        )

    def _params(self, pairs: list[str]) -> dict[str, str]:
        params: dict[str, str] = {}
        for position, pair in enumerate(pairs, start=1):
            name, separator, value = pair.partition("=")
            if not separator:
                # Not quoted: it may be a secret whose name was forgotten.
                raise CommandError(f"Parameter {position} is not of the form NAME=VALUE.")
            if name in params:
                raise CommandError(f"Parameter {position} was given before.")
            params[name] = value or self._asked(name)
        return params

    def _asked(self, name: str) -> str:
        try:
            return getpass.getpass(f"{name}: ")
        except EOFError:
            raise CommandError(f"There is nobody to ask for the value of {name}.") from None

    def _show(self, check: services.MessageCheck) -> None:
        self.stdout.write(f"To       {check.recipient}")
        self.stdout.write(f"Channels {', '.join(check.channels)}")
        self.stdout.write(f"Text     {check.text}")
        self.stdout.write(f"Wire     {check.wire}")
        for verdict in check.verdicts:
            if not verdict.passes:
                stop = _stop(verdict.reason, verdict.retry_after)
                self.stdout.write(f"Stopped  {verdict.detail} ({stop})")


def _stop(reason: str, retry_after: int | None) -> str:
    wait = "waiting does not help" if retry_after is None else f"wait {retry_after} seconds"
    return f"{reason}; {wait}"
