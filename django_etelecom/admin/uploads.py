"""A campaign from a sheet: upload it, match its columns, check what would go, start it.

A campaign's own page shows the step that it waits at, so that every step can be left and found
again, by a colleague as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy
from django.views.decorators.csrf import csrf_exempt

from ..covers import Cover
from ..exceptions import InvalidMessage
from ..models import Campaign
from ..numerals import grouped
from ..sealing import SealBroken
from ..services import check_campaign, load_parts
from ..transactions import non_atomic
from .faulty_rows import faults_context
from .forms import admin_form, unusable_settings
from .guarded import foresight_context
from .log import recorded
from .moves import make_move, may_send
from .numbers import sees_numbers, shown_number
from .upload_forms import (
    ColumnsForm,
    ConfirmForm,
    UploadForm,
    bound_uploads,
    needs_number,
    was_too_large,
)

if TYPE_CHECKING:
    from .campaigns import CampaignAdmin, View

PATIENCE = 3.0
"""Seconds that a request loads rows; what is left then is the worker's."""


def upload_view(model_admin: CampaignAdmin) -> View:
    """Return the view of `campaign/upload/`, open to who may send campaigns."""

    def view(request: HttpRequest) -> HttpResponse:
        if not may_send(request):
            raise PermissionDenied
        match request.method:
            case "GET" | "HEAD":
                chosen = {"template": request.GET.get("template", "")}
                return _upload_page(model_admin, request, UploadForm(initial=chosen))
            case "POST":
                return _upload(model_admin, request)
        return HttpResponseNotAllowed(["GET", "HEAD", "POST"])

    # It checks the token itself, as the middleware would have done.
    checked = model_admin.admin_site.admin_view(view)

    def bounded(request: HttpRequest) -> Any:
        # Before anything reads the body: the middleware looks for the token in there.
        bound_uploads(request)
        return checked(request)

    return non_atomic(csrf_exempt(bounded))


def _upload(model_admin: CampaignAdmin, request: HttpRequest) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES, is_too_large=was_too_large(request))
    campaign = form.begin(request.user) if form.is_valid() else None
    if campaign is None:
        return _upload_page(model_admin, request, form)
    model_admin.log_addition(request, campaign, recorded(gettext_lazy("Uploaded.")))
    return _load(model_admin, request, campaign)


def _upload_page(
    model_admin: CampaignAdmin, request: HttpRequest, form: UploadForm
) -> HttpResponse:
    fields = ["template", "file", "name", "route", "send_at"]
    return model_admin.page(
        request,
        None,
        "upload",
        _("Upload a campaign"),
        adminform=admin_form(form, [(None, {"fields": fields})]),
        errors=form.errors,
    )


def _load(
    model_admin: CampaignAdmin, request: HttpRequest, campaign: Campaign
) -> HttpResponseRedirect:
    """Load as much as a person waits for, and go to the campaign's page."""
    try:
        load_parts(campaign, patience=PATIENCE)
    except (InvalidMessage, SealBroken) as error:
        told = " ".join(error.messages) if isinstance(error, InvalidMessage) else str(error)
        messages.error(request, _("The campaign was cancelled: %(error)s") % {"error": told})
    except ImproperlyConfigured as error:
        messages.error(request, unusable_settings(error))
    return model_admin.to_page_of(campaign)


# --- Match ----------------------------------------------------------------------------------------


def columns_page(
    model_admin: CampaignAdmin,
    request: HttpRequest,
    campaign: Campaign,
    form: ColumnsForm | None = None,
) -> HttpResponse:
    form = form or ColumnsForm(campaign)
    return model_admin.page(
        request,
        campaign,
        "columns",
        _("Match the columns: %(campaign)s") % {"campaign": campaign},
        adminform=admin_form(form, [(None, {"fields": list(form.fields)})]),
        errors=form.errors,
        ignored=ignored_columns(campaign),
    )


def columns_view(
    model_admin: CampaignAdmin, request: HttpRequest, campaign: Campaign
) -> HttpResponse:
    """Take the columns that were chosen."""
    if campaign.status != Campaign.Status.MATCHING:
        messages.warning(request, _("The columns of this campaign were chosen before."))
        return model_admin.to_page_of(campaign)
    form = ColumnsForm(campaign, request.POST)
    if not form.is_valid() or not form.choose():
        return columns_page(model_admin, request, campaign, form)
    return _load(model_admin, request, campaign)


def ignored_columns(campaign: Campaign) -> list[str]:
    """Return the columns of the sheet that hold nothing to send."""
    used = set(campaign.columns.values())
    return [column for column in campaign.sheet_columns if column not in used]


# --- Check and start ------------------------------------------------------------------------------


def check_page(
    model_admin: CampaignAdmin,
    request: HttpRequest,
    campaign: Campaign,
    form: ConfirmForm | None = None,
) -> HttpResponse:
    check = check_campaign(campaign)
    if form is None and needs_number(campaign):
        form = ConfirmForm(campaign)
    whole = sees_numbers(request)
    if whole and check.first:
        seen = len(check.first)
        saw = ngettext_lazy("Saw %(count)d number.", "Saw %(count)d numbers.", seen)
        model_admin.log_change(request, campaign, recorded(saw, count=seen))
    return model_admin.page(
        request,
        campaign,
        "check",
        _("Check: %(campaign)s") % {"campaign": campaign},
        check=check,
        message_count=grouped(check.messages),
        repeated_count=grouped(check.repeated_rows),
        least_paid=grouped(check.least_paid),
        most_paid=grouped(check.most_paid),
        first=[
            {
                "row": message.campaign_row,
                "recipient": shown_number(message, whole=whole),
                "text": text if whole else Cover(message.recipient).text(text),
            }
            for message, text in check.first
        ],
        ignored=ignored_columns(campaign),
        confirm=form,
        errors=form.errors if form else None,
        **foresight_context(campaign, most_paid=check.most_paid),
        **model_admin.facts(request, campaign),
        **faults_context(request, campaign),
    )


def start_view(
    model_admin: CampaignAdmin, request: HttpRequest, campaign: Campaign
) -> HttpResponse:
    """Start a campaign; a large one only where the number of its messages was typed in."""
    if campaign.status == Campaign.Status.CHECKING and needs_number(campaign):
        form = ConfirmForm(campaign, request.POST)
        if not form.is_valid():
            return check_page(model_admin, request, campaign, form)
    make_move(request, model_admin, campaign, "start")
    return model_admin.to_page_of(campaign)
