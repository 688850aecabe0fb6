"""What every operation shares on the wire: a body of JSON, and what can be read of an answer.

Nothing here knows what an answer means.
"""

import dataclasses
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from .codes import Refusal
from .opaque import Opaque, bare

MAX_BODY = 64 * 1024
"""Bytes of an answer that are read; a longer one is not understood."""

MAX_ID = 100
MAX_STATUS = 50
MAX_DETAIL = 500
"""Characters that are kept of what the provider said."""

NOT_JSON = "the body is not JSON"
TOO_DEEP = "the body is nested too deep"
REPEATED_KEY = "a key stands twice in one object"
CONTRADICTION = "two spellings of one key contradict"

UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

_SENTENCE_KEYS = ("code", "message", "error", "error_description", "detail", "title", "status")
_ADDRESS_REFUSED = re.compile(r"\bip\b", re.IGNORECASE)


# Requests


def json_body(fields: Callable[[], dict[str, Any]]) -> Opaque[bytes]:
    """Return the fields as a body of JSON.

    Args:
        fields: reveals the values, so that no frame but its own ever names them.

    Raises:
        TypeError: a value is not what JSON can hold. The error tells nothing of the values.
    """
    # The frames of an error in here name the credentials: the error leaves without them.
    try:
        # Escapes for all but ASCII: any text can be written so, and every JSON reader takes it.
        return Opaque(json.dumps(fields()).encode())
    except (TypeError, ValueError):
        error: BaseException = TypeError(
            "A message holds text only; one of its values is of another type."
        )
    # SystemExit and the like, from outside.
    except BaseException as raised:  # noqa: BLE001
        error = bare(raised)
    raise error


# Answers


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer as far as it can be read."""

    payload: object = dataclasses.field(repr=False)
    """The JSON value, else the body as text."""
    text: str = dataclasses.field(repr=False)
    fields: dict[str, Any] | None = dataclasses.field(default=None, repr=False)
    """The JSON object that came with HTTP 200, its keys as they came."""
    fault: str = ""
    """Why there is no such object."""


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> Answer:
    """Read an answer. Never raises."""
    text = body[:MAX_BODY].decode("utf-8", "replace")
    if _is_encoded(headers):
        # A 401 is told in words, and these are none.
        noise = "" if status == 401 else text
        return Answer(payload=noise, text=noise, fault="the body is encoded")
    if len(body) > MAX_BODY:
        fault = f"the body has more than {MAX_BODY} bytes"
        return Answer(payload=text, text=text, fault=fault)
    value, fault = json_value(body)
    payload = text if value is None else value
    if status != 200:
        return Answer(payload=payload, text=text, fault=f"HTTP {status}")
    if isinstance(value, dict):
        return Answer(payload=payload, text=text, fields=value)
    return Answer(payload=payload, text=text, fault=fault or "the body is no JSON object")


def unauthorized(answer: Answer) -> tuple[Refusal, str]:
    """Return what a 401 refuses, and the provider's sentence."""
    words = (sentence(answer.payload) or answer.text).strip()
    refusal = Refusal.ADDRESS if _ADDRESS_REFUSED.search(words) else Refusal.CREDENTIALS
    return refusal, words[:MAX_DETAIL]


def sentence(payload: object) -> str:
    """Return what a JSON answer says in words, whatever it calls them; "" where it says nothing."""
    if isinstance(payload, str):
        return payload
    fields = folded(payload) if isinstance(payload, dict) else None
    for name in _SENTENCE_KEYS:
        words = (fields or {}).get(name)
        if isinstance(words, str) and words.strip():
            return words
    return ""


def _is_encoded(headers: Mapping[str, str]) -> bool:
    encodings = [value for name, value in headers.items() if name.lower() == "content-encoding"]
    return any(encoding.strip(" \t").lower() not in ("", "identity") for encoding in encodings)


# JSON


class RepeatedKey(ValueError):
    """A key stands twice in one object."""


def json_value(body: bytes) -> tuple[object, str]:
    """Return the JSON value that a body is, and why it is none: one of the sentences above."""
    try:
        value = _decoder.decode(body.decode("utf-8-sig"))
    except RecursionError:
        return None, TOO_DEEP
    except RepeatedKey:
        return None, REPEATED_KEY
    # Not UTF-8, not JSON, a number of too many digits.
    except ValueError:
        return None, NOT_JSON
    return value, ""


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object of JSON by its pairs, none of which may hide another.

    Raises:
        RepeatedKey: one would.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        raise RepeatedKey
    return found


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is not JSON")
    return value


# `json.loads` would make one for each answer.
_decoder = json.JSONDecoder(object_pairs_hook=unique, parse_constant=_finite, parse_float=_finite)


def without_case(key: str) -> str:
    """Fold the case of a key and the white space around it."""
    return key.strip().lower()


def fold_spelling(key: str) -> str:
    """Fold PascalCase, camelCase, snake_case, and the white space that the documentation has."""
    return "".join(key.replace("_", " ").split()).lower()


def folded(
    value: dict[str, Any], fold: Callable[[str], str] = without_case
) -> dict[str, Any] | None:
    """Return an object by its folded keys; None where two spellings of one key contradict."""
    fields: dict[str, Any] = {}
    for key, member in value.items():
        name = fold(key)
        if name in fields and not _is_same(fields[name], member):
            return None
        fields[name] = member
    return fields


def _is_same(first: object, second: object) -> bool:
    # Structures are not compared, they may be nested too deep for it; and true equals 1.
    is_scalar = isinstance(first, str | int | float | None)
    return is_scalar and type(first) is type(second) and first == second


def message_id(value: object) -> str:
    """Return the provider's id of a message; "" where it is none that can be used."""
    text = "" if isinstance(value, bool | float) else scalar(value).strip()
    return text if len(text) <= MAX_ID and not UNPRINTABLE.search(text) else ""


def scalar(value: object) -> str:
    """Return a JSON scalar as text; "" for None and for structures."""
    if isinstance(value, str):
        return value
    if type(value) is int:
        # As JSON writes it; a report has some, and `json.dumps` takes longer.
        return str(value)
    if isinstance(value, bool | float):
        return json.dumps(value)
    return ""
