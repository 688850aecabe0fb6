"""Reports in every order: what is said of one message, by transactions that overlap.

Each event is recorded by a thread with a connection of its own. It begins once the one before it
has written and before that one has committed, so what it reads is what it finds in the worst case.
"""

import collections
import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from unittest import mock

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Count, Model, Sum
from django.test import override_settings
from django.utils import timezone

from django_etelecom import events, reports
from django_etelecom.client.codes import ReportedStatus
from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.client.status import Report
from django_etelecom.events import Evidence
from django_etelecom.models import (
    Campaign,
    CampaignTally,
    DayTally,
    InboxReport,
    MessageLog,
    MessageTemplate,
    ReportedMessage,
    WaitTally,
)
from django_etelecom.models.messages import Source, Status

from .job import Job
from .processes import PATIENCE
from .results import Result

SEND = "send"

SIX = (
    SEND,
    "poll: fail on ZNS",
    "poll: success on SMS",
    "webhook: processing on ZNS",
    "webhook: fail on ZNS",
    "webhook: success on SMS",
)
REPLAYED = (SEND, "webhook: fail on ZNS", "webhook: fail on ZNS", "poll: processing on ZNS")

TOLD = {
    "processing": "accepted",
    "fail": "undelivered",
    "success": "delivered",
}
STRENGTH = ("accepted", "undelivered", "delivered")
PAID = {"ZNS": 1, "SMS": 2}

BLOCKED = 0.001
"""Seconds after which a statement that has not returned is one that waits for a lock."""

FIRST_DAY = datetime(1990, 1, 1, 12, tzinfo=UTC)
EXAMPLES = 10


def status_told(event: str) -> str:
    """Return what an event says of its message."""
    return "accepted" if event == SEND else TOLD[event.split()[1]]


def strongest(order: Sequence[str], *, confirms: bool) -> str:
    """Return what a message is to be called in the end."""
    if SEND not in order:
        return "sending"
    believed = [one for one in order if not (confirms and one.startswith("webhook"))]
    return max(map(status_told, believed), key=STRENGTH.index)


def is_possible(order: Sequence[str]) -> bool:
    """Tell whether things can happen in this order: nobody asks by an id that is not known."""
    polls = [place for place, event in enumerate(order) if event.startswith("poll")]
    return not polls or (SEND in order and order.index(SEND) < polls[0])


def orders(told: Sequence[str]) -> list[tuple[str, ...]]:
    """Return all orders, of any length, in which the events can happen, each once."""
    found = {
        order: None
        for length in range(1, len(told) + 1)
        for order in itertools.permutations(told, length)
        if is_possible(order)
    }
    return list(found)


def run(job: Job) -> Result:
    """Record every order, `job.count` times."""
    every = [*dict.fromkeys([*orders(SIX), *orders(REPLAYED)])]
    wrong = collections.Counter({"other final statuses": 0, "other events": 0, "other tallies": 0})
    seen: collections.Counter[str] = collections.Counter()
    examples: list[str] = []
    place = 0
    template = MessageTemplate.objects.get(code="order")
    campaign = Campaign.objects.create(template=template, account="default")
    with Threads(len(SIX)) as threads, _saving_can_be_held:
        for _turn, confirms in itertools.product(range(job.count), [True, False]):
            etelecom = {**settings.ETELECOM, "CONFIRM_REPORTS": confirms}
            with override_settings(ETELECOM=etelecom):
                job.chance.shuffle(every)
                for order in every:
                    message = born(campaign, place)
                    place += 1
                    faults = record(message, order, threads, seen)
                    for what, told in [*faults, *judge(message, order, confirms=confirms)]:
                        wrong[what] += 1
                        if len(examples) < EXAMPLES:
                            how = "on" if confirms else "off"
                            examples.append(f"{', '.join(order)}; CONFIRM_REPORTS {how}: {told}")
                    if not place % 50:
                        job.say(f"orders: {place} of {2 * job.count * len(every)}")
    if told := contradiction_of_campaigns():
        wrong["other tallies"] += 1
        examples.append(told)
    of_six = sum(len(order) == len(SIX) for order in every)
    return Result(
        check="report permutations up to six events",
        database=job.database,
        times=f"{place:,} orders",
        did=f"all {len(every):,} in which up to six events can come (a poll not "
        f"before the send), {of_six:,} of them of six, with CONFIRM_REPORTS on and off; "
        f"{seen['events']:,} events, each by a connection of its own",
        wrong=dict(wrong),
        seen=f"{seen['open']:,} began beside an open transaction of the one before, "
        f"{seen['blocked']:,} of them had to wait for it; {seen['after']:,} polls came after the "
        "send that gave them the id",
        examples=examples,
    )


