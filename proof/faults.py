"""Everything that a network can do to one exchange, at each of its moments, plain and under TLS."""

import collections
import contextlib
import dataclasses
import itertools
import queue
import random
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import certifi
import trustme
from django.conf import settings
from django.db import connection

from django_etelecom.models import MessageLog
from django_etelecom.sender import send_now
from django_etelecom.services import queue_message, send_message
from django_etelecom.simulator import Simulator
from django_etelecom.simulator.outcomes import Outcome
from django_etelecom.worker import Worker

from .job import Job, define_template, port_of
from .judge import Recorded, judge, received
from .processes import wait_until
from .proxy import Behaviour, Link, Proxy
from .results import Result
from .settings import account
from .site import LEASE

CONNECT_TIMEOUT = 2.0
TIMEOUT = 3.0
TOO_LONG = 4.0
"""Seconds after which nobody waits any more."""

REQUEST = 370
"""Bytes of a request at least."""

SLOTS = 4
"""Exchanges of each kind at a time, each over a proxy of its own."""

# --- What a network does --------------------------------------------------------------------------

End = Callable[[Link], None]


def close(link: Link) -> None:
    link.close()


def reset(link: Link) -> None:
    link.reset()


def stall(link: Link) -> None:
    """Let nothing through any more, and say nothing."""
    link.ended.wait(TOO_LONG)
    link.close()


def half_close(link: Link) -> None:
    """End the answer, and go on listening."""
    link.client.shutdown(socket.SHUT_WR)


ENDS: dict[str, End] = {
    "closed": close,
    "reset": reset,
    "silent": stall,
    "half-closed": half_close,
}


class Fault(Behaviour):
    """Something that a network does once a connection has come so far.

    Args:
        handshake: None: the connection is plain, or its handshake is over. True: it happens within
            the handshake. False: after the handshake that is still to come.
    """

    def __init__(self, *, handshake: bool | None) -> None:
        self.handshake = handshake

    def greeted(self, link: Link) -> int:
        """Return how many bytes of the client's are not of the request; few more are."""
        # What ends a client's part of a TLS 1.3 handshake takes less than a hundred bytes.
        return link.hello + 100 if self.handshake is False else 0

    def has_asked(self, link: Link) -> bool:
        return bool(self.handshake) or link.passed > self.greeted(link)


class CutRequest(Fault):
    """Ends a connection after so many bytes from the client."""

    def __init__(self, after: int, end: End, *, handshake: bool | None) -> None:
        super().__init__(handshake=handshake)
        self.after = after
        self.end = end
        self.is_over = False

    def request(self, link: Link, piece: bytes) -> None:
        room = self.greeted(link) + self.after - link.passed
        if self.is_over or len(piece) < room:
            link.to_server(piece)
        else:
            self.is_over = True
            link.to_server(piece[:room])
            self.end(link)


class CutAnswer(Fault):
    """Ends a connection after so many bytes of the answer, or of the server's in a handshake."""

    def __init__(self, after: int, end: End, *, handshake: bool | None) -> None:
        super().__init__(handshake=handshake)
        self.after = after
        self.end = end

    def answer(self, link: Link, piece: bytes) -> None:
        if not self.has_asked(link):
            link.to_client(piece)
            return
        passed, self.after = piece[: self.after], max(0, self.after - len(piece))
        link.to_client(passed)
        if not self.after:
            self.end(link)


class Slow(Fault):
    """Passes pieces of so many bytes on, each after a rest, the first after a longer one."""

    def __init__(
        self, size: int, rest: float, *, handshake: bool | None, first: float = 0.0, side: str = ""
    ) -> None:
        super().__init__(handshake=handshake)
        self.size = size
        self.rest = rest
        self.first = first
        self.side = side
        """`request` or `answer`; both else."""

    def request(self, link: Link, piece: bytes) -> None:
        if self.side == "answer" or link.passed + len(piece) <= self.greeted(link):
            link.to_server(piece)
        else:
            self._pass(link, piece, link.to_server)

    def answer(self, link: Link, piece: bytes) -> None:
        if self.side == "request" or not self.has_asked(link):
            link.to_client(piece)
        else:
            self._pass(link, piece, link.to_client)

    def _pass(self, link: Link, piece: bytes, send: Callable[[bytes], None]) -> None:
        first, self.first = self.first, 0.0
        link.ended.wait(first)
        for start in range(0, len(piece), self.size):
            if link.ended.wait(self.rest):
                return
            send(piece[start : start + self.size])


class CloseIdle(Behaviour):
    """Has closed a kept connection by the time that it is wanted again."""


# --- The cases ------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Case:
    """One exchange, what is done to it, and what has to be said of the message."""

    fault: str
    behaviour: Behaviour | None
    """None: nobody listens."""
    expected: str
    """Status of a message that is sent at once; one that waits for a worker is queued again where
    this is `not_sent`."""
    tls: bool
    bulk: bool
    queued: bool
    kept: bool
    """Whether the connection has carried a message before."""
    to: str
    """Number of the recipient."""

    @property
    def told(self) -> str:
        words = [
            self.fault,
            "TLS" if self.tls else "plain",
            "bulk" if self.bulk else "http",
            "queued" if self.queued else "at once",
            *(["on a kept connection"] if self.kept else []),
        ]
        return ", ".join(words)


