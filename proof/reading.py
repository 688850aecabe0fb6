"""A second reader of answers, which shares no code with the app: what bytes may say at most.

It is generous with how an answer is framed and strict with what it says. What it does not find, no
reader can have been told.
"""

import dataclasses
import json
import re
from collections.abc import Iterator

LARGEST_BODY = 64 * 1024

REFUSALS = {-1, -2, -3, -6, -8, -9}

_STATUS_LINE = re.compile(rb"HTTP/\S*[ \t]+([0-9]{3})(?![^ \t\r\n])", re.IGNORECASE)
_LINE = re.compile(rb"[^\n]*?(?=\r*\n|\Z)")
_LINE_END = re.compile(rb"\r+\n")
_CHUNK_SIZE = re.compile(rb"[0-9a-f]+", re.IGNORECASE)
_BLANK_LINE = re.compile(rb"\r?\n\r*\n")
_PRINTED_KEY = rb'"[\s_]*' + rb"[\s_]*".join(re.escape(bytes([one])) for one in b"status")
_PRINTED = re.compile(_PRINTED_KEY + rb'[\s_]*"\s*:\s*"\s*(success|fail)\s*"', re.IGNORECASE)
_ESCAPE = re.compile(rb"\\(?:u00([0-9a-f]{2})|[nrt])", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Reading:
    """What can be found in an answer."""

    statuses: frozenset[str]
    """What a message may be called after it."""
    ids: frozenset[str] = frozenset()
    """The ids that a message may have after it."""


def read_send(raw: bytes) -> Reading:
    """Read an answer to SendMessage."""
    statuses, ids = {"unknown"}, {""}
    for code, body in _answers(raw):
        if code == 401:
            statuses.add("rejected")
        if code != 200:
            continue
        pairs = _pairs(body)
        told = [value for name, value in pairs if name.strip().lower() == "status"]
        meant = {_number(value) for value in told}
        if meant == {1}:
            statuses.add("accepted")
        if len(meant) == 1 and meant <= REFUSALS:
            statuses.add("rejected")
        ids |= {str(value).strip() for name, value in pairs if name.strip().lower() == "idomnimess"}
    return Reading(frozenset(statuses), frozenset(ids))


def read_status(raw: bytes) -> Reading:
    """Read an answer to GetStatusOmni about a message that is accepted."""
    statuses = {"accepted"}
    for code, body in _answers(raw):
        if code != 200:
            continue
        told = {
            str(value).strip().lower()
            for name, value in _pairs(body)
            if "".join(name.replace("_", " ").split()).lower() == "status"
        }
        # As it is printed it is no JSON, so it is looked for as text.
        printed = {word.lower() for word in _PRINTED.findall(_ESCAPE.sub(_unescaped, body))}
        if told == {"success"} or b"success" in printed:
            statuses.add("delivered")
        if told == {"fail"} or b"fail" in printed:
            statuses.add("undelivered")
    return Reading(frozenset(statuses))


def _unescaped(escape: re.Match[bytes]) -> bytes:
    return bytes.fromhex(escape[1].decode()) if escape[1] else b" "


def _answers(raw: bytes) -> Iterator[tuple[int, bytes]]:
    """Return the HTTP status and each body that the first answer which is final can have."""
    code, rest = _head(raw)
    while 100 <= code < 200:
        found = _BLANK_LINE.search(rest)
        code, rest = _head(rest[found.end() :] if found else b"")
    if not code:
        return
    # Where there is no end of the headers there is no body.
    found = _BLANK_LINE.search(rest)
    head, body = (rest[: found.start()], rest[found.end() :]) if found else (rest, b"")
    if code == 401:
        yield code, body
        return
    headers = _headers(head)
    if any(one.lower() not in ("", "identity") for one in headers.get(b"content-encoding", [])):
        return
    lengths = {_length(one) for one in headers.get(b"content-length", [])}
    if len(lengths) > 1:
        return
    coded = headers.get(b"transfer-encoding")
    length = next(iter(lengths), None)
    bodies = []
    if coded and any("chunked" in one.lower() for one in coded):
        bodies = [_joined(body)]
    elif length is not None and len(body) >= length:
        bodies = [body[:length]]
    # To the close, where no length counts.
    if coded or length is None:
        bodies.append(body)
    yield from ((code, one) for one in bodies if len(one) <= LARGEST_BODY)


def _head(raw: bytes) -> tuple[int, bytes]:
    """Return the HTTP status, 0 where there is none, and what follows its line."""
    found = _STATUS_LINE.match(raw.lstrip(b"\r\n"))
    if found is None:
        return 0, b""
    # The end of the line stays: where there is no header it is half of the blank line.
    return int(found[1]), _LINE.sub(b"", raw.lstrip(b"\r\n"), count=1)


def _headers(head: bytes) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = {}
    name = b""
    for line in head.replace(b"\r\n", b"\n").split(b"\n"):
        if line[:1] in (b" ", b"\t") and name in found:
            found[name][-1] = f"{found[name][-1]} {line.decode('latin-1').strip()}".strip()
            continue
        before, colon, value = line.partition(b":")
        if colon:
            name = before.strip().lower()
            found.setdefault(name, []).append(value.decode("latin-1").strip())
    return found


def _length(told: str) -> int | None:
    try:
        length = int(told)
    except ValueError:
        return None
    return length if length >= 0 else None


def _joined(body: bytes) -> bytes:
    """Put chunks together; nothing where the last one is missing."""
    joined = bytearray()
    while True:
        line, newline, body = body.partition(b"\n")
        # Some readers pass over whatever follows the size.
        told = _CHUNK_SIZE.match(line)
        size = int(told[0], 16) if told else 0
        if told is None or not newline or size > len(body):
            return b""
        if size == 0:
            return bytes(joined)
        joined += body[:size]
        body = body[size:]
        # libcurl passes over any number of CR.
        if end := _LINE_END.match(body):
            body = body[end.end() :]
        else:
            body = body[2:] if body[:1] == b"\r" or body[1:2] == b"\n" else body[1:]


def _pairs(body: bytes) -> list[tuple[str, object]]:
    """Return the members of the one object that a body is."""
    try:
        value = json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_Members, parse_constant=_no_number
        )
    except (ValueError, RecursionError):
        return []
    return value.pairs if isinstance(value, _Members) else []


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


class _Members:
    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        self.pairs = pairs


def _number(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch("0|-?[1-9][0-9]*", value.strip()):
        return int(value)
    return None
