"""What must be true of the messages of a site at any moment, and from one moment to the next.

Each thing that was asked to be sent has a code of its own, which goes over the wire as a parameter:
so receipts, rows and what was asked for are told apart however often a number is written to.
"""

import functools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone

from django_etelecom.simulator import Simulator
from django_etelecom.simulator.gateway import STATUS_PATH
from django_etelecom.simulator.outcomes import Acceptance
from django_etelecom.simulator.receipts import Receipt

from .judge import CLAIMS, UNDER_WAY, Received, Recorded, judge, received
from .steps import EVENTS, MESSAGES

CODE = "order_code"
"""The parameter that holds the code."""

SECRET = "pin.{:06}"
"""How every secret value looks that is sent, and nothing else."""

ANY_SECRET = re.compile(r"pin\.\d{6}")

WRONG = (
    "sent twice",
    "written twice",
    "unrecorded",
    "falsely recorded",
    "left unfinished",
    "wrong moves",
    "wrong events",
    "secrets kept",
    "wrong tallies",
    "exceptions of the app's own",
    "faults",
)
"""What must not happen. Faults: what was asked of the app failed, or did something else."""

TOLD_BY = {"SUCCESS": "delivered", "FAIL": "undelivered", "PROCESSING": "accepted"}

FROM_NOW_ON = {
    "queued": {"queued", "sending", "cancelled", "not_sent", "rejected", "unknown"} | CLAIMS,
    # Nobody is at work between two looks: whoever was sending it is dead.
    "sending": {"sending", "unknown"},
    "unknown": {"unknown"} | CLAIMS,
    "rejected": {"rejected"},
    "accepted": CLAIMS,
    "undelivered": {"undelivered", "delivered"},
    "delivered": {"delivered"},
    "not_sent": {"not_sent"},
    "cancelled": {"cancelled"},
}
"""What a message that was seen in a status may be seen in later."""

OF_THE_DEAD = {"queued", "cancelled", "not_sent"}
"""The same of one that its own process was to send, and that was seen queued: that one is dead."""


class Message(NamedTuple):
    """A row, as the driver of the database gives it."""

    id: int
    status: str
    reason: str
    recipient: str
    provider_message_id: str
    attempts: int
    campaign_id: int | None
    send_at: object
    sent_at: object
    created_at: object
    account: str
    template_code: str
    channel: str
    network: str
    paid_messages: int | None
    sealed_params: str
    params: str
    metadata: str
    provider_status: str
    provider_detail: str
    error_code: str

    @property
    def is_its_process_own(self) -> bool:
        """Whether it is sent by the process that wrote it, and by no worker."""
        return self.send_at is None


KIND = ("day", "account", "template_code", "channel", "network", "status")
_KIND = ", ".join(KIND)
_TEXTS = "payload, provider_status, provider_detail, failure_detail, channel, error_code"

# As text: what they say is asked after every step, and Django would take longer than the database.
ROWS = f"SELECT {', '.join(Message._fields)} FROM {MESSAGES} ORDER BY id"  # noqa: S608  # names alone
NEW_EVENTS = f"SELECT id, {_TEXTS} FROM {EVENTS} WHERE id > %s ORDER BY id"  # noqa: S608  # as above
EVENTS_BY_SOURCE = (
    f"SELECT message_id, source, http_status IS NOT NULL, COUNT(*) FROM {EVENTS} "  # noqa: S608  # as above
    "GROUP BY message_id, source, http_status IS NOT NULL"
)
WAITING = "SELECT provider_message_id FROM etelecom_inboxreport"
OF_DAYS = (
    f"SELECT {_KIND}, SUM(number), SUM(paid_messages) FROM etelecom_daytally "  # noqa: S608  # as above
    f"GROUP BY {_KIND}"
)
OF_CAMPAIGNS = (
    "SELECT campaign_id, status, SUM(number) FROM etelecom_campaigntally "
    "GROUP BY campaign_id, status"
)
OF_WAITS = "SELECT SUM(number) FROM etelecom_waittally"
CAMPAIGNS = "SELECT id, status, queued_rows, finished_at FROM etelecom_campaign"

SESSIONS = {
    "postgresql": "SELECT pid FROM pg_stat_activity "
    "WHERE datname = current_database() AND backend_type = 'client backend'",
    "mysql": "SELECT id FROM information_schema.processlist WHERE db = DATABASE()",
}
"""Asks a server who is connected to the database, by its driver; SQLite has no server."""


class Broken(Exception):
    """Something happened that must not."""

    def __init__(self, wrong: str, what: str) -> None:
        super().__init__(f"{wrong}: {what}")
        self.wrong = wrong


