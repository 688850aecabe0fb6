"""Speaks eTelecom's protocol: pure codecs, and one POST with a known phase. Imports no Django."""
