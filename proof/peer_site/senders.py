"""What sends: the app and its peers, and what it takes to make each send and to read its rows."""

import dataclasses
import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from post_office import mail
from post_office.models import STATUS, Email

from django_etelecom.models import MessageLog
from django_etelecom.services import queue_message

from ..celery_app import app
from ..job import Job
from ..processes import Victim, wait_until
from ..processes import run as run_role
from ..proxy import Proxy
from ..site import LEASE
from ..steps import Step
from ..tally import Word
from . import roles, tasks
from .models import Notification
from .postmark import Postmark

Numbers = Sequence[str]

CLAIM = (Step.BEFORE_CLAIM, Step.AFTER_CLAIM)
WIRE_AND_RECORD = (
    Step.BEFORE_CONNECT,
    Step.AFTER_CONNECT,
    Step.AFTER_FIRST_BYTE,
    Step.BEFORE_ANSWER,
    Step.AFTER_ANSWER,
    Step.BEFORE_COMMIT,
    Step.AFTER_COMMIT,
)

IDLE = 0.2
"""Seconds without a receipt and a changed row after which a worker without tasks is told to end."""


@dataclasses.dataclass(frozen=True)
class Site:
    """What all of them share."""

    job: Job
    postmark: Postmark
    postmark_proxy: Proxy
    folder: str


class Sender:
    """One way to send.

    Its messages are queued, if it has a queue; then a process sends them, dies or does not, and the
    rest is done by others. Nobody is at work any more once it has settled.
    """

    name: str
    steps: tuple[Step, ...] = WIRE_AND_RECORD
    """At which it can be killed."""
    is_ours = False
    has_queue = True
    """Whether all that is asked of it is on record before a process sends."""
    ends = True
    """Whether a process ends by itself when nothing is left."""

    def __init__(self, site: Site) -> None:
        self.site = site

    @property
    def proxy(self) -> Proxy:
        return self.site.job.proxy

    def queue(self, numbers: Numbers) -> None:
        """Put a message to each number on record, for processes to send."""

    def start(self, numbers: Numbers, step: Step | None = None, occurrence: int = 0) -> Victim:
        """Return a process that sends what is not sent yet; it is held."""
        raise NotImplementedError

    def finish(self, numbers: Numbers) -> None:
        """Have what the dead had not begun be done by the living."""
        one = self.start(numbers)
        one.go()
        if one.wait():
            raise RuntimeError("A process was killed by somebody else.")

    def settle(self, numbers: Numbers) -> None:
        """Do what has to be waited for, once for all of them."""

    def close(self) -> None:
        """Unmake what it has made outside of the database."""

    def rows(self, numbers: Numbers) -> Iterable[tuple[str, Word]]:
        raise NotImplementedError

    def received(self) -> list[str]:
        """Return the recipient of each receipt, and forget them."""
        return [receipt.to for receipt in self.site.job.take_receipts()]

    def count_received(self) -> int:
        return len(self.site.job.simulator.receipts)


# The app


class AppWorker(Sender):
    name = "django-etelecom: `queue_message`, `etelecom_worker`"
    steps = CLAIM + WIRE_AND_RECORD
    is_ours = True

    def queue(self, numbers: Numbers) -> None:
        with transaction.atomic():
            for number in numbers:
                queue_message("order", number, {"order_code": "DH-1024", "pin": "271828"})

    def start(self, numbers, step=None, occurrence=0):
        return Victim(roles.work, step, occurrence, self.proxy.port)

    def settle(self, numbers: Numbers) -> None:
        under_way = _messages(numbers).filter(status__in=["queued", "sending"])
        if under_way.exists():
            # Until the dead are taken for dead.
            time.sleep(LEASE.total_seconds())

        def is_over() -> bool:
            run_role(roles.work, None, 0, self.proxy.port)
            return not under_way.exists()

        wait_until(is_over, what="Ending what the dead had left")

    def rows(self, numbers: Numbers) -> Iterable[tuple[str, Word]]:
        for number, status in _messages(numbers).values_list("recipient", "status"):
            yield number, _WORDS[status]


class Web(Sender):
    """A view. A request that broke is not made again: whoever made it was told that it broke."""

    has_queue = False
    role: Callable[..., None]

    def start(self, numbers, step=None, occurrence=0):
        log = Path(self.site.folder, f"{type(self).__name__}.log")
        log.touch()
        begun = set(log.read_text().split())
        left = [number for number in numbers if number not in begun]
        return Victim(self.role, left, str(log), step, occurrence, self.proxy.port)


class AppView(Web, AppWorker):
    name = "django-etelecom: `send_message` in a view"
    role = staticmethod(roles.serve_app)

    def queue(self, numbers: Numbers) -> None:
        pass


_WORDS = {
    "queued": Word.UNDER_WAY,
    "sending": Word.UNDER_WAY,
    "accepted": Word.SENT,
    "delivered": Word.SENT,
    "undelivered": Word.SENT,
    "unknown": Word.IN_DOUBT,
    "rejected": Word.FAILED,
    "not_sent": Word.FAILED,
    "cancelled": Word.FAILED,
}


def _messages(numbers: Numbers):
    return MessageLog.objects.filter(recipient__gte=numbers[0], recipient__lte=numbers[-1])


# django-post_office


