"""The API as OpenAPI, where the site has drf-spectacular; nothing else imports it.

drf-spectacular reads the views and their serializers. What it cannot see is said here: what each
operation takes and answers (`operations.py`), the templates of the site, and the webhook.
"""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.extensions import (
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
    OpenApiViewExtension,
)
from drf_spectacular.plumbing import ResolvedComponent, is_jsonschema_compliant
from drf_spectacular.utils import (
    OpenApiResponse,
    OpenApiWebhook,
    extend_schema,
    extend_schema_view,
)

from .campaign_serializers import RowsField
from .operations import OPERATIONS
from .permissions import SEND
from .serializers import Body, CheckBody, ParamsField, ValueField
from .template_schemas import DescribedTemplate, described_templates
from .views import ApiView

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


class Rows(OpenApiSerializerFieldExtension):
    """The rows of a campaign; what a row lacks makes it a faulty one."""

    target_class = RowsField

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        row = {"type": "object", "additionalProperties": {}}
        return {"type": "array", "items": row, "minItems": 1}


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
