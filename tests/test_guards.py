"""The guards, through every door: each test fails where its guard is taken out."""

import contextlib
import math
import re
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_etelecom import (
    drafts,
    guard_rules,
    guards,
    hours,
    lifecycle,
    pace,
    spending,
    turns,
    verdicts,
)
from django_etelecom.client.opaque import Opaque
from django_etelecom.conf import settings as etelecom_settings
from django_etelecom.exceptions import IdempotencyConflict, InvalidMessage, SendBlocked
from django_etelecom.guard_rules import rules_of
from django_etelecom.models import (
    Consent,
    DayTally,
    MessageLog,
    MessageTemplate,
    NumberHistory,
    RouteRule,
    Suppression,
)
from django_etelecom.models.messages import Reason
from django_etelecom.sealing import number_digests
from django_etelecom.services import (
    check_message,
    queue_campaign,
    queue_message,
    resend_message,
    resume_account,
    retry_campaign,
    send_message,
)
from django_etelecom.worker import Worker
from tests.replica import OnReplica
from tests.test_queue import claim

pytestmark = pytest.mark.django_db(transaction=True)

PHONE, WIRE = "0912345678", "84912345678"
OTHER = "0912345679"
NOON = datetime(2026, 12, 24, 5, 0, tzinfo=UTC)
NIGHT = datetime(2026, 12, 24, 16, 0, tzinfo=UTC)
"""Twelve and twenty-three o'clock in Vietnam."""


@pytest.fixture
def guarded(askable, settings):
    """Change what a category is guarded by."""

    def change(category, **rules):
        own = settings.ETELECOM.get("GUARDS", {})
        changed = {**own, category: {**own.get(category, {}), **rules}}
        settings.ETELECOM = {**settings.ETELECOM, "GUARDS": changed}

    return change


@pytest.fixture
def capped(askable, settings):
    def change(**caps):
        accounts = settings.ETELECOM["ACCOUNTS"]
        accounts = {"default": {**accounts["default"], **caps}}
        settings.ETELECOM = {**settings.ETELECOM, "ACCOUNTS": accounts}

    return change


@pytest.fixture
def advertisement(default_route):
    template = MessageTemplate.objects.create(
        code="sale", category="advertising", text="[QC] {shop} sells."
    )
    template.parameters.create(name="shop", kind="text")
    return template


def agree(number=WIRE):
    return Consent.objects.create(
        number_digest=number_digests(number)[0], recipient=number, source="Order form"
    )


def suppress(number=WIRE, *, scope="everything", reason="staff"):
    return Suppression.objects.create(
        number_digest=number_digests(number)[0], recipient=number, reason=reason, scope=scope
    )


def otp(to=PHONE, **options):
    return send_message("login_otp", to, {"otp": "483920"}, **options)


def sale(to=PHONE, **options):
    return send_message("sale", to, {"shop": "An"}, **options)


def blocked(send, *args, **options):
    with pytest.raises(SendBlocked) as caught:
        send(*args, **options)
    return caught.value


def verdict(check, guard):
    [found] = [one for one in check.verdicts if one.guard == guard]
    return found


def work():
    return Worker().run_once()


# Cooldown and limits


def test_cooldown__next_one_time_password_waits(askable, otp_template):
    otp()
    error = blocked(otp)

    assert error.reason == "cooldown"
    assert 28 <= error.retry_after <= 30
    assert MessageLog.objects.count() == len(askable.sent) == 1


def test_cooldown__grows(askable, otp_template):
    for wait in (30, 60, 120, 120):
        otp()
        assert wait - 2 <= blocked(otp).retry_after <= wait
        _let_pass(wait)


def _let_pass(seconds):
    """Have what a number was sent be so much longer ago."""
    history = NumberHistory.objects.get()
    had = turns.read(history.turns)
    history.turns = turns.written([one._replace(at=one.at - seconds) for one in had])
    history.save()


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        (turns.MANY, 0, 1),
        (turns.MANY, 1, 2),
        (turns.MANY - 1, 0, turns.MANY),
        (turns.MANY - 1, 1, turns.MANY + 1),
    ],
)
def test_cooldown__forgets_what_no_rule_asks_for_where_it_is_worth_it(
    askable, otp_template, old, new, left
):
    instants = [*map(float, range(old)), *[timezone.now().timestamp()] * new]
    had = [turns.Turn("m", "advertising", otp_template.pk, "13", at) for at in instants]
    NumberHistory.objects.create(
        number_digest=number_digests(WIRE)[0], touched_at=0, turns=turns.written(had)
    )
    otp()

    assert len(turns.read(NumberHistory.objects.get().turns)) == left


def test_cooldown__is_each_number_s_own(askable, otp_template):
    otp()

    assert otp(OTHER).status == "accepted"


def test_cooldown__is_each_template_s_own(askable, otp_template):
    another = MessageTemplate.objects.create(code="reset_otp", category="otp", text="It is {otp}.")
    another.parameters.create(name="otp", kind="otp")
    otp()

    assert send_message("reset_otp", PHONE, {"otp": "483920"}).status == "accepted"


def test_cooldown__however_the_number_is_typed(askable, otp_template):
    otp("+84 912 345 678")

    assert blocked(otp, "0912.345.678").reason == "cooldown"


