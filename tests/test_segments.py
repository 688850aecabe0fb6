"""What an SMS counts as."""

import pytest

from django_etelecom.segments import segments


@pytest.mark.parametrize(
    ("text", "messages", "is_unicode", "length"),
    [
        ("", 1, False, 0),
        ("a" * 160, 1, False, 160),
        ("a" * 161, 2, False, 161),
        ("a" * 306, 2, False, 306),
        ("a" * 307, 3, False, 307),
        ("€" * 80, 1, False, 160),
        ("€" * 81, 2, False, 162),
        ("đ" * 70, 1, True, 70),
        ("Đơn hàng " + "a" * 62, 2, True, 71),
        ("đ" * 134, 2, True, 134),
        ("đ" * 135, 3, True, 135),
        ("🎁" * 35, 1, True, 70),
        ("🎁" * 36, 2, True, 72),
        ("\ud800", 1, True, 1),
        ("à la carte", 1, False, 10),
    ],
)
def test_segments(text, messages, is_unicode, length):
    assert segments(text) == (messages, is_unicode, length)
