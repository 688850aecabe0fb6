"""Our own moves: claim, cancel, expire, lapse."""

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from django_etelecom import lifecycle
from django_etelecom.conf import settings as etelecom_settings
from django_etelecom.models import MessageLog
from django_etelecom.models.clock import DatabaseNow
from django_etelecom.services import cancel_message
from tests.test_send import in_thread

pytestmark = pytest.mark.django_db(transaction=True)


def ago(**duration):
    return timezone.now() - timedelta(**duration)


def test_database_now__is_this_instant_in_utc(make):
    message = make()

    assert MessageLog.objects.filter(
        created_at__lte=DatabaseNow(after=timedelta(seconds=5))
    ).exists()
    assert MessageLog.objects.filter(
        created_at__gte=DatabaseNow(after=timedelta(seconds=-5))
    ).exists()
    now = MessageLog.objects.annotate(now=DatabaseNow()).get(pk=message.pk).now
    assert abs(now - timezone.now()) < timedelta(seconds=5)


@pytest.mark.parametrize("microseconds", [1, 50, -50])
def test_database_now__after_less_than_python_writes_without_an_exponent(make, microseconds):
    make()
    after = DatabaseNow(after=timedelta(microseconds=microseconds))

    now = MessageLog.objects.annotate(now=after).get().now

    assert abs(now - timezone.now()) < timedelta(seconds=5)


@pytest.mark.skipif("connection.vendor != 'mysql'", reason="only MariaDB's NOW() is in the zone")
def test_database_now__does_not_follow_the_sessions_time_zone(make):
    message = make()
    with connection.cursor() as cursor:
        cursor.execute("SET time_zone = '+07:00'")
    try:
        now = MessageLog.objects.annotate(now=DatabaseNow()).get(pk=message.pk).now
    finally:
        connection.close()
    assert abs(now - timezone.now()) < timedelta(seconds=5)


def test_claim__goes_to_one_of_two(make):
    message = make()
    account = etelecom_settings.account("default")

    first = in_thread(lambda: lifecycle.claim(MessageLog.objects.get(), account))
    second = lifecycle.claim(message, account)

    assert (first, second) == (True, False)
    stored = MessageLog.objects.get()
    assert (stored.status, stored.attempts) == ("sending", 1)
    left = stored.lease_expires_at - timezone.now()
    assert timedelta(seconds=60) < left < timedelta(seconds=81)


@pytest.mark.parametrize(
    "status",
    [status for status in MessageLog.Status.values if status != "queued"],
)
def test_cancel__of_what_is_not_queued_changes_nothing(make, status):
    message = make(status=status)

    assert cancel_message(message).status == status


def test_cancel__queued(make):
    message = make(lease_expires_at=timezone.now())

    assert cancel_message(message).status == "cancelled"
    assert message.lease_expires_at is None


def test_sweep__claimed_is_unknown_and_unclaimed_not_sent(make):
    sending = make(status="sending", lease_expires_at=ago(seconds=1))
    queued = make(status="queued", lease_expires_at=ago(seconds=1))

    assert lifecycle.sweep() == 2

    sending.refresh_from_db()
    queued.refresh_from_db()
    assert (sending.status, sending.reason) == ("unknown", "lapsed")
    assert (queued.status, queued.reason) == ("not_sent", "never_claimed")


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "sending", "lease_expires_at": ago(days=-1)},
        {"status": "queued", "lease_expires_at": ago(days=-1)},
        {"status": "queued", "lease_expires_at": None},
        {"status": "accepted", "lease_expires_at": ago(days=1)},
        {"status": "unknown", "lease_expires_at": None},
    ],
)
def test_sweep__leaves_what_is_alive_or_ended(make, fields):
    message = make(**fields)

    assert lifecycle.sweep() == 0

    message.refresh_from_db()
    assert message.status == fields["status"]


def test_sweep__goes_on_after_the_first_batch(make, monkeypatch):
    monkeypatch.setattr(lifecycle, "SWEEP_BATCH", 2)
    for _ in range(5):
        make(status="sending", lease_expires_at=ago(seconds=1))

    assert lifecycle.sweep() == 5


def test_sweep__leaves_what_another_moves_before_it_is_locked(make, monkeypatch):
    alive = make(status="sending", lease_expires_at=ago(minutes=1))
    dead = make(status="sending", lease_expires_at=ago(minutes=1))
    lock = lifecycle.locked

    def late(rows, **options):
        MessageLog.objects.filter(pk=alive.pk).update(lease_expires_at=ago(minutes=-1))
        return lock(rows, **options)

    monkeypatch.setattr(lifecycle, "locked", late)

    assert lifecycle.sweep() == 1

    assert MessageLog.objects.get(pk=alive.pk).status == "sending"
    assert MessageLog.objects.get(pk=dead.pk).status == "unknown"


def test_sweep__passes_over_what_another_is_at(make):
    if not connection.features.has_select_for_update_skip_locked:
        pytest.skip("This database has no locks of rows.")
    held = make(status="sending", lease_expires_at=ago(minutes=1))
    free = make(status="sending", lease_expires_at=ago(minutes=1))

    with transaction.atomic():
        MessageLog.objects.filter(pk=held.pk).update(attempts=1)
        swept = in_thread(lifecycle.sweep)

    assert swept == 1
    assert MessageLog.objects.get(pk=held.pk).status == "sending"
    assert MessageLog.objects.get(pk=free.pk).status == "unknown"
    assert lifecycle.sweep() == 1
