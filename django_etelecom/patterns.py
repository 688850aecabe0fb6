"""Regular expressions of a template's parameters: which of them may be kept and run.

A pattern runs over every value of its parameter. One that backtracks without end on some of them
would hold up whoever sends, so what a pattern can try is counted before it is kept, and again
before it runs, for a script may have stored it.
"""

import functools
import re

from django.utils.translation import gettext as _

from .backtracking import most_steps

LONGEST_PATTERN = 200
"""Characters that a parameter's pattern may have."""

MOST_STEPS = 1_000_000
"""Of the engine, for one value: some tens of milliseconds."""

_UNREADABLE = (re.error, OverflowError, RecursionError, FutureWarning, DeprecationWarning)
"""What a hostile or careless pattern makes the compiler raise."""


def fault_of_pattern(pattern: str, longest: int) -> str:
    """Return why a pattern should not be kept or run; "" where nothing speaks against it.

    Some patterns are refused that would do no harm; none is kept that could run for ever.

    Args:
        pattern: a regular expression of Python's, as it claims.
        longest: characters of the longest value that it may be run over.
    """
    if len(pattern) > LONGEST_PATTERN:
        return _("It has more than %(limit)d characters.") % {"limit": LONGEST_PATTERN}
    if not pattern.isprintable():
        return _("It has characters that cannot be shown.")
    if not _is_readable(pattern):
        return _("It is not a regular expression of Python's.")
    return fault_of_cost(pattern, longest)


def fault_of_cost(pattern: str, longest: int) -> str:
    """Return why a pattern could take too long; "" where it could not, or cannot be read at all.

    Args:
        pattern: a regular expression of Python's, as it claims.
        longest: characters of the longest value that it may be run over.
    """
    if len(pattern) > LONGEST_PATTERN or not _is_readable(pattern):
        return ""
    steps = _steps(pattern, longest)
    if steps is None:
        return _(
            "It is too complicated to be checked. Write characters, classes such as [0-9], groups "
            "and counts such as {1,10}, and no reference to a group."
        )
    if steps > MOST_STEPS:
        return _(
            "It might take too long on some values, since it can match the same text in many ways. "
            "Repeat nothing that repeats itself, and put between two repetitions what neither of "
            "them takes: [A-Z]+(?:-[A-Z]+)* instead of ([A-Z]+-?)+"
        )
    return ""


def _is_readable(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except _UNREADABLE:
        return False
    return True


# Every value that is sent asks.
@functools.lru_cache(maxsize=1000)
def _steps(pattern: str, longest: int) -> int | None:
    return most_steps(pattern, longest, limit=MOST_STEPS)
