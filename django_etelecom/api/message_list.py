"""What the list of messages can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Model
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import serializers

from ..finding.asked import Asked
from ..finding.search import Search, read_number
from ..models import Campaign, MessageTemplate
from ..models.messages import Status
from .pagination import PageQuery
from .serializers import InstantField


class StatusesField(serializers.CharField):
    """One status, or several with commas between them."""

    default_error_messages = {
        "status": gettext_lazy("There is no status “{status}”. There are: {statuses}.")
    }

    def to_internal_value(self, data: Any) -> tuple[str, ...]:
        statuses = tuple(super().to_internal_value(data).split(","))
        for status in statuses:
            if status not in Status.values:
                self.fail("status", status=status[:20], statuses=", ".join(Status.values))
        return statuses


class MessageQuery(PageQuery):
    """What the address of the list of messages takes."""

    status = StatusesField(required=False, max_length=200)
    template = serializers.CharField(required=False, max_length=100)
    campaign = serializers.UUIDField(required=False)
    recipient = serializers.CharField(required=False, max_length=100)
    created_after = InstantField(required=False)
    created_before = InstantField(required=False)


def asked_for(query: Mapping[str, Any]) -> Asked:
    """Return which messages a query means; of several conditions one leads and has an index.

    Raises:
        ValidationError: it names a template, campaign or number that there cannot be.
        ImproperlyConfigured: the site's `ALLOWED_NUMBERS` cannot be used.
    """
    return Asked(
        statuses=query.get("status", ()),
        template=_key(query, "template", MessageTemplate, "code"),
        campaign=_key(query, "campaign", Campaign, "public_id"),
        search=_number(query),
        since=query.get("created_after"),
        until=query.get("created_before"),
    )


def _key(query: Mapping[str, Any], name: str, model: type[Model], field: str) -> int | None:
    if name not in query:
        return None
    rows = model._default_manager.filter(**{field: query[name]}).values_list("pk", field)
    # MariaDB finds `abc` for `ABC`.
    keys: list[int] = [key for key, value in rows if value == query[name]]
    if not keys:
        raise serializers.ValidationError({name: [_("There is none.")]})
    return keys[0]


def _number(query: Mapping[str, Any]) -> Search | None:
    if "recipient" not in query:
        return None
    search = read_number(query["recipient"])
    if search is None:
        raise serializers.ValidationError({"recipient": [_("Give a whole phone number.")]})
    return search