def born(campaign: Campaign, place: int) -> MessageLog:
    """Make a message that is being sent, with a day and a name in the tallies of its own."""
    return MessageLog.objects.create(
        template=campaign.template,
        template_code=f"order {place}",
        account="default",
        campaign=campaign,
        recipient=f"8491{place:07}",
        channels=["1", "3"],
        status="sending",
        sent_at=FIRST_DAY + timedelta(days=place),
        lease_expires_at=datetime.now(UTC) + timedelta(hours=1),
    )


def id_of(message: MessageLog) -> str:
    return f"ICOMNI-{message.pk}"


def tell(message_pk: int, provider_id: str, event: str) -> None:
    """Have the app record an event, as the process that meets it does."""
    if event == SEND:
        message = MessageLog.objects.get(pk=message_pk)
        result = SendResult(outcome=Outcome.ACCEPTED, provider_message_id=provider_id)
        if events.record_send(message, result, can_be_asked=True):
            reports.match_inbox()
        return
    source, word, _on, channel = event.replace(":", "").split()
    if source == "webhook":
        report = Report(
            provider_message_id=provider_id,
            status=ReportedStatus(word),
            channel=channel,
            paid_messages=PAID[channel],
        )
        if not reports.keep(report):
            raise RuntimeError("The report was not kept.")
        return
    evidence = Evidence(
        source=Source.POLL,
        status=Status(TOLD[word]),
        channel=channel,
        paid_messages=PAID[channel],
    )
    reports.record_answer(MessageLog.objects.get(pk=message_pk), evidence)


# Overlapping


class Turn:
    """When an event of an order begins, and when it commits."""

    def __init__(self) -> None:
        self.may_begin = threading.Event()
        """The one before has written, and holds its commit."""
        self.has_begun = threading.Event()
        """Its first statement is on its way to the database."""
        self.has_returned = threading.Event()
        """That statement came back: it has waited for nobody."""
        self.has_committed = threading.Event()

    def end(self) -> None:
        """Keep nobody waiting any more."""
        for event in vars(self).values():
            event.set()


class Gate:
    """Stands before the commits of one thread's connection."""

    def __init__(self) -> None:
        self._mine: Turn | None = None
        self._next: Turn | None = None
        self._waits = False
        self.seen: collections.Counter[str] = collections.Counter()
        connection.ensure_connection()
        connection.execute_wrappers.append(self._execute)
        self._commit = connection._commit
        connection._commit = self._commit_in_turn

    def take(self, mine: Turn, following: Turn | None, *, waits: bool) -> None:
        """Be at an event from now on; `waits`: the next one begins after its commit."""
        self._mine, self._next, self._waits = mine, following, waits

    def _execute(self, execute, sql, params, many, context):
        turn = self._mine
        if not connection.in_atomic_block and "etelecom_keep_report" in sql:
            # A transaction of one statement, whose commit can be held like any other.
            with transaction.atomic():
                return self._executed(turn, execute, sql, params, many, context)
        return self._executed(turn, execute, sql, params, many, context)

    def _executed(self, turn, execute, sql, params, many, context):
        # What only reads by itself holds nothing up and is held up by nothing.
        counts = turn is not None and connection.in_atomic_block
        if counts:
            turn.has_begun.set()
        try:
            return execute(sql, params, many, context)
        finally:
            if counts:
                turn.has_returned.set()

    def _commit_in_turn(self) -> None:
        following = self._next
        if following is not None and not self._waits and not following.has_begun.is_set():
            following.may_begin.set()
            if following.has_begun.wait(PATIENCE):
                self._next = None
                waited_for_nobody = following.has_returned.wait(BLOCKED)
                self.seen["open"] += 1
                self.seen["blocked"] += not waited_for_nobody
        self._commit()
        if self._mine is not None:
            self._mine.has_committed.set()
        if following is not None:
            following.may_begin.set()


def _save_in_a_transaction(report: InboxReport, **told) -> None:
    """Save a report that waits as it is saved by itself, and so that its commit can be held."""
    with transaction.atomic():
        Model.save(report, **told)


_saving_can_be_held = mock.patch.object(InboxReport, "save", _save_in_a_transaction)


class Threads:
    """Threads with a connection each, which stay; a context manager."""

    def __init__(self, number: int) -> None:
        self._work: list[list[Callable[[Gate], None]]] = [[] for _ in range(number)]
        self._bells = [threading.Semaphore(0) for _ in range(number)]
        self._done = threading.Semaphore(0)
        self._threads = [
            threading.Thread(target=self._run, args=[place], daemon=True) for place in range(number)
        ]

    def __enter__(self) -> "Threads":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for bell in self._bells:
            bell.release()
        for thread in self._threads:
            thread.join()

    def run(self, tasks: Sequence[Callable[[Gate], None]]) -> None:
        """Run tasks side by side, to the end of all."""
        for place, task in enumerate(tasks):
            self._work[place].append(task)
            self._bells[place].release()
        for _ in tasks:
            self._done.acquire()

    def _run(self, place: int) -> None:
        gate = Gate()
        try:
            while True:
                self._bells[place].acquire()
                if not self._work[place]:
                    return
                self._work[place].pop()(gate)
                self._done.release()
        finally:
            connection.close()


