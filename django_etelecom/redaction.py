"""What the provider said, made fit to be stored: bounded, without secrets or odd characters."""

import base64
import html
import json
import re
import string
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, NoReturn
from urllib.parse import unquote

MASK = "•••"

MAX_PAYLOAD = 4096
"""Characters of a stored payload."""
MAX_DEPTH = 20
"""Levels of a payload that are looked into."""

_READ_AT_MOST = 2 * MAX_PAYLOAD
"""Characters of one text that are looked at: what lies behind them is not stored anyway."""
_CUT = "…"

SHOWN = 3
"""Characters of a secret's beginning at the end of a text by which it is recognised."""

SHORT = 4
"""Secrets of fewer characters are masked only where they stand alone: a PIN of 1 is everywhere."""

# Words of the wire: their values are the provider's own, and no short secret eats them.
_WIRE_WORDS = frozenset(
    {
        "status",
        "idomnimess",
        "errorcode",
        "channel",
        "mtcount",
        "quantity",
        "telcoid",
        "ischarged",
        "ischargedzns",
        "duration",
    }
)
_ECHO_WORD = "listparam"

# A wire word and its value in text that is almost JSON.
_WIRE_PAIR = re.compile(
    rf'"\s*(?:{"|".join("_?".join(word) for word in sorted(_WIRE_WORDS))})'
    r'\s*"\s*:\s*(?:"[^"]*"|[^",}\s]*)',
    re.IGNORECASE,
)

# The echo of our parameters, also as the provider's documentation prints it: an object in quotes
# whose own quotes are not escaped. A value may look like its end, so what counts is the last end
# that there is; what has none is cut off, and is an echo to the end of the text. The provider is
# known to put white space around a key, within its quotes.
_ECHO = re.compile(
    r'(list[\s_]*param(?:[\s_]*\\?["\'])?\s*[:=]\s*)'
    r'(?:\\?"\s*\{.*\}\s*\\?"(?=\s*[,}])|\{[^{}"]*(?:"[^"]*"[^{}"]*)*\}(?=\s*[,}])|\\?"\s*\{.*|\{.*'
    r'|"[^"]*"(?=\s*[,}])|\\?["\'\[].*)',
    re.IGNORECASE | re.DOTALL,
)

_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})+")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});?")
_BACKSLASH = re.compile(r"(?:\\u[0-9A-Fa-f]{4})+|\\x[0-9A-Fa-f]{2}|\\[\"'\\/bfnrt]")
_ESCAPE_CUT_OFF = re.compile(r"(?:%[0-9A-Fa-f]?|&#?\w{0,30}|\\(?:[ux]\w{0,3})?)\Z")
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[\s.,_/()\-‐-―]{1,3}(?=\d)")
_BETWEEN_CHARACTERS = re.compile(r"(?<=[^\W_])[\s.,_/\-‐-―]{1,3}(?=[^\W_])")
_NOT_ASCII = re.compile("[^\x00-\x7f]")

_STANDS_BETWEEN = (".,_/()-" + string.whitespace + "\x1c\x1d\x1e\x1f").encode()
"""What the two patterns above let stand between characters, as far as it is ASCII."""

_BASE64_ALPHABET = frozenset(string.ascii_letters + string.digits + "+/-_")

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_SHORT_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

# `json.dumps` would make an encoder for each text that it is not to write in ASCII.
_encoded = json.JSONEncoder(ensure_ascii=False).encode


class Secrets:
    """Secrets to be masked, spelled once in all the ways in which they are looked for.

    Shows nothing of them and cannot be pickled. Takes the place of the secrets themselves where
    the same ones are masked over and over.
    """

    __slots__ = ("_needles",)

    def __init__(self, secrets: Iterable[str]) -> None:
        self._needles: Sequence[_Needle] = tuple(_needles(secrets))

    def __add__(self, more: Iterable[str]) -> "Secrets":
        added = Secrets(more)
        added._needles = (*self._needles, *added._needles)
        return added

    def __repr__(self) -> str:
        return "<Secrets>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret is not to be pickled or copied out of its process.")


