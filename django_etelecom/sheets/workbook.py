"""XLSX as spreadsheet programs save it: the rows of its first sheet, as the text they show."""

import array
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from typing import IO

from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from .package import SMALL, End, Package, Start, bomb, damaged, feed, parse, unescaped
from .records import MAX_CELL, MAX_COLUMNS, CellFault, Record, UnreadableSheet
from .shown import DateFormat, date_formats, shown_date, shown_iso_date, shown_number

LAST_ROW = 1_048_576
MAX_TEXTS = 5_000_000
"""Texts that cells share; each costs eight bytes of memory, its letters are on disk."""

MAX_IN_MEMORY = 1_048_576
"""Bytes of them that are kept in memory before they go to a file."""


class WorkbookReader:
    """Reads the first sheet that a person sees and that has a cell with something in it.

    The values are those that the workbook was saved with: no formula is calculated.
    """

    leaves_out_empty_cells = True

    def __init__(self, file: IO[bytes]) -> None:
        """Find the sheet.

        Raises:
            UnreadableSheet: it is no workbook, or one without a sheet that has something in it.
        """
        self._package = Package(file)
        self._find_parts()
        for part, title in self._sheets.items():
            self.title, self._part = title, part
            if next(self._filled(), None):
                return
        raise UnreadableSheet(_("The workbook has no visible sheet with anything in it."))

    def records(self) -> Iterator[Record]:
        rows = _Rows(self)
        for _fed in feed(self._package.blocks(self._part), rows.starts, rows.ends, rows.text):
            yield from rows.finished
            rows.finished.clear()

    def _filled(self) -> Iterator[Record]:
        return (record for record in self.records() if any(record.cells) or record.faults)

    def _find_parts(self) -> None:
        main = next(
            (path for kind, path in self._package.related("").values() if kind == "officeDocument"),
            "",
        )
        if main.endswith(".bin"):
            raise UnreadableSheet(
                _("This is a binary workbook (XLSB). Save it as XLSX or as CSV UTF-8.")
            )
        if not main or main.startswith(("word/", "ppt/")):
            raise UnreadableSheet(
                _("This is a zip file, but no XLSX workbook. Save the sheet as XLSX or CSV UTF-8.")
            )
        related = self._package.related(main)
        parts = dict(related.values())
        # By part, so that no part is looked through more than once.
        self._sheets: dict[str, str] = {}
        self.begins_in_1904 = False

        def properties(attributes: Mapping[str, str]) -> None:
            self.begins_in_1904 = attributes.get("date1904") in ("1", "true")

        def sheet(attributes: Mapping[str, str]) -> None:
            kind, path = related.get(_reference(attributes), ("", ""))
            if kind == "worksheet" and attributes.get("state", "visible") == "visible":
                self._sheets.setdefault(path, attributes.get("name", ""))

        blocks = self._package.blocks(main, at_most=SMALL)
        parse(blocks, {"workbookPr": properties, "sheet": sheet})
        self._texts_part = parts.get("sharedStrings")
        self._styles_part = parts.get("styles")

    @cached_property
    def texts(self) -> "_SharedTexts":
        """What the cells share, read when the first of them asks for it."""
        texts = _SharedTexts()
        if self._texts_part:
            blocks = self._package.blocks(self._texts_part)
            for _fed in feed(blocks, texts.starts, texts.ends, texts.text):
                texts.flush()
        return texts

    @cached_property
    def date_formats(self) -> Mapping[str, DateFormat]:
        """How a cell's style shows it, for the styles that show a date or a time."""
        if not self._styles_part:
            return {}
        return date_formats(self._package.blocks(self._styles_part, at_most=SMALL))


def _reference(attributes: Mapping[str, str]) -> str:
    # Its prefix is whatever the file declares.
    return next((value for name, value in attributes.items() if name.endswith(":id")), "")


class _Text:
    """Gathers the text of an element, no more of it than a cell may have."""

    def __init__(self) -> None:
        self._keeping = False
        self._in_pronunciation = False
        self._pieces: list[str] = []
        self._room = 0
        self.starts: dict[str, Start] = {"t": self._keep, "rPh": self._begin_pronunciation}
        self.ends: dict[str, End] = {"t": self._stop, "rPh": self._end_pronunciation}

    def text(self, piece: str) -> None:
        if self._keeping and self._room > 0:
            self._pieces.append(piece[: self._room])
            self._room -= len(piece)

    def _begin(self) -> None:
        self._pieces.clear()
        self._room = MAX_CELL + 1

    def _gathered(self) -> str:
        return "".join(self._pieces)

    def _keep(self, _attributes: Mapping[str, str]) -> None:
        self._keeping = not self._in_pronunciation

    def _stop(self) -> None:
        self._keeping = False

    # How a text is pronounced, in Japanese, stands beside it in the same element.
    def _begin_pronunciation(self, _attributes: Mapping[str, str]) -> None:
        self._in_pronunciation = True

    def _end_pronunciation(self) -> None:
        self._in_pronunciation = False


