"""What a kind of file gives to the sheet above it: records as they stand, within limits."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

MAX_COLUMNS = 200
MAX_CELL = 10_000
"""Characters. The longest text that a channel takes is a tenth of it."""


class UnreadableSheet(ValueError):
    """The file as a whole cannot be read; its text is a sentence to show beside the upload."""


class CellFault(NamedTuple):
    """A cell for which a record is not sent; `sentence` has `%(column)s` where its column goes."""

    at: int
    """Index of the cell in its record."""

    sentence: str


class Record(NamedTuple):
    """One line of a file, before it is known which column is which."""

    number: int
    """The line or row, from 1, at which a person finds it in the file."""

    cells: list[str]
    """Up to the last one that the file has; of what is beyond `MAX_COLUMNS`, one may stand in."""

    faults: Sequence[CellFault] = ()


class Reader(Protocol):
    """A kind of file."""

    title: str
    """Which sheet of a workbook it is; empty where a file is one sheet."""

    leaves_out_empty_cells: bool
    """Whether a short record is whole: a workbook does not store what is empty."""

    def records(self) -> Iterator[Record]:
        """Read the file from its beginning. Blank lines may be left out.

        Raises:
            UnreadableSheet: the file is not of this kind, or is damaged or too large.
        """
        ...
