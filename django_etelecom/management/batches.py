"""What commands that work by the batch have in common."""

import signal
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..stripping import MOST_IN_BATCH


def batch_size(text: str) -> int:
    """Return an option's number of rows.

    Raises:
        ArgumentTypeError: it is none that a transaction can take.
    """
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= MOST_IN_BATCH:
        raise ArgumentTypeError(f"a whole number from 1 to {MOST_IN_BATCH}")
    return int(text)


@contextmanager
def ending_by_signals() -> Iterator[Callable[[], bool]]:
    """Take SIGTERM and Ctrl-C as the wish to end soon; gives what says whether one has come."""
    came: list[Any] = []

    def stop(*_: Any) -> None:
        came.append(True)

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield lambda: bool(came)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
