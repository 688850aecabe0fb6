"""The answers of the proof are the same for the same seed, and mean what they are made to mean."""

import json
import random
import time

import pytest

from proof.made_answers import DAMAGED_SHARE, answer_to_send, answer_to_status
from proof.reading import read_send, read_status
from proof.send_answers import KINDS
from proof.status_answers import STATUS_KINDS
from proof.wire_answers import in_pieces

NUMBERS = [f"8491{place:07}" for place in range(1500)]


@pytest.mark.parametrize("make", [answer_to_send, answer_to_status])
def test_answer__is_made_of_seed_and_number_alone(make, monkeypatch):
    first = [make(7, number) for number in NUMBERS[:600]]
    # Which gzip puts into what it compresses.
    monkeypatch.setattr(time, "time", lambda: 86_400.0)

    assert first == [make(7, number) for number in reversed(NUMBERS[:600])][::-1]
    assert first != [make(8, number) for number in NUMBERS[:600]]


def test_answers__all_kinds_come_and_some_are_damaged():
    answers = [answer_to_send(1, number) for number in NUMBERS]

    damaged = sum(answer.statuses is None for answer in answers)
    assert abs(damaged / len(answers) - DAMAGED_SHARE) < 0.05
    assert {answer.name for answer in answers} >= {*KINDS} - {"no end"}


@pytest.mark.parametrize("kind", KINDS)
def test_sound_answer__what_it_must_come_to_can_be_read_of_it(kind):
    for number in NUMBERS[:30]:
        answer = KINDS[kind][1](random.Random(number), number)  # noqa: S311
        if not answer.is_exact:
            continue
        reading = read_send(answer.raw)
        assert answer.statuses <= reading.statuses, answer.raw[:500]
        if answer.provider_id is not None:
            assert answer.provider_id in reading.ids | {""}


@pytest.mark.parametrize("kind", STATUS_KINDS)
def test_sound_status__what_it_must_come_to_can_be_read_of_it(kind):
    for number in NUMBERS[:30]:
        answer = STATUS_KINDS[kind][1](random.Random(number), number)  # noqa: S311
        if answer.is_exact:
            assert answer.statuses <= read_status(answer.raw).statuses, answer.raw[:500]


def test_answer__what_is_added_comes_with_the_end_of_it():
    answers = [answer_to_send(1, number) for number in NUMBERS]

    assert any(len(answer.pieces) > 1 for answer in answers)
    assert all(answer.pieces[-1] for answer in answers if answer.raw)


def test_answer__of_nothing_is_one_piece():
    chance = random.Random(1)  # noqa: S311  # the same every time

    assert {in_pieces(chance, b"") for _time in range(100)} == {(b"",)}


def test_answer__pieces_are_the_whole():
    answer = answer_to_send(1, NUMBERS[0])

    assert answer.raw == b"".join(answer.pieces)
    assert answer.name in {*KINDS, "damaged"}


def test_accepted__names_the_message_by_an_id_of_its_own():
    ids = {KINDS["accepted"][1](random.Random(1), number).provider_id for number in NUMBERS}  # noqa: S311

    assert len(ids) == len(NUMBERS)
    assert all(json.dumps(one).isascii() for one in ids)
