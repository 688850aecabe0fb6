"""Answers to GetStatusOmni that are put together from pieces whose meaning is known."""

import dataclasses
import json
import random

from .send_answers import KINDS
from .wire_answers import (
    ACCEPTED,
    LARGEST_BODY,
    SECRET,
    Kind,
    http,
    id_of,
    key,
    members,
    text,
    with_id,
)

DELIVERED = frozenset({"delivered"})
UNDELIVERED = frozenset({"undelivered"})
AS_IT_WAS = ACCEPTED


def report(chance: random.Random, number: str, status: str, more: list[tuple[str, str]]) -> str:
    pairs = [
        # Of a damaged id it is no number: it may have a quote in it.
        ('"phonenumber"', json.dumps(number)),
        ('"createdatetime"', '"21/05/2021 14:43:22"'),
        (key(chance, "status"), status),
        (key(chance, "channel"), chance.choice(['"BrandnameSMS"', '"ZNS"', "null", "3"])),
        (chance.choice(['"errorCode"', '"errorcode"', '"error_code"']), '"-118"'),
        ('"mtcount"', chance.choice(["1", '"2"', "-1", "1e3", "99999999999", "true"])),
        ('"telcoid"', chance.choice(["3", '"14"', "null"])),
        *more,
    ]
    chance.shuffle(pairs)
    return members(chance, pairs)


def _echo(chance: random.Random) -> list[tuple[str, str]]:
    echoed = json.dumps({"order_code": "DH-1", "pin": SECRET})
    return [('"list_param"', chance.choice([echoed, json.dumps(echoed)]))]


def _word(chance: random.Random, word: str) -> str:
    spelled = chance.choice([word, word.lower(), word.capitalize()])
    return text(chance, chance.choice(["", "", " "]) + spelled + chance.choice(["", "\n"]))


_WORDS = {"SUCCESS": DELIVERED, "FAIL": UNDELIVERED, "PROCESSING": AS_IT_WAS}


def _reported(chance, number):
    word = chance.choice(list(_WORDS))
    more = _echo(chance)
    if chance.random() < 0.3:
        more += with_id(chance, number)
    return http(chance, report(chance, number, _word(chance, word), more), _WORDS[word])


def _as_printed(chance, number):
    """As the documentation prints it: the quotes of the echo are bare."""
    word = chance.choice(list(_WORDS))
    value = chance.choice([SECRET, "", "}", "a, b", '","status":"SUCCESS', '"status":"SUCCESS'])
    body = (
        f'{{ "phonenumber":{json.dumps(number)}, "list_param":"{{"otp":"{value}"}}", '
        f'"createdatetime":"21/05/2021 14:43:22", "status":"{word}", "channel":"ZNS", '
        '"templatecode":"order", "errorCode":"-118" }'
    )
    return http(chance, body, _WORDS[word])


def _printed_ambiguously(chance, number):
    """A parameter that looks like the end of the echo, and like what may follow it."""
    value = chance.choice(['x"}","status":"SUCCESS","a":"{"b":"', 'x"}", "status":"SUCCESS"}'])
    body = f'{{"list_param":"{{"otp":"{value}"}}", "status":"FAIL", "channel":"ZNS"}}'
    return http(chance, body, UNDELIVERED | AS_IT_WAS)


def _of_another(chance, number):
    other = text(chance, chance.choice(["ICOMNI1", id_of(number) + "1", id_of(number).lower()]))
    more = [(key(chance, "idOmniMess"), other)]
    return http(chance, report(chance, number, _word(chance, "SUCCESS"), more), AS_IT_WAS)


def _no_word(chance, number):
    status = chance.choice(_NO_WORDS)
    return http(chance, report(chance, number, status, _echo(chance)), AS_IT_WAS)


_NO_WORDS = [
    *('"1"', "1", "true", "null", '"SUCCESSFUL"', '"SUCCES"', '"UN SUCCESS"', '"FAILED"', "[]"),
    *('["SUCCESS"]', '{"SUCCESS": 1}', r'"SUCCESS\u0000"', r'"\uff33UCCESS"'),
    json.dumps(SECRET),
]


def _words_contradict(chance, number):
    more = [(chance.choice(['"sTATUS"', '"s_tatus"', '"stat us"']), '"FAIL"')]
    return http(chance, report(chance, number, '"SUCCESS"', more), AS_IT_WAS)


def _status_of_another_kind(chance, number):
    """What comes as an answer to SendMessage may: here it says nothing."""
    while True:
        kinds = [name for name in KINDS if name != "no end"]
        answer = KINDS[chance.choice(kinds)][1](chance, number)
        if len(answer.raw) < LARGEST_BODY:
            return dataclasses.replace(answer, statuses=AS_IT_WAS, reason=None, provider_id=None)


STATUS_KINDS: dict[str, Kind] = {
    "reported": (6, _reported),
    "reported as printed": (3, _as_printed),
    "printed ambiguously": (1, _printed_ambiguously),
    "of another message": (1, _of_another),
    "a word that is not of the table": (2, _no_word),
    "two words": (1, _words_contradict),
    "no report": (4, _status_of_another_kind),
}
