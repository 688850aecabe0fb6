"""The judge of the proof condemns what breaks the promise, and nothing else."""

import pytest

from proof.judge import judge

LAN, MINH = "84910000000", "84910000001"


@pytest.mark.parametrize("status", ["accepted", "delivered", "undelivered", "unknown"])
def test_judge__received_once_and_on_record_is_well(status):
    verdict = judge([(LAN, "ICOMNI1")], [(LAN, status, "ICOMNI1")])

    assert not any(verdict.wrong.values())


def test_judge__received_twice():
    verdict = judge([(LAN, "ICOMNI1"), (LAN, "ICOMNI2")], [(LAN, "accepted", "ICOMNI1")])

    assert verdict.wrong["sent twice"] == 1
    assert LAN in verdict.examples[0]


@pytest.mark.parametrize("rows", [[], [(LAN, "not_sent", "")], [(LAN, "cancelled", "")]])
def test_judge__received_without_a_row_that_admits_it(rows):
    assert judge([(LAN, "ICOMNI1")], rows).wrong["unrecorded"] == 1


def test_judge__row_of_which_a_caller_was_told_is_gone():
    assert judge([], [], recorded=[LAN]).wrong["unrecorded"] == 1


@pytest.mark.parametrize(
    "row",
    [(LAN, "accepted", ""), (LAN, "delivered", "ICOMNI1"), (LAN, "rejected", "")],
)
def test_judge__nothing_was_received_and_the_row_says_what_the_provider_said(row):
    assert judge([], [row]).wrong["falsely recorded"] == 1


def test_judge__id_of_another_message():
    received = [(LAN, "ICOMNI1"), (MINH, "ICOMNI2")]

    verdict = judge(received, [(LAN, "accepted", "ICOMNI2"), (MINH, "accepted", "ICOMNI2")])

    assert verdict.wrong["falsely recorded"] == 1


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_judge__nobody_is_at_work_and_it_is_under_way(status):
    assert judge([], [(LAN, status, "")]).wrong["left unfinished"] == 1


def test_judge__not_received_and_the_row_does_not_say_otherwise():
    verdict = judge([], [(LAN, "unknown", ""), (MINH, "not_sent", "")], recorded=[LAN, MINH])

    assert not any(verdict.wrong.values())
