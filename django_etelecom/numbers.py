"""The two lists of numbers: who must not be sent to, and who agreed to advertising.

What is listed outlives the keys of the day: a number is looked up by its digests under all keys,
and written under today's. One whose data was erased stays listed by its digest alone.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from django.db import IntegrityError, connections, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from . import turns
from .conf import CATEGORIES, settings
from .exceptions import InvalidMessage
from .models import Consent, MessageLog, NumberHistory, Suppression
from .phone import existing, mask, recognize
from .redaction import clean_text
from .sealing import number_digests, number_keys
from .users import present_user_pk

Reason = Suppression.Reason
Scope = Suppression.Scope
T = TypeVar("T")
Listed = TypeVar("Listed", Suppression, Consent)

SCOPES: Mapping[str, str] = {
    Reason.OPT_OUT: Scope.ADVERTISING,
    Reason.COMPLAINT: Scope.ADVERTISING,
    Reason.ERASED: Scope.EVERYTHING,
    Reason.STAFF: Scope.EVERYTHING,
}
"""What a number gets no more of, where nobody says so, by the reason."""

LONGEST_TEXT = 255
"""Characters of a note, and of a consent's source."""

MARGIN = 86_400
"""Seconds that a number's history is kept beyond need, whatever the clocks say."""

BATCH = 500
"""Histories that are deleted by one transaction."""

PATIENCE = 0.5
"""Seconds that a worker deletes histories before it looks after what it sends."""

logger = logging.getLogger("django_etelecom")


# --- The suppression list -------------------------------------------------------------------------


class Entry(NamedTuple):
    """A number that is to be suppressed; it has been found good."""

    number: str
    """In wire form."""
    reason: str
    scope: str
    note: str = ""


def suppress_number(
    phone: str, *, reason: str = "opt_out", scope: str | None = None, note: str = "", by: Any = None
) -> Suppression:
    """Put a number on the suppression list: from now on the guards stop what it would get.

    What is queued for it is stopped too, when its turn comes. Twice for the same reason makes no
    second entry: the first comes back, its scope widened where this call asks for more.

    Args:
        phone: as a person typed it. Any number that a numbering plan has, also one that the site
            does not send to: it may be allowed tomorrow.
        reason: `opt_out`, `complaint`, `erased` or `staff`.
        scope: `advertising` or `everything`; by default `advertising` for the first two reasons,
            `everything` for the others.
        note: for staff, at most 255 characters.
        by: the user who decided it, for the record.

    Raises:
        InvalidMessage: keyed `phone`, `reason`, `scope`, `note`, `by`; nothing was written.
        ImproperlyConfigured: the site's keys or `ALLOWED_NUMBERS` cannot be used.
    """
    faults: dict[str, list[str]] = {}
    entry = collect(faults, lambda: read_entry(phone, reason=reason, scope=scope, note=note))
    by_pk = collect(faults, lambda: present_user_pk("by", by))
    if faults or entry is None:
        raise InvalidMessage(faults)
    suppress_all([entry], by_pk=by_pk)
    listed = suppressions_of(entry.number).filter(reason=entry.reason)
    # Locked: a transaction of the caller's may be too old to see what another has just written.
    with transaction.atomic(using=listed.db):
        return listed.select_for_update().earliest("pk")


def lift_suppression(phone: str, *, reason: str | None = None, by: Any = None) -> int:
    """Take a number off the suppression list.

    Args:
        phone: as a person typed it.
        reason: the one that holds no more; by default all of them.
        by: the user who decided it, for the log.

    Returns:
        How many entries went.

    Raises:
        InvalidMessage: keyed `phone`, `reason`, `by`.
        ImproperlyConfigured: the site's keys cannot be used.
    """
    faults: dict[str, list[str]] = {}
    number = collect(faults, lambda: read_number(phone))
    if reason is not None:
        collect(faults, lambda: _choice("reason", reason, Reason.values))
    by_pk = collect(faults, lambda: present_user_pk("by", by))
    if faults or number is None:
        raise InvalidMessage(faults)
    return lift_all([number], reason=reason, by_pk=by_pk)


def read_entry(phone: object, *, reason: object, scope: object = None, note: object = "") -> Entry:
    """Check what is to be suppressed.

    Raises:
        InvalidMessage, ImproperlyConfigured: as `suppress_number`.
    """
    faults: dict[str, list[str]] = {}
    number = collect(faults, lambda: _phone(phone, existing))
    why = collect(faults, lambda: _choice("reason", reason, Reason.values))
    what = None
    if scope is not None:
        what = collect(faults, lambda: _choice("scope", scope, Scope.values))
    text = collect(faults, lambda: _text("note", note))
    if faults or number is None or why is None or text is None:
        raise InvalidMessage(faults)
    return Entry(number, why, str(what or SCOPES[why]), text)