def faults(chance: random.Random, *, handshake: bool | None) -> list[tuple[str, Behaviour, str]]:
    """Return what a network does, with drawn moments: its name, how it is done, what comes of it.

    Args:
        chance: draws the moments.
        handshake: as in `Fault`, but not True: of the connections that come through.
    """
    its = {"handshake": handshake}
    asked, answered = chance.randint(1, REQUEST), chance.randint(0, 150)
    cuts = [
        (f"{verb} after {what}", make(number, end, **its), "unknown")
        for verb, end in ENDS.items()
        for what, make, number in [
            (f"byte {asked} of the request", CutRequest, asked),
            (f"byte {answered} of the answer", CutAnswer, answered),
        ]
    ]
    size = chance.randint(1, 40)
    return [
        *cuts,
        (
            "answer that comes too late",
            Slow(10**6, 0, first=TOO_LONG, side="answer", **its),
            "unknown",
        ),
        (
            "request that comes too late",
            Slow(10**6, 0, first=TOO_LONG, side="request", **its),
            "unknown",
        ),
        ("trickle", Slow(1, 0.1, side="answer", **its), "unknown"),
        (f"slices of {size} bytes", Slow(size, 0.0, **its), ""),
        ("latency of 0.2 s", Slow(10**6, 0.2, **its), ""),
        ("limit of 4,000 bytes a second", Slow(100, 0.025, **its), ""),
    ]


def handshake_faults(chance: random.Random) -> list[tuple[str, Behaviour, str]]:
    """Return what a network does to a handshake: nothing of the request can have left."""
    its = {"handshake": True}
    # The server's first word alone, a handshake that is resumed has little more, takes that.
    hello, greeting = chance.randint(1, 200), chance.randint(0, 100)
    return [
        *(
            (
                f"{verb} after byte {number} of the {whose} handshake",
                make(number, end, **its),
                "not_sent",
            )
            for verb, end in ENDS.items()
            for whose, make, number in [
                ("client's", CutRequest, hello),
                ("server's", CutAnswer, greeting),
            ]
        ),
        ("handshake that takes too long", Slow(10**6, 0, first=TOO_LONG, **its), "not_sent"),
        ("trickled handshake", Slow(1, 0.1, side="answer", **its), "not_sent"),
    ]


REFUSED = [Outcome.REFUSED_PHONE_NUMBER, Outcome.REFUSED_PARAMETER]
"""Refusals that leave the account at work."""


def cases(job: Job) -> Iterator[Case]:
    """Return exchanges without end: every fault in every way of sending, in rounds."""
    chance = job.chance
    while True:
        one_round = []
        for tls in (False, True):
            for bulk in (False, True):
                for queued in (False, True):
                    way = {"tls": tls, "bulk": bulk, "queued": queued}
                    refused = [("refused", None, "not_sent")]
                    fresh = [*faults(chance, handshake=False if tls else None), *refused]
                    if tls:
                        fresh += handshake_faults(chance)
                    kept = [*faults(chance, handshake=None), ("closed while idle", CloseIdle(), "")]
                    for is_kept, found in ((False, fresh), (True, kept)):
                        for name, behaviour, expected in found:
                            to = job.numbers(1)[0]
                            if not expected and chance.random() < 0.3:
                                expected, to = "rejected", chance.choice(REFUSED).phone_number
                            one_round.append(
                                Case(
                                    fault=name,
                                    behaviour=behaviour,
                                    expected=expected or "accepted",
                                    kept=is_kept,
                                    to=to,
                                    **way,
                                )
                            )
        chance.shuffle(one_round)
        yield from (case for case in one_round if all(part in case.told for part in job.parts))


# --- The site -------------------------------------------------------------------------------------


class Slot:
    """An account, and the proxy before its provider."""

    def __init__(self, alias: str, proxy: Proxy) -> None:
        self.alias = alias
        self.proxy = proxy


@contextlib.contextmanager
def slots(simulator: Simulator, *, bulk: bool) -> Iterator["queue.SimpleQueue[Slot]"]:
    """Make accounts that reach a provider by proxies of their own."""
    free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
    scheme = "https" if simulator.tls else "http"
    backend = "bulk.BulkBackend" if bulk else "http.HTTPBackend"
    with contextlib.ExitStack() as proxies:
        for number in range(SLOTS):
            alias = f"{scheme}-{'bulk' if bulk else 'http'}-{number}"
            proxy = proxies.enter_context(Proxy(("127.0.0.1", port_of(simulator))))
            settings.ETELECOM["ACCOUNTS"][alias] = account(
                BASE_URL=f"{scheme}://127.0.0.1:{proxy.port}",
                BACKEND=f"django_etelecom.backends.{backend}",
                CONNECT_TIMEOUT=CONNECT_TIMEOUT,
                TIMEOUT=TIMEOUT,
            )
            define_template(alias, account=alias)
            free.put(Slot(alias, proxy))
        yield free


