"""How many messages an SMS of some text counts as, which is what it costs. Pure.

Source: 3GPP TS 23.038, the GSM alphabet of seven bits and UCS-2; TS 23.040, what joining costs.
"""

import math
import unicodedata
from typing import NamedTuple

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")
"""Each of these takes two places."""
_MARKS = frozenset("\u0300\u0301\u0302\u0303\u0306\u0309\u031b\u0323")
"""Those of tones and vowels."""


class Segments(NamedTuple):
    """What an SMS counts as."""

    messages: int
    """Messages that are paid for; an empty text is one."""
    is_unicode: bool
    """Whether a character, such as a Vietnamese one with its marks, takes it out of the short
    alphabet: 70 characters to a message instead of 160."""
    length: int
    """Places that the text takes, of seven bits or of UCS-2."""


def segments(text: str, *, places: int = 0, is_unicode: bool = False) -> Segments:
    """Tell how many messages an SMS of this text counts as.

    Args:
        text: all of it, or what is known of it.
        places: how many the rest takes, of which only this is known.
        is_unicode: whether the rest has characters that are not of the short alphabet.
    """
    others = set(text) - _BASIC
    is_unicode = is_unicode or not others <= _EXTENSION
    if is_unicode:
        length, alone, joined = len(text.encode("utf-16-le", "surrogatepass")) // 2, 70, 67
    else:
        length, alone, joined = len(text) + sum(map(text.count, others)), 160, 153
    length += places
    messages = 1 if length <= alone else math.ceil(length / joined)
    return Segments(messages, is_unicode, length)


def beyond_short(text: str) -> list[str]:
    """Return the characters that are not of the short alphabet, in order, each once."""
    return [each for each in dict.fromkeys(text) if each not in _BASIC and each not in _EXTENSION]


def is_vietnamese(character: str) -> bool:
    """Whether this is a letter as Vietnamese has them, with its marks, or such a mark by itself."""
    return character in "đĐ" or not _MARKS.isdisjoint(unicodedata.normalize("NFD", character))
