"""Regular expressions that come from elsewhere: which of them may be kept and run.

A pattern runs over every value of its parameter. One that backtracks without end on some of them
would hold up whoever sends, so what a pattern can try is counted before it is kept.
"""

import re

from django.utils.translation import gettext as _

LONGEST_PATTERN = 200
"""Characters that a parameter's pattern may have."""

LONGEST_VALUE = 200
"""Characters of the values that it is measured by."""

MOST_WAYS = 10**7
"""In which it may match a value, the dead ends included."""

_UNREADABLE = (re.error, OverflowError, RecursionError, FutureWarning, DeprecationWarning)
"""What a hostile or careless pattern makes the compiler raise."""

_CLASS = re.compile(r"\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_GROUP = re.compile(r"\((?:\?:|\?P<\w+>|(?!\?))")
_COUNT = re.compile(r"(?P<sign>[*+?]|\{(?P<exactly>\d+)\}|\{(?P<least>\d*),(?P<most>\d*)\})[?+]?")
_ATOM = re.compile(r"\\[^1-9]|[^\\()|]", re.DOTALL)


def fault_of_pattern(pattern: str) -> str:
    """Return why a pattern should not be kept, as a sentence; "" where nothing speaks against it.

    Some patterns are refused that would do no harm; none is kept that could run for ever.
    """
    if len(pattern) > LONGEST_PATTERN:
        return _("It has more than %(limit)d characters.") % {"limit": LONGEST_PATTERN}
    if not pattern.isprintable():
        return _("It has characters that cannot be shown.")
    try:
        re.compile(pattern)
    except _UNREADABLE:
        return _("It is not a regular expression of Python's.")
    ways = _Ways(pattern).count()
    if ways is None or ways > MOST_WAYS:
        return _("It might take too long on some values.")
    return ""


class _Ways:
    """Counts in how many ways a pattern can match a value: an upper bound."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def count(self) -> int | None:
        """Return the number; None: the pattern has what is not counted here, such as `(?=…)`."""
        ways = self._alternatives()
        return ways if self._at == len(self._pattern) else None

    def _alternatives(self) -> int:
        ways = self._sequence()
        while self._pattern.startswith("|", self._at):
            self._at += 1
            ways += self._sequence()
        return ways

    def _sequence(self) -> int:
        ways = 1
        while (one := self._repeated()) is not None:
            ways = min(ways * one, MOST_WAYS + 1)
        return ways

    def _repeated(self) -> int | None:
        is_group = self._pattern.startswith("(", self._at)
        ways = self._one()
        count = self._take(_COUNT) if ways is not None else None
        if ways is None or count is None:
            return ways
        least, most = (min(times, LONGEST_VALUE) for times in _bounds(count))
        repeated: int = ways**most * (most - least + 1)
        # One that may be empty is gone through as often as it must be: in another, again and again.
        return min(repeated * most if is_group and most > 1 else repeated, MOST_WAYS + 1)

    def _one(self) -> int | None:
        if self._take(_CLASS):
            return 1
        if not self._take(_GROUP):
            return 1 if self._take(_ATOM) else None
        ways = self._alternatives()
        if not self._pattern.startswith(")", self._at):
            return None
        self._at += 1
        return ways

    def _take(self, what: re.Pattern[str]) -> re.Match[str] | None:
        match = what.match(self._pattern, self._at)
        self._at = match.end() if match else self._at
        return match


def _bounds(count: re.Match[str]) -> tuple[int, int]:
    """Return how often something is repeated at least and at most."""
    match count["sign"]:
        case "*":
            return 0, LONGEST_VALUE
        case "+":
            return 1, LONGEST_VALUE
        case "?":
            return 0, 1
    if count["exactly"]:
        return int(count["exactly"]), int(count["exactly"])
    return int(count["least"] or 0), int(count["most"] or LONGEST_VALUE)
