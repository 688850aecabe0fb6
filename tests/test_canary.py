"""Canaries: unique secrets in all that goes wrong, and none of them in anything that is told.

Each fault runs on a site of its own, whose every secret is a canary; then all that the site has
kept and told is searched for them: the rows of all tables, the log at DEBUG with its tracebacks,
Django's debug page and its mails to the admins, what Sentry would have posted with its default
options, the signals, what was printed, what an engine carried, the pages of the admin, the export.

A new fault is one function with `@fault` above it. It gets the `Site`, and lets what may raise run
in `site.view(...)`.
"""

import base64
import contextlib
import html
import io
import json
import logging
import re
import secrets
import string
import sys
import tempfile
from collections.abc import Callable, Iterator
from urllib.parse import quote, quote_plus

import pytest
import sentry_sdk
from cryptography.fernet import Fernet
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import DatabaseError, OperationalError, connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import include, path, reverse
from django.utils.log import AdminEmailHandler

from django_etelecom import (
    delivery,
    env,
    events,
    framework_tasks,
    guards,
    loading,
    reports,
    sealing,
    signals,
    uploads,
)
from django_etelecom.admin import forms
from django_etelecom.api import messages as api_messages
from django_etelecom.api import throttles
from django_etelecom.backends.http import HTTPBackend
from django_etelecom.client import connections
from django_etelecom.exceptions import InvalidMessage
from django_etelecom.masking import LogFilter
from django_etelecom.models import (
    AccountState,
    Campaign,
    MessageLog,
    MessageTemplate,
    RouteRule,
)
from django_etelecom.services import (
    begin_upload,
    check_message,
    load_parts,
    queue_campaign,
    queue_message,
    refresh_status,
    resend_message,
    resume_account,
    send_message,
)
from django_etelecom.simulator import Outcome, Simulator
from tests.admin.addresses import address, routes
from tests.client.fault_server import FaultServer, Peer, answer
from tests.publishing import celery_application
from tests.test_engines import DUMMY

pytestmark = pytest.mark.django_db(transaction=True)

TEMPLATE = "login_otp"
PHONE = "0912 345 678"
NUMBER = re.compile("(?:0|84)912 ?345 ?67[89]|849000000[0-9]{2}")


# --- Secrets ------------------------------------------------------------------------------------


class Canaries:
    """The secrets of one site, which no repr shows."""

    def __init__(self) -> None:
        unique = secrets.token_hex(8)
        self._of = {
            "username": f"user-{unique}",
            # What JSON, HTML, URLs and Python write otherwise.
            "password": f'pass"<&ö/ {secrets.token_hex(6)}',
            "webhook secret": f"shared-{secrets.token_hex(8)}",
            "webhook token": secrets.token_urlsafe(24),
            "encryption key": Fernet.generate_key().decode(),
            "otp": "".join(secrets.choice(string.ascii_letters) for _ in range(10)),
            "pin": f"pin'>ế\\ {secrets.token_hex(6)}",
        }

    def __getitem__(self, name: str) -> str:
        return self._of[name]

    def seen_in(self, text: str) -> dict[str, str]:
        """Return those that a text shows, in whatever disguise: by name, with what is before it."""
        folded = text.lower()
        return {
            name: text[max(0, at - 200) : at + 20]
            for name, secret in self._of.items()
            for disguise in disguises(secret)
            if (at := folded.find(disguise.lower())) >= 0
        }


def disguises(secret: str) -> set[str]:
    octets = secret.encode()
    plain = {secret, html.escape(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1]}
    plain |= {json.dumps(secret, ensure_ascii=False)[1:-1], quote(secret), quote_plus(secret)}
    # As JSON in a URL, or as the text of a text.
    plain |= {quote(one) for one in plain} | {json.dumps(one)[1:-1] for one in plain}
    stems = {base64.b64encode(bytes(at) + octets).decode()[at + 2 : -4] for at in range(3)}
    # What a cut has left of it.
    return plain | stems | {octets.hex(), secret[:8], secret[-8:]}


@pytest.mark.parametrize("disguise", ["plain", "json", "url", "base64", "cut"])
def test_canaries__are_seen_in_disguise(disguise):
    canaries = Canaries()
    shown = {
        "plain": lambda secret: secret.upper(),
        "json": lambda secret: json.dumps({"code": json.dumps({"a": secret})}),
        "url": lambda secret: quote(json.dumps({"a": secret})),
        "base64": lambda secret: base64.b64encode(f"any: {secret}!".encode()).decode(),
        "cut": lambda secret: f"and so on: {secret[:9]}",
    }[disguise]

    for name in canaries._of:
        assert list(canaries.seen_in(shown(canaries[name]))) == [name]


# --- A site -------------------------------------------------------------------------------------