def test_cooldown__same_key_is_no_second_message(askable, otp_template):
    first = otp(idempotency_key="key")

    assert otp(idempotency_key="key") == first
    with pytest.raises(IdempotencyConflict):
        send_message("login_otp", PHONE, {"otp": "1111"}, idempotency_key="key")
    assert blocked(otp, idempotency_key="another").reason == "cooldown"


def test_cooldown__taken_key_takes_no_turn(guarded, otp_template):
    guarded("otp", COOLDOWN=[], LIMITS=[(2, 60)])
    for _ in range(3):
        otp(idempotency_key="key")

    assert otp().status == "accepted"
    assert blocked(otp).reason == "recipient_limit"


def test_cooldown__holds_for_a_resend(askable, otp_template):
    first = otp()

    assert blocked(resend_message, first, params={"otp": "1"}).reason == "cooldown"


def test_cooldown__off(guarded, otp_template):
    guarded("otp", COOLDOWN=None)
    otp()

    assert otp().status == "accepted"


def test_limit__of_an_hour(guarded, otp_template):
    guarded("otp", COOLDOWN=[])
    for _ in range(5):
        otp()
    error = blocked(otp)

    assert error.reason == "recipient_limit"
    assert 3590 < error.retry_after <= 3600


def test_limit__off_for_what_is_no_one_time_password(askable, order_template, order_params):
    for _ in range(8):
        send_message("order_confirmation", PHONE, order_params)

    assert len(askable.sent) == 8
    assert not NumberHistory.objects.exists()


def test_limit__off_for_a_campaign(askable, order_template, order_params):
    suppress(OTHER)
    queue_campaign(order_template, [{"to": PHONE, **order_params}] * 2)

    assert work().sent == 2
    assert not NumberHistory.objects.exists()


def test_limit__counts_what_is_of_its_category(guarded, otp_template, order_template, order_params):
    guarded("transactional", LIMITS=[(1, 60)])
    otp()

    assert send_message("order_confirmation", PHONE, order_params).status == "accepted"


def test_limit__rolled_back_message_takes_no_turn(askable, otp_template):
    with pytest.raises(RuntimeError), transaction.atomic():
        otp()
        raise RuntimeError

    assert otp().status == "accepted"


def test_limit__blocked_message_does_not_break_the_caller_s_transaction(askable, otp_template):
    otp()
    with transaction.atomic():
        error = blocked(otp)
        RouteRule.objects.create(name="Written after it", channels=["1"])

    assert error.reason == "cooldown"
    assert RouteRule.objects.filter(name="Written after it").exists()


def test_limit__holds_for_what_is_queued(guarded, otp_template):
    guarded("otp", COOLDOWN=[], LIMITS=[(2, 60)])
    for _ in range(2):
        queue_message("login_otp", PHONE, {"otp": "1234"})

    assert blocked(queue_message, "login_otp", PHONE, {"otp": "1"}).reason == "recipient_limit"
    # They have had their turns.
    assert work().sent == 2


@pytest.mark.parametrize("at_commit", [False, True])
def test_limit__parallel_sends_pass_exactly_the_limit(guarded, otp_template, at_commit):
    guarded("otp", COOLDOWN=[], LIMITS=[(5, 600)])
    outcomes = Counter()
    ready = threading.Barrier(20)

    def outcome():
        try:
            if at_commit:
                with transaction.atomic():
                    otp()
            else:
                otp()
        except SendBlocked as error:
            return error.reason
        return "sent"

    def send():
        ready.wait()
        for _ in range(10):
            # SQLite gives no lock to a transaction that began by reading while another writes.
            while (came := outcome()) == "guards_unavailable":
                assert connection.vendor == "sqlite"
                assert at_commit
            outcomes[came] += 1
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert outcomes == {"sent": 5, "recipient_limit": 195}
    assert MessageLog.objects.count() == 5


def test_guards__closed_where_they_cannot_be_asked(askable, otp_template, monkeypatch):
    def away(*args, **options):
        raise OperationalError("away")

    monkeypatch.setattr(NumberHistory, "append", away)
    error = blocked(otp)

    assert (error.reason, error.retry_after) == ("guards_unavailable", 5)
    assert askable.sent == []
    assert not MessageLog.objects.exists()


def test_guards__what_the_database_undid_is_the_caller_s_to_run_again(
    askable, otp_template, monkeypatch
):
    def undone(*args, **options):
        raise OperationalError(1213, "Deadlock found when trying to get lock")

    monkeypatch.setattr(NumberHistory, "append", undone)
    with pytest.raises(OperationalError):
        otp()


LOOKED_AT = (Consent, MessageTemplate, NumberHistory, Suppression)


def test_guards__of_what_waits_look_where_it_was_written(
    guarded, otp_template, advertisement, settings, at_hour
):
    at_hour(NOON)
    agree()
    queue_campaign(advertisement, [{"to": PHONE, "shop": "An"}])
    settings.DATABASE_ROUTERS = [OnReplica(*LOOKED_AT)]

    assert len(claim(8)) == 1


def test_guards__of_a_check_look_where_messages_are_written(askable, otp_template, settings):
    otp()
    draft = drafts.prepare("login_otp", PHONE, Opaque({"otp": "483920"}))
    settings.DATABASE_ROUTERS = [OnReplica(*LOOKED_AT)]

    assert [one.guard for one in guards.verdicts(draft) if not one.passes] == ["cooldown"]


