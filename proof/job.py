"""One check on one database: what it works with, and the process that it runs in.

    python -m proof.job kills postgres://postgres@127.0.0.1:5432/postgres --count 100 --seed 1

prints its result as JSON.
"""

import argparse
import contextlib
import dataclasses
import gc
import importlib
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from django_etelecom.simulator import Simulator

from .checks import CHECKS
from .judge import Received, received
from .proxy import Proxy
from .results import Result


@dataclasses.dataclass
class Job:
    """What a check works with."""

    count: int
    """How often it is to do what it does."""
    chance: random.Random
    simulator: Simulator
    proxy: Proxy
    """Stands between the site and the simulator."""
    database: str
    """As it calls itself, version included."""
    parts: tuple[str, ...] = ()
    """What a check is to do of all that it can; (): everything."""
    first: int = 0
    """Number of the next recipient."""

    def numbers(self, count: int) -> list[str]:
        """Return recipients that nobody has written to yet, in wire form."""
        numbers = [f"8491{number:07}" for number in range(self.first, self.first + count)]
        self.first += count
        return numbers

    def take_receipts(self) -> list[Received]:
        """Return what reached the simulator, by recipient, and forget it."""
        receipts = self.simulator.receipts
        self.simulator.clear()
        return [received(receipt, receipt.phone_number) for receipt in receipts]

    def say(self, what: str) -> None:
        """Tell whoever watches how far it is."""
        if sys.stderr.isatty():
            print(f"\r\x1b[K{what}", end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def open_job(
    database_url: str, *, count: int, seed: int, parts: tuple[str, ...] = ()
) -> Iterator[Job]:
    """Make a database for a job, with templates in it, and the provider; unmake them at the end."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Simulator() as simulator,
        Proxy(("127.0.0.1", port_of(simulator))) as proxy,
    ):
        os.environ |= {
            "PROOF_DATABASE_URL": database_url,
            "PROOF_BASE_URL": f"http://127.0.0.1:{proxy.port}",
            "PROOF_QUEUE": f"etelecom-proof-{os.getpid()}",
        }
        from django.db import connection
        from django.test.utils import setup_databases, teardown_databases

        from . import site as site  # the settings read what was just said

        name = f"etelecom_proof_{os.getpid()}"
        if connection.vendor == "sqlite":
            name = str(Path(folder) / name)
        connection.settings_dict["TEST"]["NAME"] = name
        databases = setup_databases(verbosity=0, interactive=False)
        os.environ["PROOF_DATABASE_NAME"] = name
        try:
            _define_templates()
            yield Job(
                count=count,
                # What is drawn differs from database to database: each adds to what was tried.
                chance=random.Random(f"{seed} {connection.vendor}"),
                simulator=simulator,
                proxy=proxy,
                database=_version(connection),
                parts=parts,
            )
        finally:
            teardown_databases(databases, verbosity=0)


def port_of(simulator: Simulator) -> int:
    return int(simulator.base_url.rpartition(":")[2])


def define_template(code: str, *, account: str, is_secret: bool = True) -> None:
    """Define a template whose parameter `pin` may be a secret."""
    from django_etelecom.models import MessageTemplate

    template = MessageTemplate.objects.create(
        code=code, account=account, text="Order {order_code}: {pin}"
    )
    template.parameters.create(name="order_code")
    template.parameters.create(name="pin", secret=is_secret, position=1)


def _define_templates() -> None:
    from django_etelecom.models import RouteRule

    RouteRule.objects.create(name="ZNS, then SMS", channels=["1", "3"], is_default=True)
    for account, suffix in (("default", ""), ("bulk", "_bulk")):
        define_template(f"order{suffix}", account=account)
        define_template(f"offer{suffix}", account=account, is_secret=False)


def _version(connection) -> str:
    if connection.vendor == "sqlite":
        import sqlite3

        return f"SQLite {sqlite3.sqlite_version}"
    with connection.cursor() as cursor:
        cursor.execute(
            "SHOW server_version" if connection.vendor == "postgresql" else "SELECT VERSION()"
        )
        version = cursor.fetchone()[0].split("-")[0].split()[0]
    return f"{'PostgreSQL' if connection.vendor == 'postgresql' else 'MariaDB'} {version}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check")
    parser.add_argument("database_url")
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--part", action="append", default=[], help="of the check; repeatable")
    options = parser.parse_args()
    settings = {one.module: one.settings for one in CHECKS}
    # A module that is tried before it is one of them has the common site.
    os.environ["DJANGO_SETTINGS_MODULE"] = settings.get(options.check, "proof.settings")
    began = time.monotonic()
    with open_job(
        options.database_url, count=options.count, seed=options.seed, parts=tuple(options.part)
    ) as job:
        # Not before the job's settings can be read.
        check = importlib.import_module(f"proof.{options.check}")
        # What is loaded has no garbage, and is much to look at.
        gc.freeze()
        result: Result = check.run(job)
    print(dataclasses.replace(result, seconds=time.monotonic() - began).as_json())


if __name__ == "__main__":
    main()
