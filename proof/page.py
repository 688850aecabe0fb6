"""The table of the proof, and docs/reference/proof.md, which has it."""

import ast
import datetime
import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

from .checks import Check
from .results import Result

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "reference" / "proof.md"

PACKAGES = ("Django", "psycopg", "mysqlclient", "pycurl", "celery")

INTRODUCTION = """\
# The proof

> One message, at most one POST that could have reached the provider, unless a person asks for
> another. Every POST has a record, committed before its first byte. "Accepted" and "delivered"
> appear only when the provider said so.

This page is written by the command that tries to break that promise:

```
tox run -e proof                # some minutes
tox run -e proof -- --nightly   # some hours
```

It needs PostgreSQL, MariaDB, Redis and RabbitMQ (`POSTGRES_URL`, `MARIADB_URL`, `REDIS_URL` and
`RABBITMQ_URL` say where, by default on this machine); `tox run -e proof -- --database SQLite` does
without the other databases. Each check has real processes send over real sockets to the app's
[simulator](simulator.md) and to servers and proxies that misbehave. What became of it is judged by
two witnesses alone: the receipts of the provider, and the rows of the database. Whatever is counted
under *found* must not happen at all.

"""


def table(results: Sequence[Result]) -> list[str]:
    """Return the lines of a Markdown table."""
    return [
        "| check | on | how often | found | seconds |",
        "|---|---|---|---|---|",
        *(
            f"| {one.check} | {one.database} | {one.times} "
            f"| {one.found if one.holds else f'**{one.found}**'} | {one.seconds:.0f} |"
            for one in results
        ),
    ]


def explained(check: Check) -> str:
    """Return what a check does: what its module says of itself."""
    module = ast.parse((HERE / f"{check.module}.py").read_text())
    return (ast.get_docstring(module) or "").replace("\n", " ")


def section(check: Check, results: Sequence[Result]) -> list[str]:
    """Return the lines that tell what one check does, and what it did on each database."""
    return [
        f"### `{check.module}`: {results[0].check}",
        "",
        explained(check),
        "",
        *(f"- {one.database}: {one.told}." for one in results),
        "",
        *(f"{one.appendix}\n" for one in results if one.appendix),
    ]


def version(package: str) -> str:
    """Return a package's name and version."""
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"no {package}"


def page(
    told: Sequence[tuple[Check, Sequence[Result]]], *, seed: int, nightly: bool, minutes: float
) -> str:
    """Return the whole page, in Markdown.

    Args:
        told: each check and what it found, on one database after the other.
        seed: of all lots that were drawn.
        nightly: whether it was the long form.
        minutes: that it took.
    """
    versions = ", ".join(map(version, PACKAGES))
    form = "`tox run -e proof -- --nightly`" if nightly else "`tox run -e proof`"
    lines = [
        INTRODUCTION,
        *table([result for _check, results in told for result in results]),
        "",
        f"{form} on {datetime.date.today():%d %B %Y}, {minutes:.0f} minutes on "  # noqa: DTZ011
        f"{os.cpu_count()} cores; seed {seed}; Python {platform.python_version()}, {versions}.",
        "",
        "## What each check does",
        "",
        *(line for check, results in told for line in section(check, results)),
    ]
    return "\n".join(lines)
