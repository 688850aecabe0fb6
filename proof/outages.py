"""What a site lives through: its provider away for an hour, its credit spent, its broker or its
database down. Each is as the design says, and what it costs is bounded and told.
"""

import collections
import contextlib
import datetime
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.core.signals import setting_changed
from django.db import connection
from django.db.models import F

from django_etelecom.models import MessageLog, MessageTemplate
from django_etelecom.services import queue_message, resume_account, send_message
from django_etelecom.worker import Worker

from . import roles
from .celery_app import app
from .cuts import TOLD, server_of
from .job import Job
from .judge import Judgement, Received
from .kills import queue, rows_of, settle
from .processes import run as run_role
from .proxy import Behaviour, Link, Proxy
from .results import Result

CONCURRENCY = 8
MANY = 12
"""Messages of each kind that wait for an hour: more than are in flight at once."""

MINUTE = datetime.timedelta(minutes=1)


class Findings:
    """What is not as the design says, and what was seen besides."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.seen: list[str] = []
        self.judgement = Judgement()

    def expect(self, what: str, is_so: bool, shown: object) -> None:
        if not is_so:
            self.faults.append(f"not so: {what}; it was {shown}")


def run(job: Job) -> Result:
    """Live through each outage once."""
    findings = Findings()
    for outage in (provider_away, provider_silent, credit_spent, broker_down, database_away):
        if job.parts and outage.__name__ not in job.parts:
            continue
        outage(job, findings)
        job.say(outage.__name__)
    return Result(
        check="outages",
        database=job.database,
        times="each",
        did="the provider refuses connections for an hour, and takes them and stays silent; its "
        "credit ends in the middle; the broker is down; the database is away before the POST and "
        "after it",
        seen="; ".join(findings.seen),
        wrong={"not as the design says": len(findings.faults), **findings.judgement.wrong},
        examples=[*findings.faults, *findings.judgement.examples],
    )


def statuses(numbers) -> dict[str, int]:
    return dict(collections.Counter(rows_of(numbers).values_list("status", flat=True)))


def work() -> None:
    Worker(concurrency=CONCURRENCY).run_once()


def let_pass(time_passed: datetime.timedelta) -> None:
    """Let time pass for every message: all its instants lie further back."""
    MessageLog.objects.filter(send_at__isnull=False).update(send_at=F("send_at") - time_passed)
    for instant in ("expires_at", "lease_expires_at"):
        rows = MessageLog.objects.filter(**{f"{instant}__isnull": False})
        rows.update(**{instant: F(instant) - time_passed})


def provider_away(job: Job, findings: Findings) -> None:
    """Nothing of what is refused has left: it is tried again for as long as it is worth it."""
    orders, codes = job.numbers(MANY), job.numbers(MANY)
    MessageTemplate.objects.filter(code="order_bulk").update(category="otp")
    queue("order", orders)
    queue("order_bulk", codes)
    job.proxy.refuse()
    at_once = send_message("order", job.numbers(1)[0], {"order_code": "DH-1", "pin": "271828"})
    for _minute in range(60):
        work()
        let_pass(MINUTE)
    findings.expect("what is sent at once ends", at_once.status == "not_sent", at_once.status)
    waiting = statuses(orders)
    findings.expect("orders wait for the provider", waiting == {"queued": MANY}, waiting)
    late = statuses(codes)
    findings.expect("one-time passwords end after ten minutes", late == {"not_sent": MANY}, late)
    tries = max(rows_of(orders).values_list("attempts", flat=True))
    job.proxy.listen()
    work()
    sent = statuses(orders)
    findings.expect("orders go once it is back", sent == {"accepted": MANY}, sent)
    findings.seen.append(f"an hour of refusals: {tries} attempts a message, none lost")
    findings.judgement += settle(job, [*orders, *codes], known=[*orders, *codes])
    MessageTemplate.objects.filter(code="order_bulk").update(category="transactional")


class Silent(Behaviour):
    """Takes what comes, and answers nothing."""

    def answer(self, link: Link, piece: bytes) -> None:
        pass


@contextlib.contextmanager
def pausing(after_unknown: int) -> Iterator[None]:
    account = settings.ETELECOM["ACCOUNTS"]["default"]
    before = account["PAUSE_AFTER_UNKNOWN"]
    account["PAUSE_AFTER_UNKNOWN"] = after_unknown
    try:
        yield
    finally:
        account["PAUSE_AFTER_UNKNOWN"] = before


def provider_silent(job: Job, findings: Findings) -> None:
    """What has no answer stays unknown: the account pauses before that costs the whole queue."""
    numbers = job.numbers(200)
    queue("order", numbers)
    job.proxy.behaviour = Silent()
    with fresh_backends(), pausing(after_unknown=20):
        work()
        job.proxy.behaviour = Behaviour()
        job.proxy.cut()
        lost = statuses(numbers)
        # Those that were in flight, and those that had been claimed ahead.
        bound = 20 + 2 * CONCURRENCY
        unknown = lost.get("unknown", 0)
        findings.expect(f"at most {bound} are unknown", 20 <= unknown <= bound, lost)
        findings.expect("the rest waits", lost.get("queued") == 200 - unknown, lost)
        findings.expect("a person has it go on", resume_account("default"), "not paused")
        work()
    sent = statuses(numbers)
    findings.expect("the rest goes", sent == {"unknown": unknown, "accepted": 200 - unknown}, sent)
    findings.seen.append(
        f"silence: {unknown} unknown before the account paused (bound: 20 in a row, "
        f"{CONCURRENCY} in flight, {CONCURRENCY} claimed ahead)"
    )
    findings.judgement += settle(job, numbers, known=numbers)


class Spent(Behaviour):
    """Answers in the provider's place that there are no messages left, once so many have gone."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.refused: list[Received] = []

    def request(self, link: Link, piece: bytes) -> None:
        # One request at a time, its body behind its head.
        asked = NUMBER.search(piece)
        if asked:
            self.left -= 1
        if self.left >= 0:
            link.to_server(piece)
        elif asked:
            self.refused.append(Received(asked[0].decode(), "", "rejected"))
            body = b'{ "status": "-3", "code": "You have run out of messages" }'
            head = (
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
            )
            link.to_client(head % len(body) + body)


