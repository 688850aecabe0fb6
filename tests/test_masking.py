"""The filter for log records, and what Sentry calls before it sends."""

import base64
import html
import json
import logging
import logging.config
import re
import time
from io import StringIO
from logging.handlers import BufferingHandler
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
import sentry_sdk
from django.apps import apps
from django.core.wsgi import get_wsgi_application
from django.test import Client, RequestFactory
from django.urls import path, reverse, set_script_prefix
from django.utils.log import AdminEmailHandler
from django.views.decorators.csrf import csrf_exempt
from sentry_sdk.integrations.django import DjangoIntegration

from django_etelecom import masking
from django_etelecom.masking import LogFilter, before_send, mask

PASSWORD = "p\"'ä&<ss wörd/1"
TOKEN = "token-of_the-webhook"
SECRETS = {
    "user name": "shop-user",
    "password": PASSWORD,
    "webhook secret": "shared-with-them",
    "webhook token": TOKEN,
    "encryption key": "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk=",
    "secret key": "of-the-tests-only",
    "former secret key": "of-the-tests-before",
}


@pytest.fixture(autouse=True)
def site(settings):
    settings.SECRET_KEY = SECRETS["secret key"]
    settings.SECRET_KEY_FALLBACKS = [SECRETS["former secret key"].encode()]
    settings.ETELECOM = {
        "ACCOUNTS": {
            "default": {
                "USERNAME": SECRETS["user name"],
                "PASSWORD": PASSWORD,
                "WEBHOOK_SECRET": SECRETS["webhook secret"],
            },
            "demo": {"USERNAME": "demo", "PASSWORD": "demo"},
        },
        "WEBHOOK_TOKENS": [TOKEN],
        "ENCRYPTION_KEYS": [SECRETS["encryption key"]],
    }
    return settings


# --- Text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_mask__every_secret_of_the_site(secret):
    assert mask(f"before {secret} after") == "before ••• after"


@pytest.mark.parametrize(
    "disguise",
    [
        lambda text: json.dumps(text)[1:-1],
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
        lambda text: repr(text)[1:-1],
        html.escape,
        quote,
        lambda text: quote(text, safe=""),
        quote_plus,
        lambda text: quote(text).lower(),
        lambda text: quote(json.dumps(text)[1:-1]),
        lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
        lambda text: text.encode().hex(),
        lambda text: text.encode().hex().upper(),
    ],
)
def test_mask__secret_in_disguise(disguise):
    assert mask(f"<{disguise(PASSWORD)}>") == "<•••>"


@pytest.mark.parametrize("before", ["", "a", "ab"])
def test_mask__secret_within_base64(before):
    encoded = base64.b64encode(f"{before}{PASSWORD}:more".encode()).decode()

    masked = mask(encoded)

    assert "•••" in masked
    assert encoded[6:-10] not in masked


def test_mask__user_name_that_is_part_of_a_word_stays():
    assert mask("shop-user2 my_shop-user") == "shop-user2 my_shop-user"
    assert mask("'shop-user'") == "'•••'"


def test_mask__secret_that_begins_as_another_does(site):
    site.ETELECOM = {"WEBHOOK_TOKENS": ["long-enough-token", "long-enough-token-2"]}

    assert mask("long-enough-token-2, long-enough-token") == "•••, •••"


def test_mask__words_as_short_as_a_demonstrations_stay():
    assert mask("a demo of a demo") == "a demo of a demo"


def test_mask__user_name_that_is_the_password_is_masked_in_words(site):
    site.ETELECOM = {"ACCOUNTS": {"default": {"USERNAME": "simulator", "PASSWORD": "simulator"}}}

    assert mask("xsimulatorx") == "x•••x"


@pytest.mark.parametrize(
    "url",
    [
        "/etelecom/webhooks/a-token_that-was/",
        "https://x/webhooks/a-token_that-was",
        "x%2Fwebhooks%2Fa-token_that-was",
    ],
)
def test_mask__former_token_in_a_url_of_the_webhook(url):
    assert mask(url) == url.replace("a-token_that-was", "•••")


def test_mask__other_webhooks_stay():
    assert mask("/webhooks/orders/ about webhooks") == "/webhooks/orders/ about webhooks"


@pytest.mark.parametrize(
    "etelecom",
    [
        None,
        {"ACCOUNTS": [], "WEBHOOK_TOKENS": "abcdefghij", "ENCRYPTION_KEYS": None},
        {"ACCOUNTS": {"default": "abcdefghij"}},
        {"ACCOUNTS": {"default": {"PASSWORD": 1234567, "USERNAME": None}}},
    ],
)
def test_mask__settings_of_any_form(site, etelecom):
    site.ETELECOM = etelecom

    assert mask("abcdefghij 1234567 0912345678") == "abcdefghij 1234567 091•••678"


