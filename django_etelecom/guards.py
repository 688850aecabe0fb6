"""What may stop a message before it is sent: limits, hours, spending, suppression, consent.

A single message meets its guards when its row is written (`records.py`), a message of a campaign
when a worker claims it (`lifecycle.py`), where whatever waited is asked once more for what may have
changed meanwhile, and takes its turn anew. `verdicts.py` has what each guard says, `guard_rules.py`
what each goes by.
"""

import contextlib
import dataclasses
import logging
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import OperationalError
from django.utils import timezone
from django.utils.translation import gettext as _

from . import hours, turns
from .conf import CATEGORIES, settings
from .exceptions import SendBlocked
from .guard_rules import GuardRules
from .models import Consent, MessageLog, MessageTemplate, NumberHistory, Suppression
from .models.messages import Reason
from .models.templates import TemplatePlan
from .sealing import number_digests
from .transactions import was_undone
from .turns import Turn
from .verdicts import (
    Guard,
    Guarded,
    Verdict,
    by_hours,
    by_label,
    by_turns,
    is_suppressed,
    standing,
    windows,
)

logger = logging.getLogger("django_etelecom")

UNAVAILABLE = "guards_unavailable"
"""The reason where guards could not be asked: nothing is let through then."""

UNAVAILABLE_FOR = 5
"""Seconds after which to try again."""

# --- One message ----------------------------------------------------------------------------------


def verdicts(draft: Guarded) -> tuple[Verdict, ...]:
    """Return what every guard says of a message that is sent now. Writes nothing."""
    rules = settings.guards(draft.template.category)
    digests = number_digests(draft.recipient)
    history = NumberHistory.objects.using(MessageLog.database()).filter(pk=digests[0])
    kept = history.values_list("turns", flat=True).first() if rules.has_turns else None
    had = turns.read(kept or "")
    turn = _turn(draft.template, draft.channels, message="", at=time.time())
    return (*standing(draft, rules, digests), *by_turns(had, turn, rules))


def admit(draft: Guarded, *, at_once: bool) -> None:
    """Ask all guards but those that a number's recent messages matter to. Writes nothing.

    Args:
        draft: the message.
        at_once: whether it is sent now; one that waits may wait for its account, its hours and
            the account's next day.

    Raises:
        SendBlocked: one of them stops it.
        ImproperlyConfigured: GUARDS cannot be used.
    """
    rules = settings.guards(draft.template.category)
    waits_for = () if at_once else (Guard.ACCOUNT, Guard.HOURS, Guard.SPENDING)
    with _answering():
        said = standing(draft, rules, number_digests(draft.recipient))
    _refuse(verdict for verdict in said if verdict.guard not in waits_for)


def has_turns(draft: Guarded) -> bool:
    """Tell whether `take_turn` has anything to do for a message."""
    return settings.guards(draft.template.category).has_turns


def take_turn(draft: Guarded, message: MessageLog) -> None:
    """Hold the message's number and let it have one more. In the transaction that writes the row.

    Raises:
        SendBlocked: it has to wait.
    """
    rules = settings.guards(draft.template.category)
    digest, *_former = number_digests(draft.recipient)
    database = MessageLog.database()
    begun = _turn(draft.template, draft.channels, message=message.public_id.hex, at=0)
    with _answering():
        # What is refused is undone with the transaction.
        text = NumberHistory.append(digest, turns.begun(begun), using=database)
        *had, turn = turns.read(text)
        _refuse(by_turns(had, turn, rules))
        kept = turns.recent(had, _all_rules(), now=turn.at)
        if len(had) - len(kept) >= turns.MANY:
            NumberHistory.keep({digest: turns.written([*kept, turn])}, using=database)


def opening(draft: Guarded, after: datetime) -> datetime | None:
    """Return the first instant from `after` on at which all channels of a message are open.

    Raises:
        SendBlocked: there is none.
    """
    rules = settings.guards(draft.template.category)
    open_hours = windows(rules, bars_zns=draft.template.bars_zns_at_night)
    opens = hours.all_open(open_hours, draft.channels, after)
    if opens is None:
        _refuse([by_hours(draft, rules)])
    return opens


