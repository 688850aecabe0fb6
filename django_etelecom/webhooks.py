"""The URL that eTelecom posts delivery reports to.

The token in it is all that tells the provider from anybody else, so it is compared in constant time
and nothing here, nor Django's own log of requests, writes it down.
"""

import contextvars
import json
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt

from . import reports
from .client.status import MalformedReport, decipher_reports
from .conf import settings
from .transactions import non_atomic

T = TypeVar("T")

logger = logging.getLogger("django_etelecom")

MAX_BODY = 16 * 1024
"""Bytes."""

SENTRYS = ("isolation_scope", "current_scope")
"""The names of the variables by which `sentry-sdk` knows a request."""

SUCCESS = b'{"message": "success"}'

FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


# Under ATOMIC_REQUESTS the answer would be ready before the report is committed.
@non_atomic
@csrf_exempt
@login_not_required
def webhook(request: HttpRequest, token: str) -> HttpResponse:
    """Take one delivery report or a list of them; answer 200 once they are in the database."""
    try:
        response = _unobserved(lambda: _answer(request, token))
    # Whatever it is, Django's own report of it would show the URL.
    except Exception as error:  # noqa: BLE001
        failed = _without_own_frames(error)
        _unobserved(lambda: logger.error("A delivery report could not be kept.", exc_info=failed))
        response = _told(HTTPStatus.SERVICE_UNAVAILABLE, "try again later")
    # Django logs the path of what was refused, unless it takes it for logged.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


def _unobserved(work: Callable[[], T]) -> T:
    """Do work of which an error reporter does not know that it is this request's.

    Sentry would add the URL, and with it the token, to whatever is logged meanwhile.
    """
    context = contextvars.copy_context()
    for variable in context:
        if variable.name in SENTRYS:
            context.run(variable.set, None)
    return context.run(work)


def _without_own_frames(error: Exception) -> Exception:
    """Cut the frames of this file off, which hold the URL and the body as it came.

    An error reporter reads the variables of every frame; the body echoes one-time passwords.
    """
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename == __file__:
        traceback = traceback.tb_next
    return error.with_traceback(traceback)


def _answer(request: HttpRequest, token: str) -> HttpResponse:
    if not _is_one_of(token, settings.webhook_tokens.reveal()):
        return _told(HTTPStatus.NOT_FOUND, "not found")
    if request.method != "POST":
        response = _told(HTTPStatus.METHOD_NOT_ALLOWED, "reports are posted")
        response["Allow"] = "POST"
        return response
    if not _is_signed(request):
        return _told(HTTPStatus.UNAUTHORIZED, "the shared token is missing or wrong")
    if request.content_type in FORM_TYPES:
        return _told(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a report is JSON, not a form")
    try:
        body = _body(request)
    except OSError:
        # The sender hung up; Django's frames of the error hold the request.
        return _told(HTTPStatus.BAD_REQUEST, "the body broke off")
    if body is None:
        return _told(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a report has at most {MAX_BODY} bytes")
    try:
        told = decipher_reports(body)
    except MalformedReport as error:
        logger.warning("A delivery report could not be understood: %s", error)
        return _told(HTTPStatus.BAD_REQUEST, str(error))
    kept = [reports.keep(report) for report in told]
    if not all(kept):
        response = _told(HTTPStatus.SERVICE_UNAVAILABLE, "try again later")
        response["Retry-After"] = "60"
        return response
    return HttpResponse(SUCCESS, content_type="application/json")


def _told(status: HTTPStatus, message: str) -> HttpResponse:
    return HttpResponse(
        json.dumps({"message": message}), status=status, content_type="application/json"
    )


def _is_one_of(given: str, tokens: tuple[str, ...]) -> bool:
    # Every one is compared, so that the time does not tell which it was.
    matches = [constant_time_compare(given, token) for token in tokens]
    return any(matches)


def _is_signed(request: HttpRequest) -> bool:
    """Tell whether the report carries a shared token, where any account has one."""
    secrets = settings.webhook_secrets.reveal()
    if not secrets:
        return True
    headers = request.headers
    authorization = headers.get("Authorization", "").removeprefix("Basic ").strip()
    return _is_one_of(headers.get("ICOMNI-Signature", ""), secrets) or _is_one_of(
        authorization, secrets
    )


def _body(request: HttpRequest) -> bytes | None:
    """Return the body, or None where it is too large, whatever its length is said to be."""
    # Told by its first bytes where the length is a lie, or none at all.
    claimed = str(request.META.get("CONTENT_LENGTH", ""))
    if claimed.isdecimal() and int(claimed) > MAX_BODY:
        return None
    stream = request
    if not claimed and request.META.get("wsgi.input_terminated"):
        # It came in chunks. Django reads nothing of such a body, even where the server ends it.
        stream = request.META["wsgi.input"]
    body: bytes = stream.read(MAX_BODY + 1)
    return body if len(body) <= MAX_BODY else None
