"""A send's own cost: `services.send_message` against what a careful developer writes by hand.

The hand-written helper reads its template, posts on a kept `requests.Session`, and writes one log
row and one event in autocommit. Both send to the same fast server in a process of its own, in
interleaved rounds of one run.

    python -m benchmarks.send_cost                                              # SQLite, a file
    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python -m benchmarks.send_cost
"""

import socketserver

from benchmarks import databases, measured
from benchmarks.measured import Figure

TIMES = {"sqlite": 1.5, "postgresql": 2.0}
"""What a send may cost of one by hand, by database."""

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


def serve(told):
    with Server(("127.0.0.1", 0), FastAnswer) as server:
        told.send(f"http://127.0.0.1:{server.server_address[1]}")
        server.serve_forever()


def set_up(base_url):
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="benchmark",
        USE_TZ=True,
        TIME_ZONE="Asia/Ho_Chi_Minh",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django_etelecom",
        ],
        DATABASES={"default": databases.settings()},
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


def main():
    parser = measured.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--count", type=int, default=60, help="messages a round and side")
    options = parser.parse_args()

    base_url = measured.beside(serve)
    set_up(base_url)

    import requests
    from django.db import connection

    from django_etelecom.services import send_message

    with databases.made() as database:
        seed()
        params = dict.fromkeys("abcde", "Nguyễn Văn An")
        hand = by_hand(requests.Session(), base_url)
        sides = {
            "by hand": lambda: hand("order", "84912345678", params),
            "send_message": lambda: send_message("order", "84912345678", params),
        }
        took = measured.timed_calls(sides, options.rounds, options.count)
    ratios = measured.ratios(took["send_message"], took["by hand"])
    most = TIMES.get(connection.vendor)
    measured.tell(
        options,
        [
            *(Figure.of(name, "a message", taken, unit="ms") for name, taken in took.items()),
            Figure.of("send_message", "times by hand", ratios, unit="x", at_most=most),
        ],
        size=f"{options.rounds} rounds of {options.count} messages",
        database=database,
        packages=["Django", "requests"],
    )


if __name__ == "__main__":
    main()
