"""What each category of messages is guarded by: `ETELECOM["GUARDS"]` over what holds without it."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import time
from types import MappingProxyType
from typing import Any

from .hours import Window

HOUR = 3600
DAY = 86_400

LONGEST_WINDOW = 31 * DAY
"""Seconds that a limit may look back."""

MOST_IN_WINDOW = 1000
"""Messages to one number that a limit may allow: all of them are kept for it."""

MOST_IN_BUDGET = 10_000_000
"""Messages of one account that a budget may allow."""

MOST_READ = 100
"""Settings that are remembered; a site has one, its tests many."""

CHANNELS = ("1", "2", "3")


@dataclasses.dataclass(frozen=True, slots=True)
class Limit:
    """So many messages within so many seconds, whenever those begin."""

    number: int
    seconds: int
    channel: str = ""
    """Only those whose route has this channel; empty: all."""


@dataclasses.dataclass(frozen=True, slots=True)
class GuardRules:
    """What the messages of one category are guarded by."""

    suppression: bool
    """Numbers of the suppression list get none."""
    consent: bool
    """Only numbers with a consent on record get one."""
    label: bool
    """The template's text begins with `[QC]` or `[AD]`."""
    hours: Mapping[str, Window]
    """When each channel is open, in Asia/Ho_Chi_Minh; one that is not named always is."""
    limits: tuple[Limit, ...]
    """For one number."""
    cooldown: tuple[int, ...]
    """Seconds from one message of a template to the next for the same number; the last repeats."""
    budget: Limit | None
    """For one account."""

    @property
    def has_turns(self) -> bool:
        """Whether it matters what a number had lately."""
        return bool(self.limits or self.cooldown)


_NONE: Mapping[str, Any] = {
    "SUPPRESSION": True,
    "CONSENT": False,
    "LABEL": False,
    "HOURS": {},
    "LIMITS": [],
    "COOLDOWN": [],
    "BUDGET": None,
}

DEFAULTS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "otp": {
            **_NONE,
            "LIMITS": [(5, HOUR), (15, DAY)],
            "COOLDOWN": [30, 60, 120],
            "BUDGET": (5000, HOUR),
        },
        "transactional": _NONE,
        # Decree 91/2020/ND-CP on spam, articles 13 and 14.
        "advertising": {
            **_NONE,
            "CONSENT": True,
            "LABEL": True,
            "HOURS": {"3": ("07:00", "22:00"), "2": ("08:00", "17:00")},
            "LIMITS": [(3, DAY, "3"), (1, DAY, "2")],
        },
    }
)


_read: dict[tuple[str, str], GuardRules | str] = {}
"""What was read of settings, by how they look: each message asks for it several times."""


def rules_of(guards: object, category: str) -> GuardRules | str:
    """Return the rules of a category, or a sentence that says why they cannot be used.

    Args:
        guards: what `ETELECOM["GUARDS"]` holds.
        category: of the template.
    """
    key = (repr(guards), category)
    if key not in _read:
        if len(_read) > MOST_READ:
            _read.clear()
        _read[key] = _rules_of(guards, category)
    return _read[key]


def _rules_of(guards: object, category: str) -> GuardRules | str:
    if not isinstance(guards, Mapping) or not guards.keys() <= DEFAULTS.keys():
        return (
            "ETELECOM['GUARDS'] maps categories to guards; "
            f"the categories are {', '.join(DEFAULTS)}."
        )
    own = guards.get(category, {})
    named = f"ETELECOM['GUARDS']['{category}']"
    if not isinstance(own, Mapping) or not own.keys() <= _FORMS.keys():
        return f"{named} maps guards to what they allow; the guards are {', '.join(_FORMS)}."
    rules = {}
    for name, (read, form) in _FORMS.items():
        given = own.get(name, DEFAULTS[category][name])
        try:
            rules[name.lower()] = read(given)
        except (TypeError, ValueError):
            return f"{named}['{name}'] is {form}"
    return GuardRules(**rules)


def _switch(given: object) -> bool:
    if not isinstance(given, bool):
        raise TypeError
    return given


def _hours(given: object) -> Mapping[str, Window]:
    if given is not None and not isinstance(given, Mapping):
        raise TypeError
    windows = {}
    for channel, (opens, closes) in (given or {}).items():
        window = Window(_clock(opens), _clock(closes))
        if channel not in CHANNELS or window.opens == window.closes:
            raise ValueError
        windows[channel] = window
    return windows


def _clock(given: object) -> time:
    if not isinstance(given, str):
        raise TypeError
    read = time.fromisoformat(given)
    if read.tzinfo is not None:
        raise ValueError
    return read


def _limits(given: Any) -> tuple[Limit, ...]:
    return tuple(map(_limit, _sequence(given)))


def _limit(given: Any) -> Limit:
    limit = Limit(*_sequence(given))
    _whole(limit.number, MOST_IN_WINDOW)
    _whole(limit.seconds, LONGEST_WINDOW)
    if limit.channel not in ("", *CHANNELS):
        raise ValueError
    return limit


def _cooldown(given: Any) -> tuple[int, ...]:
    return tuple(_whole(seconds, DAY) for seconds in _sequence(given))


def _budget(given: Any) -> Limit | None:
    if given is None:
        return None
    number, seconds = _sequence(given)
    return Limit(_whole(number, MOST_IN_BUDGET), _whole(seconds, LONGEST_WINDOW))


def _sequence(given: object) -> Sequence[Any]:
    if given is None:
        return ()
    if not isinstance(given, list | tuple):
        raise TypeError
    return given


def _whole(given: object, most: int) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or not 0 < given <= most:
        raise ValueError
    return given


_FORMS: Mapping[str, tuple[Callable[[Any], Any], str]] = MappingProxyType(
    {
        "SUPPRESSION": (_switch, "True or False."),
        "CONSENT": (_switch, "True or False."),
        "LABEL": (_switch, "True or False."),
        "HOURS": (
            _hours,
            "a mapping of channels ('1', '2', '3') to when each opens and closes, such as "
            "{'3': ('07:00', '22:00')}; an empty one has them always open.",
        ),
        "LIMITS": (
            _limits,
            f"a list of limits (messages, seconds) or (messages, seconds, channel), at most "
            f"{MOST_IN_WINDOW} messages in {LONGEST_WINDOW} seconds; an empty one limits nothing.",
        ),
        "COOLDOWN": (
            _cooldown,
            f"a list of seconds, each from 1 to {DAY}; an empty one has nobody wait.",
        ),
        "BUDGET": (
            _budget,
            f"how many messages in how many seconds, at most {MOST_IN_BUDGET} messages in "
            f"{LONGEST_WINDOW} seconds, or None.",
        ),
    }
)
"""How each is read, and what to say where it cannot be."""
