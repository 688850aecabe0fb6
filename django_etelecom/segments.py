"""How many messages an SMS of some text counts as, which is what it costs. Pure.

Source: 3GPP TS 23.038, the GSM alphabet of seven bits and UCS-2; TS 23.040, what joining costs.
"""

import math
from typing import NamedTuple

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
"""Each of these takes two places."""


class Segments(NamedTuple):
    """What an SMS counts as."""

    messages: int
    """Messages that are paid for; an empty text is one."""
    is_unicode: bool
    """Whether a character, such as a Vietnamese one with its marks, takes it out of the short
    alphabet: 70 characters to a message instead of 160."""
    length: int
    """Places that the text takes, of seven bits or of UCS-2."""


def segments(text: str) -> Segments:
    """Tell how many messages an SMS of this text counts as."""
    others = set(text) - _BASIC
    if others <= _EXTENSION:
        length, alone, joined = len(text) + sum(map(text.count, others)), 160, 153
    else:
        length, alone, joined = len(text.encode("utf-16-le", "surrogatepass")) // 2, 70, 67
    messages = 1 if length <= alone else math.ceil(length / joined)
    return Segments(messages, not others <= _EXTENSION, length)
