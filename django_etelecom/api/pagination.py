"""Lists a page at a time, by key: what a page costs depends on neither its place nor the table."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, NamedTuple, Protocol

from django.db.models import BigAutoField, QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from ..finding.key_walk import BEYOND, Stretch
from .serializers import Body

PER_PAGE = 50
MOST_PER_PAGE = 100

_CURSOR = re.compile("([no])([0-9]{1,19})")


class Cursor(NamedTuple):
    """A place in a list, from which a page goes on."""

    key: int
    is_upwards: bool
    """Whether the page has what is newer than the key, and not what is older."""

    def __str__(self) -> str:
        written = f"{'n' if self.is_upwards else 'o'}{self.key}"
        return base64.urlsafe_b64encode(written.encode()).decode().rstrip("=")


class CursorField(serializers.CharField):
    """A place in a list, as an earlier page gave it."""

    default_error_messages = {
        "cursor": _("This is no cursor: take it from the links of an earlier page.")
    }

    def to_internal_value(self, data: Any) -> Cursor:
        try:
            written = base64.urlsafe_b64decode(f"{data}===").decode()
        except (binascii.Error, ValueError):
            written = ""
        match = _CURSOR.fullmatch(written)
        if match and int(match[2]) <= BigAutoField.MAX_BIGINT:
            return Cursor(int(match[2]), match[1] == "n")
        raise self.fail("cursor")


class PageQuery(Body):
    """What the address of a list takes."""

    cursor = CursorField(required=False)
    limit = serializers.IntegerField(
        required=False, default=PER_PAGE, min_value=1, max_value=MOST_PER_PAGE
    )


class Walk(Protocol):
    """Rows that can be read a stretch at a time from any key, as `KeyWalk` reads messages."""

    def older(self, before: int | None, most: int) -> Stretch: ...

    def newer(self, after: int, most: int) -> Stretch: ...


class RowWalk:
    """The rows of a query, by their keys. Its conditions have to have an index that ends in it."""

    def __init__(self, rows: QuerySet[Any]) -> None:
        self._rows = rows

    def older(self, before: int | None, most: int) -> Stretch:
        before = BEYOND if before is None else before
        found = list(self._rows.filter(pk__lt=before).order_by("-pk")[: most + 1])
        return Stretch(found[:most], found[most - 1].pk if found[most:] else None, is_cut=False)

    def newer(self, after: int, most: int) -> Stretch:
        found = list(self._rows.filter(pk__gt=after).order_by("pk")[: most + 1])
        goes_on = found[most - 1].pk if found[most:] else None
        return Stretch(found[:most][::-1], goes_on, is_cut=False)


class Page(NamedTuple):
    """The rows of one page, newest first, and the places of its neighbours."""

    rows: list[Any]
    next: Cursor | None
    """Where older ones are; None: there are none."""
    previous: Cursor | None

    def answer(self, request: Any, results: Any) -> Response:
        """Return what is told of the page; `results` is what is told of its rows."""
        return Response(
            {
                "next": _address(request, self.next),
                "previous": _address(request, self.previous),
                "results": results,
            }
        )


def read_page(walk: Walk, cursor: Cursor | None, limit: int) -> Page:
    """Read a page of the rows of a walk, from a place on; None: the newest ones."""
    if cursor is not None and cursor.is_upwards:
        stretch = walk.newer(cursor.key, limit)
        oldest = stretch.messages[-1].pk if stretch.messages else cursor.key + 1
        further = None if stretch.goes_on is None else Cursor(stretch.goes_on, is_upwards=True)
        return Page(stretch.messages, Cursor(oldest, is_upwards=False), further)
    stretch = walk.older(cursor and cursor.key, limit)
    further = None if stretch.goes_on is None else Cursor(stretch.goes_on, is_upwards=False)
    if cursor is None:
        return Page(stretch.messages, further, None)
    newest = stretch.messages[0].pk if stretch.messages else max(cursor.key - 1, 0)
    return Page(stretch.messages, further, Cursor(newest, is_upwards=True))


def _address(request: Any, cursor: Cursor | None) -> str | None:
    if cursor is None:
        return None
    address: str = replace_query_param(request.build_absolute_uri(), "cursor", str(cursor))
    return address
