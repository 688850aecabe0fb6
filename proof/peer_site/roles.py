"""What the processes of that site do, each in a process of its own."""

from .. import site as site  # isort: skip  # first: it loads the site

import logging
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from celery.platforms import SecurityWarning
from django.conf import settings
from django.test import Client
from post_office.mail import send_queued_mail_until_done

from django_etelecom.worker import Worker

from ..celery_app import app
from ..steps import Fate, Step, is_claim, is_record
from . import tasks as tasks
from . import urls as urls

IN_FLIGHT = 4
"""Messages that a process has in flight at a time; django-post_office has five by itself."""

# Each mail that could not be sent, and each batch: told by the table.
logging.getLogger("post_office").setLevel(logging.CRITICAL)

NOTIFICATIONS = '"peer_site_notification"'
EMAILS = '"post_office_email"'


def work(step: Step | None, occurrence: int, port: int) -> None:
    """Be `etelecom_worker --once`."""
    _meet(step, occurrence, port, claims=is_claim, records=is_record)
    Worker(concurrency=IN_FLIGHT).run_once()


def send_queued_mail(
    options: dict[str, object], lockfile: str, step: Step | None, occurrence: int, port: int
) -> None:
    """Be `send_queued_mail` of django-post_office, with these of its settings."""
    _meet(step, occurrence, port, claims=_never, records=_updates_email)
    settings.POST_OFFICE |= options
    send_queued_mail_until_done(lockfile)


def work_for_celery(queue: str, step: Step | None, occurrence: int, port: int) -> None:
    """Be a worker of Celery's on a queue, which works until it is told to end."""
    _meet(step, occurrence, port, claims=_never, records=_updates_notification)
    # That it may be root, who is told not to be.
    warnings.simplefilter("ignore", SecurityWarning)
    app.Worker(
        queues=[queue],
        pool="threads",
        concurrency=IN_FLIGHT,
        loglevel="CRITICAL",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
    ).start()


def serve_app(*web: object) -> None:
    """Be a web server's process with some threads; each request sends through the app."""
    _serve("/by-the-app/", *web, claims=is_claim, records=is_record)


def serve_saving_after(*web: object) -> None:
    _serve("/saving-after/", *web, claims=_never, records=_inserts_notification)


def serve_saving_before(*web: object) -> None:
    _serve("/saving-before/", *web, claims=_inserts_notification, records=_updates_notification)


def _serve(
    path: str,
    numbers: Sequence[str],
    access_log: str,
    step: Step | None,
    occurrence: int,
    port: int,
    **statements,
) -> None:
    """Serve a request for each number, and say in the log of each that it has come."""
    _meet(step, occurrence, port, **statements)
    with ThreadPoolExecutor(IN_FLIGHT) as threads, open(access_log, "a", buffering=1) as log:

        def serve(number: str) -> None:
            log.write(f"{number}\n")
            Client().post(path, {"to": number})

        # All of them, so that the fault of any is raised.
        list(threads.map(serve, numbers))


def _meet(step: Step | None, occurrence: int, port: int, **statements) -> None:
    if step is not None:
        Fate(step, occurrence, port=port, **statements)


def _never(sql: str, params) -> bool:
    return False


def _inserts_notification(sql: str, params) -> bool:
    return sql.startswith(f"INSERT INTO {NOTIFICATIONS}")


def _updates_notification(sql: str, params) -> bool:
    return sql.startswith(f"UPDATE {NOTIFICATIONS}")


def _updates_email(sql: str, params) -> bool:
    return sql.startswith(f"UPDATE {EMAILS}")
