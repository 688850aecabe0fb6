"""System checks: one test for each id."""

import sys

import pytest
from django.core import checks
from django.core.management import call_command
from django.db import OperationalError, connections

from django_etelecom.models import MessageTemplate, RouteRule, Suppression
from django_etelecom.numbers import has_lost_keys
from django_etelecom.services import record_consent, suppress_number

GOOD = {"USERNAME": "u", "PASSWORD": "p"}


def run(databases=(), **kwargs):
    return checks.run_checks(tags=["etelecom"], databases=list(databases), **kwargs)


def ids(**kwargs):
    return [message.id for message in run(**kwargs)]


def etelecom(**entry):
    return {"ACCOUNTS": {"default": {**GOOD, **entry}}}


def test_checks__good_settings(settings):
    settings.ETELECOM = etelecom()

    assert ids() == []


@pytest.mark.parametrize(
    ("vendor", "zone", "found"),
    [
        ("sqlite", "Asia/Ho_Chi_Minh", ["etelecom.E015"]),
        ("mysql", "Asia/Ho_Chi_Minh", ["etelecom.E015"]),
        ("mysql", "UTC", []),
        ("postgresql", "Asia/Ho_Chi_Minh", []),
    ],
)
def test_checks__database_that_keeps_local_times(settings, monkeypatch, vendor, zone, found):
    settings.ETELECOM = etelecom()
    connection = connections["default"]
    monkeypatch.setattr(connection, "vendor", vendor)
    monkeypatch.setitem(connection.settings_dict, "TIME_ZONE", zone)

    assert ids() == found


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([], ["etelecom.E001"]),
        (None, ["etelecom.E001"]),
        ({"ACCOUNTS": []}, ["etelecom.E001"]),
        ({}, ["etelecom.W001"]),
        ({**etelecom(), "WEBHOOKS": 1}, ["etelecom.W002"]),
        (etelecom(TIMOUT=3), ["etelecom.W002"]),
        (etelecom(TIMEOUT=-1), ["etelecom.E003"]),
        (etelecom(BACKEND="nowhere.Backend"), ["etelecom.E004"]),
        (etelecom(PASSWORD=""), ["etelecom.E005"]),
        (etelecom(BASE_URL="http://sms.etelecom.vn"), ["etelecom.E006"]),
        (
            etelecom(BACKEND="django_etelecom.backends.locmem.LocMemBackend", PASSWORD=""),
            [],
        ),
        ({**etelecom(), "ENCRYPTION_KEYS": ["short"]}, ["etelecom.E007"]),
        ({**etelecom(), "EXPIRES_AFTER": {"otp": 0}}, ["etelecom.E008"]),
        ({**etelecom(), "EXPIRES_AFTER": {"otp": 10**12}}, ["etelecom.E008"]),
        ({**etelecom(), "WEBHOOK_TOKENS": ["short"]}, ["etelecom.E010"]),
        ({**etelecom(), "WEBHOOK_TOKENS": ["long-enough-for-a-token"]}, []),
        ({**etelecom(), "CONFIRM_REPORTS": "no"}, ["etelecom.E011"]),
        ({**etelecom(), "CONFIRM_REPORTS": False}, []),
        ({**etelecom(), "POLL_AFTER": [60, 30]}, ["etelecom.E012"]),
        ({**etelecom(), "POLL_AFTER": [30, 30]}, ["etelecom.E012"]),
        ({**etelecom(), "POLL_AFTER": [True]}, ["etelecom.E012"]),
        ({**etelecom(), "POLL_AFTER": 30}, ["etelecom.E012"]),
        ({**etelecom(), "POLL_AFTER": [10**9]}, ["etelecom.E012"]),
        ({**etelecom(), "POLL_AFTER": []}, []),
        ({**etelecom(), "MAX_POLLS_PER_SECOND": 0}, ["etelecom.E013"]),
        ({**etelecom(), "MAX_POLLS_PER_SECOND": "5"}, ["etelecom.E013"]),
        ({**etelecom(), "DISPATCHER": "nowhere.at_all"}, ["etelecom.E014"]),
        ({**etelecom(), "DISPATCHER": "os.sep"}, ["etelecom.E014"]),
        ({**etelecom(), "DISPATCHER": None}, ["etelecom.E014"]),
        (etelecom(WEBHOOK_SECRET="bí mật"), ["etelecom.E003"]),
        (etelecom(WEBHOOK_SECRET="shared "), ["etelecom.E003"]),
        (etelecom(WEBHOOK_SECRET="sha\nred"), ["etelecom.E003"]),
        (etelecom(WEBHOOK_SECRET="shared secret"), []),
        (etelecom(MAX_PER_SECOND=0), ["etelecom.E003"]),
        (etelecom(MAX_PER_SECOND="50"), ["etelecom.E003"]),
        (etelecom(PAUSE_AFTER_UNKNOWN=0), ["etelecom.E003"]),
        (etelecom(PAUSE_AFTER_UNKNOWN=1.5), ["etelecom.E003"]),
        ({**etelecom(), "MAX_POLLS_PER_SECOND": 0.5}, []),
        ({**etelecom(), "EXPIRES_AFTER": {"opt": 60}}, ["etelecom.E008"]),
        ({**etelecom(), "EXPIRES_AFTER": {"otp": 60}}, []),
        ({**etelecom(), "ALLOWED_NUMBERS": ["VN"]}, ["etelecom.E009"]),
        ({**etelecom(), "RETENTION": {"otp": {"strip": "7"}}}, ["etelecom.E016"]),
        ({**etelecom(), "RETENTION": {"otp": {"strip": 7, "delete": None}}}, []),
    ],
)
def test_checks__settings(settings, value, expected):
    settings.ETELECOM = value

    found = run()

    assert [message.id for message in found] == expected
    assert all(message.hint for message in found if message.id not in WITHOUT_HINT)


