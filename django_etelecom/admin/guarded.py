"""What the pages of sending say of the guards: what stops a message, and what helps."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..explanation import ADVICE_BY_REASON, enumerated
from ..guards import Closed
from ..models import AccountState, Campaign, Consent, Suppression
from ..models.messages import Reason
from ..numerals import grouped
from ..services import foresee_campaign
from ..spending import Spending
from ..verdicts import Guard, Verdict
from .forms import unusable_settings
from .lookups import list_url

WORDS_OF_GUARD: dict[Guard, Promise] = {
    Guard.ACCOUNT: _("The account is not paused"),
    Guard.SUPPRESSION: _("The number is not on the suppression list"),
    Guard.CONSENT: _("A consent is on record, where one is needed"),
    Guard.LABEL: _("The text begins with [QC], if it is an advertisement"),
    Guard.HOURS: _("All channels of the route are open at this hour"),
    Guard.SPENDING: _("The account's paid messages of the day and of the month"),
    Guard.BUDGET: _("The account's messages of this category"),
    Guard.COOLDOWN: _("The pause between two messages to one number"),
    Guard.LIMIT: _("How many messages a number may have"),
}
"""What each guard asks for."""

WHAT_HELPS: dict[Guard, object] = {
    Guard.ACCOUNT: _("Put right what it says, then resume the account."),
    Guard.SUPPRESSION: ADVICE_BY_REASON[Reason.SUPPRESSED],
    Guard.CONSENT: ADVICE_BY_REASON[Reason.NO_CONSENT],
    Guard.LABEL: _("Or choose another template."),
    Guard.HOURS: _("Send it then, or choose a route whose channels are open."),
    Guard.SPENDING: _(
        "Whoever runs this site can raise MAX_PAID_PER_DAY or MAX_PAID_PER_MONTH of the account."
    ),
    Guard.BUDGET: _("Wait, then check it again."),
    Guard.COOLDOWN: _("Wait, then check it again. The one that went before may yet arrive."),
    Guard.LIMIT: _("Wait, or reach the person another way."),
}
"""What to do about each where it does not pass."""


WHERE_IT_STANDS: dict[Guard, tuple[type[Model], Promise]] = {
    Guard.ACCOUNT: (AccountState, _("See the accounts in a new tab")),
    Guard.SUPPRESSION: (Suppression, _("See the suppression list in a new tab")),
    Guard.CONSENT: (Consent, _("See the consents in a new tab")),
}
"""What each goes by that somebody can put right."""


@dataclasses.dataclass(frozen=True, slots=True)
class Stop:
    """A guard that stops a message, in words."""

    detail: str
    """Why, and when it may go."""
    advice: str
    address: str = ""
    """Where somebody can put it right; empty: nowhere, or not this person."""
    label: str = ""


def guards_context(
    verdicts: Iterable[Verdict], request: HttpRequest, site: admin.AdminSite
) -> dict[str, Any]:
    """Return what the page of a check says of the guards."""
    said = list(verdicts)
    return {
        "stops": [_stop(verdict, request, site) for verdict in said if not verdict.passes],
        "guards": [(WORDS_OF_GUARD[verdict.guard], verdict.passes) for verdict in said],
    }


def _stop(verdict: Verdict, request: HttpRequest, site: admin.AdminSite) -> Stop:
    advice = str(WHAT_HELPS[verdict.guard])
    if verdict.guard not in WHERE_IT_STANDS:
        return Stop(verdict.detail, advice)
    model, label = WHERE_IT_STANDS[verdict.guard]
    return Stop(verdict.detail, advice, list_url(site, request, model), str(label))


def foresight_context(campaign: Campaign, *, most_paid: int) -> dict[str, Any]:
    """Return what the page of a campaign's check says of the guards.

    Args:
        campaign: that was loaded.
        most_paid: paid messages that it may come to.
    """
    try:
        seen = foresee_campaign(campaign)
    except ImproperlyConfigured as error:
        return {"unusable": unusable_settings(error)}
    labels = dict(Reason.choices)
    return {
        "stopped": [
            (grouped(number), labels[reason])
            for reason, number in sorted(seen.stopped.items(), key=lambda item: -item[1])
        ],
        "asked": grouped(seen.asked) if seen.asked < campaign.queued_rows else "",
        "waits": _opening(seen.closed) if seen.closed else "",
        "spendings": [spending_in_words(one) for one in seen.spendings],
        "exceeds": any(most_paid > one.left for one in seen.spendings),
    }


def _opening(closed: Closed) -> str:
    told = {"channels": enumerated(closed.channels)}
    if closed.opens is None:
        return gettext("Never: there is no hour at which all channels of its route are open.")
    local = timezone.localtime(closed.opens)
    told |= {"day": date_format(local, "DATE_FORMAT"), "time": date_format(local, "H:i")}
    return gettext("At %(time)s on %(day)s. Closed until then: %(channels)s.") % told


def spending_in_words(spending: Spending) -> str:
    """Return what an account has spent of a cap, and what is left."""
    sentence = {
        "day": gettext("Today: %(spent)s of %(cap)s, %(left)s left"),
        "month": gettext("This month: %(spent)s of %(cap)s, %(left)s left"),
    }[spending.period]
    numbers = {"spent": spending.spent, "cap": spending.cap, "left": spending.left}
    return sentence % {name: grouped(number) for name, number in numbers.items()}
