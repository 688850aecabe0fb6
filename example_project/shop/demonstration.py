"""One message for each thing that can become of it, and a check that it did become of it."""

import contextlib
import itertools
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from django_etelecom import services
from django_etelecom.exceptions import InvalidMessage, SendBlocked
from django_etelecom.explanation import explain
from django_etelecom.models import MessageEvent, MessageLog
from django_etelecom.models.messages import Reason, Source, Status
from django_etelecom.models.routes import channel_names
from django_etelecom.phone import display
from django_etelecom.redaction import MASK
from django_etelecom.simulator import Outcome, Simulator
from django_etelecom.worker import Worker

from . import one_time_codes, orders
from .models import Order, Product


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider does with a message, and what our record is to say of it then."""

    title: str
    outcome: Outcome
    status: Status
    reason: Reason | str = ""


ANSWERS = [
    Answer("The provider accepts a message", Outcome.ACCEPTED, Status.ACCEPTED),
    Answer(
        "The provider refuses the phone number",
        Outcome.REFUSED_PHONE_NUMBER,
        Status.REJECTED,
        Reason.PHONE_NUMBER,
    ),
    Answer(
        "The provider refuses: the account has no messages left",
        Outcome.REFUSED_OUT_OF_MESSAGES,
        Status.REJECTED,
        Reason.OUT_OF_MESSAGES,
    ),
    Answer(
        "The provider takes the message and does not answer in time",
        Outcome.HANG,
        Status.UNKNOWN,
        Reason.TIMEOUT,
    ),
    Answer(
        "The provider's answer is malformed",
        Outcome.BAD_JSON,
        Status.UNKNOWN,
        Reason.BAD_ANSWER,
    ),
]

PATIENCE = 15.0
"""Seconds for which a message may be on its way."""

FAULTY: tuple[str, str, dict[str, services.Value]] = (
    "order_confirmation",
    "0123 456 7890",
    {"customer_name": "x" * 31, "amount": "150.000", "delivery_date": "30/02/2026", "size": 1},
)
FAULTY_FIELDS = [
    "params.amount",
    "params.customer_name",
    "params.delivery_date",
    "params.order_code",
    "params.size",
    "to",
]


class Demonstration:
    """Send to the simulator, print the timelines, and note in `faults` what went otherwise.

    Args:
        simulator: runs, and is where messages are sent to.
        webhook_url: where it is to report to, for the scene of the reports.
        write: takes each line.
    """

    def __init__(
        self, simulator: Simulator, webhook_url: str, write: Callable[[str], object]
    ) -> None:
        self.faults: list[str] = []
        self._simulator = simulator
        self._webhook_url = webhook_url
        self._write = write
        self._messages: list[MessageLog] = []
        self._numbers = itertools.count(1)

    def play(self) -> None:
        """Play every scene; the last one stops the simulator."""
        self._write("In each line: time, source, status, reason, the provider's own words.")
        for answer in ANSWERS:
            self._answer(answer)
            if answer.reason == Reason.OUT_OF_MESSAGES:
                self._account_is_paused()
        self._one_time_code()
        self._bad_input()
        self._same_key_twice()
        self._rolled_back()
        self._slides()
        self._provider_is_down()
        self._count()

    def _answer(self, answer: Answer) -> None:
        with self._scene(answer.title, posts=1):
            message = self._placed(answer.outcome)
            self._show(message)
            self._expect("the status", message.status, answer.status)
            self._expect("the reason", message.reason, answer.reason)

    def _account_is_paused(self) -> None:
        title = "What it said has paused the account: orders go unconfirmed until it is resumed"
        with self._scene(title, posts=0):
            order = _order(Outcome.ACCEPTED)
            self._expect("the message of an order meanwhile", orders.place(order), None)
            self._line(f"order {order.code} stands, without a confirmation")
            self._blocked("account_paused", lambda: orders.confirm(order))
            self._expect("what was paused", services.resume_account("default"), True)
            self._line("messages of account “default” go again")

    def _one_time_code(self) -> None:
        # A number of its own, that had no code by an earlier run.
        to = f"0912 {secrets.randbelow(10**6):06d}"
        with self._scene("A one-time code reaches the provider and is not stored here", posts=1):
            _, code = one_time_codes.make()
            message = self._sent(services.send_message("login_otp", to, {"otp": code}))
            self._show(message)
            self._expect("the status", message.status, Status.ACCEPTED)
            received = self._simulator.receipts[-1].list_param
            self._expect("what the provider got", received, {"otp": code})
            self._expect("what is stored", message.params, {"otp": MASK})
            self._line(f"stored: otp = {message.params['otp']}")
        with self._scene("The same number asks for another code at once, and waits", posts=0):
            _, code = one_time_codes.make()
            self._blocked("cooldown", lambda: services.send_message("login_otp", to, {"otp": code}))

    def _bad_input(self) -> None:
        with self._scene("Bad input is refused before anything is written or sent", posts=0):
            faults = _faults(*FAULTY)
            for field, sentences in faults.items():
                self._line(f"{field:<22}{' '.join(sentences)}")
            self._expect("the faulty fields", sorted(faults), FAULTY_FIELDS)

    def _blocked(self, reason: str, send: Callable[[], object]) -> None:
        """Do what a guard is to stop, and show what it says."""
        told = ""
        try:
            send()
        except SendBlocked as error:
            told = error.reason
            self._line(f"{error.reason:<22}{error}")
        self._expect("what stops it", told, reason)

    def _same_key_twice(self) -> None:
        with self._scene("An order is confirmed twice by one key and sent once", posts=1):
            order = _order(Outcome.ACCEPTED)
            message = orders.place(order)
            again = orders.confirm(order)
            self._show(self._sent(again))
            self._expect("the second call's row", again, message)

    def _rolled_back(self) -> None:
        with self._scene("A transaction that is rolled back sends nothing", posts=0):
            rows = MessageLog.objects.count()
            with transaction.atomic():
                orders.place(_order(Outcome.ACCEPTED))
                transaction.set_rollback(True)
            self._expect("the rows", MessageLog.objects.count(), rows)
            self._line("no row, no message")

    def _slides(self) -> None:
        title = "ZNS fails and slides to SMS: reported by webhook, confirmed by a question"
        with self._scene(title, posts=1):
            self._simulator.webhook_url = self._webhook_url
            message = self._placed(Outcome.SLIDES_TO_SMS)
            ends_at = time.monotonic() + PATIENCE
            while message.status != Status.DELIVERED and time.monotonic() < ends_at:
                time.sleep(0.1)
                Worker().run_once()
                message.refresh_from_db()
            self._simulator.webhook_url = None
            self._show(message)
            told = explain(message, list(message.events.all()))
            for sentence in (*told.story, told.where, f"{told.cost}."):
                self._line(sentence)
            self._expect("the status", message.status, Status.DELIVERED)
            self._expect("who told it", message.status_source, Source.POLL)
            sources = set(message.events.values_list("source", flat=True))
            self._expect("who said something", sources, set(Source))

    def _provider_is_down(self) -> None:
        with self._scene("The provider's server is down: provably nothing was sent", posts=0):
            self._simulator.stop()
            message = self._placed(Outcome.ACCEPTED)
            self._show(message)
            self._expect("the status", message.status, Status.NOT_SENT)

    def _count(self) -> None:
        # A message that is `not_sent` was attempted, but no byte of its request left.
        made = [message for message in self._messages if message.status != Status.NOT_SENT]
        posts = self._posts()
        self._write(
            f"\nThe simulator received {posts} POSTs; {len(made)} of {len(self._messages)} rows "
            "say that one was made."
        )
        self._expect("the number of POSTs", posts, len(made))

    @contextlib.contextmanager
    def _scene(self, title: str, *, posts: int) -> Iterator[None]:
        self._write(f"\n{next(self._numbers):>2}. {title}")
        before = self._posts()
        yield
        self._expect("the number of POSTs", self._posts() - before, posts)

    def _posts(self) -> int:
        """Return how many messages the simulator was sent; questions have no template."""
        return sum(1 for receipt in self._simulator.receipts if receipt.template_code)

    def _placed(self, outcome: Outcome) -> MessageLog:
        order = _order(outcome)
        orders.place(order)
        return self._sent(order.confirmation)

    def _sent(self, message: MessageLog) -> MessageLog:
        """Return the row as the database has it, and count it."""
        row = MessageLog.objects.get(pk=message.pk)
        self._messages.append(row)
        return row

    def _show(self, message: MessageLog) -> None:
        self._line(
            f"{message.template_code} to {display(message.recipient)} "
            f"by {channel_names(message.channels)}"
        )
        for line in _timeline(message):
            self._line(line)
        self._line(f"now {message.get_status_display()}. {message.get_reason_display()}".rstrip())

    def _expect(self, what: str, found: object, expected: object) -> None:
        if found != expected:
            fault = f"{what} should be {expected!r} and is {found!r}"
            self.faults.append(fault)
            self._line(f"NOT AS EXPECTED: {fault}")

    def _line(self, text: str) -> None:
        self._write(f"    {text}")


def _typed(outcome: Outcome) -> str:
    """The recipient that brings the outcome, as a person types it."""
    return display(outcome.phone_number)


def _order(outcome: Outcome) -> Order:
    return Order(
        product=Product.objects.earliest("pk"), name="Nguyễn Thị Lan", phone=_typed(outcome)
    )


def _faults(template: str, to: str, params: dict[str, services.Value]) -> dict[str, list[str]]:
    try:
        services.send_message(template, to, params)
    except InvalidMessage as error:
        return error.message_dict
    return {}


def _timeline(message: MessageLog) -> Iterator[str]:
    """Yield a line for each thing that happened: time, source, status, reason, provider's words."""
    rows: list[tuple[datetime | None, object, object, str, str]] = []
    # Sent at once it is born `sending`; inside a transaction it waits for the commit.
    if message.sent_at != message.created_at:
        rows.append((message.created_at, "shop", Status.QUEUED.label, "", ""))
    rows.append((message.sent_at, "shop", Status.SENDING.label, "", ""))
    for event in message.events.all():
        said = (event.provider_status, event.provider_detail, event.channel, event.error_code)
        words = " ".join(filter(None, said))
        rows.append(
            (
                event.created_at,
                _source(event),
                # What could not be understood has no status.
                event.get_status_display() or "?",
                event.reason,
                words or event.failure_detail,
            )
        )
    for at, source, status, reason, words in rows:
        clock = timezone.localtime(at).strftime("%H:%M:%S.%f")[:-3]
        yield f"{clock}  {source:<8}  {status:<11}  {reason:<15}  {words}".rstrip()


def _source(event: MessageEvent) -> str:
    if event.source == Source.WEBHOOK:
        return "report"
    if event.source == Source.POLL:
        return "answer"
    return "provider" if event.http_status else "network"
