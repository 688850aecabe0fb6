"""What the search box of messages takes: a whole number or id, told apart by its shape."""

from __future__ import annotations

import re
import uuid
from typing import NamedTuple

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .. import phone
from ..exceptions import InvalidMessage

SEARCHABLE = _(
    "A whole phone number in any form, the provider's id or the public id. Parts of them are not "
    "searched."
)

LONGEST_ID = 100
"""Characters of the provider's ids, as the column has them."""

_PUBLIC_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)


class Search(NamedTuple):
    """A whole number or id to be looked up by its index."""

    condition: Q
    number: str = ""
    """The phone number that it is, in the wire's form."""


def searched_for(search: Search) -> str:
    """Return what the admin's log says of a search for a number."""
    return f"Searched for {phone.mask(search.number)}."


def read_search(typed: str) -> Search | None:
    """Tell what was typed by its shape; None: nothing that can be searched.

    Raises:
        ImproperlyConfigured: `ALLOWED_NUMBERS` cannot be used.
    """
    try:
        number = phone.normalize(typed)
    except InvalidMessage:
        if not typed or len(typed) > LONGEST_ID or re.search(r"\s", typed):
            return None
        # It is for the provider to say what its ids look like.
        condition = Q(provider_message_id=typed)
        if _PUBLIC_ID.fullmatch(typed):
            condition |= Q(public_id=uuid.UUID(typed))
        return Search(condition)
    return Search(Q(recipient=number), number)
