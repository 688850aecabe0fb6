"""Where a template is used: counted no further than anybody would read, whatever there is."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..models import Campaign, MessageLog, MessageTemplate
from ..numerals import grouped
from .lookups import list_url

COUNTED = 10_000


@dataclasses.dataclass(frozen=True, slots=True)
class Usage:
    """What was sent by a template; a URL is empty where the person may not see the list."""

    messages: str
    messages_url: str
    campaigns: str
    campaigns_url: str
    last_used_at: datetime | None


def usage_of(template: MessageTemplate, request: HttpRequest, site: admin.AdminSite) -> Usage:
    """Return where a template is used; each of three queries reads a bounded part of an index."""
    # A range and not an equation, in the order of the index: else PostgreSQL takes the messages of
    # a template that sent many for spread evenly, and reads all that others have sent since.
    sent = MessageLog.objects.filter(template__gte=template, template__lte=template)
    sent = sent.order_by("template_id", "pk")
    # By the key, which goes the same way as time.
    last = sent.reverse().values_list("created_at", flat=True).first()
    messages, campaigns = _count(sent), _count(template.campaigns.order_by())
    return Usage(
        messages=_counted(messages, ngettext("%(count)s message", "%(count)s messages", messages)),
        messages_url=_list_url(request, site, MessageLog, template) if messages else "",
        campaigns=_counted(
            campaigns, ngettext("%(count)s campaign", "%(count)s campaigns", campaigns)
        ),
        campaigns_url=_list_url(request, site, Campaign, template) if campaigns else "",
        last_used_at=last,
    )


def _count(rows: QuerySet[Any]) -> int:
    return rows[: COUNTED + 1].count()


def _counted(number: int, words: str) -> str:
    if number > COUNTED:
        return _("More than %(counted)s") % {"counted": words % {"count": grouped(COUNTED)}}
    return words % {"count": grouped(number)}


def _list_url(
    request: HttpRequest, site: admin.AdminSite, model: type[Any], template: MessageTemplate
) -> str:
    listed = list_url(site, request, model)
    return listed and f"{listed}?{urlencode({'template__id__exact': template.pk})}"