def view(request):
    """A view of the site's own, with no secret in its frame."""
    Site.work()
    return HttpResponse("done")


urlpatterns = [path("view/", view), path("", include("tests.urls"))]


class Browser(RequestFactory):
    """Asks through the WSGI application, as a server does; what it was answered is in `pages`."""

    def __init__(self, application, **cookies: str) -> None:
        super().__init__()
        self.application = application
        self.cookies.load(cookies | {"csrftoken": "c" * 32})
        self.pages: list[str] = []

    def request(self, **request) -> HttpResponse:
        begun: list = []
        answered = self.application(self._base_environ(**request), lambda *told: begun.extend(told))
        response = HttpResponse(b"".join(answered), status=int(begun[0].split()[0]))
        answered.close()
        self.pages.append(f"{begun}\n{response.text}")
        return response

    def submit(self, where: str, **fields: str) -> HttpResponse:
        """Post a form of the admin."""
        return self.post(where, {"csrfmiddlewaretoken": "c" * 32, **fields})

    def ask(self, name: str, body: object, *of: str, **headers: str) -> HttpResponse:
        """Post to the API."""
        where = reverse(f"etelecom_api:{name}", args=of)
        headers["HTTP_X_CSRFTOKEN"] = "c" * 32
        return self.post(where, body, content_type="application/json", **headers)

    def report(self, token: str, body: object) -> HttpResponse:
        """Post to the webhook as the provider does."""
        return self.post(
            reverse("etelecom:webhook", args=[token]), body, content_type="application/json"
        )


class Mails(AdminEmailHandler):
    """Keeps Django's mails to the admins."""

    def __init__(self) -> None:
        super().__init__(include_html=True)
        self.setLevel(logging.ERROR)
        self.sent: list[str] = []

    def send_mail(self, subject, message, *args, html_message=None, **kwargs) -> None:
        self.sent.append(f"{subject}\n{message}\n{html_message}")


class Site:
    """A site whose every secret is a canary, and all that it tells."""

    work: Callable[[], object]

    def __init__(self, canaries: Canaries, settings, monkeypatch, users) -> None:
        self.canaries = canaries
        self.settings = settings
        self.monkeypatch = monkeypatch
        self.log = io.StringIO()
        self.own_log = io.StringIO()
        self.masked_log = io.StringIO()
        self.reported = io.StringIO()
        self.signalled = io.StringIO()
        self.carried = io.StringIO()
        self.mails = Mails()
        application = WSGIHandler()
        client = Client()
        client.force_login(users.objects.create_superuser("staff"))
        session = client.cookies["sessionid"].value
        self.staff = Browser(application, sessionid=session)
        self.provider = Browser(application)

    def configure(self, simulator: Simulator | FaultServer, **changes) -> None:
        """Have messages go to a server; `changes` are of the app's settings."""
        base_url = getattr(simulator, "base_url", None) or simulator.url
        account = "".join(
            (
                *("etelecom+http://", quote(self.canaries["username"], safe=""), ":"),
                *(quote(self.canaries["password"], safe=""), "@", base_url.partition("//")[2]),
            )
        )
        self.monkeypatch.setenv("ETELECOM_URL", f"{account}?connect_timeout=1&timeout=0.5")
        self.settings.ETELECOM = {
            "ACCOUNTS": {"default": env.account()},
            "WEBHOOK_TOKENS": [self.canaries["webhook token"]],
            "ENCRYPTION_KEYS": [self.canaries["encryption key"]],
            "GUARDS": {"otp": {"LIMITS": [], "COOLDOWN": [], "BUDGET": None}},
            **changes,
        }

    def params(self) -> dict[str, str]:
        return {"otp": self.canaries["otp"], "pin": self.canaries["pin"], "name": "An"}

    def row(self) -> dict[str, str]:
        return {"to": PHONE, **self.params()}

    def message(self, **changes: object) -> dict[str, object]:
        """What is posted to the API."""
        return {"template": TEMPLATE, "to": PHONE, "params": self.params(), **changes}

    def fields(self) -> dict[str, str]:
        """What is typed into the admin's form."""
        return {"to": PHONE, **{f"params.{name}": text for name, text in self.params().items()}}

    def sheet(self, *lines: str) -> SimpleUploadedFile:
        line = f'0912345678,{self.canaries["otp"]},"{self.canaries["pin"]}",An'
        content = "\n".join(("to,otp,pin,name", line, *lines))
        return SimpleUploadedFile("november.csv", content.encode())

    def report(self, **changes: object) -> dict[str, object]:
        """What the provider reports, with an echo of all that it knows."""
        echoed = {
            "list_param": json.dumps(self.params()),
            "username": self.canaries["username"],
            "password": self.canaries["password"],
            "Detail": f"posted to /webhooks/{self.canaries['webhook token']}/",
        }
        return {"IdOmniMess": "I1", "Status": "SUCCESS", **echoed, **changes}

    def command(self, *arguments: str) -> None:
        """Run a command as a person does, who sees its errors."""
        try:
            call_command(*arguments)
        except (CommandError, SystemCheckError) as error:
            sys.stderr.write(f"{error}\n")

    def send(self, to: str = PHONE, **changes: object) -> MessageLog:
        return send_message(TEMPLATE, to, self.params(), **changes)

    def view(self, work: Callable[[], object]) -> HttpResponse:
        """Do what a view of the site does."""
        Site.work = staticmethod(work)
        return self.staff.get("/view/")

    def breaks(self, owner: object, name: str, error: BaseException | None = None) -> None:
        """Have a function of the app raise."""

        def fails(*args, **kwargs):
            # Frames of the test's own are told as well.
            del args, kwargs
            raise error or DatabaseError("the disk is full")

        self.monkeypatch.setattr(owner, name, fails)

    # What it has kept and told.

    def told(self, captured: pytest.CaptureFixture[str]) -> dict[str, str]:
        pages = "\n".join(self.shown())
        printed = captured.readouterr()
        return {
            "rows": self.kept(),
            "log": self.log.getvalue(),
            "error reports": self.reported.getvalue(),
            "mails": "\n".join(self.mails.sent),
            "signals": self.signalled.getvalue(),
            "an engine": self.carried.getvalue(),
            "standard output": printed.out,
            "standard error": printed.err,
            "answers": "\n".join(self.staff.pages + self.provider.pages),
            "pages": pages,
        }

    def kept(self) -> str:
        with connection.cursor() as cursor:
            tables = connection.introspection.table_names(cursor)
            return "\n".join(f"{table}: {rows_of(table, cursor)}" for table in tables)

    def shown(self) -> Iterator[str]:
        """Ask for the pages of the admin that show what the site has."""
        models = {"messagelog": MessageLog, "campaign": Campaign, "accountstate": AccountState}
        for name in routes():
            model = models.get(name.partition("_")[0])
            if name in LOOKED_AT or name.endswith("_changelist"):
                for row in model.objects.all()[:3] if "<" in routes()[name] else [None]:
                    response = self.staff.get(address(name, row))
                    assert response.status_code in (200, 302), name
                    yield response.text


