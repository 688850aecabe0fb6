"""What a send over the API costs beside the same send in process.

`POST /api/messages/` goes through Django's WSGI handler and a new project's middleware, with a
token of the REST framework's, against `services.send_message` by the same template of five
parameters. Between them is the least view that a site would write with the REST framework: it asks
for the token and the permission, calls the service and answers with the id.

How users are known, and what they may, is the site's own: the token and the permissions of its
user's groups take three queries. So the API is timed as well for a user who is at hand and may do
everything, which is what the API itself costs.

All send to the simulator, which has a process of its own, over a real socket, in interleaved rounds
of one run, on the database that DATABASE_URL names. Connections to it are kept (`CONN_MAX_AGE`):
else a request pays for a new one, whatever it does.

    python benchmarks/api_cost.py                                               # SQLite, a file
    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python benchmarks/api_cost.py
"""

import argparse
import io
import json
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent), str(Path(__file__).resolve().parent)]

from send_cost import seed, timed  # noqa: E402  # found by the line before

PHONE = "84912345678"
PARAMS = dict.fromkeys("abcde", "Nguyễn Văn An")
MOST = 1.3
"""What a send over the API may cost of one in process."""


def simulate(port_sent):
    from django_etelecom.simulator import Simulator

    with Simulator() as simulator:
        port_sent.send(simulator.base_url)
        multiprocessing.Event().wait()


def set_up(base_url):
    import django
    import environ
    from django.conf import settings

    database = environ.Env().db("DATABASE_URL")
    database["CONN_MAX_AGE"] = None
    if "sqlite" in database["ENGINE"]:
        database["TEST"] = {"NAME": database["NAME"]}  # A file; Django would take memory.
    settings.configure(
        SECRET_KEY="benchmark",
        USE_TZ=True,
        TIME_ZONE="Asia/Ho_Chi_Minh",
        ALLOWED_HOSTS=["example.com"],
        ROOT_URLCONF="api_cost_urls",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.messages",
            "django.contrib.sessions",
            "rest_framework",
            "rest_framework.authtoken",
            "django_etelecom",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [
                "api_cost_user.UserAtHand",
                "rest_framework.authentication.TokenAuthentication",
            ],
        },
        DATABASES={"default": database},
        ETELECOM={
            "ACCOUNTS": {"default": {"USERNAME": "u", "PASSWORD": "p", "BASE_URL": base_url}}
        },
    )
    django.setup()


def token():
    """Return the token of a user who may send, as a member of a group."""
    from django.contrib.auth.models import Group, Permission, User
    from rest_framework.authtoken.models import Token

    group = Group.objects.create(name="senders")
    group.permissions.add(Permission.objects.get(codename="send_message"))
    user = User.objects.create_user("shop")
    user.groups.add(group)
    return Token.objects.create(user=user).key


def request_of(path, authorization):
    """Return a function that makes a request as a server does."""
    from django.core.handlers.wsgi import WSGIHandler

    handler = WSGIHandler()
    body = json.dumps({"template": "order", "to": PHONE, "params": PARAMS}).encode()

    def send():
        told = []
        environ = {
            "REQUEST_METHOD": "POST",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            "SERVER_NAME": "example.com",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.1",
            "HTTP_HOST": "example.com",
            "HTTP_ACCEPT": "application/json",
            "HTTP_AUTHORIZATION": authorization,
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "https",
        }
        answer = handler(environ, lambda status, headers: told.append(status))
        content = b"".join(answer)
        answer.close()
        if told != ["201 Created"]:
            raise SystemExit(f"{told} {content.decode()}")

    return send


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--count", type=int, default=60, help="messages a round and side")
    options = parser.parse_args()
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{tempfile.mkdtemp()}/benchmark.sqlite3")

    here, there = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=simulate, args=(there,), daemon=True)
    process.start()
    set_up(here.recv())

    import django
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        from django_etelecom.services import send_message

        seed()
        authorization = f"Token {token()}"
        sides = {
            "send_message": lambda: send_message("order", PHONE, PARAMS).raise_for_status(),
            "least view": request_of("/by-hand/", authorization),
            "API": request_of("/api/messages/", authorization),
            "API itself": request_of("/api/messages/", "AtHand"),
        }
        for side in sides.values():
            timed(side, options.count)
        seconds = {name: [] for name in sides}
        for number in range(options.rounds):
            order = list(sides) if number % 2 else list(reversed(sides))
            for name in order:
                seconds[name].append(timed(sides[name], options.count))
        print(
            f"{connection.vendor}, Django {django.get_version()}, Python "
            f"{platform.python_version()}, {options.rounds} rounds of {options.count}"
        )
        print(f"{'':27}{'median':>10}{'min':>10}{'max':>10}")
        for name, taken in seconds.items():
            row = [statistics.median(taken), min(taken), max(taken)]
            print(f"{name:27}" + "".join(f"{value * 1000:>8.2f}ms" for value in row))
        compared = [
            ("API itself", "send_message"),
            ("API", "send_message"),
            ("least view", "send_message"),
            ("API", "least view"),
        ]
        for name, other in compared:
            ratios = [one / two for one, two in zip(seconds[name], seconds[other], strict=True)]
            row = [statistics.median(ratios), min(ratios), max(ratios)]
            told = "".join(f"{value:>9.2f}x" for value in row)
            print(f"{f'{name} / {other}':27}{told}")
        print(f"{'API itself, at most':27}{MOST:>9.2f}x")
    finally:
        teardown_databases(databases, verbosity=0)
        process.terminate()


if __name__ == "__main__":
    main()
