"""What is counted of a pattern is never less than what an engine that backtracks tries."""

import re
from dataclasses import dataclass, field

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from django_etelecom.backtracking import most_steps

ENOUGH = 20_000
"""Tries after which a value is given up."""


class TriedEnough(Exception):
    pass


@dataclass
class Engine:
    """Matches as Python's does, one way after another, and counts what it tries."""

    text: str
    tries: int = 0

    def matches(self, node):
        return any(end == len(self.text) for end in node.ends(self, 0))

    def tick(self):
        self.tries += 1
        if self.tries > ENOUGH:
            raise TriedEnough


@dataclass
class One:
    source: str

    def ends(self, engine, at):
        engine.tick()
        if at < len(engine.text) and re.fullmatch(self.source, engine.text[at]):
            yield at + 1


@dataclass
class Sequence:
    parts: list
    source: str = field(init=False)

    def __post_init__(self):
        self.source = "".join(part.source for part in self.parts)

    def ends(self, engine, at):
        yield from self._rest(engine, at, 0)

    def _rest(self, engine, at, done):
        if done == len(self.parts):
            yield at
            return
        for end in self.parts[done].ends(engine, at):
            yield from self._rest(engine, end, done + 1)


@dataclass
class Alternatives:
    parts: list
    source: str = field(init=False)

    def __post_init__(self):
        self.source = f"({'|'.join(part.source for part in self.parts)})"

    def ends(self, engine, at):
        for part in self.parts:
            yield from part.ends(engine, at)


@dataclass
class Repeated:
    part: object
    least: int
    most: int | None
    manner: str
    source: str = field(init=False)

    def __post_init__(self):
        most = "" if self.most is None else self.most
        self.source = f"(?:{self.part.source}){{{self.least},{most}}}{self.manner}"

    def ends(self, engine, at):
        for end in self._more(engine, at, 0, None):
            yield end
            if self.manner == "+":
                return

    def _more(self, engine, at, done, last):
        if done < self.least:
            for end in self.part.ends(engine, at):
                yield from self._more(engine, end, done + 1, last)
            return
        if self.manner == "?":
            yield at
        # What has just taken nothing is not gone through once more.
        if (self.most is None or done < self.most) and at != last:
            for end in self.part.ends(engine, at):
                yield from self._more(engine, end, done + 1, at)
        if self.manner != "?":
            yield at


@dataclass
class Look:
    part: object
    source: str = field(init=False)

    def __post_init__(self):
        self.source = f"(?={self.part.source})"

    def ends(self, engine, at):
        if any(True for _ in self.part.ends(engine, at)):
            yield at


ones = st.sampled_from(
    ["a", "b", "1", ".", r"\w", r"\d", "[ab]", "[^a]", "[0-9a]", r"\x61", "(?i:A)", r"\W"]
).map(One)


def larger(nodes):
    bounds = st.tuples(st.integers(0, 3), st.none() | st.integers(0, 3)).map(
        lambda pair: pair if pair[1] is None else (min(pair), max(pair))
    )
    return st.one_of(
        st.lists(nodes, min_size=1, max_size=4).map(Sequence),
        st.lists(nodes, min_size=1, max_size=3).map(Alternatives),
        st.builds(
            lambda part, bounds, manner: Repeated(part, *bounds, manner),
            nodes,
            bounds,
            st.sampled_from(["", "", "?", "+"]),
        ),
        nodes.map(Look),
    )


patterns = st.recursive(ones, larger, max_leaves=8)
values = st.text("ab1!", max_size=12) | st.builds(
    lambda repeated, times, end: repeated * times + end,
    st.text("ab1", min_size=1, max_size=2),
    st.integers(4, 10),
    st.sampled_from(["", "!"]),
)


@settings(max_examples=400)
@example(Repeated(Repeated(One("a"), 0, 1, ""), 3, None, ""), "aaaa!")
@example(Repeated(Alternatives([Sequence([]), One("a")]), 0, None, "?"), "aaa!")
@given(patterns, values)
def test_steps__are_never_fewer_than_what_is_tried(pattern, value):
    steps = most_steps(pattern.source, len(value), limit=10**9)
    assume(steps is not None)
    engine = Engine(value)

    try:
        matches = engine.matches(pattern)
    except TriedEnough:
        pass
    else:
        # It is an engine as Python's is, or its count would tell nothing.
        assert matches == (re.fullmatch(pattern.source, value) is not None)

    assert engine.tries <= steps


@pytest.mark.parametrize(
    ("pattern", "steps"),
    [
        ("a*", 402),
        ("(?:ab)*", 401),
        # One more repetition, one more power of the length.
        ("a*b*", 603),
        ("a*a*", 40_803),
        ("a*a*a*", 2_767_904),
    ],
)
def test_steps__grow_with_what_repeats_the_same(pattern, steps):
    assert most_steps(pattern, 200, limit=10**9) == steps


def test_steps__over_the_limit_are_not_counted_to_the_end():
    assert most_steps("(a|a)*", 10**6, limit=10**6) > 10**6
