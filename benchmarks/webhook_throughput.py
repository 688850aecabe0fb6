"""Delivery reports a second: the app's webhook against django-anymail's Postmark tracking view.

Both run under gunicorn with two workers of four threads, on one PostgreSQL database with kept
connections, and do the same work on it: find the message by the provider's id, append an event,
move the message. anymail's view does it in a receiver of its signal, as a careful developer writes
one. Ours is measured twice. `kept` is the default: the report becomes an event, and the message is
noted for the worker, which asks about it. `believed` is CONFIRM_REPORTS off: the report moves the
status at once. Every report is the first one of its message.

    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python -m benchmarks.webhook_throughput
"""

import json
import multiprocessing
import os
import socket
import subprocess
import sys
import time

from benchmarks import databases, measured
from benchmarks.measured import Figure

TOKEN = "a-token-of-the-benchmark"
CLIENTS = 8
A_CONNECTION = 50
"""Requests by one connection; the next may come to the other of gunicorn's workers."""

WARM_UP = 6
"""One in so many goes before those that count: a server that was idle takes a while."""

TIMES = 2.5
"""The reports that are kept, at least, of what anymail's view takes."""

SIDES = {
    "anymail": {"path": "/anymail/postmark/tracking/", "confirms": "1"},
    "kept": {"path": f"/etelecom/webhooks/{TOKEN}/", "confirms": "1"},
    "believed": {"path": f"/etelecom/webhooks/{TOKEN}/", "confirms": ""},
}


def set_up():
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="benchmark",
        USE_TZ=True,
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF="benchmarks.webhook_throughput_urls",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "anymail",
            "django_etelecom",
        ],
        # As startproject writes them.
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        DATABASES={"default": databases.settings(CONN_MAX_AGE=600)},
        ANYMAIL={"WEBHOOK_SECRET": "user:password"},
        ETELECOM={
            "ACCOUNTS": {"default": {"USERNAME": "benchmark", "PASSWORD": "benchmark-password"}},
            "WEBHOOK_TOKENS": [TOKEN],
            "CONFIRM_REPORTS": bool(os.environ.get("CONFIRMS")),
        },
    )
    django.setup()


def application():
    """Return the WSGI application of a gunicorn worker."""
    set_up()
    from anymail.signals import tracking
    from django.core.wsgi import get_wsgi_application
    from django.db import transaction
    from django.utils import timezone

    from django_etelecom.models import MessageEvent, MessageLog

    def by_hand(sender, event, esp_name, **kwargs):
        with transaction.atomic():
            message = MessageLog.objects.select_for_update().get(
                provider_message_id=event.message_id
            )
            MessageEvent.objects.create(
                message=message,
                source="webhook",
                status="delivered",
                provider_status=event.event_type,
                channel="SMS",
                payload=json.dumps(event.esp_event),
            )
            message.status = "delivered"
            message.channel = "SMS"
            message.updated_at = timezone.now()
            message.save(update_fields=["status", "channel", "updated_at"])

    tracking.connect(by_hand, weak=False)
    return get_wsgi_application()


def report(side, number):
    """Return the request of one report, to the letter."""
    if side == "anymail":
        body = {
            "RecordType": "Delivery",
            "MessageID": message_id(side, number),
            "Recipient": "lan@example.com",
            "DeliveredAt": "2026-11-23T14:00:00Z",
            "Details": "Test",
            "Tag": "order",
        }
        extra = "Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n"
    else:
        body = {
            "IdOmniMess": message_id(side, number),
            "Status": "SUCCESS",
            "Channel": "BrandnameSMS",
            "ErrorCode": "",
            "MtCount": 1,
            "TelcoId": 3,
            "IsCharged": "True",
        }
        extra = ""
    content = json.dumps(body)
    return (
        f"POST {SIDES[side]['path']} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n{extra}"
        f"\r\n{content}"
    ).encode()


def message_id(side, number):
    return f"ICOMNI-{side}-{number:08}"


