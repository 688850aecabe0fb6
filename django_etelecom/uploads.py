"""Campaigns from an upload: kept encrypted, columns matched, loaded part by part.

What was uploaded is read once, within the request, and rests sealed in the database until its rows
are loaded, by the request as far as it has patience and by the worker from there. Each part is
loaded and deleted in one transaction, so that a process that dies loads no row twice.

A sheet that a person uploads waits for that person, to match its columns and to start it. What a
program uploads says what it means and starts by itself.
"""

import contextlib
import dataclasses
import itertools
import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import IO, Any

from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from .campaigns import cancel_broken, draw_up, fresh, start_loaded
from .client.opaque import Opaque, shielded
from .drafts import Mold, idempotency_digest, prepare_many
from .exceptions import IdempotencyConflict, InvalidMessage
from .loading import Loader, Row
from .models import Campaign, CampaignPart, MessageLog, MessageTemplate, RouteRule
from .models.clock import DatabaseNow
from .redaction import clean_text
from .schema import MAX_UNKNOWN_NAMES, QUOTED, Wire
from .sealing import SealBroken, digest, digest_matches, seal, unseal
from .sheets import Mended, SheetRow, match_columns, mend_number, open_sheet
from .sheets.reading import MAX_HEADING
from .sheets.records import MAX_COLUMNS

PART = 500
"""Rows that are kept, and loaded, at once."""

PURPOSE = "part of an upload"

CONTENT = "campaign content"
"""The purpose of the keyed digest by which two campaigns are told to be the same."""

LEASE = timedelta(minutes=2)
"""For how long a process has an upload to itself; each part renews it."""

PATIENCE = 0.5
"""Seconds that a worker loads before it looks after what it sends."""

NUMBER = "to"

logger = logging.getLogger("django_etelecom")


def begin_upload(
    template: str | MessageTemplate,
    file: IO[bytes],
    file_name: str,
    *,
    name: str = "",
    route: RouteRule | str | None = None,
    sent_by: Any = None,
    send_at: datetime | None = None,
) -> Campaign:
    """Keep an uploaded sheet as a campaign that nobody has started yet.

    Its columns are matched to the number and the template's parameters by name. Where one that is
    needed has none, the campaign is `matching` and waits for `choose_columns`; else it is
    `loading`. After loading it is `checking` and waits for `start_campaign`.

    Args:
        template: a template or its code.
        file: CSV or XLSX, binary and seekable; it is read to its end.
        file_name: what it was called.
        name: what staff call the campaign; by default the file's name.
        route: as in `queue_campaign`, like the rest.
        sent_by: the user who sends.
        send_at: aware datetime before which nothing is sent.

    Raises:
        UnreadableSheet: the file cannot be read, to its end; nothing of it is kept.
        InvalidMessage, SendBlocked, ImproperlyConfigured: as `queue_campaign`; nothing was written.
    """
    sheet = open_sheet(file, file_name)
    campaign, mold = draw_up(
        template,
        name=name or clean_text(file_name, 200),
        route=route,
        sent_by=sent_by,
        send_at=send_at,
    )
    with _all_or_nothing(campaign):
        columns = _keep_all(campaign, sheet.rows())
    matched = match_columns(columns, [NUMBER, *mold.template.schema.names])
    ready = not _unmatched(mold, matched)
    is_loading = _loading(campaign).update(
        sheet_columns=columns,
        columns=matched,
        status=Campaign.Status.LOADING if ready else Campaign.Status.MATCHING,
        lease_expires_at=None,
    )
    if not is_loading:
        _forget_parts(campaign)
    return fresh(campaign)