def test_guards__take_three_statements(askable, otp_template):
    otp(OTHER)
    spending.forget()
    with CaptureQueriesContext(connection) as captured:
        otp()
    told = [query["sql"] for query in captured.captured_queries]
    own = [sql for sql in told if re.search("suppression|numberhistory|COUNT", sql)]

    # What is known of number and account, the account's budget, the number's turn.
    assert len(own) == 3, told


# Account


def test_account__paused_blocks_at_once(askable, otp_template):
    pace.pause("default", Reason.OUT_OF_MESSAGES)
    error = blocked(otp)

    assert (error.reason, error.retry_after) == ("account_paused", None)
    assert "no messages left" in str(error)
    resume_account("default")
    assert otp().status == "accepted"


def test_account__paused_is_one_by_its_own_name_alone(askable, otp_template):
    # MariaDB finds `Default` for `default`.
    pace.pause("Default", Reason.OUT_OF_MESSAGES)

    assert otp().status == "accepted"


def test_account__paused_lets_a_queued_message_wait(askable, otp_template):
    pace.pause("default", Reason.OUT_OF_MESSAGES)

    assert queue_message("login_otp", PHONE, {"otp": "1"}).status == "queued"


# Suppression


@pytest.mark.parametrize("scope", ["everything", "advertising"])
def test_suppression__advertising(askable, advertisement, at_hour, scope):
    at_hour(NOON)
    agree()
    suppress(scope=scope)

    assert blocked(sale).reason == "suppressed"


def test_suppression__of_advertising_lets_a_one_time_password_pass(askable, otp_template):
    suppress(scope="advertising")

    assert otp().status == "accepted"


def test_suppression__of_everything_stops_a_one_time_password(askable, otp_template):
    suppress()
    error = blocked(otp)

    assert (error.reason, error.retry_after) == ("suppressed", None)
    assert otp(OTHER).status == "accepted"


def test_suppression__of_a_number_that_was_erased(askable, otp_template):
    Suppression.objects.create(
        number_digest=number_digests(WIRE)[0], reason="erased", scope="everything"
    )

    assert blocked(otp).reason == "suppressed"


def test_suppression__outlives_the_secret_key(askable, otp_template, settings):
    suppress()
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"

    assert blocked(otp).reason == "suppressed"


def test_suppression__off(guarded, otp_template):
    guarded("otp", SUPPRESSION=False)
    suppress()

    assert otp().status == "accepted"


def test_suppression__holds_for_what_was_queued_before(askable, otp_template):
    message = queue_message("login_otp", PHONE, {"otp": "483920"})
    suppress()
    work()
    message.refresh_from_db()

    assert (message.status, message.reason) == ("not_sent", "suppressed")
    assert message.sealed_params == ""
    assert askable.sent == []


def test_suppression__of_advertising_holds_for_what_was_queued_before(
    askable, advertisement, otp_template, at_hour
):
    at_hour(NOON)
    agree()
    queue_message("sale", PHONE, {"shop": "An"})
    queue_message("login_otp", PHONE, {"otp": "483920"})
    suppress(scope="advertising")
    work()

    assert dict(MessageLog.objects.values_list("template_code", "reason")) == {
        "sale": "suppressed",
        "login_otp": "",
    }


def test_suppression__holds_for_a_campaign(askable, order_template, order_params):
    suppress()
    rows = [{"to": to, **order_params} for to in (PHONE, OTHER)]
    campaign = queue_campaign(order_template, rows)
    work()
    campaign.refresh_from_db()

    assert dict(MessageLog.objects.values_list("recipient", "status")) == {
        WIRE: "not_sent",
        "84912345679": "accepted",
    }
    assert campaign.status == "finished"


# Consent, label


def test_consent__without_it_no_advertising(askable, advertisement, at_hour):
    at_hour(NOON)

    assert blocked(sale).reason == "no_consent"
    agree()
    assert sale().status == "accepted"


def test_consent__withdrawn(askable, advertisement, at_hour):
    at_hour(NOON)
    consent = agree()
    consent.withdrawn_at = timezone.now()
    consent.save()

    assert blocked(sale).reason == "no_consent"


def test_consent__withdrawn_while_a_message_waited(askable, advertisement, at_hour):
    at_hour(NOON)
    consent = agree()
    message = queue_message("sale", PHONE, {"shop": "An"})
    consent.withdrawn_at = timezone.now()
    consent.save()
    work()
    message.refresh_from_db()

    assert (message.status, message.reason) == ("not_sent", "no_consent")


def test_consent__off(guarded, advertisement, at_hour):
    at_hour(NOON)
    guarded("advertising", CONSENT=False)

    assert sale().status == "accepted"


def test_consent__holds_for_a_campaign(askable, advertisement, at_hour):
    at_hour(NOON)
    agree()
    queue_campaign(advertisement, [{"to": to, "shop": "An"} for to in (PHONE, OTHER)])
    work()

    assert dict(MessageLog.objects.values_list("recipient", "reason")) == {
        WIRE: "",
        "84912345679": "no_consent",
    }


@pytest.mark.parametrize("text", ["", "An sells. [QC]", "QC An sells."])
def test_label__without_it_no_advertising(askable, advertisement, at_hour, text):
    at_hour(NOON)
    agree()
    MessageTemplate.objects.update(text=text)

    assert blocked(sale).reason == "no_label"
    rows = [{"to": PHONE, "shop": "An"}]
    assert blocked(queue_campaign, advertisement, rows).reason == "no_label"