def suppress_all(entries: Sequence[Entry], *, by_pk: Any = None, dry_run: bool = False) -> int:
    """Suppress numbers, as `suppress_number` does each; return how many entries are new.

    Some statements for all of them.

    Args:
        entries: those.
        by_pk: the user's.
        dry_run: write nothing.
    """
    digests = _digests(entry.number for entry in entries)
    rows = _rows(Suppression)
    scopes: dict[tuple[str, str], str] = {}
    numbers = {digest: number for number, those in digests.items() for digest in those}
    listed = rows.filter(number_digest__in=numbers).order_by()
    for digest, reason, scope in listed.values_list("number_digest", "reason", "scope"):
        scopes[numbers[digest], reason] = scope
    new: dict[tuple[str, str], Suppression] = {}
    widened: defaultdict[str, list[str]] = defaultdict(list)
    for number, reason, scope, note in entries:
        if (number, reason) not in scopes and (number, reason) not in new:
            is_erased = reason == Reason.ERASED or (number, Reason.ERASED) in scopes
            new[number, reason] = Suppression(
                number_digest=digests[number][0],
                # Who had it erased does not come back by being listed once more.
                recipient="" if is_erased else number,
                reason=reason,
                scope=scope,
                note=note,
                created_by_id=by_pk,
            )
        if scope == Scope.EVERYTHING != scopes.get((number, reason)):
            widened[reason] += digests[number]
    if dry_run:
        return len(new)
    with transaction.atomic(using=rows.db):
        # Another process may be doing the same.
        rows.bulk_create(new.values(), ignore_conflicts=True)
        _check_written(new.values())
        for reason, of_them in widened.items():
            narrow = rows.filter(number_digest__in=of_them, reason=reason, scope=Scope.ADVERTISING)
            narrow.update(scope=Scope.EVERYTHING)
    return len(new)


def _check_written(entries: Collection[Suppression]) -> None:
    """Raise an `IntegrityError` where one is not on the list.

    MariaDB ignores any conflict, also that with a user who was deleted meanwhile.
    """
    digests = {entry.number_digest for entry in entries if entry.created_by_id is not None}
    listed = _rows(Suppression).filter(number_digest__in=digests).order_by()
    there = set(listed.values_list("number_digest", "reason"))
    if any(
        entry.number_digest in digests and (entry.number_digest, entry.reason) not in there
        for entry in entries
    ):
        raise IntegrityError("A suppression could not be written: its user does not exist.")


def lift_all(numbers: Sequence[str], *, reason: str | None = None, by_pk: Any = None) -> int:
    """Take numbers in wire form off the list, as `lift_suppression` does each."""
    listed = _of(Suppression, numbers)
    lifted = listed if reason is None else listed.filter(reason=reason)
    count, _by_model = lifted.delete()
    if count:
        # The rows are gone; this is what is left to be asked.
        told = ", ".join(map(mask, numbers))
        why = reason or "all reasons"
        logger.info("Suppressions lifted: %d (%s), by user %s: %s.", count, why, by_pk, told)
    return count


def suppressions_of(number: str) -> QuerySet[Suppression]:
    """Return the entries of a number in wire form, found by its digests."""
    return _of(Suppression, [number])


# --- Consents -------------------------------------------------------------------------------------


class Agreement(NamedTuple):
    """A consent that is to be recorded; it has been found good."""

    number: str
    """In wire form."""
    source: str
    given_at: datetime
    withdrawn_at: datetime | None = None


def record_consent(
    phone: str, *, source: str, given_at: datetime | None = None, by: Any = None
) -> Consent:
    """Record that the person behind a number agreed to advertising, so that it can be proved.

    Each consent is a record of its own, and none is ever overwritten. The same one once more, of
    the same source and time, makes no second record: the first comes back. One that was given
    before the number's consent was withdrawn is recorded as withdrawn. Consent lifts no
    suppression: of a number that opted out, see `lift_suppression`.

    Args:
        phone: as a person typed it.
        source: how and where it was given, such as `Order form, box ticked, order DH-1024`; at
            most 255 characters.
        given_at: aware datetime; by default now.
        by: the user who recorded it.

    Raises:
        InvalidMessage: keyed `phone`, `source`, `given_at`, `by`; nothing was written.
        ImproperlyConfigured: the site's keys or `ALLOWED_NUMBERS` cannot be used.
    """
    faults: dict[str, list[str]] = {}
    at = timezone.now() if given_at is None else given_at
    agreement = collect(faults, lambda: read_agreement(phone, source=source, given_at=at))
    by_pk = collect(faults, lambda: present_user_pk("by", by))
    if faults or agreement is None:
        raise InvalidMessage(faults)
    agree_all([agreement], by_pk=by_pk)
    recorded = consents_of(agreement.number).filter(given_at=agreement.given_at)
    # By the text as it is: MariaDB finds `form` for `Form`.
    return next(one for one in recorded.order_by("pk") if one.source == agreement.source)


