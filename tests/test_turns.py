"""What a number had lately, and how long it has to wait for more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_etelecom.guard_rules import GuardRules, Limit
from django_etelecom.turns import Turn, read, recent, waits, written


def rules(*limits, cooldown=()):
    return GuardRules(
        suppression=True,
        consent=False,
        label=False,
        hours={},
        limits=tuple(Limit(*limit) for limit in limits),
        cooldown=tuple(cooldown),
        budget=None,
    )


def turn(at, *, category="otp", template=1, channels="13"):
    return Turn(f"m{at}", category, template, channels, float(at))


def test_read__what_was_written():
    turns = [turn(1.5), turn(2, category="advertising")]

    assert read(written(turns)) == turns


@pytest.mark.parametrize(
    ("had", "now", "wait"),
    [
        ([], 100, 0),
        ([70.001], 100, pytest.approx(0.001)),
        ([70], 100, 0),
        ([10, 40], 99, 1),
        ([10, 40], 100, 0),
        ([10, 40, 100], 219, 1),
        ([10, 40, 100, 220], 339, 1),
        ([10], 3610, 0),
        ([10, 40, 100, 3600], 3641, 19),
    ],
)
def test_waits__cooldown_grows_within_a_run(had, now, wait):
    cooldown, _limits = waits([turn(at) for at in had], turn(now), rules(cooldown=[30, 60, 120]))

    assert cooldown == wait


@pytest.mark.parametrize(
    ("had", "now", "wait"),
    [
        ([0], 3601, 82_799),
        ([0], 86_399, 1),
        ([0], 86_400, 0),
        ([0, 86_400], 90_001, 82_799),
    ],
)
def test_waits__cooldown_of_more_than_an_hour(had, now, wait):
    its = rules(cooldown=[86_400])
    turns = [turn(at) for at in had]

    assert waits(turns, turn(now), its) == (wait, 0)
    # What it goes by is not forgotten meanwhile.
    assert recent(turns, [rules(), its], now=had[-1] + 86_399)[-1:] == turns[-1:]


def test_waits__another_template_has_its_own_cooldown():
    had = [turn(100, template=2)]

    assert waits(had, turn(101), rules(cooldown=[30])) == (0, 0)


def test_waits__limit_slides():
    had = [turn(0), turn(10), turn(20)]

    assert waits(had, turn(50), rules((3, 60))) == (0, 10)
    assert waits(had, turn(60), rules((3, 60))) == (0, 0)
    assert waits(had, turn(60), rules((2, 60))) == (0, 10)


def test_waits__the_longest_of_several_limits():
    had = [turn(0), turn(10)]

    assert waits(had, turn(20), rules((2, 30), (2, 100))) == (0, 80)


def test_waits__limit_of_a_channel_counts_what_may_go_by_it():
    had = [turn(0, channels="12"), turn(1, channels="13")]

    assert waits(had, turn(2, channels="13"), rules((1, 60, "3"))) == (0, 59)
    assert waits(had, turn(2, channels="1"), rules((1, 60, "3"))) == (0, 0)


def test_waits__other_categories_do_not_count():
    had = [turn(0, category="advertising")]

    assert waits(had, turn(1), rules((1, 60), cooldown=[30])) == (0, 0)


def test_recent__forgets_what_no_rule_asks_for():
    had = [turn(0), turn(5000, category="advertising"), turn(9000)]

    assert recent(had, [rules((1, 60)), rules()], now=9001) == [had[2]]
    assert recent(had, [rules((1, 60)), rules((1, 5000))], now=9001) == had[1:]


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=60),
    st.integers(1, 5),
    st.integers(1, 100),
)
def test_waits__no_window_ever_holds_more_than_the_limit(tries, number, seconds):
    own = rules((number, seconds))
    had = []
    for at in sorted(tries):
        if waits(had, turn(at), own) == (0, 0):
            had.append(turn(at))

    for first in had:
        window = [one for one in had if first.at <= one.at < first.at + seconds]
        assert len(window) <= number
