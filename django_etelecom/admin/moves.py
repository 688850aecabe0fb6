"""What staff do with a campaign: pause it, let it go on, cancel it, try again what was not sent."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from ..exceptions import InvalidMessage
from ..models import Campaign
from ..numerals import grouped
from ..services import (
    cancel_campaign,
    pause_campaign,
    resume_campaign,
    retry_campaign,
    start_campaign,
)
from .log import recorded

State = Campaign.Status


@dataclasses.dataclass(frozen=True, slots=True)
class Move:
    """Brings a campaign from one state to another."""

    make: Callable[[Campaign], Campaign]
    before: frozenset[str]
    after: frozenset[str]
    """A short campaign has finished before the page is there that says it was started."""
    done: Promise
    """The sentence for whoever did it."""
    record: Promise
    """For the admin's log."""


MOVES = {
    "start": Move(
        start_campaign,
        before=frozenset({State.CHECKING}),
        after=frozenset({State.RUNNING, State.FINISHED}),
        done=gettext_lazy("The campaign was started."),
        record=gettext_lazy("Started."),
    ),
    "pause": Move(
        pause_campaign,
        before=frozenset({State.RUNNING}),
        after=frozenset({State.PAUSED}),
        done=gettext_lazy(
            "The campaign is paused: what is in flight arrives, and nothing else is sent."
        ),
        record=gettext_lazy("Paused."),
    ),
    "resume": Move(
        resume_campaign,
        before=frozenset({State.PAUSED}),
        after=frozenset({State.RUNNING, State.FINISHED}),
        done=gettext_lazy("The campaign goes on."),
        record=gettext_lazy("Resumed."),
    ),
    "cancel": Move(
        cancel_campaign,
        before=frozenset(set(State) - {State.FINISHED, State.CANCELLED}),
        after=frozenset({State.CANCELLED}),
        done=gettext_lazy("The campaign was cancelled: nothing more of it is sent."),
        record=gettext_lazy("Cancelled."),
    ),
}

RETRIED = frozenset({State.RUNNING, State.PAUSED, State.FINISHED})
"""States in which what was not sent can be tried again."""


def may_send(request: HttpRequest) -> bool:
    """Whether this person may send campaigns, and do with them what belongs to it."""
    return request.user.has_perm("etelecom.send_campaign")


def make_move(request: HttpRequest, model_admin: Any, campaign: Campaign, name: str) -> bool:
    """Make a move, record who made it, and tell; tell also where the state has moved meanwhile."""
    move = MOVES[name]
    could_move = campaign.status in move.before
    move.make(campaign)
    if could_move and campaign.status in move.after:
        model_admin.log_change(request, campaign, recorded(move.record))
        messages.success(request, str(move.done))
        return True
    messages.warning(
        request,
        _("The campaign is %(status)s by now; nothing was changed.")
        % {"status": campaign.get_status_display()},
    )
    return False


def retry(request: HttpRequest, model_admin: Any, campaign: Campaign) -> None:
    """Queue again what was not sent, record it, and tell how many."""
    try:
        retried = retry_campaign(campaign)
    except InvalidMessage as error:
        messages.error(request, " ".join(error.messages))
        return
    if not retried:
        messages.info(request, _("There is no message left that was not sent."))
        return
    sentence = gettext_lazy("Queued again what was not sent: %(number)d.")
    model_admin.log_change(request, campaign, recorded(sentence, number=retried))
    messages.success(
        request,
        ngettext(
            "%(count)s message waits to be sent again.",
            "%(count)s messages wait to be sent again.",
            retried,
        )
        % {"count": grouped(retried)},
    )
