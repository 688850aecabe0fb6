"""What the command tells of mutants, from what the tool prints of them."""

from pathlib import Path

import pytest

from tests.mutants.page import page, sections, tallies
from tests.mutants.survivors import (
    Explanation,
    Mutant,
    Tally,
    change_of,
    explanations,
    function_of,
    outdated,
    shown,
    statuses,
    surviving,
    tallied,
    unexplained,
)

NAME = "django_etelecom.guards.x__turn__mutmut_1"
DIFF = """\
--- django_etelecom/guards.py
+++ django_etelecom/guards.py
@@ -1,4 +1,4 @@
 def _turn(at):
-    if at:
-        return at
+    if not at:
+        return at
     return 0"""
CHANGE = """\
-if at:
-    return at
+if not at:
+    return at"""
MUTANT = Mutant("guards.py", "_turn", CHANGE)
EXPLAINED = '''
[[explained]]
room = "guards.py"
function = "_turn"
reason = """
It is
nothing."""
changes = ["""
-if at:
-    return at
+if not at:
+    return at
"""]
'''


def test_statuses__are_read_from_what_the_tool_prints():
    printed = f"    {NAME}: survived\n    django_etelecom.guards.xǁHeldǁfind__mutmut_2: no tests\n"

    assert statuses(printed) == {
        NAME: "survived",
        "django_etelecom.guards.xǁHeldǁfind__mutmut_2": "no tests",
    }


def test_tallied__counts_what_fails_and_what_never_ends():
    assert tallied({"1": "killed", "2": "timeout", "3": "survived"}) == Tally(3, noticed=2)


@pytest.mark.parametrize("status", ["survived", "no tests", "suspicious", "segfault", "skipped"])
def test_surviving__is_whatever_no_test_fails_on(status):
    assert surviving({"1": "killed", "2": status, "3": "timeout"}) == ["2"]


@pytest.mark.parametrize("status", ["not checked", "check was interrupted by user"])
def test_surviving__of_a_run_that_broke_off_is_not_known(status):
    with pytest.raises(ValueError, match="1 mutants did not meet their tests"):
        surviving({"1": "killed", "2": status})


def test_shown__has_the_lines_that_change_and_the_indentation_that_they_do_not_share():
    assert shown("guards.py", NAME, DIFF) == MUTANT


def test_change__keeps_a_line_that_looks_like_a_head():
    assert change_of(["---x", "+++x"]) == "---x\n+++x"


@pytest.mark.parametrize(
    ("name", "function"),
    [
        (NAME, "_turn"),
        ("django_etelecom.guards.xǁHeldǁ__contains____mutmut_12", "Held.__contains__"),
    ],
)
def test_function__is_told_by_the_name(name, function):
    assert function_of(name) == function


def test_function__of_another_name_is_refused():
    with pytest.raises(ValueError, match=r"django_etelecom\.guards is not a mutant's name"):
        function_of("django_etelecom.guards")


def test_explanations__are_read_on_one_line_each():
    assert explanations(EXPLAINED) == [Explanation("It is nothing.", [MUTANT])]


def test_explanations__there_are_none():
    assert explanations("") == []


def test_unexplained__survivor_is_named():
    other = Mutant("guards.py", "closed", CHANGE)

    assert unexplained([MUTANT, other], explanations(EXPLAINED)) == [other]


def test_outdated__explanation_of_what_does_not_survive_is_named():
    known = explanations(EXPLAINED)

    assert outdated([], known, rooms=["guards.py"]) == [MUTANT]
    assert outdated([MUTANT], known, rooms=["guards.py"]) == []


def test_outdated__of_a_room_that_was_not_run_nothing_is_known():
    assert outdated([], explanations(EXPLAINED), rooms=["events.py"]) == []


def test_page__lists_rooms_and_survivors():
    text = page({"guards.py": Tally(3, noticed=2)}, explanations(EXPLAINED))

    assert "| `guards.py` | 3 | 2 | 1 |\n| `events.py` | not run yet | | |\n" in text
    assert f"## `guards.py`\n\n**`_turn`**: It is nothing.\n\n```diff\n{CHANGE}\n```\n" in text


def test_page__of_the_documentation_has_what_is_explained():
    root = Path(__file__).resolve().parent.parent.parent
    text = (root / "docs" / "reference" / "mutants.md").read_text()
    known = explanations((root / "tests" / "mutants" / "explained.toml").read_text())

    assert text == page(tallies(text), known)


def test_page__tells_what_it_was_told():
    counted = {"guards.py": Tally(3, noticed=2), "events.py": Tally(5, noticed=5)}

    assert tallies(page(counted, [])) == counted


def test_sections__has_mutants_of_one_reason_together():
    both = Explanation(
        "Alike.", [Mutant("guards.py", "f", "-1\n+2"), Mutant("guards.py", "f", "-3")]
    )

    assert sections([both]).count("Alike.") == 1