def withdraw_consent(phone: str, *, by: Any = None) -> int:
    """Withdraw what a number has agreed to; the records stay, as proof of what was sent before.

    Args:
        phone: as a person typed it.
        by: the user who recorded it, for the log.

    Returns:
        How many consents were withdrawn by this.

    Raises:
        InvalidMessage: keyed `phone`, `by`.
        ImproperlyConfigured: the site's keys cannot be used.
    """
    faults: dict[str, list[str]] = {}
    number = collect(faults, lambda: read_number(phone))
    by_pk = collect(faults, lambda: present_user_pk("by", by))
    if faults or number is None:
        raise InvalidMessage(faults)
    return withdraw_all([number], by_pk=by_pk)


def read_agreement(
    phone: object, *, source: object, given_at: object, withdrawn_at: object = None
) -> Agreement:
    """Check a consent that is to be recorded.

    Raises:
        InvalidMessage, ImproperlyConfigured: as `record_consent`; also keyed `withdrawn_at`.
    """
    faults: dict[str, list[str]] = {}
    number = collect(faults, lambda: _phone(phone, existing))
    text = collect(faults, lambda: _text("source", source))
    if text == "":
        faults["source"] = [_("Say how and where it was given, so that it can be proved.")]
    given = collect(faults, lambda: _past("given_at", given_at))
    withdrawn = None
    if withdrawn_at is not None:
        withdrawn = collect(faults, lambda: _past("withdrawn_at", withdrawn_at))
    if given is not None and withdrawn is not None and withdrawn < given:
        faults["withdrawn_at"] = [_("This is before it was given.")]
    if faults or number is None or text is None or given is None:
        raise InvalidMessage(faults)
    return Agreement(number, text, given, withdrawn)


def agree_all(agreements: Sequence[Agreement], *, by_pk: Any = None, dry_run: bool = False) -> int:
    """Record consents, as `record_consent` does each; return how many records are new.

    A withdrawal among them ends what its number has agreed to before.

    Args:
        agreements: those.
        by_pk: the user's.
        dry_run: write nothing.
    """
    digests = _digests(agreement.number for agreement in agreements)
    numbers = {digest: number for number, those in digests.items() for digest in those}
    rows = _rows(Consent)
    known: set[tuple[str, str, datetime]] = set()
    withdrawals: dict[str, datetime] = {}
    recorded = rows.filter(number_digest__in=numbers).order_by()
    for digest, source, given_at, withdrawn_at in recorded.values_list(
        "number_digest", "source", "given_at", "withdrawn_at"
    ):
        known.add((numbers[digest], source, given_at))
        _keep_latest(withdrawals, numbers[digest], withdrawn_at)
    ended = {one.number for one in agreements if one.withdrawn_at is not None}
    for one in agreements:
        _keep_latest(withdrawals, one.number, one.withdrawn_at)
    new: dict[tuple[str, str, datetime], Consent] = {}
    for number, source, given_at, withdrawn_at in agreements:
        if (number, source, given_at) not in known:
            ends_at = withdrawals.get(number)
            later = ends_at if ends_at is not None and given_at <= ends_at else None
            new[number, source, given_at] = Consent(
                number_digest=digests[number][0],
                recipient=number,
                source=source,
                given_at=given_at,
                withdrawn_at=withdrawn_at or later,
                created_by_id=by_pk,
            )
    if dry_run:
        return len(new)
    with transaction.atomic(using=rows.db):
        rows.bulk_create(new.values())
        for number in ended:
            ends_at = withdrawals[number]
            before = rows.filter(number_digest__in=digests[number], given_at__lte=ends_at)
            before.filter(withdrawn_at=None).update(withdrawn_at=ends_at)
    return len(new)


def withdraw_all(numbers: Sequence[str], *, by_pk: Any = None) -> int:
    """Withdraw what numbers in wire form agreed to, as `withdraw_consent` does each."""
    consents = _of(Consent, numbers).filter(withdrawn_at=None)
    count = consents.update(withdrawn_at=timezone.now())
    if count:
        told = ", ".join(map(mask, numbers))
        logger.info("Consents withdrawn: %d, by user %s: %s.", count, by_pk, told)
    return count


def consents_of(number: str) -> QuerySet[Consent]:
    """Return the consents of a number in wire form, found by its digests."""
    return _of(Consent, [number])


