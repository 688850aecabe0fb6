"""What needs a person: what stands still, what grows, what has gone silent; and what to do then.

Each fact comes from a look-up of bounded cost, however many messages there are.
"""

import dataclasses
import enum
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.models import Exists, OuterRef, QuerySet, Sum
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from . import spending
from .conf import Account, settings
from .lifecycle import due
from .models import AccountState, Campaign, DayTally, InboxReport, MessageEvent, MessageLog
from .models.clock import DatabaseNow
from .models.messages import Source, Status
from .models.tallies import day_of
from .numerals import grouped
from .reports import INBOX_SIZE
from .spending import Spending

MOST_COUNTED = 10_000
"""Up to which messages are counted; one more stands for any number."""

PATIENCE = timedelta(minutes=5)
"""How long a message may be due, or its lease over, before somebody should look."""

USUAL_DAYS = 7
"""Before today, whose mean is what is usual."""

FEW_UNKNOWN = 5
"""Messages of a day that may be unknown whatever is usual."""

REPORTED_AFTER = timedelta(hours=1)
"""By when some of several messages should have had a delivery report."""

LOOKED_BACK = timedelta(days=1)
LOOKED_AT = 200
"""Messages of which a delivery report is looked for."""

FEW_REPORTED = 10
"""Messages of which none need have had a delivery report."""

MOST_CAMPAIGNS = 10
"""Running campaigns that are looked at."""


class Matter(enum.StrEnum):
    """What it is that needs a person."""

    PAUSED = "paused"
    """An account, until somebody resumes it."""
    SPENT = "spent"
    """An account that has spent its cap of paid messages, or most of it."""
    UNKNOWN = "unknown"
    """More messages than usual whose outcome is unknown."""
    LAPSED = "lapsed"
    """Messages whose sending process has ended, and no worker saw it."""
    WAITING = "waiting"
    """Messages that should have gone by now."""
    SILENT = "silent"
    """The webhook."""
    INBOX = "inbox"
    """Delivery reports that are about no message of ours."""


@dataclasses.dataclass(frozen=True, slots=True)
class Concern:
    """Something that does not mend by itself."""

    matter: Matter
    what: str
    """What is the matter, in a sentence."""
    advice: str
    """What to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class Situation:
    """How things stand at this moment."""

    paused: Sequence[AccountState] = ()
    spendings: Sequence[tuple[str, Spending]] = ()
    """By alias, how each account that has caps stands to them."""
    queued: int = 0
    """At most `MOST_COUNTED` + 1, as the next two."""
    sending: int = 0
    lapsed: int = 0
    """Of those that are being sent: how many whose process has ended."""
    due_since: datetime | None = None
    """Since when the oldest message waits that should have gone; None: there is none."""
    unknown_today: int = 0
    unknown_usually: float = 0.0
    unreported: int = 0
    """How many messages were looked at of which none had a delivery report; 0: all is well."""
    in_inbox: int = 0


# --- How things stand ---------------------------------------------------------------------------


def look() -> Situation:
    """Look how things stand."""
    has_webhook = _has_webhook()
    database = MessageLog.database()
    messages = MessageLog.objects.using(database).order_by()
    # In the order of an index, without which PostgreSQL may go through the table where it expects
    # many rows and there are few.
    by_lease = messages.order_by("lease_expires_at")
    sending = by_lease.filter(status=Status.SENDING)
    counted = [
        by_lease.filter(status=Status.QUEUED),
        sending,
        sending.filter(lease_expires_at__lt=DatabaseNow(after=-PATIENCE)),
        InboxReport.objects.using(database).order_by(),
    ]
    queued, in_flight, lapsed, in_inbox = _count([rows[: MOST_COUNTED + 1] for rows in counted])
    unknown_today, unknown_usually = _unknown()
    return Situation(
        paused=list(AccountState.objects.using(AccountState.database()).exclude(paused_at=None)),
        spendings=[
            (account.alias, spent)
            for account in _accounts()
            for spent in spending.spendings(account)
        ],
        queued=queued,
        sending=in_flight,
        lapsed=lapsed,
        due_since=_due_since(is_sending=in_flight > 0),
        unknown_today=unknown_today,
        unknown_usually=unknown_usually,
        unreported=_unreported(messages) if has_webhook else 0,
        in_inbox=in_inbox if has_webhook else 0,
    )


def _count(slices: Sequence[QuerySet[Any]]) -> list[int]:
    pks = [rows.values("pk") for rows in slices]
    return _ask("(SELECT COUNT(*) FROM ({sql}) AS counted)", pks)


def _ask(value: str, queries: Sequence[QuerySet[Any]]) -> list[Any]:
    """Ask one question for a value of each of several queries of one database.

    Not by conditions on a table: MariaDB would go through all of it.

    Args:
        value: SQL of the value, with `{sql}` where its query belongs.
        queries: what the values are from.
    """
    database = queries[0].db
    compiled = [rows.query.get_compiler(database).as_sql() for rows in queries]
    values = ", ".join(value.format(sql=sql) for sql, _params in compiled)
    with connections[database].cursor() as cursor:
        cursor.execute(f"SELECT {values}", [one for _sql, params in compiled for one in params])
        return list(cursor.fetchone())


def _due_since(*, is_sending: bool) -> datetime | None:
    """Return since when the oldest message waits that should have gone.

    The messages of a campaign wait for one another, so they tell of nothing while any is sent.
    """
    lanes: list[tuple[Account, int | None]] = [(account, None) for account in _accounts()]
    if not lanes:
        return None
    if not is_sending:
        running = Campaign.objects.using(Campaign.database()).filter(status=Campaign.Status.RUNNING)
        by_alias = {account.alias: account for account, _lane in lanes}
        campaigns = running.filter(account__in=list(by_alias)).values_list("account", "pk")
        lanes += [
            (by_alias[alias], pk)
            for alias, pk in campaigns[:MOST_CAMPAIGNS]
            if alias in by_alias  # MariaDB finds `Default` for `default`.
        ]
    # The oldest of each lane, by its index.
    told = _ask("({sql})", [due(*lane).values("send_at")[:1] for lane in lanes])
    instants = [instant for instant in map(_instant, told) if instant is not None]
    return min((one for one in instants if one < timezone.now() - PATIENCE), default=None)


def _instant(told: Any) -> datetime | None:
    """Return an instant that the database told past Django's own fields."""
    connection = connections[MessageLog.database()]
    column = MessageLog._meta.get_field("send_at").get_col(MessageLog._meta.db_table)
    for convert in connection.ops.get_db_converters(column):
        told = convert(told, column, connection)
    instant: datetime | None = told
    return instant


