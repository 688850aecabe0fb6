"""Sending a message again: the ways to do it, what is kept of the first, what may come of it."""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterable

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from .. import phone
from ..covers import Cover
from ..events import has_next_channel
from ..models import MessageLog
from ..models.messages import Status
from ..models.templates import TemplatePlan
from ..redaction import MASK
from ..schema import Kind
from .forms import PREFIX, Kept

_DAY = re.compile("([0-9]{2})/([0-9]{2})/([0-9]{4})")


class Way(enum.StrEnum):
    """How a message is sent again; the value stands in the address as `way`."""

    AS_IT_IS = "as-it-is"
    ROUTE = "route"
    NUMBER = "number"
    CHANGES = ""
    """Everything may be changed."""

    @classmethod
    def named(cls, name: str) -> Way:
        return cls(name) if name in list(cls) else cls.CHANGES


WORDS_OF_WAY: dict[Way, tuple[Promise, Promise]] = {
    Way.AS_IT_IS: (
        _("As it is"),
        _("To the same number, by the same route, with the same parameters."),
    ),
    Way.ROUTE: (_("By another route"), _("The rest stays as it is.")),
    Way.NUMBER: (_("To another number"), _("The rest stays as it is.")),
    Way.CHANGES: (_("With other changes"), _("Everything in the form may be changed.")),
}

ASKED = {Way.AS_IT_IS: frozenset[str](), Way.ROUTE: {"route"}, Way.NUMBER: {"to"}}


@dataclasses.dataclass(frozen=True, slots=True)
class Repeat:
    """A message that is to be sent again."""

    first: MessageLog
    way: Way
    cover: Cover | None
    """Over its number and those that it repeats, from a person who may not see them."""

    def kept(self, plan: TemplatePlan, *, ask_also: Iterable[str] = ()) -> Kept:
        """Return what the new message takes over, by today's template.

        Args:
            plan: of the template.
            ask_also: fields that are to be filled in whatever the way is.
        """
        values = _values(self.first, plan)
        asked = None
        if self.way != Way.CHANGES:
            asked = ASKED[self.way] | self._to_be_given(plan, values) | set(ask_also)
        masked = self._masked(values)
        if self.way == Way.NUMBER:
            masked.pop("to", None)
        return Kept(
            values={
                name: value
                for name, value in values.items()
                if (asked is not None and name not in asked) or name in masked
            },
            masked=masked,
            asked=asked,
            cover=self.covered,
        )

    def initial(self, plan: TemplatePlan) -> dict[str, str]:
        """Return what the form is filled with: nothing that this person may not see."""
        values = _values(self.first, plan)
        masked = self._masked(values)
        return {name: value for name, value in values.items() if name not in masked}

    def covered(self, text: str) -> str:
        """Return a text as this person may see it."""
        return self.cover.text(text) if self.cover else text

    def _masked(self, values: dict[str, str]) -> dict[str, str]:
        if self.cover is None:
            return {}
        masked = {name: self.cover.text(value) for name, value in values.items()}
        return {
            **{name: shown for name, shown in masked.items() if shown != values[name]},
            "to": phone.mask(self.first.recipient),
        }

    def _to_be_given(self, plan: TemplatePlan, values: dict[str, str]) -> set[str]:
        """Return the fields that the first message cannot fill: its secrets, what it had not."""
        return {
            PREFIX + parameter.name
            for parameter in plan.schema.parameters
            if PREFIX + parameter.name not in values
            and (parameter.required or parameter.name in self.first.params)
        }


def lost_secrets(message: MessageLog) -> list[str]:
    """Return the names of a message's parameters that were never kept."""
    return [name for name, value in message.params.items() if value == MASK]


def warning(first: MessageLog) -> str:
    """Return what may come of sending a message again; "" where the first did not arrive."""
    if first.status == Status.UNDELIVERED:
        slides = first.next_poll_at and has_next_channel(first.channels, first.channel)
        return str(SLIDES) if slides else ""
    return str(WARNINGS.get(first.status, ""))


SLIDES = _(
    "eTelecom may yet deliver the first one by its next channel: "
    "the customer may get it twice, and it may be paid twice."
)

WARNINGS: dict[str, Promise] = {
    Status.QUEUED: _(
        "The first one still waits to be sent: cancel it first, "
        "or the customer gets it twice and it is paid twice."
    ),
    Status.SENDING: _(
        "The first one is being sent at this moment: "
        "the customer may get it twice, and it may be paid twice."
    ),
    Status.ACCEPTED: _(
        "The first one may have arrived: the customer may get it twice, and it may be paid twice."
    ),
    Status.DELIVERED: _("The first one arrived: the customer gets it twice, and it is paid twice."),
    Status.UNKNOWN: _(
        "It is not known whether the first one went out: "
        "the customer may get it twice, and it may be paid twice."
    ),
}


def _values(message: MessageLog, plan: TemplatePlan) -> dict[str, str]:
    """Return what the form held when the message was sent, but for secrets and what is no more."""
    values = {"to": phone.display(message.recipient), "route": message.requested_route}
    for parameter in plan.schema.parameters:
        value = message.params.get(parameter.name, MASK)
        if value == MASK or parameter.is_secret:
            continue
        day = _DAY.fullmatch(value)
        if parameter.kind == Kind.DATE and day:
            # As a browser's field for a date takes it.
            value = "-".join(reversed(day.groups()))
        values[PREFIX + parameter.name] = value
    return values
