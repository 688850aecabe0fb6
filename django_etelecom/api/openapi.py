"""The API as OpenAPI, where the site has drf-spectacular; nothing else imports it.

drf-spectacular reads the views and their serializers. What it cannot see is said here: what each
operation takes and answers, the templates of the site, and the webhook.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from drf_spectacular.extensions import (
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
    OpenApiViewExtension,
)
from drf_spectacular.plumbing import ResolvedComponent, is_jsonschema_compliant
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiResponse,
    OpenApiWebhook,
    extend_schema,
    extend_schema_serializer,
    extend_schema_view,
    inline_serializer,
)
from rest_framework import serializers

from .idempotency import LONGEST_KEY
from .message_list import MessageQuery
from .messages import (
    CancelView,
    CheckView,
    MessagesView,
    MessageView,
    RefreshView,
    ResendView,
)
from .permissions import SEND
from .serializers import (
    Body,
    CheckBody,
    CheckSerializer,
    EventSerializer,
    MessageSerializer,
    MessageWithEventsSerializer,
    ParamsField,
    ResendBody,
    SendBody,
    ValueField,
    VerdictSerializer,
)
from .template_schemas import DescribedTemplate, described_templates
from .views import ApiView

TAG = "messages"

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
    for status in sorted({401, 403, 406, 413, 429, 503, *faults}):
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
        tags=[TAG],
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
}

# --- What drf-spectacular asks -------------------------------------------------------------------


class Views(OpenApiViewExtension):
    """Every view of the API, by what is said of it above."""

    target_class = ApiView
    match_subclasses = True

    def view_replacement(self) -> Any:
        described = [OPERATIONS[base] for base in self.target.__mro__ if base in OPERATIONS]
        told = {"__doc__": self.target.__doc__}
        view = type(self.target.__name__, (self.target,), told)
        return extend_schema_view(**described[0])(view) if described else view


class Bodies(OpenApiSerializerExtension):
    """A body of a request: no other fields; a message's by its template."""

    target_class = Body
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        body = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        body["additionalProperties"] = False
        templates = []
        if isinstance(self.target, CheckBody) and _may_know_templates(auto_schema.view.request):
            templates = described_templates()
        if not templates:
            return body  # type: ignore[no-any-return]
        name = type(self.target).__name__
        refs = {
            template.code: self._of_template(auto_schema, name, body, template)
            for template in templates
        }
        return {
            "oneOf": [{"$ref": ref} for ref in refs.values()],
            "discriminator": {"propertyName": "template", "mapping": refs},
        }

    def _of_template(
        self, auto_schema: Any, name: str, body: dict[str, Any], template: DescribedTemplate
    ) -> str:
        params = _component(auto_schema, "Params", template, template.params_schema())
        requires = any(parameter.required for parameter in template.parameters)
        schema = {
            **body,
            "title": template.name or template.code,
            "properties": {
                **body["properties"],
                "template": _constant(template.code),
                "params": {"$ref": params},
            },
            "required": [*body["required"], *(["params"] if requires else [])],
        }
        example = template.example()
        if example is not None:
            schema |= {"examples": [example]} if is_jsonschema_compliant() else {"example": example}
        return _component(auto_schema, name, template, schema)


class Params(OpenApiSerializerFieldExtension):
    """Parameters where the template is not known."""

    target_class = ParamsField

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        value = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
        return {"type": "object", "additionalProperties": value}


class Values(OpenApiSerializerFieldExtension):
    """An object of the client's own."""

    target_class = ValueField

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {}}


def _component(
    auto_schema: Any, kind: str, template: DescribedTemplate, schema: dict[str, Any]
) -> str:
    """Register a schema of a template once, and return the reference to it."""
    readable = re.sub(r"[^A-Za-z0-9_.-]", "_", template.code)
    # Two codes may differ in nothing else.
    own = "" if readable == template.code else "_" + template.code.encode().hex()
    component = ResolvedComponent(
        name=f"Etelecom{kind}_{readable}{own}",
        type=ResolvedComponent.SCHEMA,
        schema=schema,
        object=(kind, template.code),
    )
    auto_schema.registry.register_on_missing(component)
    ref: str = component.ref["$ref"]
    return ref


def _constant(code: str) -> dict[str, Any]:
    if is_jsonschema_compliant():
        return {"type": "string", "const": code}
    return {"type": "string", "pattern": f"^{re.escape(code)}$"}


def _may_know_templates(request: Any) -> bool:
    """Whether the documentation is for someone who may send, or written by a command."""
    # The framework has a user on the request where somebody asks.
    user = getattr(request, "_user", None)
    return user is None or bool(user.has_perm(SEND))


for _name, _serializer in {
    "EtelecomMessage": MessageSerializer,
    "EtelecomMessageWithEvents": MessageWithEventsSerializer,
    "EtelecomEvent": EventSerializer,
    "EtelecomCheck": CheckSerializer,
    "EtelecomVerdict": VerdictSerializer,
    "EtelecomCheckBody": CheckBody,
    "EtelecomSendBody": SendBody,
    "EtelecomResendBody": ResendBody,
}.items():
    # A site has other messages and other events.
    extend_schema_serializer(component_name=_name)(_serializer)

# --- The webhook ---------------------------------------------------------------------------------

REPORT = {
    "type": "object",
    "description": (
        "As eTelecom's consumers have seen it; names in any case, with or without underscores."
    ),
    "properties": {
        "IdOmniMess": {"type": "string"},
        "Status": {"type": "string", "description": "SUCCESS, FAIL or PROCESSING"},
        "Channel": {"type": "string"},
        "ErrorCode": {"type": "string"},
        "MtCount": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "TelcoId": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "IsCharged": {"anyOf": [{"type": "boolean"}, {"type": "string"}]},
    },
    "required": ["IdOmniMess", "Status"],
}
_SAID = {
    "type": "object",
    "properties": {"message": {"type": "string"}},
    "required": ["message"],
}

delivery_report = OpenApiWebhook(
    name="delivery_report",
    decorator=extend_schema(
        operation_id="delivery_report",
        summary="A delivery report of eTelecom's",
        description=(
            "eTelecom posts it to `webhooks/<token>/` of this site: one report, or a list of them. "
            "The token in the address is the secret that tells eTelecom from anybody else."
        ),
        tags=["webhooks"],
        request={
            "application/json": {"anyOf": [REPORT, {"type": "array", "items": REPORT}]},
        },
        responses={
            200: OpenApiResponse(_SAID, description="The report is kept."),
            400: OpenApiResponse(_SAID, description="It is no report."),
            401: OpenApiResponse(_SAID, description="The shared token is missing or wrong."),
            404: OpenApiResponse(_SAID, description="The address has no token of this site."),
            413: OpenApiResponse(_SAID, description="It is too large."),
            415: OpenApiResponse(_SAID, description="It is a form."),
            503: OpenApiResponse(_SAID, description="It could not be kept: post it again."),
        },
    ),
)
"""For `SPECTACULAR_SETTINGS["WEBHOOKS"]`."""
