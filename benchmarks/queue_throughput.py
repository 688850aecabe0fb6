"""Queued messages a second: `etelecom_worker` against a hand-written loop and django-post_office.

All send the same number of messages to the same local provider, in a process of its own, in
interleaved rounds of one run, on the database that DATABASE_URL names. The loop does for each
message what a first version does: `requests.post`, create the row, save its status, create the
event. django-post_office sends its queue with django-anymail's Postmark backend, with the threads
it has by default. `worker` is the default transport, `bulk` the one of that extra. Queueing is not
timed. Needs the dependency group `benchmark`.

With `--memory` it prints instead how much memory a worker takes at its peak, in a process of its
own, for 1,000 and for 100,000 rows.

    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python benchmarks/queue_throughput.py
    ... benchmarks/queue_throughput.py --delay 0.1 --in-flight 64 --only worker
    ... benchmarks/queue_throughput.py --delay 0.1 --bulk-in-flight 256 --only bulk
    ... benchmarks/queue_throughput.py --memory worker
"""

import argparse
import logging
import multiprocessing
import platform
import resource
import statistics
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]

DATABASE = "etelecom_queue_benchmark"
PARAMS = {"a": "An", "b": "DH-1024", "c": "150000", "d": "24/12/2026", "e": "x"}


def etelecom(base_url, backend):
    return {
        "ACCOUNTS": {
            "default": {"USERNAME": "u", "PASSWORD": "p", "BASE_URL": base_url, "BACKEND": backend}
        },
        # Asking what became of them is no part of this.
        "POLL_AFTER": [],
    }


def set_up(base_url):
    import django
    import environ
    from django.conf import settings

    # django-post_office tells the terminal of each batch.
    logging.disable(logging.INFO)
    settings.configure(
        SECRET_KEY="benchmark",
        USE_TZ=True,
        TIME_ZONE="Asia/Ho_Chi_Minh",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "anymail",
            "post_office",
            "django_etelecom",
        ],
        DATABASES={"default": environ.Env().db("DATABASE_URL")},
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        ANYMAIL={"POSTMARK_SERVER_TOKEN": "token", "POSTMARK_API_URL": f"{base_url}/postmark/"},
        POST_OFFICE={
            "BACKENDS": {"default": "anymail.backends.postmark.EmailBackend"},
            "MESSAGE_ID_ENABLED": False,
        },
        ETELECOM=etelecom(base_url, Queue.backend),
        LOGGING_CONFIG=None,
    )
    django.setup()


class Loop:
    """Written by hand: one message after the other."""

    def __init__(self, base_url):
        self.url = f"{base_url}/api/OmniMessage/SendMessage"

    def fill(self, count):
        self.numbers = [f"849{number:08}" for number in range(count)]

    def send(self):
        import requests

        from django_etelecom.models import MessageEvent, MessageLog, MessageTemplate

        template = MessageTemplate.objects.get(code="order")
        for number in self.numbers:
            log = MessageLog.objects.create(
                template=template,
                template_code=template.code,
                account="default",
                recipient=number,
                params=PARAMS,
                channels=["1", "3"],
                status="sending",
                content_digest="",
            )
            response = requests.post(
                self.url,
                json={
                    "username": "u",
                    "password": "p",
                    "phonenumber": number,
                    "routerule": ["1", "3"],
                    "templatecode": template.code,
                    "list_param": PARAMS,
                },
                timeout=15,
            )
            answer = {key.strip(): value for key, value in response.json().items()}
            log.status = "accepted" if answer["status"] == "1" else "rejected"
            log.provider_message_id = answer.get("idOmniMess", "")
            log.save()
            MessageEvent.objects.create(
                message=log,
                source="send",
                status=log.status,
                http_status=200,
                payload=response.text,
            )

    def done(self):
        from django_etelecom.models import MessageLog

        return MessageLog.objects.filter(status="accepted").count()


class PostOffice:
    """django-post_office with django-anymail."""

    def __init__(self, base_url):
        pass

    def fill(self, count):
        from post_office import mail

        mail.send_many(
            [
                {
                    "recipients": ["lan@example.com"],
                    "sender": "shop@example.com",
                    "subject": "Order DH-1024",
                    "message": "Dear An, order DH-1024 of 150000 VND comes on 24/12/2026.",
                    "priority": "medium",
                }
                for _ in range(count)
            ]
        )

    def send(self):
        from post_office.mail import get_queued, send_queued

        while get_queued():
            send_queued(processes=1)

    def done(self):
        from post_office.models import STATUS, Email

        return Email.objects.filter(status=STATUS.sent).count()


class Queue:
    """`queue_message` and `etelecom_worker`."""

    in_flight = 32
    backend = "django_etelecom.backends.http.HTTPBackend"

    def __init__(self, base_url):
        self.base_url = base_url

    def fill(self, count):
        from django.utils import timezone

        from django_etelecom.models import MessageLog, MessageTemplate

        template = MessageTemplate.objects.get(code="order")
        now = timezone.now()
        MessageLog.objects.bulk_create(
            (
                MessageLog(
                    template=template,
                    template_code=template.code,
                    account="default",
                    recipient=f"849{number:08}",
                    params=PARAMS,
                    channels=["1", "3"],
                    send_at=now,
                )
                for number in range(count)
            ),
            batch_size=1000,
        )

    def send(self):
        from django.test import override_settings

        from django_etelecom.worker import Worker

        with override_settings(ETELECOM=etelecom(self.base_url, self.backend)):
            Worker(concurrency=self.in_flight).run_once()

    done = Loop.done


