"""What the search box of messages takes, and how the admin's log tells of a search."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from .. import phone
from ..finding.search import Search
from .log import recorded

SEARCHABLE = _(
    "A whole phone number in any form, the provider's id or the public id. Parts of them are not "
    "searched."
)


def searched_for(search: Search) -> str:
    """Return what the admin's log says of a search for a number."""
    return recorded(_("Searched for %(number)s."), number=phone.mask(search.number))
