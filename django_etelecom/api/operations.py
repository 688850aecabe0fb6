"""What each operation of the API takes and answers, for drf-spectacular; `openapi.py` loads it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    extend_schema,
    extend_schema_serializer,
    inline_serializer,
)
from rest_framework import serializers

from .campaign_serializers import (
    CampaignBody,
    CampaignForm,
    CampaignRowQuery,
    CampaignRowSerializer,
    CampaignSerializer,
)
from .campaigns import (
    CampaignRowsView,
    CampaignsView,
    CampaignView,
    PauseView,
    ResumeView,
    RetryView,
)
from .campaigns import CancelView as CancelCampaignView
from .idempotency import LONGEST_KEY
from .message_list import MessageQuery
from .messages import CancelView, CheckView, MessagesView, MessageView, RefreshView, ResendView
from .pagination import PageQuery
from .routes import RouteSerializer, RoutesView, RouteView
from .serializers import (
    CheckBody,
    CheckSerializer,
    EventSerializer,
    MessageSerializer,
    MessageWithEventsSerializer,
    ResendBody,
    SendBody,
    VerdictSerializer,
)
from .templates import ParameterSerializer, TemplateSerializer, TemplatesView, TemplateView
from .views import ApiView

Operations: TypeAlias = Mapping[type[ApiView], Mapping[str, Callable[..., Any]]]
"""By view and method, what drf-spectacular decorates the method with."""

# --- Answers -------------------------------------------------------------------------------------

_SENTENCES = {"type": "array", "items": {"type": "string"}}
FAULTS = {
    "type": "object",
    "additionalProperties": {"anyOf": [{"type": "string"}, _SENTENCES]},
}
DETAIL = {
    "type": "object",
    "properties": {"detail": {"type": "string"}, "reason": {"type": "string"}},
    "required": ["detail"],
}

_ANSWERS: dict[int, tuple[dict[str, Any], str]] = {
    400: (FAULTS, "Bad input: sentences by field, all at once. Nothing was written or sent."),
    401: (DETAIL, "Not logged in."),
    403: (DETAIL, "Without the permission."),
    404: (DETAIL, "There is none of this id."),
    406: (DETAIL, "Answers are JSON."),
    409: (DETAIL, "The idempotency key was used for something else, or the state is another."),
    411: (DETAIL, "The body has no length."),
    413: (DETAIL, "The body is too large."),
    415: (DETAIL, "Bodies are JSON."),
    429: (DETAIL, "A guard stopped the message, or a throttle the request."),
    503: (DETAIL, "The site is not set up for it; its log says why."),
}

_RETRY_AFTER = OpenApiParameter(
    "Retry-After",
    int,
    OpenApiParameter.HEADER,
    response=[429],
    description="Seconds, where waiting helps.",
)


def answers(*faults: int, **told: Any) -> dict[Any, Any]:
    """Return the answers of an operation: the faults of all of them, its own, and what it tells.

    Args:
        faults: statuses beside those that every operation may answer with.
        told: serializers by status, such as `ok=MessageSerializer`.
    """
    statuses = {"ok": 200, "created": 201, "known": 200}
    sentences = {"known": "The idempotency key was used for it before: the first message."}
    answered: dict[Any, Any] = {
        statuses[name]: OpenApiResponse(serializer, description=sentences.get(name, ""))
        for name, serializer in told.items()
    }
    for status in sorted({401, 403, 406, 411, 413, 429, 503, *faults}):
        schema, sentence = _ANSWERS[status]
        answered[status] = OpenApiResponse(schema, description=sentence)
    return answered


# --- Operations ----------------------------------------------------------------------------------

_PUBLIC_ID = OpenApiParameter(
    "public_id", {"type": "string", "format": "uuid"}, OpenApiParameter.PATH
)
_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": f"^[!-~]{{1,{LONGEST_KEY}}}$"},
    OpenApiParameter.HEADER,
    description="The same key and body again: the first message, with 200. Other body: 409.",
)
_LOCATION = OpenApiParameter(
    "Location",
    {"type": "string", "format": "uri"},
    OpenApiParameter.HEADER,
    response=[200, 201],
    description="The address of the message.",
)


def operation(operation_id: str, summary: str, parameters: Any = (), **told: Any) -> Any:
    """Describe an operation; `told` is as `extend_schema` has it."""
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        parameters=[*parameters, _RETRY_AFTER],
        **told,
    )


def page_of(name: str, serializer: Any) -> Any:
    """Describe a page of a list.

    Args:
        name: of the component.
        serializer: of its rows.
    """
    address = serializers.URLField(allow_null=True)
    fields = {"next": address, "previous": copy.copy(address), "results": serializer(many=True)}
    return inline_serializer(name, fields)


def _move(operation_id: str, summary: str, answer: Any = CampaignSerializer) -> Any:
    return operation(
        operation_id,
        summary,
        parameters=[_PUBLIC_ID],
        request=None,
        responses=answers(404, 409, ok=answer),
    )


class RetriedSerializer(CampaignSerializer):
    """A campaign of which something was queued again."""

    retried = serializers.IntegerField()


BESIDE_ROWS = "Where the body is nothing but rows; else it stands in the body."


for _name, _serializer in {
    "EtelecomMessage": MessageSerializer,
    "EtelecomMessageWithEvents": MessageWithEventsSerializer,
    "EtelecomEvent": EventSerializer,
    "EtelecomCheck": CheckSerializer,
    "EtelecomVerdict": VerdictSerializer,
    "EtelecomCheckBody": CheckBody,
    "EtelecomSendBody": SendBody,
    "EtelecomResendBody": ResendBody,
    "EtelecomTemplate": TemplateSerializer,
    "EtelecomParameter": ParameterSerializer,
    "EtelecomRoute": RouteSerializer,
    "EtelecomCampaign": CampaignSerializer,
    "EtelecomRetriedCampaign": RetriedSerializer,
    "EtelecomCampaignRow": CampaignRowSerializer,
    "EtelecomCampaignBody": CampaignBody,
    "EtelecomCampaignForm": CampaignForm,
}.items():
    # A site has other messages and other events.
    extend_schema_serializer(component_name=_name)(_serializer)

OPERATIONS: Operations = {
    MessagesView: {
        "get": operation(
            "list_messages",
            "List messages",
            parameters=[MessageQuery],
            responses=answers(400, ok=page_of("EtelecomMessagePage", MessageSerializer)),
        ),
        "post": operation(
            "send_message",
            "Send a message, or queue it",
            parameters=[_KEY, _LOCATION],
            request=SendBody,
            responses=answers(400, 409, 415, created=MessageSerializer, known=MessageSerializer),
        ),
    },
    CheckView: {
        "post": operation(
            "check_message",
            "Check a message without sending it",
            request=CheckBody,
            responses=answers(400, 415, ok=CheckSerializer),
        ),
    },
    MessageView: {
        "get": operation(
            "get_message",
            "Look at a message and its events",
            parameters=[_PUBLIC_ID],
            responses=answers(404, ok=MessageWithEventsSerializer),
        ),
    },
    RefreshView: {
        "post": operation(
            "refresh_message",
            "Ask the provider what became of a message",
            parameters=[_PUBLIC_ID],
            request=None,
            responses=answers(400, 404, ok=MessageWithEventsSerializer),
        ),
    },
    ResendView: {
        "post": operation(
            "resend_message",
            "Send a message again, as a new one",
            parameters=[_PUBLIC_ID, _KEY, _LOCATION],
            request=ResendBody,
            responses=answers(
                400, 404, 409, 415, created=MessageSerializer, known=MessageSerializer
            ),
        ),
    },
    CancelView: {
        "post": operation(
            "cancel_message",
            "Cancel a message that still waits",
            parameters=[_PUBLIC_ID],
            request=None,
            responses=answers(404, 409, ok=MessageWithEventsSerializer),
        ),
    },
    TemplatesView: {
        "get": operation(
            "list_templates",
            "List templates with their parameters",
            parameters=[PageQuery],
            responses=answers(400, ok=page_of("EtelecomTemplatePage", TemplateSerializer)),
        ),
    },
    TemplateView: {
        "get": operation(
            "get_template",
            "Look at a template",
            parameters=[OpenApiParameter("code", str, OpenApiParameter.PATH)],
            responses=answers(404, ok=TemplateSerializer),
        ),
    },
    RoutesView: {
        "get": operation(
            "list_routes",
            "List route rules",
            parameters=[PageQuery],
            responses=answers(400, ok=page_of("EtelecomRoutePage", RouteSerializer)),
        ),
    },
    RouteView: {
        "get": operation(
            "get_route",
            "Look at a route rule",
            parameters=[OpenApiParameter("name", str, OpenApiParameter.PATH)],
            responses=answers(404, ok=RouteSerializer),
        ),
    },
    CampaignsView: {
        "get": operation(
            "list_campaigns",
            "List campaigns",
            parameters=[PageQuery],
            responses=answers(400, ok=page_of("EtelecomCampaignPage", CampaignSerializer)),
        ),
        "post": operation(
            "begin_campaign",
            "Make a campaign of rows; it starts by itself",
            parameters=[
                *(
                    OpenApiParameter(name, kind, description=BESIDE_ROWS)
                    for name, kind in {
                        "template": str,
                        "name": str,
                        "route": str,
                        "send_at": OpenApiTypes.DATETIME,
                    }.items()
                ),
                _KEY,
                _LOCATION,
            ],
            request={
                "application/json": CampaignBody,
                "application/x-ndjson": OpenApiTypes.STR,
                "text/csv": OpenApiTypes.STR,
                "multipart/form-data": CampaignForm,
            },
            responses=answers(400, 409, 415, created=CampaignSerializer, known=CampaignSerializer),
        ),
    },
    CampaignView: {
        "get": operation(
            "get_campaign",
            "Look at a campaign and how far it is",
            parameters=[_PUBLIC_ID],
            responses=answers(404, ok=CampaignSerializer),
        ),
    },
    CampaignRowsView: {
        "get": operation(
            "list_campaign_rows",
            "List the rows of a campaign that need a look",
            parameters=[_PUBLIC_ID, CampaignRowQuery],
            responses=answers(
                400, 404, ok=page_of("EtelecomCampaignRowPage", CampaignRowSerializer)
            ),
        ),
    },
    PauseView: {"post": _move("pause_campaign", "Pause a campaign")},
    ResumeView: {"post": _move("resume_campaign", "Let a paused campaign go on")},
    CancelCampaignView: {"post": _move("cancel_campaign", "Cancel a campaign")},
    RetryView: {
        "post": _move("retry_campaign", "Queue again what was not sent", answer=RetriedSerializer),
    },
}
