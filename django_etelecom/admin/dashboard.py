"""The dashboard: how many messages went out and arrived, and what needs a person."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ..attention import Concern, Matter, Situation, capped, concerns, look
from ..conf import Account, settings
from ..models import AccountState, Dashboard, MessageLog
from ..models.messages import Status
from ..numerals import grouped
from ..summary import summarize
from .charts import swatch
from .figures import COLUMNS, not_gone, numbers, parts, sections
from .guarded import spending_in_words
from .lookups import list_url

PERIODS = (1, 7, 30)
"""Days."""

USUAL_PERIOD = 7

BACKENDS = {
    "django_etelecom.backends.http.HTTPBackend": gettext_lazy("Sends to %(host)s."),
    "django_etelecom.backends.bulk.BulkBackend": gettext_lazy(
        "Sends to %(host)s, hundreds at a time."
    ),
    "django_etelecom.backends.console.ConsoleBackend": gettext_lazy(
        "Prints messages and sends nothing."
    ),
    "django_etelecom.backends.locmem.LocMemBackend": gettext_lazy(
        "Keeps messages in memory and sends nothing."
    ),
}

STATUS_OF = {
    Matter.UNKNOWN: Status.UNKNOWN,
    Matter.LAPSED: Status.SENDING,
    Matter.WAITING: Status.QUEUED,
    Matter.SILENT: Status.ACCEPTED,
    Matter.INBOX: Status.ACCEPTED,
}
"""Of the messages that a concern is about."""


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    """A way to another page."""

    address: str
    """Empty where this person may not go there."""
    label: str


@dataclasses.dataclass(frozen=True, slots=True)
class ShownAccount:
    """An account as the dashboard tells of it."""

    alias: str
    does: str
    """Where its messages go."""
    state: AccountState | None
    """While it is paused."""
    fault: str = ""
    """Why it cannot work."""
    spendings: Sequence[str] = ()
    """What it has spent of its caps, in words."""


@admin.register(Dashboard)
class DashboardAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable
    """One page, and no others: whoever may see messages may see it."""

    class Media:
        css = {"all": ["etelecom/admin.css", "etelecom/dashboard.css"]}

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("etelecom.view_messagelog")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.changelist_view)
        return [
            path("", view, name="etelecom_dashboard"),
            # By which the admin's index links to it.
            path("", view, name="etelecom_dashboard_changelist"),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the figures of some days, and how things stand now."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET", "HEAD"])
        request.current_app = self.admin_site.name
        days = _period(request)
        summary = summarize(days)
        situation = look()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Dashboard"),
            "opts": self.opts,
            # What the admin's page of a list asks for its breadcrumbs.
            "cl": {"opts": self.opts},
            # Without it that page has a style of its own inline.
            "actions_on_top": True,
            "media": self.media,
            "concerns": [
                (concern, self._link_of(request, concern)) for concern in concerns(situation)
            ],
            "periods": [(one, _days_in_words(one), one == days) for one in PERIODS],
            "summary": summary,
            "numbers": numbers(summary),
            "not_gone": not_gone(summary.total),
            "sections": sections(summary),
            "columns": COLUMNS,
            "legend": [(swatch(part), part.label) for part in parts()],
            "accounts": _accounts(situation),
            "has_caps": bool(situation.spendings),
            "accounts_url": list_url(self.admin_site, request, AccountState),
            "queue": [
                (status.label, capped(number), self._messages_url(request, status))
                for status, number in [
                    (Status.QUEUED, situation.queued),
                    (Status.SENDING, situation.sending),
                ]
            ],
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/etelecom/dashboard/dashboard.html", context)

    def _link_of(self, request: HttpRequest, concern: Concern) -> Link:
        if concern.matter in (Matter.PAUSED, Matter.SPENT):
            return Link(list_url(self.admin_site, request, AccountState), _("See the accounts"))
        status = STATUS_OF[concern.matter]
        return Link(
            self._messages_url(request, status),
            _("See the messages that are “%(status)s”") % {"status": status.label},
        )

    def _messages_url(self, request: HttpRequest, status: Status) -> str:
        address = list_url(self.admin_site, request, MessageLog)
        return address and f"{address}?{urlencode({'status__exact': status.value})}"


def _period(request: HttpRequest) -> int:
    asked = request.GET.get("days", "")
    return next((days for days in PERIODS if str(days) == asked), USUAL_PERIOD)


def _days_in_words(days: int) -> str:
    if days == 1:
        return _("Today")
    return ngettext("%(count)s day", "%(count)s days", days) % {"count": grouped(days)}


def _accounts(situation: Situation) -> list[ShownAccount]:
    paused = {state.alias: state for state in situation.paused}
    spendings: dict[str, list[str]] = {}
    for alias, spent in situation.spendings:
        spendings.setdefault(alias, []).append(spending_in_words(spent))
    shown = []
    for alias in settings.account_aliases:
        try:
            does, fault = _does(settings.account(alias)), ""
        except ImproperlyConfigured as error:
            does, fault = "", str(error)
        told = spendings.get(alias, [])
        shown.append(ShownAccount(alias, does, paused.get(alias), fault, told))
    return shown


def _does(account: Account) -> str:
    words = BACKENDS.get(account.backend)
    if words is None:
        return account.backend
    return str(words) % {"host": urlsplit(account.base_url).hostname}
