"""What all views have in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from django.http import QueryDict
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import as_serializer_error
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from ..client.opaque import Opaque, shielded
from ..redaction import clean_text
from ..schema import QUOTED
from ..transactions import non_atomic
from .faults import in_terms_of_rest
from .parsers import BodyTooLarge, BoundedJSONParser, LengthRequired
from .permissions import HasRights, method_of
from .serializers import Body, shared
from .throttles import ScopedThrottle


class ApiView(APIView):
    """JSON in, JSON out; authentication, throttles and the form of faults are the site's own."""

    rights: ClassVar[Mapping[str, Collection[str]]] = {}
    """All the rights that each method takes; a method without an entry lets nobody in."""
    throttles: ClassVar[Mapping[str, type[ScopedThrottle]]] = {}
    """What counts the requests of each method."""
    max_body: ClassVar[int] = 128 * 1024
    """Bytes of a request's body."""

    parser_classes = [BoundedJSONParser]
    # The framework's pages for browsers would show what was typed, and need its templates.
    renderer_classes = [JSONRenderer]
    permission_classes = [HasRights]
    # OPTIONS would tell nothing that the documentation does not.
    http_method_names = ["get", "post", "put", "patch", "delete", "head"]

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        # What sends or asks goes over the network, what is cancelled commits at once.
        return non_atomic(super().as_view(**initkwargs))

    @property
    def default_response_headers(self) -> dict[str, str]:
        # What is told of messages is personal.
        return {**super().default_response_headers, "Cache-Control": "no-store"}

    def get_throttles(self) -> list[Any]:
        """Return the site's own throttles and the one of the method."""
        own = self.throttles.get(method_of(self.request))
        return [*super().get_throttles(), *([own()] if own else [])]

    def initial(self, request: Any, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        claimed = str(request.META.get("CONTENT_LENGTH", ""))
        if not claimed and "Transfer-Encoding" in request.headers:
            raise LengthRequired
        if claimed.isdecimal() and int(claimed) > self.max_body:
            raise BodyTooLarge(self.max_body)

    def handle_exception(self, exc: Exception) -> Any:
        return super().handle_exception(in_terms_of_rest(exc))

    def body(self, serializer: type[Body]) -> dict[str, Any]:
        """Return what the body says, as a serializer reads it.

        Raises:
            ValidationError: it is not of the form that the serializer takes, or the address says
                what the body is to say.
        """
        _refuse_misplaced(self.request.query_params, serializer)
        return shielded(lambda: _read(self.request.data, serializer))

    def query(self, serializer: type[Body]) -> dict[str, Any]:
        """Return what the query of the address says, as a serializer reads it.

        Raises:
            ValidationError: it is not of the form that the serializer takes.
        """
        words = self.request.query_params
        _refuse_repeats(words)
        # But for the framework's own, which chooses a form for the answer.
        framework = api_settings.URL_FORMAT_OVERRIDE
        return _read({name: words[name] for name in words if name != framework}, serializer)


def _read(body: Any, serializer: Any) -> dict[str, Any]:
    # Where there is no body at all, no parser has seen it.
    given = body.reveal() if isinstance(body, Opaque) else body
    if isinstance(given, QueryDict):
        _refuse_repeats(given)
    try:
        read: dict[str, Any] = shared(serializer).run_validation(given)
    except ValidationError as error:
        # What is about the body as a whole comes as a list.
        raise ValidationError(as_serializer_error(error)) from None
    return read


def _refuse_misplaced(words: QueryDict, serializer: Any) -> None:
    misplaced = [name for name in shared(serializer).fields if name in words]
    if misplaced:
        raise ValidationError({name: [_("Give it in the body.")] for name in misplaced})


def _refuse_repeats(words: QueryDict) -> None:
    repeated = [clean_text(name, QUOTED) for name in words if len(words.getlist(name)) > 1]
    if repeated:
        raise ValidationError({name: [_("Give it once.")] for name in repeated})