class PostOffice(Sender):
    name = "django-post_office with Anymail, by their defaults"
    options: dict[str, object] = {}

    @property
    def proxy(self) -> Proxy:
        return self.site.postmark_proxy

    def queue(self, numbers: Numbers) -> None:
        mail.send_many(
            [
                {
                    "recipients": [f"{number}@example.com"],
                    "sender": "shop@example.com",
                    "subject": "Order DH-1024",
                    "message": "Order DH-1024 is confirmed.",
                }
                for number in numbers
            ]
        )

    def start(self, numbers, step=None, occurrence=0):
        lockfile = os.path.join(self.site.folder, "post_office")
        return Victim(
            roles.send_queued_mail, self.options, lockfile, step, occurrence, self.proxy.port
        )

    def finish(self, numbers: Numbers) -> None:
        def is_over() -> bool:
            super(PostOffice, self).finish(numbers)
            left = _emails(numbers).filter(status__in=[STATUS.queued, STATUS.requeued])
            if is_left := left.exists():
                # What is to be tried again is not due at once.
                time.sleep(0.3)
            return not is_left

        wait_until(is_over, what="Emptying the queue of mails")

    def rows(self, numbers: Numbers) -> Iterable[tuple[str, Word]]:
        words = {STATUS.sent: Word.SENT, STATUS.failed: Word.FAILED}
        for recipients, status in _emails(numbers).values_list("to", "status"):
            (recipient,) = recipients
            yield recipient.partition("@")[0], words.get(status, Word.UNDER_WAY)

    def received(self) -> list[str]:
        received, self.site.postmark.received = self.site.postmark.received, []
        return [address.partition("@")[0] for address in received]

    def count_received(self) -> int:
        return len(self.site.postmark.received)


class CarefulPostOffice(PostOffice):
    name = "django-post_office with Anymail, `BATCH_SIZE` 5, `MAX_RETRIES` 4"
    # An interval of fifteen minutes, as its documentation has it, would be waited for.
    options = {"BATCH_SIZE": 5, "MAX_RETRIES": 4, "RETRY_INTERVAL": timedelta(seconds=1)}


def _emails(numbers: Numbers):
    return Email.objects.filter(to__in=[f"{number}@example.com" for number in numbers])


# A site's own code


class OwnCode(Sender):
    def rows(self, numbers: Numbers) -> Iterable[tuple[str, Word]]:
        words = {"sent": Word.SENT, "failed": Word.FAILED, "pending": Word.UNDER_WAY}
        for number, status in _notifications(numbers).values_list("recipient", "status"):
            yield number, words[status]


class LateTask(OwnCode):
    name = "Celery task, `autoretry_for`, `acks_late=True`"
    task = tasks.acknowledged_late
    ends = False

    @property
    def _queue(self) -> str:
        # What one of them has left is nothing to the next.
        return f"{settings.CELERY_TASK_DEFAULT_QUEUE}-{type(self).__name__}"

    def queue(self, numbers: Numbers) -> None:
        for one in Notification.objects.bulk_create(
            Notification(recipient=number) for number in numbers
        ):
            self.task.apply_async([one.pk], queue=self._queue)
        # Of those before, one that is done may come again, which does nothing.
        wait_until(lambda: self._ask_broker()[0] >= len(numbers), what="Queueing all tasks")

    def start(self, numbers, step=None, occurrence=0):
        return Victim(roles.work_for_celery, self._queue, step, occurrence, self.proxy.port)

    def finish(self, numbers: Numbers) -> None:
        is_over = False
        while not is_over:
            one = self.start(numbers)
            one.go()
            if self._is_all_done(numbers):
                one.kill()
                is_over = True
            else:
                # It ends what it is at, and gives back what it has not begun.
                os.kill(one.pid, signal.SIGTERM)
            one.wait()
            is_over = is_over or not self._ask_broker()[0]

    def _is_all_done(self, numbers: Numbers) -> bool:
        """Wait until no row is pending; or tell that the tasks of some seem to be gone for good."""
        pending = _notifications(numbers).filter(status=Notification.Status.PENDING)
        seen, since = None, time.monotonic()

        def is_idle() -> bool:
            nonlocal seen, since
            waiting, workers = self._ask_broker()
            sees = (pending.count(), self.count_received(), waiting, workers)
            if sees != seen:
                seen, since = sees, time.monotonic()
            if not workers or waiting:
                return False
            return not sees[0] or time.monotonic() - since > IDLE

        wait_until(is_idle, what="A worker of Celery's")
        return not pending.exists()

    def _ask_broker(self) -> tuple[int, int]:
        """Return how many tasks wait that no worker holds, and how many workers there are."""
        with app.connection_for_read() as connection:
            told = connection.default_channel.queue_declare(self._queue, passive=True)
            return told.message_count, told.consumer_count

    def close(self) -> None:
        with app.connection_for_write() as connection:
            connection.default_channel.queue_delete(self._queue)


class EarlyTask(LateTask):
    name = "Celery task, `autoretry_for`, `acks_late=False`"
    task = tasks.acknowledged_early


class SavingAfter(Web, OwnCode):
    name = "view that saves after its POST, `Retry(total=3, allowed_methods=None)`"
    role = staticmethod(roles.serve_saving_after)


class SavingBefore(Web, OwnCode):
    name = "view that saves before and after its POST, no retry"
    role = staticmethod(roles.serve_saving_before)
    steps = CLAIM + WIRE_AND_RECORD


def _notifications(numbers: Numbers):
    return Notification.objects.filter(recipient__gte=numbers[0], recipient__lte=numbers[-1])
