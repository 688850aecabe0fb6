"""What the admin's log keeps of what staff did."""

from __future__ import annotations

from django.conf import settings
from django.utils import translation
from django.utils.functional import Promise


def recorded(sentence: Promise, **values: object) -> str:
    """Return a sentence for the admin's log, with the values of its placeholders.

    It is in the language of the site, not of the person: a log has one.
    """
    with translation.override(settings.LANGUAGE_CODE):
        return str(sentence) % values
