"""Campaigns: one template to many numbers. Start, pause, cancel, try again, and how far it is.

Like a message, a campaign moves by conditional UPDATEs, and its messages can be claimed only while
it runs.
"""

import contextlib
import dataclasses
import logging
import math
import time
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from . import guards, lifecycle
from .client.opaque import Opaque
from .conf import settings
from .dispatchers import dispatch_many
from .drafts import Mold, prepare_many
from .exceptions import InvalidMessage
from .loading import LEASE, Row, load
from .models import Campaign, CampaignPart, CampaignTally, MessageLog, MessageTemplate, RouteRule
from .models.clock import DatabaseNow
from .models.messages import Reason, Status
from .models.tallies import melt
from .redaction import clean_text
from .signals import campaign_finished
from .transactions import run_until_done

logger = logging.getLogger("django_etelecom")

FORGOTTEN = timedelta(days=7)
"""How long a campaign that was loaded waits for somebody to confirm it."""

PATIENCE = 0.5
"""Seconds that a worker ends messages of campaigns before it looks after what it sends."""

MELT_AT = 50
"""Tallies of a campaign from which on they are melted down to one a status."""


def queue_campaign(
    template: str | MessageTemplate,
    rows: Iterable[Mapping[str, Any]],
    *,
    name: str = "",
    route: RouteRule | str | None = None,
    sent_by: Any = None,
    send_at: datetime | None = None,
) -> Campaign:
    """Queue a message for each row, and start sending when all rows are read.

    A row that cannot be sent is kept with its number and all its faults, and stops no other; a
    number that comes again is sent to and told of. Rows are read once, in constant memory, and
    written by the chunk. If reading them raises, the campaign is cancelled and nothing of it is
    sent.

    Args:
        template: a template or its code.
        rows: mappings of `to` and the template's parameters, in any iterable.
        name: what staff call it.
        route: a route rule or its name; else the template's, else the default.
        sent_by: the user who sends, for the record.
        send_at: aware datetime before which nothing is sent.

    Raises:
        InvalidMessage: template, route, `sent_by`, `send_at` or `name`, or `rows` are no iterable;
            nothing was written.
        SendBlocked: a guard would stop all of it (`no_label`); nothing was written. What stops
            single numbers is met when their turn comes, and hours are waited for.
        ImproperlyConfigured: the template's account cannot work as it is set.
        Exception: whatever reading the rows raises.
    """
    source = Opaque(rows)
    del rows  # An error reporter that reads this frame finds no secret in it.
    # First, for what cannot be read would leave a campaign behind that is loading; and a single
    # row, or text, would be a campaign of its keys or its letters.
    if not isinstance(source.reveal(), Iterable) or isinstance(
        source.reveal(), Mapping | str | bytes
    ):
        sentence = _("Give an iterable of mappings, not %(type)s.")
        raise InvalidMessage({"rows": [sentence % {"type": type(source.reveal()).__name__}]})
    # Wrapped as they are read: where the next one fails, the frame still has the last.
    wrapped: Iterable[Opaque[object]] = map(Opaque, source.reveal())
    campaign, mold = draw_up(template, name=name, route=route, sent_by=sent_by, send_at=send_at)
    numbered = (Row(number, row) for number, row in enumerate(wrapped, 1))
    if _loaded(campaign, numbered, mold):
        _start(campaign, Campaign.Status.LOADING)
    return fresh(campaign)


def draw_up(
    template: object,
    *,
    name: object = "",
    route: object = None,
    sent_by: object = None,
    send_at: object = None,
) -> tuple[Campaign, Mold]:
    """Write a campaign without rows, which is `loading`.

    Raises:
        InvalidMessage, SendBlocked, ImproperlyConfigured: as `queue_campaign`.
    """
    if not isinstance(name, str) or len(name) > 200 or clean_text(name, 200) != name:
        raise InvalidMessage({"name": [_("Give a line of at most 200 characters.")]})
    mold = prepare_many(template, route=route, sent_by=sent_by, send_at=send_at)
    guards.admit_campaign(mold.template, mold.channels)
    campaign = Campaign(
        name=name,
        template_id=mold.template.pk,
        template_code=mold.template.code,
        account=mold.template.account,
        channels=list(mold.channels),
        requested_route=mold.requested_route,
        sent_by_id=mold.sender_pk,
        send_at=mold.send_at,
    )
    campaign.lease_expires_at = DatabaseNow(after=LEASE)
    campaign.save(force_insert=True, using=Campaign.database())
    return fresh(campaign), mold


