"""The measure for all that sends counts what went wrong, and what is in doubt apart."""

import pytest

from proof.tally import Tally, Word, tally

LAN, MINH = "84910000000", "84910000001"


def faults(counts: Tally) -> dict[str, int]:
    names = ("twice", "never", "unrecorded", "false")
    return {name: getattr(counts, name) for name in names if getattr(counts, name)}


@pytest.mark.parametrize("word", [Word.SENT, Word.IN_DOUBT])
def test_tally__received_once_and_on_record_is_well(word):
    assert faults(tally([LAN], [(LAN, word)], asked=[LAN])) == {}


@pytest.mark.parametrize("word", [Word.FAILED, Word.IN_DOUBT])
def test_tally__not_received_and_the_row_says_so_is_well(word):
    assert faults(tally([], [(LAN, word)], asked=[LAN])) == {}


def test_tally__nothing_was_asked_for():
    assert tally([], []).messages == 0


def test_tally__received_twice():
    counts = tally([LAN, LAN, MINH], [(LAN, Word.SENT), (MINH, Word.SENT)])

    assert faults(counts) == {"twice": 1}
    assert counts.messages == 2
    assert LAN in counts.examples[0]


@pytest.mark.parametrize("rows", [[], [(LAN, Word.UNDER_WAY)]])
def test_tally__received_and_nothing_says_so(rows):
    assert faults(tally([LAN], rows)) == {"unrecorded": 1}


@pytest.mark.parametrize("rows", [[], [(LAN, Word.UNDER_WAY)]])
def test_tally__asked_for_and_not_received_and_nothing_says_so(rows):
    assert faults(tally([], rows, asked=[LAN])) == {"never": 1}


@pytest.mark.parametrize(("received", "word"), [([], Word.SENT), ([LAN], Word.FAILED)])
def test_tally__row_says_the_contrary(received, word):
    assert faults(tally(received, [(LAN, word)])) == {"false": 1}


def test_tally__in_doubt_is_counted_and_no_fault():
    counts = tally([LAN], [(LAN, Word.IN_DOUBT), (MINH, Word.IN_DOUBT)])

    assert (counts.in_doubt, faults(counts), counts.examples) == (2, {}, [])


def test_tally__adds_up():
    counts = Tally()
    counts += tally([LAN, LAN], [(LAN, Word.SENT)])
    counts += tally([], [], asked=[MINH])

    assert (counts.messages, counts.twice, counts.lost) == (2, 1, 1)
    assert len(counts.examples) == 2
