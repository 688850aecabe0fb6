"""Reading the body of a request: JSON of a bounded size, out of an error reporter's sight."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import (
    APIException,
    MethodNotAllowed,
    ParseError,
    PermissionDenied,
)
from rest_framework.parsers import BaseParser

from ..client.opaque import Opaque, shielded
from ..client.wire import RepeatedKey, unique
from .permissions import method_of


class BodyTooLarge(APIException):
    """The body of a request has more bytes than the view takes."""

    status_code = 413
    default_code = "too_large"

    def __init__(self, most: int, *, hint: str = "") -> None:
        sentence = _("The body of this request has at most %(most)d bytes.") % {"most": most}
        super().__init__(f"{sentence} {hint}".strip())


class LengthRequired(APIException):
    """A body comes in chunks: Django reads nothing of it, and it would pass for none at all."""

    status_code = 411
    default_code = "length_required"
    default_detail = gettext_lazy("Say how long the body of this request is (Content-Length).")


def refuse_strangers(parser_context: Any) -> None:
    """Refuse to read a body for somebody who may not do what it is for.

    Of whoever is logged in by a cookie Django looks for a token in the body, which is before the
    view has asked for rights.

    Raises:
        MethodNotAllowed, PermissionDenied: as the view would do later.
    """
    view, request = parser_context["view"], parser_context["request"]._request
    if method_of(request) not in view.rights:
        raise MethodNotAllowed(request.method)
    if not all(one.has_permission(request, view) for one in view.get_permissions()):
        raise PermissionDenied


class BoundedJSONParser(BaseParser):
    """Reads JSON in UTF-8, at most as many bytes of it as the view's `max_body` says.

    What it returns is opaque, since a body may carry a one-time password: `request.data` shows
    nothing to a reporter of errors, which looks for it there and in the variables of each frame.
    """

    media_type = "application/json"

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Any = None
    ) -> Opaque[Any]:
        refuse_strangers(parser_context)
        most = parser_context["view"].max_body
        return shielded(lambda: Opaque(_decoded(_read(stream, most))))


def _read(stream: Any, most: int) -> bytes:
    try:
        body: bytes = stream.read(most + 1)
    except OSError:
        raise ParseError(_("The body of this request broke off.")) from None
    if len(body) > most:
        raise BodyTooLarge(most)
    return body


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant, object_pairs_hook=unique)
    except UnicodeDecodeError:
        sentence = _("The body of this request is not UTF-8.")
    except json.JSONDecodeError as error:
        sentence = _("The body of this request is not JSON: see line %(line)d, character %(at)d.")
        sentence %= {"line": error.lineno, "at": error.colno}
    except RecursionError:
        sentence = _("The body of this request is nested too deep.")
    except RepeatedKey:
        sentence = _("The body of this request has a name twice in one object.")
    except ValueError:
        # Of more digits than Python reads.
        sentence = _("The body of this request has a number that is too long.")
    raise ParseError(sentence)


def _refuse_constant(constant: str) -> NoReturn:
    raise ParseError(
        _("The body of this request is not JSON, which has no %(constant)s.")
        % {"constant": constant}
    )
