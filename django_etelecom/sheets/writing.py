"""CSV that opens right in a spreadsheet, that runs nothing there, and that reads back the same."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

BYTE_ORDER_MARK = "\ufeff"
"""What tells Excel that the file is UTF-8."""

PIECE = 16_384
"""Characters, about, that are given at once."""

# What a spreadsheet runs begins with one of these, full-width ones included; some look past spaces,
# quotation marks and what cannot be seen. The apostrophe is among those, so that a cell which had
# one before its formula is told from a cell that was given one here.
_SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫−"
_LOOKED_PAST = "'\"‘’“”\u200b-\u200f\u2060\ufeff"
_AT_FIRST = rf"\A(?=[\s{_LOOKED_PAST}]*?[{_SIGNS}\t\r\n])"

# Where Excel's list separator is the semicolon, a cell begins at each of them as well, and a
# quotation mark before it lets line ends in.
_INSIDE = rf"(?<=[;\t\r\n])(?=(?:[^\S\t\r\n]|[{_LOOKED_PAST}])*[{_SIGNS}])"

_TO_DEFUSE = re.compile(f"{_AT_FIRST}|{_INSIDE}")
_DEFUSED = re.compile(f"(?:{_AT_FIRST}|{_INSIDE})'")


def write_csv(rows: Iterable[Mapping[str, str]], columns: Sequence[str]) -> Iterator[str]:
    """Write rows as CSV and give it in pieces, as for a `StreamingHttpResponse`.

    The first piece begins with the byte order mark. A row without a column has an empty cell
    there. What would run as a formula gets an apostrophe before it, as a person would type one;
    `open_sheet` takes it away again.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    buffer.write(BYTE_ORDER_MARK)
    # In quotation marks a heading's own semicolons are not taken for the delimiter.
    csv.writer(buffer, lineterminator="\r\n", quoting=csv.QUOTE_ALL).writerow(map(defused, columns))
    for row in rows:
        writer.writerow([defused(row.get(column, "")) for column in columns])
        if buffer.tell() >= PIECE:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def defused(cell: str) -> str:
    """Return the cell with an apostrophe wherever a spreadsheet would run what follows."""
    return _TO_DEFUSE.sub("'", cell)


def as_typed(cell: str) -> str:
    """Return the cell without the apostrophes that keep a spreadsheet from running it."""
    return _DEFUSED.sub("", cell)
