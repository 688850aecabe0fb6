"""What the threat model names exists, and nothing in it stands in an attacker's way untested."""

import ast
import functools
import re
from pathlib import Path

import pytest

from django_etelecom.conf import KNOWN_ACCOUNT_SETTINGS, KNOWN_SETTINGS
from django_etelecom.guard_rules import DEFAULTS

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/explanation/threats.md").read_text()

TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")
MODULE = re.compile(r"`(?!tests/)([\w/]+\.py)`")
SETTING = re.compile(r"`([A-Z]+(?:_[A-Z]+)+|[A-Z]{5,})`")

OF_DJANGO = {"SECRET_KEY", "DEBUG"}


def attackers() -> dict[str, str]:
    """Return what the page says of each attacker, by its heading."""
    _before, _heading, sections = PAGE.partition("\n## Attackers\n")
    sections = sections.partition("\n## ")[0]
    _nothing, *named = re.split(r"^### (.+)$", sections, flags=re.MULTILINE)
    return dict(zip(named[::2], named[1::2], strict=True))


@functools.cache
def defined_in(file: str) -> set[str]:
    tests = set()
    for node in ast.parse((ROOT / file).read_text()).body:
        if isinstance(node, ast.FunctionDef):
            tests.add(node.name)
        if isinstance(node, ast.ClassDef):
            tests |= {f"{node.name}::{one.name}" for one in node.body if hasattr(one, "name")}
    return tests


@pytest.mark.parametrize(("file", "test"), sorted(set(TEST.findall(PAGE))))
def test_tests__exist(file, test):
    assert test in defined_in(file)


def test_tests__none_is_named_in_another_form():
    assert PAGE.count("::") == len(TEST.findall(PAGE))


@pytest.mark.parametrize("attacker", attackers())
def test_attackers__each_has_what_stands_in_the_way_and_each_of_that_a_test(attacker):
    _before, listed, rest = attackers()[attacker].partition("\nWhat stands in the way:\n\n- ")
    stands = re.split(r"\n- ", rest.partition("\n\n")[0])

    assert listed
    assert [one for one in stands if not TEST.search(one)] == []


@pytest.mark.parametrize("attacker", attackers())
def test_attackers__each_says_what_it_does_not_stop(attacker):
    assert "\nDoes not stop: " in attackers()[attacker] or (
        "\nDoes not stop:\n\n- " in attackers()[attacker]
    )


@pytest.mark.parametrize("module", sorted(set(MODULE.findall(PAGE))))
def test_modules__exist(module):
    assert (ROOT / "django_etelecom" / module).is_file()


@pytest.mark.parametrize("setting", sorted(set(SETTING.findall(PAGE))))
def test_settings__exist(setting):
    guards = {guard for rules in DEFAULTS.values() for guard in rules}

    assert setting in KNOWN_SETTINGS | KNOWN_ACCOUNT_SETTINGS | guards | OF_DJANGO
