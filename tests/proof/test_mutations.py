"""The mutations of the proof fit the app as it is, and are caught by what there is."""

import importlib.util
from pathlib import Path

import pytest

from proof.mutations import HOME, MUTATIONS, Caught, Failed

APP = HOME / "django_etelecom"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_mutation__changes_one_place(mutation):
    assert (APP / mutation.file).read_text().count(mutation.old) == 1
    assert mutation.new != mutation.old


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_mutation__catcher_exists(mutation):
    if isinstance(mutation.by, Caught):
        assert importlib.util.find_spec(f"proof.{mutation.by.check}")
    if isinstance(mutation.by, Failed):
        file, _, name = mutation.by.test.partition("::")
        assert f"def {name}(" in (Path(HOME) / file).read_text()


def test_mutations__have_names_of_their_own():
    names = [mutation.name for mutation in MUTATIONS]

    assert len(set(names)) == len(names) >= 18
