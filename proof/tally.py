"""How often it went wrong, by one measure for whatever sends: receipts against records."""

import collections
import dataclasses
import enum
from collections.abc import Iterable
from typing import Self


class Word(enum.Enum):
    """What a row says of a message, whatever its table calls it."""

    SENT = "sent"
    FAILED = "failed"
    """It was not sent."""
    IN_DOUBT = "in doubt"
    """It may have been sent."""
    UNDER_WAY = "under way"
    """It waits or is being sent, once nobody is at work any more: neither of these."""


@dataclasses.dataclass
class Tally:
    """Counts of messages."""

    messages: int = 0
    twice: int = 0
    """Received more than once."""
    never: int = 0
    """Asked for and not received, and nothing says so."""
    unrecorded: int = 0
    """Received, and nothing says that it was or may have been."""
    false: int = 0
    """Recorded as sent and not received, or as failed and received."""
    in_doubt: int = 0
    """Recorded as such, which is no fault."""
    examples: list[str] = dataclasses.field(default_factory=list)
    """Of the faults, one sentence each."""

    def __iadd__(self, other: Self) -> Self:
        for field in dataclasses.fields(self):
            name = field.name
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    @property
    def lost(self) -> int:
        return self.never + self.unrecorded


def tally(
    received: Iterable[str],
    rows: Iterable[tuple[str, Word]],
    *,
    asked: Iterable[str] = (),
) -> Tally:
    """Count messages to numbers each of which was written to for one reason.

    Args:
        received: the recipient of each receipt.
        rows: recipient and word of each row, once nobody is at work any more.
        asked: numbers that are on record since before anything happened to them.
    """
    times = collections.Counter(received)
    words = collections.defaultdict(set)
    for number, word in rows:
        words[number].add(word)
    counts = Tally()
    for number in sorted({*times, *words, *asked}):
        said = words[number]
        admits = said & {Word.SENT, Word.IN_DOUBT}
        faults = {
            "twice": times[number] > 1,
            "never": not times[number] and not said - {Word.UNDER_WAY},
            "unrecorded": times[number] and not admits and Word.FAILED not in said,
            "false": (Word.SENT in said and not times[number])
            or (Word.FAILED in said and times[number] and not admits),
        }
        counts.messages += 1
        counts.in_doubt += Word.IN_DOUBT in said
        for name, is_so in faults.items():
            setattr(counts, name, getattr(counts, name) + bool(is_so))
        if any(faults.values()):
            told = " and ".join(sorted(word.value for word in said)) or "nothing"
            counts.examples.append(f"{number}: receipts: {times[number]}, on record: {told}")
    return counts
