"""GetStatusOmni and the webhook: what the provider says became of a message.

Pure functions. Source of every form: eTelecom's OmniMessage documentation for GetStatusOmni; the
webhook has none that is public, so its forms are those that clients of it in production use take.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from .codes import Failure, Refusal, ReportedStatus
from .opaque import Opaque
from .wire import (
    CONTRADICTION,
    MAX_DETAIL,
    MAX_ID,
    MAX_STATUS,
    NOT_JSON,
    UNPRINTABLE,
    fold_spelling,
    folded,
    json_body,
    json_value,
    message_id,
    read_answer,
    scalar,
    sentence,
    unauthorized,
)

_ECHO_BEGINS = re.compile(rb'("\s*list_?param\s*"\s*:\s*)"(?=\{)', re.IGNORECASE)
_ECHO_ENDS = re.compile(rb'\}"(?=\s*[,}])')
_MAX_READINGS = 50
"""Places at which an echo is tried to end; a parameter can hold as many as it has room for."""

_COUNT = re.compile(r"[0-9]{1,9}")
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
_STATUS_BY_WORD = {status.value: status for status in ReportedStatus}


class MalformedReport(ValueError):
    """The body of a webhook is no delivery report; the text says why, and quotes nothing of it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the provider says became of one message.

    Text is as it came, but cut, and with escapes for what no database or terminal should meet.
    """

    provider_message_id: str = ""
    """Opaque; empty in an answer to GetStatusOmni that does not name it."""
    status: ReportedStatus | None = None
    """None: a word that is not in the provider's table."""
    provider_status: str = ""
    channel: str = ""
    """That carried the message, or failed to; `codes.channel_kind` tells which it is."""
    error_code: str = ""
    """Its meaning depends on the channel; `codes.ZNS_ERRORS` has those of one."""
    paid_messages: int | None = None
    network: str = ""
    """A number of `codes.NETWORKS`."""
    is_charged: bool | None = None
    duration: int | None = None
    """Seconds of the call."""
    payload: object = dataclasses.field(default=None, repr=False)
    """The deciphered JSON object, or the text of a body that is not quite JSON. It echoes every
    parameter, so no repr shows it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StatusResult:
    """What came of asking: exactly one of a report, a refusal and a failure.

    What the provider answers for an id that it does not know is not settled, so that is a failure
    like any other answer without a status, with what it said in words.
    """

    report: Report | None = None
    """Its status is one of the table."""
    refusal: Refusal | None = None
    failure: Failure | None = None
    """Why there is no answer, or none that can be understood."""
    failure_detail: str = ""
    """A technical sentence of ours, without secrets."""
    http_status: int | None = None
    provider_status: str = ""
    """As it came: `SUCCESS`, `-1`."""
    provider_detail: str = ""
    """The provider's sentence as it came, where it refuses or has no status for us."""
    payload: object = dataclasses.field(default=None, repr=False)
    """As a report's; None where no answer came."""
    interrupt: BaseException | None = None
    """To be raised again by the caller once the result is recorded."""


# GetStatusOmni


def get_status_body(
    *, username: Opaque[str], password: Opaque[str], provider_message_id: str
) -> Opaque[bytes]:
    """Return the JSON body of GetStatusOmni.

    Raises:
        TypeError: a value is not what JSON can hold. The error tells nothing of the values.
    """
    return json_body(
        lambda: {
            "username": username.reveal(),
            "password": password.reveal(),
            "idOmniMess": provider_message_id,
        }
    )


