"""The wire of eTelecom's OmniMessage, as pure functions: build a request, decipher an answer.

Source of every form: eTelecom's OmniMessage documentation, and clients of it in production use
where the documentation is silent.
"""

import dataclasses
import enum
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from .codes import ACCEPTED_STATUS, REFUSAL_BY_STATUS, Failure, Refusal
from .opaque import Opaque, bare

SEND_MESSAGE = "OmniMessage/SendMessage"
GET_STATUS = "OmniReport/GetStatusOmni"

MAX_BODY = 64 * 1024
"""Bytes of an answer that are read; a longer one is not understood."""

MAX_ID = 100
MAX_STATUS = 50
MAX_DETAIL = 500
"""Characters that are kept of what the provider said."""

_STRING_ROUTE_HOST = "sms.etelecom.vn"
"""Its documentation says that `routerule` is a string; every other host takes an array."""

_STATUS = re.compile(r"-?(?:0|[1-9][0-9]{0,8})")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_SENTENCE_KEYS = ("code", "message", "error", "error_description", "detail", "title", "status")
_ADDRESS_REFUSED = re.compile(r"\bip\b", re.IGNORECASE)


class Outcome(enum.StrEnum):
    """What became of an attempt to send."""

    ACCEPTED = "accepted"
    """The provider took the message. That is not delivery."""
    REJECTED = "rejected"
    """The provider said that nothing goes out."""
    NOT_SENT = "not_sent"
    """Provably no byte of the request left."""
    UNKNOWN = "unknown"
    """It may have been carried out."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SendResult:
    """An attempt to send, as far as it can be told."""

    outcome: Outcome
    provider_message_id: str = ""
    """Opaque; empty where the provider gave none that can be used."""
    provider_status: str = ""
    """As it came: `1`, `-2`."""
    provider_detail: str = ""
    """The provider's sentence as it came."""
    refusal: Refusal | None = None
    failure: Failure | None = None
    """Why there is no answer, or none that can be understood."""
    failure_detail: str = ""
    """A technical sentence of ours, without secrets."""
    http_status: int | None = None
    payload: object = dataclasses.field(default=None, repr=False)
    """The deciphered JSON value, else the body as text; None where no answer came. It may echo a
    parameter, so no repr shows it."""
    interrupt: BaseException | None = None
    """To be raised again by the caller once the result is recorded."""


# Requests


def endpoint(base_url: str, path: str) -> str:
    """Return the URL of an operation; base URLs come with and without `/api`."""
    base = base_url.strip().rstrip("/")
    # What stands before the path could be a host of that name.
    if not base.partition("://")[2].lower().endswith("/api"):
        base += "/api"
    return f"{base}/{path}"


def route_rule(
    channels: Sequence[str], *, base_url: str, form: Literal["string", "list"] | None
) -> str | list[str]:
    """Return `routerule` in the form that the host takes, unless `form` says which."""
    if form is None:
        form = "string" if _host(base_url) == _STRING_ROUTE_HOST else "list"
    return ",".join(channels) if form == "string" else list(channels)


def _host(base_url: str) -> str | None:
    try:
        return urlsplit(base_url.strip()).hostname
    except ValueError:
        return None


def send_message_body(
    *,
    username: Opaque[str],
    password: Opaque[str],
    phone_number: str,
    channels: Sequence[str],
    template_code: str,
    list_param: Opaque[Mapping[str, str]],
    base_url: str,
    routerule_format: Literal["string", "list"] | None,
) -> Opaque[bytes]:
    """Return the JSON body of SendMessage.

    Raises:
        TypeError: a value is not what JSON can hold. The error tells nothing of the values.
    """
    body = _json_body(
        lambda: {
            "username": username.reveal(),
            "password": password.reveal(),
            "phonenumber": phone_number,
            "routerule": route_rule(channels, base_url=base_url, form=routerule_format),
            "templatecode": template_code,
            "list_param": dict(list_param.reveal()),
        }
    )
    if isinstance(body, BaseException):
        raise body
    return body


def _json_body(fields: Callable[[], dict[str, Any]]) -> Opaque[bytes] | BaseException:
    # The frames of an error in here name the credentials: the error leaves without them.
    try:
        # Escapes for all but ASCII: any text can be written so, and every JSON reader takes it.
        return Opaque(json.dumps(fields()).encode())
    except (TypeError, ValueError):
        return TypeError("A message holds text only; one of its values is of another type.")
    # SystemExit and the like, from outside.
    except BaseException as error:  # noqa: BLE001
        return bare(error)


# Answers


