"""What the pages of sending have in common: who may, what they say, how one is made."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from ..models import MessageLog
from .repeats import WORDS_OF_WAY, lost_secrets, warning


def may_send(request: HttpRequest) -> bool:
    """Whether this person may send messages."""
    return request.user.has_perm("etelecom.send_message")


def may_resend(request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> bool:
    """Whether this person may send messages again, which are shown to them for it."""
    return (
        may_send(request)
        and request.user.has_perm("etelecom.resend_message")
        and model_admin.has_view_permission(request)
    )


def again_page(
    model_admin: admin.ModelAdmin[Any], request: HttpRequest, message: MessageLog
) -> HttpResponse:
    """Offer the ways to send a message again."""
    send = reverse("admin:etelecom_messagelog_send", current_app=model_admin.admin_site.name)
    query = {"template": message.template.code, "resend_of": str(message.public_id)}
    if message.is_stripped:
        return HttpResponseRedirect(f"{send}?{urlencode(query)}")
    ways = [
        (f"{send}?{urlencode({**query, 'way': way} if way else query)}", words, what)
        for way, (words, what) in WORDS_OF_WAY.items()
    ]
    return send_page(
        model_admin, request, "again", _("Send again"), ways=ways, **first_context(message)
    )


def first_context(first: MessageLog) -> dict[str, Any]:
    """Return what the pages say of the message that is to be sent again."""
    return {"first": first, "warning": warning(first), "lost_secrets": lost_secrets(first)}


def send_page(
    model_admin: admin.ModelAdmin[Any],
    request: HttpRequest,
    name: str,
    title: str,
    **context: Any,
) -> HttpResponse:
    """Return one of the pages of sending, `templates/admin/etelecom/send/<name>.html`."""
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(
        request,
        f"admin/etelecom/send/{name}.html",
        {
            **model_admin.admin_site.each_context(request),
            "title": title,
            # The admin's own page of a form shows it as the last of the breadcrumbs.
            "original": title,
            "opts": model_admin.opts,
            "media": model_admin.media,
            "has_view_permission": model_admin.has_view_permission(request),
            **context,
        },
    )
