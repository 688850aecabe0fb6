"""How far a campaign is, in words: what its page shows, and what the page asks for as JSON."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.formats import number_format
from django.utils.timesince import timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ..campaigns import MOST_REASONS, Progress, progress, reasons_not_sent
from ..explanation import waits_for
from ..models import Campaign
from ..models.messages import Reason, Status
from ..numerals import grouped

UNDER_WAY = "under_way"
"""Stands for `queued` and `sending`, which are not counted apart."""

NOTES = {
    UNDER_WAY: gettext_lazy("They wait for their turn or for the provider's answer."),
    Status.DELIVERED: gettext_lazy("The provider says that they arrived."),
    Status.ACCEPTED: gettext_lazy("The provider took them, which is not yet delivery."),
    Status.UNDELIVERED: gettext_lazy("The provider says that they did not arrive."),
    Status.REJECTED: gettext_lazy("The provider refused them; nothing went out."),
    Status.UNKNOWN: gettext_lazy(
        "They may have been sent. Nothing sends them again by itself: a person looks at each and "
        "decides."
    ),
    Status.NOT_SENT: gettext_lazy("Provably nothing left for them."),
    Status.CANCELLED: gettext_lazy("They were cancelled before their turn came."),
}
"""What the messages of each line are, in the order of the lines."""


def is_over(campaign: Campaign) -> bool:
    """Whether nothing of the campaign moves any more but by what the provider says later."""
    return campaign.finished_at is not None


def told(campaign: Campaign) -> dict[str, Any]:
    """Return how far a campaign is: numbers for the bar, everything else in words."""
    now = progress(campaign)
    counts = {UNDER_WAY: now.under_way, **now.counts}
    return {
        # When it changes, the page has other buttons.
        "state": f"{campaign.status} {is_over(campaign)}",
        "is_over": is_over(campaign),
        "ended": now.ended,
        "total": campaign.queued_rows,
        "is_loading": campaign.status == Campaign.Status.LOADING,
        "counts": {line: grouped(counts[line]) for line in NOTES if counts.get(line)},
        "sentence": _sentence(campaign, now),
        "pace": _waits_for(campaign, now) or _pace(now),
        "announcement": _announcement(campaign, now),
        "why": _why_not_sent(campaign) if now.counts.get(Status.NOT_SENT) else "",
    }


def _why_not_sent(campaign: Campaign) -> str:
    """Say why messages were not sent, each reason with how often it was."""
    reasons = reasons_not_sent(campaign)
    labels = dict(Reason.choices)
    told = [
        f"{str(labels.get(reason, reason)).rstrip('.')}: {grouped(number)}."
        for reason, number in reasons.most_common()
        if reason
    ]
    if reasons.total() >= MOST_REASONS:
        told.insert(0, _("Of %(count)s of them:") % {"count": grouped(MOST_REASONS)})
    return " ".join(told)


def _sentence(campaign: Campaign, now: Progress) -> str:
    if campaign.status == Campaign.Status.LOADING:
        return ngettext(
            "%(count)s row has been read so far.",
            "%(count)s rows have been read so far.",
            campaign.read_rows,
        ) % {"count": grouped(campaign.read_rows)}
    if campaign.status in (Campaign.Status.MATCHING, Campaign.Status.CHECKING):
        return _("It waits for a person to go on with it.")
    return ngettext(
        "%(ended)s of %(total)s message is done.",
        "%(ended)s of %(total)s messages are done.",
        campaign.queued_rows,
    ) % {"ended": grouped(now.ended), "total": grouped(campaign.queued_rows)}


def _announcement(campaign: Campaign, now: Progress) -> str:
    """Say what is worth an interruption of whoever listens to the page: each tenth."""
    if not campaign.queued_rows:
        return ""
    tenths = now.ended * 10 // campaign.queued_rows
    return _("%(percent)d %% of the messages are done.") % {"percent": tenths * 10}


def _waits_for(campaign: Campaign, now: Progress) -> str:
    if campaign.status != Campaign.Status.RUNNING or not now.under_way:
        return ""
    return waits_for(
        campaign.account,
        campaign.template.category,
        campaign.channels,
        bars_zns=campaign.template.bars_zns_at_night,
        since=campaign.send_at or timezone.now(),
    )


def _pace(now: Progress) -> str:
    sentences = []
    if now.per_second is not None:
        sentences.append(_rate(now.per_second))
    if now.seconds_left is not None and now.under_way:
        sentences.append(_time_left(now.seconds_left))
    return " ".join(sentences)


def _rate(per_second: float) -> str:
    if per_second >= 1:
        return _("%(number)s a second.") % {"number": _rounded(per_second)}
    if per_second * 60 >= 1:
        return _("%(number)s a minute.") % {"number": _rounded(per_second * 60)}
    return _("Less than one a minute.")


def _rounded(number: float) -> str:
    return grouped(round(number)) if number >= 10 else number_format(number, decimal_pos=1)


def _time_left(seconds: float) -> str:
    if seconds < 60:
        return _("Less than a minute is left.")
    if seconds > timedelta(days=365).total_seconds():
        return _("More than a year is left.")
    now = timezone.now()
    later = now + timedelta(seconds=math.ceil(seconds / 60) * 60)
    return _("About %(time)s left.") % {"time": timeuntil(later, now)}
