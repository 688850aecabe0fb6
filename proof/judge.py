"""The judge: what reached the provider, held against what the database says of it."""

import collections
import dataclasses
from collections.abc import Iterable, Sequence

ADMITS = {"accepted", "delivered", "undelivered", "unknown", "rejected"}
"""What a message may be called that has reached the provider."""

CLAIMS = {"accepted", "delivered", "undelivered"}
"""What only the provider can say, to the message's own request."""

UNDER_WAY = {"queued", "sending"}


@dataclasses.dataclass
class Verdict:
    """The numbers of which something is true that must not be, each with a sentence."""

    twice: dict[str, str] = dataclasses.field(default_factory=dict)
    unrecorded: dict[str, str] = dataclasses.field(default_factory=dict)
    false: dict[str, str] = dataclasses.field(default_factory=dict)
    unfinished: dict[str, str] = dataclasses.field(default_factory=dict)
    ends: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    """How the messages ended, which is as it should be."""

    def __iadd__(self, other: "Verdict") -> "Verdict":
        for ours, theirs in zip(self._kinds, other._kinds, strict=True):
            ours.update(theirs)
        self.ends += other.ends
        return self

    @property
    def _kinds(self) -> tuple[dict[str, str], ...]:
        return self.twice, self.unrecorded, self.false, self.unfinished

    @property
    def wrong(self) -> dict[str, int]:
        return {
            "sent twice": len(self.twice),
            "unrecorded": len(self.unrecorded),
            "falsely recorded": len(self.false),
            "left unfinished": len(self.unfinished),
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
    received: Sequence[tuple[str, str]],
    rows: Iterable[tuple[str, str, str]],
    *,
    recorded: Iterable[str] = (),
) -> Verdict:
    """Judge messages to numbers of which each was written to for one reason.

    Args:
        received: recipient and answered id of each receipt; an id of "": refused or not answered.
        rows: recipient, status and provider's id of each message, once nobody is at work any more.
        recorded: numbers of which a caller was told that they are recorded.
    """
    verdict = Verdict()
    told = list(rows)
    by_number = collections.defaultdict(list)
    for number, status, provider_id in told:
        by_number[number].append((status, provider_id))
    times = collections.Counter(number for number, _id in received)
    issued = set(received)
    for number, count in times.items():
        if count > 1:
            verdict.twice[number] = f"received {count} times, its row says {by_number[number]}"
        if not any(status in ADMITS for status, _id in by_number[number]):
            verdict.unrecorded[number] = f"received, its row says {by_number[number]}"
    for number in recorded:
        if number not in by_number:
            verdict.unrecorded[number] = "recorded once, and has no row"
    for number, status, provider_id in told:
        has_arrived = " and received" if status == "unknown" and times[number] else ""
        verdict.ends[status + has_arrived] += 1
        if status in CLAIMS and (number, provider_id) not in issued:
            verdict.false[number] = f"{status} with the id {provider_id!r}, which it never got"
        if status == "rejected" and not times[number]:
            verdict.false[number] = "rejected, and nothing was received"
        if status in UNDER_WAY:
            verdict.unfinished[number] = f"{status} for ever"
    return verdict
