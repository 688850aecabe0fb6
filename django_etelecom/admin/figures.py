"""A summary as the dashboard shows it: large numbers, charts, and the table behind each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta

from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext

from ..explanation import network_name
from ..models import Channel
from ..models.messages import Status
from ..numerals import grouped
from ..redaction import clean_text
from ..summary import NONE, Figures, Summary
from .charts import Bar, Chart, Part
from .progress import NOTES

MOST_BARS = 10
"""Bars of a chart; the rest are one together."""

LONGEST_LABEL = 100
"""Characters, as many as a template's code has."""

PARTS = (Status.DELIVERED, Status.UNDELIVERED, Status.ACCEPTED, Status.UNKNOWN)
"""What the messages that were sent consist of."""

COLUMNS = [
    gettext_lazy("Sent"),
    *(status.label for status in PARTS),
    gettext_lazy("Delivery rate"),
    gettext_lazy("Paid messages"),
]
"""Of each table, after the column that says what a row is about."""

Labelled = tuple[str, Figures]

NOTHING = "–"
"""Where there is no number."""


@dataclasses.dataclass(frozen=True, slots=True)
class Number:
    """One of the large numbers on top."""

    name: str
    shown: str
    note: str


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """One chart and its table."""

    name: str
    title: str
    drawn: SafeString
    first_column: str
    rows: Sequence[tuple[str, Sequence[str]]]
    """For each the name and the cells in the order of `COLUMNS`."""


def _name(status: Status) -> str:
    return capfirst(str(status.label))


def numbers(summary: Summary) -> list[Number]:
    """Return the large numbers of a summary."""
    total = summary.total
    return [
        Number(_("Sent"), grouped(total.sent), _("The provider has taken them, or may have.")),
        Number(_name(Status.DELIVERED), grouped(total.delivered), str(NOTES[Status.DELIVERED])),
        Number(
            _name(Status.UNDELIVERED), grouped(total.undelivered), str(NOTES[Status.UNDELIVERED])
        ),
        Number(
            _name(Status.UNKNOWN),
            grouped(total.unknown),
            _("They may have been sent. Nothing sends them again by itself."),
        ),
        Number(
            _("Delivery rate"),
            rate_in_words(total.delivery_rate),
            _("Delivered, of those of which the provider has told the end."),
        ),
        Number(
            _("Median time to delivery"),
            duration_in_words(summary.median),
            _("Half of them took no longer."),
        ),
        Number(
            _("Slow deliveries"),
            duration_in_words(summary.p95),
            _("95 of 100 took no longer (the 95th percentile)."),
        ),
        Number(_("Paid messages"), grouped(total.paid_messages), _("As the provider counts them.")),
    ]


def not_gone(total: Figures) -> str:
    """Return a sentence about the messages that did not go out; "" where all did."""
    counts = {
        status.label: total[status]
        for status in (Status.REJECTED, Status.NOT_SENT, Status.CANCELLED)
        if total[status]
    }
    told = ", ".join(f"{label}: {grouped(number)}" for label, number in counts.items())
    return told and _("Besides, these did not go out: %(told)s.") % {"told": told}


def sections(summary: Summary) -> list[Section]:
    """Return the charts of a summary; none where nothing was sent."""
    by_day = [(_day(day), figures) for day, figures in summary.by_day.items()]
    rows_of = [
        ("day", _("By day"), _("Day"), by_day if summary.total.sent else []),
        ("channel", _("By channel"), _("Channel"), _most(summary.by_channel, _channel)),
        ("template", _("By template"), _("Template"), _most(summary.by_template, str)),
        ("network", _("By network"), _("Network"), _most(summary.by_network, _network)),
    ]
    return [_section(*told) for told in rows_of if told[-1]]


def _section(name: str, title: str, first_column: str, rows: Sequence[Labelled]) -> Section:
    chart = Chart(
        name=name,
        title=title,
        description=_described(rows),
        parts=parts(),
        bars=[Bar(label, [max(figures[status], 0) for status in PARTS]) for label, figures in rows],
    )
    return Section(
        name=name,
        title=title,
        drawn=chart.standing() if name == "day" and len(rows) > 1 else chart.lying(),
        first_column=first_column,
        rows=[(label, _cells(figures)) for label, figures in rows],
    )


def parts() -> list[Part]:
    """Return what the bars of each chart consist of."""
    return [Part(status.value, str(status.label)) for status in PARTS]


def _described(rows: Sequence[Labelled]) -> str:
    label, figures = max(rows, key=lambda row: row[1].sent)
    return _("The most were sent for %(label)s: %(number)s. All numbers are in the table.") % {
        "label": clean_text(label, 100),
        "number": grouped(figures.sent),
    }


def _cells(figures: Figures) -> list[str]:
    return [
        grouped(figures.sent),
        *(grouped(figures[status]) for status in PARTS),
        rate_in_words(figures.delivery_rate),
        grouped(figures.paid_messages),
    ]


def _most(by_key: Mapping[str, Figures], label: Callable[[str], str]) -> list[Labelled]:
    """Return those of which most were sent by their labels, and the rest as one."""
    # A label is read in a sentence and drawn, where nothing isolates what turns the direction.
    sent = [
        (clean_text(label(key), LONGEST_LABEL), figures)
        for key, figures in by_key.items()
        if figures.sent
    ]
    sent.sort(key=lambda row: -row[1].sent)
    rest = [figures for _label, figures in sent[MOST_BARS:]]
    if rest:
        others = ngettext("%(count)s other", "%(count)s others", len(rest))
        sent[MOST_BARS:] = [(others % {"count": grouped(len(rest))}, sum(rest, NONE))]
    return sent


def _day(day: date) -> str:
    # Translators: a day of this year below a bar, as short as can be, in Django's date format.
    return date_format(day, pgettext("format of a day on a chart", "j M"))


def _channel(name: str) -> str:
    labels = {str(number): str(label) for number, label in Channel.choices}
    return labels.get(name, name) or _("not told")


def _network(told: str) -> str:
    return network_name(told) or _("not told")


# --- In words -----------------------------------------------------------------------------------


def rate_in_words(rate: float | None) -> str:
    """Return a part of 1 as `98.7 %`; only what is all of it is 100."""
    if rate is None:
        return NOTHING
    tenths = math.floor(round(rate * 1000, 6))
    return _("%(number)s %%") % {"number": number_format(tenths / 10, decimal_pos=1)}


def duration_in_words(time: timedelta | None) -> str:
    """Return a time by its two largest units: `3 s`, `2 min 5 s`, `1 d 3 h`."""
    if time is None:
        return NOTHING
    seconds = max(round(time.total_seconds()), 1)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = [
        (days, _("%(number)s d")),
        (hours, _("%(number)s h")),
        (minutes, _("%(number)s min")),
        (seconds, _("%(number)s s")),
    ]
    first = next(position for position, (number, _unit) in enumerate(units) if number)
    told = units[first : first + 2]
    return " ".join(unit % {"number": grouped(number)} for number, unit in told if number)
