"""A send's own cost: `services.send_message` against what a careful developer writes by hand.

The hand-written helper reads its template, posts on a kept `requests.Session`, and writes one log
row and one event in autocommit. Both send to the same fast server in a process of its own, in
interleaved rounds of one run, on the database that DATABASE_URL names.

    python benchmarks/send_cost.py                                              # SQLite, a file
    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python benchmarks/send_cost.py
"""

import argparse
import gc
import multiprocessing
import os
import platform
import socketserver
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

ANSWER = b'{ "status": "1", "code": "Success", " idOmniMess ": "ICOMNI%030d" }'
HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n"
    b"Content-Length: %d\r\n\r\n"
)


class FastAnswer(socketserver.StreamRequestHandler):
    """Accepts everything, at the least cost that Python allows."""

    disable_nagle_algorithm = True

    def handle(self):
        number = 0
        while self.rfile.readline():
            length = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            self.rfile.read(length)
            number += 1
            body = ANSWER % number
            self.wfile.write(HEAD % len(body) + body)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def serve(port_sent):
    with Server(("127.0.0.1", 0), FastAnswer) as server:
        port_sent.send(server.server_address[1])
        server.serve_forever()


def set_up(base_url):
    import django
    import environ
    from django.conf import settings

    database = environ.Env().db("DATABASE_URL")
    if "sqlite" in database["ENGINE"]:
        database["TEST"] = {"NAME": database["NAME"]}  # A file; Django would take memory.
    settings.configure(
        SECRET_KEY="benchmark",
        USE_TZ=True,
        TIME_ZONE="Asia/Ho_Chi_Minh",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django_etelecom",
        ],
        DATABASES={"default": database},
        ETELECOM={
            "ACCOUNTS": {"default": {"USERNAME": "u", "PASSWORD": "p", "BASE_URL": base_url}}
        },
    )
    django.setup()


def seed():
    from django_etelecom.models import MessageTemplate, RouteRule

    RouteRule.objects.create(name="ZNS, then SMS", channels=["1", "3"], is_default=True)
    template = MessageTemplate.objects.create(code="order", text="{a} {b} {c} {d} {e}")
    for position, name in enumerate("abcde"):
        template.parameters.create(name=name, position=position)


def by_hand(session, base_url):
    """Return the helper that a developer would write into the view's module."""
    from django_etelecom.models import MessageEvent, MessageLog, MessageTemplate

    def send(code, phone, params):
        template = MessageTemplate.objects.get(code=code)
        response = session.post(
            f"{base_url}/api/OmniMessage/SendMessage",
            json={
                "username": "u",
                "password": "p",
                "phonenumber": phone,
                "routerule": ["1", "3"],
                "templatecode": template.code,
                "list_param": params,
            },
            timeout=15,
        )
        answer = {key.strip(): value for key, value in response.json().items()}
        log = MessageLog.objects.create(
            template=template,
            template_code=template.code,
            account="default",
            recipient=phone,
            params=params,
            channels=["1", "3"],
            status="accepted" if answer["status"] == "1" else "rejected",
            provider_message_id=answer.get("idOmniMess", ""),
            content_digest="",
        )
        MessageEvent.objects.create(
            message=log,
            source="send",
            status=log.status,
            http_status=response.status_code,
            payload=response.text,
        )

    return send


def timed(function, count):
    gc.collect()
    began = time.perf_counter()
    for _ in range(count):
        function()
    return (time.perf_counter() - began) / count


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
    base_url = f"http://127.0.0.1:{here.recv()}"
    set_up(base_url)

    import django
    import requests
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        from django_etelecom.services import send_message

        seed()
        params = dict.fromkeys("abcde", "Nguyễn Văn An")
        hand = by_hand(requests.Session(), base_url)
        sides = {
            "by hand": lambda: hand("order", "84912345678", params),
            "send_message": lambda: send_message("order", "84912345678", params),
        }
        for side in sides.values():
            timed(side, options.count)
        seconds = {name: [] for name in sides}
        for number in range(options.rounds):
            order = list(sides) if number % 2 else list(reversed(sides))
            for name in order:
                seconds[name].append(timed(sides[name], options.count))
        ratios = [
            ours / theirs
            for ours, theirs in zip(seconds["send_message"], seconds["by hand"], strict=True)
        ]
        print(
            f"{connection.vendor}, Django {django.get_version()}, Python "
            f"{platform.python_version()}, {options.rounds} rounds of {options.count}"
        )
        print(f"{'':14}{'median':>10}{'min':>10}{'max':>10}")
        for name, taken in seconds.items():
            row = [statistics.median(taken), min(taken), max(taken)]
            print(f"{name:14}" + "".join(f"{value * 1000:>8.2f}ms" for value in row))
        row = [statistics.median(ratios), min(ratios), max(ratios)]
        print(f"{'ratio':14}" + "".join(f"{value:>9.2f}x" for value in row))
    finally:
        teardown_databases(databases, verbosity=0)
        process.terminate()


if __name__ == "__main__":
    main()
