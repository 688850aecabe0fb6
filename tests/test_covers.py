"""A number that a person may not see, in whatever text and spelling it stands."""

import pytest

from django_etelecom.covers import Cover


@pytest.mark.parametrize(
    "spelled",
    [
        "84912345678",
        "0912345678",
        "+84 912 345 678",
        "(+84) 0912.345.678",
        "912-345-678",
        "(0912) 345-678",
        "%2B84912345678",
        "０９１２３４５６７８",
        "091&#50;345678",
    ],
)
def test_text__has_the_number_masked_in_every_spelling(spelled):
    covered = Cover("84912345678").text(f"Call {spelled} now")

    assert "345" not in covered
    assert "３４５" not in covered
    assert covered.startswith("Call ")
    assert covered.endswith(" now")


@pytest.mark.parametrize("spelled", ["6581234567", "+65 8123 4567", "8123 4567"])
def test_text__has_a_number_from_abroad_masked(spelled):
    assert "4567" not in Cover("6581234567").text(f"Call {spelled}")


@pytest.mark.parametrize("text", ["", "DH-912", "0912 345 679", "•••", "DH-1024 of 912345"])
def test_text__of_something_else_stays(text):
    assert Cover("84912345678").text(text) == text


def test_text__of_nothing_but_the_number_is_not_taken_for_a_secret():
    assert Cover("84912345678").text("912345678") == "84912•••678"


def test_text__that_was_cut_off_in_the_number():
    assert "9123" not in Cover("84912345678").text('{"to": "849123', may_be_cut=True)


def test_value__is_masked_in_keys_members_and_numbers():
    kept = {"84912345678": ["0912345678", 912345678, {"order": 7, "paid": True, "by": None}]}

    covered = Cover("84912345678").value(kept)

    assert covered == {"84•••": ["0•••", "84912•••678", {"order": 7, "paid": True, "by": None}]}
