"""The judge: what reached the provider, held against what the database says of it."""

import collections
import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from django_etelecom.simulator.outcomes import Acceptance, Answer, Verdict
from django_etelecom.simulator.receipts import Receipt

ADMITS = {"accepted", "delivered", "undelivered", "unknown", "rejected"}
"""What a message may be called that has reached the provider."""

CLAIMS = {"accepted", "delivered", "undelivered"}
"""What only the provider can say, to the message's own request."""

UNDER_WAY = {"queued", "sending"}


class Received(NamedTuple):
    """A POST that reached the provider, and what it was answered."""

    to: str
    provider_id: str
    """"": it was given none."""
    word: str
    """What the answer makes of the message: `accepted`, `rejected`; "": it says neither."""


class Recorded(NamedTuple):
    """What a row says of a message, once nobody is at work any more."""

    to: str
    status: str
    provider_id: str
    reason: str


def received(receipt: Receipt, to: str) -> Received:
    """Return what a receipt says.

    Args:
        receipt: of a POST that asks for a message.
        to: by what its message is told from all others.
    """
    word = ""
    match receipt.outcome and receipt.outcome.effect:
        case Acceptance() | Verdict(status="1"):
            word = "accepted"
        # Who is refused as a whole is refused each message.
        case Verdict() | Answer(http_status=401):
            word = "rejected"
    return Received(to, receipt.provider_message_id, word)


@dataclasses.dataclass
class Judgement:
    """The numbers of which something is true that must not be, each with a sentence."""

    twice: dict[str, str] = dataclasses.field(default_factory=dict)
    unrecorded: dict[str, str] = dataclasses.field(default_factory=dict)
    false: dict[str, str] = dataclasses.field(default_factory=dict)
    unfinished: dict[str, str] = dataclasses.field(default_factory=dict)
    raised: dict[str, str] = dataclasses.field(default_factory=dict)
    """What was sent was lost to an exception of the app's own."""
    ends: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """How the messages ended, which is as it should be."""

    def __iadd__(self, other: "Judgement") -> "Judgement":
        for ours, theirs in zip(self._kinds, other._kinds, strict=True):
            ours.update(theirs)
        self.ends += other.ends
        return self

    @property
    def _kinds(self) -> tuple[dict[str, str], ...]:
        return self.twice, self.unrecorded, self.false, self.unfinished, self.raised

    @property
    def wrong(self) -> dict[str, int]:
        return {
            "sent twice": len(self.twice),
            "unrecorded": len(self.unrecorded),
            "falsely recorded": len(self.false),
            "left unfinished": len(self.unfinished),
            "exceptions of the app's own": len(self.raised),
        }

    @property
    def seen(self) -> str:
        """How many messages ended in which way, as a sentence tells it."""
        return ", ".join(f"{number:,} {end}" for end, number in self.ends.most_common())

    @property
    def examples(self) -> list[str]:
        """Some of the cases, of each kind."""
        return [
            f"{number}: {told}" for cases in self._kinds for number, told in list(cases.items())[:5]
        ]


def judge(
    receipts: Sequence[Received],
    rows: Iterable[Recorded],
    *,
    known: Iterable[str] = (),
) -> Judgement:
    """Judge messages each of which was asked for once, under a number or a name of its own.

    Args:
        receipts: of all that reached the provider.
        rows: of all messages.
        known: those of which a caller was told that they are on record.
    """
    judgement = Judgement()
    by_number = collections.defaultdict(list)
    for row in rows:
        by_number[row.to].append(row)
    answers = collections.defaultdict(list)
    for receipt in receipts:
        answers[receipt.to].append(receipt)
    for number, its in answers.items():
        told = [(row.status, row.provider_id) for row in by_number[number]]
        if len(its) > 1:
            judgement.twice[number] = f"received {len(its)} times, its row says {told}"
        if not any(status in ADMITS for status, _id in told):
            judgement.unrecorded[number] = f"received, its row says {told}"
    for number in known:
        if not by_number[number]:
            judgement.unrecorded[number] = "recorded once, and has no row"
    for number, its_rows in by_number.items():
        for row in its_rows:
            has_arrived = " and received" if row.status == "unknown" and answers[number] else ""
            judgement.ends[row.status + has_arrived] += 1
            if fault := _fault(row, answers[number]):
                judgement.false[number] = fault
            if row.status in UNDER_WAY:
                judgement.unfinished[number] = f"{row.status} for ever"
            if row.reason == "internal_error":
                judgement.raised[number] = f"{row.status}, since the app itself failed"
    return judgement


def _fault(row: Recorded, answers: Sequence[Received]) -> str:
    """Return what is wrong with what a row says; "": nothing."""
    if row.status in CLAIMS:
        if Received(row.to, row.provider_id, "accepted") not in answers:
            return f"{row.status} with the id {row.provider_id!r}, and was answered {answers}"
    elif row.status == "rejected" and all(answer.word != "rejected" for answer in answers):
        return f"rejected, and was answered {answers}"
    return ""
