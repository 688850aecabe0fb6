"""The page of the documentation that lists what survives. No I/O."""

import re
from collections.abc import Iterable, Mapping
from itertools import groupby

from tests.mutants.rooms import TESTS_BY_ROOM
from tests.mutants.survivors import Explanation, Tally

HEAD = """\
# Mutants

`tox run -e mutants` changes the four files that the promise rests on in small ways, one at a time:
a condition turned round, an argument left out, a text replaced. Each of these mutants meets the
tests that run its function, on SQLite. One on which none of them fails has survived: either a test
is missing, or the change makes no difference that a test should see. Below is each that survives,
with the reason. The command fails where one survives that is not here, and where one is here that
does not survive; it writes this page from `tests/mutants/explained.toml`.

The mutants are [mutmut's](https://mutmut.readthedocs.io). It changes the bodies of functions, but
not of those that are decorated, and no constants of a module.

| file | mutants | noticed | explained |
|---|---|---|---|
"""

_ROW = re.compile(r"^\| `(\S+)` \| (\d+) \| (\d+) \| \d+ \|$", re.MULTILINE)


def page(tallied: Mapping[str, Tally], known: Iterable[Explanation]) -> str:
    """Return the page, of what became of the mutants of each room."""
    rows = [_row(room, tallied.get(room)) for room in TESTS_BY_ROOM]
    return f"{HEAD}{''.join(rows)}\n{sections(known)}"


def _row(room: str, of: Tally | None) -> str:
    if of is None:
        return f"| `{room}` | not run yet | | |\n"
    return f"| `{room}` | {of.mutants} | {of.noticed} | {of.mutants - of.noticed} |\n"


def tallies(text: str) -> dict[str, Tally]:
    """Return what became of the mutants of each room, as the page has it."""
    return {
        room: Tally(int(mutants), int(noticed)) for room, mutants, noticed in _ROW.findall(text)
    }


def sections(known: Iterable[Explanation]) -> str:
    """Return the part of the page that lists the survivors."""
    order = list(TESTS_BY_ROOM)
    listed = [
        (mutant.room, mutant.function, explanation.reason, mutant.change)
        for explanation in known
        for mutant in explanation.mutants
    ]
    listed.sort(key=lambda one: order.index(one[0]))
    parts = []
    for room, of_room in groupby(listed, key=lambda one: one[0]):
        parts.append(f"## `{room}`\n")
        for (function, reason), those in groupby(of_room, key=lambda one: one[1:3]):
            changes = "\n\n".join(change for *_, change in those)
            parts.append(f"**`{function}`**: {reason}\n\n```diff\n{changes}\n```\n")
    return "\n".join(parts)
