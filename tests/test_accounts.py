"""Accounts: from settings to backends."""

import io
import uuid

import pytest
from django.core.exceptions import ImproperlyConfigured

from django_etelecom.accounts import backend_for, secrets_of_provider
from django_etelecom.backends import http
from django_etelecom.backends.base import BaseBackend, Outgoing
from django_etelecom.backends.console import ConsoleBackend
from django_etelecom.backends.http import HTTPBackend
from django_etelecom.client import protocol
from django_etelecom.client.codes import Failure
from django_etelecom.client.protocol import Outcome
from django_etelecom.conf import settings as etelecom_settings
from django_etelecom.redaction import redact
from django_etelecom.schema import Wire

GOOD = {"USERNAME": "canary-username", "PASSWORD": "canary-password"}


@pytest.fixture
def account(settings):
    def account(**entry):
        settings.ETELECOM = {"ACCOUNTS": {"default": {**GOOD, **entry}}}

    return account


@pytest.fixture
def outgoing():
    return Outgoing(
        public_id=uuid.uuid4(),
        template_code="login_otp",
        recipient="84912345678",
        channels=("1", "3"),
        wire=Wire({"otp": "937415"}, names=["otp"], secret_names=["otp"]),
    )


def test_backend__is_kept(account):
    account()

    assert backend_for("default") is backend_for("default")
    assert isinstance(backend_for("default"), HTTPBackend)


def test_backend__follows_changed_settings(account):
    account()
    before = backend_for("default")
    account(TIMEOUT=3)

    assert backend_for("default") is not before
    assert backend_for("default").account.timeout == 3


def test_secrets__are_spelled_once_while_the_settings_stay(account):
    account()
    before = secrets_of_provider()
    assert secrets_of_provider() is before

    account(PASSWORD="canary-changed")

    assert redact({"a": "canary-changed"}, secrets_of_provider()) == '{"a": "•••"}'


@pytest.mark.parametrize("accounts", [None, {"a": None, "b": {"PASSWORD": 1}}])
def test_secrets__of_accounts_that_cannot_be_used(settings, accounts):
    settings.ETELECOM = {"ACCOUNTS": accounts, "WEBHOOK_TOKENS": ["canary-token", 7]}

    assert redact({"a": "canary-token"}, secrets_of_provider()) == '{"a": "•••"}'


def test_backend__other_settings_do_not_touch_it(account, settings):
    account()
    before = backend_for("default")
    settings.DEBUG = True

    assert backend_for("default") is before


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"USERNAME": ""}, "lacks USERNAME or PASSWORD"),
        ({"PASSWORD": ""}, "lacks USERNAME or PASSWORD"),
        ({"USERNAME": 7}, "USERNAME .* is a string"),
        ({"BASE_URL": "http://sms.etelecom.vn"}, "BASE_URL"),
        ({"BASE_URL": "ftp://127.0.0.1"}, "BASE_URL"),
        ({"BASE_URL": "https://"}, "BASE_URL"),
        ({"BACKEND": "nowhere.Backend"}, "cannot be imported"),
        ({"BACKEND": "NoDots"}, "cannot be imported"),
        ({"BACKEND": "django.db.models.Model"}, "not a subclass"),
        ({"BACKEND": "django.db.models"}, "not a subclass"),
        ({"ROUTERULE_FORMAT": "tuple"}, "ROUTERULE_FORMAT"),
        ({"KEEP_ALIVE": "no"}, "KEEP_ALIVE"),
        ({"TIMEOUT": "15"}, "TIMEOUT"),
        ({"TIMEOUT": 0}, "TIMEOUT"),
        ({"CONNECT_TIMEOUT": True}, "CONNECT_TIMEOUT"),
        ({"CONNECT_TIMEOUT": float("nan")}, "CONNECT_TIMEOUT"),
    ],
)
def test_backend__bad_account_raises_without_showing_credentials(account, entry, sentence):
    account(**entry)

    with pytest.raises(ImproperlyConfigured, match=sentence) as caught:
        backend_for("default")

    locals_seen = repr([entry.frame.f_locals for entry in caught.traceback[1:]])
    assert "canary-password" not in locals_seen
    assert "canary-username" not in locals_seen