LOOKED_AT = {"dashboard", "messagelog_export", "messagelog_change", "messagelog_history"} | {
    *("campaign_change", "campaign_faulty_rows", "campaign_progress", "accountstate_change")
}


def rows_of(table: str, cursor) -> list:
    cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608  # a name
    return cursor.fetchall()


@pytest.fixture
def site(settings, monkeypatch, django_user_model):
    settings.ROOT_URLCONF = "tests.test_canary"
    settings.DEBUG = True
    settings.ADMINS = ["admin@shop.example"]
    canaries = Canaries()
    site = Site(canaries, settings, monkeypatch, django_user_model)

    class Keep(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope):
            site.reported.write(envelope.serialize().decode() + "\n")

    sentry_sdk.init(dsn="http://key@127.0.0.1/1", transport=Keep)
    monkeypatch.setattr(delivery, "RECORD_PAUSES", (0.0,))

    def receive(sender, **told):
        rows = [vars(row) for row in told.values() if hasattr(row, "_meta")]
        site.signalled.write(f"{told} {rows}\n")

    all_signals = [one for one in vars(signals).values() if isinstance(one, signals.Signal)]
    for signal in all_signals:
        signal.connect(receive, weak=False)
    template = MessageTemplate.objects.create(
        code=TEMPLATE,
        category="otp",
        text="{name}, your code is {otp}, your PIN {pin}.",
        route=RouteRule.objects.create(name="SMS", channels=["3"]),
    )
    for name in ("otp", "pin", "name"):
        template.parameters.create(
            name=name, kind="otp" if name == "otp" else "text", secret=name == "pin"
        )
    root = logging.getLogger()
    own = logging.StreamHandler(site.own_log)
    logging.getLogger("django_etelecom").addHandler(own)
    masked = logging.StreamHandler(site.masked_log)
    masked.addFilter(LogFilter())
    # The last one: a filter changes the record for those after it.
    handlers = [logging.StreamHandler(site.log), site.mails, masked]
    levels = {root: logging.DEBUG}
    levels |= {logging.getLogger(name): logging.DEBUG for name in ("django", "django_etelecom")}
    # It writes whole contexts, those of the debug page as well.
    levels[logging.getLogger("django.template")] = logging.INFO
    before = {logger: logger.level for logger in levels}
    for logger, level in levels.items():
        logger.setLevel(level)
    for handler in handlers:
        root.addHandler(handler)
    with Simulator() as simulator:
        site.simulator = simulator
        site.configure(simulator)
        yield site
    # Set, for loggers remember what they let through until a level is.
    for logger, level in before.items():
        logger.setLevel(level)
    for handler in handlers:
        root.removeHandler(handler)
    logging.getLogger("django_etelecom").removeHandler(own)
    for signal in all_signals:
        signal.disconnect(receive)
    sentry_sdk.init()


