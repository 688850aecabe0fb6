"""What happened to a message, oldest first, and what went over the wire."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from django.core.exceptions import ImproperlyConfigured

from ..client.protocol import route_rule
from ..conf import settings
from ..covers import Cover
from ..finding.events import events_of
from ..models import MessageEvent, MessageLog
from .rendering import legible

MOST_RESENDS = 10
"""Messages that repeat a message that its page shows."""


@dataclasses.dataclass(frozen=True, slots=True)
class Timeline:
    """The way of a message as its page tells it."""

    events: Sequence[MessageEvent]
    """The newest ones, and the first."""
    is_cut: bool
    """Whether there are more, between the first and the second."""
    sent_after: int
    """How many of the events are older than the last attempt to send it."""
    request: str
    """The body of the request as JSON, without credentials, secrets masked; "" once erased."""

    @property
    def before_sending(self) -> Sequence[MessageEvent]:
        return self.events[: self.sent_after]

    @property
    def since_sending(self) -> Sequence[MessageEvent]:
        return self.events[self.sent_after :]


def timeline_of(message: MessageLog, cover: Cover | None) -> Timeline:
    """Return the way of a message; `cover` lies on its row already, and is laid on its events."""
    events, is_cut = events_of(message)
    if cover:
        cover.lay_on_events(events)
    for event in events:
        event.payload = legible(event.payload)
    sent_at = message.sent_at
    return Timeline(
        events=events,
        is_cut=is_cut,
        sent_after=sum(event.created_at < sent_at for event in events) if sent_at else 0,
        request=_request(message),
    )


def _request(message: MessageLog) -> str:
    """Return what `client.protocol.send_message_body` makes of the row, but for the credentials."""
    if message.is_stripped:
        return ""
    channels: str | list[str] = list(message.channels)
    try:
        account = settings.account(message.account)
    except ImproperlyConfigured:
        # Without its account nobody knows which form the host takes.
        pass
    else:
        form = account.routerule_format
        channels = route_rule(message.channels, base_url=account.base_url, form=form)
    body = {
        "phonenumber": message.recipient,
        "routerule": channels,
        "templatecode": message.template_code,
        "list_param": message.params,
    }
    return legible(json.dumps(body, indent=2, ensure_ascii=False))


@dataclasses.dataclass(frozen=True, slots=True)
class Chain:
    """The messages that repeat one another, as far as they are next to a message."""

    resend_of: MessageLog | None
    resends: Sequence[MessageLog]
    """The newest ones, oldest first."""
    is_cut: bool
    """Whether there are more."""

    def __bool__(self) -> bool:
        return self.resend_of is not None or bool(self.resends)


def chain_of(message: MessageLog) -> Chain:
    """Return what a message repeats and what repeats it."""
    newest = list(message.resends.order_by("-pk")[: MOST_RESENDS + 1])
    return Chain(
        resend_of=message.resend_of,
        resends=newest[:MOST_RESENDS][::-1],
        is_cut=len(newest) > MOST_RESENDS,
    )
