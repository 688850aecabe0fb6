"""SendMessage of eTelecom's OmniMessage, as pure functions: build a request, decipher an answer.

Source of every form: eTelecom's OmniMessage documentation, and clients of it in production use
where the documentation is silent.
"""

import dataclasses
import enum
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from .codes import ACCEPTED_STATUS, REFUSAL_BY_STATUS, Failure, Refusal
from .opaque import Opaque
from .wire import (
    CONTRADICTION,
    MAX_DETAIL,
    MAX_STATUS,
    folded,
    json_body,
    message_id,
    read_answer,
    scalar,
    unauthorized,
)
from .wire import MAX_BODY as MAX_BODY
from .wire import MAX_ID as MAX_ID

SEND_MESSAGE = "OmniMessage/SendMessage"
GET_STATUS = "OmniReport/GetStatusOmni"
GET_TEMPLATE = "TemplateOmni/GetTemplate"

_STRING_ROUTE_HOST = "sms.etelecom.vn"
"""Its documentation says that `routerule` is a string; every other host takes an array."""

_STATUS = re.compile(r"-?(?:0|[1-9][0-9]{0,8})")


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
    is_string = _host(base_url) == _STRING_ROUTE_HOST if form is None else form == "string"
    return ",".join(channels) if is_string else list(channels)


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
    return json_body(
        lambda: {
            "username": username.reveal(),
            "password": password.reveal(),
            "phonenumber": phone_number,
            "routerule": route_rule(channels, base_url=base_url, form=routerule_format),
            "templatecode": template_code,
            "list_param": dict(list_param.reveal()),
        }
    )


# Answers


def decipher_send(status: int, headers: Mapping[str, str], body: bytes) -> SendResult:
    """Tell what an answer to SendMessage means. Never raises.

    Only HTTP 200 with a status of the provider's table, and any 401, is an answer; everything else
    may have been carried out.
    """
    answer = read_answer(status, headers, body)
    if status == 401:
        refusal, words = unauthorized(answer)
        return SendResult(
            outcome=Outcome.REJECTED,
            provider_status="401",
            provider_detail=words,
            refusal=refusal,
            http_status=401,
            payload=answer.payload,
        )
    if answer.fields is None:
        return _not_understood(why=answer.fault, http_status=status, payload=answer.payload)
    return _answer(answer.fields)


def _answer(payload: dict[str, Any]) -> SendResult:
    fields = folded(payload)
    if fields is None:
        return _not_understood(why=CONTRADICTION, http_status=200, payload=payload)
    words: dict[str, Any] = {
        "http_status": 200,
        "payload": payload,
        "provider_status": scalar(fields.get("status"))[:MAX_STATUS],
        "provider_detail": scalar(fields.get("code"))[:MAX_DETAIL],
    }
    code = _status(fields.get("status"))
    if code == ACCEPTED_STATUS:
        told_id = message_id(fields.get("idomnimess"))
        return SendResult(outcome=Outcome.ACCEPTED, provider_message_id=told_id, **words)
    if code in REFUSAL_BY_STATUS:
        return SendResult(outcome=Outcome.REJECTED, refusal=REFUSAL_BY_STATUS[code], **words)
    return _not_understood(why="the status is not in the provider's table", **words)


def _not_understood(*, why: str, **words: Any) -> SendResult:
    return SendResult(
        outcome=Outcome.UNKNOWN, failure=Failure.BAD_ANSWER, failure_detail=why, **words
    )


def _status(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and _STATUS.fullmatch(value.strip()):
        return int(value)
    return None
