"""Cancelling from the admin a message that still waits to be sent."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import MessageLog
from ..models.messages import Status
from ..services import cancel_message
from .log import recorded


def cancel_one(request: HttpRequest, model_admin: Any, message: MessageLog) -> None:
    """Cancel a message, record who did it, and tell; tell also where a worker was quicker."""
    was_over = message.status in (Status.CANCELLED, Status.NOT_SENT)
    cancel_message(message)
    if was_over or message.status == Status.NOT_SENT:
        status = {"status": message.get_status_display()}
        messages.info(request, _("The message is %(status)s; nothing was changed.") % status)
    elif message.status == Status.CANCELLED:
        model_admin.log_change(request, message, recorded(gettext_lazy("Cancelled.")))
        messages.success(request, _("The message was cancelled: it will not be sent."))
    else:
        messages.warning(request, _("It was being sent already; it could not be cancelled."))