@pytest.mark.parametrize(
    ("etelecom", "sentence"),
    [
        (None, "ETELECOM is a dictionary."),
        ([], "ETELECOM is a dictionary."),
        ({"ACCOUNTS": {"default": {"BASE_URL": "", "USERNAME": "u", "PASSWORD": "p"}}}, "BASE_URL"),
        ({"ACCOUNTS": {"default": {"BACKEND": "", "USERNAME": "u", "PASSWORD": "p"}}}, "BACKEND"),
        ({"ACCOUNTS": {"default": []}}, r"ETELECOM\['ACCOUNTS'\]\['default'\] is a dictionary."),
    ],
)
def test_backend__settings_of_another_form_raise(settings, etelecom, sentence):
    settings.ETELECOM = etelecom

    with pytest.raises(ImproperlyConfigured, match=sentence):
        backend_for("default")


@pytest.mark.parametrize("etelecom", [{}, {"ACCOUNTS": {"shop": {}}}, {"ACCOUNTS": [1]}])
def test_backend__unknown_account_raises(settings, etelecom):
    settings.ETELECOM = etelecom

    with pytest.raises(ImproperlyConfigured, match="has no account 'default'"):
        backend_for("default")


def test_account__shows_no_credentials(account):
    account()

    shown = repr(etelecom_settings.account("default"))

    assert "canary" not in shown


def test_base_backend__does_not_send(account, outgoing):
    account()
    backend = BaseBackend(etelecom_settings.account("default"))
    backend.close()

    with pytest.raises(NotImplementedError):
        backend.send_message(outgoing)


def test_base_backend__lists_no_templates(account):
    account()
    backend = BaseBackend(etelecom_settings.account("default"))

    assert not backend.lists_templates
    with pytest.raises(NotImplementedError):
        backend.get_templates(1)


def test_console__prints_everything(account, outgoing):
    account()
    stream = io.StringIO()

    result = ConsoleBackend(etelecom_settings.account("default"), stream).send_message(outgoing)

    assert result.outcome is Outcome.ACCEPTED
    assert "84912345678" in stream.getvalue()
    assert "otp = 937415" in stream.getvalue()


def test_console__prints_to_standard_output(account, outgoing, capsys):
    account()

    ConsoleBackend(etelecom_settings.account("default")).send_message(outgoing)

    assert "login_otp" in capsys.readouterr().out


class SoftTimeLimit(Exception):
    """A time limit as task queues raise it: a plain exception, anywhere, by a signal."""


@pytest.fixture
def interrupting(monkeypatch):
    """Interrupt the first call of a function that the HTTP backend makes."""

    def interrupt(module, name):
        function = getattr(module, name)
        errors = [SoftTimeLimit()]

        def interrupted(*args, **kwargs):
            if errors:
                raise errors.pop()
            return function(*args, **kwargs)

        monkeypatch.setattr(module, name, interrupted)

    return interrupt


def test_http_backend__told_to_stop_before_the_post_sends_nothing(live, outgoing, interrupting):
    interrupting(protocol, "send_message_body")

    result = backend_for("default").send_message(outgoing)

    assert (result.outcome, result.failure) == (Outcome.NOT_SENT, Failure.INTERRUPTED)
    assert isinstance(result.interrupt, SoftTimeLimit)
    assert not live.receipts


def test_http_backend__told_to_stop_after_the_post_keeps_its_answer(live, outgoing, interrupting):
    interrupting(http, "send_result")

    result = backend_for("default").send_message(outgoing)

    assert result.outcome == Outcome.ACCEPTED
    assert result.provider_message_id == live.receipts[0].provider_message_id
    assert isinstance(result.interrupt, SoftTimeLimit)