def admit_campaign(template: TemplatePlan, channels: Sequence[str]) -> None:
    """Ask the guards that all messages of a campaign would meet alike, whenever they are sent.

    Raises:
        SendBlocked: one of them would stop them all.
        ImproperlyConfigured: GUARDS cannot be used.
    """
    _refuse([by_label(template, channels, settings.guards(template.category))])


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    """Have a database that does not answer stop the message: without an answer nothing passes."""
    try:
        yield
    except OperationalError as error:
        # What the database undid as a whole is its caller's to run again.
        if was_undone(error):
            raise
        logger.error("The guards could not be asked, nothing was sent: %s", error)
        raise SendBlocked(
            _("The limits of sending could not be looked up; nothing was sent."),
            reason=UNAVAILABLE,
            retry_after=UNAVAILABLE_FOR,
        ) from error


def _refuse(said: Iterable[Verdict]) -> None:
    for verdict in said:
        if not verdict.passes:
            raise SendBlocked(
                verdict.detail, reason=verdict.reason, retry_after=verdict.retry_after
            )


# --- Messages that waited -------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Held:
    """What is not to be sent of some messages whose turn has come."""

    stopped: dict[int, Reason] = dataclasses.field(default_factory=dict)
    """By primary key, why they are not sent at all."""
    waiting: dict[int, datetime] = dataclasses.field(default_factory=dict)
    """By primary key, until when they wait."""

    def __contains__(self, message: MessageLog) -> bool:
        return message.pk in self.stopped or message.pk in self.waiting


def at_dispatch(messages: Sequence[MessageLog]) -> Held:
    """Ask the guards for messages that a worker is about to claim, in the transaction that does.

    All are asked for what may have changed since they were queued. Those of a campaign, which met
    no guard yet, take their turns here, and so do those whose own is not of now any more.

    Raises:
        ImproperlyConfigured: GUARDS cannot be used.
    """
    held = Held()
    database = MessageLog.database()
    of_them = {message.template_id for message in messages}
    templates = MessageTemplate.objects.using(database).in_bulk(of_them)
    rules = {category: settings.guards(category) for category in CATEGORIES}
    now = timezone.now()
    opens: dict[tuple[int, str], datetime | None] = {}
    # Where nobody is on the list, most messages need no digest of their number.
    has_listed = Suppression.objects.using(database).order_by().exists()
    asked: list[_Waited] = []
    for message in messages:
        template = templates[message.template_id]
        its = rules[template.category]
        alike = template.pk, "".join(message.channels)
        if alike not in opens:
            open_hours = windows(its, bars_zns=template.bars_zns_at_night)
            opens[alike] = hours.all_open(open_hours, message.channels, now)
        if opens[alike] != now:
            # One that never opens is asked after again until it expires.
            held.waiting[message.pk] = opens[alike] or now + timedelta(days=1)
        elif has_listed or its.consent or _takes_turn(message, its, now):
            asked.append((message, template, number_digests(message.recipient)))
    if asked:
        _stop_listed(asked, rules, held)
        _take_turns(asked, rules, held, now)
    return held


def _takes_turn(message: MessageLog, rules: GuardRules, now: datetime) -> bool:
    """Tell whether a message takes its turn, perhaps another one, when it is claimed."""
    # What is sent soon after it was queued is not to cost another look at its number.
    has_waited = now - message.created_at > timedelta(seconds=turns.STANDS)
    return rules.has_turns and (has_waited or message.campaign_id is not None)


_Waited = tuple[MessageLog, MessageTemplate, Sequence[str]]
"""A message, its template, its number's digests."""


def _stop_listed(messages: Sequence[_Waited], rules: Any, held: Held) -> None:
    database = MessageLog.database()
    digests = [digest for _message, _template, those in messages for digest in those]
    scopes: dict[str, set[str]] = {}
    suppressed = Suppression.objects.using(database).filter(number_digest__in=digests).order_by()
    for digest, scope in suppressed.values_list("number_digest", "scope"):
        scopes.setdefault(digest, set()).add(scope)
    asks = [those for _, template, those in messages if rules[template.category].consent]
    agreed: set[str] = set()
    if asks:
        given = Consent.objects.using(database).filter(withdrawn_at=None).order_by()
        asked = [digest for those in asks for digest in those]
        agreed.update(given.filter(number_digest__in=asked).values_list("number_digest", flat=True))
    for message, template, those in messages:
        its = rules[template.category]
        no_more = [scope for digest in those for scope in scopes.get(digest, ())]
        if its.suppression and is_suppressed(template.category, no_more):
            held.stopped[message.pk] = Reason.SUPPRESSED
        elif its.consent and agreed.isdisjoint(those):
            held.stopped[message.pk] = Reason.NO_CONSENT