def begin_campaign(
    template: str | MessageTemplate,
    rows: Iterable[SheetRow],
    *,
    name: str = "",
    route: RouteRule | str | None = None,
    sent_by: Any = None,
    send_at: datetime | None = None,
    idempotency_key: str | None = None,
    content: str = "",
) -> Campaign:
    """Keep rows as a campaign that starts by itself once `load_parts` has loaded them.

    Nobody looks at it before it starts, so that a name in its rows that means nothing, or one that
    is needed and that no row has, refuses it as a whole. Either all rows are kept or none is, and
    the idempotency key is taken when they are: a process that dies in the middle leaves a campaign
    that is never loaded, and the key free.

    Args:
        template: a template or its code.
        rows: their values by `to` and the template's parameters, or by headings that match them.
            They are read once, in constant memory, and what JSON can hold is kept as it is.
        name: what staff call the campaign.
        route: as in `queue_campaign`, like the rest.
        sent_by: the user who sends.
        send_at: aware datetime before which nothing is sent.
        idempotency_key: a name for this campaign of your choosing. A second call with the same key
            and the same content returns the first campaign, whose `is_replay` is true then, and
            keeps nothing.
        content: what is asked for, or a hash of it; it is kept as a keyed hash. Needed with a key.

    Raises:
        InvalidMessage: as `queue_campaign`; also `rows` where there is none, `to` and
            `params.<name>` of names, and `content`. Nothing is kept.
        IdempotencyConflict: the key was used before for other content.
        SendBlocked, ImproperlyConfigured: as `queue_campaign`.
        Exception: whatever reading the rows raises; nothing is kept.
    """
    source = iter(rows)
    del rows  # An error reporter that reads this frame finds no secret in it.
    digest_of_key = idempotency_digest(idempotency_key)
    if digest_of_key is not None and not content:
        sentence = _("Say what is asked for: by the key alone another campaign would pass for it.")
        raise InvalidMessage({"content": [sentence]})
    if earlier := _earlier(digest_of_key, content):
        return earlier
    campaign, mold = draw_up(template, name=name, route=route, sent_by=sent_by, send_at=send_at)
    try:
        with _all_or_nothing(campaign):
            columns = _keep_all(campaign, source)
            matched = _means_something(columns, mold)
            with transaction.atomic(using=Campaign.database()):
                is_loading = _loading(campaign).update(
                    sheet_columns=columns, columns=matched, lease_expires_at=None
                )
                _of(campaign).update(
                    starts_itself=True,
                    idempotency_digest=digest_of_key,
                    content_digest=digest(CONTENT, content) if digest_of_key else "",
                )
    except IntegrityError:
        # The same was asked for twice at once, and the other was first.
        if earlier := _earlier(digest_of_key, content):
            return earlier
        raise
    if not is_loading:
        _forget_parts(campaign)
    return fresh(campaign)


def _earlier(digest_of_key: str | None, content: str) -> Campaign | None:
    """Return the campaign that has taken an idempotency key.

    Raises:
        IdempotencyConflict: it is of other content.
    """
    campaign = Campaign.of_key(digest_of_key) if digest_of_key else None
    if campaign is None:
        return None
    if not digest_matches(campaign.content_digest, CONTENT, content):
        raise IdempotencyConflict(
            _("This idempotency key was already used for a campaign of other content (%(id)s).")
            % {"id": campaign.public_id}
        )
    campaign.is_replay = True
    return campaign


def _means_something(columns: Sequence[str], mold: Mold) -> dict[str, str]:
    """Return the column of each name, where every column has one.

    Raises:
        InvalidMessage: one that is needed has none, or there is one that means nothing.
    """
    if not columns:
        raise InvalidMessage({"rows": [_("Give at least one row.")]})
    # Others could not be stored.
    sound = [column for column in columns if clean_text(column, MAX_HEADING) == column]
    matched = match_columns(sound, [NUMBER, *mold.template.schema.names])
    faults = {
        name if name == NUMBER else f"params.{name}": [_("No row has a value of this name.")]
        for name in _unmatched(mold, matched)
    }
    unknown = [column for column in columns if column not in matched.values()]
    for column in unknown[:MAX_UNKNOWN_NAMES]:
        faults[f"params.{clean_text(column, QUOTED)}"] = [
            _("The template has no parameter of this name.")
        ]
    if faults:
        raise InvalidMessage(faults)
    return matched


@contextlib.contextmanager
def _all_or_nothing(campaign: Campaign) -> Iterator[None]:
    try:
        yield
    except BaseException:
        # Nobody has seen it yet.
        _of(campaign).delete()
        raise


def _keep_all(campaign: Campaign, rows: Iterator[SheetRow]) -> list[str]:
    """Keep rows a part at a time, and return the names of their values in order."""
    names: dict[str, None] = {}
    while (part := shielded(lambda: Opaque(list(itertools.islice(rows, PART))))).reveal():
        _keep(campaign, part)
        names |= dict.fromkeys(name for row in part.reveal() for name in row.values)
        if len(names) > MAX_COLUMNS:
            sentence = _("Together the rows have more than %(limit)d different names.")
            raise InvalidMessage({"rows": [sentence % {"limit": MAX_COLUMNS}]})
    return list(names)


def _forget_parts(campaign: Campaign) -> None:
    """Delete what is left of an upload that somebody has cancelled while it was read."""
    CampaignPart.objects.using(Campaign.database()).filter(campaign=campaign).delete()


def _keep(campaign: Campaign, part: Opaque[list[SheetRow]]) -> None:
    sealed = shielded(lambda: seal(json.dumps(part.reveal()), purpose=PURPOSE))
    CampaignPart.objects.using(Campaign.database()).create(campaign=campaign, sealed_rows=sealed)


def _unmatched(mold: Mold, columns: Mapping[str, str]) -> list[str]:
    """Return what a row cannot do without and has no column."""
    required = [one.name for one in mold.template.schema.parameters if one.required]
    return [name for name in (NUMBER, *required) if not columns.get(name)]


