"""The orders of the proof are all there are, and come to the strongest word."""

import math

import pytest

from proof.orders import REPLAYED, SEND, SIX, TOLD, is_possible, orders, status_told, strongest


def test_orders__all_of_six_in_which_the_send_comes_before_both_polls():
    of_six = [order for order in orders(SIX) if len(order) == 6]

    assert len(of_six) == len(set(of_six)) == math.factorial(6) / 3
    assert all(sorted(order) == sorted(SIX) for order in of_six)


def test_orders__of_any_length():
    assert {len(order) for order in orders(SIX)} == set(range(1, 7))
    assert len(orders(SIX)) == 662


def test_orders__replayed_events_are_the_same_whichever_comes_first():
    found = orders(REPLAYED)

    assert len(found) == len(set(found))
    assert ("webhook: fail on ZNS", "webhook: fail on ZNS") in found


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (("webhook: success on SMS",), True),
        ((SEND, "poll: fail on ZNS"), True),
        (("poll: fail on ZNS", SEND), False),
        (("poll: fail on ZNS",), False),
    ],
)
def test_is_possible__nobody_asks_by_an_id_that_is_not_known(order, expected):
    assert is_possible(order) is expected


@pytest.mark.parametrize(
    ("order", "confirms", "expected"),
    [
        (("webhook: success on SMS",), False, "sending"),
        (("webhook: success on SMS", SEND), False, "delivered"),
        (("webhook: success on SMS", SEND), True, "accepted"),
        ((SEND, "poll: success on SMS", "poll: fail on ZNS"), True, "delivered"),
        ((SEND, "poll: fail on ZNS", "webhook: processing on ZNS"), False, "undelivered"),
    ],
)
def test_strongest(order, confirms, expected):
    assert strongest(order, confirms=confirms) == expected


def test_status_told__is_one_of_the_table():
    assert {status_told(event) for event in SIX} == {*TOLD.values()}