def _accounts() -> Iterable[Account]:
    for alias in settings.account_aliases:
        try:
            yield settings.account(alias)
        except ImproperlyConfigured:
            continue  # A system check tells of it.


def _unknown() -> tuple[int, float]:
    """Return how many messages of today are unknown, and how many of a day usually are."""
    today = day_of(timezone.now())
    tallies = DayTally.objects.using(MessageLog.database()).order_by()
    recent = tallies.filter(status=Status.UNKNOWN, day__gte=today - timedelta(days=USUAL_DAYS))
    by_day = dict(recent.values_list("day").annotate(Sum("number")))
    unknown_today = by_day.pop(today, 0)
    return unknown_today, sum(by_day.values()) / USUAL_DAYS


def _has_webhook() -> bool:
    try:
        return bool(settings.webhook_tokens.reveal())
    except ImproperlyConfigured:
        return False  # A system check tells of it.


def _unreported(messages: QuerySet[MessageLog]) -> int:
    now = timezone.now()
    reports = MessageEvent.objects.filter(message=OuterRef("pk"), source=Source.WEBHOOK)
    newest: Any = (
        messages.filter(created_at__gt=now - LOOKED_BACK, created_at__lt=now - REPORTED_AFTER)
        .order_by("-created_at")
        .annotate(is_reported=Exists(reports))
        .values_list("provider_message_id", "sent_at", "is_reported", named=True)
    )
    taken = [
        row
        for row in newest[:LOOKED_AT]
        if row.provider_message_id and row.sent_at and row.sent_at < now - REPORTED_AFTER
    ]
    is_silent = len(taken) >= FEW_REPORTED and not any(row.is_reported for row in taken)
    return len(taken) if is_silent else 0


# --- What of it needs a person ------------------------------------------------------------------


def concerns(situation: Situation) -> list[Concern]:
    """Return what needs a person, the most urgent first."""
    found = [_paused(state) for state in situation.paused]
    found += [_spent(alias, spent) for alias, spent in situation.spendings if spent.is_near]
    if situation.due_since is not None:
        found.append(_waiting(situation.due_since))
    if situation.lapsed:
        found.append(_lapsed(situation.lapsed))
    if situation.unknown_today > max(FEW_UNKNOWN, 2 * situation.unknown_usually):
        found.append(_more_unknown(situation))
    if situation.unreported:
        found.append(_silent(situation.unreported))
    if situation.in_inbox >= INBOX_SIZE:
        found.append(_inbox(situation.in_inbox))
    return found