def test_mask__settings_that_change_are_followed(site):
    assert mask("another-token-1") == "another-token-1"

    site.ETELECOM = {"WEBHOOK_TOKENS": ["another-token-1"]}

    assert mask("another-token-1") == "•••"


def test_mask__before_there_are_settings(monkeypatch):
    class Unconfigured:
        configured = False

    monkeypatch.setattr(masking, "django_settings", Unconfigured)
    masking._forget_secrets()

    assert mask(f"{TOKEN} 0912345678") == f"{TOKEN} 091•••678"
    monkeypatch.undo()
    assert mask(TOKEN) == "•••"


# --- Logging --------------------------------------------------------------------------------------


@pytest.fixture
def logged():
    """A logger whose handler has the filter; gives what it formatted."""
    handler = BufferingHandler(100)
    handler.flush = lambda: None
    handler.addFilter(LogFilter())
    logger = logging.Logger("tests")
    logger.addHandler(handler)
    logger.records = handler.buffer
    logger.text = lambda: "\n".join(map(logging.Formatter().format, handler.buffer))
    return logger


def test_filter__masks_message_and_arguments(logged):
    logged.warning("to %s by %s", "0912 345 678", PASSWORD)
    logged.warning("to %d", 84912345678)
    logged.warning("to %(number)s", {"number": "+84912345678"})

    assert logged.text() == "to 091•••678 by •••\nto 84912•••678\nto 84912•••678"


def test_filter__arguments_that_no_message_shows(logged):
    logged.warning("to %.3s", "0912345678")

    assert logged.text() == "to 091"
    assert "0912345678" not in str(vars(logged.records[0]))


def test_filter__leaves_what_needs_no_mask_as_it_is(logged):
    arguments = ("a", 1.5, ["b"], {"c": None})
    extra = {"shop": {"order": ("DH-1", 2)}}

    logged.warning("%s %s %s %s", *arguments, extra=extra)

    [record] = logged.records
    assert record.msg == "%s %s %s %s"
    assert record.args == arguments
    assert record.shop is extra["shop"]


def test_filter__message_that_its_arguments_do_not_fit(logged, capsys):
    logged.warning("to %d", "0912345678")
    logged.warning("%s %s", TOKEN)

    assert logged.text() == "'to %d' % ('091•••678',)\n'%s %s' % ('•••',)"
    assert capsys.readouterr().err == ""


def test_filter__message_that_does_not_fit_and_hides_nothing_is_left_to_logging(logged):
    logged.warning("%s %s", "one")

    assert logged.records[0].args == ("one",)


def test_filter__extra_of_any_depth(logged):
    given = {"to": "0912345678", "all": ["0912345678", ("x", {"0912345678": TOKEN})], "n": 1}

    logged.warning("sent", extra={"sent": given, "number": "0912345678", "whole": 84912345678})

    [record] = logged.records
    assert record.sent == {
        "to": "091•••678",
        "all": ["091•••678", ("x", {"091•••678": "•••"})],
        "n": 1,
    }
    assert (record.number, record.whole) == ("091•••678", "84912•••678")
    assert given["to"] == "0912345678"


class Refused(Exception):
    """Cannot be made without its arguments."""

    def __init__(self, *, number):
        super().__init__(f"{number} was refused")


def log_error(logged, error):
    try:
        raise error
    except Exception:
        logged.exception("failed")
    return logged.text()


def test_filter__masks_a_traceback_whatever_renders_it(logged):
    text = log_error(logged, Refused(number="0912345678"))

    assert text.startswith("failed\nTraceback (most recent call last):\n")
    assert text.endswith("\ntests.test_masking.Refused: 091•••678 was refused")
    assert "raise error" in text
    [record] = logged.records
    assert type(record.exc_info[1]) is record.exc_info[0]
    assert record.exc_info[1].__traceback__ is record.exc_info[2]


def test_filter__error_that_shows_nothing_stays_the_same(logged):
    error = Refused(number="nobody")

    log_error(logged, error)

    assert logged.records[0].exc_info[:2] == (Refused, error)


def test_filter__errors_behind_an_error(logged):
    def fail():
        try:
            try:
                raise KeyError("0912345678")
            except KeyError as error:
                raise ValueError(TOKEN) from error
        except ValueError:
            raise RuntimeError("failed for good")  # noqa: B904

    try:
        fail()
    except RuntimeError:
        logged.exception("failed")

    text = logged.text()
    assert text.count("KeyError: '091•••678'") == 1
    assert "ValueError: •••" in text
    assert "The above exception was the direct cause" in text
    assert "During handling of the above exception" in text
    assert "RuntimeError: failed for good" in text


