"""The summary of the last days: exact sums of what moved, at a cost that does not grow."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_etelecom import events, lifecycle, reports, summary
from django_etelecom.client.codes import ReportedStatus
from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.client.status import Report
from django_etelecom.events import Evidence
from django_etelecom.models import DayTally, MessageLog, WaitTally, tallies
from django_etelecom.models.messages import Source, Status
from django_etelecom.models.tallies import bucket_of, day_of, time_of
from django_etelecom.services import cancel_message, queue_message
from django_etelecom.summary import Figures, summarize
from tests.tallies import assert_tallies_are_the_truth

PHONE = "0912 345 678"

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(make):
    """Return messages that the provider has accepted."""

    def send():
        message = make(status="sending", sent_at=timezone.now())
        answer = SendResult(
            outcome=Outcome.ACCEPTED, provider_message_id=f"ICOMNI{message.pk}", http_status=200
        )
        events.record_send(message, answer, can_be_asked=True)
        return message

    return send


def told(status, **columns):
    return Evidence(source=Source.POLL, status=status, **columns)


def today():
    return day_of(timezone.now())


def test_summarize__of_nothing():
    empty = summarize(7)

    assert len(empty.by_day) == 7
    assert (empty.since, empty.until) == (today() - timedelta(days=6), today())
    assert empty.total == Figures({}, 0)
    assert empty.by_channel == empty.by_template == empty.by_network == {}
    assert empty.median is empty.p95 is empty.total.delivery_rate is None


def test_summarize__a_message_on_its_way(sent):
    message = sent()
    accepted = summarize(1)
    events.record(message, told(Status.UNDELIVERED, channel="Zalo", network="3", paid_messages=0))
    undelivered = summarize(1)
    at = message.sent_at + timedelta(seconds=100)
    delivery = told(
        Status.DELIVERED, channel="BrandnameSMS", network="1", paid_messages=2, received_at=at
    )
    events.record(message, delivery)
    delivered = summarize(1)

    assert accepted.total == Figures({"accepted": 1}, 0)
    assert accepted.by_channel == accepted.by_network == {"": accepted.total}
    assert undelivered.by_channel == {"1": Figures({"undelivered": 1}, 0)}
    assert undelivered.total.delivery_rate == 0
    assert delivered.by_channel == {"3": delivered.total}
    assert delivered.by_network == {"1": delivered.total}
    assert delivered.by_template == {"login_otp": delivered.total}
    assert delivered.by_day == {today(): delivered.total}
    assert delivered.total.delivery_rate == 1
    assert delivered.total.paid_messages == 2
    assert delivered.median == delivered.p95
    assert timedelta(seconds=90) < delivered.median < timedelta(seconds=110)
    assert_tallies_are_the_truth()


def test_summarize__more_about_what_is_known_is_counted(sent):
    message = sent()
    events.record(message, told(Status.DELIVERED))
    events.record(message, told(Status.DELIVERED, channel="Zalo", network="3", paid_messages=1))

    assert summarize(1).by_channel == {"1": Figures({"delivered": 1}, 1)}
    assert WaitTally.objects.count() == 1
    assert_tallies_are_the_truth()


def test_summarize__report_that_nobody_confirmed_adds_nothing_to_an_answer(sent, settings):
    settings.ETELECOM = {**settings.ETELECOM, "CONFIRM_REPORTS": False}
    message = sent()
    events.record(message, told(Status.DELIVERED, channel="Zalo", network="3"))
    reports.keep(
        Report(
            provider_message_id=message.provider_message_id,
            status=ReportedStatus.SUCCESS,
            channel="SMS",
        )
    )

    assert list(summarize(1).by_channel) == ["1"]
    assert_tallies_are_the_truth()


def test_summarize__believed_reports(sent, settings):
    settings.ETELECOM = {**settings.ETELECOM, "CONFIRM_REPORTS": False}
    messages = [sent() for _ in range(2)]
    for message in messages:
        for channel, paid in (("", None), ("BrandnameSMS", 3)):
            reports.keep(
                Report(
                    provider_message_id=message.provider_message_id,
                    status=ReportedStatus.SUCCESS,
                    channel=channel,
                    network="3",
                    paid_messages=paid,
                )
            )

    assert summarize(1).by_channel == {"3": summarize(1).total}
    assert summarize(1).total.paid_messages == 6
    assert summarize(1).median == time_of(0)
    assert_tallies_are_the_truth()


def test_summarize__what_ends_by_our_own_doing(scripted, otp_template):
    cancelled = queue_message(otp_template, PHONE, {"otp": "1234"})
    cancel_message(cancelled)
    late = queue_message(otp_template, "0912345679", {"otp": "1234"})
    MessageLog.objects.filter(pk=late.pk).update(
        expires_at=timezone.now() - timedelta(1), lease_expires_at=timezone.now() - timedelta(1)
    )
    lifecycle.sweep()

    assert summarize(1).total.cancelled == summarize(1).total.not_sent == 1
    assert summarize(1).total.sent == 0
    assert_tallies_are_the_truth()


def test_summarize__lapsed_process_that_wakes_up(make):
    message = make(status="sending", lease_expires_at=timezone.now() - timedelta(seconds=1))
    lifecycle.sweep()
    lapsed = summarize(1).total
    result = SendResult(outcome=Outcome.REJECTED)
    events.record_send(message, result, can_be_asked=True)

    assert lapsed.unknown == 1
    assert (summarize(1).total.unknown, summarize(1).total.rejected) == (0, 1)
    assert_tallies_are_the_truth()


def test_summarize__day_is_the_sites_whatever_the_threads(make, settings):
    settings.TIME_ZONE = "Asia/Ho_Chi_Minh"
    evening = datetime(2026, 3, 4, 18, tzinfo=UTC)

    with timezone.override("UTC"):
        message = make(status="sending", sent_at=evening)
        events.record(message, told(Status.DELIVERED))

    assert DayTally.objects.get().day == WaitTally.objects.get().day == date(2026, 3, 5)


def test_summarize__asks_the_same_of_any_number(make, django_assert_num_queries):
    for number in range(3):
        message = make(status="sending", sent_at=timezone.now() - timedelta(days=number))
        events.record(message, told(Status.DELIVERED, network=str(number)))

    with django_assert_num_queries(5):
        assert summarize(30).total.delivered == 3


def test_summarize__most_first():
    for code, number in (("few", 1), ("many", 3), ("gone", 0)):
        add(template_code=code, number=number)

    assert list(summarize(1).by_template) == ["many", "few"]


def test_quantiles__of_many_times():
    for seconds in range(1, 101):
        tallies.tally_wait(today(), timedelta(seconds=seconds))

    told_median, told_p95 = summarize(1).median, summarize(1).p95

    assert told_median.total_seconds() == pytest.approx(50, rel=0.1)
    assert told_p95.total_seconds() == pytest.approx(95, rel=0.1)


def test_buckets__hold_what_falls_into_them():
    assert bucket_of(timedelta(0)) == bucket_of(timedelta(seconds=-5)) == 0
    for seconds in (1, 2, 59.9, 3600, 172800):
        bucket = bucket_of(timedelta(seconds=seconds))
        assert time_of(bucket).total_seconds() == pytest.approx(seconds, rel=0.1)


def add(**columns):
    return DayTally.objects.create(
        **{
            "day": today(),
            "account": "default",
            "template_code": "a",
            "status": "delivered",
            "number": 1,
            "paid_messages": 1,
        }
        | columns
    )


def test_upkeep__melts_a_day_of_many_tallies_down(monkeypatch):
    monkeypatch.setattr(summary, "MELT_AT", 4)
    monkeypatch.setattr(tallies, "MELT_AT_ONCE", 4)
    for _ in range(5):
        add()
    add(status="accepted", number=1)
    add(status="accepted", number=-1, paid_messages=-1)
    add(status="unknown", number=1)
    for _ in range(4):
        tallies.tally_wait(today(), timedelta(seconds=3))
    before = summarize(1)

    summary.upkeep()
    summary.upkeep()

    assert summarize(1).total.delivered == before.total.delivered == 5
    assert summarize(1).total.paid_messages == before.total.paid_messages
    assert DayTally.objects.count() == 3
    assert [one.number for one in WaitTally.objects.all()] == [4]


def test_upkeep__melts_by_the_primary_key_alone(monkeypatch):
    # Else MariaDB leads two workers to the same rows by different indexes, and ends one of them.
    monkeypatch.setattr(summary, "MELT_AT", 4)
    for _ in range(5):
        add()

    with CaptureQueriesContext(connection) as queries:
        summary.upkeep()

    [deletes] = [one["sql"] for one in queries if one["sql"].startswith("DELETE")]
    table, _, condition = deletes.partition(" WHERE ")
    assert "daytally" in table
    assert "day" not in condition.replace("etelecom_daytally", "")


def test_upkeep__leaves_few_old_and_different_ones(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(summary, "MELT_AT", 2)
    for code in "abc":
        add(template_code=code)
        add(template_code=code, day=today() - timedelta(days=30))
    add(day=today() - timedelta(days=1))
    before = set(DayTally.objects.values_list("pk", flat=True))

    with django_assert_num_queries(3):
        summary.upkeep()

    assert set(DayTally.objects.values_list("pk", flat=True)) == before
