"""What the bodies of requests take, and what answers show; each field by name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.utils.translation import gettext as _
from rest_framework import serializers

from ..client.opaque import Opaque
from ..redaction import clean_text
from ..schema import MAX_UNKNOWN_NAMES, QUOTED


@functools.cache
def shared(serializer: Callable[[], Any]) -> Any:
    """Return the one instance of a serializer that all requests share.

    Making one copies each of its fields, which takes longer than all that a request does with them.
    It is asked for `to_representation` and `run_validation` alone, which keep nothing.
    """
    return serializer()


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


class InstantField(serializers.DateTimeField):
    """An instant; without an offset from UTC it is one of the site's time zone."""

    def to_internal_value(self, value: Any) -> datetime:
        try:
            return super().to_internal_value(value).astimezone(UTC)  # type: ignore[no-any-return]
        except OverflowError:
            raise self.fail("overflow") from None


class Body(serializers.Serializer):
    """The body of a request; a name that it does not have is refused.

    A misspelt `send_at` must not send at once, nor one where there is none. What else the answer
    has may come back with a request, and changes nothing.
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


class EventSerializer(serializers.Serializer):
    """One answer or report of the provider, or the lack of one."""

    source = serializers.CharField()
    status = serializers.CharField()
    reason = serializers.CharField()
    http_status = serializers.IntegerField(allow_null=True)
    provider_status = serializers.CharField()
    provider_detail = serializers.CharField()
    channel = serializers.CharField()
    error_code = serializers.CharField()
    failure_detail = serializers.CharField()
    payload = serializers.CharField()
    created_at = serializers.DateTimeField()


class MessageSerializer(serializers.Serializer):
    """A message: what was to be sent to whom, and what is known to have become of it."""

    public_id = serializers.UUIDField()
    template = serializers.CharField(source="template_code")
    account = serializers.CharField()
    recipient = serializers.CharField()
    params = serializers.DictField(child=serializers.CharField())
    channels = serializers.ListField(child=serializers.CharField())
    route = serializers.CharField(source="requested_route")
    status = serializers.CharField()
    reason = serializers.CharField()
    status_source = serializers.CharField()
    provider_message_id = serializers.CharField()
    provider_status = serializers.CharField()
    provider_detail = serializers.CharField()
    channel = serializers.CharField()
    error_code = serializers.CharField()
    network = serializers.CharField()
    paid_messages = serializers.IntegerField(allow_null=True)
    attempts = serializers.IntegerField()
    sent_by = serializers.CharField(source="shown_sender", allow_null=True)
    resend_of = serializers.UUIDField(source="resend_of.public_id", allow_null=True)
    campaign = serializers.UUIDField(source="campaign.public_id", allow_null=True)
    metadata = serializers.DictField()
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)
    updated_at = serializers.DateTimeField()
    send_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)


class MessageWithEventsSerializer(MessageSerializer):
    """A message and what was said of it."""

    events = EventSerializer(source="shown_events", many=True)
    has_more_events = serializers.BooleanField()


MEANT = frozenset(
    {"recipient", "template", "params", "channels", "route", "send_at", "expires_at", "metadata"}
)
"""Names of what is told of a message that say to whom, what, how or when: who gives one means it,
also where there is no such field."""

SHOWN = frozenset(MessageWithEventsSerializer().fields) - MEANT
"""Names of what else is told of a message, which change nothing where they come back."""


class CheckBody(Body):
    """A message that is to be checked; takes what one to be sent takes."""

    passed_over = SHOWN | {"queue", "send_at", "expires_at", "metadata"}

    template = TextField()
    to = TextField()
    params = ParamsField(required=False, allow_null=True)
    route = TextField(required=False, allow_null=True, allow_blank=True)


class SendBody(CheckBody):
    """A message that is to be sent, or queued for a worker."""

    passed_over = SHOWN

    queue = serializers.BooleanField(required=False, default=False)
    send_at = InstantField(required=False, allow_null=True)
    expires_at = InstantField(required=False, allow_null=True)
    metadata = ValueField(required=False, allow_null=True)


class ResendBody(Body):
    """What is to be otherwise in a message that is sent again."""

    passed_over = SHOWN

    to = TextField(required=False, allow_null=True)
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