def test_filter__error_behind_that_is_not_shown_stays_so(logged):
    def fail():
        try:
            raise KeyError("nothing")
        except KeyError:
            raise ValueError(TOKEN) from None

    try:
        fail()
    except ValueError:
        logged.exception("failed")

    assert "ValueError: •••" in logged.text()
    assert "KeyError" not in logged.text()


def test_filter__notes_and_groups_of_errors(logged):
    noted = ValueError("noted")
    noted.add_note("for 0912345678")

    text = log_error(logged, ExceptionGroup("several", [noted, KeyError(TOKEN)]))

    assert "ExceptionGroup: several (2 sub-exceptions)" in text
    assert "for 091•••678" in text
    assert "KeyError: '•••'" in text


class Mails(AdminEmailHandler):
    """Keeps Django's mails to the admins."""

    def __init__(self):
        super().__init__(include_html=True)
        self.setLevel(logging.ERROR)
        self.sent = []

    def send_mail(self, subject, message, *args, html_message=None, **kwargs):
        self.sent.append(f"{subject}\n{message}\n{html_message}")


class Broken:
    """A middleware that fails before any view is asked."""

    def __init__(self, get_response):
        pass

    def __call__(self, request):
        raise RuntimeError("the sessions are away")


def mailed_and_logged(path, **headers):
    """Post as the provider does; return what Django mails of it, and what a handler writes."""
    mails, lines = Mails(), StringIO()
    log = logging.StreamHandler(lines)
    for handler in (mails, log):
        handler.addFilter(LogFilter())
        logging.getLogger("django").addHandler(handler)
    try:
        Client(raise_request_exception=False).post(path, {}, headers=headers)
    finally:
        for handler in (mails, log):
            logging.getLogger("django").removeHandler(handler)
    return "".join(mails.sent), lines.getvalue()


@pytest.mark.parametrize("path", [f"webhooks/{TOKEN}/", f"webhooks/{TOKEN}", f"webhooks//{TOKEN}/"])
@pytest.mark.parametrize("fault", ["host", "middleware", "urls of a host"])
def test_filter__request_that_does_not_reach_the_webhook_is_not_mailed(site, path, fault):
    site.ALLOWED_HOSTS = ["testserver"]
    if fault != "host":
        site.MIDDLEWARE = ["tests.test_masking.Broken"]
    if fault == "urls of a host":
        site.ROOT_URLCONF = "django.contrib.auth.urls"
    host = {"Host": "elsewhere.example"} if fault == "host" else {}

    mailed, logged = mailed_and_logged(f"/etelecom/{path}", **host)

    assert "Traceback" in logged
    assert "ERROR" in mailed
    assert TOKEN not in mailed + logged


def test_filter__request_for_no_page_below_the_webhook_is_taken_away(site):
    path = f"/etelecom/webhooks/{TOKEN}/nowhere/"
    request = RequestFactory().get(path)
    told = {"msg": "Not Found: %s", "args": (path,), "request": request}
    record = logging.makeLogRecord(told)

    assert LogFilter().filter(record)

    assert record.request is None
    assert record.exc_info is None
    assert record.getMessage() == "Not Found: /etelecom/webhooks/•••/nowhere/"


def test_filter__other_requests_are_mailed_as_ever(site):
    site.MIDDLEWARE = ["tests.test_masking.Broken"]

    mailed, _logged = mailed_and_logged("/webhooks/of-another-application/")

    assert "RuntimeError at /webhooks/of-another-application/" in mailed
    assert "Request Method: POST" in mailed


def test_filter__errors_that_lead_in_a_circle(logged):
    first, second = ValueError("0912345678"), ValueError("second")
    first.__cause__, second.__cause__ = second, first

    text = log_error(logged, first)

    assert "ValueError: second" in text
    assert "ValueError: 091•••678" in text
    assert "0912345678" not in text


class Unspeakable(Exception):
    def __str__(self):
        raise RuntimeError("0912345678")

    __repr__ = __str__


def test_filter__error_that_cannot_be_told(logged):
    assert "<exception str() failed>" in log_error(logged, Unspeakable())


def test_filter__traceback_that_was_rendered_before(logged):
    record = logging.LogRecord("tests", logging.ERROR, "", 1, "failed", (), None)
    record.exc_text = "KeyError: 0912345678"
    record.stack_info = f"Stack: {TOKEN}"

    logged.handle(record)

    assert logged.text() == "failed\nKeyError: 091•••678\nStack: •••"


