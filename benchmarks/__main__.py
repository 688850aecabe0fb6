"""Runs the benchmarks, each in a process of its own, and writes `docs/reference/performance.md`.

    tox run -e benchmark
    tox run -e benchmark -- --quick --only send_cost --database sqlite

What is asked for in part, or quickly, is printed alone. POSTGRES_URL says where PostgreSQL is; the
databases that are made there end in `_benchmark`, and are dropped. Ends with 1 where a figure is
outside its bound or a benchmark fails, and with 2 where PostgreSQL cannot be reached.
"""

import argparse
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import page
from benchmarks.measured import Measurement

ROOT = Path(__file__).resolve().parent.parent
POSTGRES_URL = "postgres://postgres@127.0.0.1:5432/etelecom"

SQLITE, POSTGRESQL, NONE = "sqlite", "postgresql", "none"
BOTH = (SQLITE, POSTGRESQL)


@dataclass(frozen=True)
class Run:
    """One way in which a benchmark is run."""

    benchmark: str
    databases: tuple[str, ...]
    quick: str
    """What is added to its arguments for small sizes."""
    arguments: str = ""


FEW_MESSAGES = "--rounds 3 --count 10"
FEW_ROUNDS = "--rounds 2 --count 300"

RUNS = [
    Run("first_command", (NONE,), "--times 1"),
    Run("send_cost", BOTH, FEW_MESSAGES),
    Run("guard_cost", BOTH, FEW_MESSAGES),
    Run("api_cost", BOTH, FEW_MESSAGES),
    Run("post_cost", (NONE,), "--rounds 3 --count 100"),
    Run("campaign_loading", BOTH, "--rounds 2 --counts 100 2000"),
    # One by one, each committed to a file: five thousand of the loop would take too long.
    Run("queue_throughput", (SQLITE,), FEW_ROUNDS, "--count 1000"),
    Run("queue_throughput", (POSTGRESQL,), FEW_ROUNDS),
    Run("queue_throughput", (POSTGRESQL,), FEW_ROUNDS, "--delay 0.1 --in-flight 64 --only worker"),
    Run("queue_throughput", (POSTGRESQL,), FEW_ROUNDS, "--delay 0.1 --only bulk"),
    Run("queue_throughput", (POSTGRESQL,), "--rows 100 2000", "--memory worker"),
    Run("queue_throughput", (POSTGRESQL,), "--rows 100 2000", "--memory bulk"),
    Run("webhook_throughput", (POSTGRESQL,), "--rounds 2 --count 200"),
    Run("prune_cost", BOTH, "--count 2000"),
    Run("sheet_reading", (NONE,), "--rounds 2 --rows 5000"),
    Run("pattern_cost", (NONE,), "--patterns 100"),
    Run("admin_pages", (POSTGRESQL,), "--counts 2000 100000 --rounds 3 --plain-rounds 1"),
]


def fault_of_postgresql(url: str) -> str:
    """Return why PostgreSQL cannot be reached; "" where it can."""
    try:
        import psycopg  # not where the benchmarks are only listed
    except ImportError:
        return "psycopg is not installed"
    try:
        psycopg.connect(_named(url, "postgres"), connect_timeout=5).close()
    except psycopg.Error as error:
        return " ".join(str(error).split())
    return ""


def _named(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def result_of(run: Run, database: str, *, postgres_url: str, quick: bool) -> page.Result:
    """Run a benchmark on a database, and return what it handed over."""
    arguments = shlex.split(run.arguments) + shlex.split(run.quick if quick else "")
    print(f"\n== {run.benchmark} {' '.join(arguments)} ({database})", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder, "figures.json")
        name = urlsplit(postgres_url).path.strip("/")
        urls = {
            SQLITE: f"sqlite:///{folder}/benchmark.sqlite3",
            POSTGRESQL: _named(postgres_url, f"{name}_benchmark"),
        }
        ended = subprocess.run(
            [
                *(sys.executable, "-m", f"benchmarks.{run.benchmark}"),
                *(*arguments, "--figures", str(figures)),
            ],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": urls.get(database, "")},
            check=False,
        )
        if ended.returncode or not figures.exists():
            return page.Result(
                benchmark=run.benchmark,
                failure=f"on {database} it ended with {ended.returncode}",
            )
        measurement = Measurement.from_json(figures.read_text(encoding="utf-8"))
    return page.Result(benchmark=run.benchmark, measurement=measurement)


def machine() -> str:
    """Say what this machine is, and not which."""
    processor = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists() and (model := re.search(r"model name\s*:\s*(.+)", cpus.read_text())):
        processor = model[1]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    kernel = re.match(r"[\d.]*", platform.release())[0]
    return (
        f"{processor}, {os.cpu_count()} cores, {memory:.0f} GiB of memory, "
        f"{platform.system()} {kernel}"
    )


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    names = list(dict.fromkeys(run.benchmark for run in RUNS))
    parser.add_argument("--quick", action="store_true", help="small sizes: whether all of it runs")
    parser.add_argument("--only", choices=names, action="append", help="may be given repeatedly")
    parser.add_argument("--database", choices=BOTH, help="only on this one")
    parser.add_argument("--write", action="store_true", help="write the page in any case")
    options = parser.parse_args(arguments)
    chosen = [
        (run, database)
        for run in RUNS
        for database in run.databases
        if run.benchmark in (options.only or names) and options.database in (None, database)
    ]
    if not chosen:
        parser.error(f"none of these runs on {options.database}")

    postgres_url = os.environ.get("POSTGRES_URL") or POSTGRES_URL
    if any(database == POSTGRESQL for _run, database in chosen):
        fault = fault_of_postgresql(postgres_url)
        if fault:
            print(
                "PostgreSQL cannot be reached, and nothing was run. POSTGRES_URL says where it is; "
                f"--database sqlite leaves it out.\n{fault}",
                file=sys.stderr,
            )
            return 2

    began, day = time.monotonic(), f"{datetime.now(UTC):%Y-%m-%d}"
    results = [
        result_of(run, database, postgres_url=postgres_url, quick=options.quick)
        for run, database in chosen
    ]
    print(f"\n{page.verdict(results)}")
    if options.write or not (options.quick or options.only or options.database):
        text = page.written(
            results,
            command=" ".join(["tox run -e benchmark", *(["--", *arguments] if arguments else [])]),
            day=day,
            minutes=(time.monotonic() - began) / 60,
            machine=machine(),
            quick=options.quick,
        )
        page.PAGE.write_text(text, encoding="utf-8")
    return 1 if any(result.misses for result in results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