class _SharedTexts(_Text):
    """The texts that cells refer to by number, kept in a file: there may be a million of them."""

    def __init__(self) -> None:
        super().__init__()
        self._ends = array.array("Q", [0])
        self._unwritten: list[bytes] = []
        self._size = 0
        self._file = tempfile.SpooledTemporaryFile(MAX_IN_MEMORY)  # noqa: SIM115
        weakref.finalize(self, self._file.close)
        self.starts["si"] = self._begin_text
        self.ends["si"] = self._end_text

    def _begin_text(self, _attributes: Mapping[str, str]) -> None:
        self._begin()

    def _end_text(self) -> None:
        encoded = unescaped(self._gathered()).encode()
        self._unwritten.append(encoded)
        self._size += len(encoded)
        self._ends.append(self._size)
        if len(self._ends) > MAX_TEXTS:
            raise bomb()

    def flush(self) -> None:
        self._file.write(b"".join(self._unwritten))
        self._unwritten.clear()

    def __getitem__(self, index: int) -> str:
        if not 0 <= index < len(self._ends) - 1:
            raise damaged()
        begins_at = self._ends[index]
        self._file.seek(begins_at)
        return self._file.read(self._ends[index + 1] - begins_at).decode()


class _Rows(_Text):
    """Makes records of a sheet's XML; what is `finished` is for the reader to take."""

    def __init__(self, workbook: WorkbookReader) -> None:
        super().__init__()
        self._workbook = workbook
        self._columns: dict[str, int] = {}
        self._number = self._rows = 0
        self._cells: list[str] = []
        self._faults: list[CellFault] = []
        self._kind = self._style = ""
        self._column = 0
        self._has_formula = False
        self.finished: list[Record] = []
        self.starts |= {
            "row": self._begin_row,
            "c": self._begin_cell,
            "v": self._keep,
            "f": self._see_formula,
        }
        self.ends |= {"row": self._end_row, "c": self._end_cell, "v": self._stop}

    def _begin_row(self, attributes: Mapping[str, str]) -> None:
        claimed = _whole(attributes.get("r", ""))
        # Rows stand in order. A number that cannot be is not believed: it is only shown.
        self._number = claimed if self._number < claimed <= LAST_ROW else self._number + 1
        self._cells = []
        self._faults = []
        self._column = -1
        self._rows += 1
        if self._rows > LAST_ROW:
            raise bomb()

    def _end_row(self) -> None:
        self.finished.append(Record(self._number, self._cells, self._faults))

    def _see_formula(self, _attributes: Mapping[str, str]) -> None:
        self._has_formula = True

    def _begin_cell(self, attributes: Mapping[str, str]) -> None:
        self._begin()
        letters = attributes.get("r", "").rstrip("0123456789")
        index = self._columns.get(letters)
        if index is None:
            index = _column(letters)
            if index is not None:
                self._columns[letters] = index
        self._column = self._column + 1 if index is None else index
        self._kind = attributes.get("t", "n")
        self._style = attributes.get("s", "")
        self._has_formula = False

    def _end_cell(self) -> None:
        raw = self._gathered()
        index = min(self._column, MAX_COLUMNS)
        value, fault = self._shown(raw) if raw else ("", "")
        if not raw and self._has_formula and self._kind != "str":
            fault = gettext_noop(
                "Column “%(column)s” holds a formula without a result. Open the sheet in a "
                "spreadsheet program and save it there, or paste the values."
            )
        # A row may have any number of cells that claim to be in one column.
        if fault and len(self._faults) < MAX_COLUMNS:
            self._faults.append(CellFault(index, fault))
        if value:
            cells = self._cells
            cells.extend([""] * (index + 1 - len(cells)))
            cells[index] = value

    def _shown(self, raw: str) -> tuple[str, str]:
        """Return what a spreadsheet program shows, and a fault where that is no value."""
        kind = self._kind
        if kind == "s":
            return self._workbook.texts[_whole(raw)], ""
        if kind in ("str", "inlineStr"):
            return unescaped(raw), ""
        if kind == "b":
            return ("TRUE" if raw.strip() in ("1", "true") else "FALSE"), ""
        if kind == "e":
            return raw, gettext_noop(
                "Column “%(column)s” shows an error of the spreadsheet instead of a value."
            )
        date_format = self._workbook.date_formats.get(self._style)
        try:
            if kind == "d":
                return shown_iso_date(raw), ""
            if date_format is None:
                return shown_number(raw), ""
            return shown_date(raw, date_format, from_1904=self._workbook.begins_in_1904), ""
        except ValueError:
            return raw, gettext_noop(
                "Column “%(column)s” holds a date, a time or a number that does not exist."
            )


def _whole(text: str) -> int:
    """Return a number of the file's own counting, -1 where it is none."""
    text = text.strip()
    return int(text) if len(text) < 10 and text.isascii() and text.isdigit() else -1


def _column(letters: str) -> int | None:
    """Return the index of column A, B, …, from 0; None where these are no letters of a column."""
    if not 0 < len(letters) <= 3:
        return None
    index = 0
    for letter in letters.upper():
        if not "A" <= letter <= "Z":
            return None
        index = index * 26 + ord(letter) - 64
    return index - 1