def decipher_status(status: int, headers: Mapping[str, str], body: bytes) -> StatusResult:
    """Tell what an answer to GetStatusOmni says of the message. Never raises."""
    answer = read_answer(status, headers, body)
    if status == 401:
        refusal, words = unauthorized(answer)
        return StatusResult(
            refusal=refusal,
            http_status=401,
            provider_status="401",
            provider_detail=words,
            payload=answer.payload,
        )
    found, why = answer.payload, answer.fault
    if why == NOT_JSON and (printed := _printed(body)) is not None:
        found, why = printed, ""
    fields = folded(found, fold_spelling) if isinstance(found, dict) else {}
    if fields is None:
        fields, why = {}, why or CONTRADICTION
    report = _report(fields, answer.payload)
    if not why and report.status is None:
        why = "the answer has no status of a message"
    if not why:
        return StatusResult(
            report=report,
            http_status=status,
            provider_status=report.provider_status,
            payload=answer.payload,
        )
    others = {name: value for name, value in fields.items() if name != "status"}
    return StatusResult(
        failure=Failure.BAD_ANSWER,
        failure_detail=why,
        http_status=status,
        provider_status=report.provider_status,
        provider_detail=sentence(others)[:MAX_DETAIL],
        payload=answer.payload,
    )


def _printed(body: bytes) -> dict[str, Any] | None:
    """Return what stands around `list_param` in an answer that leaves the quotes in it bare.

    So the documentation prints it: `"list_param":"{"otp":"123456"}", "status":"FAIL"`. A parameter
    may itself look like the end of the echo and what follows it, so every place where the echo can
    end is tried, and all must be JSON around it. Were there two such readings, a parameter might
    have chosen one of them: then there is none.
    """
    begin = _ECHO_BEGINS.search(body)
    ends = list(_ECHO_ENDS.finditer(body, begin.end())) if begin else []
    if begin is None or len(ends) > _MAX_READINGS:
        return None
    readings = [
        value
        for end in ends
        for value, _fault in [json_value(body[: begin.end(1)] + b'""' + body[end.end() :])]
        if isinstance(value, dict)
    ]
    return readings[0] if len(readings) == 1 else None


# The webhook


def decipher_reports(body: bytes) -> list[Report]:
    """Return the delivery reports that the body of a webhook holds: one object, or a list of them.

    Args:
        body: of a length that the caller has bounded.

    Raises:
        MalformedReport: it holds anything else; one member of a list is enough.
    """
    value, fault = json_value(body)
    if fault:
        raise MalformedReport(fault)
    if not isinstance(value, list):
        return [_told(value)]
    if not value:
        raise MalformedReport("the list holds no report")
    return [_told(member, f"report {place} of the list: ") for place, member in enumerate(value, 1)]


def _told(member: object, where: str = "") -> Report:
    if not isinstance(member, dict):
        raise MalformedReport(f"{where}a report is a JSON object")
    fields = folded(member, fold_spelling)
    if fields is None:
        raise MalformedReport(where + CONTRADICTION)
    report = _report(fields, member)
    if not report.provider_message_id:
        raise MalformedReport(
            f"{where}a report has an IdOmniMess of at most {MAX_ID} printable characters"
        )
    if not report.provider_status.strip():
        raise MalformedReport(f"{where}a report has a Status, such as SUCCESS")
    return report


# Both


def _report(fields: dict[str, Any], payload: object) -> Report:
    word = scalar(fields.get("status"))
    paid = _count(fields.get("mtcount"))
    charged = _truth(fields.get("ischarged"))
    return Report(
        provider_message_id=message_id(fields.get("idomnimess")),
        status=_STATUS_BY_WORD.get(word.strip().lower()),
        provider_status=_text(word),
        channel=_text(fields.get("channel")),
        error_code=_text(fields.get("errorcode")),
        paid_messages=_count(fields.get("quantity")) if paid is None else paid,
        network=_text(fields.get("telcoid")),
        is_charged=_truth(fields.get("ischargedzns")) if charged is None else charged,
        duration=_count(fields.get("duration")),
        payload=payload,
    )


def _text(value: object) -> str:
    shown = UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", scalar(value))
    return shown[:MAX_STATUS]


def _count(value: object) -> int | None:
    text = scalar(value).strip()
    return int(text) if _COUNT.fullmatch(text) else None


def _truth(value: object) -> bool | None:
    return _TRUTH.get(scalar(value).strip().lower())
