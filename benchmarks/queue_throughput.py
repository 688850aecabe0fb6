"""Queued messages a second: `etelecom_worker` against a hand-written loop and django-post_office.

All send the same number of messages to the same local provider, in a process of its own, in
interleaved rounds of one run. The loop does for each message what a first version does:
`requests.post`, create the row, save its status, create the event. django-post_office sends its
queue with django-anymail's Postmark backend, with the threads it has by default. `worker` is the
default transport, `bulk` the one of that extra. Queueing is not timed. Memory is that of a worker
in a process of its own at its peak, for few rows and for many.

    python -m benchmarks.queue_throughput                                       # SQLite, a file
    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python -m benchmarks.queue_throughput
    ... --delay 0.1 --in-flight 64 --only worker
    ... --delay 0.1 --bulk-in-flight 256 --only bulk
    ... --memory worker
"""

import logging
import time

from benchmarks import answering, databases, measured
from benchmarks.measured import Figure
from benchmarks.send_cost import seed

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
        DATABASES={"default": databases.settings()},
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

TIMES = {
    ("worker", "loop"): 5,
    ("worker", "post_office"): 2,
    ("bulk", "loop"): 12,
    ("bulk", "post_office"): 5,
}
"""What ours sends of what theirs does, at least, on PostgreSQL and where answers come at once."""
SHARES = {"worker": (0.1, 64, 90), "bulk": (0.1, 256, 75)}
"""Where answers come after so many seconds, and so many requests are in flight, the least per cent
of what these allow that is sent, on PostgreSQL."""
MEMORY = 1.15
"""What a worker may take at its peak for many rows of what it takes for few."""


def clear():
    from post_office.models import Email, Log

    from django_etelecom.models import MessageEvent, MessageLog

    for model in (MessageEvent, MessageLog, Log, Email):
        model.objects.all()._raw_delete(using="default")


def sent(side, count):
    """Have a side send so many messages; return the messages a second."""
    clear()
    side.fill(count)
    databases.analyze()
    began = time.perf_counter()
    side.send()
    taken = time.perf_counter() - began
    if side.done() != count:
        raise SystemExit(f"{type(side).__name__}: {side.done()} of {count} were sent")
    return count / taken


def rates(options, base_url):
    """Return the figures of messages a second."""
    sides = {name: SIDES[name](base_url) for name in SIDES if name in (options.only or SIDES)}
    # The first round warms up.
    taken = measured.interleaved(
        {
            name: lambda turn, side=side: sent(side, options.count if turn else 200)
            for name, side in sides.items()
        },
        options.rounds,
    )
    figures = [Figure.of(name, "messages a second", each) for name, each in taken.items()]
    is_held = databases.is_postgresql()
    for (ours, theirs), times in TIMES.items():
        if {ours, theirs} <= taken.keys():
            ratios = measured.ratios(taken[ours], taken[theirs])
            least = times if is_held and not options.delay else None
            figures.append(Figure.of(ours, f"times {theirs}", ratios, unit="x", at_least=least))
    for ours, (delay, in_flight, share) in SHARES.items():
        if options.delay and ours in taken:
            possible = sides[ours].in_flight / options.delay
            shares = [each / possible * 100 for each in taken[ours]]
            is_asked = (options.delay, sides[ours].in_flight) == (delay, in_flight)
            least = share if is_held and is_asked else None
            figures.append(
                Figure.of(ours, f"of {possible:,.0f} a second", shares, unit="%", at_least=least)
            )
    return figures


def peak_of_work(name, base_url, in_flight, backend):
    """Be a worker until nothing is due; return the peak of memory in MiB."""
    side = SIDES[name]
    side.in_flight, side.backend = in_flight, backend
    set_up(base_url)
    side(base_url).send()
    return measured.peak_memory()


def memory(options, base_url):
    """Return the figures of memory."""
    name = options.memory
    side = SIDES[name](base_url)
    peaks = []
    for count in options.rows:
        clear()
        side.fill(count)
        databases.analyze()
        peaks.append(measured.apart(peak_of_work, name, base_url, side.in_flight, side.backend))
        if side.done() != count:
            raise SystemExit(f"{name}: {side.done()} of {count} were sent")
    few, many = (f"{count:,} rows" for count in options.rows)
    return [
        Figure.of(name, few, peaks[:1], unit="MiB"),
        Figure.of(name, many, peaks[1:], unit="MiB"),
        Figure.of(name, f"times {few}", [peaks[1] / peaks[0]], unit="x", at_most=MEMORY),
    ]


def main():
    parser = measured.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=5000, help="messages a round and side")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--in-flight", type=int, default=Queue.in_flight, help="of the worker")
    parser.add_argument("--bulk-in-flight", type=int, default=Bulk.in_flight)
    parser.add_argument("--backend", default=Queue.backend, help="dotted path, of the worker's")
    parser.add_argument("--only", choices=SIDES, action="append", help="may be given repeatedly")
    parser.add_argument(
        "--memory", choices=["worker", "bulk"], help="peak memory in place of rates"
    )
    parser.add_argument(
        "--rows",
        type=int,
        nargs=2,
        default=[1_000, 100_000],
        metavar=("FEW", "MANY"),
        help="of --memory",
    )
    options = parser.parse_args()
    Queue.in_flight, Queue.backend = options.in_flight, options.backend
    Bulk.in_flight = options.bulk_in_flight
    base_url = measured.beside(answering.serve, options.delay)
    set_up(base_url)

    with databases.made() as database:
        seed()
        figures = (memory if options.memory else rates)(options, base_url)
    asked = [options.memory] if options.memory else options.only or SIDES
    in_flight = {name: SIDES[name].in_flight for name in SHARES if name in asked}
    measured.tell(
        options,
        figures,
        size=", ".join(
            [
                "one process for each"
                if options.memory
                else f"{options.rounds} rounds of {options.count:,} messages",
                f"answers after {options.delay * 1000:.0f} ms",
                *(f"{name} with {number} in flight" for name, number in in_flight.items()),
            ]
        ),
        database=database,
        packages=["Django", "django-post_office", "django-anymail", "requests", "pycurl"],
    )


if __name__ == "__main__":
    main()
