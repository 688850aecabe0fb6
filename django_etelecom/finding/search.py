"""A whole number or id by which messages are looked up, told apart by its shape."""

from __future__ import annotations

import re
import uuid
from typing import NamedTuple

from django.db.models import Q

from .. import phone
from ..exceptions import InvalidMessage

LONGEST_ID = 100
"""Characters of the provider's ids, as the column has them."""

_PUBLIC_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_OF_ANY_COUNTRY = re.compile(r"[1-9][0-9]{7,14}")


class Search(NamedTuple):
    """A whole number or id to be looked up by its index."""

    condition: Q
    number: str
    """The phone number that it is or may be, in the wire's form; empty: it is none."""


def read_search(typed: str) -> Search | None:
    """Tell what was typed by its shape; None: nothing that can be searched.

    Raises:
        ImproperlyConfigured: `ALLOWED_NUMBERS` cannot be used.
    """
    try:
        number = phone.normalize(typed)
    except InvalidMessage:
        return _read_other(typed)
    return Search(Q(recipient=number), number)


def read_number(typed: str) -> Search | None:
    """Return the search for a phone number; None: it is no whole one.

    Raises:
        ImproperlyConfigured: `ALLOWED_NUMBERS` cannot be used.
    """
    try:
        number = phone.normalize(typed)
    except InvalidMessage:
        # Today's settings may not allow what was sent to once.
        number = _digits(typed)
        if not _OF_ANY_COUNTRY.fullmatch(number):
            return None
    return Search(Q(recipient=number), number)


def _read_other(typed: str) -> Search | None:
    if len(typed) > LONGEST_ID:
        return None
    digits = _digits(typed)
    condition = Q()
    if _OF_ANY_COUNTRY.fullmatch(digits):
        # Today's settings may not allow what was sent to once.
        condition |= Q(recipient=digits)
    if _PUBLIC_ID.fullmatch(typed):
        condition |= Q(public_id=uuid.UUID(typed))
    if re.fullmatch(r"\S+", typed):
        # It is for the provider to say what its ids look like.
        condition |= Q(provider_message_id=typed)
    return Search(condition, digits) if condition else None


def _digits(typed: str) -> str:
    """Return what of it may be a number; empty: it has other characters."""
    try:
        return phone.strip_separators(typed).removeprefix("+")
    except phone.UnknownCharacter:
        return ""
