"""The rows of a new campaign as a request brings them: in JSON, as NDJSON or CSV, or in a form.

JSON is decoded whole, and so it has to be small. All else is read from a file in constant memory,
and is kept as Django keeps an upload: in memory as long as it is small.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator
from typing import IO, Any, ClassVar, NoReturn

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, MultiPartParser

from ..client.opaque import Opaque, shielded
from ..client.wire import RepeatedKey, unique
from ..sheets import SheetRow, UnreadableSheet, open_sheet
from ..sheets.delimited import BLOCK, MAX_RECORD
from ..sheets.reading import MAX_BYTES
from .parsers import BodyTooLarge, BoundedJSONParser, refuse_strangers

MAX_JSON = 2_621_440
"""Bytes of a body in JSON: as many as Django keeps of one in memory."""


# --- The forms of a body --------------------------------------------------------------------------


class SmallJSONParser(BoundedJSONParser):
    """Takes less than the other forms, and says so."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Any = None
    ) -> Opaque[Any]:
        if int(parser_context["request"].META["CONTENT_LENGTH"]) > MAX_JSON:
            raise BodyTooLarge(MAX_JSON, hint=_("Send so many rows as NDJSON or CSV."))
        return super().parse(stream, media_type, parser_context)


class Stream:
    """A body that is nothing but rows, and was not read yet; the address has the rest."""

    def __init__(self, body: Any) -> None:
        self._body = body

    @contextlib.contextmanager
    def in_a_file(self) -> Iterator[IO[bytes]]:
        # Of 0 bytes it would keep any number in memory.
        in_memory = settings.FILE_UPLOAD_MAX_MEMORY_SIZE or 1
        with tempfile.SpooledTemporaryFile(in_memory, dir=settings.FILE_UPLOAD_TEMP_DIR) as file:
            # There may be no room for it, and it may hold secrets.
            while shielded(lambda: file.write(self._read())):
                if file.tell() > MAX_BYTES:
                    raise BodyTooLarge(MAX_BYTES)
            yield file

    def _read(self) -> bytes:
        try:
            block: bytes = self._body.read(BLOCK)
        except OSError:
            raise ParseError(_("The body of this request broke off.")) from None
        return block

    def rows(self, file: IO[bytes]) -> Iterator[SheetRow]:
        return open_sheet(file, "rows.csv").rows()


class Lines(Stream):
    """A body of which each line is a row in JSON."""

    def rows(self, file: IO[bytes]) -> Iterator[SheetRow]:
        return rows_of_lines(file)


class StreamParser(BaseParser):
    """Leaves a body to be read by the view: before anyone is let in, nothing of it is."""

    kind: ClassVar[type[Stream]] = Stream
    media_type = "text/csv"

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Any = None
    ) -> Stream:
        return self.kind(stream)


class LinesParser(StreamParser):
    kind = Lines
    media_type = "application/x-ndjson"


class FormParser(MultiPartParser):
    """Reads a form, at most as many bytes of it as the view's `max_body` says."""

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        refuse_strangers(parser_context)
        # Nor has the view looked at the length where a token is looked for.
        most = parser_context["view"].max_body
        if int(parser_context["request"].META["CONTENT_LENGTH"]) > most:
            raise BodyTooLarge(most)
        try:
            return super().parse(stream, media_type, parser_context)
        except OSError:
            raise ParseError(_("The body of this request broke off.")) from None
        except SuspiciousOperation as error:
            # More fields, or longer ones, than the site's settings let through.
            raise ParseError(str(error)) from None


PARSERS: list[Any] = [SmallJSONParser, LinesParser, StreamParser, FormParser]


# --- Rows in JSON ---------------------------------------------------------------------------------


def rows_of_lines(file: IO[bytes]) -> Iterator[SheetRow]:
    """Read rows of which each is an object on a line of its own; blank lines are left out.

    Raises:
        UnreadableSheet: a line is no such thing.
    """
    file.seek(0)
    number = 0
    while line := file.readline(MAX_RECORD + 1):
        number += 1
        if len(line) > MAX_RECORD:
            sentence = _("Line %(line)d has more than %(most)d bytes.")
            raise UnreadableSheet(sentence % {"line": number, "most": MAX_RECORD})
        if line.strip():
            yield row_of(number, _decoded(line, number))


def _decoded(line: bytes, number: int) -> Any:
    try:
        # A byte order mark may stand before the first line.
        return json.loads(
            line.decode("utf-8-sig"), parse_constant=_refuse_constant, object_pairs_hook=unique
        )
    except UnicodeDecodeError:
        sentence, at = _("Line %(line)d is not UTF-8."), 0
    except json.JSONDecodeError as error:
        sentence, at = _("Line %(line)d is not JSON: see its character %(at)d."), error.colno
    except RecursionError:
        sentence, at = _("Line %(line)d is nested too deep."), 0
    except RepeatedKey:
        sentence, at = _("Line %(line)d has a name twice in one object."), 0
    except ValueError:
        sentence, at = _("Line %(line)d has a number that cannot be read."), 0
    raise UnreadableSheet(sentence % {"line": number, "at": at})


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(constant)


def row_of(number: int, row: Any) -> SheetRow:
    """Return a row in JSON as one of a campaign.

    Raises:
        UnreadableSheet: it is no object.
    """
    if not isinstance(row, dict):
        sentence = _("Row %(row)d is no object of JSON, which has values by their names.")
        raise UnreadableSheet(sentence % {"row": number})
    # No parameter takes a list or an object: what is in it, to whatever depth, does not matter.
    return SheetRow(
        number,
        {
            name: type(value)() if isinstance(value, list | dict) else value
            for name, value in row.items()
        },
    )
