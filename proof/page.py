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
> appear only when the provider said so. No secret rests in the clear. It assumes a durable primary
> database.

This page is written by the command that tries to break that promise:

```
tox run -e proof                # some minutes
tox run -e proof -- --nightly   # some hours
```

It needs PostgreSQL, MariaDB, Redis and RabbitMQ (`POSTGRES_URL`, `MARIADB_URL`, `REDIS_URL` and
`RABBITMQ_URL` say where, by default on this machine). A part of it needs less, and is printed and
no more: `tox run -e proof -- --only answers --database SQLite`. Real messages go over real
sockets to the app's [simulator](simulator.md) and to servers and proxies that misbehave, from
real processes wherever one is killed or stopped. What became of them is judged by two witnesses:
the receipts of the provider, and the rows of the database; with faults and answers of one meaning
also by that meaning, and where the database is away by the log. An hour of an outage passes by
moving the rows' instants back. Whatever is counted under *found* must not happen at all:

- *Sent twice*: the provider received more than one request for a message. *Written twice*: what
  has one idempotency key has two rows.
- *Unrecorded*: it was received, and no row says that it was or may have been; or an answer, a
  report or an event that there was is not on record as it has to be.
- *Falsely recorded*: accepted, delivered or undelivered without the provider's word for it, by
  the id that the provider gave; or rejected, and never received.
- *Left unfinished*: `queued` or `sending` when nothing goes on any more. `unknown` is an end, for
  a person to look into: *unknown and received* or, by itself, not received.
- *Wrong moves*, *wrong events*, *wrong tallies*: a status that may not follow the one before, a
  history that does not tell what happened, sums that the rows do not add up to. *Secrets kept*: a
  value marked as secret rests in the clear. *Faults*: what was asked of the app failed, or did
  something else.

A check takes as many seconds as it says beside others that run at the same time. `lives` ends at
the first thing that is wrong, and tells the shortest sequence that leads to it.

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
    """Return what a check does: what its module says of itself, but for its commands."""
    module = ast.parse((HERE / f"{check.module}.py").read_text())
    paragraphs = (ast.get_docstring(module) or "").split("\n\n")
    return "\n\n".join(one.replace("\n", " ") for one in paragraphs if not one.startswith(" "))


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
        seed: of all that was drawn at random.
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
