"""Accounts that are paused, and the button that lets their messages go again."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
)
from django.urls import path
from django.utils.html import format_html_join
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import spending
from ..conf import settings
from ..models import AccountState, MessageLog
from ..services import resume_account
from .guarded import spending_in_words
from .log import recorded
from .lookups import AskableLists, list_url, page_url


def paused_accounts(request: HttpRequest, site: admin.AdminSite) -> list[tuple[AccountState, str]]:
    """Return the paused accounts, each with the URL that resumes it; "": this person cannot."""
    may_resume = request.user.has_perm("etelecom.change_accountstate")
    return [
        (state, page_url(site, AccountState, "resume", state.pk) if may_resume else "")
        for state in AccountState.objects.exclude(paused_at=None)
    ]


@admin.register(AccountState)
class AccountStateAdmin(AskableLists):
    """Who may change an account may resume it; nothing else of it is changed by hand."""

    list_display = ["alias", "works", "pause_reason", "paused_at", "spent"]
    sortable_by = ()
    readonly_fields = ["alias", "works", "pause_reason", "paused_at", "unknown_in_a_row", "spent"]
    fields = ("alias", "works", "pause_reason", "paused_at", "unknown_in_a_row", "spent")

    class Media:
        css = {"all": ["etelecom/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("etelecom.view_accountstate") or request.user.has_perm(
            "etelecom.change_accountstate"
        )

    def get_urls(self) -> list[Any]:
        resume = self.admin_site.admin_view(self.resume_view)
        return [
            path("<int:pk>/resume/", resume, name="etelecom_accountstate_resume"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        told = {"paused_accounts": paused_accounts(request, self.admin_site)}
        return super().changelist_view(request, {**told, **(extra_context or {})})

    def resume_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Resume an account and go back to where its banner was."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm("etelecom.change_accountstate"):
            raise PermissionDenied
        state = AccountState.objects.filter(pk=pk).first()
        if state is None:
            raise Http404
        told = {"account": state}
        if resume_account(state.alias):
            self.log_change(request, state, recorded(gettext_lazy("Resumed.")))
            messages.success(request, _("Account “%(account)s” goes on.") % told)
        else:
            messages.info(request, _("Account “%(account)s” was not paused any more.") % told)
        return HttpResponseRedirect(self._page_with_the_banner(request))

    def _page_with_the_banner(self, request: HttpRequest) -> str:
        came_from = request.POST.get("next", "")
        if url_has_allowed_host_and_scheme(came_from, request.get_host(), request.is_secure()):
            return came_from
        messages_url = list_url(self.admin_site, request, MessageLog)
        return messages_url or page_url(self.admin_site, AccountState, "changelist")

    @admin.display(description=gettext_lazy("works"), boolean=True)
    def works(self, state: AccountState) -> bool:
        return not state.is_paused

    @admin.display(description=gettext_lazy("paid messages"))
    def spent(self, state: AccountState) -> SafeString | str:
        """What it has spent of its caps."""
        try:
            spendings = spending.spendings(settings.account(state.alias))
        except ImproperlyConfigured:
            return ""  # The dashboard says why it cannot work.
        told = ((spending_in_words(one),) for one in spendings)
        return format_html_join(SafeString("<br>"), "{}", told) or _("No cap")
