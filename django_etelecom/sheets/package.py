"""The package of a workbook, as much of it as openpyxl may have at once.

openpyxl believes what a file says of itself: it reads most parts whole, keeps what it has parsed up
to the end of a row or of a shared text, and counts up to whatever row a file names.
"""

import io
import zipfile
from typing import IO, Any
from xml.parsers import expat

from django.utils.translation import gettext as _
from openpyxl.utils import column_index_from_string
from openpyxl.xml.constants import SHEET_MAIN_NS

from .records import UnreadableSheet

MEGABYTE = 1_048_576
MAX_ENTRIES = 2_000
MAX_UNPACKED = 384 * MEGABYTE
"""Bytes of all parts together. A million rows of six columns are some 360 MiB."""

MAX_TEXTS = 64 * MEGABYTE
"""Bytes of the texts that cells share, which openpyxl keeps in memory."""

MAX_KEPT = 2 * MEGABYTE
"""Bytes of XML that are kept parsed at once, which takes up to a hundred times as many."""

MAX_BETWEEN = 256
"""Bytes between two rows that do not count as kept."""

MAX_RATIO = 250
"""How much larger a part unpacks. Sheets reach some 20; what deflate can reach is 1,032."""

SMALL = 10 * MEGABYTE
"""Bytes below which the ratio is not looked at: rows that are all the same pack well."""

LAST_ROW = 1_048_576
"""Of a sheet; something of each row stays in memory, and of as many texts."""

LONGEST_FORMAT = 300
"""Characters of a number's format: Excel takes 255, and each cell that has one is shown by it."""

BLOCK = 65_536
MAX_WAITING = 10_000
"""Rows that were met and not yet asked for: openpyxl reads far fewer at once."""

_DIRECTORY_ENTRY = b"PK\x01\x02"
ROW = f"{SHEET_MAIN_NS}}}row"
TEXT = f"{SHEET_MAIN_NS}}}si"
_CELL, _FORMULA, _VALUE = (f"{SHEET_MAIN_NS}}}{name}" for name in "cfv")


def damaged() -> UnreadableSheet:
    return UnreadableSheet(
        _("The workbook is damaged. Open it in a spreadsheet program and save it again as XLSX.")
    )


def bomb() -> UnreadableSheet:
    return UnreadableSheet(
        _(
            "The workbook unpacks to far more than a sheet of recipients holds, so it is not read. "
            "Copy the rows alone into a new workbook."
        )
    )


class Package(zipfile.ZipFile):
    """The parts of a workbook. Whatever openpyxl reads of them is looked at first.

    A size that a part declares is not relied upon: zipfile gives no more of the part, and yet
    unpacks all there is where it is asked for the whole. Here it is asked for pieces.
    """

    def __init__(self, file: IO[bytes]) -> None:
        """Read the list of the parts.

        Raises:
            UnreadableSheet: there are too many, or they are too large.
            zipfile.BadZipFile, and what else `zipfile` raises on damage.
        """
        file.seek(0)
        # The list is read whole. That other bytes look like an entry now and then does not matter.
        blocks = iter(lambda: file.read(BLOCK), b"")
        if sum(block.count(_DIRECTORY_ENTRY) for block in blocks) > MAX_ENTRIES:
            raise bomb()
        super().__init__(file)
        self.opened: set[str] = set()
        """Names of the parts that were, since it was last emptied; none is opened twice."""

        self.item = ROW
        """The element of which openpyxl keeps next to nothing once it has parsed it."""

        self.outline = _Outline(self.item)
        """Of the part that was opened last."""

        if sum(entry.file_size for entry in self.infolist()) > MAX_UNPACKED:
            raise bomb()

    def open(self, name: Any, *args: Any, **options: Any) -> Any:
        entry = self.getinfo(name)
        # A part may be listed many times over, and openpyxl looks through it each time.
        if entry.filename in self.opened:
            raise damaged()
        self.opened.add(entry.filename)
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # The others cannot be unpacked in pieces.
            raise damaged()
        is_packed_too_well = entry.file_size > max(SMALL, MAX_RATIO * entry.compress_size)
        if is_packed_too_well or (self.item == TEXT and entry.file_size > MAX_TEXTS):
            raise bomb()
        self.outline = _Outline(self.item)
        return _Part(super().open(entry, *args, **options), self.outline)


