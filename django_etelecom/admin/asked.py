"""What the address of the list of messages asks for: a closed list of words, each checked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta

from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.db.models import BigAutoField
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from .. import phone
from ..finding.asked import Asked
from ..finding.search import Search, read_search
from ..models.messages import Status
from ..redaction import clean_text
from .log import recorded

STATUS = "status__exact"
STATUSES = "status__in"
TEMPLATE = "template__id__exact"
CAMPAIGN = "campaign__id__exact"
ACCOUNT = "account"
FILTERS = (STATUS, STATUSES, TEMPLATE, CAMPAIGN, ACCOUNT)
SEARCH = "q"
SINCE = "since"
UNTIL = "until"
WHICH = (*FILTERS, SEARCH, SINCE, UNTIL)
"""What says which messages are meant."""

BEFORE = "before"
AFTER = "after"
POPUP = ("_popup", "_to_field", "_source_model")
# Of Django's own lists; here they do nothing.
PASSED_OVER = ("o", "p", "all", "e", "_facets")
LONGEST_TOLD = 100
"""Characters of one word that the admin's log has."""

_KNOWN = frozenset((*WHICH, BEFORE, AFTER, *POPUP, *PASSED_OVER))


def read_address(address: Mapping[str, str]) -> Asked:
    """Return what an address asks for.

    Raises:
        SuspiciousOperation: it has a word that no page of ours writes, or a value that cannot be.
    """
    for name in address:
        if name not in _KNOWN:
            raise SuspiciousOperation(f"The list of messages cannot be asked for {name!r}.")
    faults: list[str] = []
    return Asked(
        statuses=_statuses(address),
        template=read_key(address, TEMPLATE),
        campaign=read_key(address, CAMPAIGN),
        account=_account(address),
        search=_search(address, faults),
        since=_day(address, SINCE, faults),
        until=_day(address, UNTIL, faults),
        before=read_key(address, BEFORE),
        after=read_key(address, AFTER),
        faults=tuple(faults),
    )


def described(address: Mapping[str, str], asked: Asked) -> str:
    """Return which messages are meant, as a line of the admin's log: without a whole number."""
    # What is searched for may be an id, which looks like anything, and takes no line of its own.
    told = {
        name: clean_text(address[name].strip(), LONGEST_TOLD)
        for name in WHICH
        if address.get(name, "").strip()
    }
    if asked.search and asked.search.number:
        told[SEARCH] = phone.mask(asked.search.number)
    return ", ".join(f"{name}={value}" for name, value in told.items()) or recorded(
        gettext_lazy("all")
    )


def _account(address: Mapping[str, str]) -> str:
    # It may have left the settings, and its messages are still to be found.
    alias = address.get(ACCOUNT, "")
    if len(alias) > LONGEST_TOLD or not alias.isprintable():
        raise SuspiciousOperation("This is no account's name.")
    return alias


def _statuses(address: Mapping[str, str]) -> tuple[str, ...]:
    words = address.get(STATUS) or address.get(STATUSES)
    statuses = tuple(words.split(",")) if words else ()
    if not set(statuses) <= set(Status.values):
        raise SuspiciousOperation("There is no such status.")
    return statuses


def read_key(address: Mapping[str, str], name: str) -> int | None:
    """Return the key that an address names.

    Raises:
        SuspiciousOperation: it is none.
    """
    word = address.get(name)
    if not word:
        return None
    try:
        key = int(word)
    except ValueError:
        key = -1
    if not 0 <= key <= BigAutoField.MAX_BIGINT:
        raise SuspiciousOperation(f"{name} is no key.")
    return key


def _search(address: Mapping[str, str], faults: list[str]) -> Search | None:
    # Of a NUL, Django's own form of the search box has told.
    typed = address.get(SEARCH, "").replace("\x00", "").strip()
    if not typed:
        return None
    try:
        search = read_search(typed)
    except ImproperlyConfigured as error:
        sentence = _("This site's settings do not allow a search: %(error)s")
        faults.append(sentence % {"error": error})
        return None
    if search is None:
        faults.append(_("This cannot be searched for: type one of what is named below the box."))
    return search


def _day(address: Mapping[str, str], name: str, faults: list[str]) -> datetime | None:
    word = address.get(name, "").strip()
    if not word:
        return None
    try:
        day = date.fromisoformat(word) + timedelta(days=name == UNTIL)
        midnight = timezone.make_aware(datetime.combine(day, time.min))
        # Nor is it one that the database cannot be asked for.
        return midnight.astimezone(timezone.get_fixed_timezone(0))
    except (ValueError, OverflowError):
        faults.append(_("“%(typed)s” is not a day. Write it as 2026-12-24.") % {"typed": word[:50]})
        return None
