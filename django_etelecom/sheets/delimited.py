"""CSV as people save it: its encoding, its delimiter, its records. Bounded in whatever it reads."""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from django.utils.translation import gettext as _

from .records import Record, UnreadableSheet

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

DELIMITERS = ",;\t"
MAX_RECORD = 1_000_000
"""Characters of one record, line ends included."""

BLOCK = 65_536
"""Bytes that are decoded at once."""

MAX_HEADER = 100_000
"""Characters in which the header's delimiter is looked for."""

# A cell in quotation marks, which begin nowhere but where a cell does; a delimiter; a line end.
_MARKS = re.compile(r'(?<![^,;\t\r\n])"(?:[^"]|"")*+"|(?P<mark>[,;\t\r\n])')


class DelimitedReader:
    """Reads text with one record a line, but for line ends inside quotation marks."""

    title = ""
    leaves_out_empty_cells = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        file.seek(0)
        is_utf_16 = file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        # utf-8-sig reads UTF-8 without a byte order mark as well.
        self._encoding = "utf-16" if is_utf_16 else "utf-8-sig"

    def records(self) -> Iterator[Record]:
        lines = _Lines(self._file, self._encoding)
        begins_at = 1
        try:
            reader = csv.reader(lines, delimiter=self._delimiter())
            for cells in reader:
                # A record that is whole is given before another line is asked for.
                if lines.have_ended:
                    raise UnreadableSheet(
                        _(
                            "The row that begins at line %(line)d opens a quotation mark that is "
                            "not closed: the file ends in the middle of it."
                        )
                        % {"line": begins_at}
                    )
                yield Record(begins_at, cells)
                begins_at = lines.number + 1
                lines.characters = 0
        # The module has a limit of its own for a cell, 131,072 characters where no one changed it.
        except (_TooLong, csv.Error):
            raise UnreadableSheet(
                _(
                    "The row that begins at line %(line)d is too long. Is a quotation mark in it "
                    "not closed, or is this no CSV file?"
                )
                % {"line": begins_at}
            ) from None
        except UnicodeDecodeError:
            name = "UTF-16" if self._encoding == "utf-16" else "UTF-8"
            raise UnreadableSheet(
                _(
                    "Line %(line)d is not in %(encoding)s. In Excel, save the sheet as “CSV UTF-8 "
                    "(Comma delimited)”."
                )
                % {
                    "line": _first_undecodable_line(self._file, self._encoding),
                    "encoding": name,
                }
            ) from None

    def _delimiter(self) -> str:
        """Return the delimiter that the header has most of, outside its quotation marks."""
        header = _text_of(self._file, self._encoding).read(MAX_HEADER).lstrip("\r\n")
        counts: Counter[str] = Counter()
        for match in _MARKS.finditer(header):
            if match["mark"] in ("\r", "\n"):
                break
            counts[match["mark"]] += 1
        return max(DELIMITERS, key=counts.__getitem__)


class _TooLong(Exception):
    """There is more to a record than is read."""


class _Lines:
    """The lines of a file with the ends they have: LF, CRLF or CR.

    `number` is that of the last line given. `characters` counts what was given since it was last
    set to 0.
    """

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self._file, self._encoding = file, encoding
        self.number = 0
        self.characters = 0
        self.have_ended = False

    def __iter__(self) -> Iterator[str]:
        text = _text_of(self._file, self._encoding)
        while line := text.readline(MAX_RECORD):
            self.number += 1
            self.characters += len(line)
            if self.characters >= MAX_RECORD:
                raise _TooLong
            if "\0" in line:
                raise UnreadableSheet(
                    _(
                        "Line %(line)d holds a NUL byte, which no text has. In Excel, save the "
                        "sheet as “CSV UTF-8 (Comma delimited)”."
                    )
                    % {"line": self.number}
                )
            yield line
        self.have_ended = True


def _text_of(file: IO[bytes], encoding: str) -> io.TextIOWrapper:
    file.seek(0)
    return io.TextIOWrapper(
        io.BufferedReader(_Borrowed(file), BLOCK), encoding=encoding, newline=""
    )


class _Borrowed(io.RawIOBase):
    """Reads a file of somebody else's, and leaves it open when it is itself thrown away."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        chunk = self._file.read(len(view))
        view[: len(chunk)] = chunk
        return len(chunk)


def _first_undecodable_line(file: IO[bytes], encoding: str) -> int:
    """Read a file that cannot be decoded once more, and return the line at which it cannot."""
    file.seek(0)
    decoder = codecs.getincrementaldecoder(encoding)()
    ends = io.IncrementalNewlineDecoder(None, translate=True)
    line = 1
    while True:
        block = file.read(BLOCK)
        try:
            line += ends.decode(decoder.decode(block, final=not block)).count("\n")
        except UnicodeDecodeError as error:
            # Its object is this block, after what the one before had left over.
            good = bytes(error.object[: error.start])
            return line + ends.decode(good.decode(error.encoding, "ignore"), final=True).count("\n")
