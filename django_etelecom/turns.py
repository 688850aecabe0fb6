"""What a number was sent lately, and whether it may have one more. Pure."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from .guard_rules import HOUR, GuardRules

MANY = 8
"""Turns that no rule asks for any more from which on it is worth it to forget them."""

RUN = HOUR
"""Seconds for which a message counts for the cooldown of the next ones at least."""

STANDS = 60
"""Seconds for which a message that waits may go by the turn that it took when it was queued."""


class Turn(NamedTuple):
    """A message that a number was let have."""

    message: str
    """Its public id in hex."""
    category: str
    template: int
    """Primary key."""
    channels: str
    """Those of its route, one after the other."""
    at: float
    """Seconds since 1970."""


def read(text: str) -> list[Turn]:
    """Return the turns that `written` wrote, and those that were `begun`."""
    return [Turn(*turn) for turn in json.loads(f"[{text.removesuffix(',')}]")]


def written(turns: Sequence[Turn]) -> str:
    """Return turns as text, to which more may be added: lists of JSON, a comma after each."""
    return "".join(json.dumps(turn, separators=(",", ":")) + "," for turn in turns)


def begun(turn: Turn) -> str:
    """Return the text of a turn up to its instant, which the database adds by its own clock."""
    return json.dumps(turn[:-1], separators=(",", ":")).removesuffix("]") + ","


def recent(turns: Sequence[Turn], every: Sequence[GuardRules], *, now: float) -> list[Turn]:
    """Return the turns that a rule still asks for.

    Args:
        turns: of one number.
        every: the rules of all categories.
        now: seconds since 1970.
    """
    since = now - looks_back(every)
    return [turn for turn in turns if turn.at > since]


def looks_back(every: Sequence[GuardRules]) -> int:
    """Return for how many seconds a rule may ask for a turn."""
    limits = (limit.seconds for rules in every for limit in rules.limits)
    return max([*limits, *map(_run, every)], default=RUN)


def _run(rules: GuardRules) -> int:
    """Return for how many seconds a message counts for the cooldown of the next ones."""
    return max(RUN, *rules.cooldown) if rules.cooldown else RUN


def waits(turns: Sequence[Turn], turn: Turn, rules: GuardRules) -> tuple[float, float]:
    """Return how long a number has to wait for one more message, in seconds; 0: not at all.

    Args:
        turns: of the number, oldest first.
        turn: the message's, if it were let through.
        rules: of its category.

    Returns:
        By the cooldown, and by the limits.
    """
    same = [one for one in turns if one.category == turn.category]
    return _cooldown(same, turn, rules), _limits(same, turn, rules)


def _cooldown(turns: Sequence[Turn], turn: Turn, rules: GuardRules) -> float:
    since = turn.at - _run(rules)
    run = [one for one in turns if one.template == turn.template and one.at > since]
    if not run or not rules.cooldown:
        return 0.0
    seconds = rules.cooldown[min(len(run), len(rules.cooldown)) - 1]
    return max(0.0, run[-1].at + seconds - turn.at)


def _limits(turns: Sequence[Turn], turn: Turn, rules: GuardRules) -> float:
    wait = 0.0
    for limit in rules.limits:
        if limit.channel and limit.channel not in turn.channels:
            continue
        counted = [one for one in turns if limit.channel in one.channels]
        # It may have the next one when that many ago has left the window.
        if len(counted) >= limit.number:
            wait = max(wait, counted[-limit.number].at + limit.seconds - turn.at)
    return wait