@pytest.mark.parametrize("text", ["[QC] An", " [qc] An", "[AD] An"])
def test_label__first(askable, advertisement, at_hour, text):
    at_hour(NOON)
    agree()
    MessageTemplate.objects.update(text=text)

    assert sale().status == "accepted"


def test_label__of_a_call_there_is_none(askable, advertisement, at_hour):
    at_hour(NOON)
    agree()
    RouteRule.objects.create(name="Call", channels=["2"])
    MessageTemplate.objects.update(text="")

    assert sale(route="Call").status == "accepted"


def test_label__off(guarded, advertisement, at_hour):
    at_hour(NOON)
    agree()
    guarded("advertising", LABEL=False)
    MessageTemplate.objects.update(text="")

    assert sale().status == "accepted"


# Limits of advertising


def test_limit__three_advertisements_by_sms_a_day(askable, advertisement, at_hour):
    at_hour(NOON)
    agree()
    for _ in range(3):
        sale()
    error = blocked(sale)

    assert error.reason == "recipient_limit"
    assert 86_000 < error.retry_after <= 86_400


def test_limit__one_advertisement_by_call_a_day(askable, advertisement, at_hour):
    at_hour(NOON)
    agree()
    RouteRule.objects.create(name="Call", channels=["2"])
    sale(route="Call")

    assert blocked(sale, route="Call").reason == "recipient_limit"
    assert sale().status == "accepted"


def test_limit__holds_for_a_campaign(askable, advertisement, at_hour):
    at_hour(NOON)
    agree()
    agree("84912345679")
    queue_campaign(advertisement, [{"to": PHONE, "shop": "An"}] * 5)
    queue_campaign(advertisement, [{"to": OTHER, "shop": "An"}])
    work()

    ends = MessageLog.objects.values_list("recipient", "status", "reason")
    assert Counter(ends) == {
        (WIRE, "accepted", ""): 3,
        (WIRE, "not_sent", "recipient_limit"): 2,
        ("84912345679", "accepted", ""): 1,
    }


def test_limit__of_a_category_without_consent_holds_for_a_campaign(
    guarded, order_template, order_params
):
    guarded("transactional", LIMITS=[(1, 60)])
    queue_campaign(order_template, [{"to": PHONE, **order_params}] * 2)
    work()

    assert sorted(MessageLog.objects.values_list("reason", flat=True)) == ["", "recipient_limit"]


def test_limit__message_of_a_campaign_that_is_not_sent_takes_no_turn(
    guarded, advertisement, at_hour
):
    at_hour(NOON)
    guarded("advertising", LIMITS=[(1, 60)])
    queue_campaign(advertisement, [{"to": PHONE, "shop": "An"}])
    work()
    agree()

    assert MessageLog.objects.get().reason == "no_consent"
    assert sale().status == "accepted"


def test_limit__message_of_a_campaign_that_was_given_back_has_its_turn(
    guarded, advertisement, at_hour
):
    at_hour(NOON)
    guarded("advertising", LIMITS=[(1, 60)])
    agree()
    queue_campaign(advertisement, [{"to": PHONE, "shop": "An"}] * 2)
    [message] = claim(1)
    lifecycle.give_back([message])

    assert [one.pk for one in claim(8)] == [message.pk]
    other = MessageLog.objects.exclude(pk=message.pk).get()
    assert (other.status, other.reason) == ("not_sent", "recipient_limit")


# Limits of what waited


def _let_wait(seconds):
    """Have all that was queued, and what numbers were sent, be so much longer ago."""
    for history in NumberHistory.objects.all():
        had = [one._replace(at=one.at - seconds) for one in turns.read(history.turns)]
        NumberHistory.objects.filter(pk=history.pk).update(turns=turns.written(had))
    for message in MessageLog.objects.filter(status="queued"):
        message.created_at -= timedelta(seconds=seconds)
        message.send_at -= timedelta(seconds=seconds)
        message.save()


def _in_an_hour(**options):
    send_at = timezone.now() + timedelta(hours=1)
    return queue_message("login_otp", PHONE, {"otp": "1"}, send_at=send_at, **options)


def test_limit__holds_where_what_was_queued_yesterday_goes_today(guarded, advertisement, askable):
    guarded("advertising", HOURS={}, LIMITS=[(3, 86_400, "3")])
    agree()
    tomorrow = timezone.now() + timedelta(hours=25)
    for _ in range(3):
        queue_message("sale", PHONE, {"shop": "An"}, send_at=tomorrow)
    _let_wait(25 * 3600)
    for _ in range(2):
        sale()
    work()

    assert len(askable.sent) == 3
    assert Counter(MessageLog.objects.values_list("status", flat=True))["accepted"] == 3


def test_limit__counts_what_waited_from_when_it_goes(guarded, otp_template):
    guarded("otp", COOLDOWN=[], LIMITS=[(1, 3600)])
    _in_an_hour()
    _let_wait(3600)

    assert work().sent == 1
    assert blocked(otp).retry_after > 3590


def test_limit__message_that_waited_does_not_stand_in_its_own_way(guarded, otp_template):
    guarded("otp", COOLDOWN=[], LIMITS=[(1, 7200)])
    _in_an_hour()
    _let_wait(3600)

    assert work().sent == 1
    assert len(turns.read(NumberHistory.objects.get().turns)) == 1


