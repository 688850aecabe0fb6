"""What the bodies of requests take and what answers show of campaigns; each field by name."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from ..client.opaque import Opaque
from ..sheets import SheetRow
from .pagination import PageQuery
from .rows import row_of
from .serializers import MEANT, Body, InstantField, TextField, ValueField


class CampaignSerializer(serializers.Serializer):
    """A campaign, and how far it is."""

    public_id = serializers.UUIDField()
    name = serializers.CharField()
    template = serializers.CharField(source="template_code")
    account = serializers.CharField()
    channels = serializers.JSONField()
    route = serializers.CharField(source="requested_route")
    status = serializers.CharField()
    broke_off = serializers.BooleanField()
    read_rows = serializers.IntegerField()
    queued_rows = serializers.IntegerField()
    faulty_rows = serializers.IntegerField()
    repeated_rows = serializers.IntegerField()
    under_way = serializers.IntegerField(source="shown_progress.under_way")
    ended = serializers.IntegerField(source="shown_progress.ended")
    counts = serializers.DictField(source="shown_progress.counts")
    per_second = serializers.FloatField(source="shown_progress.per_second", allow_null=True)
    seconds_left = serializers.FloatField(source="shown_progress.seconds_left", allow_null=True)
    sent_by = serializers.CharField(source="shown_sender", allow_null=True)
    send_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
    expires_at = serializers.DateTimeField(allow_null=True)


class CampaignQuery(Body):
    """A campaign that is to be made, but for its rows."""

    passed_over = frozenset(CampaignSerializer().fields) - MEANT

    template = TextField()
    name = TextField(required=False, allow_blank=True)
    route = TextField(required=False, allow_null=True, allow_blank=True)
    send_at = InstantField(required=False, allow_null=True)


class RowsField(ValueField):
    """Rows in JSON, each an object."""

    default_error_messages = {"list": _("Give a list of rows.")}

    def to_internal_value(self, data: Any) -> Opaque[list[SheetRow]]:
        if not isinstance(data, list):
            self.fail("list")
        return Opaque([row_of(number, row) for number, row in enumerate(data, start=1)])


class CampaignBody(CampaignQuery):
    """A campaign that is to be made of rows in JSON."""

    rows = RowsField()


class CampaignForm(CampaignQuery):
    """A campaign that is to be made of a sheet."""

    # The last one is in the forms of browsers.
    passed_over = CampaignQuery.passed_over | {"csrfmiddlewaretoken"}

    rows = serializers.FileField()


class CampaignRowSerializer(serializers.Serializer):
    """A row that needs a look, by its number in what was sent, and all that is to be said of it."""

    row = serializers.IntegerField(source="number")
    is_queued = serializers.BooleanField()
    faults = serializers.DictField()


class CampaignRowQuery(PageQuery):
    """What the address of a campaign's rows takes."""

    is_queued = serializers.BooleanField(required=False, default=False)
