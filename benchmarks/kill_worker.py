"""kill -9 of `etelecom_worker` at random, judged by what reached the provider.

Each run queues messages to as many numbers, starts a worker, kills it after a random one of them
has reached the provider, lets its leases lapse, and has a second worker do the rest. The provider
is the app's simulator in a process of its own. Then, of the rows and the provider's receipts alone:

sent twice
    a number was written to more than once;
lost
    a message that was not received and does not say that this may be so, or one that was received
    and does not say so either: it waits, is being sent, or calls itself not sent.

Exits with 1 if there is any. On the database that DATABASE_URL names, in one made for the purpose.

    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python benchmarks/kill_worker.py
    DATABASE_URL=sqlite:///ignored python benchmarks/kill_worker.py --runs 30
"""

import argparse
import collections
import dataclasses
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

PATIENCE = 60.0
"""Seconds after which something that has to happen counts as never happening."""

MAY_HAVE_BEEN_SENT = {"accepted", "unknown"}
NOT_SENT = {"unknown", "not_sent"}


# --- The provider ---------------------------------------------------------------------------------


def serve(asked, arrived, delay):
    """Run the simulator until told to end, answering with the numbers that were written to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from django_etelecom.simulator import Simulator

    def count(receipt):
        arrived.value += 1

    with Simulator(delay=delay, on_receipt=count) as simulator:
        asked.send(simulator.base_url)
        while asked.recv():
            asked.send([receipt.phone_number for receipt in simulator.receipts])
            simulator.clear()
            arrived.value = 0


class Provider:
    """The simulator in a process of its own, which outlives every kill."""

    def __init__(self, delay):
        self._asked, theirs = multiprocessing.Pipe()
        self._arrived = multiprocessing.Value("i", 0)
        self._process = multiprocessing.Process(
            target=serve, args=(theirs, self._arrived, delay), daemon=True
        )
        self._process.start()
        self.base_url = self._asked.recv()

    @property
    def arrived(self):
        """How many messages have reached it since `taken`."""
        return self._arrived.value

    def taken(self):
        """Return the numbers that were written to, one for each time, and forget them."""
        self._asked.send(True)
        return self._asked.recv()

    def end(self):
        self._asked.send(False)
        self._process.join(PATIENCE)


# --- A run ----------------------------------------------------------------------------------------


@dataclasses.dataclass
class Run:
    """What became of the messages of one run."""

    killed_at: int
    """How many had reached the provider by then."""
    in_flight: int
    """How many rows the dead worker left as `sending`."""
    statuses: collections.Counter
    received: int
    unreceived_unknown: int
    twice: list
    lost: list


def start_worker(database, base_url, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "django", "etelecom_worker", "--verbosity", "0", *arguments],
        cwd=HERE,
        env={
            **os.environ,
            "PYTHONPATH": f"{HERE.parent}{os.pathsep}{HERE}",
            "DJANGO_SETTINGS_MODULE": "kill_worker_settings",
            "KILL_WORKER_DATABASE": database,
            "KILL_WORKER_BASE_URL": base_url,
        },
    )


def fill(numbers):
    from django.db import transaction

    from django_etelecom.models import MessageEvent, MessageLog
    from django_etelecom.services import queue_message

    for model in (MessageEvent, MessageLog):
        model.objects.all()._raw_delete(using="default")
    with transaction.atomic():
        for position, number in enumerate(numbers):
            queue_message("order", number, {"order_code": f"DH-{position}", "pin": f"{position}"})


def wait_for(what, condition, process):
    ends_at = time.monotonic() + PATIENCE
    while not condition():
        if process.poll() is not None or time.monotonic() > ends_at:
            raise SystemExit(f"{what} never came: the worker ended with {process.returncode}.")
        time.sleep(0.0005)


def lapse():
    """Do what two minutes of waiting do: nobody renews the leases of the dead."""
    from django_etelecom.models import MessageLog
    from django_etelecom.models.clock import DatabaseNow

    sending = MessageLog.objects.filter(status="sending")
    return sending.update(lease_expires_at=DatabaseNow(after=timedelta(seconds=-1)))


def run(provider, database, numbers, options, chance):
    fill(numbers)
    killed_after = chance.randrange(1, len(numbers))
    worker = start_worker(database, provider.base_url, "--concurrency", str(options.in_flight))
    try:
        wait_for("The moment to kill", lambda: provider.arrived >= killed_after, worker)
        time.sleep(chance.random() * options.delay)
    finally:
        worker.kill()
        worker.wait(PATIENCE)
    killed_at = provider.arrived
    in_flight = lapse()
    second = start_worker(
        database, provider.base_url, "--once", "--concurrency", str(options.in_flight)
    )
    try:
        if second.wait(PATIENCE):
            raise SystemExit(f"The second worker ended with {second.returncode}.")
    finally:
        second.kill()
    return judge(provider.taken(), numbers, killed_at=killed_at, in_flight=in_flight)


def judge(received, numbers, *, killed_at, in_flight):
    from django_etelecom.models import MessageLog

    times = collections.Counter(received)
    rows = dict(MessageLog.objects.values_list("recipient", "status"))
    lost = [f"{number}: no row" for number in numbers if number not in rows]
    lost += [f"{number}: received without a row" for number in times.keys() - rows.keys()]
    for number, status in rows.items():
        honest = MAY_HAVE_BEEN_SENT if times[number] else NOT_SENT
        if status not in honest:
            lost.append(f"{number}: {status}, received {times[number]} times")
    return Run(
        killed_at=killed_at,
        in_flight=in_flight,
        statuses=collections.Counter(rows.values()),
        received=len(times),
        unreceived_unknown=sum(
            status == "unknown" and not times[number] for number, status in rows.items()
        ),
        twice=[f"{number}: {count} times" for number, count in times.items() if count > 1],
        lost=lost,
    )


def tell(runs, options, vendor):
    """Print the sums and the worst cases; return whether nothing went wrong."""
    statuses = sum((one.statuses for one in runs), collections.Counter())
    twice = [(number, told) for number, one in enumerate(runs, 1) for told in one.twice]
    lost = [(number, told) for number, one in enumerate(runs, 1) for told in one.lost]
    flying = [one.in_flight for one in runs]
    print(
        f"{vendor}, {len(runs)} runs of {options.count}: "
        f"{sum(one.received for one in runs)} of {len(runs) * options.count} were received; "
        f"{', '.join(f'{count} {status}' for status, count in statuses.most_common())}, "
        f"of which {sum(one.unreceived_unknown for one in runs)} unknown and not received; "
        f"killed with {min(flying)} to {max(flying)} being sent ({sum(flying)} in all); "
        f"{len(twice)} sent twice, {len(lost)} lost"
    )
    worst = max(runs, key=lambda one: (len(one.twice) + len(one.lost), one.statuses["unknown"]))
    print(
        f"Worst run, number {runs.index(worst) + 1}: killed when {worst.killed_at} had been "
        f"received, {worst.in_flight} being sent; {dict(worst.statuses)}, "
        f"{worst.unreceived_unknown} of the unknown not received"
    )
    for wrong, cases in (("Sent twice", twice), ("Lost", lost)):
        for number, told in cases[:10]:
            print(f"{wrong} in run {number}: {told}")
    return not twice and not lost


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--count", type=int, default=200, help="messages a run, at least 2")
    parser.add_argument("--delay", type=float, default=0.03, help="seconds before each answer")
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--seed", type=int, help="of the moments of the kills; default: any")
    options = parser.parse_args()
    if options.runs < 1 or options.count < 2:
        parser.error("at least one run of two messages")
    seed = random.randrange(10**6) if options.seed is None else options.seed
    chance = random.Random(seed)
    # Not of the simulator's magic numbers, which begin with 8490 000 00.
    numbers = [f"8491{number:07}" for number in range(options.count)]

    provider = Provider(options.delay)
    os.environ["DJANGO_SETTINGS_MODULE"] = "kill_worker_settings"
    import django

    django.setup()
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    name = "etelecom_kill_benchmark"
    if connection.vendor == "sqlite":
        name = str(Path(tempfile.mkdtemp()) / name)
    connection.settings_dict["TEST"]["NAME"] = name
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        from django_etelecom.models import MessageTemplate, RouteRule

        RouteRule.objects.create(name="ZNS, then SMS", channels=["1", "3"], is_default=True)
        template = MessageTemplate.objects.create(code="order", text="{order_code}: {pin}")
        template.parameters.create(name="order_code")
        template.parameters.create(name="pin", secret=True)
        runs = []
        for number in range(1, options.runs + 1):
            runs.append(run(provider, name, numbers, options, chance))
            if sys.stderr.isatty():
                print(f"\r{number} of {options.runs}", end="", file=sys.stderr, flush=True)
        print(f"Seed {seed}, answer after {options.delay * 1000:.0f} ms", file=sys.stderr)
        is_well = tell(runs, options, connection.vendor)
    finally:
        teardown_databases(databases, verbosity=0)
        provider.end()
    sys.exit(0 if is_well else 1)


if __name__ == "__main__":
    main()