def test_filter__no_error_at_all(logged):
    logged.error("failed", exc_info=True)

    assert logged.text() == "failed\nNoneType: None"


def test_filter__record_that_cannot_be_looked_through_is_told_of(logged, capsys):
    logged.warning("%s", Unspeakable(), extra={"number": "0912345678"})

    assert not hasattr(logged.records[0], "number")
    assert logged.text() == "A log record was left out, which could not be masked (RuntimeError)."
    assert capsys.readouterr().err == ""


def test_filter__is_named_in_the_settings_of_a_site(capsys):
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "filters": {"etelecom": {"()": "django_etelecom.masking.LogFilter"}},
            "handlers": {"console": {"class": "logging.StreamHandler", "filters": ["etelecom"]}},
            "loggers": {"tests.masking": {"handlers": ["console"]}},
        }
    )

    logging.getLogger("tests.masking").warning("to %s", "0912345678")

    assert capsys.readouterr().err == "to 091•••678\n"
    logging.getLogger("tests.masking").handlers.clear()


def test_filter__is_cheap(logged):
    def seconds(count=2000):
        began = time.perf_counter()
        for _ in range(count):
            logged.handle(
                logging.LogRecord("x", 20, "f", 1, "Message %s is %s.", ("DH-1", "sent"), None)
            )
        return (time.perf_counter() - began) / count

    assert min(seconds() for _ in range(3)) < 0.001


def test_own_lines__come_from_one_logger():
    package = Path(masking.__file__).parent
    named = {
        name
        for module in package.rglob("*.py")
        for name in re.findall(r"getLogger\((.*?)\)", module.read_text())
    }

    assert named == {'"django_etelecom"', "self.name"}


def test_own_lines__are_masked_without_any_settings(caplog):
    logging.getLogger("django_etelecom").error("Key (recipient)=(84912345678) is taken")

    assert caplog.messages == ["Key (recipient)=(84912•••678) is taken"]


# --- Sentry ---------------------------------------------------------------------------------------

SECRET = "937415"


def fails(request):
    # As a site's own view has them.
    params = {"otp": "".join(["937", "415"]), "order": {"code": ["".join(["937", "415"])]}}  # noqa: F841
    to = "".join(["0912 345", " 678"])
    logging.getLogger("tests").warning("before it, to %s", to)
    raise ValueError(f"{to} could not be written to by {TOKEN}")


@csrf_exempt
def breaks(request, **kwargs):
    raise ValueError("not ours to mend")


urlpatterns = [
    path("fails/", fails),
    path("etelecom/webhooks/<str:token>/", breaks, name="etelecom_webhook"),
]


@pytest.fixture
def reported(site, request):
    """What Sentry would have posted with our hooks in its options, and tracing on."""
    site.ROOT_URLCONF = __name__
    events = []

    class Keep(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope):
            events.extend(item.payload.json for item in envelope.items)

    sentry_sdk.init(
        dsn="http://key@127.0.0.1/1",
        transport=Keep,
        traces_sample_rate=1.0,
        before_send=before_send,
        before_send_transaction=before_send,
        integrations=[DjangoIntegration()],
    )
    yield events
    sentry_sdk.init()


def ask(environ):
    answered = get_wsgi_application()(environ, lambda *told: None)
    list(answered)
    answered.close()


def test_sentry__variables_numbers_and_secrets_are_masked(reported):
    ask(RequestFactory().get("/fails/", {"q": "0912345678"}).environ)

    error, transaction = reported
    [raised] = error["exception"]["values"]
    assert raised["value"] == "091•••678 could not be written to by •••"
    variables = raised["stacktrace"]["frames"][-1]["vars"]
    assert variables["params"] == {"otp": "•••", "order": {"code": ["•••"]}}
    assert variables["to"] == "'091•••678'"
    told = json.dumps([error, transaction], ensure_ascii=False)
    assert "before it, to 091•••678" in told
    assert not [secret for secret in ("0912345678", SECRET, TOKEN) if secret in told]


@pytest.mark.parametrize("token", [TOKEN, "a-token_that-was"])
def test_sentry__token_in_the_url_and_body_of_a_report_are_masked(reported, token):
    body = {"IdOmniMess": "I1", "list_param": json.dumps({"otp": SECRET}), "MtCount": 1}

    ask(
        RequestFactory()
        .post(f"/etelecom/webhooks/{token}/", body, content_type="application/json")
        .environ
    )

    error, transaction = reported
    assert error["request"]["url"] == "http://testserver/etelecom/webhooks/•••/"
    assert error["request"]["data"] == dict.fromkeys(body, "•••")
    assert transaction["request"]["url"] == "http://testserver/etelecom/webhooks/•••/"
    assert not [one for one in (TOKEN, SECRET) if one in json.dumps(reported)]


