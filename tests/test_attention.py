"""What needs a person: what is found by looking, and what of it is worth a sentence."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone, translation

from django_etelecom import attention, pace
from django_etelecom.attention import Matter, Situation, concerns, look
from django_etelecom.models import (
    AccountState,
    Campaign,
    DayTally,
    InboxReport,
    MessageEvent,
)
from django_etelecom.models.messages import Reason, Source, Status
from django_etelecom.models.tallies import day_of
from django_etelecom.spending import Spending

TOKEN = "a-token-of-the-tests-only"


@pytest.fixture
def campaign(otp_template):
    return Campaign.objects.create(
        template=otp_template, template_code="login_otp", account="default", status="running"
    )


@pytest.fixture
def webhook(settings):
    settings.ETELECOM = {**settings.ETELECOM, "WEBHOOK_TOKENS": [TOKEN]}


def ago(**duration):
    return timezone.now() - timedelta(**duration)


def matters(situation: Situation) -> list[Matter]:
    return [concern.matter for concern in concerns(situation)]


def test_concerns__none_where_all_is_well():
    assert concerns(Situation(queued=10_001, sending=500)) == []


def test_look__at_an_empty_database(db):
    assert look() == Situation(paused=[], spendings=[])


@pytest.mark.parametrize("accounts", [{}, {"default": "no account"}])
def test_look__without_an_account_that_works(db, settings, accounts):
    settings.ETELECOM = {"ACCOUNTS": accounts}

    assert look() == Situation(paused=[], spendings=[])


# --- Paused -------------------------------------------------------------------------------------


def test_paused_account__is_told_with_its_reason(db):
    AccountState.objects.create(alias="second")
    pace.pause("default", Reason.OUT_OF_MESSAGES)

    [concern] = concerns(look())

    assert concern.matter is Matter.PAUSED
    assert concern.what == (
        "Account “default” is paused: its queued messages wait. The account has no messages left."
    )


def test_paused_account__by_a_name_that_turns_nothing(db):
    pace.pause("a\u202eb", Reason.OUT_OF_MESSAGES)

    [concern] = concerns(look())

    assert "\u202e" not in concern.what


# --- The queue ----------------------------------------------------------------------------------


def test_counts__of_what_is_under_way(make):
    make(status=Status.QUEUED)
    for _ in range(2):
        make(status=Status.SENDING, lease_expires_at=timezone.now() + timedelta(minutes=1))
    make(status=Status.ACCEPTED)

    situation = look()

    assert (situation.queued, situation.sending, situation.lapsed) == (1, 2, 0)


def test_counts__go_no_further_than_is_shown(make, monkeypatch):
    monkeypatch.setattr(attention, "MOST_COUNTED", 2)
    for _ in range(4):
        make(status=Status.QUEUED)

    assert look().queued == 3
    assert attention.capped(3) == "more than 2"
    assert attention.capped(2) == "2"


@pytest.mark.parametrize(("minutes", "lapsed"), [(2, 0), (6, 1)])
def test_lapsed__is_told_once_a_worker_would_have_noticed(make, minutes, lapsed):
    make(status=Status.SENDING, lease_expires_at=ago(minutes=minutes))

    situation = look()

    assert situation.lapsed == lapsed
    assert matters(situation) == [Matter.LAPSED] * lapsed


def test_waiting__the_oldest_that_should_have_gone(make):
    make(status=Status.QUEUED, send_at=ago(minutes=6))
    oldest = make(status=Status.QUEUED, send_at=ago(hours=3))
    make(status=Status.QUEUED, send_at=timezone.now() + timedelta(days=1))

    situation = look()

    assert situation.due_since == oldest.send_at
    [concern] = concerns(situation)
    assert concern.matter is Matter.WAITING
    assert timezone.localtime(oldest.send_at).strftime("%H:%M") in concern.what


@pytest.mark.parametrize(
    "fields",
    [
        {"send_at": timedelta(minutes=-2)},
        {"send_at": None},
        {"send_at": timedelta(hours=1)},
        {"send_at": timedelta(hours=-1), "status": Status.DELIVERED},
    ],
    ids=["just now", "not for a worker", "later", "gone"],
)
def test_waiting__is_not_what_may_wait(make, fields):
    # By the time of the test: that of the parameters is by minutes earlier.
    if fields["send_at"] is not None:
        fields = {**fields, "send_at": timezone.now() + fields["send_at"]}
    make(**{"status": Status.QUEUED, **fields})

    assert look().due_since is None


def test_waiting__is_not_what_a_paused_account_holds(make):
    pace.pause("default", Reason.CREDENTIALS)
    make(status=Status.QUEUED, send_at=ago(hours=1))

    assert matters(look()) == [Matter.PAUSED]


def test_waiting__of_any_account(make, settings):
    account = settings.ETELECOM["ACCOUNTS"]["default"]
    settings.ETELECOM = {"ACCOUNTS": {"default": account, "second": account}}
    late = make(status=Status.QUEUED, send_at=ago(hours=1), account="second")

    assert look().due_since == late.send_at


def test_waiting__a_campaign_while_nothing_is_sent(make, campaign):
    late = make(status=Status.QUEUED, send_at=ago(hours=1), campaign=campaign)
    assert look().due_since == late.send_at

    # They wait for their turn.
    make(status=Status.SENDING, lease_expires_at=timezone.now() + timedelta(minutes=1))
    assert look().due_since is None


def test_waiting__is_not_a_campaign_that_does_not_run(make, campaign):
    make(status=Status.QUEUED, send_at=ago(hours=1), campaign=campaign)
    Campaign.objects.update(status="paused")

    assert look().due_since is None


def test_waiting__is_not_a_campaign_of_no_account(make, campaign):
    Campaign.objects.update(account="Default")
    make(status=Status.QUEUED, send_at=ago(hours=1), campaign=campaign, account="Default")

    assert look().due_since is None


# --- Unknown ------------------------------------------------------------------------------------


def tally(number, *, days_ago=0, status=Status.UNKNOWN):
    DayTally.objects.create(
        day=day_of(ago(days=days_ago)),
        account="default",
        template_code="login_otp",
        status=status,
        number=number,
        paid_messages=0,
    )


def test_unknown__is_told_when_there_is_more_than_usual(db):
    for days_ago in range(1, 9):
        tally(3, days_ago=days_ago)
    tally(9)
    tally(-2)
    tally(50, status=Status.DELIVERED)

    situation = look()

    assert (situation.unknown_today, situation.unknown_usually) == (7, 3.0)
    [concern] = concerns(situation)
    assert concern.what == (
        "It is not known of 7 messages of today whether they were sent. Usual is 3 a day."
    )


@pytest.mark.parametrize(
    ("today", "usually", "is_told"),
    [(5, 0, False), (6, 0, True), (40, 20, False), (41, 20, True), (0, 90, False)],
)
def test_unknown__against_the_usual(today, usually, is_told):
    situation = Situation(unknown_today=today, unknown_usually=usually)

    assert bool(concerns(situation)) is is_told


# --- Reports ------------------------------------------------------------------------------------


@pytest.fixture
def sent(make):
    def sent(number, *, hours_ago=2.0, **fields):
        told = {
            "status": Status.ACCEPTED,
            "provider_message_id": "ICOMNI",
            "created_at": ago(hours=hours_ago),
            "sent_at": ago(hours=hours_ago),
        }
        return [make(**{**told, **fields}) for _ in range(number)]

    return sent


def test_silent__where_no_report_came_for_any(sent, webhook):
    for message in sent(10):
        MessageEvent.objects.create(message=message, source=Source.SEND)

    situation = look()

    assert situation.unreported == 10
    [concern] = concerns(situation)
    assert concern.matter is Matter.SILENT
    assert concern.what.startswith("The last 10 messages were sent more than an hour ago")


def test_silent__not_where_one_report_came(sent, webhook):
    MessageEvent.objects.create(message=sent(10)[0], source=Source.WEBHOOK)

    assert look().unreported == 0


@pytest.mark.parametrize(
    "fields",
    [
        {"hours_ago": 0.5},
        {"hours_ago": 30},
        {"provider_message_id": ""},
        {"sent_at": None},
        {"sent_at": ago(minutes=5)},
    ],
    ids=["just now", "long ago", "not taken", "not sent", "created long before"],
)
def test_silent__not_where_no_report_need_have_come(sent, webhook, fields):
    sent(10, **fields)

    assert look().unreported == 0


def test_silent__not_of_few(sent, webhook):
    sent(9)

    assert look().unreported == 0


@pytest.mark.parametrize("tokens", [[], ["short"]])
def test_silent__not_without_a_webhook_that_works(sent, settings, tokens):
    settings.ETELECOM = {**settings.ETELECOM, "WEBHOOK_TOKENS": tokens}
    sent(10)

    assert look().unreported == 0


def test_inbox__is_told_when_it_is_full(db, webhook, monkeypatch):
    monkeypatch.setattr(attention, "INBOX_SIZE", 3)
    for _ in range(2):
        InboxReport.objects.create(provider_message_id="nobody's")
    assert concerns(look()) == []

    InboxReport.objects.create(provider_message_id="nobody's")
    [concern] = concerns(look())
    assert concern.matter is Matter.INBOX
    assert concern.what.startswith("3 delivery reports are about no message of this site")


# --- All of it ----------------------------------------------------------------------------------


def test_look__asks_the_same_number_of_questions_whatever_there_is(
    sent, make, campaign, webhook, django_assert_num_queries
):
    with django_assert_num_queries(6):
        look()

    sent(20)
    for _ in range(20):
        make(status=Status.QUEUED, send_at=ago(hours=1))
        make(status=Status.QUEUED, send_at=ago(hours=1), campaign=campaign)
        pace.pause("default", Reason.CREDENTIALS)
        tally(1)

    with django_assert_num_queries(6):
        look()


def test_every_matter__has_its_sentence_and_advice(db):
    pace.pause("default", Reason.CREDENTIALS)
    everything = Situation(
        paused=list(AccountState.objects.all()),
        spendings=spent(900).spendings,
        lapsed=1,
        due_since=timezone.now(),
        unknown_today=100,
        unreported=100,
        in_inbox=attention.INBOX_SIZE,
    )

    found = concerns(everything)

    assert {concern.matter for concern in found} == set(Matter)
    assert all(concern.what and concern.advice for concern in found)


def test_capped__groups_digits_as_the_language_does():
    with translation.override("vi"):
        assert "10.000" in attention.capped(10_001)
        assert attention.capped(9_999) == "9.999"


# --- Caps -----------------------------------------------------------------------------------------


def spent(number, cap=1000, period="day"):
    ends_at = datetime(2026, 12, 24, 17, 0, tzinfo=UTC)
    return Situation(spendings=[("default", Spending(cap, number, period, ends_at))])


@pytest.mark.parametrize("number", [0, 799])
def test_spent__is_no_concern_while_enough_is_left(number):
    assert concerns(spent(number)) == []


@pytest.mark.parametrize("period", ["day", "month"])
def test_spent__most_of_it_is_told_beforehand(period):
    with translation.override("en"):
        [concern] = concerns(spent(800, period=period))

    assert concern.matter is Matter.SPENT
    assert concern.what == (
        f"Account “default” has spent 800 of its 1,000 paid messages of the {period}."
    )
    assert "will be needed until 00:00 on Dec. 25, 2026" in concern.advice
    assert f"MAX_PAID_PER_{period.upper()}" in concern.advice


def test_spent__all_of_it_tells_what_becomes_of_messages():
    with translation.override("en"):
        [concern] = concerns(spent(1001))

    assert concern.advice.startswith("Single messages are refused until 00:00 on Dec. 25, 2026")


@pytest.mark.django_db
def test_look__has_the_caps_of_all_accounts(settings):
    accounts = {"default": {"MAX_PAID_PER_DAY": 5}, "other": {"MAX_PAID_PER_MONTH": 6}, "free": {}}
    settings.ETELECOM = {"ACCOUNTS": accounts}
    DayTally.objects.create(
        day=day_of(timezone.now()),
        account="default",
        template_code="x",
        status=Status.DELIVERED,
        number=2,
        paid_messages=3,
    )

    found = [(alias, one.spent, one.cap) for alias, one in look().spendings]

    assert found == [("default", 3, 5), ("other", 0, 6)]
