"""Answers of a provider that answers anything: each made of a seed and a number, byte by byte.

Two sorts. An answer that is put together from pieces whose meaning is known says what it must come
to. One that was damaged afterwards says nothing: `reading.py` finds what may be read of it at most.
"""

import dataclasses
import random
from collections.abc import Mapping

from .damage import damaged
from .send_answers import KINDS
from .status_answers import STATUS_KINDS
from .wire_answers import Answer, Kind

DAMAGED_SHARE = 0.4
"""Of all answers."""


def answer_to_send(seed: int, number: str) -> Answer:
    """Return the answer to the SendMessage for a recipient, in wire form."""
    return _answer(random.Random(f"{seed} send {number}"), KINDS, number)


def answer_to_status(seed: int, number: str) -> Answer:
    """Return the answer to the GetStatusOmni about the message to a recipient."""
    return _answer(random.Random(f"{seed} status {number}"), STATUS_KINDS, number)


def _answer(chance: random.Random, kinds: Mapping[str, Kind], number: str) -> Answer:
    def make() -> Answer:
        [name] = chance.choices(list(kinds), [weight for weight, _make in kinds.values()])
        return dataclasses.replace(kinds[name][1](chance, number), name=name)

    return damaged(chance, make) if chance.random() < DAMAGED_SHARE else make()