def _loaded(campaign: Campaign, rows: Iterable[Row], mold: Mold) -> bool:
    try:
        return load(campaign, rows, mold)
    except BaseException:
        cancel_broken(campaign)
        raise


def cancel_broken(campaign: Campaign) -> None:
    """Cancel a campaign whose rows cannot be read to their end. Called where that is raised."""
    try:
        _cancel(campaign, broke_off=True)
    # What is raised is the first fault; the worker cancels when the lease has lapsed.
    except (DatabaseError, InterfaceError):
        logger.exception("Campaign %s could not be cancelled.", campaign.public_id)


def start_campaign(campaign: Campaign) -> Campaign:
    """Start a campaign that waits to be confirmed; any other comes back as it is now.

    Raises:
        InvalidMessage: it is not stored.
    """
    _start(_stored(campaign), Campaign.Status.CHECKING)
    return fresh(campaign)


def start_loaded(campaign: Campaign) -> None:
    """Start a campaign that waits for nobody, now that all its rows are loaded."""
    _start(campaign, Campaign.Status.LOADING)


def pause_campaign(campaign: Campaign) -> Campaign:
    """Let a running campaign wait; any other comes back as it is now.

    What is in flight arrives, and nothing else of it is claimed.

    Raises:
        InvalidMessage: it is not stored.
    """
    now = fresh(_stored(campaign))
    if now.status == Campaign.Status.RUNNING and now.started_at is not None:
        ran_for = now.ran_for + (timezone.now() - now.started_at)
        running = _campaign(now).filter(status=now.status, started_at=now.started_at)
        if running.update(status=Campaign.Status.PAUSED, ran_for=ran_for):
            _log(now, Campaign.Status.PAUSED)
    return fresh(campaign)


def resume_campaign(campaign: Campaign) -> Campaign:
    """Let a paused campaign go on; any other comes back as it is now.

    Raises:
        InvalidMessage: it is not stored.
    """
    _start(_stored(campaign), Campaign.Status.PAUSED)
    return fresh(campaign)


def cancel_campaign(campaign: Campaign) -> Campaign:
    """Cancel what has not been sent of a campaign; one that has ended comes back as it is.

    Nothing of it is claimed from now on; its queued messages are cancelled by the batch.

    Raises:
        InvalidMessage: it is not stored.
    """
    if _cancel(_stored(campaign)):
        _settle_cancelled(campaign)
    return fresh(campaign)


def retry_campaign(campaign: Campaign) -> int:
    """Queue again what provably was not sent of a campaign, and return how many messages.

    A finished campaign runs again from the first batch on. Messages whose outcome is unknown are
    left to a person.

    Raises:
        InvalidMessage: it is not stored, loading, not confirmed or cancelled; or its messages had
            secrets, which are erased by now.
    """
    now = fresh(_stored(campaign))
    if now.status == Campaign.Status.CANCELLED:
        raise InvalidMessage({"campaign": [_("A campaign that was cancelled is not retried.")]})
    if now.status not in _RETRIED:
        raise InvalidMessage({"campaign": [_("Only a campaign that was started can be retried.")]})
    if now.has_secrets:
        raise InvalidMessage(
            {"campaign": [_("Its messages had secret parameters, which were not kept.")]}
        )
    # Only what was not sent by now: what comes to it meanwhile would be retried for ever.
    began = timezone.now()
    retried = 0
    # On MariaDB, who counts messages of the campaign waits for its row, and we for who counts.
    while batch := run_until_done(lambda: _retry_batch(now, before=began)):
        retried += batch
    if retried and fresh(campaign).status == Campaign.Status.RUNNING:
        _hand_on_at_commit(campaign)
    fresh(campaign)
    return retried


def _retry_batch(campaign: Campaign, *, before: datetime) -> int:
    """Queue a batch again, and run the campaign if it had finished, or do neither."""
    # Before: no transaction of ours begins by reading, as this may the template.
    worth_it = _worth_it_until(campaign)
    with transaction.atomic(using=Campaign.database()):
        # First, for the time that they are to have and for the lock: until this is committed nobody
        # finishes the campaign by what it counted before, or cancels it.
        may_be = _campaign(campaign).filter(status__in=_RETRIED)
        if not may_be.update(expires_at=worth_it):
            return 0
        batch = lifecycle.retry_batch(campaign.pk, before=before)
        if batch:
            _run(campaign, Campaign.Status.FINISHED)
    return batch


# --- How far it is --------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """How far a campaign is."""

    counts: dict[str, int]
    """Messages by status, those under way left out."""
    under_way: int
    """Messages that wait or are in flight."""
    ended: int
    """All others."""
    per_second: float | None
    """Messages, over all the time that it has run; None: it has sent none yet."""
    seconds_left: float | None
    """None: it cannot be told."""


