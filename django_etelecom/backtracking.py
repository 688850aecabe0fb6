"""How many steps a regular expression may take: counted over all values, without running it.

Python's engine tries one way after another: a way is a row of the pattern's positions, each of
which takes one character. How many ways there are is counted for all values at once, by length, for
each set of positions that some value leads to. The engine never tries more than what is counted.
"""

import functools
import operator
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

MOST_EFFORT = 150_000
"""Operations that the counting itself may take."""

LONGEST_COUNT = 200
"""What is repeated more often than this counts as repeated without end, which has all its ways."""


def most_steps(pattern: str, length: int, *, limit: int) -> int | None:
    """Return how many steps the whole match of a value takes at most, the dead ends included.

    Args:
        pattern: that Python can compile.
        length: characters of the longest value.
        limit: after which nothing more is counted; what is over it is only known to be.

    Returns:
        The steps; None: the pattern has what is not counted here, such as a backreference, or
        counting would take too long itself.
    """
    try:
        return _Counting(length, limit).steps(_Reading(pattern).whole())
    except _NotCounted:
        return None


class _NotCounted(Exception):
    """The pattern has what is not counted here."""


# --- The pattern, read ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _One:
    """Takes one character: a literal, a class, an escape."""

    source: str
    flags: re.RegexFlag


@dataclass(frozen=True, slots=True)
class _Sequence:
    parts: tuple["_Node", ...]


@dataclass(frozen=True, slots=True)
class _Alternatives:
    parts: tuple["_Node", ...]


@dataclass(frozen=True, slots=True)
class _Repeated:
    part: "_Node"
    least: int
    most: int | None


@dataclass(frozen=True, slots=True)
class _Look:
    """Takes nothing: a condition of the place, or of what stands before or behind it."""

    part: "_Node | None"


_Node = _One | _Sequence | _Alternatives | _Repeated | _Look

_CODE = r"x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}"
_FLAGS = re.compile(r"\(\?(?P<flags>[aimsu]+)\)")
_CLASS_OR_CHARACTER = re.compile(
    rf"\[\^?\]?(?:\\.|[^\]\\])*\]|\\(?:{_CODE}|0[0-7]{{0,2}}|[^1-9AbBNzZ])|[^\\()|^$]", re.DOTALL
)
_PLACE = re.compile(r"[\^$]|\\[AbBzZ]")
_LOOK = re.compile(r"\(\?<?[=!]")
_GROUP = re.compile(r"\((?:\?:|\?>|\?P<\w+>|\?(?P<flags>[aimsu]+):|(?!\?))")
_COUNT = re.compile(
    r"(?:(?P<sign>[*+?])|\{(?P<exactly>\d+)\}|\{(?P<least>\d*),(?P<most>\d*)\})[?+]?"
)


