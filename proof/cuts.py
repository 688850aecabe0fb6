"""The network before the database: a connection ends at any byte, in every way, or is slow."""

import collections
import dataclasses
import re
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from django.db import connection

from django_etelecom.models import MessageLog
from django_etelecom.services import queue_message

from . import roles
from .faults import ENDS, End, Slow
from .job import Job
from .judge import judge
from .kills import recorded
from .processes import run as run_role
from .processes import wait_until
from .proxy import Behaviour, Link, Proxy
from .results import Result
from .site import LEASE

AT_A_TIME = 12
"""Processes that send, each with a way to the database of its own."""

TOLD = re.compile(
    r"The outcome of message (\S+) could not be recorded .* the provider's id is (\S+)\.$",
    re.MULTILINE,
)
"""What the log says at CRITICAL."""

ROLES = {
    "one message": roles.send,
    "one at the commit": roles.send_at_commit,
    "queued": roles.send_queued,
}


SLOW: dict[str, Callable[[], Behaviour]] = {
    "latency of 0.05 s": lambda: Slow(10**6, 0.05, handshake=None),
    "slices of 7 bytes": lambda: Slow(7, 0.0, handshake=None),
    "limit of 20,000 bytes a second": lambda: Slow(200, 0.01, handshake=None),
    "trickle": lambda: Slow(1, 0.0, handshake=None, side="answer"),
}
"""What a network does to a connection that it lets live."""


class Cut(Behaviour):
    """Counts what passes, over all connections, and ends the one that carries a certain byte.

    Args:
        side: `request` or `answer`: from the site, or from the server.
        after: how many bytes pass; None: all.
        end: how it ends.
        then: what is done at that moment besides.
    """

    def __init__(
        self,
        side: str = "",
        after: int | None = None,
        end: End = ENDS["reset"],
        then: Callable[[], object] = lambda: None,
    ) -> None:
        self.side = side
        self.after = after
        self.end = end
        self.then = then
        self.has_cut = False
        self.passed: collections.Counter[str] = collections.Counter()

    def request(self, link: Link, piece: bytes) -> None:
        self._pass(link, "request", piece, link.to_server)

    def answer(self, link: Link, piece: bytes) -> None:
        self._pass(link, "answer", piece, link.to_client)

    def _pass(self, link: Link, side: str, piece: bytes, send) -> None:
        self.passed[side] += len(piece)
        over = self.passed[side] - self.after if side == self.side else 0
        if self.has_cut or over <= 0:
            send(piece)
            return
        self.has_cut = True
        self.then()
        send(piece[:-over])
        self.end(link)


@dataclasses.dataclass
class Case:
    """One process that sends one message over a network before its database that fails it."""

    way: str
    number: str
    fault: str
    """Of `ENDS` or `SLOW`."""
    side: str = ""
    part: float = 0.0
    """Of all bytes that go that way: after which it ends."""
    stays_away: bool = False
    """Whether nobody listens there after that."""
    log: str = ""
    """What the process said at CRITICAL."""
    was_met: bool = False

    @property
    def told(self) -> str:
        if self.fault in SLOW:
            return f"{self.way}, {self.fault}"
        return (
            f"{self.way}, {self.fault} after {self.part:.4f} of the bytes of the {self.side}, "
            f"{'stays away' if self.stays_away else 'comes back'}"
        )


def run(job: Job) -> Result:
    """Have `job.count` processes send over a network that fails them."""
    server = server_of(connection)
    with tempfile.TemporaryDirectory() as folder:

        def send(case: Case, behaviour: Behaviour) -> None:
            with Proxy(server, behaviour) as proxy:
                if case.stays_away:
                    behaviour.then = proxy.refuse
                log = Path(folder) / case.number
                run_role(roles.send_by, ROLES[case.way], case.number, proxy.port, str(log))
                case.log = log.read_text() if log.exists() else ""

        totals = {}
        whole = [
            Case(way, number, "none")
            for way, number in zip(ROLES, job.numbers(len(ROLES)), strict=True)
        ]
        for case in whole:
            queue_for(case)
            counts = Cut()
            send(case, counts)
            totals[case.way] = counts.passed

        def meet(case: Case) -> None:
            if case.fault in SLOW:
                send(case, SLOW[case.fault]())
                case.was_met = True
                return
            after = max(1, round(case.part * totals[case.way][case.side]))
            cut = Cut(case.side, after, ENDS[case.fault])
            send(case, cut)
            case.was_met = cut.has_cut

        numbers = job.numbers(job.count)
        its = [drawn(job, number, position) for position, number in enumerate(numbers)]
        for case in its:
            queue_for(case)
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(meet, its))
    cases = [*whole, *its]
    # Until what the database did not hear the end of counts as dead by its own clock.
    time.sleep(LEASE.total_seconds())

    def is_over() -> bool:
        run_role(roles.work, None, 0, job.proxy.port)
        return not MessageLog.objects.filter(status__in=["queued", "sending"]).exists()

    wait_until(is_over, what="Ending what was left when the database was away")
    receipts = job.take_receipts()
    rows = {message.recipient: message for message in MessageLog.objects.all()}
    judgement = judge(
        receipts,
        recorded([case.number for case in cases]),
        known=[case.number for case in cases if case.way == "queued"],
    )
    issued = {receipt.to: receipt.provider_id for receipt in receipts}
    untold = [case.told for case in cases if is_untold(case, rows, issued)]
    met = collections.Counter(case.fault for case in its if case.was_met)
    statuses = collections.Counter(
        rows[case.number].status if case.number in rows else "never recorded, nothing sent"
        for case in its
        if case.was_met
    )
    lost = sum(bool(TOLD.search(case.log)) for case in its)
    return Result(
        check="network faults before the database",
        database=job.database,
        times=f"{met.total():,} messages",
        did="at any byte of either way, and at any pace: "
        + ", ".join(f"{met[fault]:,} {fault}" for fault in (*ENDS, *SLOW)),
        seen=", ".join(f"{number:,} {status}" for status, number in statuses.most_common())
        + f"; {lost:,} outcomes that could not be written are in the log at CRITICAL",
        wrong={"answered, and neither on record nor in the log": len(untold), **judgement.wrong},
        examples=[*untold[:10], *judgement.examples],
    )


def server_of(connection) -> tuple[str, int]:
    """Return host and port of a database."""
    port = (
        connection.settings_dict["PORT"] or {"postgresql": 5432, "mysql": 3306}[connection.vendor]
    )
    return connection.settings_dict["HOST"], int(port)


def drawn(job: Job, number: str, position: int) -> Case:
    ways = list(ROLES)
    return Case(
        way=ways[position % len(ways)],
        number=number,
        fault=job.chance.choice([*ENDS, *SLOW]),
        side=job.chance.choice(["request", "answer"]),
        part=job.chance.random(),
        stays_away=job.chance.random() < 0.5,
    )


def queue_for(case: Case) -> None:
    if case.way == "queued":
        queue_message("order", case.number, {"order_code": "DH-1024", "pin": "271828"})


def is_untold(case: Case, rows: dict[str, MessageLog], issued: dict[str, str]) -> bool:
    """Tell whether the provider's answer is neither in the row nor, with both ids, in the log."""
    provider_id = issued.get(case.number)
    if provider_id is None:
        return False
    row = rows[case.number]
    is_recorded = row.provider_message_id == provider_id
    return not is_recorded and (str(row.public_id), provider_id) not in TOLD.findall(case.log)