def progress(campaign: Campaign, counts: dict[str, int] | None = None) -> Progress:
    """Tell how far a campaign is. Costs the same whatever its size.

    Args:
        campaign: as it was read.
        counts: its `counts()`, where they are at hand.
    """
    counts = campaign.counts() if counts is None else counts
    ended = sum(counts.values())
    ran_for = campaign.ran_for
    is_running = campaign.status == Campaign.Status.RUNNING
    if is_running and campaign.started_at is not None:
        ran_for += timezone.now() - campaign.started_at
    seconds = ran_for.total_seconds()
    per_second = ended / seconds if ended and seconds > 0 else None
    under_way = campaign.queued_rows - ended
    return Progress(
        counts=counts,
        under_way=under_way,
        ended=ended,
        per_second=per_second,
        seconds_left=under_way / per_second if is_running and per_second else None,
    )


MOST_REASONS = 10_000
"""Messages whose reason is looked at."""


def reasons_not_sent(campaign: Campaign) -> Counter[str]:
    """Return why messages of a campaign were not sent, how often. Of bounded cost.

    Where there are more than `MOST_REASONS`, of some that are no more than those.
    """
    rows = MessageLog.objects.using(Campaign.database()).order_by()
    not_sent = rows.filter(campaign=campaign, status=Status.NOT_SENT)
    return Counter(not_sent.values_list("reason", flat=True)[:MOST_REASONS])


# --- What the worker does -------------------------------------------------------------------------


def upkeep() -> int:
    """Settle what has ended of the campaigns; return how many of them moved.

    Finishes those of which no message is under way, cancels those whose loading died or that
    nobody confirmed, expires what is not worth sending any more, and melts their tallies. One
    with more messages to end than there is patience for has moved, and is gone on with next time.
    """
    ends_at = time.monotonic() + PATIENCE
    campaigns = Campaign.objects.using(Campaign.database())
    died = Q(status=Campaign.Status.LOADING, lease_expires_at__lt=DatabaseNow())
    forgotten = Q(
        status__in=[Campaign.Status.MATCHING, Campaign.Status.CHECKING],
        created_at__lt=DatabaseNow(after=-FORGOTTEN),
    )
    moved = 0
    for campaign in campaigns.filter(finished_at=None):
        itself = campaigns.filter(pk=campaign.pk)
        if campaign.status == Campaign.Status.LOADING and campaign.sheet_columns:
            continue  # `uploads.upkeep` goes on with it.
        if campaign.status in _NOT_STARTED:
            if itself.filter(died | forgotten).exists():
                moved += _cancel(campaign, broke_off=itself.filter(died).exists())
        elif campaign.status == Campaign.Status.CANCELLED:
            moved += _settle_cancelled(campaign, ends_at=ends_at)
        elif itself.filter(expires_at__lt=DatabaseNow()).exists():
            moved += _settle_expired(campaign, ends_at=ends_at)
        else:
            moved += _finish(campaign)
    _melt_tallies()
    return moved


def _start(campaign: Campaign, before: str) -> None:
    if _run(campaign, before) and not _is_for_later(campaign):
        _hand_on_at_commit(campaign)


def _run(campaign: Campaign, before: str) -> bool:
    started = (
        _campaign(campaign)
        .filter(status=before)
        .update(
            status=Campaign.Status.RUNNING,
            started_at=timezone.now(),
            finished_at=None,
            lease_expires_at=None,
            expires_at=_worth_it_until(campaign),
        )
    )
    if started:
        _log(campaign, Campaign.Status.RUNNING)
    return bool(started)


def _is_for_later(campaign: Campaign) -> bool:
    return campaign.send_at is not None and campaign.send_at > timezone.now()


def _worth_it_until(campaign: Campaign) -> Any:
    """Return when what is left of it is not worth sending any more."""
    worth_it = settings.expires_after(campaign.template.category)
    if campaign.send_at is not None and _is_for_later(campaign):
        return campaign.send_at + worth_it
    return DatabaseNow(after=worth_it)


def _hand_on_at_commit(campaign: Campaign) -> None:
    transaction.on_commit(lambda: _hand_on(campaign), using=Campaign.database(), robust=True)


def _hand_on(campaign: Campaign) -> None:
    rows = MessageLog.objects.using(Campaign.database())
    queued = rows.filter(campaign=campaign, status=Status.QUEUED).order_by("pk")
    pks = cast("Generator[int]", queued.values_list("pk", flat=True).iterator())
    # Closed also where the engine does not take them all.
    with contextlib.closing(pks):
        dispatch_many(pks)


