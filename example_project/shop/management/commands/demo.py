"""`manage.py demo`: send to a simulated provider and show what becomes of each message."""

import logging
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ...demonstration import Demonstration
from ...seeding import STAFF, give_staff_login, prepare_database
from ...simulation import listening_site, served, simulated_provider, webhook_url


class Command(BaseCommand):
    help = (
        "Sends real HTTP to a simulator in this process, prints each message's timeline and ends. "
        "Exits with 1 if anything is not as expected."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        prepare_database()
        site = listening_site(0)
        # The timelines say what the log would; the site's own set-up has just set it afresh.
        logging.getLogger("django_etelecom").setLevel(logging.CRITICAL)
        with simulated_provider() as simulator, served(site):
            self.stdout.write(f"Messages to a simulated provider at {simulator.base_url}")
            demonstration = Demonstration(simulator, webhook_url(site), self.stdout.write)
            demonstration.play()
        if demonstration.faults:
            raise CommandError(f"Not as expected: {'; '.join(demonstration.faults)}.")
        password = give_staff_login()
        self.stdout.write(self.style.SUCCESS("All as expected."))
        self.stdout.write(
            "\nLook at the messages in the admin:\n"
            "    tox run -e serve\n"
            "    http://127.0.0.1:8000/admin/etelecom/messagelog/\n"
            f"    user {STAFF}, password {password} (serve gives a new one)"
        )