# --- What goes wrong ------------------------------------------------------------------------------

FAULTS: dict[str, Callable[[Site], None]] = {}


def fault(function: Callable[[Site], None]) -> Callable[[Site], None]:
    FAULTS[function.__name__] = function
    return function


# What the provider answers.


@fault
def every_outcome_of_the_provider(site):
    for outcome in Outcome:
        site.view(lambda to=outcome.phone_number: site.send(to))
        resume_account("default")
    for message in (MessageLog.objects.filter(status="rejected"), MessageLog.objects.all()):
        site.view(message.latest().raise_for_status)
    assert MessageLog.objects.count() == len(Outcome)


@fault
def every_report_of_the_provider(site):
    for outcome in (Outcome.ACCEPTED, Outcome.UNDELIVERED, Outcome.BROKEN_REPORT):
        message = site.send(outcome.phone_number)
        for _asked in range(2):
            site.view(lambda message=message: refresh_status(message))
    assert MessageLog.objects.filter(status="undelivered").count() == 2


def echoes(body: bytes) -> Iterator[bytes]:
    """Answer with the request, credentials and all, in many ways."""
    text = body.decode()
    fields = {name.lower(): value for name, value in json.loads(body).items()}
    refused = {"status": "-2", "code": f"Wrong Format Parameter: {fields.get('list_param')}"}
    yield answer(body)
    yield answer(json.dumps(refused).encode())
    yield answer(json.dumps({"status": "-2", "code": text}).encode())
    yield answer(json.dumps({"status": "1", "code": quote(text), "idOmniMess": text}).encode())
    yield answer(json.dumps({"status": fields.get("list_param", {}).get("otp")}).encode())
    yield answer(json.dumps({"status": "-2", "code": base64.b64encode(body).decode()}).encode())
    yield answer(f"<html><pre>{html.escape(text)}</pre></html>".encode(), status="502 Bad")
    yield answer(
        f"Unauthorized: {fields['username']} {fields['password']}".encode(), status="401 U"
    )
    yield answer(b"x" * 70_000 + body)
    yield answer(b'{"a":' * 9_000 + body)
    yield answer(json.dumps({"code": "y" * 480 + fields["password"]}).encode())
    yield answer(headers=f"Echo: {quote(text)}\r\nno header {text}\r\n")
    yield answer(body.hex().encode())
    yield b"HTTP/1.1 200 " + body.replace(b"\n", b"") + b"\r\nContent-Length: 0\r\n\r\n"
    yield body


@fault
def every_echo_of_the_request(site):
    number = 0

    def echo(peer: Peer) -> None:
        while request := peer.read_request():
            peer.send(list(echoes(request.body))[number])
            if number > 10:
                return

    with FaultServer(echo) as server:
        site.configure(server)
        for number in range(15):  # noqa: B007  # the server asks for it
            site.view(site.send)
            resume_account("default")
            with contextlib.suppress(InvalidMessage):
                refresh_status(MessageLog.objects.latest())
            site.command("etelecom_import_templates")
        site.view(MessageLog.objects.filter(status="rejected").latest().raise_for_status)
    assert MessageLog.objects.count() == 15


# What happens to this process.


@fault
def the_database_goes_away_before_the_post(site):
    site.breaks(MessageLog, "save", OperationalError("server closed the connection"))
    assert site.view(site.send).status_code == 500


@fault
def the_database_goes_away_after_the_post(site):
    site.breaks(events, "record_send", OperationalError("server closed the connection"))
    site.view(site.send)
    assert "could not be recorded" in site.log.getvalue()


@fault
def the_answer_cannot_be_recorded(site):
    site.breaks(events, "record_send", TypeError("unexpected"))
    assert site.view(site.send).status_code == 500


@fault
def the_backend_raises(site):
    site.breaks(HTTPBackend, "_body", RuntimeError(f"{site.params()}"))
    site.view(site.send)
    assert MessageLog.objects.get().reason == "internal_error"


@fault
def the_process_is_told_to_stop_in_the_post(site):
    site.breaks(connections.Connection, "ask", SystemExit(1))
    with contextlib.suppress(SystemExit):
        site.view(site.send)
    assert MessageLog.objects.get().reason == "interrupted"


@fault
def memory_runs_out_in_the_post(site):
    site.breaks(connections.Connection, "ask", MemoryError())
    site.view(site.send)
    assert MessageLog.objects.get().status == "not_sent"


