"""XLSX as spreadsheet programs save it: the rows of its first sheet, as the text they show."""

import itertools
import warnings
from collections.abc import Iterator, Set
from contextlib import contextmanager
from typing import IO, Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from openpyxl.cell.read_only import EMPTY_CELL, ReadOnlyCell
from openpyxl.reader.excel import ExcelReader
from openpyxl.workbook.defined_name import DefinedNameList

from .package import ROW, TEXT, Package, damaged
from .records import MAX_CELL, MAX_COLUMNS, CellFault, Record, UnreadableSheet
from .shown import shown

ROWS_AT_ONCE = 100

HIDDEN = gettext_noop(
    "The row is hidden in the workbook, as by a filter. Show it, or delete it if it is not meant."
)


class WorkbookReader:
    """Reads the first sheet that a person sees and that has a cell with something in it.

    The values are those that the workbook was saved with: no formula is calculated. A row that is
    hidden is faulty: whoever looks at the sheet does not know of it.
    """

    leaves_out_empty_cells = True

    def __init__(self, file: IO[bytes]) -> None:
        """Find the sheet.

        Raises:
            UnreadableSheet: it is no workbook, or one without a sheet that has something in it.
        """
        with _openpyxl():
            self._package = Package(file)
            _refuse_other_packages(set(self._package.namelist()))
            workbook = _Workbook(file, self._package)
            workbook.read()
        for sheet in workbook.wb.worksheets:
            if sheet.sheet_state == "visible":
                self.title, self._sheet = sheet.title, sheet
                if next(self.records(), None):
                    return
        # One that is saved as “Strict Open XML” looks empty to openpyxl.
        raise UnreadableSheet(
            _(
                "The workbook has no visible sheet with anything in it. Where it has one, save it "
                "again as “Excel Workbook (.xlsx)”."
            )
        )

    def records(self) -> Iterator[Record]:
        self._package.opened.clear()
        # Whatever size the sheet claims to have.
        self._sheet.reset_dimensions()
        rows = enumerate(self._sheet.iter_rows(max_col=MAX_COLUMNS + 1), start=1)
        left_out: object = None
        while True:
            records = []
            with _openpyxl():
                some = list(itertools.islice(rows, ROWS_AT_ONCE))
                for number, row in some:
                    # All the rows that a file leaves out, up to a million, are one tuple.
                    if row is not left_out:
                        record = self._record(number, row)
                        if record.cells or record.faults:
                            records.append(record)
                        else:
                            left_out = row
            if not some:
                return
            yield from records

    def _record(self, number: int, row: tuple[Any, ...]) -> Record:
        outline = self._package.outline
        formulas = outline.formulas.pop(number, set())
        is_hidden = number in outline.hidden
        outline.hidden.discard(number)
        cells: list[str] = []
        faults: list[CellFault] = []
        for at, cell in enumerate(row):
            if cell is not EMPTY_CELL:
                text, fault = _text(cell, is_formula=at + 1 in formulas)
                if text:
                    cells += [""] * (at - len(cells))
                    cells.append(text)
                if fault:
                    faults.append(CellFault(at, fault))
        if is_hidden and cells:
            faults.append(CellFault(0, HIDDEN))
        return Record(number, cells, faults)


def _text(cell: ReadOnlyCell, *, is_formula: bool) -> tuple[str, str]:
    """Return what a cell shows, and a fault where that is no value."""
    value = cell.value
    if value is None:
        if not is_formula:
            return "", ""
        return "", gettext_noop(
            "Column “%(column)s” holds a formula without a result. Open the sheet in a "
            "spreadsheet program and save it there, or paste the values."
        )
    if cell.data_type == "e":
        return str(value), gettext_noop(
            "Column “%(column)s” shows an error of the spreadsheet instead of a value."
        )
    try:
        # A text's format is looked up for nothing.
        number_format = "" if cell.data_type == "s" else cell.number_format
        return shown(value, number_format)[: MAX_CELL + 1], ""
    except (ValueError, OverflowError):
        return str(value)[: MAX_CELL + 1], gettext_noop(
            "Column “%(column)s” holds a date, a time or a number that does not exist."
        )


def _refuse_other_packages(names: Set[str]) -> None:
    if "xl/workbook.bin" in names:
        raise UnreadableSheet(
            _("This is a binary workbook (XLSB). Save it as XLSX or as CSV UTF-8.")
        )
    if "[Content_Types].xml" not in names or not any(name.startswith("xl/") for name in names):
        raise UnreadableSheet(
            _("This is a zip file, but no XLSX workbook. Save the sheet as XLSX or CSV UTF-8.")
        )


@contextmanager
def _openpyxl() -> Iterator[None]:
    """Keep to itself what openpyxl warns of, and say in a sentence that it cannot read a file."""
    with warnings.catch_warnings():
        # Of what it would leave out if it wrote the workbook again, such as drawings. Threads share
        # the filters: at worst this one stays.
        warnings.filterwarnings("ignore", module=r"openpyxl\.")
        try:
            yield
        except (UnreadableSheet, MemoryError):
            raise
        # openpyxl takes files to be sound: what is wrong with one comes out as a KeyError, a
        # TypeError, an AttributeError, a RecursionError, or whatever else its code stumbles over.
        except Exception as error:  # noqa: BLE001
            # What the package was refused for comes wrapped where openpyxl takes it for its own.
            if isinstance(error.__cause__, UnreadableSheet):
                raise error.__cause__ from None
            # Not from the error, which may say what is in a cell.
            raise damaged() from None


class _Workbook(ExcelReader):
    """Reads a workbook as `openpyxl.load_workbook` does, through a `Package`."""

    archive: Package

    def __init__(self, file: IO[bytes], package: Package) -> None:
        super().__init__(file, read_only=True, data_only=True, keep_links=False)
        self.archive = package

    def read_strings(self) -> None:
        self.archive.item = TEXT
        super().read_strings()
        self.archive.item = ROW

    def read_workbook(self) -> None:
        super().read_workbook()
        # Where it would be printed. openpyxl takes more than the square of such a text's length.
        self.parser.defined_names = DefinedNameList()  # type: ignore[attr-defined]  # not in stubs

    def read_chartsheet(self, sheet: object, rel: object) -> None:
        """Pass over a sheet that is a chart."""
