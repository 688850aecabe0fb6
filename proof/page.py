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
        "| check | on | what was done | found | seconds |",
        "|---|---|---|---|---|",
        *(
            f"| {one.check} | {one.database} | {one.did}{f'; {one.seen}' if one.seen else ''} "
            f"| {one.found if one.holds else f'**{one.found}**'} | {one.seconds:.0f} |"
            for one in results
        ),
    ]


def explained(check: Check) -> str:
    """Return what a check does: what its module says of itself."""
    module = ast.parse((HERE / f"{check.module}.py").read_text())
    return (ast.get_docstring(module) or "").replace("\n", " ")


def version(package: str) -> str:
    """Return a package's name and version."""
    try:
        return f"{package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"no {package}"


def page(
    checks: Sequence[Check], results: Sequence[Result], *, seed: int, nightly: bool, minutes: float
) -> str:
    """Return the whole page, in Markdown."""
    versions = ", ".join(map(version, PACKAGES))
    form = "`tox run -e proof -- --nightly`" if nightly else "`tox run -e proof`"
    words = [
        INTRODUCTION,
        *(f"{line}\n" for line in table(results)),
        "\n## What each check does\n\n",
        *(f"`{check.module}`\n: {explained(check)}\n\n" for check in checks),
        *(f"{one.appendix}\n" for one in results if one.appendix),
        f"{form} on {datetime.date.today():%d %B %Y}, {minutes:.0f} minutes on "  # noqa: DTZ011
        f"{os.cpu_count()} cores; seed {seed}; Python {platform.python_version()}, {versions}.\n",
    ]
    return "".join(words)
