"""`manage.py serve`: the example site beside a simulated provider, until Ctrl-C."""

import json
import signal
from contextlib import ExitStack
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError, CommandParser

from django_etelecom.phone import display
from django_etelecom.simulator import Outcome, Receipt, Simulator

from ...seeding import STAFF, give_staff_login, prepare_database
from ...simulation import HOST, listening_site, simulated_provider, webhook_url, working

MAGIC = [
    Outcome.ACCEPTED,
    Outcome.REFUSED_PHONE_NUMBER,
    Outcome.REFUSED_OUT_OF_MESSAGES,
    Outcome.UNAUTHORIZED,
    Outcome.SERVER_ERROR,
    Outcome.BAD_JSON,
    Outcome.HANG,
    Outcome.SLIDES_TO_SMS,
    Outcome.FAILED_AT_NIGHT,
    Outcome.FORGED_REPORT,
    Outcome.NEVER_REPORTED,
]


class Command(BaseCommand):
    help = "Serves the shop and its admin; messages go to a simulator in the same process."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000, help="The site's port; 0: any free.")
        parser.add_argument(
            "--simulator-port", type=int, default=8055, help="The simulator's port; 0: any free."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Serve until SIGINT or SIGTERM.

        Raises:
            CommandError: a port cannot be listened on.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _interrupt_once)
        try:
            self._serve(options["port"], options["simulator_port"])
        except KeyboardInterrupt:
            self.stdout.write("The shop is closed.")

    def _serve(self, port: int, simulator_port: int) -> None:
        prepare_database()
        with ExitStack() as stack:
            try:
                simulator = stack.enter_context(
                    simulated_provider(port=simulator_port, on_receipt=self._tell)
                )
            except (OSError, OverflowError) as error:
                raise _cannot_listen(simulator_port, error, "--simulator-port") from error
            try:
                site = stack.enter_context(listening_site(port))
            except (OSError, OverflowError) as error:
                raise _cannot_listen(port, error, "--port") from error
            simulator.webhook_url = webhook_url(site)
            stack.enter_context(working())
            self._greet(f"http://{HOST}:{site.server_port}/", give_staff_login(), simulator)
            site.serve_forever()

    def _greet(self, site: str, password: str, simulator: Simulator) -> None:
        lines = [
            f"The shop       {site}",
            f"The admin      {site}admin/   user {STAFF}, password {password}",
            f"The provider   {simulator.base_url}/   simulated: nothing leaves this machine",
            "",
            "What becomes of a message depends on its recipient; any other of Viet Nam arrives:",
            *(f"    0{outcome.phone_number[2:]}   {outcome.sentence}" for outcome in MAGIC),
            "",
            "Ctrl-C closes the shop. Its requests and messages, as they come:",
        ]
        self.stdout.write("\n".join(lines))
        # Whoever reads through a pipe is to see it now.
        self.stdout.flush()

    def _tell(self, receipt: Receipt) -> None:
        """Show what the phone would: without it nobody could log in with a one-time code."""
        if not receipt.template_code:
            return  # Asked what became of a message.
        sent = {"templatecode": receipt.template_code, "list_param": receipt.list_param}
        # JSON escapes what would move the terminal's cursor.
        self.stdout.write(
            f"{display(receipt.phone_number)} would get {json.dumps(sent, ensure_ascii=False)}"
        )
        self.stdout.flush()


def _cannot_listen(port: int, error: Exception, option: str) -> CommandError:
    reason = getattr(error, "strerror", None) or error
    return CommandError(f"Can't listen on port {port} ({reason}): choose another by {option}.")


def _interrupt_once(*_: object) -> NoReturn:
    # Whoever runs this for a person, such as tox, passes a second signal on while we clean up.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _ignore)
    raise KeyboardInterrupt


def _ignore(*_: object) -> None:
    """Do nothing; Python reports a signal that comes while it is being set to SIG_IGN."""
