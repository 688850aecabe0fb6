"""What the errors of our services become in an answer.

Each becomes an error of the REST framework, so that the site's own `EXCEPTION_HANDLER` gives it the
form that the faults of its other views have.
"""

from __future__ import annotations

import logging
import math

from django.core.exceptions import ImproperlyConfigured
from django.db.transaction import TransactionManagementError
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import APIException, ErrorDetail, ValidationError

from ..exceptions import IdempotencyConflict, InvalidMessage, SendBlocked

logger = logging.getLogger("django_etelecom")


class Blocked(APIException):
    """A guard stopped the message. `wait` becomes the header `Retry-After`."""

    status_code = 429

    def __init__(self, error: SendBlocked) -> None:
        self.wait = None if error.retry_after is None else math.ceil(error.retry_after)
        self.detail = {
            "detail": ErrorDetail(str(error), error.reason),
            "reason": ErrorDetail(error.reason, error.reason),
        }


class Conflict(APIException):
    """What is asked for does not go with what was asked for before."""

    status_code = 409
    default_detail = _("This does not go with an earlier request.")
    default_code = "conflict"


class Unusable(APIException):
    """The site is not set up for this; how it is set up is not for the client to know."""

    status_code = 503
    default_detail = _("This site is not set up to do this; its log says why.")
    default_code = "unusable"


def in_terms_of_rest(error: Exception) -> Exception:
    """Return the REST framework's error for one of ours; any other as it is."""
    match error:
        case InvalidMessage():
            invalid: Exception = ValidationError(error.message_dict)
            return invalid
        case SendBlocked():
            return Blocked(error)
        case IdempotencyConflict():
            return Conflict(str(error))
        # The latter where a middleware of the site's holds a transaction open around the view.
        case ImproperlyConfigured() | TransactionManagementError():
            logger.error("The API cannot be used as the site is set up: %s", error)
            return Unusable()
    return error
