"""What the simulated gateway says to a request: no sockets, only what it has been told so far.

Source: eTelecom's OmniMessage documentation, SendMessage and GetStatusOmni; GetTemplate is in
`templates.py`.
"""

import functools
import gzip
import itertools
import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from http import HTTPStatus
from typing import Any

from .outcomes import (
    BY_PHONE_NUMBER,
    REDIRECTED_PATH,
    Acceptance,
    Answer,
    Fault,
    Outcome,
    Packing,
    Report,
    Verdict,
    Webhook,
    plain,
    table,
)
from .templates import NO_TEMPLATES, TEMPLATE_PATH, Templates, template_answer

SEND_PATH = "/api/OmniMessage/SendMessage"
STATUS_PATH = "/api/OmniReport/GetStatusOmni"
PATHS = (SEND_PATH, REDIRECTED_PATH, STATUS_PATH, TEMPLATE_PATH)

# A fixed offset, since Viet Nam has no daylight saving and not every machine has a zone database.
VIETNAM_TIME = timezone(timedelta(hours=7))

MEBIBYTE = 2**20
HUGE_BODY_BYTES = 4 * MEBIBYTE
BOMB_MEBIBYTES = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server is to do with a request, and what a receipt says about it."""

    action: Answer | Fault
    outcome: Outcome | None = None
    provider_message_id: str = ""
    webhooks: Sequence[Webhook] = ()
    """What is to be posted about a message that was just accepted."""


@dataclass(slots=True)
class _Message:
    """An accepted message, as GetStatusOmni knows it."""

    phone_number: str
    list_param: Mapping[str, str]
    template_code: str
    acceptance: Acceptance
    accepted_at: datetime
    began: float = field(default_factory=time.monotonic)
    asks: Iterator[int] = field(default_factory=itertools.count)
    posted: int = 0
    """The index of the furthest report that a webhook has told."""

    def next_report(self, report_seconds: float) -> Report:
        """Return what GetStatusOmni says now; an ask may be what moves the message on."""
        reports = self.acceptance.reports
        if self.acceptance.by_clock:
            elapsed = time.monotonic() - self.began
            index = sum(elapsed >= step * report_seconds for step in range(1, len(reports)))
        else:
            index = max(next(self.asks), self.posted)
        return reports[min(index, len(reports) - 1)]


class Gateway:
    """Answer requests as eTelecom would, and remember the messages that were accepted.

    Args:
        credentials: the only username and password that are let in; None lets in any that are not
            empty.
        report_seconds: from one report to the next, where the clock brings them.
        templates: what GetTemplate lists; None: the gateway has no GetTemplate.
    """

    def __init__(
        self,
        credentials: tuple[str, str] | None = None,
        *,
        report_seconds: float,
        templates: Templates | None = None,
    ) -> None:
        self._credentials = credentials
        self._report_seconds = report_seconds
        self.templates = templates
        self._messages: dict[str, _Message] = {}

    def post(self, path: str, fields: dict[str, Any] | None) -> Reply:
        """Return the reply to a POST; `fields` is its JSON object, None if it held none."""
        if path not in PATHS:
            return Reply(
                error(HTTPStatus.METHOD_NOT_ALLOWED if path == "/" else HTTPStatus.NOT_FOUND)
            )
        if fields is None:
            # An assumption: the documentation does not say what follows a body that is no JSON.
            return Reply(error(HTTPStatus.BAD_REQUEST))
        if path == STATUS_PATH:
            return self._report(fields)
        if path == TEMPLATE_PATH:
            return self._list(fields)
        return self._send(fields, redirected=path == REDIRECTED_PATH)

    def get(self, path: str) -> Answer:
        """Return the page of magic numbers, or an error for any other path."""
        if path == "/":
            return Answer(f"{table()}\n".encode(), content_type="text/plain; charset=utf-8")
        return error(HTTPStatus.METHOD_NOT_ALLOWED if path in PATHS else HTTPStatus.NOT_FOUND)

    def advance(self, provider_message_id: str, report: Report) -> None:
        """Say no less than this report from now on, since a webhook is about to tell it.

        A forged one, which has a stranger's id or is none of the message's reports, moves nothing.
        """
        message = self._messages.get(provider_message_id)
        if message is not None and report in message.acceptance.reports:
            index = message.acceptance.reports.index(report)
            message.posted = max(message.posted, index)

    def _send(self, fields: dict[str, Any], *, redirected: bool) -> Reply:
        outcome, subject = self._refused(fields) or _by_magic_number(fields)
        if redirected and outcome is Outcome.REDIRECT:
            outcome = Outcome.ACCEPTED
        match outcome.effect:
            case Acceptance() as acceptance:
                return self._accept(fields, outcome, acceptance)
            case Verdict() as verdict:
                return Reply(verdict.answer(subject), outcome)
            case action:
                return Reply(action, outcome)

    def _refused(self, fields: dict[str, Any]) -> tuple[Outcome, str] | None:
        """Return the refusal of a request that is not well formed, and what it speaks of."""
        if not self._let_in(fields):
            return Outcome.UNAUTHORIZED, ""
        phone_number = fields.get("phonenumber")
        if not isinstance(phone_number, str) or not re.fullmatch("84[0-9]+", phone_number):
            return Outcome.REFUSED_PHONE_NUMBER, ""
        if not isinstance(fields.get("templatecode"), str) or not fields["templatecode"]:
            return Outcome.REFUSED_TEMPLATE, ""
        if not _channels(fields.get("routerule")):
            return Outcome.REFUSED_ROUTE, ""
        parameters = fields.get("list_param")
        if not isinstance(parameters, dict):
            return Outcome.REFUSED_PARAMETER, "list_param"
        for name, value in parameters.items():
            if not isinstance(value, str):
                return Outcome.REFUSED_PARAMETER, name
        return None

    def _list(self, fields: dict[str, Any]) -> Reply:
        if not self._let_in(fields, ("Username", "Password")):
            return Reply(unauthorized())
        if self.templates is None or fields["Username"] == NO_TEMPLATES:
            return Reply(error(HTTPStatus.NOT_FOUND))
        return Reply(template_answer(self.templates, fields))

    def _let_in(
        self, fields: dict[str, Any], named: tuple[str, str] = ("username", "password")
    ) -> bool:
        given = tuple(fields.get(name) for name in named)
        if self._credentials is not None:
            return given == self._credentials
        return all(isinstance(word, str) and word for word in given)

    def _accept(self, fields: dict[str, Any], outcome: Outcome, acceptance: Acceptance) -> Reply:
        provider_message_id = new_id()
        self._messages[provider_message_id] = _Message(
            phone_number=fields["phonenumber"],
            list_param=fields["list_param"],
            template_code=fields["templatecode"],
            acceptance=acceptance,
            accepted_at=datetime.now(VIETNAM_TIME),
        )
        # The documentation prints the id's key with a space on either side.
        body = (
            f'{{ "status": "1", "code": "Success", " idOmniMess ": "{provider_message_id}" }}'
        ).encode("ascii")
        action = _pack(body, acceptance.packing)
        return Reply(action, outcome, provider_message_id, acceptance.webhooks)

    def _report(self, fields: dict[str, Any]) -> Reply:
        if not self._let_in(fields):
            return Reply(unauthorized())
        provider_message_id = fields.get("idOmniMess")
        if not isinstance(provider_message_id, str) or provider_message_id not in self._messages:
            # An assumption: what the gateway says to an id that it does not know is not documented.
            return Reply(Verdict("-1", "idOmniMess not found").answer())
        message = self._messages[provider_message_id]
        report = message.next_report(self._report_seconds)
        return Reply(Answer(_report_body(message, report)), provider_message_id=provider_message_id)


def unauthorized() -> Answer:
    """Return what wrong credentials get."""
    return plain("Unauthorized", HTTPStatus.UNAUTHORIZED)


def new_id() -> str:
    """Return "ICOMNI prefix string and 30 characters"; random, so that no restart repeats one."""
    return f"ICOMNI{secrets.token_hex(15)}"


def error(status: HTTPStatus) -> Answer:
    """Return a plain HTTP error."""
    return plain(status.phrase, status)


def _channels(routerule: object) -> list[str]:
    """Return the channels in order; none if the rule has any form but the two that are in use."""
    channels = routerule.split(",") if isinstance(routerule, str) else routerule
    if isinstance(channels, list) and all(channel in ("1", "2", "3") for channel in channels):
        return channels
    return []


def _by_magic_number(fields: Mapping[str, Any]) -> tuple[Outcome, str]:
    """Return the outcome of a request that is well formed, and what a refusal speaks of."""
    outcome = BY_PHONE_NUMBER.get(fields["phonenumber"], Outcome.ACCEPTED)
    match outcome:
        case Outcome.REFUSED_PARAMETER:
            return outcome, next(iter(fields["list_param"]), "list_param")
        case Outcome.REFUSED_TEMPLATE:
            return outcome, fields["templatecode"]
        case Outcome.REFUSED_CHANNEL:
            return outcome, _channels(fields["routerule"])[0]
        case _:
            return outcome, ""


def _report_body(message: _Message, report: Report) -> bytes:
    """Return the body of GetStatusOmni in the documentation's order of keys."""
    list_param = json.dumps(message.list_param, ensure_ascii=False)
    values = {
        "phonenumber": message.phone_number,
        "list_param": list_param,
        "createdatetime": message.accepted_at.strftime("%d/%m/%Y %H:%M:%S"),
        "status": report.status,
        "channel": report.channel,
        "templatecode": message.template_code,
        "errorCode": report.error_code,
        **report.extra,
    }
    body = json.dumps(values)
    if report.as_printed:
        body = body.replace(json.dumps(list_param), f'"{list_param}"')
    # A lone surrogate can only come along in the broken form, which is no JSON anyway.
    return body.encode("utf-8", errors="backslashreplace")


def _pack(body: bytes, packing: Packing) -> Answer:
    """Wrap the body of an accepted answer; JSON allows any white space before it."""
    match packing:
        case Packing.PLAIN:
            return Answer(body)
        case Packing.BEHIND_MEGABYTES:
            return Answer(b" " * HUGE_BODY_BYTES + body)
        case _:
            headers = (("Content-Encoding", "gzip"),)
            return Answer(_bomb() + gzip.compress(body), headers=headers)


@functools.cache
def _bomb() -> bytes:
    # A gzip file may be several ones behind another, so one mebibyte is compressed once.
    return gzip.compress(b" " * MEBIBYTE) * BOMB_MEBIBYTES