def seed(count):
    from django_etelecom.models import MessageLog, MessageTemplate

    template = MessageTemplate.objects.create(code="order")
    for side in SIDES:
        MessageLog.objects.bulk_create(
            [
                MessageLog(
                    template=template,
                    template_code="order",
                    account="default",
                    recipient="84912345678",
                    channels=["1", "3"],
                    status="accepted",
                    provider_message_id=message_id(side, number),
                )
                for number in range(count)
            ],
            batch_size=1000,
        )


def post(port, warm_up, requests, at_once, answered):
    """Post requests, at once with the other clients what counts; tell how many of it were good."""
    posted(port, warm_up)
    at_once.wait()
    answered.put(posted(port, requests))


def posted(port, requests):
    """Post requests one after the other, and return how many were answered 200."""
    good = 0
    for begin in range(0, len(requests), A_CONNECTION):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            answers = connection.makefile("rb")
            for request in requests[begin : begin + A_CONNECTION]:
                connection.sendall(request)
                good += is_good(answers)
    return good


def is_good(answers):
    """Read one answer, and tell whether it is a 200."""
    good = answers.readline().startswith(b"HTTP/1.1 200")
    length = 0
    while (line := answers.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    answers.read(length)
    return good


def rate(side, port, numbers):
    """Return the reports a second that were answered."""
    answered = multiprocessing.Queue()
    at_once = multiprocessing.Barrier(CLIENTS + 1)
    requests = [report(side, number) for number in numbers]
    warm_up, requests = requests[: len(numbers) // WARM_UP], requests[len(numbers) // WARM_UP :]
    clients = [
        multiprocessing.Process(
            target=post,
            args=(port, warm_up[at::CLIENTS], requests[at::CLIENTS], at_once, answered),
        )
        for at in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    at_once.wait(timeout=300)
    began = time.perf_counter()
    good = sum(answered.get(timeout=300) for _ in clients)
    taken = time.perf_counter() - began
    for client in clients:
        client.join()
    if good != len(requests):
        raise SystemExit(f"{side}: only {good} of {len(requests)} reports were answered 200")
    return good / taken


def start(side):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            *(sys.executable, "-m", "gunicorn", "--workers=2", f"--bind=127.0.0.1:{port}"),
            # Threads, for the plain worker keeps no connection.
            *("--worker-class=gthread", "--threads=4", "--keep-alive=30"),
            *("--log-level=warning", "benchmarks.webhook_throughput:application()"),
        ],
        env={**os.environ, "CONFIRMS": SIDES[side]["confirms"]},
    )
    ends_at = time.monotonic() + 30
    while time.monotonic() < ends_at:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return server, port
    raise SystemExit(f"{side}: gunicorn does not listen")


def main():
    parser = measured.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=3000, help="reports a round and side")
    options = parser.parse_args()
    set_up()
    databases.require_postgresql()

    with databases.made() as database:
        seed((options.rounds + 1) * options.count)
        servers = {}
        try:
            for side in SIDES:
                servers[side] = start(side)
            rates = measured.interleaved(
                {
                    side: lambda turn, side=side: rate(
                        side,
                        servers[side][1],
                        range(turn * options.count, (turn + 1) * options.count),
                    )
                    for side in SIDES
                },
                options.rounds,
            )
        finally:
            for server, _port in servers.values():
                server.terminate()
                server.wait()
    figures = [Figure.of(side, "reports a second", each) for side, each in rates.items()]
    for side, least in (("kept", TIMES), ("believed", None)):
        ratios = measured.ratios(rates[side], rates["anymail"])
        figures.append(Figure.of(side, "times anymail", ratios, unit="x", at_least=least))
    measured.tell(
        options,
        figures,
        size=f"{options.rounds} rounds of {options.count:,} reports",
        database=database,
        packages=["Django", "django-anymail", "gunicorn"],
    )


if __name__ == "__main__":
    main()