def _take_turns(messages: Sequence[_Waited], rules: Any, held: Held, now: datetime) -> None:
    taking = [
        (message, template, those[0])
        for message, template, those in messages
        if _takes_turn(message, rules[template.category], now) and message not in held
    ]
    if not taking:
        return
    database = MessageLog.database()
    histories = NumberHistory.hold([digest for _, _, digest in taking], using=database)
    had = {digest: turns.read(history.turns) for digest, history in histories.items()}
    held_at = {digest: history.now for digest, history in histories.items()}
    _have_turns(taking, had, held_at, rules, held)
    NumberHistory.keep(
        {digest: turns.written(those) for digest, those in had.items()}, using=database
    )


def _have_turns(
    messages: Sequence[tuple[MessageLog, MessageTemplate, str]],
    had: dict[str, list[Turn]],
    now: Mapping[str, float],
    rules: Mapping[str, GuardRules],
    held: Held,
) -> None:
    """Let each of the messages have its turn, or hold it, in their order.

    Args:
        messages: each with its template and its number's digest.
        had: by digest, what numbers had; what they are let have is added.
        now: by digest, the seconds since 1970.
        rules: by category.
        held: takes what has to wait.
    """
    for message, template, digest in messages:
        turn = _turn(template, message.channels, message=message.public_id.hex, at=now[digest])
        # Nothing of it has left: the turn that it took when it was queued, or when it was claimed
        # before and given back, is none beside this one.
        others = [one for one in had[digest] if one.message != turn.message]
        wait = max(turns.waits(others, turn, rules[template.category]))
        if not wait:
            had[digest] = [*turns.recent(others, list(rules.values()), now=turn.at), turn]
        elif message.campaign_id is None and (until := _in_time(message, turn.at + wait)):
            held.waiting[message.pk] = until
        else:
            held.stopped[message.pk] = Reason.RECIPIENT_LIMIT


def _in_time(message: MessageLog, seconds: float) -> datetime | None:
    """Return an instant in whole seconds, if the message is still worth sending then.

    Args:
        message: one that waits.
        seconds: since 1970.
    """
    instant = datetime.fromtimestamp(math.ceil(seconds), UTC)
    return instant if message.expires_at is None or instant < message.expires_at else None


# --- What would become of a campaign --------------------------------------------------------------

ASKED_AT_ONCE = 500
"""Messages that one look-up is about."""


def foresee(messages: Sequence[MessageLog], template: MessageTemplate) -> Held:
    """Return which messages of a campaign would be stopped if their turns came now. Writes nothing.

    Raises:
        ImproperlyConfigured: GUARDS cannot be used.
    """
    held = Held()
    rules = {template.category: settings.guards(template.category)}
    had: dict[str, list[Turn]] = {}
    for first in range(0, len(messages), ASKED_AT_ONCE):
        asked = [
            (message, template, number_digests(message.recipient))
            for message in messages[first : first + ASKED_AT_ONCE]
        ]
        _stop_listed(asked, rules, held)
        if rules[template.category].has_turns:
            going = [(one, template, those[0]) for one, _, those in asked if one not in held]
            new = {digest for _, _, digest in going} - had.keys()
            histories = NumberHistory.objects.using(MessageLog.database()).filter(pk__in=new)
            had |= {digest: [] for digest in new} | {
                digest: turns.read(kept) for digest, kept in histories.values_list("pk", "turns")
            }
            _have_turns(going, had, dict.fromkeys(had, time.time()), rules, held)
    return held


@dataclasses.dataclass(frozen=True, slots=True)
class Closed:
    """The hours that messages wait for."""

    channels: list[str]
    """Those of their route that are closed."""
    opens: datetime | None
    """When all of them are open; None: never."""


def closed(
    category: str, channels: Sequence[str], *, bars_zns: bool, at: datetime | None = None
) -> Closed | None:
    """Return what messages of a category wait for at an instant, by default now; None: nothing.

    Raises:
        ImproperlyConfigured: GUARDS cannot be used.
    """
    open_hours = windows(settings.guards(category), bars_zns=bars_zns)
    at = at or timezone.now()
    barred = hours.closed(open_hours, channels, at)
    return Closed(barred, hours.all_open(open_hours, channels, at)) if barred else None


def _turn(template: Any, channels: Iterable[str], *, message: str, at: float) -> Turn:
    return Turn(message, template.category, template.pk, "".join(channels), at)


def _all_rules() -> list[GuardRules]:
    return [settings.guards(category) for category in CATEGORIES]
