"""Templates, to read: what can be sent, and with which parameters."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.response import Response

from ..models import MessageTemplate
from ..redaction import clean_text
from ..schema import QUOTED, Parameter
from .pagination import PageQuery, RowWalk, read_page
from .permissions import VIEW_TEMPLATES
from .throttles import ReadThrottle
from .views import ApiView


class ParameterSerializer(serializers.Serializer):
    """One parameter, with the limits that hold where the template names none."""

    position = serializers.IntegerField()
    name = serializers.CharField()
    kind = serializers.CharField()
    required = serializers.BooleanField()
    max_length = serializers.SerializerMethodField()
    pattern = serializers.CharField()
    secret = serializers.SerializerMethodField()
    example = serializers.CharField()

    def get_max_length(self, row: Any) -> int:
        return _parameter(row).limit

    def get_secret(self, row: Any) -> bool:
        return _parameter(row).is_secret


class TemplateSerializer(serializers.Serializer):
    """A template with all of its parameters."""

    code = serializers.CharField()
    name = serializers.CharField()
    account = serializers.CharField()
    category = serializers.CharField()
    text = serializers.CharField()
    is_active = serializers.BooleanField()
    route = serializers.CharField(source="route.name", allow_null=True)
    parameters = ParameterSerializer(many=True, source="parameters.all")


class TemplatesView(ApiView):
    """All templates, those that were made last first."""

    rights = {"GET": [VIEW_TEMPLATES]}
    throttles = {"GET": ReadThrottle}

    def get(self, request: Any) -> Response:
        query = self.query(PageQuery)
        page = read_page(RowWalk(_templates()), query.get("cursor"), query["limit"])
        return page.answer(request, TemplateSerializer(page.rows, many=True).data)


class TemplateView(ApiView):
    """One template, by its code."""

    rights = {"GET": [VIEW_TEMPLATES]}
    throttles = {"GET": ReadThrottle}

    def get(self, request: Any, code: str) -> Response:
        # Asking some databases for what they cannot store raises; MariaDB finds `abc` for `ABC`.
        is_storable = clean_text(code, 100) == code
        template = _templates().filter(code=code).first() if is_storable else None
        if template is None or template.code != code:
            sentence = _("There is no template with the code “%(code)s”.")
            raise NotFound(sentence % {"code": clean_text(code, QUOTED)})
        return Response(TemplateSerializer(template).data)


def _templates() -> QuerySet[MessageTemplate]:
    return MessageTemplate.objects.select_related("route").prefetch_related("parameters")


def _parameter(row: Any) -> Parameter:
    return Parameter(row.name, row.kind, max_length=row.max_length, secret=row.secret)