class _Part(io.RawIOBase):
    def __init__(self, unpacking: IO[bytes], outline: "_Outline") -> None:
        self._unpacking, self._outline = unpacking, outline

    def read(self, size: int = -1) -> bytes:
        block = self._unpacking.read(MAX_KEPT + 1 if size < 0 else size)
        if size < 0 and len(block) > MAX_KEPT:
            raise bomb()
        self._outline.feed(block)
        return block

    def close(self) -> None:
        self._unpacking.close()
        super().close()


class _Outline:
    """Follows the XML of a part a piece ahead of openpyxl."""

    def __init__(self, item: str) -> None:
        self.formulas: dict[int, set[int]] = {}
        """Columns of the cells with a formula and no result, by row, both from 1. openpyxl gives
        the same for such a cell as for an empty one."""

        self.hidden: set[int] = set()
        """Rows, from 1, that nobody sees, such as those that a filter leaves out."""

        self._item = item
        self._items = self._fed = self._finished = self._unfinished_from = 0
        self._row = 0
        self._reference, self._cells_after_it = "A", 0
        self._formula_counts = self._has_formula = self._has_result = False
        self._parser = expat.ParserCreate(namespace_separator="}")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = _refuse_document_type

    def feed(self, block: bytes) -> None:
        try:
            self._parser.Parse(block, False)
        except expat.ExpatError:
            # A picture, or damage at which openpyxl's parser, which is the same, stops as well.
            return
        for waiting in (self.formulas, self.hidden):
            if len(waiting) > MAX_WAITING:
                # The sheet is only measured.
                waiting.clear()
        self._fed += len(block)
        if self._fed - self._finished > MAX_KEPT or self._items > LAST_ROW:
            raise bomb()

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == _CELL:
            if reference := attributes.get("r"):
                self._reference, self._cells_after_it = reference, 0
            else:
                self._cells_after_it += 1
            self._has_formula = self._has_result = False
            # A formula may well have an empty text for its result.
            self._formula_counts = attributes.get("t") != "str"
        elif name == _FORMULA:
            self._has_formula = self._formula_counts
        elif name == _VALUE and self._has_formula:
            self._parser.CharacterDataHandler = self._see_result
        elif name == self._item:
            self._items += 1
            self._unfinished_from = self._parser.CurrentByteIndex
            if name == ROW:
                self._begin_row(attributes.get("r"))
                if attributes.get("hidden") in ("1", "true"):
                    self.hidden.add(self._row)
        # Of whatever namespace, as openpyxl takes it; what it and we look for in it takes the
        # square of its length.
        elif name.endswith("numFmt") and len(attributes.get("formatCode", "")) > LONGEST_FORMAT:
            raise damaged()

    def _end(self, name: str) -> None:
        if name == _CELL and self._has_formula and not self._has_result:
            letters = self._reference.rstrip("0123456789")
            before = column_index_from_string(letters) if letters else 0
            self.formulas.setdefault(self._row, set()).add(before + self._cells_after_it)
        elif name == _VALUE:
            self._parser.CharacterDataHandler = None
        elif name == self._item:
            self._finish(MAX_UNPACKED)
            self._parser.StartElementHandler = self._start_after_item

    def _start_after_item(self, name: str, attributes: dict[str, str]) -> None:
        # Its last tag, and white space.
        self._finish(MAX_BETWEEN)
        self._parser.StartElementHandler = self._start
        self._start(name, attributes)

    def _finish(self, at_most: int) -> None:
        # From the mark to here, and the mark moves along: an item within another counts once.
        index = self._parser.CurrentByteIndex
        self._finished += min(index - self._unfinished_from, at_most)
        self._unfinished_from = index

    def _see_result(self, _text: str) -> None:
        self._has_result = True

    def _begin_row(self, number: str | None) -> None:
        # openpyxl makes an empty row of each that is left out, and leaves out what goes back.
        row = self._row + 1 if number is None else int(number)
        if not self._row < row <= LAST_ROW:
            raise damaged()
        self._row = row
        self._reference, self._cells_after_it = "", 0


def _refuse_document_type(*_declared: object) -> None:
    raise UnreadableSheet(
        _(
            "The workbook's XML declares a document type, which no spreadsheet program writes. "
            "It is not read."
        )
    )
