"""Sheets that people upload: which column is what a template asks for."""

from .matching import match_columns

__all__ = ["match_columns"]
