"""What a real error reporter with its default options sees when things go wrong."""

import logging

import pytest
import sentry_sdk
from django.db import DatabaseError
from django.test import RequestFactory

from django_etelecom import reports, webhooks
from django_etelecom.backends import http
from django_etelecom.exceptions import InvalidMessage
from django_etelecom.models import MessageLog
from django_etelecom.services import check_message, resend_message, send_message
from django_etelecom.simulator import Outcome

pytestmark = pytest.mark.django_db(transaction=True)

CANARIES = ["canary-username", "canary-password", "937415"]
PHONE = "0912345678"
REPORT = {"IdOmniMess": "I1", "Status": "SUCCESS"}


@pytest.fixture
def reported():
    """Sentry's own client with default options, and all that it would have posted."""
    envelopes = []

    class Keep(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope):
            envelopes.append(envelope.serialize())

    # A DSN that nothing is ever posted to: the transport keeps what it is given.
    sentry_sdk.init(dsn="http://key@127.0.0.1/1", transport=Keep, traces_sample_rate=1.0)
    yield lambda: b"".join(envelopes).decode()
    sentry_sdk.init()


def fails(*args, **kwargs):
    raise DatabaseError("disk full")


def secret():
    # So that the value stands in no line of source that a report quotes.
    return "".join(["937", "415"])


def send_as_a_view_does(function):
    """Call and report, with nothing of ours in the view's own frame."""
    try:
        function()
    except Exception:
        sentry_sdk.capture_exception()
    logging.getLogger("tests").error("a view failed")


def test_reporter__sees_what_a_frame_names(reported):
    def view():
        shown = secret()
        raise ZeroDivisionError(len(shown))

    send_as_a_view_does(view)

    assert "ZeroDivisionError" in reported()
    assert "937415" in reported()


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome.ACCEPTED,
        Outcome.REFUSED_PARAMETER,
        Outcome.UNAUTHORIZED,
        Outcome.BAD_GATEWAY,
        Outcome.RESET_AFTER_READING,
        Outcome.GZIP_BOMB,
    ],
)
def test_reporter__sees_no_secret_of_a_send(live, otp_template, reported, outcome):
    with sentry_sdk.start_transaction(name="view"):
        send_as_a_view_does(
            lambda: send_message("login_otp", outcome.phone_number, {"otp": secret()})
        )

    assert "a view failed" in reported()
    assert not [canary for canary in CANARIES if canary in reported()]


def test_reporter__adds_no_header_to_the_providers_request(live, otp_template, reported):
    with sentry_sdk.start_transaction(name="view"):
        send_message("login_otp", PHONE, {"otp": secret()})

    [receipt] = live.receipts
    names = {name.lower() for name in receipt.headers}
    assert names == {"host", "content-type", "content-length", "accept-encoding", "user-agent"}


def test_reporter__sees_no_secret_where_the_row_cannot_be_written(
    live, otp_template, reported, monkeypatch
):
    monkeypatch.setattr(MessageLog, "save", fails)

    send_as_a_view_does(lambda: send_message("login_otp", PHONE, {"otp": secret()}))

    assert "disk full" in reported()
    assert not [canary for canary in CANARIES if canary in reported()]


def test_reporter__sees_no_secret_of_bad_input(live, otp_template, reported):
    message = send_message("login_otp", PHONE, {"otp": secret()})

    send_as_a_view_does(lambda: send_message("login_otp", "12", {"otp": secret()}))
    send_as_a_view_does(lambda: check_message("login_otp", "12", {"otp": secret()}))
    send_as_a_view_does(lambda: resend_message(message, to="12", params={"otp": secret()}))

    assert InvalidMessage.__name__ in reported()
    assert not [canary for canary in CANARIES if canary in reported()]


def test_reporter__sees_no_secret_of_a_fault_inside_the_transport(
    live, otp_template, reported, monkeypatch
):
    def explode(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr("django_etelecom.client.connections.Connection.ask", explode)

    send_as_a_view_does(lambda: send_message("login_otp", PHONE, {"otp": secret()}))

    assert MessageLog.objects.get().reason == "internal_error"
    assert not [canary for canary in CANARIES if canary in reported()]


def test_reporter__sees_no_secret_of_a_backend_that_explodes(
    live, otp_template, reported, monkeypatch
):
    monkeypatch.setattr(http, "send_result", fails)

    send_as_a_view_does(lambda: send_message("login_otp", PHONE, {"otp": secret()}))

    assert not [canary for canary in CANARIES if canary in reported()]


@pytest.mark.parametrize("fault", ["keep", "body"])
def test_reporter__sees_neither_token_nor_password_of_a_report(
    live, reported, monkeypatch, settings, fault
):
    token = "-".join(["canary", "token", "long"])
    settings.ETELECOM = {**settings.ETELECOM, "WEBHOOK_TOKENS": [token]}
    request = RequestFactory().post(
        f"/etelecom/webhooks/{token}/",
        {"IdOmniMess": "I1", "Status": "SUCCESS", "list_param": {"otp": secret()}},
        content_type="application/json",
    )
    if fault == "keep":
        monkeypatch.setattr(reports, "_keep", fails)
    else:
        monkeypatch.setattr(request, "read", fails)

    assert webhooks.webhook(request, token).status_code == 503

    assert "disk full" in reported()
    assert not [canary for canary in [token, *CANARIES] if canary in reported()]


def test_reporter__does_not_know_whose_request_a_report_is(live, reported, monkeypatch, settings):
    def keep(report):
        logging.getLogger("tests").error("a receiver failed")
        raise DatabaseError("disk full")

    token = "long-enough-token"
    settings.ETELECOM = {**settings.ETELECOM, "WEBHOOK_TOKENS": [token]}
    monkeypatch.setattr(reports, "keep", keep)
    request = RequestFactory().post("/", REPORT, content_type="application/json")

    with sentry_sdk.isolation_scope() as scope:
        scope.set_tag("url", "canary-url")
        webhooks.webhook(request, token)
        assert sentry_sdk.get_isolation_scope() is scope

    assert "a receiver failed" in reported()
    assert "disk full" in reported()
    assert "canary-url" not in reported()
