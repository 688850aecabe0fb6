"""START HERE: an uploaded file becomes a header and a stream of rows, whatever kind it is."""

import os
from collections.abc import Iterator
from pathlib import PurePath
from typing import IO, Any, NamedTuple

from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from ..client.opaque import shielded
from ..exceptions import InvalidMessage
from ..phone import normalize
from .delimited import DelimitedReader
from .mending import mend_number
from .records import MAX_CELL, MAX_COLUMNS, Reader, Record, UnreadableSheet
from .writing import as_typed

MAX_BYTES = 50 * 1_048_576
MAX_HEADING = 200
"""Characters."""

# Programs that export text for Excel call it .xls or .xlsx now and then.
SUFFIXES = frozenset(["", ".csv", ".tsv", ".txt", ".xls", ".xlsx", ".xlsm"])

_OLE2 = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_OTHER_FILES = (
    b"%PDF",
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"GIF8",
    b"\x1f\x8b",
    b"Rar!",
    b"7z\xbc\xaf",
    b"{\\rtf",
    b"\x7fELF",
)
_MARKUP = (b"<html", b"<!doctype", b"<?xml", b"<table", b"<meta", b"<head")


class SheetRow(NamedTuple):
    """A row that has something in it."""

    number: int
    """Where a person finds it: the row of a workbook, or the line of a CSV file it begins at."""

    values: dict[str, Any]
    """The cells by their column: text, empty where the row has none."""

    notices: tuple[str, ...] = ()
    """Sentences about what was mended."""

    faults: tuple[str, ...] = ()
    """Sentences about why this row cannot be used; the other rows can."""


class Sheet:
    """A file that was opened: its columns, and its rows as often as they are asked for.

    The file stays its owner's, who closes it; it is read from while rows are.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.title = reader.title
        """The name of the workbook's sheet that is read, empty for CSV."""
        header = next(self._filled(), None)
        if header is None:
            raise UnreadableSheet(_("The file is empty."))
        self.columns = _columns(header)
        if next(self._rows_below(), None) is None:
            raise UnreadableSheet(_("The file has a line of headings and nothing below it."))

    def rows(self, *, number_column: str | None = None) -> Iterator[SheetRow]:
        """Read the rows from the first to the last, in constant memory.

        One iteration at a time: they share the file. Blank rows are left out. Cells come as they
        are, white space included, and are text as the file shows it: dates `dd/mm/yyyy`, numbers
        with a point and without grouping. `number_column` is the column of `columns` in which
        phone numbers that a spreadsheet damaged are mended, or told.

        Raises:
            UnreadableSheet: while rows are read, where the file cannot be read any further.
            ValueError: there is no such column.
        """
        if number_column is not None and number_column not in self.columns:
            raise ValueError(f"The sheet has no column {number_column!r}.")
        return self._read(number_column)

    def _read(self, number_column: str | None) -> Iterator[SheetRow]:
        for record in self._rows_below():
            row = self._row(record)
            yield row if number_column is None else _with_mended_number(row, number_column)

    def _filled(self) -> Iterator[Record]:
        for record in self._reader.records():
            if record.faults or "".join(record.cells).strip():
                yield record

    def _rows_below(self) -> Iterator[Record]:
        filled = self._filled()
        next(filled)
        return filled

    def _row(self, record: Record) -> SheetRow:
        columns, cells = self.columns, record.cells
        faults = self._faults(record)
        if "'" in "".join(cells):
            cells = [as_typed(cell) for cell in cells]
        if len(cells) < len(columns):
            cells = [*cells, *[""] * (len(columns) - len(cells))]
        return SheetRow(record.number, dict(zip(columns, cells, strict=False)), (), faults)

    def _faults(self, record: Record) -> tuple[str, ...]:
        columns, cells = self.columns, record.cells
        faults = [
            _(fault.sentence) % {"column": columns[fault.at]}
            for fault in record.faults
            if fault.at < len(columns)
        ]
        if len(cells) < len(columns) and not self._reader.leaves_out_empty_cells:
            faults.append(
                _(
                    "The row has only %(cells)d of %(columns)d cells. Does the file end in the "
                    "middle of it, or is a delimiter missing?"
                )
                % {"cells": len(cells), "columns": len(columns)}
            )
        elif any(cells[len(columns) :]):
            faults.append(
                _(
                    "The row has cells beyond the last of the %(columns)d columns. A cell with a "
                    "delimiter in it has to stand in quotation marks."
                )
                % {"columns": len(columns)}
            )
        if sum(map(len, cells)) > MAX_CELL:
            faults += [
                _("Column “%(column)s” holds more than %(limit)d characters.")
                % {"column": column, "limit": MAX_CELL}
                for column, cell in zip(columns, cells, strict=False)
                if len(cell) > MAX_CELL
            ]
        return tuple(faults)


