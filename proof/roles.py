"""What the processes of the site do, each in a process of its own."""

from . import site as site  # isort: skip  # first: it loads the site

import contextlib
import datetime
import logging
import os
import time
import warnings
from collections.abc import Mapping
from typing import Any

from celery.platforms import SecurityWarning
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.test import override_settings
from django.utils import timezone

from django_etelecom import reports
from django_etelecom.exceptions import SendBlocked
from django_etelecom.models import MessageLog
from django_etelecom.sender import send_now
from django_etelecom.services import resume_account, send_message
from django_etelecom.worker import Worker

from .celery_app import app
from .steps import Fate, Step

PARAMS = {"order_code": "DH-1024", "pin": "271828"}


def send(
    number: str,
    step: Step | None,
    occurrence: int,
    port: int,
    *,
    template: str = "order",
    params: Mapping[str, str] = PARAMS,
) -> None:
    """Be a view that sends one message."""
    _meet(step, occurrence, port)
    send_message(template, number, params)


def send_at_commit(
    number: str, step: Step | None, occurrence: int, port: int, **message: Any
) -> None:
    """Be a view that sends one message, as `send` does, once its transaction has committed."""
    _meet(step, occurrence, port)
    with transaction.atomic():
        send(number, None, occurrence, port, **message)


def work(step: Step | None, occurrence: int, port: int, concurrency: int = 4) -> None:
    """Be `etelecom_worker --once`."""
    _meet(step, occurrence, port)
    Worker(concurrency=concurrency).run_once()


def work_by_clock(wrong_by: int) -> None:
    """Be `etelecom_worker --once` on a machine whose clock is wrong by so many seconds."""

    class Wrong(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return super().now(tz) + datetime.timedelta(seconds=wrong_by)

    right = time.time
    timezone.datetime = Wrong
    time.time = lambda: right() + wrong_by
    Worker(concurrency=4).run_once()


def send_queued(number: str, step: Step | None, occurrence: int, port: int) -> None:
    """Be the process that an engine gives a message's key to."""
    _meet(step, occurrence, port)
    send_now([MessageLog.objects.get(recipient=number).pk])


def send_by(role, number: str, port: int, log: str) -> None:
    """Play a role that reaches the database by a port of its own, as long as it can be reached."""
    if connection.vendor == "sqlite":
        # Of a lock that is never let go.
        connection.settings_dict["OPTIONS"]["timeout"] = 0.2
    else:
        connection.settings_dict |= {"HOST": "127.0.0.1", "PORT": port}
    handler = logging.FileHandler(log, delay=True)
    handler.setLevel(logging.CRITICAL)
    logging.getLogger("django_etelecom").handlers = [handler]
    # Whoever called is told so, and nothing more is asked here.
    with contextlib.suppress(DatabaseError, InterfaceError, SendBlocked):
        role(number, None, 0, 0)


def work_for_celery(broker: str, step: Step | None, occurrence: int, port: int) -> None:
    """Be a worker of Celery's, which works until it is killed."""
    _meet(step, occurrence, port)
    # That it may be root, who is told not to be.
    warnings.simplefilter("ignore", SecurityWarning)
    app.conf.broker_url = settings.BROKERS[broker]
    app.worker_main(
        [
            *("--quiet", "worker", "--pool=solo", "--loglevel=CRITICAL"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ]
    )


def work_off(first: str, last: str, seconds: float, log: str) -> None:
    """Be a worker that sends all that is queued, whatever pauses the accounts.

    Args:
        first: the first of the recipients.
        last: the last of them.
        seconds: that the provider has for an answer.
        log: the file for what goes wrong.
    """
    _complain_to(log)
    queued = MessageLog.objects.filter(status="queued", recipient__gte=first, recipient__lte=last)
    with _patience(seconds):
        while queued.exists():
            for alias in settings.ETELECOM["ACCOUNTS"]:
                resume_account(alias)
            if not Worker(concurrency=64).run_once():
                time.sleep(0.05)


def ask(first: str, last: str, seconds: float, log: str) -> None:
    """Ask once about each message that was accepted; the arguments are those of `work_off`."""
    _complain_to(log)
    accepted = MessageLog.objects.filter(recipient__gte=first, recipient__lte=last)
    with _patience(seconds):
        reports.refresh_many(accepted.filter(status="accepted").order_by("pk"), patience=600)


def _patience(seconds: float) -> override_settings:
    accounts = {
        alias: {**account, "TIMEOUT": seconds}
        for alias, account in settings.ETELECOM["ACCOUNTS"].items()
    }
    return override_settings(ETELECOM={**settings.ETELECOM, "ACCOUNTS": accounts})


def _complain_to(log: str) -> None:
    """Have tracebacks, and what the app logs of errors it did not expect, written to a file."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT)
    os.dup2(file, 2)
    logger = logging.getLogger("django_etelecom")
    logger.setLevel(logging.ERROR)
    for handler in logger.handlers:
        handler.addFilter(lambda record: record.exc_info or record.levelno >= logging.CRITICAL)


def _meet(step: Step | None, occurrence: int, port: int) -> None:
    if step is not None:
        Fate(step, occurrence, port=port)
