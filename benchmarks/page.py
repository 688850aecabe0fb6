"""The page of all figures, `docs/reference/performance.md`, from what was handed over."""

import ast
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measured import Figure, Measurement, table
from django_etelecom import __version__

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "reference" / "performance.md"

INTRODUCTION = """\
# Performance

What the app costs, and how fast it is beside what else would do the same work. Each section is a
script in `benchmarks/`; `tox run -e benchmark` runs them all and writes this page. MariaDB is
supported, and not measured.

What is compared takes turns, in rounds of one run, so that what slows the machine down slows down
both: a ratio tells of other machines too, a time or a rate of this one alone. A figure is the
median of the rounds. In brackets stand the least and the most of them, and what the median is held
to; a figure outside that is bold and says so.

Whether a worker that is killed loses a message or sends one twice is no matter of speed:
[the proof](proof.md) counts it."""

QUICK = """\
:::{warning}
These figures are of a quick run. Its sizes are so small, and its rounds so few, that it only shows
that everything runs: they are none to compare by, and not those that the bounds are meant for.
:::"""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one run of a benchmark."""

    benchmark: str
    measurement: Measurement | None = None
    failure: str = ""
    """Why there is no measurement."""

    @property
    def held(self) -> list[Figure]:
        """The figures that have a bound."""
        return [figure for figure in self._figures if figure.bound]

    @property
    def misses(self) -> list[str]:
        """What is not as it should be, a line each."""
        if self.measurement is None:
            return [f"`{self.benchmark}`: {self.failure}"]
        where = f" on {self.measurement.database}" if self.measurement.database else ""
        return [
            f"`{self.benchmark}`{where}, {figure.subject}, {figure.quantity}: {figure}"
            for figure in self._figures
            if not figure.holds
        ]

    @property
    def _figures(self) -> list[Figure]:
        return self.measurement.figures if self.measurement else []


def verdict(results: Sequence[Result]) -> str:
    """Say whether every figure is within its bound, and name each that is not."""
    held = [figure for result in results for figure in result.held]
    misses = [miss for result in results for miss in result.misses]
    if not misses:
        return f"All {len(held)} figures that have a bound are within it."
    lines = "\n".join(f"- {miss}" for miss in misses)
    within = sum(figure.holds for figure in held)
    told = f"{within} of {len(held)} figures that have a bound are within it."
    return f"{told} Not as they should be:\n\n{lines}"


def about(benchmark: str) -> str:
    """Return what a script's docstring says that it compares: all before how it is run."""
    script = (HERE / f"{benchmark}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(script)) or "").partition("\n\n    ")[0]


def written(
    results: Sequence[Result], *, command: str, day: str, minutes: float, machine: str, quick: bool
) -> str:
    """Return the page.

    Args:
        results: in the order of the page; those of one benchmark stand together.
        command: by which it was made.
        day: on which.
        minutes: which that took.
        machine: on which, in words.
        quick: whether the sizes were small.
    """
    measurements = [result.measurement for result in results if result.measurement]
    versions = {"django-etelecom": __version__}
    for measurement in measurements:
        versions |= measurement.versions
    databases = dict.fromkeys(one.database for one in measurements if one.database)
    made = {
        "Made": f"on {day} by `{command}`, which took {minutes:.0f} min",
        "Machine": machine,
        "Databases": ", ".join(databases),
        "Versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    rows = "\n".join(f"| {what} | {said} |" for what, said in made.items())
    parts = [
        INTRODUCTION,
        *([QUICK] if quick else []),
        verdict(results),
        f"| | |\n|---|---|\n{rows}",
    ]
    for benchmark, group in itertools.groupby(results, key=lambda result: result.benchmark):
        parts += [f"## `{benchmark}`", about(benchmark), *map(_section, group)]
    return "\n\n".join(parts) + "\n"


def _section(result: Result) -> str:
    if result.measurement is None:
        return f"**Nothing was measured: {result.failure}.**"
    told = filter(None, (result.measurement.database, result.measurement.size))
    return f"{', '.join(told)}:\n\n{table(result.measurement.figures)}"
