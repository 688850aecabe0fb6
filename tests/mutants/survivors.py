"""What survived, what is explained, and what both have to say of one another. No I/O."""

import dataclasses
import re
import textwrap
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

NOTICED = {"killed", "timeout"}
"""What the tool says of a mutant on which a test fails, or never ends."""

UNFINISHED = {"check was interrupted by user", "not checked"}

_STATUS = re.compile(r"^\s*(\S+__mutmut_\d+): (.+)$", re.MULTILINE)
_FUNCTION = re.compile(r"x(?:_|ǁ(?P<owner>\w+)ǁ)(?P<name>\w+)__mutmut_\d+$")


@dataclasses.dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """A change of one function."""

    room: str
    """The file's path in the package."""
    function: str
    """`name`, or `Class.name`."""
    change: str
    """The lines that it takes out and puts in, as in a diff."""

    def __str__(self) -> str:
        return f"{self.room}: {self.function}\n{self.change}"


@dataclasses.dataclass(frozen=True, slots=True)
class Explanation:
    """Why some mutants of a function survive."""

    reason: str
    mutants: Sequence[Mutant]


@dataclasses.dataclass(frozen=True, slots=True)
class Tally:
    """How many mutants a room has, and what became of them."""

    mutants: int
    noticed: int


def statuses(results: str) -> dict[str, str]:
    """Return by the tool's name of each mutant what `mutmut results` says of it."""
    return dict(_STATUS.findall(results))


def tallied(found: Mapping[str, str]) -> Tally:
    """Count a room's mutants."""
    counts = Counter(found.values())
    return Tally(counts.total(), sum(counts[status] for status in NOTICED))


def surviving(found: Mapping[str, str]) -> list[str]:
    """Return the tool's names of the mutants that no test notices.

    Raises:
        ValueError: some mutants did not meet their tests.
    """
    unfinished = [name for name, status in found.items() if status in UNFINISHED]
    if unfinished:
        raise ValueError(f"{len(unfinished)} mutants did not meet their tests.")
    return [name for name, status in found.items() if status not in NOTICED]


def shown(room: str, name: str, diff: str) -> Mutant:
    """Return the mutant that `mutmut show` prints the diff of."""
    lines = diff.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("@@"))
    changed = [line for line in lines[first:] if line.startswith(("-", "+"))]
    return Mutant(room, function_of(name), change_of(changed))


def function_of(name: str) -> str:
    """Return the function that the tool's name of a mutant tells of."""
    match = _FUNCTION.search(name)
    if match is None:
        raise ValueError(f"{name} is not a mutant's name.")
    return ".".join(filter(None, (match["owner"], match["name"])))


def change_of(lines: Iterable[str]) -> str:
    """Return changed lines with the indentation that they share taken off."""
    lines = [line for line in lines if line.strip()]
    code = textwrap.dedent("\n".join(line[1:] for line in lines)).split("\n")
    return "\n".join(line[0] + rest.rstrip() for line, rest in zip(lines, code, strict=True))


def explanations(text: str) -> list[Explanation]:
    """Return what `explained.toml` holds."""
    return [
        Explanation(
            reason=" ".join(entry["reason"].split()),
            mutants=[
                Mutant(entry["room"], entry["function"], change_of(change.splitlines()))
                for change in entry["changes"]
            ],
        )
        for entry in tomllib.loads(text).get("explained", [])
    ]


def unexplained(survivors: Iterable[Mutant], known: Iterable[Explanation]) -> list[Mutant]:
    """Return the survivors that nobody has explained."""
    return sorted(set(survivors) - _explained(known))


def outdated(
    survivors: Iterable[Mutant], known: Iterable[Explanation], *, rooms: Iterable[str]
) -> list[Mutant]:
    """Return the mutants of some rooms that are explained and do not survive, or are no more."""
    of_rooms = {mutant for mutant in _explained(known) if mutant.room in set(rooms)}
    return sorted(of_rooms - set(survivors))


def _explained(known: Iterable[Explanation]) -> set[Mutant]:
    return {mutant for explanation in known for mutant in explanation.mutants}