def redact(payload: object, secrets: Iterable[str] | Secrets) -> str:
    """Return an answer of the provider as text that may be stored and shown.

    A structure comes out as JSON, text as text, None as "". At most `MAX_PAYLOAD` characters.
    Secrets are masked wherever they stand, keys included; the values of `list_param`, which
    echoes every parameter, are masked all. NULs and lone surrogates are written as escapes.
    Never raises.
    """
    if payload is None:
        return ""
    if isinstance(payload, bytes | bytearray):
        payload = payload[: 4 * _READ_AT_MOST].decode("utf-8", "replace")
    if isinstance(payload, str):
        structure = _structure(payload)
        if structure is None:
            return _bounded(mask_text(_ECHO.sub(rf'\1"{MASK}"', payload[:_READ_AT_MOST]), secrets))
        payload = structure
    needles = _needles(secrets)
    if _is_plain(payload):
        written = _encoded(payload)
        if not needles or _shows_none(written, needles):
            return _bounded(written)
    return _bounded(_joined(_json(payload, needles)))


def _is_plain(payload: object) -> bool:
    """Tell whether an object echoes nothing, and holds nothing that JSON cannot hold.

    So it is with most delivery reports, and to write one piece by piece takes ten times as long.
    """
    return isinstance(payload, dict) and all(
        type(name) is str
        and (type(value) in (str, bool, type(None)) or (type(value) is int and abs(value) < 2**63))
        and _folded(name) != _ECHO_WORD
        for name, value in payload.items()
    )


def mask_text(text: str, secrets: Iterable[str] | Secrets, *, may_be_cut: bool = True) -> str:
    """Return free text with every secret masked; only its first 8,192 characters are kept.

    Finds a secret in either case, in JSON, HTML, percent and base64 escapes and in hexadecimal,
    spaced, dashed or grouped, in full-width characters and with invisible ones in between, and,
    where the text may have been cut off, the beginning of a secret at its end.
    """
    return _masked(text, _needles(secrets), may_be_cut=may_be_cut) if text else ""


