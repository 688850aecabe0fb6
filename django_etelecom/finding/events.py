"""What was ever said of a message, as much of it as one answer can hold."""

from __future__ import annotations

from ..models import MessageEvent, MessageLog

MOST_EVENTS = 100
"""Events of a message that are shown at once."""


def events_of(message: MessageLog) -> tuple[list[MessageEvent], bool]:
    """Return the newest events of a message and its first one, oldest first.

    Returns:
        The events, and whether there are more of them, between the first and the second.
    """
    newest = list(message.events.order_by("-pk")[: MOST_EVENTS + 1])
    is_cut = len(newest) > MOST_EVENTS
    events = newest[::-1]
    if is_cut:
        # What the provider answered to the request itself is not to be missed.
        events[:2] = message.events.order_by("pk")[:1]
    return events, is_cut
