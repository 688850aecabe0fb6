"""What `etelecom_prune` costs, and what a sender beside it waits.

Messages of the last hundred days, each with an event, are pruned with a retention of 7 days (strip)
and 90 (delete): once when every message is too young; once when a tenth is to be deleted and most
of the rest to be stripped, while a thread sends messages; and once more, when hardly anything is
left to do.

    python -m benchmarks.prune_cost                                             # SQLite, a file
    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python -m benchmarks.prune_cost
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from benchmarks import databases, measured
from benchmarks.measured import Figure

NOTHING_TO_DO = 6
"""Statements that a run may take when every message is too young, however many there are."""
RETENTION = {"transactional": {"strip": 7, "delete": 90}}


def set_up():
    import django
    from django.conf import settings

    database = databases.settings()
    if "sqlite" in database["ENGINE"]:
        database["OPTIONS"] = {"init_command": "PRAGMA journal_mode=WAL", "timeout": 20}
    settings.configure(
        SECRET_KEY="benchmark",
        USE_TZ=True,
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django_etelecom",
        ],
        DATABASES={"default": database},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        LOGGING_CONFIG=None,
    )
    django.setup()


def retain(retention):
    from django.conf import settings

    backend = "django_etelecom.backends.locmem.LocMemBackend"
    settings.ETELECOM = {"ACCOUNTS": {"default": {"BACKEND": backend}}, "RETENTION": retention}


def fill(count):
    from django.utils import timezone

    from django_etelecom.models import MessageEvent, MessageLog, MessageTemplate, RouteRule

    RouteRule.objects.create(name="SMS", channels=["3"], is_default=True)
    template = MessageTemplate.objects.create(code="order")
    now, each = timezone.now(), timedelta(days=100) / count
    for start in range(0, count, 2000):
        messages = MessageLog.objects.bulk_create(
            MessageLog(
                template=template,
                template_code=template.code,
                account="default",
                recipient=f"849{number:08}",
                params={"customer_name": "An", "order_code": f"DH-{number}"},
                channels=["3"],
                status="delivered",
                content_digest="c" * 64,
                provider_message_id=f"ICOMNI{number}",
                created_at=now - each * (count - number),
                sent_at=now - each * (count - number),
            )
            for number in range(start, min(start + 2000, count))
        )
        MessageEvent.objects.bulk_create(
            MessageEvent(message=message, source="send", status="accepted", payload="{}" * 50)
            for message in messages
        )


def pruned(name, most_statements=None):
    """Prune once; return the figures of what it cost."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from django_etelecom.retention import prune

    with CaptureQueriesContext(connection) as statements:
        began = time.perf_counter()
        done = prune()
        taken = time.perf_counter() - began
    return [
        Figure.of(name, "took", [taken], unit="s"),
        Figure.of(name, "statements", [len(statements)], at_most=most_statements),
        Figure.of(name, "deleted", [done.deleted.total()]),
        Figure.of(name, "stripped", [done.stripped.total()]),
    ]


class Sender:
    """Sends one message after the other meanwhile, and keeps how many milliseconds each took."""

    def __init__(self):
        self.took = []
        self.is_over = threading.Event()

    def __enter__(self):
        self.thread = ThreadPoolExecutor(1)
        self.sending = self.thread.submit(self.send)
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.shutdown()
        # Raises what a send has raised.
        self.sending.result()

    def send(self):
        from django.db import connection

        from django_etelecom.services import send_message

        while not self.is_over.wait(0.01):
            began = time.perf_counter()
            send_message("order", "0912345678")
            self.took.append((time.perf_counter() - began) * 1000)
        connection.close()

    def figures(self, name):
        took = sorted(self.took)
        worst = took[int(0.99 * (len(took) - 1))]
        return [
            Figure.of(name, "a send", took, unit="ms"),
            Figure.of(name, "99 of 100 within", [worst], unit="ms"),
            Figure.of(name, "sent", [len(took)]),
        ]


def main():
    parser = measured.parser(__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="messages")
    options = parser.parse_args()
    set_up()

    with databases.made() as database:
        retain(RETENTION)
        fill(options.count)
        databases.analyze()
        retain({"transactional": {"delete": 200}})
        figures = pruned("all too young", NOTHING_TO_DO)
        retain(RETENTION)
        with Sender() as alone:
            # What it sends in so long with nobody beside it is what the other figures are held to.
            time.sleep(3)
        with Sender() as beside:
            figures += pruned("first run")
        databases.analyze()
        figures += pruned("next run")
        figures += alone.figures("a sender alone") + beside.figures("a sender beside the first run")
    measured.tell(
        options,
        figures,
        size=f"{options.count:,} messages",
        database=database,
        packages=["Django"],
    )


if __name__ == "__main__":
    main()
