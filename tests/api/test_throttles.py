"""How many requests a user may make, where the site says so."""

import pytest
from django.core.cache import cache

from tests.api.conftest import told

pytestmark = pytest.mark.django_db

CHECK = "/api/messages/check/"


@pytest.fixture(autouse=True)
def _nothing_counted():
    cache.clear()
    yield
    cache.clear()


def rates(settings, **by_scope: str) -> None:
    settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": by_scope}


def test_throttle__without_a_rate_counts_nothing(sender, order):
    assert {sender.post(CHECK, order).status_code for _time in range(20)} == {200}


def test_throttle__counts_by_user(sender, api_client, order, settings):
    rates(settings, etelecom_check="2/min")
    other = api_client("send_message", username="other")

    answers = [sender.post(CHECK, order) for _time in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 1 <= int(answers[2]["Retry-After"]) <= 60
    assert list(told(answers[2])) == ["detail"]
    assert other.post(CHECK, order).status_code == 200


@pytest.mark.parametrize(
    ("scope", "method", "where"),
    [
        ("etelecom_send", "POST", "/api/messages/"),
        ("etelecom_send", "POST", "/api/messages/x/resend/"),
        ("etelecom_read", "GET", "/api/messages/"),
        ("etelecom_read", "HEAD", "/api/messages/"),
        ("etelecom_read", "GET", "/api/messages/x/"),
        ("etelecom_refresh", "POST", "/api/messages/x/refresh/"),
        ("etelecom_change", "POST", "/api/messages/x/cancel/"),
        ("etelecom_check", "POST", CHECK),
    ],
)
def test_throttle__each_kind_of_request_has_its_scope(api_client, settings, scope, method, where):
    client = api_client("send_message", "resend_message", "view_messagelog")
    rates(settings, **{scope: "1/day"})

    answers = [client.generic(method, where).status_code for _time in range(2)]

    assert answers[0] != 429
    assert answers[1] == 429


@pytest.mark.parametrize("rate", ["60", "many/min", "5/", "5/fortnight"])
def test_throttle__rate_that_cannot_be_one_is_503(sender, order, settings, caplog, rate):
    rates(settings, etelecom_check=rate)

    assert sender.post(CHECK, order).status_code == 503
    assert f"DEFAULT_THROTTLE_RATES['etelecom_check'] is '{rate}'" in caplog.text