def test_limit__what_waited_and_is_one_too_many_waits_for_its_window(guarded, otp_template):
    guarded("otp", COOLDOWN=[], LIMITS=[(1, 300)])
    message = _in_an_hour()
    _let_wait(3600)
    otp()
    [sent] = turns.read(NumberHistory.objects.get().turns)[1:]

    assert work().sent == 0
    message.refresh_from_db()
    assert message.status == "queued"
    assert 0 <= message.send_at.timestamp() - (sent.at + 300) < 1
    _let_wait(301)
    assert work().sent == 1


@pytest.mark.parametrize(("seconds", "status"), [(0, "not_sent"), (1, "queued")])
def test_limit__what_would_wait_until_it_expires_is_not_sent(
    guarded, otp_template, seconds, status
):
    guarded("otp", COOLDOWN=[], LIMITS=[(1, 300)])
    message = _in_an_hour()
    _let_wait(3600)
    otp()
    [sent] = turns.read(NumberHistory.objects.get().turns)[1:]
    opens = datetime.fromtimestamp(math.ceil(sent.at + 300), UTC)
    MessageLog.objects.update(expires_at=opens + timedelta(seconds=seconds))
    work()
    message.refresh_from_db()

    assert message.status == status
    assert message.reason == ("recipient_limit" if status == "not_sent" else "")


def test_limit__what_would_wait_and_never_expires_waits(guarded, otp_template):
    guarded("otp", COOLDOWN=[], LIMITS=[(1, 300)])
    _in_an_hour()
    _let_wait(3600)
    otp()
    MessageLog.objects.update(expires_at=None)

    assert claim(8) == []
    assert MessageLog.objects.filter(status="queued").count() == 1


def test_limit__workers_and_senders_pass_exactly_the_limit(guarded, otp_template, askable):
    guarded("otp", COOLDOWN=[], LIMITS=[(5, 600)])
    for _ in range(5):
        _in_an_hour()
    _let_wait(3600)
    ready = threading.Barrier(8)

    def in_thread(go):
        ready.wait()
        go()
        connection.close()

    def send():
        for _ in range(5):
            with contextlib.suppress(SendBlocked):
                otp()

    goes = [*[work] * 4, *[send] * 4]
    threads = [threading.Thread(target=in_thread, args=[go]) for go in goes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(askable.sent) == 5


def test_cooldown__holds_among_what_waited_for_an_account(askable, otp_template):
    pace.pause("default", Reason.OUT_OF_MESSAGES)
    queue_message("login_otp", PHONE, {"otp": "1"})
    _let_wait(100)
    queue_message("login_otp", PHONE, {"otp": "2"})
    _let_wait(100)
    resume_account("default")

    assert work().sent == 1
    assert MessageLog.objects.filter(status="queued").count() == 1
    _let_wait(31)
    assert work().sent == 1


@pytest.mark.parametrize(("more", "asked"), [(0, False), (1, True)])
def test_limit__what_goes_soon_after_it_was_queued_is_not_asked_about_again(
    askable, otp_template, at_hour, more, asked
):
    message = queue_message("login_otp", PHONE, {"otp": "1"})
    at_hour(message.created_at + timedelta(seconds=turns.STANDS, microseconds=more))
    with CaptureQueriesContext(connection) as captured:
        assert len(claim(8)) == 1

    told = [query["sql"] for query in captured.captured_queries]
    assert any("numberhistory" in sql for sql in told) == asked


def test_limit__what_waited_and_has_none_leaves_no_history(askable, order_template, order_params):
    queue_message("order_confirmation", PHONE, order_params)
    _let_wait(3600)
    suppress(OTHER)

    assert work().sent == 1
    assert not NumberHistory.objects.exists()


def test_limit__campaign_that_is_tried_again_takes_its_turns_again(guarded, advertisement, askable):
    guarded("advertising", HOURS={}, LIMITS=[(3, 86_400, "3")])
    agree()
    campaign = queue_campaign(advertisement, [{"to": PHONE, "shop": "An"}])
    [message] = claim(8)
    lifecycle.give_up(message, Reason.INTERNAL_ERROR)
    _let_wait(25 * 3600)
    for _ in range(3):
        sale()

    assert retry_campaign(campaign) == 1
    work()
    message.refresh_from_db()
    assert (message.status, message.reason) == ("not_sent", "recipient_limit")
    assert len(askable.sent) == 3


# Hours


def test_hours__advertising_at_night_is_blocked(askable, advertisement, at_hour):
    agree()
    at_hour(NIGHT)
    error = blocked(sale)

    assert (error.reason, error.retry_after) == ("outside_hours", 8 * 3600)
    assert "07:00 25/12" in str(error)
    assert "SMS" in str(error)


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        (["3"], "SMS: not at this hour; again"),
        (["1", "3"], "could slide to it"),
        (["3", "1"], "would slide to the route's next channel"),
    ],
)
def test_hours__say_where_a_route_would_slide(askable, advertisement, at_hour, channels, words):
    agree()
    at_hour(NIGHT)
    RouteRule.objects.create(name="Asked", channels=channels)

    assert words in str(blocked(sale, route="Asked"))


def test_hours__by_zalo_alone_advertising_may_go_at_night(askable, advertisement, at_hour):
    agree()
    at_hour(NIGHT)
    RouteRule.objects.create(name="ZNS", channels=["1"])

    assert sale(route="ZNS").status == "accepted"