def _cancel(campaign: Campaign, *, broke_off: bool = False) -> bool:
    open_ = [one for one in Campaign.Status if one not in _ENDED]
    cancelled = (
        _campaign(campaign)
        .filter(status__in=open_)
        .update(status=Campaign.Status.CANCELLED, broke_off=broke_off, lease_expires_at=None)
    )
    if cancelled:
        _log(campaign, Campaign.Status.CANCELLED)
    return bool(cancelled)


_NOT_STARTED = (Campaign.Status.MATCHING, Campaign.Status.LOADING, Campaign.Status.CHECKING)
_ENDED = (Campaign.Status.FINISHED, Campaign.Status.CANCELLED)
_RETRIED = (Campaign.Status.RUNNING, Campaign.Status.PAUSED, Campaign.Status.FINISHED)
"""From which its messages can be tried again."""


def _settle_cancelled(campaign: Campaign, *, ends_at: float = math.inf) -> bool:
    CampaignPart.objects.using(Campaign.database()).filter(campaign=campaign).delete()
    is_interrupted = _end_queued(campaign, to=Status.CANCELLED, ends_at=ends_at)
    return is_interrupted or _finish(campaign)


def _settle_expired(campaign: Campaign, *, ends_at: float) -> bool:
    is_interrupted = _end_queued(
        campaign, to=Status.NOT_SENT, reason=Reason.EXPIRED, ends_at=ends_at
    )
    return is_interrupted or _finish(campaign)


def _end_queued(
    campaign: Campaign, *, to: Status, reason: Reason | str = "", ends_at: float = math.inf
) -> bool:
    """End what is queued of a campaign.

    Args:
        campaign: whose messages.
        to: the status that they come to.
        reason: why.
        ends_at: when, by the monotonic clock, to begin no further batch.

    Returns:
        Whether there may be more.
    """
    queued = Q(campaign=campaign, status=Status.QUEUED)
    while lifecycle.move_batch(queued, to=to, reason=reason):
        if time.monotonic() >= ends_at:
            return True
    return False


def _finish(campaign: Campaign) -> bool:
    """Settle a campaign of which no message is under way."""
    now = fresh(campaign)
    if now.finished_at is not None or _has_under_way(now):
        return False
    is_cancelled = now.status == Campaign.Status.CANCELLED
    finished_at = timezone.now()
    ran_for = now.ran_for
    if now.status == Campaign.Status.RUNNING and now.started_at is not None:
        ran_for += finished_at - now.started_at
    settled: dict[str, Any] = {"finished_at": finished_at}
    if not is_cancelled:
        settled |= {"status": Campaign.Status.FINISHED, "ran_for": ran_for}
    with transaction.atomic(using=Campaign.database()):
        itself = _campaign(now).filter(status=now.status, started_at=now.started_at)
        moved = itself.filter(finished_at=None).update(**settled)
        # Counted once more under the lock, which who queues them again has to wait for.
        if moved and _has_under_way(now):
            transaction.set_rollback(True, using=Campaign.database())
            return False
    if moved and not is_cancelled:
        _log(now, Campaign.Status.FINISHED)
        transaction.on_commit(
            lambda: campaign_finished.send_robust(Campaign, campaign=fresh(campaign)),
            using=Campaign.database(),
            robust=True,
        )
    return bool(moved)


def _has_under_way(campaign: Campaign) -> bool:
    return campaign.queued_rows > sum(campaign.counts().values())


def _melt_tallies() -> None:
    """Melt the tallies of each campaign that has many down to one a status."""
    tallies = CampaignTally.objects.using(Campaign.database()).order_by()
    many = tallies.values("campaign").annotate(Count("pk")).filter(pk__count__gte=MELT_AT)
    for campaign_id in list(many.values_list("campaign", flat=True)):
        while melt(tallies.filter(campaign=campaign_id), by=("campaign_id", "status")):
            pass


def _campaign(campaign: Campaign) -> Any:
    return Campaign.objects.using(Campaign.database()).filter(pk=campaign.pk)


def _stored(campaign: object) -> Campaign:
    if not isinstance(campaign, Campaign) or campaign.pk is None:
        raise InvalidMessage({"campaign": [_("This is not a stored campaign.")]})
    return campaign


def fresh(campaign: Campaign) -> Campaign:
    """Bring a campaign up to date."""
    campaign.refresh_from_db(using=Campaign.database())
    return campaign


def _log(campaign: Campaign, status: str) -> None:
    logger.info("Campaign %s is %s.", campaign.public_id, status)