def choose_columns(campaign: Campaign, columns: Mapping[str, str]) -> Campaign:
    """Say which column holds the number (`to`) and which each parameter; then it is `loading`.

    A campaign that is not `matching` comes back as it is now.

    Args:
        campaign: of an upload.
        columns: the sheet's columns by name. An optional parameter may be left out, or be "".

    Raises:
        InvalidMessage: keyed `columns.<name>`: one that is needed has none, or it does not exist;
            also as `queue_campaign`, where the template is not what it was.
    """
    mold = _mold(campaign)
    chosen = {name: column for name, column in columns.items() if column}
    faults = {f"columns.{name}": [_("Choose a column.")] for name in _unmatched(mold, chosen)}
    names = {NUMBER, *mold.template.schema.names}
    for name, column in chosen.items():
        if name not in names:
            faults[f"columns.{name}"] = [_("The template has no parameter of this name.")]
        elif column not in campaign.sheet_columns:
            faults[f"columns.{name}"] = [_("The sheet has no such column.")]
    if faults:
        raise InvalidMessage(faults)
    matching = _of(campaign).filter(status=Campaign.Status.MATCHING)
    matching.update(columns=chosen, status=Campaign.Status.LOADING)
    return fresh(campaign)


def _mold(campaign: Campaign) -> Mold:
    mold = prepare_many(campaign.template, route=campaign.requested_route)
    # The template's route may have changed since a person chose it.
    return dataclasses.replace(mold, channels=tuple(campaign.channels))


def load_parts(campaign: Campaign, *, patience: float) -> bool:
    """Load the parts of an upload, as many as there is patience for.

    Does nothing where another process is at it, or the campaign is not `loading`. A template that
    can send no more, and parts that today's keys do not open, cancel the campaign.

    Args:
        campaign: of an upload.
        patience: seconds of loading after which no further part is begun.

    Returns:
        Whether all are loaded; the campaign is `checking` then, or has started by itself.

    Raises:
        InvalidMessage, SealBroken: the campaign is cancelled by that.
        ImproperlyConfigured: its account, or a setting, cannot be used. It waits as it is.
    """
    free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=DatabaseNow())
    loading = _loading(campaign)
    if not loading.filter(free).update(lease_expires_at=DatabaseNow(after=LEASE)):
        return False
    fresh(campaign)
    try:
        loader = Loader(campaign, _mold(campaign), lease=LEASE)
        # From here on: getting ready may take longer than that, and would then be all that is done.
        ends_at = time.monotonic() + patience
        is_done = False
        while not is_done and time.monotonic() < ends_at:
            is_done = not _load_next(campaign, loader)
        if is_done and campaign.starts_itself:
            start_loaded(campaign)
            return True
    except (InvalidMessage, SealBroken):
        cancel_broken(campaign)
        raise
    except ImproperlyConfigured:
        # Once the settings are mended, nobody waits for the lease to lapse.
        loading.update(lease_expires_at=None)
        raise
    status = Campaign.Status.CHECKING if is_done else Campaign.Status.LOADING
    loading.update(status=status, lease_expires_at=None)
    return is_done


def _load_next(campaign: Campaign, loader: Loader) -> bool:
    """Load one part; False: there is none, or the campaign was cancelled."""
    parts = CampaignPart.objects.using(Campaign.database()).filter(campaign=campaign)
    part = parts.first()
    if part is None:
        return False
    chunk = loader.read(_rows(part, campaign.columns))
    with transaction.atomic(using=Campaign.database()):
        taken, _by_model = parts.filter(pk=part.pk).delete()
        return bool(taken) and loader.write(chunk)


def _rows(part: CampaignPart, columns: Mapping[str, str]) -> Iterator[Row]:
    sealed = part.sealed_rows
    rows = shielded(lambda: list(map(Opaque, json.loads(unseal(sealed, purpose=PURPOSE)))))
    return (_row(row, columns) for row in rows)


def _row(row: Opaque[list[Any]], columns: Mapping[str, str]) -> Row:
    return shielded(lambda: _matched(SheetRow(*row.reveal()), columns))


def _matched(row: SheetRow, columns: Mapping[str, str]) -> Row:
    values = {name: row.values.get(column, "") for name, column in columns.items()}
    number = values[NUMBER]
    # What is no text, the number's own check refuses.
    mended = mend_number(number) if isinstance(number, str) else Mended(number)
    return Row(
        number=row.number,
        values=Opaque({**values, NUMBER: mended.value}),
        notices=(*row.notices, *filter(None, [mended.notice])),
        faults=(*row.faults, *filter(None, [mended.fault])),
    )