@fault
def a_receiver_raises(site):
    def raises(sender, message, event, **kwargs):
        raise RuntimeError(f"{vars(message)} {vars(event)}")

    signals.message_accepted.connect(raises)
    site.view(site.send)
    signals.message_accepted.disconnect(raises)
    assert "Error calling" in site.log.getvalue()


@fault
def settings_cannot_be_used(site):
    for changes in (
        {"ENCRYPTION_KEYS": [site.canaries["encryption key"][1:]]},
        {"WEBHOOK_TOKENS": [site.canaries["webhook token"] + "?"]},
        {"ACCOUNTS": {"default": {**env.account(), "PASSWORD": {site.canaries["password"]: 1}}}},
        {"ACCOUNTS": {"default": {**env.account(), "WEBHOOK_SECRET": site.canaries["pin"]}}},
        {"POLL_AFTER": "never"},
    ):
        site.configure(site.simulator, **changes)
        site.view(lambda: queue_message(TEMPLATE, PHONE, site.params()))
        site.view(site.send)
        # Nobody could send a password that is no text, nor could it be echoed.
        site.provider.report(site.canaries["webhook token"], site.report(password=None))
        site.command("check")
        call_command("etelecom_worker", "--once")


# What is asked for.


@fault
def bad_input(site):
    for to, params in (
        ("12", site.params()),
        (PHONE, site.params() | {"otp": site.canaries["pin"]}),
        (PHONE, site.params() | {"pin": site.canaries["pin"] * 20}),
        (PHONE, site.params() | {"pin": f"{site.canaries['pin']}\0"}),
        (PHONE, site.params() | {"pin": [site.canaries["pin"]]}),
        (PHONE, [site.canaries["otp"]]),
        (PHONE, {**site.params(), "name": ""}),
    ):
        asked = Hidden(to, params)
        site.view(lambda asked=asked: send_message(TEMPLATE, asked.to, asked.params))
    site.view(lambda: queue_message(TEMPLATE, "12", site.params()))
    site.view(lambda: check_message(TEMPLATE, "12", site.params()))
    assert "InvalidMessage" in site.reported.getvalue()


class Hidden:
    """What a view of a site would have from a request, and in no variable."""

    def __init__(self, to: str, params: object) -> None:
        self.to = to
        self.params = params


@fault
def the_same_key_for_other_content(site):
    site.view(lambda: site.send(idempotency_key="a"))
    site.view(lambda: site.send("0912 345 679", idempotency_key="a"))
    assert "IdempotencyConflict" in site.reported.getvalue()


@fault
def check_and_send_again(site):
    site.view(lambda: check_message(TEMPLATE, PHONE, site.params()))
    message = site.send(Outcome.REFUSED_PARAMETER.phone_number)
    site.view(lambda: resend_message(message))
    site.view(lambda: resend_message(message, params=site.params()))
    site.breaks(MessageLog, "save")
    site.view(lambda: resend_message(message, params=site.params()))
    assert MessageLog.objects.count() == 2


# What guards stop.


@fault
def a_number_that_gets_no_more(site):
    once = {"GUARDS": {"otp": {"LIMITS": [(1, 60)]}}}
    site.configure(site.simulator, **once)
    site.send()
    site.view(site.send)
    checked = site.staff.submit(send_page(), step="check", **site.fields())
    site.staff.submit(send_page(), step="confirm", message=sealed_in(checked))
    assert site.staff.ask("messages", site.message()).status_code == 429
    site.view(lambda: queue_campaign(TEMPLATE, [site.row()]))
    call_command("etelecom_worker", "--once")
    assert "SendBlocked" in site.reported.getvalue()


@fault
def guards_that_cannot_be_asked(site):
    site.breaks(guards, "verdicts")
    site.breaks(guards, "take_turn", OperationalError("server closed the connection"))
    site.view(site.send)
    site.view(lambda: check_message(TEMPLATE, PHONE, site.params()))
    assert site.staff.ask("message_check", site.message()).status_code == 500


# What waits.


@fault
def a_queue_and_its_worker(site):
    for outcome in (Outcome.ACCEPTED, Outcome.UNAUTHORIZED, Outcome.RESET_AFTER_READING):
        site.view(lambda to=outcome.phone_number: queue_message(TEMPLATE, to, site.params()))
    call_command("etelecom_worker", "--once")
    assert MessageLog.objects.filter(status="queued").count() < 3


@fault
def a_queue_that_libcurl_carries(site):
    def echo(peer: Peer) -> None:
        request = peer.read_request()
        peer.send(list(echoes(request.body))[number])

    bulk = "django_etelecom.backends.bulk.BulkBackend"
    with FaultServer(echo) as server:
        site.configure(server)
        accounts = {"default": {**env.account(), "BACKEND": bulk, "KEEP_ALIVE": False}}
        site.configure(server, ACCOUNTS=accounts)
        for number in range(15):  # noqa: B007  # the server asks for it
            queue_message(TEMPLATE, PHONE, site.params())
            call_command("etelecom_worker", "--once")
            resume_account("default")
    assert not MessageLog.objects.filter(status__in=("queued", "sending")).exists()