def test_hours__template_that_zalo_bars_at_night(askable, otp_template, at_hour):
    at_hour(NIGHT)
    MessageTemplate.objects.update(bars_zns_at_night=True)
    error = blocked(otp)

    assert (error.reason, error.retry_after) == ("outside_hours", 7 * 3600)


def test_hours__queued_message_that_zalo_bars_at_night_waits_for_the_morning(askable, otp_template):
    MessageTemplate.objects.update(bars_zns_at_night=True)
    tomorrow = timezone.now().astimezone(hours.ZONE) + timedelta(days=1)
    night = tomorrow.replace(hour=23, minute=0, second=0, microsecond=0)
    message = queue_message("login_otp", PHONE, {"otp": "1"}, send_at=night)

    assert message.send_at == night + timedelta(hours=7)


def test_hours__message_that_zalo_bars_waits_where_its_turn_comes_at_night(
    askable, otp_template, at_hour
):
    message = queue_message("login_otp", PHONE, {"otp": "1"})
    MessageTemplate.objects.update(bars_zns_at_night=True)
    at_hour(NIGHT)

    assert claim(8) == []
    message.refresh_from_db()
    assert message.send_at == NIGHT + timedelta(hours=7)


def test_hours__are_asked_for_each_category_that_waits(
    guarded, advertisement, otp_template, at_hour
):
    at_hour(NOON)
    agree()
    queue_message("sale", PHONE, {"shop": "An"})
    queue_message("login_otp", OTHER, {"otp": "1"})
    at_hour(NIGHT)
    claimed = claim(8)

    assert [one.template_code for one in claimed] == ["login_otp"]


def test_closed__is_what_zalo_bars_at_night(askable):
    told = guards.closed("otp", ["1", "3"], bars_zns=True, at=NIGHT)

    assert told == guards.Closed(["1"], NIGHT + timedelta(hours=7))


def test_hours__other_categories_have_none(askable, otp_template, at_hour):
    at_hour(NIGHT)

    assert otp().status == "accepted"


def test_hours__off(guarded, advertisement, at_hour):
    agree()
    at_hour(NIGHT)
    guarded("advertising", HOURS=None)

    assert sale().status == "accepted"


def test_hours__that_never_meet(guarded, advertisement, at_hour):
    agree()
    at_hour(NOON)
    guarded("advertising", HOURS={"1": ("01:00", "02:00"), "3": ("03:00", "04:00")})
    error = blocked(sale)
    queued = blocked(queue_message, "sale", PHONE, {"shop": "An"})

    assert (error.reason, error.retry_after) == ("outside_hours", None)
    assert "no hour" in str(error)
    assert str(queued) == str(error)


def test_hours__queued_message_waits_for_the_morning(guarded, advertisement):
    agree()
    now = timezone.now()
    opens = (now + timedelta(hours=2)).astimezone(hours.ZONE).replace(second=0, microsecond=0)
    closes = opens + timedelta(hours=1)
    guarded("advertising", HOURS={"3": (f"{opens:%H:%M}", f"{closes:%H:%M}")})
    message = queue_message("sale", PHONE, {"shop": "An"})

    assert message.send_at == opens
    assert message.expires_at == opens + timedelta(days=1)
    assert work().sent == 0


def test_hours__message_that_would_expire_before_they_begin_is_refused(guarded, advertisement):
    agree()
    opens = (timezone.now() + timedelta(hours=2)).astimezone(hours.ZONE)
    opens = opens.replace(second=0, microsecond=0)
    closes = opens + timedelta(hours=1)
    guarded("advertising", HOURS={"3": (f"{opens:%H:%M}", f"{closes:%H:%M}")})

    with pytest.raises(InvalidMessage) as caught:
        queue_message("sale", PHONE, {"shop": "An"}, expires_at=opens)

    assert caught.value.message_dict == {
        "expires_at": [
            f"This is before the hours in which it may be sent, which begin at {opens:%H:%M %d/%m}."
        ]
    }
    assert not MessageLog.objects.exists()
    message = queue_message("sale", PHONE, {"shop": "An"}, expires_at=closes)
    assert message.send_at == opens


def test_hours__message_whose_turn_comes_at_night_waits(guarded, advertisement, askable):
    agree()
    guarded("advertising", HOURS=None)
    message = queue_message("sale", PHONE, {"shop": "An"})
    opens = (timezone.now() + timedelta(hours=2)).astimezone(hours.ZONE)
    guarded("advertising", HOURS={"3": (f"{opens:%H:%M}", f"{opens + timedelta(hours=1):%H:%M}")})
    work()
    message.refresh_from_db()

    assert (message.status, askable.sent) == ("queued", [])
    assert message.send_at == opens.replace(second=0, microsecond=0)


def test_hours__message_that_never_may_go_is_asked_after_until_it_expires(
    guarded, advertisement, askable
):
    agree()
    guarded("advertising", HOURS=None)
    message = queue_message("sale", PHONE, {"shop": "An"})
    guarded("advertising", HOURS={"1": ("01:00", "02:00"), "3": ("03:00", "04:00")})
    work()
    message.refresh_from_db()

    assert message.status == "queued"
    assert abs(message.send_at - message.expires_at) < timedelta(minutes=1)


