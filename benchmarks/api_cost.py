"""What a send over the API costs beside the same send in process.

`POST /api/messages/` goes through Django's WSGI handler and a new project's middleware, with a
token of the REST framework's, against `services.send_message` by the same template of five
parameters. Between them is the least view that a site would write with the REST framework: it asks
for the token and the permission, calls the service and answers with the id.

How users are known, and what they may, is the site's own: the token and the permissions of its
user's groups take three queries. So the API is timed as well for a user who is at hand and may do
everything, which is what the API itself costs.

All send to the simulator, which has a process of its own, over a real socket, in interleaved rounds
of one run. Connections to the database are kept (`CONN_MAX_AGE`): else a request pays for a new
one, whatever it does.

    python -m benchmarks.api_cost                                               # SQLite, a file
    DATABASE_URL=postgres://postgres@127.0.0.1:5432/postgres python -m benchmarks.api_cost
"""

import io
import json
import sys
import threading

from benchmarks import databases, measured
from benchmarks.measured import Figure
from benchmarks.send_cost import seed

PHONE = "84912345678"
PARAMS = dict.fromkeys("abcde", "Nguyễn Văn An")
TIMES = 1.3
"""What the API itself may cost of a send in process."""
COMPARED = [
    ("API itself", "send_message"),
    ("API", "send_message"),
    ("least view", "send_message"),
    ("API", "least view"),
]


def simulate(told):
    from django_etelecom.simulator import Simulator

    with Simulator() as simulator:
        told.send(simulator.base_url)
        threading.Event().wait()


def set_up(base_url):
    import django
    from django.conf import settings

    settings.configure(
        SECRET_KEY="benchmark",
        USE_TZ=True,
        TIME_ZONE="Asia/Ho_Chi_Minh",
        ALLOWED_HOSTS=["example.com"],
        ROOT_URLCONF="benchmarks.api_cost_urls",
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
                "benchmarks.api_cost_user.UserAtHand",
                "rest_framework.authentication.TokenAuthentication",
            ],
        },
        DATABASES={"default": databases.settings(CONN_MAX_AGE=None)},
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
    parser = measured.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--count", type=int, default=60, help="messages a round and side")
    options = parser.parse_args()
    set_up(measured.beside(simulate))

    from django_etelecom.services import send_message

    with databases.made() as database:
        seed()
        authorization = f"Token {token()}"
        sides = {
            "send_message": lambda: send_message("order", PHONE, PARAMS).raise_for_status(),
            "least view": request_of("/by-hand/", authorization),
            "API": request_of("/api/messages/", authorization),
            "API itself": request_of("/api/messages/", "AtHand"),
        }
        took = measured.timed_calls(sides, options.rounds, options.count)
    figures = [Figure.of(name, "a message", taken, unit="ms") for name, taken in took.items()]
    figures += [
        Figure.of(
            name,
            f"times {other}",
            measured.ratios(took[name], took[other]),
            unit="x",
            at_most=TIMES if name == "API itself" else None,
        )
        for name, other in COMPARED
    ]
    measured.tell(
        options,
        figures,
        size=f"{options.rounds} rounds of {options.count} messages",
        database=database,
        packages=["Django", "djangorestframework"],
    )


if __name__ == "__main__":
    main()
