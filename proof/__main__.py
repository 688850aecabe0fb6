"""Put the promise to the proof, on every database that it is made for.

    python -m proof                                  some minutes
    python -m proof --nightly                        some hours
    python -m proof --only kills --database SQLite   a part, whose table is printed and no more

A whole run writes docs/reference/proof.md. The servers are those of POSTGRES_URL, MARIADB_URL,
RABBITMQ_URL and REDIS_URL, by default on this machine; the proof makes databases and queues of its
own there, and unmakes them. Exits with 1 if anything happened that must not, with 2 if a server or
a package that it needs is not there.
"""

import argparse
import concurrent.futures
import importlib.metadata
import os
import random
import subprocess
import sys
import time

from .checks import CHECKS, Check
from .page import PAGE, page, table
from .results import Result
from .servers import DATABASES, unreachable


def uninstalled(check: Check) -> str:
    """Return why a check cannot be tried here, as a sentence; "": it can."""
    missing = []
    for name in check.packages:
        try:
            importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if not missing:
        return ""
    return (
        f"The check {check.module} needs {', '.join(missing)}: not installed. Install the "
        "dependency group `proof`, or name the checks that are to run by --only."
    )


def run(check: Check, database: str, *, count: int, seed: int) -> Result:
    """Run one check on one database in a process of its own."""
    command = [sys.executable, "-m", "proof.job", check.module, DATABASES[database]]
    command += ["--count", str(count), "--seed", str(seed)]
    began = time.monotonic()
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode == 0:
        return Result.of_json(ended.stdout.splitlines()[-1])
    return Result(
        check=check.module,
        database=database,
        times="not known",
        did="ended before it was done",
        wrong={"unfinished": 1},
        examples=[ended.stderr[-3000:]],
        seconds=time.monotonic() - began,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="proof", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--nightly", action="store_true", help="the long form")
    parser.add_argument(
        "--only", action="append", choices=[one.module for one in CHECKS], help="may be repeated"
    )
    parser.add_argument("--database", action="append", choices=DATABASES, help="may be repeated")
    parser.add_argument("--seed", type=int, help="of all that is drawn at random; default: any")
    parser.add_argument(
        "--jobs",
        type=int,
        # Some wait most of the time: for leases that lapse, and for answers that never come.
        default=3 * (os.cpu_count() or 1),
        help="checks at a time; default: three a core",
    )
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    chosen = options.database or list(DATABASES)
    checks = [one for one in CHECKS if not options.only or one.module in options.only]
    parts = [(one, database) for one in checks for database in one.databases if database in chosen]
    if not parts:
        parser.error("No check that was named runs on a database that was named.")
    tried = {check.module: check for check, _database in parts}.values()
    servers = dict.fromkeys(server for part in parts for server in (part[1], *part[0].brokers))
    if missing := list(filter(None, [*map(unreachable, servers), *map(uninstalled, tried)])):
        print(*missing, sep="\n", file=sys.stderr)
        sys.exit(2)

    began = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = {
            (check, database): pool.submit(
                run,
                check,
                database,
                count=check.share(database, nightly=options.nightly),
                seed=seed,
            )
            # What begins late ends last, and nobody is left to use the time that it waits.
            for check, database in sorted(parts, key=lambda part: -part[0].seconds)
        }
        for future in concurrent.futures.as_completed(futures.values()):
            result = future.result()
            said = f"{result.check}, {result.database}: {result.found} ({result.seconds:.0f} s)"
            print(said, flush=True)
            for example in result.examples:
                print(f"    {example}", flush=True)
        told = [
            (check, [futures[part].result() for part in parts if part[0] is check])
            for check in tried
        ]
    minutes = (time.monotonic() - began) / 60

    results = [result for _check, of_it in told for result in of_it]
    print("", *table(results), "", sep="\n")
    for one in results:
        if one.appendix:
            print(f"{one.check}:\n\n{one.appendix}")
    print(f"Seed {seed}; {minutes:.1f} minutes.")
    if checks == CHECKS and set(chosen) == set(DATABASES):
        PAGE.write_text(page(told, seed=seed, nightly=options.nightly, minutes=minutes))
        print(f"Written to {PAGE}.")
    else:
        print("A part of the proof: docs/reference/proof.md is left as it is.")
    broken = [result for result in results if not result.holds]
    # Last, where whoever looks at the end of a long log finds it.
    for one in broken:
        told = f"DOES NOT HOLD: {one.check}, {one.database}: {one.found}"
        print(told, *one.examples, sep="\n    ")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
