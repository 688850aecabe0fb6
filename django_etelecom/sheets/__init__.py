"""Sheets that people upload, CSV and XLSX: a header and a stream of rows; and CSV back again.

Nothing here knows templates or the database. What is read is bounded before it is read: an upload
comes from a browser, and a few kilobytes can be made to say that they are gigabytes.
"""

from .matching import match_columns
from .mending import Mended, mend_number
from .reading import Sheet, SheetRow, open_sheet
from .records import UnreadableSheet
from .writing import write_csv

__all__ = [
    "Mended",
    "Sheet",
    "SheetRow",
    "UnreadableSheet",
    "match_columns",
    "mend_number",
    "open_sheet",
    "write_csv",
]
