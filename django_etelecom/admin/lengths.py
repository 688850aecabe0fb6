"""How long a text is as an SMS, and how many messages that is paid for, in words."""

import unicodedata

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ..numerals import grouped
from ..segments import Segments, beyond_short, is_vietnamese

MAX_NAMED = 5
"""As many characters are told one by one."""


def sms_length(counted: Segments) -> str:
    """Return `95 characters, 1 paid message`."""
    characters = ngettext("%(count)s character", "%(count)s characters", counted.length)
    paid = ngettext("%(count)s paid message", "%(count)s paid messages", counted.messages)
    return _("%(characters)s, %(paid)s") % {
        "characters": characters % {"count": grouped(counted.length)},
        "paid": paid % {"count": grouped(counted.messages)},
    }


def why_short(text: str) -> str:
    """Say which characters leave room for 70 to an SMS instead of 160; "" where none does.

    Args:
        text: secrets masked, for characters of it are shown.
    """
    beyond = beyond_short(text)
    if not beyond:
        return ""
    named = ", ".join(map(_shown, beyond[:MAX_NAMED])) + (", …" if beyond[MAX_NAMED:] else "")
    if all(map(is_vietnamese, beyond)):
        return _(
            "Vietnamese letters with their marks (%(characters)s) leave room for 70 characters to "
            "an SMS instead of 160."
        ) % {"characters": named}
    others = [character for character in beyond if not is_vietnamese(character)]
    if len(others) < len(beyond):
        return _(
            "Characters that are not in the short alphabet of SMS (%(characters)s) leave room for "
            "70 characters to an SMS instead of 160. Vietnamese letters with their marks are among "
            "them."
        ) % {"characters": named}
    return _(
        "Characters that are not in the short alphabet of SMS (%(characters)s) leave room for 70 "
        "characters to an SMS instead of 160."
    ) % {"characters": named}


def _shown(character: str) -> str:
    stands_alone = character.isprintable() and not unicodedata.combining(character)
    return character if stands_alone else f"U+{ord(character):04X}"
