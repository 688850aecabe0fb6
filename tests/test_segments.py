"""What an SMS counts as."""

import pytest

from django_etelecom.segments import beyond_short, is_vietnamese, segments


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


@pytest.mark.parametrize(
    ("text", "places", "is_unicode", "expected"),
    [
        ("", 160, False, (1, False, 160)),
        ("a", 160, False, (2, False, 161)),
        ("€", 158, False, (1, False, 160)),
        ("a", 69, True, (1, True, 70)),
        ("€", 69, True, (1, True, 70)),
        ("a", 70, True, (2, True, 71)),
        ("đ", 70, False, (2, True, 71)),
    ],
)
def test_segments__of_a_text_of_which_only_a_part_is_known(text, places, is_unicode, expected):
    assert segments(text, places=places, is_unicode=is_unicode) == expected


def test_beyond_short__in_order_each_once():
    assert beyond_short("Đơn hàng’ €[đ] Đ\ud800") == ["Đ", "ơ", "’", "đ", "\ud800"]


@pytest.mark.parametrize("character", "ĐđơưăâêôạảãÃẾễỵ\u0301\u0323")
def test_is_vietnamese(character):
    assert is_vietnamese(character)


@pytest.mark.parametrize("character", "’ç字🎁a1Ω\ud800")
def test_is_vietnamese__not(character):
    assert not is_vietnamese(character)
