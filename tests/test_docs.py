"""The documentation names everything that it is a reference of."""

import re
from pathlib import Path

import pytest

from django_etelecom.conf import KNOWN_ACCOUNT_SETTINGS, KNOWN_SETTINGS
from django_etelecom.models.messages import Reason, Status
from django_etelecom.schema import DEFAULT_MAX_LENGTH, Kind

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"


def page(name):
    return (REFERENCE / f"{name}.md").read_text()


@pytest.mark.parametrize("setting", sorted(KNOWN_SETTINGS | KNOWN_ACCOUNT_SETTINGS))
def test_settings__are_documented(setting):
    assert f"`{setting}`" in page("settings")


def test_checks__are_documented_and_no_others():
    used = set(re.findall(r"etelecom\.[EW]\d{3}", (ROOT / "django_etelecom/checks.py").read_text()))

    assert set(re.findall(r"etelecom\.[EW]\d{3}", page("checks"))) == used


@pytest.mark.parametrize("word", [*Status.values, *Reason.values])
def test_statuses_and_reasons__are_documented(word):
    assert f"| `{word}` |" in page("messages")


@pytest.mark.parametrize("kind", Kind)
def test_kinds__are_documented_with_their_limit(kind):
    assert re.search(rf"\| `{kind}` \|.*\| {DEFAULT_MAX_LENGTH[kind]} \|", page("parameters"))


@pytest.mark.parametrize(
    "command",
    [path.stem for path in (ROOT / "django_etelecom/management/commands").glob("etelecom_*.py")],
)
def test_commands__are_documented(command):
    assert f"## `{command}" in page("commands")


@pytest.mark.parametrize("environment", ["run -e demo", "run"])
def test_readme__has_the_commands_of_a_fresh_machine(environment):
    command = f"python3 -m venv .venv && .venv/bin/pip install tox && .venv/bin/tox {environment}\n"

    assert command in (ROOT / "README.md").read_text()
