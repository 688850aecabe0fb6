"""What the admin's log keeps of what staff did."""

from __future__ import annotations

from django.conf import settings
from django.utils import translation


def recorded(sentence: object, **values: object) -> str:
    """Return words for the admin's log in the language of the site, not of the person: it has one.

    Args:
        sentence: a lazy translation.
        values: of its placeholders.
    """
    with translation.override(settings.LANGUAGE_CODE):
        return str(sentence) % values
