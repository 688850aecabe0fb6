"""Hours in which channels may be used."""

from datetime import UTC, datetime, time

import pytest

from django_etelecom.hours import ZNS_BY_DAY, Window, all_open, closed

SMS = Window(time(7), time(22))
CALL = Window(time(8), time(17))
NIGHT = Window(time(22), time(6))


def at(clock, day=24):
    """Return an instant by its local time, in UTC, which is seven hours behind."""
    hour, minute = map(int, clock.split(":"))
    local = datetime(2026, 12, day, hour, minute, tzinfo=UTC)
    return local.replace(day=day if hour >= 7 else day - 1, hour=(hour - 7) % 24)


@pytest.mark.parametrize(
    ("window", "clock", "expected"),
    [
        (SMS, "06:59", False),
        (SMS, "07:00", True),
        (SMS, "21:59", True),
        (SMS, "22:00", False),
        (NIGHT, "21:59", False),
        (NIGHT, "22:00", True),
        (NIGHT, "03:00", True),
        (NIGHT, "06:00", False),
        (ZNS_BY_DAY, "05:59", False),
        (ZNS_BY_DAY, "06:00", True),
    ],
)
def test_is_open__from_its_opening_until_before_it_closes(window, clock, expected):
    assert window.is_open(at(clock)) is expected


def test_closed__names_those_that_are():
    hours = {"3": SMS, "2": CALL}

    assert closed(hours, ["1", "2", "3"], at("18:00")) == ["2"]
    assert closed(hours, ["1", "2", "3"], at("23:00")) == ["2", "3"]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("12:00", at("12:00")),
        ("07:30", at("08:00")),
        ("18:00", at("08:00", day=25)),
        ("23:30", at("08:00", day=25)),
        ("02:00", at("08:00")),
    ],
)
def test_all_open__the_first_instant_at_which_every_channel_is(after, expected):
    assert all_open({"3": SMS, "2": CALL}, ["1", "2", "3"], at(after)) == expected


def test_all_open__never_where_they_do_not_meet():
    assert all_open({"3": NIGHT, "2": CALL}, ["3", "2"], at("12:00")) is None


def test_all_open__channels_without_hours_always_are():
    assert all_open({}, ["1"], at("03:00")) == at("03:00")
