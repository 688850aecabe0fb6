"""Hours in which a channel may be used, in Vietnam's time. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


class Window(NamedTuple):
    """From when until before when it is open each day; past midnight where it closes earlier."""

    opens: time
    closes: time

    def is_open(self, at: datetime) -> bool:
        """Tell whether it is open at an aware instant."""
        clock = at.astimezone(ZONE).time()
        if self.opens < self.closes:
            return self.opens <= clock < self.closes
        return clock >= self.opens or clock < self.closes

    def next_opening(self, after: datetime) -> datetime:
        """Return when it opens for the first time after an aware instant."""
        local = after.astimezone(ZONE)
        today = datetime.combine(local.date(), self.opens, ZONE)
        return today if today > local else today + timedelta(days=1)


ZNS_BY_DAY = Window(time(6), time(22))
"""When Zalo sends templates that it bars at night (its error -133)."""


def closed(hours: Mapping[str, Window], channels: Iterable[str], at: datetime) -> list[str]:
    """Return those of the channels that are closed at an aware instant."""
    return [one for one in channels if one in hours and not hours[one].is_open(at)]


def all_open(
    hours: Mapping[str, Window], channels: Sequence[str], after: datetime
) -> datetime | None:
    """Return the first instant, from `after` on, at which all channels are open; None: never."""
    windows = [hours[channel] for channel in channels if channel in hours]
    # If they ever are, they are when one of them has just opened.
    openings = sorted([after, *(window.next_opening(after) for window in windows)])
    for opening in openings:
        if all(window.is_open(opening) for window in windows):
            return opening
    return None