class _Reading:
    """Reads a pattern that Python can compile, as far as it is counted here."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def whole(self) -> _Node:
        flags = self._take(_FLAGS)
        node = self._alternatives(_flags(flags["flags"] if flags else ""))
        if self._at < len(self._pattern):
            raise _NotCounted
        return node

    def _alternatives(self, flags: re.RegexFlag) -> _Node:
        parts = [self._sequence(flags)]
        while self._pattern.startswith("|", self._at):
            self._at += 1
            parts.append(self._sequence(flags))
        return _Alternatives(tuple(parts))

    def _sequence(self, flags: re.RegexFlag) -> _Node:
        parts: list[_Node] = []
        while (part := self._part(flags)) is not None:
            # Whether it is lazy or keeps what it took, there are no more ways than this.
            count = self._take(_COUNT)
            parts.append(_Repeated(part, *_bounds(count)) if count else part)
        # What is empty takes a step where it is gone through.
        return _Sequence(tuple(parts)) if parts else _Look(None)

    def _part(self, flags: re.RegexFlag) -> _Node | None:
        if self._take(_PLACE):
            return _Look(None)
        if one := self._take(_CLASS_OR_CHARACTER):
            return _One(one[0], flags)
        if self._take(_LOOK):
            return _Look(self._inside(flags))
        if group := self._take(_GROUP):
            return self._inside(flags | _flags(group["flags"] or ""))
        return None

    def _inside(self, flags: re.RegexFlag) -> _Node:
        inside = self._alternatives(flags)
        if not self._pattern.startswith(")", self._at):
            raise _NotCounted
        self._at += 1
        return inside

    def _take(self, what: re.Pattern[str]) -> re.Match[str] | None:
        match = what.match(self._pattern, self._at)
        self._at = match.end() if match else self._at
        return match


def _flags(letters: str) -> re.RegexFlag:
    return functools.reduce(
        operator.or_, (re.RegexFlag[letter.upper()] for letter in letters), re.NOFLAG
    )


def _bounds(count: re.Match[str]) -> tuple[int, int | None]:
    """Return how often something is repeated at least and at most; None: without end."""
    match count["sign"]:
        case "*":
            return 0, None
        case "+":
            return 1, None
        case "?":
            return 0, 1
    if count["exactly"]:
        least = most = int(count["exactly"])
    else:
        least = int(count["least"] or 0)
        most = int(count["most"]) if count["most"] else LONGEST_COUNT + 1
    if most <= LONGEST_COUNT:
        return least, most
    return (least if least <= LONGEST_COUNT else 0), None


# --- Its positions, and in how many ways each follows another -------------------------------------


@dataclass(frozen=True, slots=True)
class _Part:
    """Where a part of the pattern begins and ends: positions, with the number of ways to each."""

    first: Mapping[int, int]
    last: Mapping[int, int]
    empty: int
    """In how many ways it takes nothing."""


_EMPTY = _Part({}, {}, 1)


class _Positions:
    """The places of a pattern where a character is taken; what is repeated has them anew."""

    def __init__(self, node: _Node, counting: "_Counting") -> None:
        self._counting = counting
        # The first one is the beginning, which takes nothing.
        self.takes: list[_One | None] = []
        self.follow: list[Counter[int]] = []
        start = {self._new(None): 1}
        self.ends = self._join(_Part({}, start, 0), self._part(node)).last

    def _new(self, takes: _One | None) -> int:
        self.takes.append(takes)
        self.follow.append(Counter())
        return len(self.takes) - 1

    def _part(self, node: _Node) -> _Part:
        self._counting.spend(1)
        match node:
            case _One():
                here = {self._new(node): 1}
                return _Part(here, here, 0)
            case _Look():
                # A way that costs its steps and goes no further, beside one that costs nothing.
                steps = 1
                if node.part is not None:
                    steps += self._counting.steps(node.part)
                return _Part({self._new(None): steps}, {}, 1)
            case _Sequence():
                joined = _EMPTY
                for part in node.parts:
                    joined = self._join(joined, self._part(part))
                return joined
            case _Alternatives():
                parts = [self._part(part) for part in node.parts]
                return _Part(
                    self._sum(part.first for part in parts),
                    self._sum(part.last for part in parts),
                    sum(part.empty for part in parts),
                )
        return self._repeated(node)

    def _repeated(self, node: _Repeated) -> _Part:
        if node.most is None:
            repeated = self._without_end(self._part(node.part))
        else:
            repeated = _EMPTY
            for _ in range(node.most - node.least):
                one = self._join(self._part(node.part), repeated)
                repeated = _Part(one.first, one.last, one.empty + 1)
        for _ in range(node.least):
            repeated = self._join(self._part(node.part), repeated)
        return repeated

    def _without_end(self, one: _Part) -> _Part:
        self._connect(one.last, one.first)
        # The engine goes through it once more without taking anything, and no further.
        last = {position: ways * (one.empty + 1) for position, ways in one.last.items()}
        return _Part(one.first, last, one.empty + 1)

    def _join(self, left: _Part, right: _Part) -> _Part:
        self._connect(left.last, right.first)
        first = self._sum([left.first, _times(right.first, left.empty)])
        last = self._sum([right.last, _times(left.last, right.empty)])
        return _Part(first, last, left.empty * right.empty)

    def _connect(self, last: Mapping[int, int], first: Mapping[int, int]) -> None:
        self._counting.spend(len(last) * len(first))
        for position, ways in last.items():
            for following, more_ways in first.items():
                self.follow[position][following] += ways * more_ways

    def _sum(self, counts: Iterable[Mapping[int, int]]) -> Mapping[int, int]:
        total: Counter[int] = Counter()
        for count in counts:
            self._counting.spend(len(count))
            for position, ways in count.items():
                total[position] += ways
        return total


def _times(counts: Mapping[int, int], times: int) -> Mapping[int, int]:
    return {position: ways * times for position, ways in counts.items()} if times else {}


# --- The ways, counted ----------------------------------------------------------------------------


class _Counting:
    """Counts the steps of a pattern, and those of what it looks at, with an end to its own."""

    def __init__(self, length: int, limit: int) -> None:
        self._length = length
        self._limit = limit
        self._effort_left = MOST_EFFORT
        # What is repeated looks at the same thing again and again.
        self._known: dict[_Node, int] = {}

    def spend(self, operations: int) -> None:
        self._effort_left -= operations
        if self._effort_left < 0:
            raise _NotCounted

    def steps(self, node: _Node) -> int:
        """Return how often the engine looks whether a position takes the next character."""
        if node not in self._known:
            self._known[node] = self._steps(_Positions(node, self))
        return self._known[node]

    def _steps(self, positions: _Positions) -> int:
        tries = [
            following.total() + positions.ends.get(position, 0)
            for position, following in enumerate(positions.follow)
        ]
        letters = self._letters(positions.takes)
        # The ways to each position, by the set of positions that a value leads to. They only grow.
        reached: dict[frozenset[int], dict[int, int]] = {frozenset({0}): {0: 1}}
        grown = set(reached)
        # No way leads back to the beginning.
        total, most = tries[0], 0
        for left in range(self._length, 0, -1):
            before, grown = grown, set()
            for where in before:
                following = self._following(positions, reached[where])
                self.spend(len(letters) * len(following))
                for letter in letters:
                    moved = {at: ways for at, ways in following.items() if at in letter}
                    if moved and _grew(reached, moved):
                        grown.add(frozenset(moved))
            for where in grown:
                most = max(most, sum(ways * tries[at] for at, ways in reached[where].items()))
            if not grown or total > self._limit:
                return total + most * left
            total += most
        return total

    def _following(self, positions: _Positions, ways_to: Mapping[int, int]) -> Mapping[int, int]:
        """Return in how many ways each position is tried next."""
        following: Counter[int] = Counter()
        for at, ways in ways_to.items():
            self.spend(len(positions.follow[at]))
            for position, more_ways in positions.follow[at].items():
                following[position] += ways * more_ways
        return following

    def _letters(self, takes: list[_One | None]) -> list[frozenset[int]]:
        """Return the alphabet: for each kind of character, the positions that take it."""
        by_one: dict[_One, list[int]] = {}
        for position, one in enumerate(takes):
            if one is not None:
                by_one.setdefault(one, []).append(position)
        sample = _sample() + "".join(_edges(by_one))
        by_character: dict[str, set[_One]] = {}
        for one in by_one:
            taken = set(re.findall(one.source, sample, one.flags))
            self.spend(len(taken))
            for character in taken:
                by_character.setdefault(character, set()).add(one)
        kinds = {frozenset(ones) for ones in by_character.values()}
        return [frozenset(at for one in kind for at in by_one[one]) for kind in kinds]


def _grew(reached: dict[frozenset[int], dict[int, int]], moved: dict[int, int]) -> bool:
    known = reached.setdefault(frozenset(moved), {})
    more = {at: ways for at, ways in moved.items() if ways > known.get(at, 0)}
    known.update(more)
    return bool(more)


def _edges(ones: Iterable[_One]) -> Iterable[str]:
    """Return where what these name begins and ends: two ranges that meet do so at such a place."""
    for one in ones:
        codes = [int(code[1:], 16) for code in re.findall(rf"(?<=\\)(?:{_CODE})", one.source)]
        for code in [*codes, *map(ord, one.source)]:
            yield from map(chr, {code, min(code + 1, 0x10FFFF)})


@functools.cache
def _sample() -> str:
    r"""Return characters of every kind: where `\d`, `\s`, `\w` begin and end, and all with case."""
    characters = "".join(map(chr, range(0x40000))) + "\U000e0100\U0010ffff"
    kinds = re.finditer(r"\d+|\s+|[^\W\d]+|[^\w\s]+", characters)
    with_case = (one for one in characters[:0x20000] if one.swapcase() != one)
    return characters[:0x250] + "".join(kind[0][0] for kind in kinds) + "".join(with_case)
