"""The two lists of numbers as files: read line by line, taken over by the batch, written out.

What is written out can be read again, here or on another site, but for numbers that were erased:
of them there is only a digest, which means nothing to any other key.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any, Generic, NamedTuple, TypeVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from .exceptions import InvalidMessage
from .hours import ZONE
from .models import Consent, Suppression
from .numbers import (
    Agreement,
    Entry,
    agree_all,
    collect,
    lift_all,
    read_agreement,
    read_entry,
    read_number,
    suppress_all,
    withdraw_all,
)
from .redaction import clean_text
from .sheets import SheetRow, UnreadableSheet, match_columns, open_sheet

Item = TypeVar("Item", bound=Hashable)

BATCH = 500
"""Lines that are taken over by one transaction, and rows that are read at once."""

NUMBER = "to"
"""The number's column, as `match_columns` knows it by all its usual headings."""

DIGEST = "digest"

QUOTED = 50
"""Characters of a faulty value that a sentence repeats."""

_INSTANTS = (
    "%d/%m/%Y",
    "%H:%M %d/%m/%Y",
    "%H:%M:%S %d/%m/%Y",
    "%d/%m/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
)


class Line(NamedTuple, Generic[Item]):
    """A line of a file."""

    number: int
    """Where a person finds it."""
    item: Item | None
    """What it says; None: it is faulty."""
    faults: tuple[str, ...]
    """Sentences, each with the name of its column."""


@dataclass(frozen=True, slots=True)
class NumberList(Generic[Item]):
    """What becomes of the lines of a file."""

    columns: tuple[str, ...]
    """Those that it may have beside the number's."""
    read: Callable[[Mapping[str, str]], Item]
    """Checks what a line says: `phone` and `columns`, empty where nobody said it."""
    write: Callable[..., int]
    """Takes over some items, by the user of `by_pk`; returns how many changed something. With
    `dry_run` it writes nothing."""
    key: Callable[[Item], Hashable] = lambda item: item
    """By what two lines say the same."""


# --- Suppressions ---------------------------------------------------------------------------------


def _entry(told: Mapping[str, str]) -> Entry:
    return read_entry(
        told["phone"], reason=told["reason"], scope=told["scope"] or None, note=told["note"]
    )


SUPPRESSED = NumberList(
    columns=("reason", "scope", "note"),
    read=_entry,
    write=suppress_all,
    key=lambda entry: entry[:2],
)
"""Numbers that are to be put on the suppression list."""


def lifted(reason: str | None = None) -> NumberList[str]:
    """Return what takes numbers off the suppression list; None: whatever the reason."""

    def write(numbers: Sequence[str], **options: Any) -> int:
        return lift_all(numbers, reason=reason, **options)

    return NumberList(columns=(), read=_number, write=write)


# --- Consents -------------------------------------------------------------------------------------


def _agreement(told: Mapping[str, str]) -> Agreement:
    faults: dict[str, list[str]] = {}
    given = collect(faults, lambda: _instant("given_at", told["given_at"]))
    withdrawn = None
    if told["withdrawn_at"]:
        withdrawn = collect(faults, lambda: _instant("withdrawn_at", told["withdrawn_at"]))
    others: dict[str, list[str]] = {}
    agreement = collect(
        others,
        lambda: read_agreement(
            told["phone"], source=told["source"], given_at=given, withdrawn_at=withdrawn
        ),
    )
    # Of what is no time at all it has been said why.
    faults = {**others, **faults}
    if faults or agreement is None:
        raise InvalidMessage(faults)
    return agreement


CONSENTED = NumberList(
    columns=("source", "given_at", "withdrawn_at"),
    read=_agreement,
    write=agree_all,
    key=lambda agreement: agreement[:3],
)
"""Consents that are to be recorded."""


def _number(told: Mapping[str, str]) -> str:
    return read_number(told["phone"])


WITHDRAWN = NumberList(columns=(), read=_number, write=withdraw_all)
"""Numbers whose consents are to be withdrawn."""


def _instant(field: str, text: str) -> datetime:
    """Read an instant as people, spreadsheets and exports write it; without a zone Vietnam's."""
    if not text:
        raise InvalidMessage({field: [_("Say when: consent has to be proved.")]})
    for read in (datetime.fromisoformat, *map(_by_format, _INSTANTS)):
        try:
            instant = read(text)
        except ValueError:
            continue
        return instant if timezone.is_aware(instant) else instant.replace(tzinfo=ZONE)
    sentence = _("“%(text)s” is no time. Write it as 24/12/2026 or 2026-12-24 08:30.")
    raise InvalidMessage({field: [sentence % {"text": clean_text(text, QUOTED)}]})


def _by_format(form: str) -> Callable[[str], datetime]:
    return lambda text: datetime.strptime(text, form)  # noqa: DTZ007  # its zone is given after it


# --- In -------------------------------------------------------------------------------------------


