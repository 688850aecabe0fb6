"""Campaigns: how far each is, and the buttons that pause it, let it go on, cancel it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db.models import Sum
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    JsonResponse,
)
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ..models import Campaign, CampaignTally, MessageLog
from ..models.messages import Status
from ..models.routes import channel_names
from ..numerals import grouped
from ..transactions import non_atomic
from . import uploads
from .accounts import paused_accounts
from .faulty_rows import faults_context, faulty_rows_response
from .forms import unusable_settings
from .log import recorded
from .lookups import AskableLists, page_url
from .moves import MOVES, RETRIED, make_move, may_send, retry
from .progress import NOTES, UNDER_WAY, is_over, told
from .rendering import status_badge

View = Callable[..., HttpResponseBase]

READ = ("GET", "HEAD")
"""Methods that look and change nothing."""


class CampaignList(ChangeList):
    """A page of campaigns, each with the number of its messages that are done."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        # One question for all that are shown; no message is counted.
        shown = {campaign.pk: campaign for campaign in self.result_list}
        tallies = CampaignTally.objects.filter(campaign__in=shown).order_by()
        ended = dict(tallies.values_list("campaign").annotate(Sum("number")))
        for pk, campaign in shown.items():
            campaign.ended = ended.get(pk, 0)


@admin.register(Campaign)
class CampaignAdmin(AskableLists):
    """Nothing of a campaign is added, changed or deleted as a form; it moves by its buttons."""

    list_display = [
        "__str__",
        "template_code",
        "status_in_words",
        "messages_in_words",
        "ended_in_words",
        "faulty_in_words",
        "created_at",
        "sent_by",
    ]
    list_filter = ["status", "template"]
    list_select_related = ["sent_by"]
    sortable_by = ()
    show_facets = admin.ShowFacets.NEVER

    class Media:
        css = {"all": ["etelecom/admin.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("etelecom.view_campaign") or may_send(request)

    def get_urls(self) -> list[Any]:
        # Before the admin's own, which take whatever follows `campaign/` for an object's id.
        return [
            path("upload/", uploads.upload_view(self), name="etelecom_campaign_upload"),
            self._path("progress", self.progress_view, *READ, may=self.has_view_permission),
            self._path("faulty-rows", self.faulty_rows_view, *READ),
            self._path("columns", self.columns_view, "POST"),
            self._path("start", self.start_view, "POST"),
            self._path("pause", self.pause_view, "POST"),
            self._path("resume", self.resume_view, "POST"),
            self._path("retry", self.retry_view, "POST"),
            self._path("cancel", self.cancel_view, *READ, "POST"),
            *super().get_urls(),
        ]

    def _path(
        self,
        name: str,
        view: View,
        *methods: str,
        may: Callable[[HttpRequest], bool] | None = None,
    ) -> Any:
        """Return the path of a view of one campaign.

        Args:
            name: the last part of its address.
            view: takes the request and the campaign.
            methods: that it knows.
            may: whether a person may; by default who may send campaigns.
        """

        def guarded(request: HttpRequest, pk: int) -> HttpResponseBase:
            if not (may or may_send)(request):
                raise PermissionDenied
            if request.method not in methods:
                return HttpResponseNotAllowed(methods)
            return view(request, self.campaign(pk))

        # What moves a campaign commits by the batch.
        return path(
            f"<int:pk>/{name}/",
            non_atomic(self.admin_site.admin_view(guarded)),
            name=f"etelecom_campaign_{name.replace('-', '_')}",
        )

    def campaign(self, pk: int | str) -> Campaign:
        """Return the campaign of this key, as the database has it that is written to.

        Raises:
            Http404: there is none.
        """
        campaigns = Campaign.objects.using(Campaign.database())
        try:
            return campaigns.select_related("template", "sent_by").get(pk=pk)
        except (Campaign.DoesNotExist, ValueError):
            raise Http404(_("There is no such campaign.")) from None

    # --- The list ---------------------------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return CampaignList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        shown = {"paused_accounts": paused_accounts(request, self.admin_site)}
        return super().changelist_view(request, {**shown, **(extra_context or {})})

    @admin.display(description=gettext_lazy("status"))
    def status_in_words(self, campaign: Campaign) -> SafeString:
        return status_badge(campaign)

    @admin.display(description=gettext_lazy("messages"))
    def messages_in_words(self, campaign: Campaign) -> str:
        return grouped(campaign.queued_rows)

    @admin.display(description=gettext_lazy("done"))
    def ended_in_words(self, campaign: Any) -> str:
        return grouped(campaign.ended)

    @admin.display(description=gettext_lazy("faulty rows"))
    def faulty_in_words(self, campaign: Campaign) -> str:
        return grouped(campaign.faulty_rows)

    # --- A campaign's page ------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show how far a campaign is, or the step of an upload that it waits at."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if request.method not in READ:
            return HttpResponseNotAllowed(READ)
        campaign = self.campaign(object_id)
        if campaign.status == Campaign.Status.CHECKING:
            return uploads.check_page(self, request, campaign)
        if campaign.status == Campaign.Status.MATCHING and may_send(request):
            return uploads.columns_page(self, request, campaign)
        return self._progress_page(request, campaign)

    def _progress_page(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        now = told(campaign)
        moves = [name for name, move in MOVES.items() if campaign.status in move.before]
        return self.page(
            request,
            campaign,
            "progress",
            str(campaign),
            progress=now,
            lines=self._lines(request, campaign, now["counts"]),
            moves=moves if may_send(request) else [],
            is_retried=may_send(request)
            and campaign.status in RETRIED
            and not campaign.has_secrets,
            has_not_sent=Status.NOT_SENT in now["counts"],
            **self.facts(request, campaign),
            **faults_context(request, campaign),
        )

    def facts(self, request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
        """Return what several pages say of a campaign."""
        return {
            "may_send": may_send(request),
            "channels": channel_names(campaign.channels),
            "paused_accounts": [
                (state, resume_url)
                for state, resume_url in paused_accounts(request, self.admin_site)
                if state.alias == campaign.account and not is_over(campaign)
            ],
        }

    def _lines(
        self, request: HttpRequest, campaign: Campaign, counts: dict[str, str]
    ) -> list[dict[str, Any]]:
        """Return the lines of the table of statuses; those of no message are hidden."""
        sees_messages = request.user.has_perm("etelecom.view_messagelog")
        return [
            {
                "status": line,
                "name": _("under way") if line == UNDER_WAY else Status(line).label,
                "count": counts.get(line, ""),
                "note": note,
                "url": self._messages_url(campaign, line) if sees_messages else None,
            }
            for line, note in NOTES.items()
        ]

    def _messages_url(self, campaign: Campaign, line: str) -> str:
        wanted: dict[str, str] = (
            {"status__in": f"{Status.QUEUED},{Status.SENDING}"}
            if line == UNDER_WAY
            else {"status__exact": line}
        )
        listed = page_url(self.admin_site, MessageLog, "changelist")
        query = urlencode({"campaign__id__exact": str(campaign.pk), **wanted})
        return listed and f"{listed}?{query}"

    def progress_view(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        """Tell the campaign's page how far it is by now."""
        return JsonResponse(told(campaign))

    def faulty_rows_view(self, request: HttpRequest, campaign: Campaign) -> HttpResponseBase:
        try:
            response = faulty_rows_response(campaign)
        except ImproperlyConfigured as error:
            messages.error(request, unusable_settings(error))
            return self.to_page_of(campaign)
        # Whole for whoever mends them, who need not be the one that uploaded them.
        exported = gettext_lazy("Exported the faulty rows, numbers whole.")
        self.log_change(request, campaign, recorded(exported))
        return response

    # --- Its buttons ------------------------------------------------------------------------------

    def pause_view(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        make_move(request, self, campaign, "pause")
        return self.to_page_of(campaign)

    def resume_view(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        make_move(request, self, campaign, "resume")
        return self.to_page_of(campaign)

    def columns_view(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        return uploads.columns_view(self, request, campaign)

    def start_view(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        return uploads.start_view(self, request, campaign)

    def retry_view(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        retry(request, self, campaign)
        return self.to_page_of(campaign)

    def cancel_view(self, request: HttpRequest, campaign: Campaign) -> HttpResponse:
        """Ask whether the campaign is to be cancelled; by POST, cancel it."""
        if request.method == "POST":
            make_move(request, self, campaign, "cancel")
            return self.to_page_of(campaign)
        was_started = campaign.started_at is not None
        return self.page(
            request,
            campaign,
            "cancel",
            _("Cancel the campaign?") if was_started else _("Discard the campaign?"),
            progress=told(campaign),
            was_started=was_started,
            can_be_cancelled=campaign.status in MOVES["cancel"].before,
        )

    def to_page_of(self, campaign: Campaign) -> HttpResponseRedirect:
        return HttpResponseRedirect(self.url("change", campaign.pk))

    def url(self, name: str, *args: Any) -> str:
        """Return the address of one of the pages of campaigns."""
        site = self.admin_site.name
        return reverse(f"admin:etelecom_campaign_{name}", args=args, current_app=site)

    def page(
        self, request: HttpRequest, campaign: Campaign | None, name: str, title: str, **context: Any
    ) -> HttpResponse:
        """Return one of the pages of campaigns, `templates/admin/etelecom/campaign/<name>.html`."""
        request.current_app = self.admin_site.name
        return TemplateResponse(
            request,
            f"admin/etelecom/campaign/{name}.html",
            {
                **self.admin_site.each_context(request),
                "title": title,
                # The admin's own page of a form shows it as the last of the breadcrumbs.
                "original": campaign or title,
                "campaign": campaign,
                "opts": self.opts,
                "media": self.media,
                "has_view_permission": self.has_view_permission(request),
                **context,
            },
        )
