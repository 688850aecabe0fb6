"""The zip and XML of a workbook, read piece by piece and bounded, whatever they declare.

No library of workbooks is used: they hold every text of the file in memory, hide a formula that
has no result behind an empty cell, and count up to whatever row number a file claims to have.
"""

import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import IO, TypeAlias, TypeVar
from urllib.parse import unquote
from xml.parsers import expat

from django.utils.translation import gettext as _

from .records import UnreadableSheet

MAX_ENTRIES = 2_000
MAX_DIRECTORY = 1_048_576
"""Bytes of the zip's list of entries, which is read whole."""

MAX_UNPACKED = 384 * 1_048_576
"""Bytes that the parts unpack to, together. A million rows of six columns are some 360 MiB."""

MAX_RATIO = 250
"""How much larger a part unpacks. Sheets reach some 20; what deflate can reach is 1,032."""

SMALL = 10 * 1_048_576
"""Bytes below which the ratio is not looked at: rows that are all the same pack well."""

MAX_TAG = 1_048_576
"""Bytes of one tag or comment, which the parser has to keep until it ends."""

MAX_DEPTH = 64
MAX_NAMES = 5_000
"""Names of elements and attributes; the format has some hundreds."""

BLOCK = 65_536
"""Bytes that are unpacked at once."""

_PACKINGS = frozenset([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])

Start: TypeAlias = Callable[[Mapping[str, str]], None]
End: TypeAlias = Callable[[], None]


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


# What zipfile raises on bytes that are no zip, by reading its source and by feeding it any bytes.
_READ_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    ValueError,
)


class Package:
    """The parts of a workbook, by name."""

    def __init__(self, file: IO[bytes]) -> None:
        """Read the list of the parts.

        Raises:
            UnreadableSheet: it is not a zip, is damaged, or has too many parts.
        """
        try:
            self._zip = zipfile.ZipFile(_Careful(file))
        except _READ_ERRORS:
            raise damaged() from None
        entries = self._zip.infolist()
        if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_UNPACKED:
            raise bomb()
        # The format compares names without regard to case.
        self._entries = {entry.filename.casefold(): entry for entry in entries}

    def __contains__(self, name: str) -> bool:
        return name.casefold() in self._entries

    def blocks(self, name: str, *, at_most: int = MAX_UNPACKED) -> Iterator[bytes]:
        """Unpack a part piece by piece, never more of it than the zip declares for it.

        Raises:
            UnreadableSheet: it is not there, is damaged, or declares to be too large.
        """
        entry = self._entries.get(name.casefold())
        if entry is None or entry.flag_bits & 1 or entry.compress_type not in _PACKINGS:
            raise damaged()
        if entry.file_size > at_most or (
            entry.file_size > SMALL and entry.file_size > MAX_RATIO * entry.compress_size
        ):
            raise bomb()
        try:
            # A part that unpacks to more than it declares is cut there, and fails its checksum.
            with self._zip.open(entry) as part:
                while block := part.read(BLOCK):
                    yield block
        except _READ_ERRORS:
            raise damaged() from None

    def related(self, name: str) -> dict[str, tuple[str, str]]:
        """Return the parts that a part, or the package where it is "", refers to.

        Keys are the identifiers by which it does; values are the last word of what the part is
        and its name.
        """
        folder, base = posixpath.split(name)
        found: dict[str, tuple[str, str]] = {}

        def relationship(attributes: Mapping[str, str]) -> None:
            if attributes.get("TargetMode") != "External":
                target = unquote(attributes.get("Target", ""))
                path = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
                kind = attributes.get("Type", "").rpartition("/")[2]
                found[attributes.get("Id", "")] = (kind, path)

        relations = posixpath.join(folder, "_rels", f"{base}.rels")
        if relations in self:
            parse(self.blocks(relations, at_most=SMALL), {"Relationship": relationship})
        return found


class _Careful:
    """A file that refuses to give the list of a zip's entries where it is too long to hold."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if size > MAX_DIRECTORY:
            raise zipfile.BadZipFile
        return self._file.read(size)


def feed(
    blocks: Iterator[bytes],
    starts: Mapping[str, Start],
    ends: Mapping[str, End] | None = None,
    text: Callable[[str], None] | None = None,
) -> Iterator[None]:
    """Parse XML block by block, stopping after each.

    `starts` and `ends` are what is called for which element, by its name without prefix.

    Raises:
        UnreadableSheet: it is not well-formed, has a document type (and with it entities), or
            needs more memory than a workbook's XML does.
    """
    names: dict[str, str] = {}
    parser = expat.ParserCreate("utf-8", intern=names)
    parser.buffer_text = True
    on_starts: Mapping[str, Start] = _ByName(starts, _ignore_start)
    on_ends: Mapping[str, End] = _ByName(ends or {}, _ignore_end)
    depth = 0

    def on_start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise damaged()
        on_starts[name](attributes)

    def on_end(name: str) -> None:
        nonlocal depth
        depth -= 1
        on_ends[name]()

    parser.StartElementHandler = on_start
    parser.EndElementHandler = on_end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse_document_type
    fed = 0
    try:
        for block in blocks:
            parser.Parse(block, False)
            fed += len(block)
            # What is not yet closed is kept by the parser, and read again with each block.
            if fed - parser.CurrentByteIndex > MAX_TAG or len(names) > MAX_NAMES:
                raise damaged()
            yield
        parser.Parse(b"", True)
    except expat.ExpatError:
        raise damaged() from None
    yield


def parse(
    blocks: Iterator[bytes],
    starts: Mapping[str, Start],
    ends: Mapping[str, End] | None = None,
) -> None:
    """Parse XML to its end, as `feed` does."""
    for _fed in feed(blocks, starts, ends):
        pass


Called = TypeVar("Called")


class _ByName(dict[str, Called]):
    """What is called for an element by its whole name, looked up by its last part at first."""

    def __init__(self, by_last_part: Mapping[str, Called], ignored: Called) -> None:
        super().__init__()
        self._by_last_part = by_last_part
        self._ignored = ignored

    def __missing__(self, name: str) -> Called:
        called = self._by_last_part.get(name.rpartition(":")[2], self._ignored)
        self[name] = called
        return called


def _ignore_start(_attributes: Mapping[str, str]) -> None:
    return


def _ignore_end() -> None:
    return


def _refuse_document_type(*_declared: object) -> None:
    raise UnreadableSheet(
        _(
            "The workbook's XML declares a document type, which no spreadsheet program writes. "
            "It is not read."
        )
    )


def unescaped(text: str) -> str:
    """Return text with the characters that the format writes as `_x000D_`."""
    return _ESCAPED.sub(_character, text) if "_x" in text else text


_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


def _character(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    # Half a character cannot be stored anywhere, and NUL not in every database.
    return match[0] if character == "\0" or "\ud800" <= character <= "\udfff" else character