def read_list(
    kind: NumberList[Item], file: IO[bytes], name: str, given: Mapping[str, str]
) -> Iterator[Line[Item]]:
    """Read a CSV or XLSX file line by line, in constant memory.

    Args:
        kind: what becomes of its lines.
        file: binary and seekable.
        name: what it is called.
        given: values by the names of columns, for what a line leaves empty.

    Raises:
        UnreadableSheet: the file cannot be read, or not to its end; no column is the number's; or
            one is nobody's, and may say what must not be passed over, such as `withdrawn`.
    """
    sheet = open_sheet(file, name)
    columns = match_columns(sheet.columns, [NUMBER, DIGEST, *kind.columns, *_LAST])
    if NUMBER not in columns and len(sheet.columns) == 1:
        columns = {NUMBER: sheet.columns[0]}
    if NUMBER not in columns:
        raise UnreadableSheet(_("No column is the phone number's. Call one “phone”."))
    for column in sheet.columns:
        if column not in columns.values():
            raise UnreadableSheet(
                _(
                    "Nothing is taken from the column “%(column)s”. Those of this list are: "
                    "%(columns)s. Rename it or leave it out."
                )
                % {
                    "column": clean_text(column, QUOTED),
                    "columns": ", ".join(["phone", *kind.columns]),
                }
            )
    for row in sheet.rows(number_column=columns[NUMBER]):
        yield _line(kind, row, columns, given)


def _line(
    kind: NumberList[Item], row: SheetRow, columns: Mapping[str, str], given: Mapping[str, str]
) -> Line[Item]:
    told = {name: row.values[column].strip() for name, column in columns.items()}
    if told.get(DIGEST) and not told[NUMBER]:
        erased = _("This number was erased: of its digest no other site can make anything.")
        return Line(row.number, None, (erased,))
    values = {name: told.get(name) or given.get(name, "") for name in kind.columns}
    line = read_line(kind, {**values, "phone": told[NUMBER]}, number=row.number)
    return Line(row.number, None, (*row.faults, *line.faults)) if row.faults else line


def read_line(kind: NumberList[Item], told: Mapping[str, str], *, number: int) -> Line[Item]:
    """Return what is said of one phone number, or every fault of it.

    Args:
        kind: what becomes of it.
        told: its `phone`, and values by the names of columns.
        number: of the line.

    Raises:
        ImproperlyConfigured: the site's keys or `ALLOWED_NUMBERS` cannot be used.
    """
    try:
        return Line(number, kind.read({**dict.fromkeys(kind.columns, ""), **told}), ())
    except InvalidMessage as error:
        faults = error.message_dict.items()
        told_so = (f"{name}: {sentence}" for name, those in faults for sentence in those)
        return Line(number, None, tuple(told_so))


@dataclass(slots=True)
class Taken:
    """What became of some lines."""

    good: int = 0
    faulty: int = 0
    changed: int = 0
    """Rows that were written, or went, by the good ones."""


def take_over(
    kind: NumberList[Item], lines: Iterable[Line[Item]], *, by_pk: Any = None
) -> Iterator[tuple[Taken, list[Line[Item]]]]:
    """Take over lines by the batch; yields what became of them so far, and the faulty ones.

    The same once more changes nothing.

    Raises:
        UnreadableSheet, ImproperlyConfigured: as `read_list`; what was yielded stays.
    """
    taken = Taken()
    for batch in _batches(lines):
        items = [line.item for line in batch if line.item is not None]
        taken.changed += kind.write(items, by_pk=by_pk)
        taken.good += len(items)
        taken.faulty += len(batch) - len(items)
        yield taken, [line for line in batch if line.faults]


def count_new(kind: NumberList[Item], items: Sequence[Item]) -> int:
    """Return how many of some items would change something. Writes nothing."""
    firsts: dict[Hashable, Item] = {}
    for item in items:
        firsts.setdefault(kind.key(item), item)
    return sum(kind.write(batch, dry_run=True) for batch in _batches(firsts.values()))


T = TypeVar("T")


def _batches(some: Iterable[T]) -> Iterator[list[T]]:
    rest = iter(some)
    while batch := list(itertools.islice(rest, BATCH)):
        yield batch


# --- Out ------------------------------------------------------------------------------------------

Column = Callable[[Any], str]

_FIRST: Mapping[str, Column] = {
    "phone": lambda row: row.recipient,
    # Of no use where the number itself stands.
    DIGEST: lambda row: "" if row.recipient else row.number_digest,
}
_LAST: Mapping[str, Column] = {
    "recorded_at": lambda row: _moment(row.created_at),
    "recorded_by": lambda row: str(row.created_by or ""),
}

COLUMNS: Mapping[type[Suppression | Consent], Mapping[str, Column]] = {
    Suppression: {
        **_FIRST,
        "reason": lambda row: row.reason,
        "scope": lambda row: row.scope,
        "note": lambda row: row.note,
        **_LAST,
    },
    Consent: {
        **_FIRST,
        "source": lambda row: row.source,
        "given_at": lambda row: _moment(row.given_at),
        "withdrawn_at": lambda row: _moment(row.withdrawn_at),
        **_LAST,
    },
}
"""The columns of a list that is written out, in the words that `read_list` reads everywhere."""


def _moment(instant: datetime | None) -> str:
    # To the last digit: by it a consent is known again.
    return instant.astimezone(ZONE).isoformat(sep=" ") if instant else ""


def written(
    rows: QuerySet[Any], *, shown: Callable[[dict[str, str]], dict[str, str]] = dict
) -> Iterator[dict[str, str]]:
    """Yield each row by its columns, the oldest first, in constant memory.

    Args:
        rows: of one of the lists.
        shown: what is written of a row's columns.
    """
    columns = COLUMNS[rows.model]
    ordered = rows.select_related("created_by").order_by("pk")
    last = 0
    # Not by a cursor, which would hold a transaction open for as long as somebody reads.
    while batch := list(ordered.filter(pk__gt=last)[:BATCH]):
        last = batch[-1].pk
        for row in batch:
            yield shown({name: column(row) for name, column in columns.items()})