@contextlib.contextmanager
def tls_simulator() -> Iterator[Simulator]:
    """Make a simulator that speaks TLS, and have this process trust it."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with tempfile.TemporaryDirectory() as folder, Simulator(tls=context) as simulator:
        trusted = Path(folder) / "authority.pem"
        authority.cert_pem.write_to_path(trusted)
        where, certifi.where = certifi.where, lambda: str(trusted)
        try:
            yield simulator
        finally:
            certifi.where = where


# --- The check ------------------------------------------------------------------------------------


def run(job: Job) -> Result:
    """Have `job.count` messages meet a fault each."""
    wrong_status: list[str] = []
    statuses: collections.Counter[str] = collections.Counter()
    with contextlib.ExitStack() as stack:
        secure = stack.enter_context(tls_simulator())
        by_kind = {
            (simulator is secure, bulk): stack.enter_context(slots(simulator, bulk=bulk))
            for simulator in (job.simulator, secure)
            for bulk in (False, True)
        }

        def meet(case: Case) -> None:
            free = by_kind[case.tls, case.bulk]
            slot = free.get()
            try:
                # A kept connection is trusted for some seconds only; a machine may be slower.
                tries = (send_through(case, slot) for _ in range(5))
                message = next(filter(None, tries), None)
                expected = case.expected
                if case.queued and expected == "not_sent":
                    expected = "queued"
                status = message.status if message else "sent over a new connection each time"
                statuses[status] += 1
                if status != expected:
                    since = f", since {told_of(message)}" if message else ""
                    wrong_status.append(f"{case.told}: {status} in place of {expected}{since}")
            finally:
                free.put(slot)
                connection.close()

        every = cases(job)
        with ThreadPoolExecutor(SLOTS * len(by_kind)) as pool:
            list(pool.map(meet, [next(every) for _ in range(job.count)]))
        # What was queued again goes through a network that is well, and once; what had lapsed
        # meanwhile does so by the database's own clock.
        time.sleep(LEASE.total_seconds())

        def is_over() -> bool:
            Worker().run_once()
            return not MessageLog.objects.filter(status__in=["queued", "sending"]).exists()

        wait_until(is_over, what="Sending what was queued again")
        receipts = [*job.simulator.receipts, *secure.receipts]
    # What was cut within its head asks for nothing.
    its = [received(one, one.list_param["order_code"]) for one in receipts if one.json]
    rows = [
        Recorded(one.params["order_code"], one.status, one.provider_message_id, one.reason)
        for one in MessageLog.objects.all()
    ]
    judgement = judge(its, rows, known=[row.to for row in rows])
    return Result(
        check="network faults",
        database=job.database,
        times=f"{job.count:,} messages",
        did="each with a fault of its own: "
        + ", ".join(f"{number:,} {status}" for status, number in statuses.most_common()),
        wrong={"with another status than the right one": len(wrong_status), **judgement.wrong},
        examples=[*wrong_status[:10], *judgement.examples],
    )


def told_of(message: MessageLog) -> str:
    """Return what is on record of a message's attempts."""
    details = [event.failure_detail or event.status for event in message.events.all()]
    return f"{message.reason or 'nothing'}: {'; '.join(details) or 'no event'}"


def send_through(case: Case, slot: Slot) -> MessageLog | None:
    """Send a message over a connection that meets the case's fault.

    Returns:
        What its row says; None: the connection that was kept for it was not used.
    """
    proxy = slot.proxy
    proxy.behaviour = Behaviour()
    kept: list[tuple[Link, int]] = []
    if case.kept:
        first = send_message(slot.alias, *parameters(case, "first"))
        if first.status not in ("accepted", "rejected"):
            raise RuntimeError(
                f"{case.told}: the message before it is {first.status}, since {told_of(first)}."
            )
        if isinstance(case.behaviour, CloseIdle):
            proxy.cut()
            # The close has to arrive: one that comes after the write is another fault.
            time.sleep(0.05)
        else:
            kept = [(link, link.came) for link in proxy.links]
        for link, _came in kept:
            link.meet(case.behaviour)
    elif case.behaviour is None:
        proxy.refuse()
    else:
        proxy.behaviour = case.behaviour
    try:
        if case.queued:
            message = queue_message(slot.alias, *parameters(case, "second"))
            send_now([message.pk])
        else:
            message = send_message(slot.alias, *parameters(case, "second"))
        # What the row says, not what the caller was given.
        message.refresh_from_db()
    finally:
        was_used = any(link.came > before for link, before in kept)
        if case.behaviour is None:
            proxy.listen()
        proxy.behaviour = Behaviour()
        proxy.cut()
        # The next case is not to meet a connection whose close is still on its way.
        time.sleep(0.05)
    return None if kept and not was_used else message


_names = itertools.count(1)


def parameters(case: Case, which: str) -> tuple[str, dict[str, str]]:
    """Return recipient and parameters of a message whose order's code is no other's."""
    return case.to, {"order_code": f"{next(_names)} {which}", "pin": "271828"}
