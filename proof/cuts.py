"""A database that goes away: its connection is cut at any byte, and comes back or stays away."""

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
from .job import Job
from .judge import judge
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


class Cut(Behaviour):
    """Counts what passes, over all connections, and cuts at a byte the one that carries it.

    Args:
        side: `request` or `answer`: from the site, or from the server.
        after: how many bytes pass; None: all.
        then: what is done at that moment.
    """

    def __init__(
        self, side: str = "", after: int | None = None, then: Callable[[], object] = lambda: None
    ) -> None:
        self.side = side
        self.after = after
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
        link.reset()


@dataclasses.dataclass
class Case:
    """One process that sends one message over a connection to the database that is cut."""

    way: str
    number: str
    side: str
    part: float
    """Of all bytes that go that way: after which it is cut."""
    stays_away: bool
    log: str = ""
    """What the process said at CRITICAL."""
    has_cut: bool = False

    @property
    def told(self) -> str:
        return (
            f"{self.way}, cut after {self.part:.4f} of the bytes of the {self.side}, "
            f"{'stays away' if self.stays_away else 'comes back'}"
        )


def run(job: Job) -> Result:
    """Cut the connection of `job.count` processes."""
    server = server_of(connection)
    with tempfile.TemporaryDirectory() as folder:

        def send(case: Case, behaviour: Cut) -> None:
            with Proxy(server, behaviour) as proxy:
                if case.stays_away:
                    behaviour.then = proxy.refuse
                log = Path(folder) / case.number
                run_role(roles.send_by, ROLES[case.way], case.number, proxy.port, str(log))
                case.log = log.read_text() if log.exists() else ""
                case.has_cut = behaviour.has_cut

        totals = {}
        cases = [
            Case(way, number, "", 0.0, stays_away=False)
            for way, number in zip(ROLES, job.numbers(len(ROLES)), strict=True)
        ]
        for case in cases:
            queue_for(case)
            whole = Cut()
            send(case, whole)
            totals[case.way] = whole.passed

        def meet(case: Case) -> None:
            total = totals[case.way][case.side]
            send(case, Cut(case.side, max(1, round(case.part * total))))

        numbers = job.numbers(job.count)
        its = [drawn(job, number, position) for position, number in enumerate(numbers)]
        for case in its:
            queue_for(case)
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            list(pool.map(meet, its))
    cases += its
    # Until what the database did not hear the end of counts as dead by its own clock.
    time.sleep(LEASE.total_seconds())

    def is_over() -> bool:
        run_role(roles.work, None, 0, job.proxy.port)
        return not MessageLog.objects.filter(status__in=["queued", "sending"]).exists()

    wait_until(is_over, what="Ending what was left when the database was away")
    receipts = job.take_receipts()
    rows = {message.recipient: message for message in MessageLog.objects.all()}
    verdict = judge(
        receipts,
        [(one.recipient, one.status, one.provider_message_id) for one in rows.values()],
        recorded=[case.number for case in cases if case.way == "queued"],
    )
    untold = [case.told for case in cases if is_untold(case, rows, dict(receipts))]
    statuses = collections.Counter(
        rows[case.number].status if case.number in rows else "never recorded, nothing sent"
        for case in its
        if case.has_cut
    )
    lost = sum(bool(TOLD.search(case.log)) for case in its)
    return Result(
        check="connection to the database cut",
        database=job.database,
        times=f"{statuses.total():,} cuts",
        did="at any byte of either way: "
        + ", ".join(f"{number:,} {status}" for status, number in statuses.most_common()),
        seen=f"{lost:,} outcomes that could not be written are in the log at CRITICAL",
        wrong={"answered, and neither on record nor in the log": len(untold), **verdict.wrong},
        examples=[*untold[:10], *verdict.examples],
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
