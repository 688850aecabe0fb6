"""What the bodies of requests take, and what answers show; each field by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from rest_framework import serializers

from ..client.opaque import Opaque
from ..redaction import clean_text
from ..schema import MAX_UNKNOWN_NAMES, QUOTED

# --- The fields of bodies ------------------------------------------------------------------------


class TextField(serializers.CharField):
    """Text as it was written: neither a number nor trimmed; what it says is for the service."""

    def __init__(self, **options: Any) -> None:
        super().__init__(trim_whitespace=False, **options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        text: str = data
        return text


class ValueField(serializers.Field):
    """A value of JSON as it was decoded; what it may be is for the service to say."""

    def to_internal_value(self, data: Any) -> Any:
        return data


class ParamsField(ValueField):
    """A template's parameters by name; one of them may be a one-time password.

    The template's own schema says what they may be: they go to the service as JSON has them, so
    that whole numbers stay whole and a number with decimals is refused rather than rounded.
    """

    def to_internal_value(self, data: Any) -> Opaque[Any]:
        return Opaque(data)


class Body(serializers.Serializer):
    """The body of a request; a name that it does not have is refused.

    A misspelt `send_at` must not send at once. What only the answer has may come back with a
    request and changes nothing.
    """

    passed_over: ClassVar[frozenset[str]] = frozenset()
    """Names of the answer's fields, which have no effect."""

    def to_internal_value(self, data: Any) -> Any:
        faults: dict[str, Any] = {}
        value = None
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            faults = error.detail
        if isinstance(data, Mapping):
            faults |= self._faults_of_names(data)
        if faults:
            raise serializers.ValidationError(faults)
        return value

    def _faults_of_names(self, data: Mapping[str, Any]) -> dict[str, list[str]]:
        unknown = [name for name in data if name not in {*self.fields, *self.passed_over}]
        sentence = _("There is no field of this name. There are: %(names)s.")
        told = sentence % {"names": ", ".join(self.fields)}
        return {clean_text(name, QUOTED): [told] for name in unknown[:MAX_UNKNOWN_NAMES]}


def revealed(body: Mapping[str, Any]) -> Any:
    """Return the parameters that a body has. Bind them to no name."""
    params = body.get("params")
    return params.reveal() if params else None


# --- Messages ------------------------------------------------------------------------------------


class CheckBody(Body):
    """A message that is to be checked."""

    template = TextField()
    to = TextField()
    params = ParamsField(required=False, allow_null=True)
    route = TextField(required=False, allow_null=True)


class VerdictSerializer(serializers.Serializer):
    """What one guard says of a message."""

    guard = serializers.CharField()
    passes = serializers.BooleanField()
    reason = serializers.CharField()
    detail = serializers.CharField()
    retry_after = serializers.IntegerField(allow_null=True)


class CheckSerializer(serializers.Serializer):
    """What would be sent, and what would stop it."""

    template = serializers.CharField()
    recipient = serializers.CharField()
    channels = serializers.ListField(child=serializers.CharField())
    text = serializers.CharField()
    wire = serializers.DictField()
    verdicts = VerdictSerializer(many=True)
    sendable = serializers.BooleanField()