class Bulk(Queue):
    """The same by the `bulk` extra."""

    in_flight = 256
    backend = "django_etelecom.backends.bulk.BulkBackend"


SIDES = {"loop": Loop, "post_office": PostOffice, "worker": Queue, "bulk": Bulk}
OURS, THEIRS = ("worker", "bulk"), ("loop", "post_office")


def clear():
    from post_office.models import Email, Log

    from django_etelecom.models import MessageEvent, MessageLog

    for model in (MessageEvent, MessageLog, Log, Email):
        model.objects.all()._raw_delete(using="default")


def analyze():
    """Let the database know what it holds, as it does by itself in a minute."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")


def peak_memory():
    """Return the most memory that this process has had, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():
        # What `getrusage` says includes the process that this one was started from.
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)


def work_apart(name, base_url, in_flight, told):
    """Work off a queue that is there, in a process that has done nothing else."""
    set_up(base_url)
    from django.db import connection

    connection.settings_dict["NAME"] = DATABASE
    side = SIDES[name](base_url)
    side.in_flight = in_flight
    side.send()
    told.send(peak_memory())


def measure_memory(name, base_url):
    peaks = []
    side = SIDES[name](base_url)
    for count in (1_000, 100_000):
        clear()
        side.fill(count)
        analyze()
        ours, theirs = multiprocessing.Pipe()
        worker = multiprocessing.get_context("spawn").Process(
            target=work_apart, args=(name, base_url, side.in_flight, theirs)
        )
        worker.start()
        theirs.close()
        peaks.append(ours.recv())
        worker.join()
        if side.done() != count:
            raise SystemExit(f"{name}: {side.done()} of {count} were sent")
        print(f"{name}: {count:>7,} rows, at most {peaks[-1]:.1f} MiB")
    print(f"{name}: {peaks[1] / peaks[0]:.2f}x")


def measure_rates(options, sides):
    rates = {name: [] for name in sides}
    for turn in range(options.rounds + 1):
        for name in list(sides) if turn % 2 else reversed(list(sides)):
            # The first round warms up.
            count = options.count if turn else 200
            clear()
            sides[name].fill(count)
            analyze()
            began = time.perf_counter()
            sides[name].send()
            taken = time.perf_counter() - began
            if sides[name].done() != count:
                raise SystemExit(f"{name}: {sides[name].done()} of {count} were sent")
            if turn:
                rates[name].append(count / taken)
    return rates


def print_rates(options, rates):
    import django
    from django.db import connection

    print(
        f"{connection.vendor}, Django {django.get_version()}, Python "
        f"{platform.python_version()}, {options.rounds} rounds of {options.count}, "
        f"answer after {options.delay * 1000:.0f} ms, in flight: "
        f"worker {Queue.in_flight}, bulk {Bulk.in_flight}"
    )
    print(f"{'messages/s':14}{'median':>8}{'min':>8}{'max':>8}")
    for name, measured in rates.items():
        figures = statistics.median(measured), min(measured), max(measured)
        print(f"{name:14}" + "".join(f"{figure:>8.0f}" for figure in figures))
    for ours in (name for name in OURS if name in rates):
        for theirs in (name for name in THEIRS if name in rates):
            ratios = [one / other for one, other in zip(rates[ours], rates[theirs], strict=True)]
            print(
                f"{ours} to {theirs}: {statistics.median(ratios):.2f}x "
                f"({min(ratios):.2f}x-{max(ratios):.2f}x)"
            )
        if options.delay:
            share = statistics.median(rates[ours]) * options.delay / SIDES[ours].in_flight
            print(f"{ours}: {share:.0%} of what its requests in flight allow")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=5000, help="messages a round and side")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--in-flight", type=int, default=Queue.in_flight, help="of the worker")
    parser.add_argument("--bulk-in-flight", type=int, default=Bulk.in_flight)
    parser.add_argument("--backend", default=Queue.backend, help="dotted path, of the worker's")
    parser.add_argument("--only", choices=SIDES, action="append", help="may be given repeatedly")
    parser.add_argument("--memory", choices=OURS, help="peak memory in place of rates")
    options = parser.parse_args()
    Queue.in_flight, Queue.backend = options.in_flight, options.backend
    Bulk.in_flight = options.bulk_in_flight

    import answering

    provider, base_url = answering.start(options.delay)
    set_up(base_url)

    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    connection.settings_dict["TEST"]["NAME"] = DATABASE
    databases = setup_databases(verbosity=0, interactive=False)
    try:
        from django_etelecom.models import MessageTemplate, RouteRule

        RouteRule.objects.create(name="ZNS, then SMS", channels=["1", "3"], is_default=True)
        template = MessageTemplate.objects.create(code="order", text="{a} {b} {c} {d} {e}")
        for position, name in enumerate("abcde"):
            template.parameters.create(name=name, position=position)
        if options.memory:
            measure_memory(options.memory, base_url)
        else:
            chosen = options.only or list(SIDES)
            sides = {name: SIDES[name](base_url) for name in SIDES if name in chosen}
            print_rates(options, measure_rates(options, sides))
    finally:
        teardown_databases(databases, verbosity=0)
        provider.terminate()


if __name__ == "__main__":
    main()