NUMBER = re.compile(rb"8491\d{7}")
"""A recipient."""


def credit_spent(job: Job, findings: Findings) -> None:
    """The first refusal pauses the account: what was in flight beside it is all that it costs."""
    numbers = job.numbers(100)
    queue("order", numbers)
    job.proxy.behaviour = spent = Spent(after=50)
    with fresh_backends():
        work()
        job.proxy.behaviour = Behaviour()
        job.proxy.cut()
        found = statuses(numbers)
        rejected = found.get("rejected", 0)
        findings.expect("50 were taken", found.get("accepted") == 50, found)
        findings.expect("few are refused", 1 <= rejected <= CONCURRENCY, found)
        findings.expect("the rest waits", found.get("queued") == 50 - rejected, found)
        findings.expect("a person has it go on", resume_account("default"), "not paused")
        work()
    sent = statuses(numbers)
    findings.expect(
        "the rest goes", sent == {"accepted": 100 - rejected, "rejected": rejected}, sent
    )
    findings.seen.append(
        f"credit spent: {rejected} refused before the account paused (bound: {CONCURRENCY} in "
        "flight)"
    )
    findings.judgement += settle(job, numbers, known=numbers, besides=spent.refused)


@contextlib.contextmanager
def fresh_backends() -> Iterator[None]:
    """Have connections opened anew, which meet what their proxy does now."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    # What was made by the settings is made anew.
    setting_changed.send(None, setting="ETELECOM", value=settings.ETELECOM, enter=True)


def broker_down(job: Job, findings: Findings) -> None:
    """A broker that is down costs a short wait and a log line: the row is the queue."""
    numbers = job.numbers(20)
    app.conf.broker_url = "amqp://guest:guest@127.0.0.1:1//"
    settings.ETELECOM["DISPATCHER"] = "django_etelecom.dispatchers.celery"
    began = time.monotonic()
    try:
        for number in numbers:
            queue_message("order", number, {"order_code": "DH-1024", "pin": "271828"})
    finally:
        settings.ETELECOM["DISPATCHER"] = "django_etelecom.dispatchers.worker"
    waited = time.monotonic() - began
    findings.expect("all are on record", statuses(numbers) == {"queued": 20}, statuses(numbers))
    findings.expect("callers wait for seconds at most", waited < 15, f"{waited:.1f} seconds")
    work()
    findings.expect("a worker sends them", statuses(numbers) == {"accepted": 20}, statuses(numbers))
    findings.seen.append("broker down: none lost")
    findings.judgement += settle(job, numbers, known=numbers)


# --- The database ---------------------------------------------------------------------------------


@contextlib.contextmanager
def way_to_database() -> Iterator[tuple[int, Callable[[], None], Callable[[], None]]]:
    """Give a port of the database, and what takes it away from whoever uses it and gives it back.

    SQLite has no port: there another process holds its lock for longer than anybody waits.
    """
    if connection.vendor != "sqlite":
        with Proxy(server_of(connection)) as proxy:

            def take_away() -> None:
                proxy.refuse()
                proxy.cut()

            yield proxy.port, take_away, proxy.listen
        return
    other = sqlite3.connect(
        connection.settings_dict["NAME"], isolation_level=None, check_same_thread=False
    )
    try:
        yield 0, lambda: other.execute("BEGIN EXCLUSIVE"), lambda: other.execute("ROLLBACK")
    finally:
        other.close()


def database_away(job: Job, findings: Findings) -> None:
    """Before the POST nothing is sent; after it the answer is in the log, and never sent again."""
    [before] = job.numbers(1)
    after = job.numbers(4)
    with tempfile.TemporaryDirectory() as folder, way_to_database() as (port, take_away, give_back):
        log = Path(folder) / "log"
        take_away()
        run_role(roles.send_by, roles.send, before, port, str(log))
        give_back()
        findings.expect("nothing was sent without a record", not job.simulator.receipts, "a POST")
        for number, role in zip(
            after, [roles.send, roles.send_at_commit, roles.send_queued, roles.send], strict=True
        ):
            if role is roles.send_queued:
                queue("order", [number])
            job.proxy.behaviour = Once(take_away)
            run_role(roles.send_by, role, number, port, str(log))
            job.proxy.behaviour = Behaviour()
            job.proxy.cut()
            give_back()
        told = TOLD.findall(log.read_text() if log.exists() else "")
    ids = dict(rows_of(after).values_list("recipient", "public_id"))
    answered = {one.phone_number: one.provider_message_id for one in job.simulator.receipts}
    meant = [(str(ids[number]), answered[number]) for number in after]
    findings.expect("each outcome is in the log with both ids", told == meant, told)
    findings.judgement += settle(job, [before, *after], known=after)
    found = statuses(after)
    findings.expect("each ends unknown", found == {"unknown": len(after)}, found)
    let_pass(60 * MINUTE)
    work()
    findings.expect("none is sent again", not job.simulator.receipts, "another POST")
    findings.seen.append(
        f"database away after the POST: {len(told)} of {len(after)} outcomes in the log at CRITICAL"
    )


class Once(Behaviour):
    """Does something once, before an answer is passed on."""

    def __init__(self, what: Callable[[], object]) -> None:
        self.what: Callable[[], object] | None = what

    def answer(self, link: Link, piece: bytes) -> None:
        what, self.what = self.what, None
        if what is not None:
            what()
        link.to_client(piece)