def upkeep() -> int:
    """Load what uploads have waiting; return how many of them are loaded by that."""
    loading = Campaign.objects.using(Campaign.database()).filter(status=Campaign.Status.LOADING)
    loaded = 0
    for campaign in loading:
        # One without columns is not kept to its end yet, or comes from `queue_campaign`.
        if campaign.sheet_columns:
            try:
                loaded += load_parts(campaign, patience=PATIENCE)
            except (InvalidMessage, SealBroken) as error:
                logger.error("Campaign %s is cancelled: %s", campaign.public_id, error)
            # The settings of one account; the others go on.
            except ImproperlyConfigured as error:
                logger.error("Nothing is loaded of campaign %s: %s", campaign.public_id, error)
    return loaded


# --- What the person behind a number asks for -----------------------------------------------------


def rows_waiting(campaign: Campaign) -> Iterator[Opaque[SheetRow]]:
    """Return the rows of an upload that are not loaded yet, as they came; they may hold secrets.

    Raises:
        SealBroken: today's keys do not open them.
        ImproperlyConfigured: `ENCRYPTION_KEYS` cannot be used.
    """
    parts = CampaignPart.objects.using(Campaign.database()).filter(campaign=campaign)
    for pk in list(parts.values_list("pk", flat=True)):
        # Perhaps it was loaded meanwhile.
        for part in parts.filter(pk=pk):
            yield from shielded(lambda: list(map(Opaque, _opened(part))))  # noqa: B023


def drop_rows(campaign: Campaign, is_meant: Callable[[SheetRow], bool]) -> int | None:
    """Drop rows of an upload that are not loaded yet, and return how many.

    Args:
        campaign: which has parts, or is `loading`.
        is_meant: says of a row whether it is to go.

    Returns:
        None: another process is just reading or loading them.

    Raises:
        SealBroken, ImproperlyConfigured: as `rows_waiting`.
    """
    waiting = _of(campaign).filter(status__in=[Campaign.Status.MATCHING, Campaign.Status.LOADING])
    free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=DatabaseNow())
    held = {"lease_expires_at": DatabaseNow(after=LEASE)}
    if not fresh(campaign).sheet_columns or not waiting.filter(free).update(**held):
        return None
    parts = CampaignPart.objects.using(Campaign.database()).filter(campaign=campaign)
    dropped = 0
    try:
        for pk in list(parts.values_list("pk", flat=True)):
            # Perhaps somebody has cancelled it meanwhile.
            for part in parts.filter(pk=pk):
                dropped += shielded(lambda: _drop(part, is_meant))  # noqa: B023
            waiting.update(**held)
    finally:
        waiting.update(lease_expires_at=None)
    return dropped


def _drop(part: CampaignPart, is_meant: Callable[[SheetRow], bool]) -> int:
    rows = _opened(part)
    kept = [row for row in rows if not is_meant(row)]
    if len(kept) < len(rows):
        itself = CampaignPart.objects.using(Campaign.database()).filter(pk=part.pk)
        itself.update(sealed_rows=seal(json.dumps(kept), purpose=PURPOSE))
    return len(rows) - len(kept)


def _opened(part: CampaignPart) -> list[SheetRow]:
    return [SheetRow(*row) for row in json.loads(unseal(part.sealed_rows, purpose=PURPOSE))]


# --- Before it is confirmed -----------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class CampaignCheck:
    """What a person sees before starting a campaign."""

    messages: int
    """That will go."""
    faulty_rows: int
    repeated_rows: int
    first: list[tuple[MessageLog, str]]
    """Some messages, each with its text, secrets masked."""
    least_paid: int
    """Paid messages, if the first channel takes every one."""
    most_paid: int
    """Paid messages, if every one slides on to SMS, where the route has it."""


FIRST = 3
"""Messages that are shown."""


def check_campaign(campaign: Campaign) -> CampaignCheck:
    """Tell what would be sent by a campaign that was loaded. Costs the same whatever its size."""
    template = campaign.template
    names = list(template.parameters.values_list("name", flat=True))
    messages = MessageLog.objects.using(Campaign.database()).filter(campaign=campaign)
    first = [
        (message, Wire(message.params, names=names, secret_names=()).render(template.text))
        for message in messages.order_by("pk")[:FIRST]
    ]
    by_sms = campaign.sms_parts if "3" in campaign.channels else campaign.queued_rows
    return CampaignCheck(
        messages=campaign.queued_rows,
        faulty_rows=campaign.faulty_rows,
        repeated_rows=campaign.repeated_rows,
        first=first,
        least_paid=by_sms if campaign.channels == ["3"] else campaign.queued_rows,
        most_paid=by_sms,
    )


def _of(campaign: Campaign) -> Any:
    return Campaign.objects.using(Campaign.database()).filter(pk=campaign.pk)


def _loading(campaign: Campaign) -> Any:
    return _of(campaign).filter(status=Campaign.Status.LOADING)
