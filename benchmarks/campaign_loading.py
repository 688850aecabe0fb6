"""How long `queue_campaign` takes for each row, and how much memory for many of them.

Each number of rows is loaded in a process of its own, from a generator; the template has five
parameters.

    python -m benchmarks.campaign_loading                                       # SQLite, a file
    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python -m benchmarks.campaign_loading
"""

import time

from benchmarks import databases, measured
from benchmarks.measured import Figure

A_ROW = 150
"""Microseconds that a row of the most may take on PostgreSQL."""
MEMORY = 1.15
"""What the most rows may take at the peak of what the fewest do."""


def set_up():
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="benchmark",
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django_etelecom",
        ],
        DATABASES={"default": databases.settings()},
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


def load(count):
    """Load one campaign; return the microseconds of a row, and the peak of memory in MiB."""
    set_up()
    from django_etelecom.services import queue_campaign

    queue_campaign("order", rows(10))
    began = time.perf_counter()
    campaign = queue_campaign("order", rows(count))
    taken = time.perf_counter() - began
    if campaign.queued_rows != count:
        raise SystemExit(f"only {campaign.queued_rows} of {count} rows were queued")
    return taken / count * 1e6, measured.peak_memory()


def seed():
    from django_etelecom.models import MessageTemplate, RouteRule

    RouteRule.objects.create(name="ZNS, then SMS", channels=["1", "3"], is_default=True)
    template = MessageTemplate.objects.create(code="order", text="{a} {b} {c} {d} {e}")
    for position, (name, kind) in enumerate(
        zip("abcde", ["text", "text", "money", "date", "text"], strict=True)
    ):
        template.parameters.create(name=name, kind=kind, position=position)


def clear():
    from django_etelecom.models import Campaign, CampaignRow, CampaignTally, MessageLog

    for model in (MessageLog, CampaignRow, CampaignTally, Campaign):
        model.objects.all()._raw_delete(using="default")


def main():
    parser = measured.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--counts", type=int, nargs=2, default=[1_000, 100_000], metavar=("FEW", "MANY")
    )
    options = parser.parse_args()
    set_up()

    def loaded(count):
        clear()
        return measured.apart(load, count)

    with databases.made() as database:
        seed()
        results = measured.interleaved(
            {count: lambda _turn, count=count: loaded(count) for count in options.counts},
            options.rounds,
        )
        most = A_ROW if databases.is_postgresql() else None
    (few_times, few_peaks), (many_times, many_peaks) = (
        zip(*result, strict=True) for result in results.values()
    )
    few, many = (f"{count:,} rows" for count in options.counts)
    ratios = measured.ratios(many_peaks, few_peaks)
    measured.tell(
        options,
        [
            Figure.of(few, "a row", few_times, unit="µs"),
            Figure.of(few, "peak of memory", few_peaks, unit="MiB"),
            Figure.of(many, "a row", many_times, unit="µs", at_most=most),
            Figure.of(many, "peak of memory", many_peaks, unit="MiB"),
            Figure.of(many, f"times {few}", ratios, unit="x", at_most=MEMORY),
        ],
        size=f"{options.rounds} rounds",
        database=database,
        packages=["Django"],
    )


if __name__ == "__main__":
    main()