def record(
    message: MessageLog,
    order: Sequence[str],
    threads: Threads,
    seen: collections.Counter[str],
) -> list[tuple[str, str]]:
    """Record events that begin in an order; return what went wrong."""
    turns = [Turn() for _ in order]
    faults: list[tuple[str, str]] = []
    sent = turns[order.index(SEND)] if SEND in order else None
    provider_id = id_of(message)
    gates: list[Gate] = []

    def task(place: int) -> Callable[[Gate], None]:
        event, turn = order[place], turns[place]
        following = turns[place + 1] if place + 1 < len(order) else None
        is_asked_next = following is not None and order[place + 1].startswith("poll")

        def run(gate: Gate) -> None:
            gates.append(gate)
            # Who asks has read the id, so the send was committed.
            gate.take(turn, following, waits=event == SEND and is_asked_next)
            try:
                if place and not turn.may_begin.wait(PATIENCE):
                    raise RuntimeError("It never came to its turn.")
                if event.startswith("poll") and not sent.has_committed.wait(PATIENCE):
                    raise RuntimeError("The send was never committed.")
                tell(message.pk, provider_id, event)
            # In a thread of its own nobody else would see it: it is kept, and counted as a fault.
            except Exception as error:  # noqa: BLE001
                faults.append(("other events", f"{event}: {type(error).__name__}: {error}"))
            finally:
                turn.end()
                if following is not None:
                    following.may_begin.set()

        return run

    threads.run([task(place) for place in range(len(order))])
    # As a worker does after every second.
    reports.match_inbox()
    for gate in gates:
        seen.update(gate.seen)
        gate.seen.clear()
    seen["events"] += len(order)
    seen["after"] += any(
        one == SEND and other.startswith("poll") for one, other in itertools.pairwise(order)
    )
    return faults


# Judging


def judge(
    message: MessageLog, order: Sequence[str], *, confirms: bool
) -> Iterator[tuple[str, str]]:
    """Yield what is not as it has to be once all is told."""
    row = MessageLog.objects.get(pk=message.pk)
    expected = strongest(order, confirms=confirms)
    if row.status != expected:
        yield "other final statuses", f"{row.status}, not {expected}"
    waiting = 0
    if SEND not in order:
        waiting, _by_model = InboxReport.objects.all().delete()
    counted = (row.events.count(), waiting)
    if counted != ((len(order), 0) if SEND in order else (0, len(order))):
        yield "other events", f"{counted[0]} events, {counted[1]} in the inbox"
    yield from judge_tallies(row)
    ends = [one for one in order if one.startswith("webhook") and "processing" not in one]
    is_reported, _by_model = ReportedMessage.objects.filter(message=row).delete()
    if is_reported != int(bool(confirms and ends and SEND in order)):
        yield "other events", f"its worker was {'' if is_reported else 'not '}told to ask"


def judge_tallies(row: MessageLog) -> Iterator[tuple[str, str]]:
    """Count one message by hand, and hold the tallies against it."""
    sums = DayTally.objects.filter(template_code=row.template_code)
    kinds = sums.values_list("day", "status", "channel", "network").annotate(
        number=Sum("number"), paid=Sum("paid_messages")
    )
    told = [kind for kind in kinds if any(kind[-2:])]
    day = row.sent_at.astimezone(timezone.get_default_timezone()).date()
    paid = row.paid_messages or 0
    truth = [(day, row.status, row.channel, row.network, 1, paid)]
    if told != (truth if row.status != "sending" else []):
        yield "other tallies", f"of the day: {told}, and it is {truth}"
    waits = WaitTally.objects.filter(day=day).aggregate(number=Sum("number"))["number"] or 0
    if waits != (row.status == "delivered"):
        yield "other tallies", f"{waits} times to delivery of a message that is {row.status}"


def contradiction_of_campaigns() -> str:
    """Return what the tallies of campaigns say that the messages do not; "": nothing."""
    tallies = CampaignTally.objects.values_list("campaign_id", "status").annotate(n=Sum("number"))
    told = {tuple(kind): number for *kind, number in tallies if number}
    ended = MessageLog.objects.exclude(campaign=None).exclude(status__in=["queued", "sending"])
    counts = ended.order_by().values_list("campaign_id", "status").annotate(n=Count("pk"))
    truth = {tuple(kind): number for *kind, number in counts}
    return "" if told == truth else f"of the campaigns: {told}, and it is {truth}"