class Witness:
    """Looks at all rows and receipts again and again; there were none when it was made."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.void: set[str] = set()
        """Codes of what was refused or rolled back."""
        self.cancelled: set[str] = set()
        """Codes of what was cancelled before its row was committed."""
        self.retried: set[int] = set()
        """The campaigns of which what was not sent may have been queued again since that look."""
        self.kills = 0
        self.receipts: dict[str, Receipt] = {}
        """By the id that was answered."""
        self.posted: Counter[str] = Counter()
        """Reports that the site has taken, by the id that they are about."""
        self.believed: defaultdict[str, set[str]] = defaultdict(set)
        """What reports said that the site may believe, by id."""
        self.codes: dict[int, str] = {}
        """By the row's key; a row that was erased does not tell it any more."""
        self.ids: dict[int, str] = {}
        """The provider's, likewise."""
        self._seen = 0
        self._received: list[Received] = []
        self._asked: Counter[str] = Counter()
        self._rows: dict[int, Message] = {}
        self._told: Counter[int] = Counter()
        self._last_event = 0

    def look(self) -> None:
        """Hold rows and receipts against one another, and against those of the last look.

        Sums are held against the rows where one of these has moved.

        Raises:
            Broken: something is not as it has to be.
        """
        self.hear()
        rows = [Message(*values) for values in read(ROWS)]
        moved = [row for row in rows if row != self._rows.get(row.id)]
        for row in moved:
            self._know(row)
        self._judge(rows)
        self._follow(moved)
        self._count_events(rows)
        self._search(moved)
        if moved or len(rows) < len(self._rows):
            check_tallies(rows)
            check_campaigns(rows)
        self._rows = {row.id: row for row in rows}
        self.retried.clear()

    def look_at_the_end(self) -> None:
        """As `look`, once nothing is due any more."""
        self.look()
        # Also what went wrong with them since a message moved last.
        check_tallies([*self._rows.values()])
        check_campaigns([*self._rows.values()])
        for row in self._rows.values():
            if row.status in UNDER_WAY:
                raise Broken("left unfinished", f"{self.codes[row.id]} is {row.status} for ever")

    @property
    def number_received(self) -> int:
        return len(self._received)

    def believe(self, provider_id: str, word: str) -> None:
        """Know that the site may believe what a report said."""
        if word.upper() in TOLD_BY:
            self.believed[provider_id].add(TOLD_BY[word.upper()])

    def hear(self) -> None:
        """Take in what has reached the provider since the last time."""
        receipts = self.simulator.receipts
        for receipt in receipts[self._seen :]:
            if receipt.path == STATUS_PATH:
                self._asked[str((receipt.json or {}).get("idOmniMess"))] += 1
            else:
                self._received.append(received(receipt, receipt.list_param.get(CODE, "")))
                if receipt.provider_message_id:
                    self.receipts[receipt.provider_message_id] = receipt
        self._seen = len(receipts)

    def _know(self, row: Message) -> None:
        if row.recipient:
            self.codes[row.id] = json.loads(row.params).get(CODE, "")
            self.ids[row.id] = row.provider_message_id

    def _judge(self, rows: Sequence[Message]) -> None:
        told = [
            # A request that is on its way has its row: it may arrive.
            Recorded(
                self.codes[row.id],
                "unknown" if row.status == "sending" else row.status,
                self.ids[row.id],
                row.reason,
            )
            for row in rows
        ]
        times = Counter(row.to for row in told)
        for code, number in times.items():
            if number > 1 or code in self.void:
                of_it = [row for row in told if row.to == code]
                is_void = " and was refused or undone" if code in self.void else ""
                raise Broken("written twice", f"{code} has the rows {of_it}{is_void}")
        judgement = judge(self._received, told, known=[self.codes[pk] for pk in self._rows])
        for wrong, number in judgement.wrong.items():
            if number and wrong != "left unfinished":
                raise Broken(wrong, "; ".join(judgement.examples))
        if sent := self.cancelled.intersection(receipt.to for receipt in self._received):
            raise Broken("wrong moves", f"{sorted(sent)} were cancelled, and received")
        for row in told:
            is_end = row.status in ("delivered", "undelivered")
            if is_end and row.status not in self._said(row.provider_id):
                raise Broken("falsely recorded", f"{row.to} is {row.status}, which nobody said")

    def _said(self, provider_id: str) -> set[str]:
        """Return what the site was told of a message, and may believe."""
        said = set(self.believed[provider_id])
        receipt = self.receipts.get(provider_id)
        acceptance = receipt and receipt.outcome and receipt.outcome.effect
        if isinstance(acceptance, Acceptance):
            told = acceptance.reports
            # Each question brings the next one; else they go by the clock.
            told = told if acceptance.by_clock else told[: self._asked[provider_id]]
            said |= {TOLD_BY[report.status] for report in told}
        return said

    def _follow(self, moved: Sequence[Message]) -> None:
        for row in moved:
            before = self._rows.get(row.id, row)
            may_be = FROM_NOW_ON[before.status]
            if before.status == "queued" and before.is_its_process_own:
                may_be = OF_THE_DEAD
            elif before.status == "not_sent" and row.campaign_id in self.retried:
                may_be = FROM_NOW_ON["queued"]
            if row.status not in may_be:
                code = self.codes[row.id]
                raise Broken("wrong moves", f"{code} was {before.status} and is {row.status}")

    def _count_events(self, rows: Sequence[Message]) -> None:
        told: Counter[int] = Counter()
        by_source: Counter[tuple[int, str]] = Counter()
        answered: Counter[int] = Counter()
        for pk, source, is_answered, number in read(EVENTS_BY_SOURCE):
            told[pk] += number
            by_source[pk, source] += number
            if source == "poll" and is_answered:
                answered[pk] += number
        waiting = Counter(provider_id for (provider_id,) in read(WAITING))
        for row in rows:
            pk, provider_id = row.id, self.ids[row.id]
            sends, polls, reports = (by_source[pk, name] for name in ("send", "poll", "webhook"))
            asked, taken = self._asked[provider_id], self.posted[provider_id]
            died = row.status == "sending" or row.reason == "lapsed"
            wrong = ""
            if told[pk] < self._told[pk]:
                wrong = f"{told[pk]} events, once {self._told[pk]}"
            elif sends != row.attempts - died:
                wrong = f"{sends} answers to {row.attempts} attempts, and is {row.status}"
            elif provider_id and not answered[pk] <= asked <= polls + self.kills:
                wrong = f"{polls} questions, {answered[pk]} with an answer, and was asked {asked}"
            elif row.provider_message_id and reports + waiting[provider_id] != taken:
                wrong = f"{reports} reports, {waiting[provider_id]} wait, {taken} were taken"
            if wrong:
                raise Broken("wrong events", f"{self.codes[pk]} has {wrong}")
        self._told = told

    def _search(self, moved: Sequence[Message]) -> None:
        new = read(NEW_EVENTS, self._last_event)
        for values in (*moved, *new):
            if found := ANY_SECRET.search(str(values)):
                raise Broken("secrets kept", f"{found[0]} stands in {values}")
        for row in moved:
            if row.sealed_params and row.status not in UNDER_WAY:
                raise Broken("secrets kept", f"{self.codes[row.id]}, {row.status}, has sealed ones")
        self._last_event = new[-1][0] if new else self._last_event