def test_before_send__body_of_another_view_loses_its_values_alone(site):
    site.ROOT_URLCONF = __name__
    posted = {"params": {"otp": 937415}, "params.pin": "1", "one_time_code": "2", "order": "DH-1"}

    event = before_send({"request": {"url": "http://x/fails/", "data": posted}}, {})

    assert event["request"]["data"] == {
        "params": {"otp": "•••"},
        "params.pin": "•••",
        "one_time_code": "•••",
        "order": "DH-1",
    }


@pytest.mark.parametrize(
    "where",
    [
        "admin:etelecom_messagelog_send",
        "admin:etelecom_campaign_upload",
        "etelecom_api:messages",
        "etelecom_api:message_check",
    ],
)
def test_before_send__body_of_what_is_posted_to_this_app(where):
    request = {
        "url": f"https://shop.example{reverse(where)}",
        "data": {"to": "x", "n": None, "is": True},
    }

    masked = before_send({"request": request})["request"]["data"]
    assert masked == {"to": "•••", "n": None, "is": True}


def test_before_send__site_below_a_path(site):
    site.FORCE_SCRIPT_NAME = "/shop"
    set_script_prefix("/shop/")
    try:
        url = reverse("admin:etelecom_messagelog_send")
        event = before_send({"request": {"url": url, "data": "raw"}})
    finally:
        set_script_prefix("/")

    assert url.startswith("/shop/admin/")
    assert event["request"]["data"] == "•••"


@pytest.mark.parametrize("url", [None, "http://x/nowhere/", "http://[", 5])
def test_before_send__body_of_what_is_no_view(url):
    event = {"request": {"url": url, "data": {"order": "DH-1", "to": "0912345678"}}}

    assert before_send(event)["request"]["data"] == {"order": "DH-1", "to": "091•••678"}


def test_before_send__names_count_where_variables_are_alone():
    event = {
        "exception": {"values": [{"type": "ValueError", "value": "kept"}]},
        "logentry": {"message": "%s", "params": ["kept"]},
        "spans": [{"description": "kept", "data": {"pin": "masked"}}],
        "extra": {"values": ["masked"], "deeper": {"passcode": "masked"}},
        "tags": {"pin": "kept"},
    }

    told = json.dumps(before_send(event), ensure_ascii=False)

    assert "masked" not in told
    assert told.count("kept") == 4
    assert told.count("•••") == 3


def test_before_send__numbers_that_are_no_text():
    event = before_send({"extra": {"to": 84912345678, "count": 84912, "rate": 1.5, "is": True}})

    assert event == {"extra": {"to": "84912•••678", "count": 84912, "rate": 1.5, "is": True}}


def test_before_send__event_without_anything_to_mask_is_the_same():
    event = {"extra": {"order": ["DH-1", 2, None]}, "request": {"url": "http://x/"}}

    assert before_send(event, {}) is event


class Hostile(dict):
    def items(self):
        raise RuntimeError("0912345678")


def nested(levels):
    inner = {}
    for _ in range(levels):
        inner = {"deeper": inner}
    return inner


@pytest.mark.parametrize("extra", [Hostile(), nested(100_000)])
def test_before_send__what_cannot_be_looked_through_is_left_out(extra):
    event = {"event_id": "a", "level": "error", "logger": ["odd"], "extra": extra}

    masked = before_send(event, {})

    assert masked["event_id"] == "a"
    assert masked["level"] == "error"
    assert masked.keys() == {"event_id", "level", "logentry"}
    assert masked["logentry"]["message"].startswith("The rest could not be masked (")


@pytest.mark.parametrize("event", [None, "text"])
def test_before_send__what_is_no_event_comes_back(event):
    assert before_send(event, {}) is event


def test_before_send__goes_before_a_sites_own():
    def own(event, hint):
        event = before_send(event, hint)
        event["tags"] = {"shop": "1"}
        return event

    assert own({"message": "to 0912345678"}, {}) == {
        "message": "to 091•••678",
        "tags": {"shop": "1"},
    }


def test_log_filter__of_our_own_logger_is_one_however_often_the_app_is_made_ready():
    apps.get_app_config("etelecom").ready()

    filters = logging.getLogger("django_etelecom").filters
    assert len([one for one in filters if isinstance(one, LogFilter)]) == 1
