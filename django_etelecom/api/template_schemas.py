"""The templates of a site as JSON Schema, for the documentation of the API."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..exceptions import InvalidMessage
from ..kinds import RULES
from ..models import MessageTemplate
from ..schema import Kind, Parameter, Schema

MOST_TEMPLATES = 200
"""Templates that the documentation names; it is read by people."""

EXAMPLE_NUMBER = "0912 345 678"

# A whole number of JSON is as good as its digits; one with decimals would be rounded on its way.
_SCHEMAS: dict[Kind, list[dict[str, Any]]] = {
    Kind.NUMBER: [
        {"type": "string", "pattern": r"^[+-]?[0-9]+(\.[0-9]+)?$"},
        {"type": "integer"},
    ],
    Kind.MONEY: [
        {"type": "string", "pattern": "^[0-9]*[1-9][0-9]*$"},
        {"type": "integer", "minimum": 1},
    ],
    Kind.URL: [{"type": "string", "format": "uri"}],
    Kind.OTP: [{"type": "string", "pattern": "^[A-Za-z0-9]+$"}],
}

_EXAMPLES: dict[Kind, str | int] = {
    Kind.TEXT: "An",
    Kind.NUMBER: 1,
    Kind.MONEY: 150000,
    Kind.DATE: "24/12/2026",
    Kind.TIME: "10:30 24/12/2026",
    Kind.PHONE: "0912345678",
    Kind.URL: "https://example.com/",
    Kind.OTP: "123456",
}


@dataclasses.dataclass(frozen=True, slots=True)
class DescribedTemplate:
    """A template as the documentation tells of it."""

    code: str
    name: str
    parameters: tuple[Parameter, ...]

    def params_schema(self) -> dict[str, Any]:
        """Return the schema of its parameters."""
        required = [parameter.name for parameter in self.parameters if parameter.required]
        return {
            "type": "object",
            "title": self.name or self.code,
            "properties": {parameter.name: _schema(parameter) for parameter in self.parameters},
            **({"required": required} if required else {}),
            "additionalProperties": False,
        }

    def example(self) -> dict[str, Any] | None:
        """Return the body of a message of it; None: its parameters have no examples that fit."""
        params = {
            parameter.name: parameter.example or _EXAMPLES[parameter.kind]
            for parameter in self.parameters
            if parameter.required or parameter.example
        }
        try:
            Schema(self.parameters).bind(params)
        except InvalidMessage:
            return None
        return {"template": self.code, "to": EXAMPLE_NUMBER, "params": params}


def described_templates() -> list[DescribedTemplate]:
    """Read the active templates with their parameters, by code."""
    templates = MessageTemplate.objects.filter(is_active=True).order_by("code")
    return [
        DescribedTemplate(
            code=template.code,
            name=template.name,
            parameters=tuple(
                Parameter(
                    **{
                        field.name: getattr(stored, field.name)
                        for field in dataclasses.fields(Parameter)
                    }
                )
                for stored in template.parameters.all()
                if stored.kind in Kind.values
            ),
        )
        for template in templates.prefetch_related("parameters")[:MOST_TEMPLATES]
    ]


def _schema(parameter: Parameter) -> dict[str, Any]:
    forms = [dict(form) for form in _SCHEMAS.get(Kind(parameter.kind), [{"type": "string"}])]
    for form in forms:
        if form["type"] == "string":
            form["maxLength"] = parameter.limit
    told = [str(RULES.get(Kind(parameter.kind), ""))]
    if parameter.pattern:
        told.append(f"Python: {parameter.pattern}")
    if parameter.is_secret:
        # Documentation does not show what is put in.
        forms[0]["format"] = "password"
    described = forms[0] if len(forms) == 1 else {"anyOf": forms}
    description = " ".join(filter(None, told))
    return described | ({"description": description} if description else {})
