"""How long `queue_campaign` takes for each row, and how much memory for many of them.

Each number of rows is loaded in a process of its own, from a generator, into the database that
DATABASE_URL names; the template has five parameters. Ends by itself.

    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python benchmarks/campaign_loading.py
"""

import argparse
import multiprocessing
import platform
import resource
import statistics
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent)]

DATABASE = "etelecom_campaign_benchmark"


def set_up():
    import django
    import environ
    from django.conf import settings

    settings.configure(
        SECRET_KEY="benchmark",
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django_etelecom",
        ],
        DATABASES={"default": environ.Env().db("DATABASE_URL")},
        ETELECOM={"ACCOUNTS": {"default": {"USERNAME": "u", "PASSWORD": "p"}}},
        LOGGING_CONFIG=None,
    )
    django.setup()


def rows(count):
    for number in range(count):
        yield {
            "to": f"0912 {number % 1_000_000:06}",
            "a": "An",
            "b": f"DH-{number}",
            "c": 150000,
            "d": "24/12/2026",
            "e": "x",
        }


def load(name, count, told):
    """Load one campaign; tell seconds of it and the peak of memory in MiB."""
    set_up()
    from django.db import connection

    connection.settings_dict["NAME"] = name
    from django_etelecom.services import queue_campaign

    queue_campaign("order", rows(10))
    began = time.perf_counter()
    campaign = queue_campaign("order", rows(count))
    taken = time.perf_counter() - began
    if campaign.queued_rows != count:
        raise SystemExit(f"only {campaign.queued_rows} of {count} rows were queued")
    told.put((taken, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--counts", type=int, nargs="+", default=[1_000, 100_000])
    options = parser.parse_args()
    set_up()

    import django
    from django.db import connection, connections
    from django.test.utils import setup_databases, teardown_databases

    connection.settings_dict["TEST"]["NAME"] = DATABASE
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        from django_etelecom.models import (
            Campaign,
            CampaignRow,
            CampaignTally,
            MessageLog,
            MessageTemplate,
            RouteRule,
        )

        RouteRule.objects.create(name="ZNS, then SMS", channels=["1", "3"], is_default=True)
        template = MessageTemplate.objects.create(code="order", text="{a} {b} {c} {d} {e}")
        for position, (name, kind) in enumerate(
            zip("abcde", ["text", "text", "money", "date", "text"], strict=True)
        ):
            template.parameters.create(name=name, kind=kind, position=position)
        measured = {count: [] for count in options.counts}
        told = multiprocessing.get_context("spawn").Queue()
        for _turn in range(options.rounds):
            for count in options.counts:
                for model in (MessageLog, CampaignRow, CampaignTally, Campaign):
                    model.objects.all()._raw_delete(using="default")
                connections.close_all()
                process = multiprocessing.get_context("spawn").Process(
                    target=load, args=(connection.settings_dict["NAME"], count, told)
                )
                process.start()
                measured[count].append(told.get(timeout=600))
                process.join()
        print(f"{connection.vendor}, Django {django.get_version()}, {platform.python_version()}")
        print(f"{'rows':>10}{'us a row':>12}{'(min-max)':>20}{'peak MiB':>12}")
        for count, results in measured.items():
            each = [taken / count * 1e6 for taken, _peak in results]
            peaks = [peak for _taken, peak in results]
            spread = f"({min(each):.0f}-{max(each):.0f})"
            print(
                f"{count:>10}{statistics.median(each):>12.0f}{spread:>20}"
                f"{statistics.median(peaks):>12.1f}"
            )
    finally:
        connections.close_all()
        teardown_databases(databases, verbosity=0)


if __name__ == "__main__":
    main()