def _paused(state: AccountState) -> Concern:
    return Concern(
        Matter.PAUSED,
        _("Account “%(account)s” is paused: its queued messages wait. %(reason)s")
        % {"account": state, "reason": state.get_pause_reason_display()},
        _("Put right what it says, then resume the account."),
    )


def _spent(alias: str, spent: Spending) -> Concern:
    sentence = {
        "day": _(
            "Account “%(account)s” has spent %(spent)s of its %(cap)s paid messages of the day."
        ),
        "month": _(
            "Account “%(account)s” has spent %(spent)s of its %(cap)s paid messages of the month."
        ),
    }[spent.period]
    told = {"account": alias, "spent": grouped(spent.spent), "cap": grouped(spent.cap)}
    local = timezone.localtime(spent.ends_at)
    until = {"day": date_format(local, "DATE_FORMAT"), "time": date_format(local, "H:i")}
    setting = f"MAX_PAID_PER_{spent.period.upper()}"
    advice = (
        _(
            "Single messages are refused until %(time)s on %(day)s, and queued ones wait. See what "
            "spends so much; where it is meant, raise %(setting)s."
        )
        if not spent.left
        else _(
            "See whether more will be needed until %(time)s on %(day)s: what goes beyond is "
            "refused, or waits. Where it is meant, raise %(setting)s."
        )
    )
    return Concern(Matter.SPENT, sentence % told, advice % {**until, "setting": setting})


def _waiting(since: datetime) -> Concern:
    local = timezone.localtime(since)
    return Concern(
        Matter.WAITING,
        _("A message that should have gone at %(time)s on %(day)s still waits.")
        % {"day": date_format(local, "DATE_FORMAT"), "time": date_format(local, "H:i")},
        _(
            "See that etelecom_worker runs. Where it does, run more of them, or raise "
            "MAX_PER_SECOND as far as the contract allows."
        ),
    )


def _lapsed(number: int) -> Concern:
    return Concern(
        Matter.LAPSED,
        ngettext(
            "The process that was sending %(count)s message has ended, and no worker noticed.",
            "The processes that were sending %(count)s messages have ended, and no worker noticed.",
            number,
        )
        % {"count": capped(number)},
        _("Start etelecom_worker: it marks them as unknown, since they may have been sent."),
    )


def _more_unknown(situation: Situation) -> Concern:
    return Concern(
        Matter.UNKNOWN,
        ngettext(
            "It is not known of %(count)s message of today whether it was sent. "
            "Usual is %(usual)s a day.",
            "It is not known of %(count)s messages of today whether they were sent. "
            "Usual is %(usual)s a day.",
            situation.unknown_today,
        )
        % {
            "count": grouped(situation.unknown_today),
            "usual": grouped(round(situation.unknown_usually)),
        },
        _(
            "Nothing sends them again by itself. Look at the reason: where many have the same, "
            "call eTelecom or whoever runs this server."
        ),
    )


def _silent(number: int) -> Concern:
    return Concern(
        Matter.SILENT,
        ngettext(
            "%(count)s message was sent more than an hour ago, and no delivery report came.",
            "The last %(count)s messages were sent more than an hour ago, and no delivery report "
            "came for any of them.",
            number,
        )
        % {"count": grouped(number)},
        _(
            "Ask eTelecom whether they post reports to this site, and see that the server lets "
            "them in. Until then this site learns of deliveries by asking, which takes longer."
        ),
    )


def _inbox(number: int) -> Concern:
    return Concern(
        Matter.INBOX,
        _("%(count)s delivery reports are about no message of this site; more are turned away.")
        % {"count": grouped(number)},
        _(
            "See that etelecom_worker runs. Where it does, somebody else's reports come here: "
            "change the token in WEBHOOK_TOKENS, and give eTelecom the new address."
        ),
    )


def capped(number: int) -> str:
    """Return a number that was counted no further than `MOST_COUNTED`, in words."""
    if number > MOST_COUNTED:
        return _("more than %(count)s") % {"count": grouped(MOST_COUNTED)}
    return grouped(number)
