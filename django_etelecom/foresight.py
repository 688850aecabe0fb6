"""What the guards would do to a campaign that waits to be confirmed, told beforehand."""

import dataclasses
from collections import Counter
from collections.abc import Mapping

from django.utils import timezone

from . import guards, spending
from .conf import settings
from .models import Campaign, MessageLog
from .models.messages import Reason
from .spending import Spending

ASKED = 10_000
"""Messages that the guards are asked about."""


@dataclasses.dataclass(frozen=True, slots=True)
class Foresight:
    """What the guards would do to a campaign, as things stand now."""

    asked: int
    """Its first messages, which they were asked about."""
    stopped: Mapping[Reason, int]
    """How many of those would not be sent, by why."""
    closed: guards.Closed | None
    """The hours that it waits for; None: it goes at once, or when it is to be sent."""
    spendings: list[Spending]
    """How its account stands to its caps."""


def foresee_campaign(campaign: Campaign) -> Foresight:
    """Tell what the guards would do to a campaign that was loaded. Of bounded cost.

    Raises:
        ImproperlyConfigured: GUARDS, or the campaign's account, cannot be used.
    """
    template = campaign.template
    spendings = spending.spendings(settings.account(campaign.account))
    rows = MessageLog.objects.using(Campaign.database()).filter(campaign=campaign)
    columns = rows.only("pk", "public_id", "campaign", "recipient", "channels")
    first = list(columns.order_by("pk")[:ASKED])
    now = timezone.now()
    return Foresight(
        asked=len(first),
        stopped=Counter(guards.foresee(first, template).stopped.values()),
        closed=guards.closed(
            template.category,
            campaign.channels,
            bars_zns=template.bars_zns_at_night,
            at=max(campaign.send_at or now, now),
        ),
        spendings=spendings,
    )
