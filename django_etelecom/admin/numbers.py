"""Whole phone numbers: who may see them, and the record of who did."""

from __future__ import annotations

from typing import Any, cast

from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.http import HttpRequest
from django.utils.translation import gettext, gettext_lazy

from .. import phone
from ..models import MessageLog
from ..models.numbers import ListedNumber
from .log import recorded

SAW_NUMBER = gettext_lazy("Saw the number.")
"""For the admin's log."""


def sees_numbers(request: HttpRequest) -> bool:
    """Whether this person may see whole numbers; others see them masked."""
    return request.user.has_perm("etelecom.view_recipient")


def shown_number(row: MessageLog | ListedNumber, *, whole: bool) -> str:
    """Return the recipient of a message, or a listed number, as a page shows it."""
    if not row.recipient:
        return gettext("erased")
    return phone.display(row.recipient) if whole else phone.mask(row.recipient)


def covered(message: Any, text: str) -> str:
    """Return a text beside a message as its `cover` lets it be seen, such as its sender's name."""
    return message.cover.text(text) if message.cover else text


def record_sight(
    request: HttpRequest,
    what: str,
    row: MessageLog | ListedNumber | None = None,
    *,
    of: type[MessageLog | ListedNumber] = MessageLog,
) -> None:
    """Write into the admin's log that this person saw a whole number, or looked for one.

    Args:
        request: whose user it was.
        what: a sentence without the number, such as `recorded(SAW_NUMBER)`.
        row: whose number; None: of several.
        of: what those are.
    """
    _record(request, what, row, of, CHANGE)


def record_import(request: HttpRequest, of: type[ListedNumber], what: str) -> None:
    """Write into the admin's log that this person put several numbers on a list."""
    _record(request, what, None, of, ADDITION)


def _record(request: HttpRequest, what: str, row: Any, of: type[Any], action: int) -> None:
    # Whoever sees a page of the admin is logged in.
    LogEntry.objects.create(
        user_id=cast(int, request.user.pk),
        content_type=ContentType.objects.get_for_model(row or of, for_concrete_model=False),
        object_id=str(row.pk) if row else None,
        object_repr=str(row)[:200] if row else recorded(of._meta.verbose_name_plural),
        action_flag=action,
        change_message=what,
    )
