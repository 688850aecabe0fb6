"""What each guard says of a message, in a sentence; reads, and writes nothing."""

import dataclasses
import enum
import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from django.db import connections
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from . import hours, spending, turns
from .conf import Account
from .guard_rules import GuardRules
from .hours import Window
from .models import AccountState, Channel, Consent, MessageLog, Suppression
from .models.messages import Reason
from .models.templates import TemplatePlan
from .turns import Turn

LABELS = ("[QC]", "[AD]")
"""Decree 91/2020/ND-CP, article 18: with which an advertisement begins."""

MOST_SECONDS = 120
"""Up to which a sentence counts the seconds to wait."""


class Guard(enum.StrEnum):
    """A guard, in the order in which they are asked."""

    ACCOUNT = "account"
    SUPPRESSION = "suppression"
    CONSENT = "consent"
    LABEL = "label"
    HOURS = "hours"
    SPENDING = "spending"
    BUDGET = "budget"
    COOLDOWN = "cooldown"
    LIMIT = "limit"


REASONS = {
    Guard.ACCOUNT: "account_paused",
    Guard.SUPPRESSION: Reason.SUPPRESSED.value,
    Guard.CONSENT: Reason.NO_CONSENT.value,
    Guard.LABEL: "no_label",
    Guard.HOURS: "outside_hours",
    Guard.SPENDING: "spending_cap",
    Guard.BUDGET: "account_budget",
    Guard.COOLDOWN: "cooldown",
    Guard.LIMIT: Reason.RECIPIENT_LIMIT.value,
}
"""What `SendBlocked.reason` says where each stops a message."""


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What a guard says of a message."""

    guard: Guard
    passes: bool
    detail: str = ""
    """Why it does not pass, in a sentence."""
    retry_after: int | None = None
    """Seconds after which it may pass; None: waiting does not help."""

    @property
    def reason(self) -> str:
        """As `SendBlocked.reason`; empty where it passes."""
        return "" if self.passes else REASONS[self.guard]


class Guarded(Protocol):
    """What guards look at: a `Draft`."""

    @property
    def template(self) -> TemplatePlan: ...
    @property
    def recipient(self) -> str: ...
    @property
    def channels(self) -> tuple[str, ...]: ...
    @property
    def account(self) -> Account: ...


def standing(draft: Guarded, rules: GuardRules, digests: Sequence[str]) -> tuple[Verdict, ...]:
    known = _look_up(draft.account, digests, rules)
    return (
        _account(draft.account, known),
        _suppression(draft.template.category, known.scopes),
        _consent(rules, has_consent=known.has_consent),
        by_label(draft.template, draft.channels, rules),
        by_hours(draft, rules),
        _spending(draft.account),
        _budget(draft, rules),
    )


@dataclasses.dataclass(slots=True)
class _Known:
    """What the tables say of an account and a number."""

    is_paused: bool = False
    pause_reason: str = ""
    scopes: set[str] = dataclasses.field(default_factory=set)
    """Of what the number gets no more."""
    has_consent: bool = False


def _look_up(account: Account, digests: Sequence[str], rules: GuardRules) -> _Known:
    """Read it all by one statement."""
    listed = ", ".join(["%s"] * len(digests))
    parts = [_PAUSED]
    params: list[Any] = [account.alias]
    if rules.suppression:
        parts.append(_SUPPRESSED.format(listed))
        params += digests
    if rules.consent:
        parts.append(_CONSENTED.format(listed))
        params += digests
    known = _Known()
    with connections[MessageLog.database()].cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), params)
        for what, told, named in cursor.fetchall():
            if what == "suppressed":
                known.scopes.add(told)
            elif what == "consented":
                known.has_consent = True
            # MariaDB finds `Default` for `default`.
            elif named == account.alias:
                known.is_paused, known.pause_reason = True, told
    return known


_PAUSED = (
    f"SELECT 'paused', pause_reason, alias FROM {AccountState._meta.db_table} "  # noqa: S608  # nosec B608  # a table's name
    "WHERE alias = %s AND paused_at IS NOT NULL"
)
_SUPPRESSED = (
    f"SELECT 'suppressed', scope, '' FROM {Suppression._meta.db_table} "  # noqa: S608  # nosec B608  # a table's name
    "WHERE number_digest IN ({})"
)
_CONSENTED = (
    f"SELECT 'consented', '', '' FROM {Consent._meta.db_table} "  # noqa: S608  # nosec B608  # a table's name
    "WHERE number_digest IN ({}) AND withdrawn_at IS NULL"
)


def _account(account: Account, known: _Known) -> Verdict:
    if not known.is_paused:
        return Verdict(Guard.ACCOUNT, passes=True)
    detail = _("Account “%(account)s” is paused: %(reason)s") % {
        "account": account.alias,
        "reason": dict(Reason.choices).get(known.pause_reason, known.pause_reason),
    }
    return Verdict(Guard.ACCOUNT, passes=False, detail=detail)


def _suppression(category: str, scopes: Iterable[str]) -> Verdict:
    if not is_suppressed(category, scopes):
        return Verdict(Guard.SUPPRESSION, passes=True)
    if Suppression.Scope.EVERYTHING in scopes:
        detail = _("The number is on the suppression list: it gets no messages.")
    else:
        detail = _("The number is on the suppression list: it gets no advertising.")
    return Verdict(Guard.SUPPRESSION, passes=False, detail=detail)


def is_suppressed(category: str, scopes: Iterable[str]) -> bool:
    return any(scope in (Suppression.Scope.EVERYTHING, category) for scope in scopes)


def _consent(rules: GuardRules, *, has_consent: bool) -> Verdict:
    if not rules.consent or has_consent:
        return Verdict(Guard.CONSENT, passes=True)
    detail = _("No consent to advertising is on record for the number.")
    return Verdict(Guard.CONSENT, passes=False, detail=detail)


def by_label(template: TemplatePlan, channels: Sequence[str], rules: GuardRules) -> Verdict:
    """Say whether an advertisement begins as one has to."""
    if not rules.label or is_labelled(template.text, channels):
        return Verdict(Guard.LABEL, passes=True)
    detail = _(
        "An advertisement begins with %(label)s: have the template's text registered so, and "
        "write it here as it was registered."
    ) % {"label": LABELS[0]}
    return Verdict(Guard.LABEL, passes=False, detail=detail)


def is_labelled(text: str, channels: Sequence[str]) -> bool:
    """Tell whether a text begins as that of an advertisement has to."""
    # A call has no text that could begin with it.
    is_spoken = set(channels) == {Channel.CALL.value}
    return is_spoken or text.lstrip().upper().startswith(LABELS)


def by_hours(draft: Guarded, rules: GuardRules) -> Verdict:
    open_hours = windows(rules, bars_zns=draft.template.bars_zns_at_night)
    now = timezone.now()
    barred = hours.closed(open_hours, draft.channels, now)
    if not barred:
        return Verdict(Guard.HOURS, passes=True)
    opens = hours.all_open(open_hours, draft.channels, now)
    labels = dict(Channel.choices)
    told: dict[str, Any] = {
        "channels": ", ".join(str(labels[channel]) for channel in barred),
        "opens": "",
    }
    if opens is None:
        sentence = _("%(channels)s: there is no hour at which all channels of the route are open.")
        return Verdict(Guard.HOURS, passes=False, detail=sentence % told)
    told["opens"] = date_format(opens.astimezone(hours.ZONE), "H:i d/m")
    if len(barred) == len(draft.channels):
        sentence = _("%(channels)s: not at this hour; again from %(opens)s.")
    elif barred[0] == draft.channels[0]:
        sentence = _(
            "%(channels)s: not at this hour, and the message would slide to the route's next "
            "channel; again from %(opens)s."
        )
    else:
        sentence = _(
            "%(channels)s: not at this hour, and the message could slide to it; again from "
            "%(opens)s, or by a route without it."
        )
    wait = math.ceil((opens - now).total_seconds())
    return Verdict(Guard.HOURS, passes=False, detail=sentence % told, retry_after=max(1, wait))


def windows(rules: GuardRules, *, bars_zns: bool) -> Mapping[str, Window]:
    return {**rules.hours, Channel.ZNS.value: hours.ZNS_BY_DAY} if bars_zns else rules.hours


def _spending(account: Account) -> Verdict:
    for spent in spending.spendings(account):
        if not spent.left:
            sentence = {
                "day": _("Account “%(account)s” has spent its %(cap)d paid messages of the day."),
                "month": _(
                    "Account “%(account)s” has spent its %(cap)d paid messages of the month."
                ),
            }[spent.period]
            told = sentence % {"account": account.alias, "cap": spent.cap}
            wait = (spent.ends_at - timezone.now()).total_seconds()
            return _wait(Guard.SPENDING, max(1, wait), told)
    return Verdict(Guard.SPENDING, passes=True)


def _budget(draft: Guarded, rules: GuardRules) -> Verdict:
    budget, category = rules.budget, draft.template.category
    if budget is None or not spending.over_budget(draft.account, category, budget):
        return Verdict(Guard.BUDGET, passes=True)
    sentence = _(
        "Account “%(account)s” has sent as many messages of this category as it may in "
        "%(seconds)d seconds (%(number)d)."
    )
    told = {
        "account": draft.account.alias,
        "seconds": budget.seconds,
        "number": budget.number,
    }
    # Some of them leave the window all the time; when the next may go is not worth a look-up.
    return _wait(Guard.BUDGET, min(60, budget.seconds), sentence % told)


def by_turns(had: Sequence[Turn], turn: Turn, rules: GuardRules) -> tuple[Verdict, ...]:
    cooldown, limits = turns.waits(had, turn, rules)
    return (
        _wait(Guard.COOLDOWN, cooldown, _("The number has just had this message.")),
        _wait(Guard.LIMIT, limits, _("The number had as many messages as it may have.")),
    )


def _wait(guard: Guard, wait: float, sentence: str) -> Verdict:
    if wait <= 0:
        return Verdict(guard, passes=True)
    seconds = math.ceil(wait)
    return Verdict(guard, passes=False, detail=f"{sentence} {_again(seconds)}", retry_after=seconds)


def _again(seconds: int) -> str:
    """Say when the next message may go: so many seconds, or where they are many the clock."""
    if seconds <= MOST_SECONDS:
        return ngettext(
            "The next one may go in %(seconds)d second.",
            "The next one may go in %(seconds)d seconds.",
            seconds,
        ) % {"seconds": seconds}
    # In the minute that has begun by then.
    then = timezone.localtime(timezone.now() + timedelta(seconds=seconds + 59))
    return _("The next one may go from %(time)s.") % {"time": date_format(then, "H:i d/m")}