def test_hours__campaign_waits_for_the_morning_without_being_touched(
    guarded, advertisement, askable
):
    agree()
    opens = (timezone.now() + timedelta(hours=2)).astimezone(hours.ZONE)
    guarded("advertising", HOURS={"3": (f"{opens:%H:%M}", f"{opens + timedelta(hours=1):%H:%M}")})
    queue_campaign(advertisement, [{"to": PHONE, "shop": "An"}])
    before = MessageLog.objects.values().get()
    work()

    assert MessageLog.objects.values().get() == before
    guarded("advertising", HOURS=None)
    assert work().sent == 1


# Spending


def test_spending__cap_of_a_day(capped, order_template, order_params, caplog):
    capped(MAX_PAID_PER_DAY=5)
    for _ in range(5):
        send_message("order_confirmation", PHONE, order_params)
    error = blocked(send_message, "order_confirmation", PHONE, order_params)

    assert error.reason == "spending_cap"
    assert 0 < error.retry_after <= 86_400
    [warning] = [one for one in caplog.messages if "has spent" in one]
    assert warning == "Account 'default' has spent 4 of the 5 paid messages that a day may cost."


def test_spending__cap_of_a_month(capped, order_template, order_params):
    capped(MAX_PAID_PER_MONTH=1)
    send_message("order_confirmation", PHONE, order_params)
    error = blocked(send_message, "order_confirmation", PHONE, order_params)

    assert "of the month" in str(error)
    assert error.retry_after <= 31 * 86_400


def test_spending__counts_what_the_provider_told(capped, order_template, order_params):
    def spend(status, number, paid, days=0):
        DayTally.objects.create(
            day=timezone.localdate() - timedelta(days),
            account="default",
            template_code="order_confirmation",
            status=status,
            number=number,
            paid_messages=paid,
        )

    spend("delivered", 2, 5)
    spend("accepted", 3, 0)
    spend("undelivered", 7, 1)
    spend("rejected", 9, 0)
    spend("delivered", 50, 50, days=40)
    capped(MAX_PAID_PER_DAY=20, MAX_PAID_PER_MONTH=30)

    assert [one.spent for one in spending.spendings(etelecom_settings.account("default"))] == [9, 9]


def test_spending__what_waits_waits_for_the_next_day(capped, order_template, order_params):
    capped(MAX_PAID_PER_DAY=3)
    queue_campaign(order_template, [{"to": PHONE, **order_params}] * 5)
    queued = queue_message("order_confirmation", PHONE, order_params)
    work()
    spending.forget()
    work()
    queued.refresh_from_db()

    assert Counter(MessageLog.objects.values_list("status", flat=True)) == {
        "accepted": 3,
        "queued": 3,
    }


def test_spending__is_read_anew_after_a_while(capped, order_template, order_params, monkeypatch):
    capped(MAX_PAID_PER_DAY=2)
    send_message("order_confirmation", PHONE, order_params)
    DayTally.objects.all().delete()
    monkeypatch.setattr(spending, "FRESH_FOR", 0)

    assert spending.spendings(etelecom_settings.account("default"))[0].spent == 0


def test_spending__counts_what_a_transaction_is_to_send(
    capped, order_template, order_params, monkeypatch
):
    monkeypatch.setattr(spending, "FRESH_FOR", 0)
    capped(MAX_PAID_PER_DAY=2)
    with transaction.atomic():
        for _ in range(2):
            send_message("order_confirmation", PHONE, order_params)
        error = blocked(send_message, "order_confirmation", PHONE, order_params)

    assert error.reason == "spending_cap"


def test_spending__counts_what_is_being_sent_and_not_what_waits(
    capped, order_template, make, monkeypatch
):
    monkeypatch.setattr(spending, "FRESH_FOR", 0)
    capped(MAX_PAID_PER_DAY=9)
    make(status="sending")
    make(status="queued", send_at=timezone.now())
    make(status="sending", account="another")

    assert spending.spendings(etelecom_settings.account("default"))[0].spent == 1


def test_spending__keeps_what_is_let_through_while_it_is_read(capped, monkeypatch):
    monkeypatch.setattr(spending, "FRESH_FOR", 0)
    capped(MAX_PAID_PER_DAY=9)
    account = etelecom_settings.account("default")
    spending.spendings(account)
    monkeypatch.setattr(spending, "_spent", lambda *_: spending.note_sending(account, 3) or 0)

    assert spending.spendings(account)[0].spent == 3


def test_budget__of_an_account(guarded, otp_template):
    guarded("otp", BUDGET=(3, 60))
    for last in range(3):
        otp(f"091234560{last}")
    error = blocked(otp)

    assert (error.reason, error.retry_after) == ("account_budget", 60)


def test_budget__counts_what_is_in_the_table(guarded, otp_template, order_template, order_params):
    for last in range(3):
        otp(f"091234560{last}")
    send_message("order_confirmation", PHONE, order_params)
    MessageLog.objects.filter(recipient="84912345600").update(
        created_at=timezone.now() - timedelta(hours=2)
    )
    guarded("otp", BUDGET=(3, 3600))

    assert otp().status == "accepted"
    assert blocked(otp, OTHER).reason == "account_budget"


def test_budget__off(guarded, otp_template):
    guarded("otp", BUDGET=None)

    assert otp().status == "accepted"


# What a check says


def test_check__lists_every_guard_s_verdict(askable, otp_template):
    check = check_message("login_otp", PHONE, {"otp": "483920"})

    assert [one.guard for one in check.verdicts] == list(verdicts.Guard)
    assert check.sendable
    assert not NumberHistory.objects.exists()


