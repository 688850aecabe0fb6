"""What a benchmark measures: taken by turns, kept as figures, told as one table."""

import argparse
import gc
import json
import multiprocessing
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One cell of a benchmark's table."""

    subject: str
    """What was measured: the row."""
    quantity: str
    """What of it: the column."""
    median: float
    least: float
    most: float
    unit: str = ""
    """Such as `x` or `ms`; a count has none."""
    at_most: float | None = None
    """What the median is held to; most figures are held to nothing."""
    at_least: float | None = None

    @classmethod
    def of(cls, subject: str, quantity: str, values: Sequence[float], **rest: Any) -> "Figure":
        """Return the figure of what each round measured."""
        return cls(
            subject=subject,
            quantity=quantity,
            median=statistics.median(values),
            least=min(values),
            most=max(values),
            **rest,
        )

    @property
    def bound(self) -> str:
        """What the median is held to, in words; empty where it is held to nothing."""
        bounds = {"at most": self.at_most, "at least": self.at_least}
        return " and ".join(
            f"{words} {self._with_unit(f'{limit:,g}')}"
            for words, limit in bounds.items()
            if limit is not None
        )

    @property
    def holds(self) -> bool:
        return (self.at_most is None or self.median <= self.at_most) and (
            self.at_least is None or self.median >= self.at_least
        )

    def __str__(self) -> str:
        """Say the median, from where to where the rounds went, and the bound."""
        rest = []
        if self.least != self.most:
            rest.append(f"{self._rounded(self.least)}–{self._rounded(self.most)}")
        if self.bound:
            rest.append(self.bound if self.holds else f"not {self.bound}")
        told = self._with_unit(self._rounded(self.median))
        return f"{told} ({'; '.join(rest)})" if rest else told

    def _rounded(self, value: float) -> str:
        decimals = 0 if not self.unit or self.median >= 100 else 1 if self.median >= 20 else 2
        return f"{value:,.{decimals}f}"

    def _with_unit(self, number: str) -> str:
        return f"{number} {self.unit}" if self.unit not in ("", "x") else f"{number}{self.unit}"


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one run of a benchmark hands over."""

    size: str
    """How much was measured, such as `15 rounds of 60 messages`."""
    figures: list[Figure]
    database: str = ""
    """With its version; empty where none is asked."""
    versions: dict[str, str] = field(default_factory=dict)
    """Of Python, and of the packages that what was measured depends on."""

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Measurement":
        read = json.loads(text)
        return cls(**{**read, "figures": [Figure(**figure) for figure in read["figures"]]})


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as a table of Markdown; what is out of its bound is in bold."""
    rows: dict[str, dict[str, str]] = {}
    for figure in figures:
        told = str(figure) if figure.holds else f"**{figure}**"
        rows.setdefault(figure.subject, {})[figure.quantity] = told
    quantities = list(dict.fromkeys(quantity for row in rows.values() for quantity in row))
    cells = [["", *quantities]]
    cells += [
        [subject, *(row.get(quantity, "") for quantity in quantities)]
        for subject, row in rows.items()
    ]
    widths = [max(2, *map(len, column)) for column in zip(*cells, strict=True)]
    cells.insert(1, ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    return "\n".join(
        f"| {name:{widths[0]}} | "
        + " | ".join(f"{cell:>{width}}" for cell, width in zip(told, widths[1:], strict=True))
        + " |"
        for name, *told in cells
    )


def parser(description: str) -> argparse.ArgumentParser:
    """Return the parser of a benchmark's options, with the one that all of them take."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--figures", type=Path, help="a file to write them to, as JSON")
    return parser


def tell(
    options: argparse.Namespace,
    figures: list[Figure],
    *,
    size: str,
    database: str = "",
    packages: Iterable[str] = (),
) -> None:
    """Print what was measured, and hand it over where `--figures` says so.

    Args:
        options: as the parser of `parser` read them.
        size: how much was measured.
        database: what `databases.made` says that it is.
        packages: the distributions whose versions matter to the figures.
    """
    versions = {"Python": platform.python_version()}
    versions |= {package: metadata.version(package) for package in packages}
    measurement = Measurement(size=size, figures=figures, database=database, versions=versions)
    told = [database, *(f"{name} {version}" for name, version in versions.items()), size]
    print(", ".join(filter(None, told)))
    print(table(figures))
    if options.figures:
        options.figures.write_text(measurement.to_json(), encoding="utf-8")


def interleaved(sides: dict[str, Callable[[int], Any]], rounds: int) -> dict[str, list]:
    """Return what each side measured in each round: the sides by turns, in one order and the other.

    Each side is called with the number of the round; that of round 0, which warms up, is not kept.
    """
    measured: dict[str, list] = {name: [] for name in sides}
    for turn in range(rounds + 1):
        for name in sides if turn % 2 else reversed(sides):
            result = sides[name](turn)
            if turn:
                measured[name].append(result)
    return measured


def ratios(ones: Iterable[float], others: Iterable[float]) -> list[float]:
    """Return the ratio in each round."""
    return [one / other for one, other in zip(ones, others, strict=True)]


def timed_calls(
    calls: dict[str, Callable[[], Any]], rounds: int, count: int
) -> dict[str, list[float]]:
    """Return the milliseconds of a call in each round, `count` of them a round, by side."""
    sides = {
        name: lambda _turn, call=call: milliseconds(call, count) for name, call in calls.items()
    }
    return interleaved(sides, rounds)


def milliseconds(function: Callable[[], Any], count: int) -> float:
    """Return what a call takes, in the mean of `count` of them."""
    gc.collect()
    began = time.perf_counter()
    for _ in range(count):
        function()
    return (time.perf_counter() - began) / count * 1000


def beside(serve: Callable[..., None], *arguments: Any) -> Any:
    """Start a server in a process that ends with this one; return what it tells when it is ready.

    Args:
        serve: the first argument that it gets is the connection by which it tells.
        arguments: the others.
    """
    ours, theirs = multiprocessing.Pipe()
    SPAWN.Process(target=serve, args=(theirs, *arguments), daemon=True).start()
    # Else a server that fails would be waited for.
    theirs.close()
    return ours.recv()


def apart(measure: Callable[..., Any], *arguments: Any) -> Any:
    """Return what a function returns in a process of its own, whose memory is its own too."""
    with ProcessPoolExecutor(1, mp_context=SPAWN) as process:
        return process.submit(measure, *arguments).result()


def peak_memory() -> float:
    """Return the most memory that this process has had, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # What `getrusage` says includes the process that this one was started from.
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