def _keep_latest(instants: dict[str, datetime], number: str, instant: datetime | None) -> None:
    if instant is not None and (number not in instants or instants[number] < instant):
        instants[number] = instant


# --- Keys -----------------------------------------------------------------------------------------


def has_lost_keys(model: type[Suppression | Consent]) -> bool:
    """Tell whether the list has rows whose digest no key of today's makes.

    Some look-ups by the index, whatever the size of the table: what lies between the digests of
    the keys that are known.

    Raises:
        ImproperlyConfigured: `ENCRYPTION_KEYS` cannot be used.
    """
    rows = model._default_manager.using(model.database()).order_by()
    begins = ""
    for name in sorted(number_keys()):
        if rows.filter(number_digest__gt=begins, number_digest__lt=name).exists():
            return True
        # After all that begins with it, in whatever order a database has full stop and digits.
        begins = f"{name}g"
    return rows.filter(number_digest__gt=begins).exists()


# --- What numbers had lately ----------------------------------------------------------------------


def upkeep() -> int:
    """Delete the histories of numbers that no limit asks for any more; return how many.

    Raises:
        ImproperlyConfigured: GUARDS cannot be used.
    """
    rules = [settings.guards(category) for category in CATEGORIES]
    limit = time.time() - turns.looks_back(rules) - MARGIN
    ends_at = time.monotonic() + PATIENCE
    deleted = 0
    while (count := _delete_histories(limit)) and time.monotonic() < ends_at:
        deleted += count
    return deleted + count


def _delete_histories(limit: float) -> int:
    """Delete some that were not touched since an instant and that nobody holds."""
    database = MessageLog.database()
    features = connections[database].features
    old = NumberHistory.objects.using(database).filter(touched_at__lt=limit)
    # SQLite has no locks but one, and begins no transaction of ours by reading.
    locked = transaction.atomic(using=database)
    with locked if features.has_select_for_update else contextlib.nullcontext():
        free = old.select_for_update(skip_locked=features.has_select_for_update_skip_locked)
        pks = list(free.values_list("pk", flat=True)[:BATCH])
        count, _by_model = old.filter(pk__in=pks).delete() if pks else (0, {})
    return count


# --- What both take -------------------------------------------------------------------------------


def collect(faults: dict[str, list[str]], check: Callable[[], T]) -> T | None:
    """Return what a check does; where it finds faults, keep them and return None."""
    try:
        return check()
    except InvalidMessage as error:
        faults.update(error.message_dict)
        return None


def read_number(typed: object) -> str:
    """Return the wire's form of a number that may be on record.

    Raises:
        InvalidMessage: keyed `phone`.
    """
    return _phone(typed, recognize)


def _rows(model: type[Listed]) -> QuerySet[Listed]:
    return model._default_manager.using(model.database())


def _of(model: type[Listed], numbers: Iterable[str]) -> QuerySet[Listed]:
    digests = [digest for those in _digests(numbers).values() for digest in those]
    return _rows(model).filter(number_digest__in=digests)


def _digests(numbers: Iterable[str]) -> dict[str, tuple[str, ...]]:
    return {number: number_digests(number) for number in dict.fromkeys(numbers)}


def _fault(field: str, sentence: str) -> InvalidMessage:
    return InvalidMessage({field: [sentence]})


def _phone(typed: object, read: Callable[[object], str]) -> str:
    try:
        return read(typed)
    except InvalidMessage as error:
        raise InvalidMessage({"phone": error.messages}) from None


def _choice(field: str, given: object, known: Sequence[str]) -> str:
    if not isinstance(given, str) or given not in known:
        sentence = _("Give one of: %(known)s.") % {"known": ", ".join(known)}
        raise _fault(field, sentence)
    return given


def _text(field: str, given: object) -> str:
    if not isinstance(given, str):
        raise _fault(field, _("Give text, not %(type)s.") % {"type": type(given).__name__})
    text = given.strip()
    if len(text) > LONGEST_TEXT:
        sentence = _("This has %(length)d characters; at most %(limit)d are taken.")
        raise _fault(field, sentence % {"length": len(text), "limit": LONGEST_TEXT})
    return clean_text(text, LONGEST_TEXT)


def _past(field: str, instant: object) -> datetime:
    if not isinstance(instant, datetime) or timezone.is_naive(instant):
        raise _fault(field, _("Give a datetime with a time zone."))
    # At the beginning of the calendar instants cannot be shown in every time zone.
    if instant.year < 1970:
        raise _fault(field, _("This is too long ago."))
    if instant > timezone.now():
        raise _fault(field, _("This has not come yet."))
    return instant