@fault
def a_worker_whose_database_goes_away(site):
    site.view(lambda: queue_message(TEMPLATE, PHONE, site.params()))
    site.breaks(events, "record_sends", OperationalError("server closed the connection"))
    site.breaks(events, "record_send", OperationalError("server closed the connection"))
    call_command("etelecom_worker", "--once")
    assert "could not be recorded" in site.log.getvalue()


@fault
def a_broken_seal(site):
    site.view(lambda: queue_message(TEMPLATE, PHONE, site.params()))
    site.configure(site.simulator, ENCRYPTION_KEYS=[Fernet.generate_key().decode()])
    call_command("etelecom_worker", "--once")
    assert MessageLog.objects.get().reason == "seal_broken"


@fault
def nothing_can_be_sealed(site):
    site.breaks(sealing, "_fernet")
    site.view(lambda: queue_message(TEMPLATE, PHONE, site.params()))
    site.view(lambda: queue_campaign(TEMPLATE, [site.row()]))
    assert not MessageLog.objects.exists()


@fault
def an_engine_carries_keys(site):
    site.settings.TASKS = {"default": {"BACKEND": DUMMY}}
    with celery_application("memory://", task_default_queue="canary") as celery:
        for name in ("tasks", "celery"):
            site.configure(site.simulator, DISPATCHER=f"django_etelecom.dispatchers.{name}")
            site.view(lambda: queue_message(TEMPLATE, PHONE, site.params()))
        with celery.connection_for_read() as broker:
            published = broker.default_channel.basic_get("canary", no_ack=True)
    enqueued = framework_tasks.send.get_backend().results
    site.carried.write(f"{enqueued} {vars(published)}")
    assert [len(enqueued), len(published.payload[0])] == [1, 1]


# Campaigns.


@fault
def a_campaign_with_faulty_rows(site):
    rows = [site.row(), {**site.row(), "to": "12"}, {**site.row(), "otp": site.canaries["pin"]}]
    site.view(lambda: queue_campaign(TEMPLATE, rows))
    call_command("etelecom_worker", "--once")
    assert Campaign.objects.get().faulty_rows == 2


@fault
def a_campaign_breaks_off(site):
    def rows():
        yield site.row()
        raise RuntimeError("the file ends")

    site.view(lambda: queue_campaign(TEMPLATE, rows()))
    assert Campaign.objects.get().status == "cancelled"


@fault
def a_campaign_whose_rows_cannot_be_written(site):
    site.breaks(loading, "insert_each")
    site.view(lambda: queue_campaign(TEMPLATE, [site.row()]))
    assert "the disk is full" in site.reported.getvalue()


@fault
def a_sheet_of_the_admin(site):
    where = address("campaign_upload")
    faulty = f"12,{site.canaries['otp']},{site.canaries['pin']},An"
    for sheet in (site.sheet(faulty), site.sheet('0912345678,"'), site.sheet("x" * 40_000)):
        site.staff.submit(where, template=TEMPLATE, file=sheet)
    call_command("etelecom_worker", "--once")
    site.breaks(loading, "insert_each")
    campaign = begin_upload(TEMPLATE, site.sheet().file, "december.csv")
    site.view(lambda: load_parts(campaign, patience=1))
    assert Campaign.objects.count() > 1


@fault
def a_sheet_that_cannot_be_read_to_its_end(site):
    class Vanishing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 200_000:
                raise OSError("the file is gone")
            return super().read(size)

    file = Vanishing(site.sheet(*[",,,"] * 100_000).read())
    site.view(lambda: begin_upload(TEMPLATE, file, "november.csv"))
    assert "the file is gone" in site.reported.getvalue()


@fault
def a_sheet_that_cannot_be_kept(site):
    site.breaks(uploads, "_keep")
    file = site.sheet().file
    site.view(lambda: begin_upload(TEMPLATE, file, "november.csv"))
    assert "the disk is full" in site.reported.getvalue()


@fault
def a_sheet_that_cannot_be_opened_again(site):
    begin_upload(TEMPLATE, site.sheet().file, "november.csv")
    site.configure(site.simulator, ENCRYPTION_KEYS=[Fernet.generate_key().decode()])
    call_command("etelecom_worker", "--once")
    assert "is cancelled" in site.log.getvalue()


# The admin.


def send_page() -> str:
    return f"{reverse('admin:etelecom_messagelog_send')}?template={TEMPLATE}"


def sealed_in(page: HttpResponse) -> str:
    return re.search(r'name="message" value="([^"]+)"', page.text)[1]


