"""The rows of a campaign that need a look: a few of them on its page, the faulty ones as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from django.http import HttpRequest, StreamingHttpResponse
from django.utils.translation import gettext as _

from .. import phone
from ..client.opaque import shielded
from ..loading import values_of
from ..models import Campaign, CampaignRow
from ..numerals import grouped
from ..sealing import SealBroken, check_keys
from ..sheets import write_csv
from .forms import PREFIX
from .numbers import sees_numbers

SHOWN = 20
"""Faults of a kind that a page shows."""

BATCH = 500
"""Rows that are read at once."""


class Fault(NamedTuple):
    """One line of the table."""

    row: int
    field: str
    sentence: str


def faults_context(request: HttpRequest, campaign: Campaign) -> dict[str, Any]:
    """Return what `rows.html` shows: the first rows that need a look, of either kind."""
    faults = _first(request, campaign, is_queued=False)
    notices = _first(request, campaign, is_queued=True)
    return {
        "faulty_count": grouped(campaign.faulty_rows),
        "faults": faults[:SHOWN],
        "faults_are_cut": len(faults) > SHOWN,
        "notices": notices[:SHOWN],
        "notices_are_cut": len(notices) > SHOWN,
    }


def _first(request: HttpRequest, campaign: Campaign, *, is_queued: bool) -> list[Fault]:
    """Return one fault more than is shown, where there are so many."""
    # A faulty value is quoted in its sentence, and may be a number.
    whole = sees_numbers(request)
    rows = _rows(campaign).filter(is_queued=is_queued).order_by("pk")[: SHOWN + 1]
    return [
        Fault(row.number, field, sentence if whole else phone.mask_within(sentence))
        for row in rows
        for field, sentence in _faults(campaign, row)
    ][: SHOWN + 1]


def _rows(campaign: Campaign) -> Any:
    return CampaignRow.objects.using(Campaign.database()).filter(campaign=campaign)


def _faults(campaign: Campaign, row: CampaignRow) -> Iterator[tuple[str, str]]:
    for field, sentences in row.faults.items():
        name = field.removeprefix(PREFIX)
        # By the column's heading, where there is one: that is where a person looks for it.
        shown = _("The row") if field == "row" else campaign.columns.get(name, name)
        for sentence in sentences:
            yield shown, sentence


def faulty_rows_response(campaign: Campaign) -> StreamingHttpResponse:
    """Return the faulty rows as CSV, to be mended and uploaded again.

    The columns are those that came, and one with the faults.

    Raises:
        ImproperlyConfigured: `ENCRYPTION_KEYS` cannot be used.
    """
    # Once the first bytes are out there is no page to say it on.
    check_keys()
    columns = _columns(campaign)
    reason = _("What is wrong")
    while reason in columns.values():
        reason += "*"
    pieces = write_csv(_lines(campaign, columns, reason), [*columns.values(), reason])
    return StreamingHttpResponse(
        # An error reporter that reads the frames of what fails in there finds no secret in them.
        iter(lambda: shielded(lambda: next(pieces, "")), ""),
        content_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="faulty-rows-{campaign.pk}.csv"',
        },
    )


def _columns(campaign: Campaign) -> dict[str, str]:
    """Return the headings by the names under which values are kept, in their order."""
    if campaign.sheet_columns:
        names = {column: name for name, column in campaign.columns.items()}
        return {names[column]: column for column in campaign.sheet_columns if column in names}
    names_of_code = ["to", *campaign.template.parameters.values_list("name", flat=True)]
    # What the template has no parameter for is a fault, and has to be seen to be mended.
    for row in _rows(campaign).filter(is_queued=False).order_by("pk")[:BATCH]:
        names_of_code += _values(row) or {}
    return {name: name for name in names_of_code}


def _lines(campaign: Campaign, columns: dict[str, str], reason: str) -> Iterator[dict[str, str]]:
    for row in _faulty(campaign):
        sentences = [f"{field}: {sentence}" for field, sentence in _faults(campaign, row)]
        values = _values(row)
        if values is None:
            sentences.append(_("Today's keys do not open what this row held: find it elsewhere."))
        told = " ".join([_("Row %(row)d.") % {"row": row.number}, *sentences])
        yield {columns.get(name, name): value for name, value in (values or {}).items()} | {
            reason: told
        }


def _faulty(campaign: Campaign) -> Iterator[CampaignRow]:
    """Read by the batch: some databases would hand over the answer to one question whole."""
    rows = _rows(campaign).filter(is_queued=False).order_by("pk")
    last = 0
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        yield from batch
        last = batch[-1].pk


def _values(row: CampaignRow) -> dict[str, str] | None:
    try:
        return values_of(row)
    except SealBroken:
        return None
