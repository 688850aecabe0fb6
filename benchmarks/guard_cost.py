"""What the guards of a default configuration cost a send.

`services.send_message` of a one-time password and of an order notice, with the guards and with all
of them taken out, each to a number of its own, in interleaved rounds of one run, on the database
that DATABASE_URL names. Counts the guards' statements as well.

    python benchmarks/guard_cost.py                                             # SQLite, a file
    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python benchmarks/guard_cost.py
"""

import argparse
import contextlib
import itertools
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from send_cost import serve, set_up, timed

GUARDED = {"otp": "login", "transactional": "order"}


def seed():
    from django_etelecom.models import MessageTemplate, RouteRule

    RouteRule.objects.create(name="ZNS, then SMS", channels=["1", "3"], is_default=True)
    for category, code in GUARDED.items():
        template = MessageTemplate.objects.create(code=code, category=category, text="{a} {b}")
        for position, name in enumerate("ab"):
            template.parameters.create(name=name, position=position)


@contextlib.contextmanager
def unguarded():
    from django_etelecom import guards

    with (
        mock.patch.object(guards, "admit", return_value=None),
        mock.patch.object(guards, "has_turns", return_value=False),
    ):
        yield


def statements(send):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        send()
    control = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")
    return sum(not query["sql"].startswith(control) for query in captured.captured_queries)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--count", type=int, default=60, help="messages a round and side")
    options = parser.parse_args()
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{tempfile.mkdtemp()}/benchmark.sqlite3")

    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    process.start()
    set_up(f"http://127.0.0.1:{here.recv()}")

    import django
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        from django_etelecom import spending
        from django_etelecom.services import send_message

        seed()
        numbers = (f"09{number:08}" for number in itertools.count(10_000_000))
        params = dict.fromkeys("ab", "483920")
        print(
            f"{connection.vendor}, Django {django.get_version()}, Python "
            f"{platform.python_version()}, {options.rounds} rounds of {options.count}"
        )
        print(f"{'':16}{'statements':>12}{'median':>10}{'min':>10}{'max':>10}")
        for category, code in GUARDED.items():

            def send(code=code):
                send_message(code, next(numbers), params)

            sides = {"guarded": contextlib.nullcontext, "unguarded": unguarded}
            seconds, asked = {name: [] for name in sides}, {}
            for name, side in sides.items():
                with side():
                    timed(send, options.count)
                    spending.forget()
                    asked[name] = statements(send)
            for number in range(options.rounds):
                for name in list(sides) if number % 2 else list(reversed(sides)):
                    with sides[name]():
                        seconds[name].append(timed(send, options.count))
            for name, taken in seconds.items():
                row = [statistics.median(taken), min(taken), max(taken)]
                shown = "".join(f"{value * 1000:>8.2f}ms" for value in row)
                print(f"{category[:5]} {name:10}{asked[name]:>12}{shown}")
            ratios = [
                guarded / bare
                for guarded, bare in zip(seconds["guarded"], seconds["unguarded"], strict=True)
            ]
            row = [statistics.median(ratios), min(ratios), max(ratios)]
            print(f"{'ratio':28}" + "".join(f"{value:>9.2f}x" for value in row))
    finally:
        teardown_databases(databases, verbosity=0)
        process.terminate()


if __name__ == "__main__":
    main()
