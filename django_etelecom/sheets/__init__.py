"""Sheets that people upload: which column is what, and numbers that a spreadsheet damaged."""

from .matching import match_columns
from .mending import Mended, mend_number

__all__ = ["Mended", "match_columns", "mend_number"]