@fault
def a_form_of_the_admin(site):
    checked = site.staff.submit(send_page(), step="check", **site.fields())
    for fields in (
        {**site.fields(), "to": "12"},
        {**site.fields(), "params.otp": site.canaries["pin"]},
        {**site.fields(), "params.name": ""},
    ):
        site.staff.submit(send_page(), step="check", **fields)
    sealed = sealed_in(checked)
    site.staff.submit(send_page(), step="change", message=sealed)
    site.staff.submit(send_page(), step="confirm", message=f"{sealed}x")
    assert site.staff.submit(send_page(), step="confirm", message=sealed).status_code == 302
    assert MessageLog.objects.get().status == "accepted"


@fault
def a_form_of_the_admin_that_cannot_be_drawn(site):
    site.breaks(forms, "_routes")
    assert site.staff.submit(send_page(), step="check", **site.fields()).status_code == 500


@fault
def a_form_of_the_admin_that_cannot_be_checked(site):
    site.breaks(forms, "check_message")
    assert site.staff.submit(send_page(), step="check", **site.fields()).status_code == 500


@fault
def a_form_of_the_admin_that_cannot_be_sealed(site):
    site.breaks(sealing, "_fernet")
    assert site.staff.submit(send_page(), step="check", **site.fields()).status_code == 500


@fault
def a_form_of_the_admin_that_cannot_be_sent(site):
    checked = site.staff.submit(send_page(), step="check", **site.fields())
    site.breaks(MessageLog, "save")
    page = site.staff.submit(send_page(), step="confirm", message=sealed_in(checked))
    assert page.status_code == 500


# The webhook.


@fault
def reports_of_every_kind(site):
    site.view(site.send)
    known = MessageLog.objects.get().provider_message_id
    token = site.canaries["webhook token"]
    for body in (
        site.report(),
        site.report(IdOmniMess=known),
        site.report(IdOmniMess=known, Status="SOMETHING"),
        [site.report()] * 3,
        site.report(IdOmniMess=[site.canaries["pin"]]),
        json.dumps(site.report())[:-9],
        "[" * 9_000,
    ):
        site.provider.report(token, body)
    site.provider.report(f"{token}x", site.report())
    site.provider.get(reverse("etelecom:webhook", args=[token]))
    site.provider.post(reverse("etelecom:webhook", args=[token]), site.params())
    site.provider.post(f"/etelecom/webhooks/{token}/more/", site.params())
    call_command("etelecom_worker", "--once")
    assert MessageLog.objects.get().events.filter(source="webhook").exists()


@fault
def a_report_that_cannot_be_kept(site):
    site.breaks(reports, "keep")
    token = site.canaries["webhook token"]
    assert site.provider.report(token, site.report()).status_code == 503
    assert "the disk is full" in site.reported.getvalue()


@fault
def a_report_whose_receiver_raises(site):
    def raises(sender, message, event, **kwargs):
        raise RuntimeError("receiver")

    site.configure(site.simulator, CONFIRM_REPORTS=False)
    site.view(site.send)
    known = MessageLog.objects.get().provider_message_id
    signals.message_delivered.connect(raises)
    token = site.canaries["webhook token"]
    site.provider.report(token, site.report(IdOmniMess=known))
    signals.message_delivered.disconnect(raises)
    assert "RuntimeError" in site.reported.getvalue()


# The API.


@fault
def requests_of_the_api(site):
    ask = site.staff.ask
    queued = {"send_at": "2999-01-01T00:00:00Z"}
    for body in (
        site.message(),
        site.message(to="12"),
        site.message(params=[site.canaries["otp"]]),
        site.message(params=site.params() | {"otp": site.canaries["pin"], "more": "1"}),
        site.message(**queued, otp=site.canaries["pin"]),
        json.dumps(site.message())[:-2],
        "[" * 9_000,
        [site.message()],
        site.canaries["otp"],
    ):
        ask("messages", body)
        ask("message_check", body)
    ask("messages", site.message(queue=True))
    first = MessageLog.objects.earliest("pk")
    for body in ({}, {"params": site.params()}, {"params": {"otp": site.canaries["pin"]}}):
        ask("resend", body, str(first.public_id))
    for name in ("refresh", "cancel"):
        ask(name, {}, str(first.public_id))
    site.staff.post(reverse("etelecom_api:messages"), site.params())
    site.staff.get(reverse("etelecom_api:message", args=[first.public_id]))
    assert site.staff.get(reverse("etelecom_api:messages")).status_code == 200


@fault
def the_same_key_for_other_content_over_the_api(site):
    site.staff.ask("messages", site.message(), HTTP_IDEMPOTENCY_KEY="a")
    again = site.staff.ask("messages", site.message(to="0912345679"), HTTP_IDEMPOTENCY_KEY="a")
    assert again.status_code == 409


