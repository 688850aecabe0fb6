"""Phone numbers: from what people type to the wire, and back to what people see."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from django_etelecom.exceptions import InvalidMessage
from django_etelecom.phone import (
    check_allowed_numbers,
    display,
    existing,
    mask,
    mask_numbers,
    normalize,
    recognize,
    spellings,
)


@pytest.fixture
def allowing(settings):
    def allow(numbers):
        settings.ETELECOM = {"ALLOWED_NUMBERS": numbers}

    return allow


def refusal_of(raw):
    with pytest.raises(InvalidMessage) as caught:
        normalize(raw)
    (sentence,) = caught.value.message_dict["to"]
    return sentence


@pytest.mark.parametrize(
    "typed",
    [
        "84912345678",
        "0912345678",
        "912345678",
        "  0912 345 678\n",
        "0912.345.678",
        "0912-345-678",
        "0912–345‑678",
        "(0912) 345 678",
        "[0912] 345 678",
        "+84912345678",
        "+84 912.345.678",
        "(+84) 912 345 678",
        "（＋84）912345678",
        "+84 (0)912 345 678",
        "0084 912 345 678",
        "0084 (0)912 345 678",
        "84 0912 345 678",
        "０９１２３４５６７８",
        "٠٩١٢٣٤٥٦٧٨",
        "0912\u00a0345\u2009678",
        "\ufeff0912\u200b345\u200d678",
        "\u202a0912 345 678\u202c",
    ],
)
def test_normalize__spellings_of_one_number(typed):
    assert normalize(typed) == "84912345678"


@pytest.mark.parametrize("typed", ["0841234567", "841234567", "84841234567", "+84 84 123 4567"])
def test_normalize__leading_084_is_not_taken_for_the_country_code(typed):
    assert normalize(typed) == "84841234567"


@pytest.mark.parametrize(
    "typed",
    ["0123 456 7890", "01234567890", "+84 123 456 7890", "0084 168 345 6789", "84 199 345 6789"],
)
def test_normalize__old_eleven_digit_number_is_told_apart(typed):
    assert "eleven digits" in refusal_of(typed)


@pytest.mark.parametrize(
    "typed", ["0", "12345", "09123456789", "0612345678", "+84", "()", "+999 1"]
)
def test_normalize__no_number_says_how_to_type_one(typed):
    assert "0912 345 678" in refusal_of(typed)


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        ("O912345678", "“O”"),
        ("0912345678 ext 5", "“e”"),
        ("0912345678;5", "“;”"),
        ("0912345678#5", "“#”"),
        ("0912345678/0987654321", "“/”"),
        ("++84912345678", "“+”"),
        ("0912+345678", "“+”"),
        ("0912\x00345678", "“U+0000”"),
        ("0912\ud800345678", "“U+D800”"),
        ("0912345678\n0987654321", "“U+000A”"),
        ("091234567²", "“²”"),
    ],
)
def test_normalize__other_characters_are_named(typed, named):
    assert named in refusal_of(typed)


@pytest.mark.parametrize(
    ("raw", "type_name"), [(912345678, "int"), (b"0912345678", "bytes"), (None, "NoneType")]
)
def test_normalize__other_types_are_named(raw, type_name):
    assert type_name in refusal_of(raw)


@pytest.mark.parametrize("typed", ["", " \n\u00a0"])
def test_normalize__blank_is_missing(typed):
    assert "missing" in refusal_of(typed)


def test_normalize__ten_megabytes_are_not_looked_into():
    assert "10000000 characters" in refusal_of("1" * 10_000_000)


@pytest.mark.parametrize("typed", ["028 3822 1234", "1900 1234", "1800 123 456", "+65 8123 4567"])
def test_normalize__only_vietnamese_mobile_numbers_by_default(typed):
    assert refusal_of(typed) == "Only Vietnamese mobile numbers can be written to."


@pytest.mark.parametrize("typed", ["+65 8123 4567", "006581234567", "6581234567"])
def test_normalize__allowed_region(typed, allowing):
    allowing({"VN": ["MOBILE"], "SG": ["MOBILE"]})

    assert normalize(typed) == "6581234567"


def test_normalize__allowed_type(allowing):
    allowing({"VN": ["MOBILE", "FIXED_LINE"]})

    assert normalize("028 3822 1234") == "842838221234"


def test_normalize__type_that_a_region_cannot_tell_apart(allowing):
    allowing({"US": ["MOBILE"]})

    assert normalize("+1 (201) 555-0123") == "12015550123"


def test_normalize__number_outside_of_the_sites_own_choice(allowing):
    allowing({"SG": ["MOBILE"]})

    assert "not allowed on this site" in refusal_of("0912345678")


def test_normalize__digits_from_a_region_that_is_not_allowed_are_no_number(allowing):
    allowing({"VN": ["MOBILE"], "SG": ["MOBILE"]})

    assert "not a phone number" in refusal_of("4915112345678")


@given(st.text(max_size=60) | st.text("0123456789+() .-８", max_size=20))
def test_normalize__any_text_is_a_number_or_refused(text):
    try:
        wire = normalize(text)
    except InvalidMessage:
        return

    assert normalize(wire) == wire


@pytest.mark.parametrize(
    ("numbers", "named"),
    [
        (["VN"], "dictionary"),
        ({"XX": ["MOBILE"]}, "'XX'"),
        ({1: ["MOBILE"]}, "region 1"),
        ({"VN": "MOBILE"}, "'VN'"),
        ({"VN": ["CARRIER_PIGEON"]}, "FIXED_LINE"),
        ({"VN": [1]}, "FIXED_LINE"),
    ],
)
def test_check_allowed_numbers__wrong_setting_is_told(numbers, named, allowing):
    allowing(numbers)

    with pytest.raises(ImproperlyConfigured, match=named):
        check_allowed_numbers()


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("84912345678", "84912•••678"),
        ("+84 912 345 678", "84912•••678"),
        ("0912 345 678", "091•••678"),
        ("6581234567", "658•••567"),
        ("12345678", "•••"),
        ("an", "•••"),
        ("", ""),
    ],
)
def test_mask__hides_the_middle(number, masked):
    assert mask(number) == masked


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("to 0912345678.", "to 091•••678."),
        ("0912 345 678", "091•••678"),
        ("0912.345.678, 0987-654-321 5", "091•••678, 098•••321 5"),
        ("02838123456", "028•••456"),
        ("84912345678", "84912•••678"),
        ("84 912 345 678", "84912•••678"),
        ("+84\u00a0912 345 678", "84912•••678"),
        ("(+84) 912.345.678", "(84912•••678"),
        ("+84 (0)912-345-678", "840•••678"),
        ("84 (0)912 345 678", "840•••678"),
        ("0084912345678", "008•••678"),
        ("0841234567", "084•••567"),
        ("+6581234567", "658•••567"),
        ("to=%2B84912345678&n=1", "to=84912•••678&n=1"),
        ("to=%2b6581234567", "to=658•••567"),
        ("to=0912%20345%20678&n=1", "to=091•••678&n=1"),
        ("to%3D0912345678", "to%3D091•••678"),
        ("%280912%29345678", "%28091•••678"),
        ('"\\n0912345678\\n"', '"\\n091•••678\\n"'),
        ("order_0912345678.csv", "order_091•••678.csv"),
    ],
)
def test_mask_numbers__of_any_form_in_a_text(text, masked):
    assert mask_numbers(text) == masked
    assert mask_numbers(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "5f0c1a2b-1111-4222-8333-0912345678ab",
        "a0912345678",
        "20912345678",
        "09123456789012",
        "1.0912345678 1,0912345678",
        "2026-11-26 08:11:12,123 and 08-11-2026 12:30",
        "1712345678.123",
        "UTC+7 2026-11-26 10",
        "912345678",
        "DH-1024 of 150000 VND",
        "",
    ],
)
def test_mask_numbers__what_is_no_number_stays(text):
    assert mask_numbers(text) == text


@given(st.text(), st.sampled_from(["0912345678", "84912345678", "+84 912 345 678"]))
def test_mask_numbers__whatever_is_around(text, number):
    assert number not in mask_numbers(f"{text}: {number}, {text}")


@given(st.text())
def test_mask__shows_at_most_six_digits_of_a_subscribers_number(text):
    shown = mask(text).removeprefix("84")

    assert sum(character.isdigit() for character in shown) <= 6


@pytest.mark.parametrize(
    ("wire", "shown"),
    [
        ("84912345678", "0912 345 678"),
        ("84841234567", "0841 234 567"),
        ("6581234567", "+65 8123 4567"),
        ("99912345678", "99912345678"),
        ("84123", "84123"),
        ("erased", "erased"),
        ("", ""),
        ("1" * 5000, "1" * 5000),
    ],
)
def test_display__as_people_write_it(wire, shown):
    assert display(wire) == shown


@pytest.mark.parametrize(
    ("typed", "wire"),
    [
        ("0912 345 678", "84912345678"),
        ("841234567", "84841234567"),
        ("0084 912345678", "84912345678"),
        # Not allowed, or not of today's plan, and perhaps on record all the same.
        ("024 3936 1234", "842439361234"),
        ("+65 8123 4567", "6581234567"),
        ("6581234567", "6581234567"),
        ("0123 456 7890", "841234567890"),
        ("841234567890", "841234567890"),
        ("+999 12345678", "99912345678"),
    ],
)
def test_recognize__takes_what_may_be_on_record(typed, wire):
    assert recognize(typed) == wire


@pytest.mark.parametrize(
    "typed", ["", "An", "12345", "0912 345 678 ext 5", "9" * 16, "0" * 10, None]
)
def test_recognize__refuses_what_is_no_number(typed):
    with pytest.raises(InvalidMessage):
        recognize(typed)


def test_recognize__asks_no_settings(settings):
    settings.ETELECOM = {"ALLOWED_NUMBERS": "none"}

    assert recognize("0912345678") == "84912345678"


@pytest.mark.parametrize(
    ("number", "digits"),
    [("84912345678", ["912345678"]), ("6581234567", ["6581234567", "81234567"])],
)
def test_spellings__have_these_digits_in_common(number, digits):
    assert list(spellings(number)) == digits


@pytest.mark.parametrize(
    ("typed", "wire"),
    [
        ("0912 345 678", "84912345678"),
        ("024 3936 1234", "842439361234"),
        ("+65 8123 4567", "6581234567"),
    ],
)
def test_existing__takes_numbers_that_are_not_allowed(typed, wire):
    assert existing(typed) == wire


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("0912 345 67", "This is not a phone number"),
        ("0123 456 7890", "eleven digits"),
        ("+999 12345678", "This is not a phone number"),
        ("", "missing"),
    ],
)
def test_existing__refuses_what_no_plan_has(typed, sentence):
    with pytest.raises(InvalidMessage, match=sentence):
        existing(typed)
