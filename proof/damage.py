"""What becomes of an answer whose bytes are changed, lost, doubled or another's."""

import random
from collections.abc import Callable

from .wire_answers import Answer, End

_TELLING = [b"1", b"-1", b"-", b"200", b"401", b"0", b'"', b"{", b"}", b":", b",", b"\\", b"\r\n"]
_TELLING += [b"\n", b"\r", b" ", b"\x00", b"\xff", b"_", b"+", b"\r\n\r\n", b"status", b"chunked"]


def damaged(chance: random.Random, make: Callable[[], Answer]) -> Answer:
    """Return a sound answer with some of its bytes changed, lost, doubled or another's."""
    raw = _small(make).raw
    for _ in range(chance.choice([1, 1, 1, 2, 3, 8])):
        raw = chance.choice(_DAMAGES)(chance, raw, make)
    end = chance.choice([End.CLOSES, End.KEEPS_FOR_NOW, End.KEEPS_FOR_NOW])
    # In one piece: what comes later nobody can tell from the next answer.
    return Answer("damaged", (raw,) if raw else (), end)


def _small(make: Callable[[], Answer]) -> Answer:
    while True:
        answer = make()
        if 0 < len(answer.raw) < 4_096 and answer.end is not End.HANGS:
            return answer


def _span(chance: random.Random, raw: bytes) -> tuple[int, int]:
    start = chance.randrange(len(raw) + 1)
    return start, min(len(raw), start + chance.choice([1, 1, 2, 8, 64, 512]))


def _put(chance, raw, make):
    start, end = _span(chance, raw)
    return raw[:start] + chance.choice([*_TELLING, chance.randbytes(1)]) + raw[end:]


def _insert(chance, raw, make):
    start = chance.randrange(len(raw) + 1)
    return raw[:start] + chance.choice([*_TELLING, chance.randbytes(3)]) + raw[start:]


def _lose(chance, raw, make):
    start, end = _span(chance, raw)
    return raw[:start] + raw[end:]


def _double(chance, raw, make):
    start, end = _span(chance, raw)
    return raw[:end] + raw[start:end] + raw[end:]


def _cut(chance, raw, make):
    return raw[: chance.randrange(len(raw) + 1)]


def _flip(chance, raw, make):
    if not raw:
        return raw
    place = chance.randrange(len(raw))
    return raw[:place] + bytes([raw[place] ^ 1 << chance.randrange(8)]) + raw[place + 1 :]


def _splice(chance, raw, make):
    other = _small(make).raw
    return raw[: chance.randrange(len(raw) + 1)] + other[chance.randrange(len(other) + 1) :]


def _swap_lines(chance, raw, make):
    lines = raw.split(b"\r\n")
    first, second = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"\r\n".join(lines)


_DAMAGES = [_put, _put, _insert, _lose, _double, _cut, _flip, _flip, _splice, _swap_lines]
