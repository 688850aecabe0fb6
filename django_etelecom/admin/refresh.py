"""Asking the provider from the admin what became of messages."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from .. import reports
from ..exceptions import InvalidMessage
from ..models import MessageEvent, MessageLog
from ..services import refresh_status
from .forms import unusable_settings

MOST = 100
"""Messages that one request asks about at most."""

PATIENCE = 20.0
"""Seconds after which one request asks about no further message."""


def refresh_one(request: HttpRequest, message: MessageLog) -> None:
    """Ask what became of a message and tell what the provider says."""
    before = message.status
    try:
        refresh_status(message)
    except InvalidMessage as error:
        messages.error(request, " ".join(error.messages))
        return
    except ImproperlyConfigured as error:
        messages.error(request, unusable_settings(error))
        return
    # A replica may not have it yet.
    events = MessageEvent.objects.using(MessageLog.database())
    answer = events.filter(message=message).last()
    if answer is None or not answer.status:
        messages.warning(request, _("The provider gave no answer that says what became of it."))
    elif message.status == before:
        messages.info(request, _("The provider says nothing new of it."))
    else:
        status = message.get_status_display()
        messages.success(request, _("The message is %(status)s now.") % {"status": status})


def refresh_many(request: HttpRequest, queryset: QuerySet[MessageLog]) -> None:
    """Ask about each message of a selection and tell how many were asked about."""
    selected = list(queryset.order_by("pk")[: MOST + 1])
    if len(selected) > MOST:
        sentence = _("Choose at most %(most)d messages; nothing was asked.")
        messages.error(request, sentence % {"most": MOST})
        return
    asked = reports.refresh_many(selected, patience=PATIENCE)
    if asked:
        sentence = ngettext(
            "The provider was asked about %(count)d message.",
            "The provider was asked about %(count)d messages.",
            asked,
        )
        messages.success(request, sentence % {"count": asked})
    if asked < len(selected):
        messages.warning(
            request,
            _("The others have no id to ask by, their account cannot be used, or time ran out."),
        )