WITHOUT_HINT = {"etelecom.E003", *(f"etelecom.E{number:03}" for number in range(7, 18))}
"""Their sentences say what would be right."""


def test_checks__bulk_backend_without_pycurl(settings, monkeypatch):
    settings.ETELECOM = etelecom(BACKEND="django_etelecom.backends.bulk.BulkBackend")
    assert ids() == []

    monkeypatch.setitem(sys.modules, "pycurl", None)

    [message] = run()
    assert message.id == "etelecom.E017"
    assert "pip install 'django-etelecom[bulk]'" in message.msg


def test_checks__local_times(settings):
    settings.USE_TZ = False

    assert ids() == ["etelecom.E002"]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, []),
        ({"BACKEND": "django_etelecom.backends.console.ConsoleBackend"}, ["etelecom.W003"]),
        ({"BACKEND": "nowhere.Backend"}, ["etelecom.E004"]),
    ],
)
def test_checks__deployment(settings, entry, expected):
    settings.ETELECOM = {**etelecom(**entry), "RETENTION": {}}

    assert ids(include_deployment_checks=True) == expected


def test_checks__deployment_that_keeps_personal_data_for_ever(settings):
    settings.ETELECOM = etelecom()

    assert ids(include_deployment_checks=True) == ["etelecom.W007"]


@pytest.mark.django_db
def test_checks__database(settings):
    settings.ETELECOM = etelecom()
    MessageTemplate.objects.create(code="lost", account="shop")
    assert ids(databases=["default"]) == ["etelecom.W004", "etelecom.W005"]

    RouteRule.objects.create(name="r", channels=["3"], is_default=True)
    MessageTemplate.objects.update(is_active=False)
    assert ids(databases=["default"]) == []
    assert ids(databases=[]) == []


@pytest.mark.django_db
def test_checks__database_that_is_not_migrated(settings, monkeypatch):
    def gone(*args, **kwargs):
        raise OperationalError("no such table")

    monkeypatch.setattr(type(RouteRule.objects), "filter", gone)

    assert ids(databases=["default"]) == []


@pytest.mark.django_db
def test_checks__run_with_the_project(settings, capsys):
    settings.ETELECOM = etelecom()

    call_command("check", "--database", "default", "--fail-level", "ERROR")


@pytest.mark.django_db
@pytest.mark.parametrize("position", [0, 1])
def test_checks__numbers_listed_by_a_key_that_was_lost(settings, position):
    settings.ETELECOM = etelecom()
    RouteRule.objects.create(name="r", channels=["3"], is_default=True)
    former = settings.SECRET_KEY
    list_number = [
        lambda: suppress_number("0912345678"),
        lambda: record_consent("0912345678", source="Form"),
    ][position]
    list_number()
    assert ids(databases=["default"]) == []

    for key in map("key {}".format, range(20)):
        # Before and after the lost one, in the order of their names.
        settings.SECRET_KEY = key
        [message] = run(databases=["default"])
        assert message.id == "etelecom.W008"
        assert ["are sent to", "get no advertising"][position] in message.msg

    settings.SECRET_KEY_FALLBACKS = ["key 1", former, "key 2"]
    assert ids(databases=["default"]) == []


@pytest.mark.django_db
def test_checks__lost_keys_take_few_look_ups(settings, django_assert_num_queries):
    settings.SECRET_KEY_FALLBACKS = ["another", "third"]
    suppress_number("0912345678")

    with django_assert_num_queries(4):
        assert not has_lost_keys(Suppression)


@pytest.mark.django_db
def test_checks__lost_keys_where_keys_cannot_be_used(settings):
    settings.ETELECOM = {**etelecom(), "ENCRYPTION_KEYS": ["short"]}
    RouteRule.objects.create(name="r", channels=["3"], is_default=True)

    assert ids(databases=["default"]) == ["etelecom.E007"]
