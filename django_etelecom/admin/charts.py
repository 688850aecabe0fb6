"""Numbers as SVG, drawn on the server: bars of several parts, lying or standing.

Widths are percentages and heights pixels, so that a chart fills a page of any width and its text
stays as large as the page's. Colours are the style sheet's, by the class of each part.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from ..numerals import grouped

LONGEST_LABEL = 40
"""Characters of a bar's name that are shown; the table has all of them."""

LYING_HEIGHT = 44
"""Pixels from one lying bar to the next."""

STANDING_HEIGHT = 200
"""Pixels of the largest standing bar."""

LINES_FROM = 18
"""Pixels above the topmost line, for its number."""

MOST_DATES = 4
"""Names under standing bars for which a phone has room."""


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """What the bars of a chart consist of."""

    name: str
    """The class that gives it a colour."""
    label: str


@dataclasses.dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a chart."""

    label: str
    numbers: Sequence[int]
    """Of each part, none below 0."""

    @property
    def total(self) -> int:
        return sum(self.numbers)


@dataclasses.dataclass(frozen=True, slots=True)
class Chart:
    """Several bars of the same parts."""

    name: str
    """Tells it from the page's other charts, in ids."""
    title: str
    description: str
    """A sentence for whoever does not see it."""
    parts: Sequence[Part]
    bars: Sequence[Bar]

    def lying(self) -> SafeString:
        """Return the bars one below the other, each with its name and its number."""
        largest = max((bar.total for bar in self.bars), default=0) or 1
        drawn = [
            format_html(
                '<g><text y="{}">{}</text>'
                '<text class="etelecom-number" text-anchor="end" x="100%" y="{}">{}</text>{}</g>',
                position * LYING_HEIGHT + 14,
                Truncator(bar.label).chars(LONGEST_LABEL),
                position * LYING_HEIGHT + 14,
                grouped(bar.total),
                _joined(
                    _rect(part, x=start, y=position * LYING_HEIGHT + 20, width=width, height="14")
                    for part, start, width in self._shares(bar, largest)
                ),
            )
            for position, bar in enumerate(self.bars)
        ]
        return self._svg(_joined(drawn), height=len(self.bars) * LYING_HEIGHT)

    def standing(self) -> SafeString:
        """Return the bars side by side, in front of lines that say how high they are."""
        top = _round_number(max((bar.total for bar in self.bars), default=0))
        room = 100 / max(len(self.bars), 1)
        every = math.ceil(len(self.bars) / MOST_DATES)
        drawn = []
        for position, bar in enumerate(self.bars):
            middle = (position + 0.5) * room
            # Counted from the last, which is the one that people look for.
            is_named = (len(self.bars) - 1 - position) % every == 0
            drawn.append(
                format_html(
                    "<g><title>{}</title>{}{}</g>",
                    self._told(bar),
                    _joined(
                        _rect(
                            part,
                            x=position * room + room * 0.15,
                            y=_pixels(100 - start - height),
                            width=room * 0.7,
                            height=f"{height * STANDING_HEIGHT / 100:.2f}",
                        )
                        for part, start, height in self._shares(bar, top)
                    ),
                    _date(bar.label, middle) if is_named else "",
                )
            )
        return self._svg(
            format_html("{}{}", _lines(top), _joined(drawn)),
            height=LINES_FROM + STANDING_HEIGHT + 24,
        )

    def _shares(self, bar: Bar, whole: int) -> Iterator[tuple[Part, float, float]]:
        """Return where each part of a bar begins and how long it is, in hundredths of `whole`."""
        start = 0
        for part, number in zip(self.parts, bar.numbers, strict=True):
            if number:
                yield part, start * 100 / whole, number * 100 / whole
            start += number

    def _told(self, bar: Bar) -> str:
        numbers = zip(self.parts, bar.numbers, strict=True)
        told = ", ".join(f"{part.label}: {grouped(number)}" for part, number in numbers if number)
        return f"{bar.label} – {told or grouped(0)}"

    def _svg(self, drawn: SafeString, *, height: int) -> SafeString:
        return format_html(
            '<svg class="etelecom-chart" role="img" width="100%" height="{height}" '
            'aria-labelledby="{name}-title {name}-desc">'
            '<title id="{name}-title">{title}</title><desc id="{name}-desc">{description}</desc>'
            "{drawn}</svg>",
            height=height,
            name=f"etelecom-chart-{self.name}",
            title=self.title,
            description=self.description,
            drawn=drawn,
        )


def swatch(part: Part) -> SafeString:
    """Return a little square in a part's colour, for the legend."""
    return format_html(
        '<svg class="etelecom-swatch" aria-hidden="true" width="14" height="14">{}</svg>',
        _rect(part, x=0, y="0", width=100, height="14"),
    )


def _joined(drawn: Sequence[SafeString] | Iterator[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((one,) for one in drawn))


def _rect(part: Part, *, x: float, y: object, width: float, height: str) -> SafeString:
    return format_html(
        '<rect class="etelecom-part-{}" x="{}" y="{}" width="{}" height="{}"/>',
        part.name,
        _percent(x),
        y,
        _percent(width),
        height,
    )


def _date(label: str, middle: float) -> SafeString:
    """Return the name under a standing bar, which does not pass the chart's end."""
    anchor, x = ("end", 100.0) if middle > 95 else ("middle", middle)
    y = LINES_FROM + STANDING_HEIGHT + 18
    return format_html(
        '<text text-anchor="{}" x="{}" y="{}">{}</text>', anchor, _percent(x), y, label
    )


def _lines(top: int) -> SafeString:
    """Return the line that the highest bars may reach, with its number, half of it, and none."""
    lines = format_html_join(
        "",
        '<line x1="0" x2="100%" y1="{0}" y2="{0}"/>',
        ((LINES_FROM + halves * STANDING_HEIGHT // 2,) for halves in range(3)),
    )
    return format_html('{}<text y="{}">{}</text>', lines, LINES_FROM - 5, grouped(top))


def _round_number(largest: int) -> int:
    """Return the least of 1, 2, 4, 6, 8, 10, 20, 40 … that is not below `largest`."""
    power = int(10 ** (len(str(largest)) - 1))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= largest)


def _pixels(share: float) -> str:
    return f"{LINES_FROM + share * STANDING_HEIGHT / 100:.2f}"


def _percent(number: float) -> str:
    return f"{number:.3f}%"
