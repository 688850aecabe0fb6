"""Messages: sent, queued, checked, looked at, asked about, sent again, cancelled."""

from __future__ import annotations

from typing import Any

from rest_framework.response import Response

from .. import phone
from ..covers import Cover
from ..services import check_message
from . import permissions
from .serializers import CheckBody, CheckSerializer, revealed
from .throttles import CheckThrottle
from .views import ApiView


class CheckView(ApiView):
    """Does everything that sending does but writing and sending."""

    rights = {"POST": [permissions.SEND]}
    throttles = {"POST": CheckThrottle}

    def post(self, request: Any) -> Response:
        body = self.body(CheckBody)
        check = check_message(
            body["template"],
            body["to"],
            revealed(body),
            route=body.get("route"),
        )
        shown: dict[str, Any] = CheckSerializer(check).data
        if not permissions.sees_numbers(request):
            number = phone.mask(check.recipient)
            shown = Cover(check.recipient).value(shown) | {"recipient": number}
            shown["wire"]["phonenumber"] = number
        return Response(shown)
