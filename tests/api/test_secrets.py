"""A one-time password in a request's body: no error reporter and no log line sees it."""

import warnings

import pytest
import sentry_sdk
from django.db import DatabaseError
from sentry_sdk.integrations.django import DjangoIntegration

from tests.api.conftest import PHONE, ApiClient

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES = "/api/messages/"


@pytest.fixture
def reported():
    """Sentry with the options that show most, and all that it would have posted."""
    envelopes = []

    class Keep(sentry_sdk.transport.Transport):
        def capture_envelope(self, envelope):
            envelopes.append(envelope.serialize())

    # A DSN that nothing is ever posted to: the transport keeps what it is given.
    with warnings.catch_warnings():
        # The first of the two options has another name in newer versions.
        warnings.simplefilter("ignore", DeprecationWarning)
        sentry_sdk.init(
            dsn="http://key@127.0.0.1/1",
            transport=Keep,
            traces_sample_rate=1.0,
            send_default_pii=True,
            max_request_body_size="always",
            integrations=[DjangoIntegration()],
        )
    yield lambda: b"".join(envelopes).decode()
    sentry_sdk.init()


def body(**changes):
    # So that the value stands in no line of source that a report quotes.
    secret = "".join(["937", "415"])
    return {"template": "login_otp", "to": PHONE, "params": {"otp": secret}, **changes}


def fails(*args, **kwargs):
    raise DatabaseError("disk full")


@pytest.fixture
def crashing(sender) -> ApiClient:
    """Answers with 500, as a site does, rather than raise."""
    sender.raise_request_exception = False
    return sender


@pytest.mark.parametrize(
    "broken",
    [
        "django_etelecom.models.MessageLog.save",
        "django_etelecom.services.prepare",
        "django_etelecom.api.messages.SendBody.run_validation",
        "django_etelecom.api.parsers._decoded",
        "django_etelecom.api.views.ApiView.check_permissions",
        "django_etelecom.api.messages.shown",
    ],
)
def test_reporter__sees_no_secret_where_a_view_fails(
    scripted, crashing, otp_template, reported, monkeypatch, broken
):
    monkeypatch.setattr(broken, fails)

    response = crashing.post(MESSAGES, body())

    assert response.status_code == 500
    assert "disk full" in reported()
    assert "937415" not in reported()


def test_reporter__sees_no_secret_of_bad_input(scripted, crashing, otp_template, reported, caplog):
    bodies = [
        body(to="12"),
        body(params=[body()]),
        body(sendat="now"),
        body(params=body()),
        [body()],
    ]
    answers = [crashing.post(MESSAGES, sent) for sent in bodies]
    answers.append(crashing.post_text(MESSAGES, str(body())))
    answers.append(crashing.post_text(MESSAGES, str(body()).replace("'", '"')[:-1]))
    sentry_sdk.capture_message("over")

    assert {answer.status_code for answer in answers} == {400}
    assert "over" in reported()
    assert "937415" not in reported() + caplog.text
    assert not [answer for answer in answers if b"937415" in answer.content]