def decipher_send(status: int, headers: Mapping[str, str], body: bytes) -> SendResult:
    """Tell what an answer to SendMessage means. Never raises.

    Only HTTP 200 with a status of the provider's table, and any 401, is an answer; everything else
    may have been carried out.
    """
    text = body[:MAX_BODY].decode("utf-8", "replace")
    is_encoded = _is_encoded(headers)
    payload = None if is_encoded or len(body) > MAX_BODY else _json(body)
    if status == 401:
        return _unauthorized(payload, "" if is_encoded else text)
    if is_encoded:
        return _not_understood(status, text, "the body is encoded")
    if len(body) > MAX_BODY:
        return _not_understood(status, text, f"the body has more than {MAX_BODY} bytes")
    if status != 200:
        return _not_understood(status, text if payload is None else payload, f"HTTP {status}")
    if not isinstance(payload, dict):
        why = "the body is not JSON" if payload is None else "the body is no JSON object"
        return _not_understood(status, text if payload is None else payload, why)
    return _answer(payload)


def _answer(payload: dict[str, Any]) -> SendResult:
    fields = _fields(payload)
    if fields is None:
        return _not_understood(200, payload, "two spellings of one key contradict")
    code = _status(fields.get("status"))
    if code == ACCEPTED_STATUS:
        result = SendResult(
            outcome=Outcome.ACCEPTED,
            provider_message_id=_message_id(fields.get("idomnimess")),
            http_status=200,
            payload=payload,
        )
    elif code in REFUSAL_BY_STATUS:
        result = SendResult(
            outcome=Outcome.REJECTED,
            refusal=REFUSAL_BY_STATUS[code],
            http_status=200,
            payload=payload,
        )
    else:
        result = _not_understood(200, payload, "the status is not in the provider's table")
    return dataclasses.replace(
        result,
        provider_status=_scalar(fields.get("status"))[:MAX_STATUS],
        provider_detail=_scalar(fields.get("code"))[:MAX_DETAIL],
    )


def _unauthorized(payload: object, text: str) -> SendResult:
    sentence = (_sentence(payload) or text).strip()
    is_address = _ADDRESS_REFUSED.search(sentence)
    return SendResult(
        outcome=Outcome.REJECTED,
        provider_status="401",
        provider_detail=sentence[:MAX_DETAIL],
        refusal=Refusal.ADDRESS if is_address else Refusal.CREDENTIALS,
        http_status=401,
        payload=text if payload is None else payload,
    )


def _sentence(payload: object) -> str:
    """Return what a JSON answer says in words, whatever it calls them; "" where it says nothing."""
    if isinstance(payload, str):
        return payload
    fields = _fields(payload) if isinstance(payload, dict) else None
    for name in _SENTENCE_KEYS:
        sentence = (fields or {}).get(name)
        if isinstance(sentence, str) and sentence.strip():
            return sentence
    return ""


def _not_understood(status: int, payload: object, why: str) -> SendResult:
    return SendResult(
        outcome=Outcome.UNKNOWN,
        failure=Failure.BAD_ANSWER,
        failure_detail=why,
        http_status=status,
        payload=payload,
    )


def _is_encoded(headers: Mapping[str, str]) -> bool:
    encodings = [value for name, value in headers.items() if name.lower() == "content-encoding"]
    return any(encoding.strip().lower() not in ("", "identity") for encoding in encodings)


def _json(body: bytes) -> object:
    """Return the JSON value that the body is, or None where it is none that we understand."""
    try:
        return json.loads(
            body.decode("utf-8-sig"),
            object_pairs_hook=_unique,
            parse_constant=_finite,
            parse_float=_finite,
        )
    # Not UTF-8, not JSON, a number of too many digits; nested too deep.
    except (ValueError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is not JSON")
    return value


def _fields(payload: dict[str, Any]) -> dict[str, Any] | None:
    """Fold the keys' case and white space; None where two spellings of one key contradict."""
    fields: dict[str, Any] = {}
    for key, value in payload.items():
        name = key.strip().lower()
        if name in fields and not _is_same(fields[name], value):
            return None
        fields[name] = value
    return fields


def _is_same(first: object, second: object) -> bool:
    # Structures are not compared, they may be nested too deep for it; and true equals 1.
    is_scalar = isinstance(first, str | int | float | None)
    return is_scalar and type(first) is type(second) and first == second


def _status(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _STATUS.fullmatch(value.strip()):
        return int(value)
    return None


def _message_id(value: object) -> str:
    text = "" if isinstance(value, bool | float) else _scalar(value).strip()
    return text if len(text) <= MAX_ID and not _UNPRINTABLE.search(text) else ""


def _scalar(value: object) -> str:
    """Return a JSON scalar as text; "" for None and for structures."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return ""
