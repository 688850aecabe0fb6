"""The table of the proof tells what was done and found, and the page what each check does."""

import dataclasses
import importlib.util

import pytest

from proof.checks import CHECKS, Check
from proof.page import explained, page, table, version
from proof.results import Result

WELL = Result(
    check="kill -9",
    database="SQLite 3",
    times="10 kills",
    did="of a worker",
    seen="3 unknown",
    wrong={"sent twice": 0},
    seconds=3.2,
    appendix="| a | table |",
)
BROKEN = dataclasses.replace(WELL, wrong={"sent twice": 1200})


def test_table__what_was_done_and_found():
    assert table([WELL])[-1] == "| kill -9 | SQLite 3 | 10 kills | 0 sent twice | 3 |"


def test_table__what_must_not_happen_is_bold():
    assert "**1,200 sent twice**" in table([BROKEN])[-1]


def test_result__survives_its_journey():
    assert Result.of_json(BROKEN.as_json()) == BROKEN
    assert WELL.holds
    assert not BROKEN.holds


def test_page__has_the_table_and_what_each_check_does():
    told = [(check, [WELL]) for check in CHECKS]

    text = page(told, seed=7, nightly=False, minutes=9.4)

    assert table([WELL])[-1] in text
    assert "9 minutes" in text
    assert "seed 7" in text
    for check in CHECKS:
        assert explained(check) in text
        assert f"### `{check.module}`: kill -9" in text
    assert "- SQLite 3: of a worker; 3 unknown." in text
    assert "| a | table |" in text


def test_version__of_what_is_not_installed():
    assert version("no-such-package") == "no no-such-package"
    assert version("Django").startswith("Django ")


@pytest.mark.parametrize("check", CHECKS, ids=lambda one: one.module)
def test_check__is_a_module_that_says_what_it_does(check):
    assert importlib.util.find_spec(f"proof.{check.module}")
    assert explained(check)


@pytest.mark.parametrize("check", CHECKS, ids=lambda one: one.module)
@pytest.mark.parametrize("nightly", [False, True])
def test_check__is_shared_out_whole(check, nightly):
    shares = [check.share(database, nightly=nightly) for database in check.databases]

    assert sum(shares) == (check.nightly if nightly else check.short)
    assert min(shares) >= 1
    assert check.weights or max(shares) - min(shares) <= 1


def test_check__is_shared_out_by_weight():
    check = Check("lives", 500, 10_001, weights=(3, 1, 1))

    assert [check.share(database, nightly=False) for database in check.databases] == [300, 100, 100]
    assert sum(check.share(database, nightly=True) for database in check.databases) == 10_001