def lines(site, *more: str) -> str:
    return "\n".join([json.dumps(site.row()), *more])


def post_rows(site, content: str, media_type: str = "application/x-ndjson") -> HttpResponse:
    where = f"{reverse('etelecom_api:campaigns')}?template={TEMPLATE}"
    return site.staff.post(where, content, media_type, HTTP_X_CSRFTOKEN="c" * 32)


@fault
def campaigns_of_the_api(site):
    rows = [site.row(), {**site.row(), "to": "12"}, {**site.row(), "otp": site.canaries["pin"]}]
    for body in (rows, rows[0], [site.canaries["otp"]], []):
        site.staff.ask("campaigns", {"template": TEMPLATE, "rows": body})
    for content in (lines(site), lines(site, site.canaries["otp"]), lines(site)[:-2]):
        post_rows(site, content)
    post_rows(site, site.sheet(f"12,{site.canaries['otp']}").read().decode(), "text/csv")
    site.staff.ask("campaigns", {"template": TEMPLATE, "rows": rows}, HTTP_IDEMPOTENCY_KEY="a")
    site.staff.ask("campaigns", {"template": TEMPLATE, "rows": rows[1:]}, HTTP_IDEMPOTENCY_KEY="a")
    call_command("etelecom_worker", "--once")
    campaign = Campaign.objects.earliest("pk")
    where = reverse("etelecom_api:campaign_rows", args=[campaign.public_id])
    assert "to" in site.staff.get(where).text
    assert campaign.faulty_rows == 2


@fault
def a_campaign_of_the_api_cannot_be_loaded(site):
    site.breaks(loading, "insert_each")
    site.staff.ask("campaigns", {"template": TEMPLATE, "rows": [site.row()]})
    post_rows(site, lines(site))
    assert "the disk is full" in site.reported.getvalue()


@fault
def a_body_of_the_api_cannot_be_kept(site):
    site.breaks(tempfile.SpooledTemporaryFile, "write", OSError("no space left on device"))
    assert post_rows(site, lines(site)).status_code == 500


@fault
def the_api_fails_before_it_reads_a_request(site):
    site.breaks(throttles.SendThrottle, "allow_request")
    assert site.staff.ask("messages", site.message()).status_code == 500


@fault
def the_api_fails_to_send(site):
    site.breaks(api_messages, "send_message")
    assert site.staff.ask("messages", site.message()).status_code == 500


@fault
def the_api_fails_to_write(site):
    site.breaks(MessageLog, "save")
    assert site.staff.ask("messages", site.message()).status_code == 500


@fault
def the_api_fails_to_answer(site):
    site.breaks(api_messages, "written")
    assert site.staff.ask("messages", site.message()).status_code == 500


@fault
def the_api_cannot_be_used(site):
    site.configure(site.simulator, ACCOUNTS={})
    assert site.staff.ask("messages", site.message()).status_code == 503


# The command line.


@fault
def what_is_held_about_a_number(site):
    site.send()
    queue_message(TEMPLATE, PHONE, site.params())
    queue_campaign(TEMPLATE, [site.row(), {**site.row(), "otp": site.canaries["pin"]}])
    site.command("etelecom_export", PHONE)
    site.command("etelecom_erase", PHONE, "--yes")
    assert not MessageLog.objects.filter(recipient="84912345678").exists()


@fault
def a_command_that_fails(site):
    pairs = [f"{name}={value}" for name, value in site.params().items()]
    for arguments in (
        [PHONE, *pairs],
        [PHONE, *pairs, "--check"],
        ["12", *pairs],
        [PHONE, *pairs, f"otp={site.canaries['pin']}"],
        [PHONE, *pairs[1:], site.canaries["otp"]],
        [Outcome.REFUSED_PARAMETER.phone_number, *pairs],
    ):
        site.command("etelecom_send", TEMPLATE, *arguments)
    assert MessageLog.objects.count() == 2


# --- What is told of it ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", FAULTS)
def test_canary__nothing_secret_is_kept_or_told(site, name, capfd):
    FAULTS[name](site)

    told = site.told(capfd)
    assert {
        name: seen for name, text in told.items() if (seen := site.canaries.seen_in(text))
    } == {}
    # With the filter no line of any log has a whole number, and without it none of our own.
    for log in (site.masked_log, site.own_log):
        assert NUMBER.findall(log.getvalue()) == []


def test_canary__that_is_let_out_is_seen_everywhere(site, capfd):
    def view():
        name = site.canaries["otp"]
        print(name)  # noqa: T201
        sys.stderr.write(name)
        logging.getLogger("shop").debug(name)
        send_message(TEMPLATE, PHONE, {**site.params(), "name": name})
        raise RuntimeError

    site.view(view)

    told = site.told(capfd)
    assert [name for name, text in told.items() if not site.canaries.seen_in(text)] == ["an engine"]
