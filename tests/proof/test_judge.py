"""The judge of the proof condemns what breaks the promise, and nothing else."""

import datetime

import pytest

from django_etelecom.simulator.outcomes import Outcome
from django_etelecom.simulator.receipts import Receipt
from proof.judge import Received, Recorded, judge, received

LAN, MINH = "84910000000", "84910000001"
ACCEPTED = Received(LAN, "ICOMNI1", "accepted")
REFUSED = Received(LAN, "", "rejected")
UNANSWERED = Received(LAN, "", "")


def row(status, provider_id="", *, to=LAN, reason=""):
    return Recorded(to, status, provider_id, reason)


@pytest.mark.parametrize("status", ["accepted", "delivered", "undelivered", "unknown"])
def test_judge__received_once_and_on_record_is_well(status):
    judgement = judge([ACCEPTED], [row(status, "ICOMNI1")])

    assert not any(judgement.wrong.values())


@pytest.mark.parametrize("answer", [REFUSED, UNANSWERED])
def test_judge__whether_it_was_taken_may_stay_unknown(answer):
    assert not any(judge([answer], [row("unknown")]).wrong.values())


def test_judge__refused_and_says_so():
    assert not any(judge([REFUSED], [row("rejected")]).wrong.values())


def test_judge__received_twice():
    judgement = judge([ACCEPTED, ACCEPTED._replace(provider_id="ICOMNI2")], [row("unknown")])

    assert judgement.wrong["sent twice"] == 1
    assert LAN in judgement.examples[0]


@pytest.mark.parametrize("rows", [[], [row("not_sent")], [row("cancelled")]])
def test_judge__received_without_a_row_that_admits_it(rows):
    assert judge([ACCEPTED], rows).wrong["unrecorded"] == 1


def test_judge__row_of_which_a_caller_was_told_is_gone():
    assert judge([], [], known=[LAN]).wrong["unrecorded"] == 1


@pytest.mark.parametrize(
    "said", [row("accepted"), row("delivered", "ICOMNI1"), row("rejected")], ids=lambda one: one[1]
)
def test_judge__nothing_was_received_and_the_row_says_what_the_provider_said(said):
    assert judge([], [said]).wrong["falsely recorded"] == 1


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (REFUSED, "accepted"),
        (UNANSWERED, "accepted"),
        (UNANSWERED, "rejected"),
        (ACCEPTED, "rejected"),
        (REFUSED, "delivered"),
    ],
)
def test_judge__row_says_what_the_answer_does_not(answer, status):
    said = row(status, answer.provider_id)

    assert judge([answer], [said]).wrong["falsely recorded"] == 1


def test_judge__id_of_another_message():
    receipts = [ACCEPTED, Received(MINH, "ICOMNI2", "accepted")]

    judgement = judge(receipts, [row("accepted", "ICOMNI2"), row("accepted", "ICOMNI2", to=MINH)])

    assert judgement.wrong["falsely recorded"] == 1


@pytest.mark.parametrize("status", ["queued", "sending"])
def test_judge__nobody_is_at_work_and_it_is_under_way(status):
    assert judge([], [row(status)]).wrong["left unfinished"] == 1


def test_judge__the_app_itself_failed():
    judgement = judge([ACCEPTED], [row("unknown", reason="internal_error")])

    assert judgement.wrong["exceptions of the app's own"] == 1


def test_judge__not_received_and_the_row_does_not_say_otherwise():
    judgement = judge([], [row("unknown"), row("not_sent", to=MINH)], known=[LAN, MINH])

    assert not any(judgement.wrong.values())


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Outcome.ACCEPTED, "accepted"),
        (Outcome.ACCEPTED_WITHOUT_ID, "accepted"),
        (Outcome.REFUSED_ROUTE, "rejected"),
        (Outcome.UNAUTHORIZED, "rejected"),
        (Outcome.ADDRESS_REFUSED_JSON, "rejected"),
        (Outcome.SERVER_ERROR, ""),
        (Outcome.BAD_JSON, ""),
        (Outcome.HANG, ""),
        (None, ""),
    ],
)
def test_received__says_what_the_answer_makes_of_the_message(outcome, word):
    now = datetime.datetime.now(datetime.UTC)
    receipt = Receipt(1, "/", {}, b"", None, now, outcome, "ICOMNI1")

    assert received(receipt, LAN) == Received(LAN, "ICOMNI1", word)
