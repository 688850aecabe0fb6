"""The wire of eTelecom's OmniMessage, as pure functions: build a request, decipher an answer.

Source of every form: eTelecom's OmniMessage documentation, and clients of it in production use
where the documentation is silent.
"""

import dataclasses
import enum
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from .codes import ACCEPTED_STATUS, REFUSAL_BY_STATUS, Failure, Refusal
from .opaque import Opaque

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

_STATUS = re.compile(r"-?[0-9]{1,9}")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
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
    payload: object = None
    """The deciphered JSON value, else the body as text; None where no answer came."""
    interrupt: BaseException | None = None
    """To be raised again by the caller once the result is recorded."""


# Requests


def endpoint(base_url: str, path: str) -> str:
    """Return the URL of an operation; base URLs come with and without `/api`."""
    base = base_url.strip().rstrip("/")
    if not urlsplit(base).path.lower().endswith("/api"):
        base += "/api"
    return f"{base}/{path}"


def route_rule(
    channels: Sequence[str], *, base_url: str, form: Literal["string", "list"] | None
) -> str | list[str]:
    """Return `routerule` in the form that the host takes, unless `form` says which."""
    if form is None:
        form = "string" if urlsplit(base_url).hostname == _STRING_ROUTE_HOST else "list"
    return ",".join(channels) if form == "string" else list(channels)


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
    """Return the JSON body of SendMessage. No frame gives the credentials a name."""
    return Opaque(
        json.dumps(
            {
                "username": username.reveal(),
                "password": password.reveal(),
                "phonenumber": phone_number,
                "routerule": route_rule(channels, base_url=base_url, form=routerule_format),
                "templatecode": template_code,
                "list_param": dict(list_param.reveal()),
            },
            ensure_ascii=False,
        ).encode()
    )


# Answers


def decipher_send(status: int, headers: Mapping[str, str], body: bytes) -> SendResult:
    """Tell what an answer to SendMessage means. Never raises.

    Only HTTP 200 with a status of the provider's table, and any 401, is an answer; everything else
    may have been carried out.
    """
    if status == 401:
        return _unauthorized(body)
    if not _is_plain(headers):
        return _not_understood(status, _text(body), "the body is encoded")
    if len(body) > MAX_BODY:
        return _not_understood(status, _text(body), f"the body has more than {MAX_BODY} bytes")
    payload = _json(body)
    fields = _fields(payload) if isinstance(payload, dict) else None
    if status != 200 or fields is None:
        why = f"HTTP {status}" if status != 200 else "the body is not the JSON of an answer"
        return _not_understood(status, _text(body) if payload is None else payload, why)
    raw_status = fields.get("status")
    code = _status(raw_status)
    detail = _scalar(fields.get("code"))[:MAX_DETAIL]
    if code == ACCEPTED_STATUS:
        return SendResult(
            outcome=Outcome.ACCEPTED,
            provider_message_id=_message_id(fields.get("idomnimess")),
            provider_status=_scalar(raw_status)[:MAX_STATUS],
            provider_detail=detail,
            http_status=status,
            payload=payload,
        )
    if code in REFUSAL_BY_STATUS:
        return SendResult(
            outcome=Outcome.REJECTED,
            provider_status=_scalar(raw_status)[:MAX_STATUS],
            provider_detail=detail,
            refusal=REFUSAL_BY_STATUS[code],
            http_status=status,
            payload=payload,
        )
    return dataclasses.replace(
        _not_understood(status, payload, "the status is not in the provider's table"),
        provider_status=_scalar(raw_status)[:MAX_STATUS],
        provider_detail=detail,
    )


def _unauthorized(body: bytes) -> SendResult:
    payload = _json(body[:MAX_BODY])
    words = _text(body) if payload is None else " ".join(_strings(payload))
    refused = _ADDRESS_REFUSED.search(words)
    return SendResult(
        outcome=Outcome.REJECTED,
        provider_status="401",
        provider_detail=words.strip()[:MAX_DETAIL],
        refusal=Refusal.ADDRESS if refused else Refusal.CREDENTIALS,
        http_status=401,
        payload=_text(body) if payload is None else payload,
    )


def _not_understood(status: int, payload: object, why: str) -> SendResult:
    return SendResult(
        outcome=Outcome.UNKNOWN,
        failure=Failure.BAD_ANSWER,
        failure_detail=why,
        http_status=status,
        payload=payload,
    )


def _is_plain(headers: Mapping[str, str]) -> bool:
    encodings = [value for name, value in headers.items() if name.lower() == "content-encoding"]
    return all(value.strip().lower() in ("", "identity") for value in encodings)


def _text(body: bytes) -> str:
    return body[:MAX_BODY].decode("utf-8", "replace")


def _json(body: bytes) -> object:
    """Return the JSON value that the body is, or None where it is none that we understand."""
    try:
        return json.loads(
            body.decode("utf-8-sig"), object_pairs_hook=_unique, parse_constant=_refuse
        )
    # Not UTF-8, not JSON, a number of too many digits; nested too deep.
    except (ValueError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _fields(payload: dict[str, Any]) -> dict[str, Any] | None:
    """Fold the keys' case and white space; None where two spellings of one key contradict."""
    fields: dict[str, Any] = {}
    for key, value in payload.items():
        name = key.strip().lower()
        if fields.setdefault(name, value) != value:
            return None
    return fields


def _status(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and _STATUS.fullmatch(value.strip()):
        return int(value)
    return None


def _message_id(value: object) -> str:
    text = _scalar(value).strip() if not isinstance(value, bool | float) else ""
    return text if len(text) <= MAX_ID and not _UNPRINTABLE.search(text) else ""


def _scalar(value: object) -> str:
    """Return a JSON scalar as text; "" for None and for structures."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    return ""


def _strings(payload: object) -> list[str]:
    """Return the texts of a small JSON answer, at most one level deep."""
    if isinstance(payload, dict):
        return [value for value in payload.values() if isinstance(value, str)]
    return [payload] if isinstance(payload, str) else []
