"""Which column is which, by its heading."""

import pytest

from django_etelecom.sheets import match_columns


def test_match__by_the_very_name():
    assert match_columns(["name", "to", "x"], ["to", "name"]) == {"to": "to", "name": "name"}


@pytest.mark.parametrize(
    "heading", ["Mã đơn", "MA DON", "ma-don", "Ma_Don", "mã  đơn:", "Ma\u0303 đơn", "ＭＡ ĐƠN"]
)
def test_match__by_a_heading_as_people_write_it(heading):
    assert match_columns([heading], ["ma_don"]) == {"ma_don": heading}


@pytest.mark.parametrize(
    "heading",
    ["Phone", "phone number", "Mobile", "TO", "Recipient", "SĐT", "Số điện thoại", "Di động"],
)
def test_match__number_by_its_usual_headings(heading):
    assert match_columns(["name", heading], ["to"]) == {"to": heading}


def test_match__usual_headings_are_the_numbers_alone():
    assert match_columns(["Mobile"], ["phone"]) == {}


def test_match__very_name_goes_before_what_looks_like_it():
    assert match_columns(["Order code", "order_code"], ["order_code"]) == {
        "order_code": "order_code"
    }


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (["Mã đơn", "ma don"], ["ma_don"]),
        (["Mã đơn"], ["ma_don", "madon"]),
        (["Phone", "Số điện thoại"], ["to"]),
        (["???"], ["___"]),
    ],
)
def test_match__where_two_would_do_none_is_taken(columns, names):
    assert match_columns(columns, names) == {}


def test_match__no_column_twice():
    assert match_columns(["phone"], ["to", "phone"]) == {"phone": "phone"}
    assert match_columns(["Phone", "SĐT"], ["to", "phone"]) == {"to": "SĐT", "phone": "Phone"}
