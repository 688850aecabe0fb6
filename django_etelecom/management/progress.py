"""How a command that works for long tells how far it is."""

import time
from typing import Any

EVERY = 10.0
"""Seconds between two lines where there is no terminal."""

REDRAW = 0.2
"""Seconds between two looks of the line on a terminal."""


class Progress:
    """One line that is written over on a terminal; a plain line now and then elsewhere."""

    def __init__(self, stdout: Any, *, verbosity: int) -> None:
        """Make one.

        Args:
            stdout: the command's.
            verbosity: as its option; 0: nothing is said.
        """
        self._stdout = stdout
        self._is_quiet = not verbosity
        self._is_drawn = stdout.isatty()
        self._told_at = time.monotonic()
        self._width = 0

    def tell(self, text: str) -> None:
        """Say how far it is, if it is time to."""
        now = time.monotonic()
        if self._is_quiet or now - self._told_at < (REDRAW if self._is_drawn else EVERY):
            return
        self._told_at = now
        if self._is_drawn:
            self._draw(text)
        else:
            self._stdout.write(text)

    def end(self, text: str) -> None:
        """Say how far it has come, in a line that stays."""
        if self._is_quiet:
            return
        if self._is_drawn:
            self._draw("")
        self._stdout.write(text)

    def _draw(self, text: str) -> None:
        self._stdout.write(f"\r{text:{self._width}}", ending="" if text else "\r")
        self._stdout.flush()
        self._width = len(text)