def open_sheet(file: IO[bytes], name: str, *, max_bytes: int = MAX_BYTES) -> Sheet:
    """Open a CSV or XLSX file, read its header, and make sure that there is a row below it.

    `file` is binary and seekable, such as the `file` of Django's `UploadedFile`; `name` is what
    the person's computer calls it. What kind it is shows in its first bytes; the name only rules
    out other kinds of text. CSV is UTF-8, or UTF-16 with a byte order mark, parted by commas,
    semicolons or tabs. The first sheet of a workbook is read that is visible and not empty.

    Raises:
        UnreadableSheet: with a sentence to show beside the upload.
    """
    return shielded(lambda: _opened(file, name, max_bytes))


def _opened(file: IO[bytes], name: str, max_bytes: int) -> Sheet:
    size = file.seek(0, os.SEEK_END)
    if size > max_bytes:
        raise UnreadableSheet(
            _("The file has %(size)s; at most %(limit)s are taken. Split it into several.")
            % {"size": filesizeformat(size), "limit": filesizeformat(max_bytes)}
        )
    file.seek(0)
    beginning = file.read(1024)
    if beginning.startswith(_ZIP):
        return Sheet(_workbook(file))
    _refuse_other_files(beginning, name)
    return Sheet(DelimitedReader(file))


def _workbook(file: IO[bytes]) -> Reader:
    try:
        # Here: its import needs what the extra installs.
        from .workbook import WorkbookReader
    except ImportError:
        raise UnreadableSheet(
            _(
                "XLSX cannot be read on this site, which would have to install "
                "django-etelecom[xlsx]. Save the sheet as CSV UTF-8."
            )
        ) from None
    return WorkbookReader(file)


def _refuse_other_files(beginning: bytes, name: str) -> None:
    if beginning.startswith(_OLE2):
        raise UnreadableSheet(
            _(
                "This is an old Excel file (XLS), or a workbook that is protected by a password. "
                "Save it as XLSX without a password, or as CSV UTF-8."
            )
        )
    if beginning.removeprefix(b"\xef\xbb\xbf").lstrip().lower().startswith(_MARKUP):
        raise UnreadableSheet(
            _(
                "This is a web page or XML, whatever its name says. Open it in a spreadsheet "
                "program and save it as XLSX or CSV UTF-8."
            )
        )
    if beginning.startswith(_OTHER_FILES) or PurePath(name).suffix.lower() not in SUFFIXES:
        raise UnreadableSheet(_("This is neither a CSV file nor an XLSX workbook."))


def _columns(header: Record) -> tuple[str, ...]:
    names = [as_typed(cell).strip() for cell in header.cells]
    while names and not names[-1]:
        names.pop()
    if len(names) > MAX_COLUMNS:
        raise UnreadableSheet(
            _("The file has more than %(limit)d columns.") % {"limit": MAX_COLUMNS}
        )
    for position, column in enumerate(names, start=1):
        if not column:
            raise UnreadableSheet(
                _(
                    "Column %(position)d has no heading. The first line of a sheet names its "
                    "columns."
                )
                % {"position": position}
            )
        if len(column) > MAX_HEADING:
            raise UnreadableSheet(
                _(
                    "The heading of column %(position)d has more than %(limit)d characters. The "
                    "first line of a sheet names its columns."
                )
                % {"position": position, "limit": MAX_HEADING}
            )
        if _is_number(column):
            raise UnreadableSheet(
                _(
                    "Column %(position)d of the first line is a phone number. Put a line above it "
                    "that names the columns."
                )
                % {"position": position}
            )
        if column in names[: position - 1]:
            raise UnreadableSheet(
                _("Two columns are called “%(column)s”. Give each a name of its own.")
                % {"column": column}
            )
    return tuple(names)


def _is_number(heading: str) -> bool:
    try:
        normalize(mend_number(heading).value)
    except InvalidMessage:
        return False
    return True


def _with_mended_number(row: SheetRow, column: str) -> SheetRow:
    mended = mend_number(row.values[column])
    row.values[column] = mended.value
    if not mended.notice and not mended.fault:
        return row
    notices = (*row.notices, mended.notice) if mended.notice else row.notices
    faults = (*row.faults, mended.fault) if mended.fault else row.faults
    return row._replace(notices=notices, faults=faults)
