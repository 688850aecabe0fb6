"""The suppression list and the consents, as a site's code and the worker see them."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_etelecom import numbers
from django_etelecom.exceptions import InvalidMessage
from django_etelecom.models import Consent, MessageTemplate, NumberHistory, Suppression
from django_etelecom.models.clock import EPOCH_NOW
from django_etelecom.numbers import Agreement, Entry, agree_all, suppress_all
from django_etelecom.sealing import number_digests, number_keys
from django_etelecom.services import (
    check_message,
    erase_number,
    lift_suppression,
    record_consent,
    suppress_number,
    withdraw_consent,
)
from django_etelecom.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)

PHONE, WIRE = "0912 345 678", "84912345678"
OTHER = "84912345679"
GIVEN = datetime(2026, 3, 8, 9, 30, tzinfo=UTC)


@pytest.fixture
def lan(django_user_model):
    return django_user_model.objects.create_user("lan")


def rotate(settings):
    """Have the site go by another key, with the former one to fall back on."""
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"


def faults_of(call, *args, **options):
    with pytest.raises(InvalidMessage) as caught:
        call(*args, **options)
    return caught.value.message_dict


# --- Suppress -----------------------------------------------------------------------------------


def test_suppress__keeps_who_said_so_and_when(lan):
    before = timezone.now()

    listed = suppress_number(PHONE, note="  By phone ", by=lan)

    listed.refresh_from_db()
    assert listed.recipient == WIRE
    assert listed.number_digest == number_digests(WIRE)[0]
    assert (listed.reason, listed.scope, listed.note) == ("opt_out", "advertising", "By phone")
    assert listed.created_by == lan
    assert before <= listed.created_at <= timezone.now()


@pytest.mark.parametrize(
    ("reason", "scope"),
    [
        ("opt_out", "advertising"),
        ("complaint", "advertising"),
        ("erased", "everything"),
        ("staff", "everything"),
    ],
)
def test_suppress__scope_goes_by_the_reason(reason, scope):
    assert suppress_number(PHONE, reason=reason).scope == scope


def test_suppress__scope_that_is_given():
    assert suppress_number(PHONE, scope="everything").scope == "everything"
    assert suppress_number(OTHER, reason="staff", scope="advertising").scope == "advertising"


@pytest.mark.parametrize("by", [None, AnonymousUser()])
def test_suppress__by_nobody(by):
    assert suppress_number(PHONE, by=by).created_by is None


def test_suppress__twice_is_one_entry():
    first = suppress_number(PHONE, note="First")

    again = suppress_number("+84912345678", note="Second")

    assert again == first
    assert again.note == "First"
    assert suppress_number(PHONE, reason="complaint") != first
    assert Suppression.objects.count() == 2


def test_suppress__twice_widens_and_never_narrows():
    suppress_number(PHONE)

    assert suppress_number(PHONE, scope="everything").scope == "everything"
    assert suppress_number(PHONE, scope="advertising").scope == "everything"


def test_suppress__is_found_by_a_former_key(settings):
    first = suppress_number(PHONE)
    rotate(settings)

    assert suppress_number(PHONE, scope="everything") == first
    assert Suppression.objects.get().scope == "everything"


def test_suppress__is_written_by_the_key_of_today(settings):
    rotate(settings)

    assert suppress_number(PHONE).number_digest.startswith(number_keys()[0])


@pytest.mark.parametrize("phone", ["024 3936 1234", "+65 8123 4567"])
def test_suppress__numbers_that_are_not_allowed_on_the_site(phone):
    assert suppress_number(phone).recipient


def test_suppress__erased_numbers_are_not_written_out_again():
    assert suppress_number(PHONE, reason="erased").recipient == ""
    assert suppress_number(PHONE).recipient == ""


def test_suppress__tells_every_fault_and_writes_nothing():
    faults = faults_of(
        suppress_number, "0912 345 67", reason="Opt out", scope="all", note="x" * 256, by="lan"
    )

    assert faults == {
        "phone": ["This is not a phone number. Type it as 0912 345 678 or +84 912 345 678."],
        "reason": ["Give one of: opt_out, complaint, erased, staff."],
        "scope": ["Give one of: advertising, everything."],
        "note": ["This has 256 characters; at most 255 are taken."],
        "by": ["Give a stored user, or nothing."],
    }
    assert not Suppression.objects.exists()


def test_suppress__values_of_other_types_are_faults(django_user_model):
    faults = faults_of(
        suppress_number, 912345678, reason=1, scope=2, note=None, by=django_user_model()
    )

    assert faults.keys() == {"phone", "reason", "scope", "note", "by"}


def test_suppress__note_that_no_database_takes_is_written_as_escapes():
    assert suppress_number(PHONE, note="a\x00b\ud800").note == "a\\u0000b\\ud800"


def test_suppress__inside_a_transaction_goes_with_it():
    with pytest.raises(RuntimeError), transaction.atomic():
        suppress_number(PHONE)
        raise RuntimeError

    assert not Suppression.objects.exists()


def test_suppress__while_another_process_does_the_same(monkeypatch):
    """What was written between look-up and INSERT is found, and widened."""
    original = transaction.atomic

    def atomic(*args, **options):
        monkeypatch.setattr(numbers.transaction, "atomic", original)
        suppress_number(PHONE)
        return original(*args, **options)

    monkeypatch.setattr(numbers.transaction, "atomic", atomic)

    assert suppress_number(PHONE, scope="everything").scope == "everything"
    assert Suppression.objects.count() == 1


def test_suppress__stops_what_it_is_to_stop(askable, order_template, order_params):
    def is_sendable():
        return check_message("order_confirmation", PHONE, order_params).sendable

    suppress_number(PHONE)
    assert is_sendable()

    suppress_number(PHONE, reason="staff")
    assert not is_sendable()

    lift_suppression(PHONE, reason="staff")
    assert is_sendable()


def test_suppress_all__is_a_few_statements():
    entries = [Entry(f"849123{number:05}", "opt_out", "everything") for number in range(100)]

    with CaptureQueriesContext(connection) as queries:
        assert suppress_all(entries) == 100

    assert len([one for one in queries if not one["sql"].startswith(("BEGIN", "COMMIT"))]) <= 3
    assert suppress_all(entries) == 0


def test_suppress_all__twice_among_them_is_one_entry_of_the_wider_scope():
    narrow = Entry(WIRE, "opt_out", "advertising")

    assert suppress_all([narrow, narrow._replace(scope="everything")]) == 1

    assert Suppression.objects.get().scope == "everything"


# --- Lift ---------------------------------------------------------------------------------------


def test_lift__takes_every_entry(settings):
    suppress_number(PHONE)
    rotate(settings)
    suppress_number(PHONE, reason="complaint")
    suppress_number(OTHER)

    assert lift_suppression(PHONE) == 2
    assert Suppression.objects.get().recipient == OTHER
    assert lift_suppression(PHONE) == 0


def test_lift__of_one_reason_alone():
    suppress_number(PHONE)
    suppress_number(PHONE, reason="complaint")

    assert lift_suppression(PHONE, reason="opt_out") == 1
    assert Suppression.objects.get().reason == "complaint"


def test_lift__is_in_the_log_without_the_number(lan, caplog):
    suppress_number(PHONE)

    with caplog.at_level(logging.INFO, "django_etelecom"):
        lift_suppression(PHONE, by=lan)

    assert caplog.messages == [
        f"Suppressions lifted: 1 (all reasons), by user {lan.pk}: 84912•••678."
    ]


def test_lift__tells_every_fault():
    faults = faults_of(lift_suppression, "An", reason="none", by="lan")

    assert faults.keys() == {"phone", "reason", "by"}


# --- Consent ------------------------------------------------------------------------------------


def test_consent__keeps_source_time_and_who(lan):
    consent = record_consent(PHONE, source=" Order form ", given_at=GIVEN, by=lan)

    consent.refresh_from_db()
    assert consent.recipient == WIRE
    assert consent.number_digest == number_digests(WIRE)[0]
    assert (consent.source, consent.given_at) == ("Order form", GIVEN)
    assert consent.created_by == lan
    assert consent.withdrawn_at is None


def test_consent__is_given_now_by_default():
    before = timezone.now()

    assert before <= record_consent(PHONE, source="Form").given_at <= timezone.now()


def test_consent__each_is_a_record_of_its_own(settings):
    first = record_consent(PHONE, source="Form", given_at=GIVEN)
    rotate(settings)

    assert record_consent(PHONE, source="Form", given_at=GIVEN) == first
    assert record_consent(PHONE, source="form", given_at=GIVEN) != first
    assert record_consent(PHONE, source="Form") != first
    assert Consent.objects.count() == 3


def test_consent__tells_every_fault_and_writes_nothing():
    faults = faults_of(
        record_consent, "An", source=" ", given_at=timezone.now() + timedelta(hours=1), by="lan"
    )

    assert faults == {
        "phone": ["A phone number does not contain “A”: type its digits only."],
        "source": ["Say how and where it was given, so that it can be proved."],
        "given_at": ["This has not come yet."],
        "by": ["Give a stored user, or nothing."],
    }
    assert not Consent.objects.exists()


@pytest.mark.parametrize(
    ("given_at", "sentence"),
    [
        ("2026-03-08", "Give a datetime with a time zone."),
        (datetime(2026, 3, 8), "Give a datetime with a time zone."),  # noqa: DTZ001
        (datetime(1, 1, 1, tzinfo=UTC), "This is too long ago."),
    ],
)
def test_consent__time_that_is_none(given_at, sentence):
    faults = faults_of(record_consent, PHONE, source="Form", given_at=given_at)

    assert faults == {"given_at": [sentence]}


def test_withdraw__keeps_the_records(settings, lan):
    record_consent(PHONE, source="Form", given_at=GIVEN)
    rotate(settings)
    record_consent(PHONE, source="Shop", given_at=GIVEN)
    record_consent(OTHER, source="Form", given_at=GIVEN)

    assert withdraw_consent(PHONE, by=lan) == 2

    assert Consent.objects.filter(recipient=WIRE, withdrawn_at__isnull=False).count() == 2
    assert Consent.objects.filter(withdrawn_at=None).get().recipient == OTHER
    assert withdraw_consent(PHONE) == 0


def test_withdraw__tells_every_fault():
    assert faults_of(withdraw_consent, "An", by="lan").keys() == {"phone", "by"}


def test_withdraw__is_not_undone_by_an_old_consent():
    record_consent(PHONE, source="Form", given_at=GIVEN)
    withdraw_consent(PHONE)

    older = record_consent(PHONE, source="Shop", given_at=GIVEN)
    assert older.withdrawn_at is not None
    assert record_consent(PHONE, source="Form", given_at=GIVEN).withdrawn_at is not None

    assert record_consent(PHONE, source="Shop").withdrawn_at is None


def test_agree_all__a_withdrawal_ends_what_was_before_it():
    open_one = record_consent(PHONE, source="Form", given_at=GIVEN)
    withdrawal = GIVEN + timedelta(days=1)
    later = record_consent(PHONE, source="Form", given_at=withdrawal + timedelta(days=1))

    agree_all([Agreement(WIRE, "Shop", GIVEN, withdrawal), Agreement(WIRE, "Fair", GIVEN)])

    open_one.refresh_from_db()
    later.refresh_from_db()
    assert open_one.withdrawn_at == withdrawal
    assert later.withdrawn_at is None
    assert Consent.objects.get(source="Fair").withdrawn_at == withdrawal


def test_agree_all__a_withdrawal_of_what_is_on_record():
    record_consent(PHONE, source="Form", given_at=GIVEN)
    withdrawal = GIVEN + timedelta(days=1)

    assert agree_all([Agreement(WIRE, "Form", GIVEN, withdrawal)]) == 0
    assert Consent.objects.get().withdrawn_at == withdrawal


def test_agreement__withdrawn_before_it_was_given():
    faults = faults_of(
        numbers.read_agreement,
        PHONE,
        source="Form",
        given_at=GIVEN,
        withdrawn_at=GIVEN - timedelta(seconds=1),
    )

    assert faults == {"withdrawn_at": ["This is before it was given."]}


def test_consent__lets_advertising_go(askable, default_route):
    MessageTemplate.objects.create(code="sale", category="advertising", text="[QC] We sell.")

    def passes(guard):
        verdicts = check_message("sale", PHONE).verdicts
        return all(one.passes for one in verdicts if one.guard == guard)

    assert not passes("consent")
    record_consent(PHONE, source="Form")
    assert passes("consent")
    withdraw_consent(PHONE)
    assert not passes("consent")


# --- What numbers had lately --------------------------------------------------------------------

DAY = 86_400


def touched(*seconds_ago):
    now = time.time()
    NumberHistory.objects.bulk_create(
        NumberHistory(number_digest=f"{number}.{ago}", touched_at=now - ago)
        for number, ago in enumerate(seconds_ago)
    )


def test_upkeep__deletes_what_no_limit_asks_for():
    touched(0, DAY, 2 * DAY - 60, 2 * DAY + 60, 365 * DAY)

    assert numbers.upkeep() == 2
    assert NumberHistory.objects.count() == 3
    assert numbers.upkeep() == 0


def test_upkeep__goes_by_the_longest_limit(settings):
    settings.ETELECOM = {"GUARDS": {"transactional": {"LIMITS": [(9, 31 * DAY)]}}}
    touched(31 * DAY, 33 * DAY)

    assert numbers.upkeep() == 1


def test_upkeep__goes_on_by_the_batch(monkeypatch):
    monkeypatch.setattr(numbers, "BATCH", 2)
    touched(*[3 * DAY] * 5)

    assert numbers.upkeep() == 5


def test_upkeep__does_not_keep_its_worker(monkeypatch):
    monkeypatch.setattr(numbers, "BATCH", 2)
    monkeypatch.setattr(numbers, "PATIENCE", -1)
    touched(*[3 * DAY] * 5)

    assert numbers.upkeep() == 2


def test_upkeep__is_the_workers(askable):
    touched(3 * DAY)

    Worker().run_once()

    assert not NumberHistory.objects.exists()


def test_upkeep__passes_over_what_is_held():
    if not connection.features.has_select_for_update_skip_locked:
        pytest.skip("This database has no locks of rows.")
    touched(3 * DAY)
    digest = NumberHistory.objects.get().pk
    deleted = []

    def upkeep():
        deleted.append(numbers.upkeep())
        connection.close()

    with transaction.atomic():
        NumberHistory.hold([digest], using="default")
        thread = threading.Thread(target=upkeep)
        thread.start()
        thread.join(10)

    assert deleted == [0]
    assert NumberHistory.objects.exists()


# --- Users who are gone ---------------------------------------------------------------------------


@pytest.fixture
def gone(lan):
    """A user as somebody holds it who does not know that it was deleted."""
    held = type(lan).objects.get(pk=lan.pk)
    lan.delete()
    return held


@pytest.mark.parametrize(
    "act",
    [
        lambda by: suppress_number(PHONE, reason="staff", by=by),
        lambda by: lift_suppression(PHONE, by=by),
        lambda by: record_consent(PHONE, source="Form", by=by),
        lambda by: withdraw_consent(PHONE, by=by),
        lambda by: erase_number(PHONE, by=by, suppress=True),
    ],
)
def test_by__user_who_is_gone_is_refused(gone, act):
    with pytest.raises(InvalidMessage) as caught:
        act(gone)

    assert caught.value.message_dict == {"by": ["It does not exist any more."]}
    assert not Suppression.objects.exists()
    assert not Consent.objects.exists()


def test_suppress_all__never_passes_over_what_was_not_written(gone):
    with pytest.raises(IntegrityError):
        suppress_all([Entry(WIRE, "staff", "everything", "")], by_pk=gone.pk)

    assert not Suppression.objects.exists()


def test_clock__is_the_instant_whatever_the_zone_of_the_server():
    with connection.cursor() as cursor:
        if connection.vendor == "mysql":
            cursor.execute("SET time_zone = '-04:00'")
        try:
            before = time.time()
            cursor.execute(f"SELECT {EPOCH_NOW[connection.vendor]}")
            [now] = cursor.fetchone()
        finally:
            if connection.vendor == "mysql":
                cursor.execute("SET time_zone = DEFAULT")

    assert before - 5 < float(now) < time.time() + 5
