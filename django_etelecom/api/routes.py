"""Route rules, to read: by which channels a message may go, in which order."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.response import Response

from ..models import RouteRule
from ..redaction import clean_text
from ..schema import QUOTED
from .pagination import PageQuery, RowWalk, read_page
from .permissions import VIEW_ROUTES
from .throttles import ReadThrottle
from .views import ApiView


class RouteSerializer(serializers.Serializer):
    """A route rule; its channels are the provider's numbers for them."""

    name = serializers.CharField()
    channels = serializers.JSONField()
    is_default = serializers.BooleanField()


class RoutesView(ApiView):
    """All route rules, those that were made last first."""

    rights = {"GET": [VIEW_ROUTES]}
    throttles = {"GET": ReadThrottle}

    def get(self, request: Any) -> Response:
        query = self.query(PageQuery)
        walk = RowWalk(RouteRule.objects.all())
        page = read_page(walk, query.get("cursor"), query["limit"])
        return page.answer(request, RouteSerializer(page.rows, many=True).data)


class RouteView(ApiView):
    """One route rule, by its name."""

    rights = {"GET": [VIEW_ROUTES]}
    throttles = {"GET": ReadThrottle}

    def get(self, request: Any, name: str) -> Response:
        # As with the code of a template.
        is_storable = clean_text(name, 100) == name
        route = RouteRule.objects.filter(name=name).first() if is_storable else None
        if route is None or route.name != name:
            sentence = _("There is no route with the name “%(name)s”.")
            raise NotFound(sentence % {"name": clean_text(name, QUOTED)})
        return Response(RouteSerializer(route).data)
