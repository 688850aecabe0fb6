"""`env.account`: an account out of a URL in the environment."""

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.views.debug import ExceptionReporter

from django_etelecom import env

HTTP = "django_etelecom.backends.http.HTTPBackend"


@pytest.fixture
def url(monkeypatch):
    return lambda value: monkeypatch.setenv("ETELECOM_URL", value)


def test_account__of_the_provider(url):
    url("etelecom://user%40shop:p%40ss%2Fword@sms.etelecom.vn")

    assert env.account() == {
        "BACKEND": HTTP,
        "USERNAME": "user@shop",
        "PASSWORD": "p@ss/word",
        "BASE_URL": "https://sms.etelecom.vn",
    }


@pytest.mark.parametrize(
    ("value", "base_url"),
    [
        ("etelecom+http://u:p@127.0.0.1:8055", "http://127.0.0.1:8055"),
        ("etelecom+http://u:p@[::1]:8055/api", "http://[::1]:8055/api"),
        ("etelecom://u:p@omni.incom.vn/api", "https://omni.incom.vn/api"),
    ],
)
def test_account__base_url(url, value, base_url):
    url(value)

    assert env.account()["BASE_URL"] == base_url


def test_account__options(url):
    url("etelecom://u:p@h?routerule_format=list&connect_timeout=2.5&timeout=9")

    account = env.account()

    assert account["ROUTERULE_FORMAT"] == "list"
    assert (account["CONNECT_TIMEOUT"], account["TIMEOUT"]) == (2.5, 9.0)


@pytest.mark.parametrize("scheme", ["console", "locmem"])
def test_account__that_sends_nothing(url, scheme):
    url(f"{scheme}://")

    assert list(env.account()) == ["BACKEND"]


def test_account__default_and_other_variable(monkeypatch):
    monkeypatch.delenv("ETELECOM_URL", raising=False)
    monkeypatch.setenv("SECOND", "console://")

    assert "console" in env.account("SECOND")["BACKEND"]
    assert "locmem" in env.account(default="locmem://")["BACKEND"]
    with pytest.raises(ImproperlyConfigured, match="ETELECOM_URL"):
        env.account()


def test_account__credentials_are_shown_by_no_repr(url):
    url("etelecom://canary-user:canary-password@host")

    account = env.account()

    assert "canary" not in repr(account)
    assert account["USERNAME"] == "canary-user"
    assert account["PASSWORD"] == "canary-password"


def test_account__user_name_is_on_no_debug_page(url, settings, rf):
    url("etelecom://canary-user:canary-password@host")
    settings.ETELECOM = {"ACCOUNTS": {"default": env.account()}}

    page = ExceptionReporter(rf.get("/"), ValueError, ValueError(), None)

    assert "USERNAME" in page.get_traceback_html()
    assert "canary-user" not in page.get_traceback_html() + page.get_traceback_text()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "https://user:canary-password@sms.etelecom.vn",
        "etelecom://sms.etelecom.vn?x=canary-password",
        "etelecom://user@sms.etelecom.vn?x=canary-password",
        "etelecom://user:canary-password@",
        "etelecom://user:canary-password@host:port",
        "etelecom://user:canary-password@host?timeout=soon",
        "etelecom://user:canary-password@host?timeout=5&timeout=50",
        "etelecom://user:canary-password@host?timeout=5&TIMEOUT=50",
        "etelecom://user:canary-password@host?tiemout=5",
        "etelecom://user:canary-password@[host",
    ],
)
def test_account__bad_url_raises_without_showing_the_password(url, value):
    url(value)

    with pytest.raises(ImproperlyConfigured, match="ETELECOM_URL") as caught:
        env.account()

    assert "canary-password" not in str(caught.value)
    ours = [
        entry.frame.f_locals for entry in caught.traceback if "django_etelecom" in str(entry.path)
    ]
    assert "canary-password" not in repr(ours[1:])
