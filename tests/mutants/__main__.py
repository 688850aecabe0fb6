"""Changes the code in small ways and looks whether a test notices: `tox run -e mutants`.

Fails where a change that no test notices is not in `explained.toml`, and where that explains one
that is noticed or is no more. Writes the page `docs/reference/mutants.md`.
"""

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant

from tests.mutants import survivors
from tests.mutants.migrated import MIGRATED_DATABASE
from tests.mutants.page import page, tallies
from tests.mutants.rooms import TESTS_BY_ROOM
from tests.mutants.survivors import Mutant, Tally

ROOT = Path(__file__).resolve().parent.parent.parent
EXPLAINED = Path(__file__).with_name("explained.toml")
PAGE = ROOT / "docs" / "reference" / "mutants.md"
COPIED = ["django_etelecom", "example_project", "tests"]
# By the file, and with no folder of its own on the path: it makes a copy of `tests`.
MUTMUT = [sys.executable, "-P", str(Path(__file__).with_name("timely.py"))]

CONFIGURATION = """
[tool.mutmut]
source_paths = ["django_etelecom"]
only_mutate = ["django_etelecom/{room}"]
also_copy = ["example_project"]
pytest_add_cli_args = {arguments}
pytest_add_cli_args_test_selection = {tests}
# Seconds, of which a busy machine takes many: one that never ends is rare.
timeout_constant = 60.0
timeout_multiplier = 3.0
track_dependencies = false
use_git_change_detection = false
"""
ARGUMENTS = [
    "-p",
    "no:cacheprovider",
    "-p",
    "tests.mutants.migrated",
    "--reuse-db",
    "--no-migrations",
    # It would run before all others, and where an attempt raises, its sender waits for ever.
    "--deselect",
    "tests/test_send_now.py::test_send_now__transaction_of_a_test_case_is_not_the_callers",
]


class Workshop:
    """Where the mutants of one room are made: outside the code, which stays as it is."""

    def __init__(self, room: str, folder: Path) -> None:
        self.room = room
        self.folder = folder / room.removesuffix(".py").replace("/", "-")
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "PYTHONPATH": str(self.folder / "mutants"),
            MIGRATED_DATABASE: str(self.folder / "migrated.sqlite3"),
        }
        self.environment.pop("DATABASE_URL", None)

    def empty(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        # A path of Python's that is not there when it starts is never looked at.
        (self.folder / "mutants").mkdir(parents=True)
        for name in COPIED:
            (self.folder / name).symlink_to(ROOT / name)

    def configure(self) -> None:
        configuration = CONFIGURATION.format(
            room=self.room, arguments=ARGUMENTS, tests=TESTS_BY_ROOM[self.room]
        )
        (self.folder / "pyproject.toml").write_text(
            (ROOT / "pyproject.toml").read_text() + configuration
        )

    def migrate(self) -> None:
        database = self.environment[MIGRATED_DATABASE]
        Path(database).unlink(missing_ok=True)
        environment = {
            **self.environment,
            "DATABASE_URL": f"sqlite:///{database}",
            "PYTHONPATH": str(ROOT),
        }
        command = [sys.executable, "-m", "django", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)

    def run(self, names: Sequence[str] = ()) -> None:
        # One at a time: they share a database.
        command = [*MUTMUT, "run", "--max-children", "1", *names]
        subprocess.run(command, cwd=self.folder, env=self.environment, check=True)

    def statuses(self) -> dict[str, str]:
        command = [*MUTMUT, "results", "--all", "true"]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, check=True, stdout=subprocess.PIPE
        )
        return survivors.statuses(done.stdout.decode())

    def survivors(self) -> list[Mutant]:
        path = f"django_etelecom/{self.room}"
        # `mutmut show` starts anew for each.
        with contextlib.chdir(self.folder):
            return [
                survivors.shown(self.room, name, get_diff_for_mutant(name, path=path))
                for name in survivors.surviving(self.statuses())
            ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.mutants", description=__doc__)
    parser.add_argument("rooms", nargs="*", metavar="ROOM", help=f"of {', '.join(TESTS_BY_ROOM)}")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / ".mutants", help="where they are made"
    )
    parser.add_argument(
        "--again", action="store_true", help="only what survived the last time, of the same code"
    )
    options = parser.parse_args()
    rooms = options.rooms or list(TESTS_BY_ROOM)
    folder = options.folder.resolve()
    found: list[Mutant] = []
    tallied: dict[str, Tally] = {}
    for room in rooms:
        workshop = Workshop(room, folder)
        if not options.again:
            workshop.empty()
        workshop.configure()
        workshop.migrate()
        # None: all of them.
        workshop.run(survivors.surviving(workshop.statuses()) if options.again else [])
        tallied[room] = survivors.tallied(workshop.statuses())
        found += workshop.survivors()
    known = survivors.explanations(EXPLAINED.read_text())
    unexplained = survivors.unexplained(found, known)
    outdated = survivors.outdated(found, known, rooms=rooms)
    for mutant in unexplained:
        print(f"\nNo test notices, and {EXPLAINED.name} does not explain:\n{mutant}")
    for mutant in outdated:
        print(f"\n{EXPLAINED.name} explains what is noticed, or is no more:\n{mutant}")
    if not unexplained and not outdated:
        before = tallies(PAGE.read_text()) if PAGE.exists() else {}
        PAGE.write_text(page({**before, **tallied}, known))
    return 1 if unexplained or outdated else 0


sys.exit(main())