def read(sql: str, *params: object) -> list[tuple]:
    """Return what a query finds."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


def sessions() -> set[int]:
    """Return who is connected to the database, by the server's numbers."""
    if connection.vendor not in SESSIONS:
        return set()
    return {number for (number,) in read(SESSIONS[connection.vendor])}


@functools.cache
def day_of(instant: Any) -> str:
    """Return the day of an instant, as a driver gives it, in the site's time zone."""
    instant = datetime.fromisoformat(instant) if isinstance(instant, str) else instant
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    return str(instant.astimezone(timezone.get_default_timezone()).date())


def check_tallies(rows: Sequence[Message]) -> None:
    """Count the messages, and hold every sum of tallies against it.

    Raises:
        Broken: one is another.
    """
    ended = [row for row in rows if row.status not in UNDER_WAY]
    numbers: Counter[tuple] = Counter()
    paid: Counter[tuple] = Counter()
    for row in ended:
        day = day_of(row.sent_at or row.created_at)
        kind = (day, row.account, row.template_code, row.channel, row.network, row.status)
        numbers[kind] += 1
        paid[kind] += row.paid_messages or 0
    of_days = read(OF_DAYS)
    counted = {(str(day), *kind): number for day, *kind, number, _paid in of_days}
    _compare("of days", counted, numbers)
    counted = {(str(day), *kind): number for day, *kind, _number, number in of_days}
    _compare("of paid messages", counted, paid)

    of_campaigns = {(pk, status): number for pk, status, number in read(OF_CAMPAIGNS)}
    in_campaigns = [row for row in ended if row.campaign_id is not None]
    counted = Counter((row.campaign_id, row.status) for row in in_campaigns)
    _compare("of campaigns", of_campaigns, counted)

    ((waited,),) = read(OF_WAITS)
    delivered = sum(row.status == "delivered" for row in ended)
    _compare("of waits", {"delivered": waited}, {"delivered": delivered})


def _compare(what: str, tallies: Mapping, truth: Mapping) -> None:
    tallies = {kind: number for kind, number in tallies.items() if number}
    truth = {kind: number for kind, number in truth.items() if number}
    if tallies != truth:
        raise Broken("wrong tallies", f"{what}: {tallies}, and it is {truth}")


def check_campaigns(rows: Sequence[Message]) -> None:
    """Hold what campaigns say of themselves against their messages.

    Raises:
        Broken: it is something else.
    """
    numbers = Counter(row.campaign_id for row in rows)
    under_way = Counter(row.campaign_id for row in rows if row.status in UNDER_WAY)
    for pk, status, queued_rows, finished_at in read(CAMPAIGNS):
        if queued_rows != numbers[pk]:
            raise Broken("wrong tallies", f"{numbers[pk]} messages of a campaign of {queued_rows}")
        if under_way[pk] and (status == "finished" or finished_at is not None):
            raise Broken("wrong moves", f"{under_way[pk]} under way of a campaign that is {status}")
