"""Whole phone numbers: who may see them, and the record of who did."""

from __future__ import annotations

from typing import cast

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest
from django.utils.translation import gettext, gettext_lazy

from .. import phone
from ..models import MessageLog
from .log import recorded

SAW_NUMBER = gettext_lazy("Saw the number.")
"""For the admin's log."""


def sees_numbers(request: HttpRequest) -> bool:
    """Whether this person may see whole numbers; others see them masked."""
    return request.user.has_perm("etelecom.view_recipient")


def shown_number(message: MessageLog, *, whole: bool) -> str:
    """Return a message's recipient as a page shows it."""
    if message.is_stripped:
        return gettext("erased")
    return phone.display(message.recipient) if whole else phone.mask(message.recipient)


def record_sight(request: HttpRequest, what: str, message: MessageLog | None = None) -> None:
    """Write into the admin's log that this person saw a whole number, or looked for one.

    Args:
        request: whose user it was.
        what: a sentence without the number, such as `recorded(SAW_NUMBER)`.
        message: whose number; None: of several.
    """
    # Whoever sees a page of the admin is logged in.
    LogEntry.objects.create(
        user_id=cast(int, request.user.pk),
        content_type=ContentType.objects.get_for_model(MessageLog, for_concrete_model=False),
        object_id=str(message.pk) if message else None,
        object_repr=str(message) if message else recorded(MessageLog._meta.verbose_name_plural),
        action_flag=CHANGE,
        change_message=what,
    )
