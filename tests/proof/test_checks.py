"""What a check needs is looked for before it is tried."""

from proof.__main__ import uninstalled
from proof.checks import Check


def test_uninstalled__names_what_is_missing():
    check = Check("peers", 1, 1, packages=("Django", "django-of-nobody"))

    sentence = uninstalled(check)

    assert "peers needs django-of-nobody" in sentence
    assert "Django," not in sentence


def test_uninstalled__nothing_is_missing():
    assert uninstalled(Check("kills", 1, 1, packages=("Django",))) == ""