def clean_text(text: object, limit: int) -> str:
    """Return a piece of somebody's text as one storable line of at most `limit` characters.

    Control characters, lone surrogates and what reorders text are written as escapes. None is "",
    and what is neither text nor a number is not looked into. Never raises.
    """
    line = "" if text is None else _scalar_text(text)
    shown = _UNPRINTABLE.sub(_visible, line[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + _CUT


def _visible(match: re.Match[str]) -> str:
    character = match.group()
    return _SHORT_ESCAPES.get(character) or f"\\u{ord(character):04x}"


def storable_text(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters as it is, but for what no database stores."""
    shown = _UNSTORABLE.sub(_visible, text)
    return shown if len(shown) <= limit else shown[: limit - 1] + _CUT


def _bounded(text: str) -> str:
    return storable_text(text, MAX_PAYLOAD)


# --- Structures ---------------------------------------------------------------------------------


def _structure(text: str) -> object:
    """Return the object or array that the text is, or None where it is anything else."""
    if len(text) > 16 * MAX_PAYLOAD or not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    # Also nested too deep, or a number too long: to be kept as the text it is.
    except (ValueError, RecursionError):
        return None


def _without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse an object that gives a key twice: as a dictionary it would lose what it said."""
    structure = dict(pairs)
    if len(structure) < len(pairs):
        raise ValueError("repeated key")
    return structure


def _joined(pieces: Iterator[str]) -> str:
    """Join pieces until there are more characters than are kept, and do no work beyond them."""
    kept: list[str] = []
    length = 0
    for piece in pieces:
        kept.append(piece)
        length += len(piece)
        if length > MAX_PAYLOAD:
            break
    return "".join(kept)


def _json(
    value: object,
    needles: Sequence["_Needle"],
    *,
    word: str = "",
    echo: bool = False,
    depth: int = 0,
) -> Iterator[str]:
    """Write a value as JSON with its secrets masked, piece by piece.

    `word` is the key it stands under, folded; `echo` says that it is part of a `list_param`.
    """
    if depth > MAX_DEPTH:
        yield _encoded(_CUT)
    elif isinstance(value, str) and not echo:
        yield _encoded(_masked(value, needles, word=word))
    elif isinstance(value, Mapping):
        yield "{"
        for position, (key, member) in enumerate(value.items()):
            name = _scalar_text(key)
            folded = _folded(name)
            shown = name if folded in _WIRE_WORDS else _masked(name, needles)
            yield f"{', ' if position else ''}{_encoded(shown)}: "
            yield from _json(
                member, needles, word=folded, echo=echo or folded == _ECHO_WORD, depth=depth + 1
            )
        yield "}"
    elif isinstance(value, list | tuple):
        yield "["
        for position, member in enumerate(value):
            yield ", " if position else ""
            yield from _json(member, needles, word=word, echo=echo, depth=depth + 1)
        yield "]"
    elif echo:
        yield _encoded(_masked_echo(value, needles, depth))
    elif value is None or isinstance(value, bool | int | float):
        number = _scalar_text(value)
        yield _encoded(MASK) if _gives_away(number, needles, word) else number
    else:
        yield _encoded(_masked(_scalar_text(value), needles, word=word))


def _masked_echo(value: object, needles: Sequence["_Needle"], depth: int) -> str:
    """Mask a value of `list_param`; where it is JSON in a string, its names stay."""
    structure = _structure(value) if isinstance(value, str) else None
    if structure is None:
        return MASK
    return _joined(_json(structure, needles, echo=True, depth=depth + 1))


def _folded(key: str) -> str:
    """Fold the spellings in which the provider and those who write for it spell one key."""
    return "".join(key.replace("_", " ").split()).lower() if len(key) < 100 else key


def _scalar_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | int | float):
        try:
            return json.dumps(value)
        # An integer of more digits than Python writes.
        except ValueError:
            return _encoded(_CUT)
    return f"<{type(value).__name__}>"


def _gives_away(number: str, needles: Iterable["_Needle"], word: str) -> bool:
    """Tell whether a number shows a secret, which may have lost its leading zeros in it."""
    return any(
        number == needle.text
        if needle.alone
        else needle.text in number or needle.text.lstrip("0") == number
        for needle in needles
        if not (needle.alone and word in _WIRE_WORDS)
    )


# --- Text ---------------------------------------------------------------------------------------


class _Needle(NamedTuple):
    """One spelling of a secret."""

    text: str
    """In small letters, unless it is base64."""
    alone: bool
    """It is so short that it counts only where it stands alone."""
    is_base64: bool
    bones: str
    """What a text has without all that stands between, if it shows the needle in any way."""


class _View:
    """A text read in another way, and where it came from."""

    __slots__ = ("_before", "_origins", "_pattern", "_rewrite", "text")

    def __init__(
        self,
        text: str,
        before: "_View | None" = None,
        pattern: re.Pattern[str] = _NOT_ASCII,
        rewrite: Callable[[re.Match[str]], str] = re.Match.group,
    ) -> None:
        self.text = text
        self._before = before
        self._pattern = pattern
        self._rewrite = rewrite
        self._origins: Sequence[tuple[int, int]] | None = None

    def rewritten(
        self, pattern: re.Pattern[str], rewrite: Callable[[re.Match[str]], str]
    ) -> "_View | None":
        """Return the view with what the pattern finds rewritten, or None where it finds nothing."""
        text, number = pattern.subn(rewrite, self.text)
        return _View(text, self, pattern, rewrite) if number else None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where a part of the text, which is not empty, stands in the original."""
        origins = self._spans(start, end)
        return origins[0][0], origins[-1][1]

    def _spans(self, start: int, end: int) -> Sequence[tuple[int, int]]:
        """Return where each character of a part stands in the original."""
        if self._before is None:
            return [(at, at + 1) for at in range(start, end)]
        if self._origins is None:
            # Only now: it takes far longer than to read the text, and most hold no secret.
            self._origins = self._traced(self._before)
        return self._origins[start:end]

    def _traced(self, before: "_View") -> Sequence[tuple[int, int]]:
        """Return where each character stands in the original."""
        origins: list[tuple[int, int]] = []
        position = 0
        for match in self._pattern.finditer(before.text):
            start, end = match.span()
            origins += before._spans(position, start)
            # Any part of an escape stands for the whole of it.
            written = self._rewrite(match)
            if written:
                origins += [before.span(start, end)] * len(written)
            position = end
        return [*origins, *before._spans(position, len(before.text))]


def _needles(secrets: Iterable[str] | Secrets) -> Sequence[_Needle]:
    if isinstance(secrets, Secrets):
        return secrets._needles
    needles: list[_Needle] = []
    for secret in filter(None, secrets):
        alone = len(secret) < SHORT
        spellings = {secret, secret.replace(" ", "+")}
        if not secret.isascii():
            spellings.add(unicodedata.normalize("NFD", secret))
        if not alone:
            spellings.add(secret.encode("utf-8", "surrogatepass").hex())
        needles += [_needle(_lowered(spelling), alone, is_base64=False) for spelling in spellings]
        if not alone:
            needles += [
                _needle(spelling, alone, is_base64=True) for spelling in base64_spellings(secret)
            ]
    return needles


def _needle(text: str, alone: bool, *, is_base64: bool) -> _Needle:
    # A number may have lost its leading zeros.
    return _Needle(text, alone, is_base64, _bones(text).lstrip("0"))


def _bones(text: str) -> str:
    # `str.translate` takes ten times as long.
    octets = text.lower().encode("utf-8", "surrogatepass")
    return octets.translate(None, _STANDS_BETWEEN).decode("utf-8", "surrogatepass")


def _shows_none(text: str, needles: Sequence[_Needle]) -> bool:
    """Tell whether a text shows none of the secrets for certain; else it has to be looked through.

    So it is with nearly all texts, and to look through one takes a hundred times as long.
    """
    if not text.isascii() or "%" in text or "&" in text or "\\" in text:
        return False
    bones = _bones(text)
    return not any(needle.bones in bones for needle in needles)


def base64_spellings(secret: str) -> set[str]:
    """Spell the secret as it looks within base64, where it begins at any byte of a group.

    Of each, the first and the last character that hold bits of their neighbours are left out.
    """
    octets = secret.encode("utf-8", "surrogatepass")
    spellings: set[str] = set()
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + octets).decode("ascii")
        # Characters that hold bits of the neighbours as well are left to `_widened`.
        spelling = encoded[(8 * before + 5) // 6 : 8 * (before + len(octets)) // 6]
        spellings |= {spelling, spelling.replace("+", "-").replace("/", "_")}
    return spellings


def _masked(
    text: str, needles: Sequence[_Needle], *, word: str = "", may_be_cut: bool = False
) -> str:
    may_be_cut = may_be_cut or len(text) > _READ_AT_MOST
    text = text[:_READ_AT_MOST]
    if word in _WIRE_WORDS:
        needles = [needle for needle in needles if not needle.alone]
    if not needles or (not may_be_cut and _shows_none(text, needles)):
        return text
    pieces: list[str] = []
    position = 0
    for start, end in sorted(_spans(text, needles, may_be_cut=may_be_cut)):
        if start > position or not pieces:
            pieces += (text[position:start], MASK)
        position = max(position, end)
    return "".join((*pieces, text[position:]))


def _spans(text: str, needles: Sequence[_Needle], *, may_be_cut: bool) -> Iterator[tuple[int, int]]:
    """Find where the secrets stand in the text, as (start, end); they may overlap."""
    wire_pairs = [match.span() for match in _WIRE_PAIR.finditer(text)]
    for view in _views(text):
        lowered = _lowered(view.text)
        for needle in needles:
            spelled = view.text if needle.is_base64 else lowered
            if needle.text not in spelled:
                continue
            for start, end in _occurrences(spelled, needle):
                span = view.span(start, end)
                if not needle.alone or not any(
                    first <= span[0] and span[1] <= last for first, last in wire_pairs
                ):
                    yield span
        if may_be_cut:
            for start in _cut_off(view.text, lowered, needles):
                yield view.span(start, start + 1)[0], len(text)


def _views(text: str) -> Iterator[_View]:
    """Read the text as it is and with up to two layers of escapes undone, in every order.

    One kind of escape at a time: a secret may itself look like an escape of another kind. Each
    reading comes again with the digits, and with all characters, joined that stand apart in it.
    """
    if text.isascii() and text.isalnum():
        # Nothing is escaped in it and nothing stands apart.
        yield _View(text)
        return
    layer = [_View(text)]
    known = {text}
    for left in reversed(range(3)):
        deeper: list[_View] = []
        for view in layer:
            yield view
            for gap in (_BETWEEN_DIGITS, _BETWEEN_CHARACTERS):
                joined = view.rewritten(gap, _nothing)
                if joined is not None:
                    yield joined
            for pattern, unescaped in _ESCAPES if left else ():
                inner = view.rewritten(pattern, unescaped)
                if inner is not None and inner.text not in known:
                    known.add(inner.text)
                    deeper.append(inner)
        layer = deeper


def _nothing(_match: re.Match[str]) -> str:
    return ""


def _unescaped_percent(match: re.Match[str]) -> str:
    return unquote(match.group(), errors="replace")


def _unescaped_entity(match: re.Match[str]) -> str:
    return html.unescape(match.group())


def _unescaped_backslash(match: re.Match[str]) -> str:
    escape = match.group()
    if escape.startswith("\\x"):
        return chr(int(escape.removeprefix("\\x"), base=16))
    if escape == "\\'":
        return "'"
    unescaped: str = json.loads(f'"{escape}"')
    return unescaped


def _plain(match: re.Match[str]) -> str:
    """Undo full-width forms and the like; characters without a shape of their own vanish."""
    character = match.group()
    if unicodedata.category(character) == "Cf":
        return ""
    return unicodedata.normalize("NFKC", character)


def _lowered(text: str) -> str:
    """Return the text in small letters, none of which takes more room than before."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(small if len(small := one.lower()) == 1 else one for one in text)


_ESCAPES = (
    (_NOT_ASCII, _plain),
    (_PERCENT, _unescaped_percent),
    (_ENTITY, _unescaped_entity),
    (_BACKSLASH, _unescaped_backslash),
)


def _occurrences(text: str, needle: _Needle) -> Iterator[tuple[int, int]]:
    start = text.find(needle.text)
    while start >= 0:
        end = start + len(needle.text)
        if needle.is_base64:
            yield _widened(text, start, end)
        elif not needle.alone or not (
            text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()
        ):
            yield start, end
        start = text.find(needle.text, start + 1)


def _widened(text: str, start: int, end: int) -> tuple[int, int]:
    """Take in the characters of base64 on either side, which hold some of the secret's bits."""
    before = text[start - 1 : start] in _BASE64_ALPHABET
    after = text[end : end + 1] in _BASE64_ALPHABET
    return start - before, end + after


def _cut_off(text: str, lowered: str, needles: Iterable[_Needle]) -> Iterator[int]:
    """Find where secrets begin that the end of the text cuts off, or cuts off in an escape."""
    stems = {text, _ESCAPE_CUT_OFF.sub("", text)}
    lowered_stems = {lowered, _ESCAPE_CUT_OFF.sub("", lowered)}
    for needle in needles:
        longest = len(needle.text) - 1
        if longest < SHOWN:
            continue
        beginning = needle.text[:SHOWN]
        for stem in stems if needle.is_base64 else lowered_stems:
            start = stem.find(beginning, max(0, len(stem) - longest))
            while start >= 0 and not needle.text.startswith(stem[start:]):
                start = stem.find(beginning, start + 1)
            if start >= 0:
                yield start
