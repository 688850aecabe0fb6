"""What `etelecom_prune` costs, and what a sender beside it waits.

Stores messages of the last hundred days, each with an event, and prunes them with a retention of
7 days (strip) and 90 (delete), in a database made for the purpose where DATABASE_URL points:

too young     every message is younger than the retention;
first run     a tenth is deleted, most of the rest stripped, while a thread sends messages;
next run      there is hardly anything left to do.

    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python benchmarks/prune_cost.py
"""

import argparse
import statistics
import sys
import tempfile
import threading
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

RETENTION = {"transactional": {"strip": 7, "delete": 90}}


def set_up():
    import django
    import environ
    from django.conf import settings

    database = environ.Env().db("DATABASE_URL")
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


def analyze():
    """Let the database know what it holds, as it does by itself in a minute."""
    from django.db import connection

    statements = {
        "postgresql": ["VACUUM ANALYZE"],
        "mysql": ["ANALYZE TABLE etelecom_messagelog, etelecom_messageevent"],
        "sqlite": ["ANALYZE"],
    }
    with connection.cursor() as cursor:
        for statement in statements[connection.vendor]:
            cursor.execute(statement)


def measured(label):
    """Prune once and print what it cost."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from django_etelecom.retention import prune

    with CaptureQueriesContext(connection) as statements:
        began = time.perf_counter()
        pruned = prune()
        taken = time.perf_counter() - began
    print(
        f"{label:12}{taken:8.2f} s{len(statements):8} statements"
        f"{pruned.deleted.total():10} deleted{pruned.stripped.total():10} stripped"
    )


class Sender(threading.Thread):
    """Sends one message after the other, and keeps how many seconds each took."""

    def __init__(self):
        super().__init__(daemon=True)
        self.took = []
        self.is_over = threading.Event()

    def run(self):
        from django.db import connection

        from django_etelecom.services import send_message

        while not self.is_over.wait(0.01):
            began = time.perf_counter()
            send_message("order", "0912345678")
            self.took.append(time.perf_counter() - began)
        connection.close()

    def tell(self, label):
        self.is_over.set()
        self.join()
        told = sorted(seconds * 1000 for seconds in self.took)
        worst = told[int(0.99 * (len(told) - 1))]
        print(
            f"a send {label}: median {statistics.median(told):.0f} ms, 99 of 100 within "
            f"{worst:.0f} ms, the longest {told[-1]:.0f} ms ({len(told)} sent)"
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100_000, help="messages")
    options = parser.parse_args()
    set_up()

    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    name = "etelecom_prune_benchmark"
    if connection.vendor == "sqlite":
        name = str(Path(tempfile.mkdtemp()) / name)
    connection.settings_dict["TEST"]["NAME"] = name
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        retain(RETENTION)
        fill(options.count)
        analyze()
        print(f"{connection.vendor}, {options.count} messages")
        retain({"transactional": {"delete": 200}})
        measured("too young")
        retain(RETENTION)
        alone = Sender()
        alone.start()
        time.sleep(3)
        alone.tell("alone")
        beside = Sender()
        beside.start()
        measured("first run")
        beside.tell("beside it")
        analyze()
        measured("next run")
    finally:
        teardown_databases(databases, verbosity=0)


if __name__ == "__main__":
    main()
