"""The messages of a list as CSV: all that it is asked for, however many."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import (
    HttpRequest,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..covers import cover_messages
from ..explanation import network_name
from ..finding.key_walk import KeyWalk
from ..models import MessageLog
from ..models.messages import Reason, Status
from ..sheets import write_csv
from ..transactions import non_atomic
from .asked import described, read_address
from .log import recorded
from .message_list import WIDE
from .numbers import covered, record_sight, sees_numbers, shown_number

CHUNK = 1000
"""Messages that are read at once."""

EXPORTED_WHOLE = gettext_lazy("Exported as CSV, numbers whole: %(which)s.")
EXPORTED_MASKED = gettext_lazy("Exported as CSV, numbers masked: %(which)s.")
"""For the admin's log."""

Column = Callable[[MessageLog], str]


class StreamedOverASGIToo(StreamingHttpResponse):
    """Gives its pieces as they come, where Django would first collect all of them."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = iter(self)
        following = sync_to_async(lambda: next(pieces, None))
        while (piece := await following()) is not None:
            yield piece


def may_export(request: HttpRequest) -> bool:
    """Whether this person may export what the list shows them."""
    return request.user.has_perms(["etelecom.view_messagelog", "etelecom.export_messages"])


def export_view(model_admin: admin.ModelAdmin[Any]) -> Callable[..., Any]:
    """Return the view of `messagelog/export/`, which takes the address of the list."""

    def view(request: HttpRequest) -> HttpResponseBase:
        if not may_export(request):
            raise PermissionDenied
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        address = request.GET.dict()
        asked = read_address(address)
        if asked.faults:
            # There they are told.
            listed = reverse(
                "admin:etelecom_messagelog_changelist", current_app=model_admin.admin_site.name
            )
            return HttpResponseRedirect(f"{listed}?{request.GET.urlencode()}")
        whole = sees_numbers(request)
        exported = EXPORTED_WHOLE if whole else EXPORTED_MASKED
        record_sight(request, recorded(exported, which=described(address, asked)))
        walk = KeyWalk(_with_relations(model_admin.get_queryset(request)), asked)
        columns = _columns()
        return StreamedOverASGIToo(
            write_csv(_lines(walk, columns, whole=whole), list(columns)),
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": (
                    f'attachment; filename="messages-{timezone.localdate()}.csv"'
                )
            },
        )

    wrapped: Callable[..., Any] = non_atomic(model_admin.admin_site.admin_view(view))
    return wrapped


def _with_relations(messages: QuerySet[MessageLog]) -> QuerySet[MessageLog]:
    return messages.select_related("campaign", "sent_by").defer(*WIDE)


def _columns() -> dict[str, Column]:
    """Return what each column says of a message that is covered, by its heading.

    In the language and time zone of the request: once the file is under way it is over.
    """
    zone = timezone.get_current_timezone()
    statuses = {value: str(label) for value, label in Status.choices}
    reasons = {value: str(label) for value, label in Reason.choices}

    def moment(instant: datetime | None) -> str:
        return f"{instant.astimezone(zone):%Y-%m-%d %H:%M:%S}" if instant else ""

    def dated(heading: str) -> str:
        return f"{heading} ({zone})"

    return {
        _("Public id"): lambda message: str(message.public_id),
        dated(_("Created at")): lambda message: moment(message.created_at),
        dated(_("Sent at")): lambda message: moment(message.sent_at),
        dated(_("Updated at")): lambda message: moment(message.updated_at),
        _("Template"): lambda message: message.template_code,
        _("Recipient"): lambda message: shown_number(message, whole=True),
        _("Status"): lambda message: statuses.get(message.status, message.status),
        _("Reason"): lambda message: reasons.get(message.reason, message.reason),
        _("Channel"): lambda message: message.channel,
        _("Error code"): lambda message: message.error_code,
        _("Network"): lambda message: network_name(message.network),
        _("Paid messages"): lambda message: _number(message.paid_messages),
        _("Provider's id"): lambda message: message.provider_message_id,
        _("Campaign"): lambda message: covered(message, str(message.campaign or "")),
        _("Sent by"): lambda message: covered(message, str(message.sent_by or "")),
    }


def _number(number: int | None) -> str:
    return "" if number is None else str(number)


def _lines(walk: KeyWalk, columns: dict[str, Column], *, whole: bool) -> Iterator[dict[str, str]]:
    for message in _walked(walk, whole=whole):
        yield {heading: told(message) for heading, told in columns.items()}


def _walked(walk: KeyWalk, *, whole: bool) -> Iterator[MessageLog]:
    """Read by the chunk, newest first, numbers masked but where they are to be whole.

    A cursor of the database's would hold a transaction open for as long as a slow connection
    takes the file, and some databases would hand over their whole answer at once.
    """
    before: int | None = None
    while True:
        stretch = walk.older(before, CHUNK)
        cover_messages(stretch.messages, whole=whole)
        yield from stretch.messages
        if stretch.goes_on is None:
            return
        before = stretch.goes_on