def test_check__says_what_would_stop_it(askable, otp_template):
    otp()
    suppress()
    pace.pause("default", Reason.CREDENTIALS)
    check = check_message("login_otp", PHONE, {"otp": "483920"})

    assert not check.sendable
    assert {one.guard: one.reason for one in check.verdicts if not one.passes} == {
        "account": "account_paused",
        "suppression": "suppressed",
        "cooldown": "cooldown",
    }
    assert 28 <= verdict(check, "cooldown").retry_after <= 30


def test_check__says_so_of_advertising_at_night(askable, advertisement, at_hour):
    at_hour(NIGHT)
    check = check_message("sale", PHONE, {"shop": "An"})

    assert [one.reason for one in check.verdicts if not one.passes] == [
        "no_consent",
        "outside_hours",
    ]


# Settings


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ([], "maps categories"),
        ({"sms": {}}, "maps categories"),
        ({"otp": []}, "maps guards"),
        ({"otp": {"LIMIT": []}}, "maps guards"),
        ({"otp": {"LIMITS": 5}}, "['LIMITS'] is a list"),
        ({"otp": {"LIMITS": [5]}}, "['LIMITS'] is a list"),
        ({"otp": {"LIMITS": [(5, 0)]}}, "['LIMITS'] is a list"),
        ({"otp": {"LIMITS": [(True, 60)]}}, "['LIMITS'] is a list"),
        ({"otp": {"LIMITS": [(1, 60, "4")]}}, "['LIMITS'] is a list"),
        ({"otp": {"LIMITS": [(1, 60, "1", 2)]}}, "['LIMITS'] is a list"),
        ({"otp": {"COOLDOWN": [0]}}, "['COOLDOWN'] is a list"),
        ({"otp": {"COOLDOWN": "30"}}, "['COOLDOWN'] is a list"),
        ({"otp": {"BUDGET": 5}}, "['BUDGET'] is how many"),
        ({"otp": {"BUDGET": (20_000_000, 60)}}, "at most 10000000 messages in 2678400 seconds"),
        ({"otp": {"COOLDOWN": [0, 30]}}, "seconds, each from 1 to 86400"),
        ({"otp": {"BUDGET": (1, 2, 3)}}, "['BUDGET'] is how many"),
        ({"otp": {"CONSENT": 1}}, "['CONSENT'] is True or False"),
        ({"otp": {"HOURS": []}}, "['HOURS'] is a mapping"),
        ({"otp": {"HOURS": {"4": ("07:00", "22:00")}}}, "['HOURS'] is a mapping"),
        ({"otp": {"HOURS": {"3": ("7", "22:00")}}}, "['HOURS'] is a mapping"),
        ({"otp": {"HOURS": {"3": (7, 22)}}}, "['HOURS'] is a mapping"),
        ({"otp": {"HOURS": {"3": ("07:00", "07:00")}}}, "['HOURS'] is a mapping"),
        ({"otp": {"HOURS": {"3": ("07:00+07:00", "22:00")}}}, "['HOURS'] is a mapping"),
        ({"otp": {"HOURS": {"3": "07:00"}}}, "['HOURS'] is a mapping"),
    ],
)
def test_rules__that_cannot_be_used_are_told_before_anything_is_sent(
    rules, words, askable, otp_template, settings
):
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": rules}
    with pytest.raises(ImproperlyConfigured) as caught:
        otp()

    assert words in str(caught.value)
    assert askable.sent == []


def test_rules__of_each_category_hold_without_settings():
    assert [rules_of({}, one).has_turns for one in ("otp", "transactional", "advertising")] == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize("cap", [0, -1, 1.5, "5", True])
def test_cap__that_cannot_be_used_is_told(cap, capped, otp_template):
    capped(MAX_PAID_PER_DAY=cap)

    with pytest.raises(ImproperlyConfigured, match="MAX_PAID_PER_DAY"):
        otp()


def test_rules__are_remembered_for_no_more_settings_than_a_site_has():
    for number in range(1, 300):
        rules_of({"otp": {"COOLDOWN": [number]}}, "otp")

    assert len(guard_rules._read) <= guard_rules.MOST_READ + 1
    assert rules_of({"otp": {"COOLDOWN": [1]}}, "otp").cooldown == (1,)


# In words


def test_sentence__counts_the_seconds_while_they_are_few(askable, otp_template):
    otp()

    assert re.search(
        r"just had this message\. The next one may go in \d+ seconds\.$", str(blocked(otp))
    )


def test_sentence__tells_the_clock_where_they_are_many(guarded, otp_template):
    guarded("otp", COOLDOWN=[], LIMITS=[(1, 86_400)])
    otp()

    error = blocked(otp)

    again = timezone.localtime() + timedelta(seconds=error.retry_after)
    shown = {f"{again + timedelta(seconds=late):%H:%M %d/%m}" for late in (0, 59)}
    assert re.search(r"may go from (.*)\.$", str(error))[1] in shown


def test_sentence__of_a_spent_cap_tells_when_it_begins_anew(capped, otp_template):
    capped(MAX_PAID_PER_DAY=1)
    otp()

    error = blocked(otp)

    assert error.reason == "spending_cap"
    assert re.search(r"of the day\. The next one may go (from 00:00 |in \d+ second)", str(error))
