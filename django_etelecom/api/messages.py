"""Messages: sent, queued, checked, looked at, asked about, sent again, cancelled."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework.exceptions import NotFound
from rest_framework.response import Response

from .. import phone
from ..covers import Cover, cover_messages
from ..finding.events import events_of
from ..finding.key_walk import KeyWalk
from ..models import MessageLog
from ..models.messages import Status
from ..services import (
    cancel_message,
    check_message,
    queue_message,
    refresh_status,
    resend_message,
    send_message,
)
from .faults import Conflict
from .idempotency import check_replay, idempotency_key, is_to_be_queued
from .message_list import MessageQuery, asked_for
from .pagination import read_page
from .permissions import RESEND, SEND, VIEW, sees_numbers
from .serializers import (
    CheckBody,
    CheckSerializer,
    MessageSerializer,
    MessageWithEventsSerializer,
    ResendBody,
    SendBody,
    revealed,
    shared,
)
from .throttles import (
    ChangeThrottle,
    CheckThrottle,
    ReadThrottle,
    RefreshThrottle,
    SendThrottle,
)
from .views import ApiView

# --- What is told of messages --------------------------------------------------------------------


def shown(request: Any, message: Any, *, with_events: bool = False) -> dict[str, Any]:
    """Return what is told of a message to the user of a request, who may not see its number."""
    if with_events:
        message.shown_events, message.has_more_events = events_of(message)
    serializer = MessageWithEventsSerializer if with_events else MessageSerializer
    return _shown(request, [message], serializer)[0]


def _shown(request: Any, messages: list[Any], serializer: Any) -> list[dict[str, Any]]:
    cover_messages(messages, whole=sees_numbers(request))
    for message in messages:
        sender = str(message.sent_by.get_username()) if message.sent_by else None
        if message.cover:
            message.cover.lay_on_events(getattr(message, "shown_events", ()))
            sender = sender and message.cover.text(sender)
        message.shown_sender = sender
    return [shared(serializer).to_representation(message) for message in messages]


def written(request: Any, message: MessageLog) -> Response:
    """Answer with a message that was sent or queued: 201, or 200 where it was there already."""
    headers = {}
    match = request.resolver_match
    headers["Location"] = request.build_absolute_uri(
        reverse(f"{match.namespace}:message", args=[message.public_id])
    )
    status = 200 if message.is_replay else 201
    # A site may let somebody send who has not logged in.
    if message.sent_by_id is not None:
        message.sent_by = request.user  # Or it would be read once more.
    return Response(shown(request, message), status=status, headers=headers)


def stored_messages() -> QuerySet[MessageLog]:
    """Return all messages, with as much of what they belong to as is told of them."""
    told_of = [
        *(field.source for field in MessageSerializer().fields.values() if field.source != "*"),
        *("resend_of", "campaign", "sent_by"),
    ]
    user_name = f"sent_by__{get_user_model().USERNAME_FIELD}"
    columns = [name.replace(".", "__") for name in told_of if name != "shown_sender"]
    rows = MessageLog.objects.select_related("sent_by", "resend_of", "campaign")
    return rows.only(*columns, user_name)


def stored_message(public_id: str) -> MessageLog:
    """Return a message by what its address has for it.

    Raises:
        NotFound: there is none.
    """
    try:
        return stored_messages().get(public_id=uuid.UUID(public_id))
    except (ValueError, MessageLog.DoesNotExist):
        raise NotFound(_("There is no message of this id.")) from None


# --- Views ---------------------------------------------------------------------------------------


class MessagesView(ApiView):
    """All messages; a new one is sent now, or queued for a worker."""

    rights = {"GET": [VIEW], "POST": [SEND]}
    throttles = {"GET": ReadThrottle, "POST": SendThrottle}

    def get(self, request: Any) -> Response:
        query = self.query(MessageQuery)
        walk = KeyWalk(stored_messages(), asked_for(query))
        page = read_page(walk, query.get("cursor"), query["limit"])
        return page.answer(request, _shown(request, page.rows, MessageSerializer))

    def post(self, request: Any) -> Response:
        body = self.body(SendBody)
        named = {
            "route": body.get("route"),
            "idempotency_key": idempotency_key(request),
            "sent_by": request.user,
            "expires_at": body.get("expires_at"),
            "metadata": body.get("metadata"),
        }
        if is_to_be_queued(body):
            named["send_at"] = body.get("send_at")
            message = queue_message(body["template"], body["to"], revealed(body), **named)
        else:
            message = send_message(body["template"], body["to"], revealed(body), **named)
        check_replay(message, body)
        return written(request, message)


class CheckView(ApiView):
    """Does everything that sending does but writing and sending."""

    rights = {"POST": [SEND]}
    throttles = {"POST": CheckThrottle}

    def post(self, request: Any) -> Response:
        body = self.body(CheckBody)
        check = check_message(body["template"], body["to"], revealed(body), route=body.get("route"))
        told: dict[str, Any] = CheckSerializer(check).data
        if not sees_numbers(request):
            number = phone.mask(check.recipient)
            told = Cover(check.recipient).value(told) | {"recipient": number}
            told["wire"]["phonenumber"] = number
        return Response(told)


class MessageView(ApiView):
    """One message, and what was said of it."""

    rights = {"GET": [VIEW]}
    throttles = {"GET": ReadThrottle}

    def get(self, request: Any, public_id: str) -> Response:
        return Response(shown(request, stored_message(public_id), with_events=True))


class RefreshView(ApiView):
    """Asks the provider what became of a message."""

    rights = {"POST": [VIEW]}
    throttles = {"POST": RefreshThrottle}

    def post(self, request: Any, public_id: str) -> Response:
        message = refresh_status(stored_message(public_id))
        return Response(shown(request, message, with_events=True))


class ResendView(ApiView):
    """Sends a message again, as a new one; the first may have arrived."""

    rights = {"POST": [VIEW, SEND, RESEND]}
    throttles = {"POST": SendThrottle}

    def post(self, request: Any, public_id: str) -> Response:
        body = self.body(ResendBody)
        key = idempotency_key(request)
        first = stored_message(public_id)
        message = resend_message(
            first,
            to=body.get("to"),
            params=revealed(body),
            route=body.get("route"),
            idempotency_key=key,
            sent_by=request.user,
        )
        check_replay(message, body, resend_of=first)
        return written(request, message)


class CancelView(ApiView):
    """Cancels a message that still waits to be sent."""

    rights = {"POST": [VIEW, SEND]}
    throttles = {"POST": ChangeThrottle}

    def post(self, request: Any, public_id: str) -> Response:
        message = cancel_message(stored_message(public_id))
        if message.status != Status.CANCELLED:
            raise Conflict(
                _("The message is %(status)s; nothing was changed.")
                % {"status": message.get_status_display()}
            )
        return Response(shown(request, message, with_events=True))
