"""Why didn't they get it? What staff read of a message."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import example, given, settings
from hypothesis import strategies as st

from django_etelecom import events, pace
from django_etelecom.client.codes import ZNS_ERRORS, ErrorGroup
from django_etelecom.events import Evidence
from django_etelecom.explanation import ADVICE_BY_GROUP, WORDS_OF_GROUP, Step, explain
from django_etelecom.models import Campaign, MessageEvent, MessageLog, MessageTemplate
from django_etelecom.models.messages import Reason, Source, Status
from django_etelecom.services import send_message

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def message(askable, order_template, order_params):
    """Accepted; its route is ZNS, then SMS."""
    return send_message(order_template, "0912345678", order_params)


def tell(message, status, *, source=Source.POLL, **fields):
    settled = fields.pop("settled", None)
    believed = fields.pop("believed", True)
    evidence = Evidence(source=source, status=status, **fields)
    events.record(message, evidence, believed=believed, settled=settled)


def explained(message):
    message.refresh_from_db()
    return explain(message, list(message.events.all()))


def in_state(message, **columns):
    MessageLog.objects.update(**columns)
    return explained(message)


def test_accepted__says_when_it_is_asked_about(message):
    told = in_state(message, next_poll_at=timezone.now() + timedelta(hours=1))

    assert told.where.startswith("eTelecom took it. Whether it arrived is not known yet.")
    assert "It is asked about again at" in told.where
    assert not told.where.endswith("..")
    assert told.advice == ["Ask eTelecom now, or come back later."]
    assert told.steps == [Step.REFRESH, Step.RESEND]
    assert (told.story, told.cost) == ([], "")


@pytest.mark.parametrize(
    ("columns", "where"),
    [
        ({"send_at": None}, "It waits to be sent."),
        ({"send_at": timezone.now()}, "It is sent as soon as a worker gets to it."),
        ({"send_at": timezone.now() + timedelta(hours=1), "attempts": 0}, "It is to be sent at"),
        ({"send_at": timezone.now() + timedelta(hours=1)}, "Nothing left this server."),
    ],
)
def test_queued__says_what_it_waits_for(message, columns, where):
    told = in_state(message, status="queued", provider_message_id="", **columns)

    assert told.where.startswith(where)
    assert (told.advice, told.steps) == ([], [Step.CANCEL])


def test_queued__of_a_paused_account(message):
    pace.pause(message.account, Reason.OUT_OF_MESSAGES)

    told = in_state(message, status="queued", send_at=timezone.now())

    assert told.where == "It waits: account “default” is paused."


NOON = datetime(2026, 12, 24, 5, 0, tzinfo=UTC)
NIGHT = datetime(2026, 12, 24, 16, 0, tzinfo=UTC)
MORNING = datetime(2026, 12, 25, 0, 0, tzinfo=UTC)
"""Twelve and twenty-three o'clock in Vietnam, and seven on the next day."""

BY_SMS = "It waits: SMS not before 07:00 on Dec. 25, 2026."


@pytest.mark.parametrize(
    ("now", "send_at", "where"),
    [
        (NIGHT, MORNING, BY_SMS),
        (NIGHT, NIGHT, BY_SMS),
        (NIGHT, NOON, BY_SMS),
        # Somebody has asked for it.
        (NIGHT, MORNING + timedelta(hours=1), "It is to be sent at 08:00 on Dec. 25, 2026."),
        (NOON, NOON, "It is sent as soon as a worker gets to it."),
    ],
)
def test_queued__waits_for_its_hours(message, at_hour, now, send_at, where):
    MessageTemplate.objects.update(category="advertising")
    at_hour(now)

    told = in_state(message, status="queued", attempts=0, send_at=send_at)

    assert told.where == where


def test_queued__whose_channels_are_never_open_together(message, at_hour, settings):
    rules = {"HOURS": {"1": ("07:00", "09:00"), "3": ("10:00", "12:00")}}
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": {"transactional": rules}}
    at_hour(NIGHT)

    told = in_state(message, status="queued", send_at=NIGHT)

    assert told.where == "It waits, and never goes: ZNS (Zalo) → SMS have no hour in common."


@pytest.mark.parametrize("period", ["day", "month"])
def test_queued__waits_for_its_accounts_cap(message, settings, period):
    accounts = settings.ETELECOM["ACCOUNTS"]
    capped = {**accounts["default"], f"MAX_PAID_PER_{period.upper()}": 1}
    settings.ETELECOM = {**settings.ETELECOM, "ACCOUNTS": {"default": capped}}

    told = in_state(message, status="queued", send_at=timezone.now())

    assert told.where.startswith(
        f"It waits: account “default” has spent its 1 paid messages of the {period}. It goes on at "
    )


def test_queued__under_settings_that_cannot_be_used(message, settings):
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": {"otp": 1, "no": 2}}

    told = in_state(message, status="queued", send_at=timezone.now())

    assert told.where == "It is sent as soon as a worker gets to it."


@pytest.mark.parametrize(
    ("status", "where"),
    [
        ("running", "It is sent as soon as a worker gets to it."),
        ("paused", "It waits: its campaign is paused."),
        ("checking", "It waits: its campaign is to be confirmed."),
    ],
)
def test_queued__of_a_campaign(message, status, where):
    campaign = Campaign.objects.create(template=message.template, status=status)

    told = in_state(message, status="queued", send_at=timezone.now(), campaign=campaign)

    assert told.where == where


def test_accepted__due_now(message):
    told = in_state(message, next_poll_at=timezone.now())

    assert "as soon as the worker gets to it" in told.where


def test_accepted__no_report_in_time(message):
    told = in_state(message, next_poll_at=None)

    assert "there was no report in time" in told.where
    assert told.advice[0].startswith("Call eTelecom")


def test_accepted__without_an_id(message):
    told = in_state(message, provider_message_id="", next_poll_at=None)

    assert "gave it no id" in told.where
    assert told.steps == [Step.RESEND]
    assert told.advice[0].startswith("Ask the customer")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (Status.DELIVERED, "A delivery report says that it arrived; eTelecom has not confirmed"),
        (Status.UNDELIVERED, "A delivery report says that it failed; eTelecom has not confirmed"),
        (Status.ACCEPTED, "eTelecom took it."),
    ],
)
def test_accepted__reported_and_not_confirmed(message, status, sentence):
    tell(message, status, source=Source.WEBHOOK, believed=False)

    assert explained(message).where.startswith(sentence)


def test_delivered__names_the_channel_and_the_cost(message):
    tell(message, Status.DELIVERED, channel="BrandnameSMS", network="3", paid_messages=2)

    told = explained(message)

    assert told.where == "It arrived, by SMS."
    assert told.story == ["SMS delivered it."]
    assert told.cost == "2 paid messages, Viettel"
    assert told.advice == []


def test_delivered__by_nobody_knows_what(message):
    tell(message, Status.DELIVERED, paid_messages=1, network="99")

    told = explained(message)

    assert told.where == "It arrived."
    assert told.cost == "1 paid message, 99"


def test_delivered__by_word_of_a_report(message):
    tell(message, Status.DELIVERED, source=Source.WEBHOOK, channel="SMS", paid_messages=0)

    told = explained(message)

    assert (
        told.where
        == "It arrived, by SMS. A delivery report says so; eTelecom was not asked about it."
    )
    assert told.cost == "0 paid messages"


def test_undelivered__may_yet_slide(message):
    tell(message, Status.UNDELIVERED, channel="ZNS", error_code="-118")

    told = explained(message)

    assert told.where.startswith(
        "It did not arrive by ZNS (Zalo). eTelecom may yet try the next channel. It is asked"
    )
    assert told.story[0].startswith("ZNS (Zalo) failed. Error -118: ")
    assert told.advice[0].startswith("Nothing yet: eTelecom tries the next channel by itself.")


def test_undelivered__not_asked_about_any_more(message):
    tell(message, Status.UNDELIVERED, channel="ZNS", error_code="-118")

    told = in_state(message, next_poll_at=None)

    assert told.where == "It did not arrive."
    assert told.advice == [str(ADVICE_BY_GROUP[ErrorGroup.RECIPIENT])]


def test_undelivered__for_good_by_a_code_that_is_not_published(message):
    tell(message, Status.UNDELIVERED, channel="SMS", error_code="-118")

    told = explained(message)

    assert told.where == "It did not arrive."
    assert told.story == ["SMS failed. Error -118; its meaning is not published."]
    assert told.advice == [
        "Check the number with the customer.",
        "Call eTelecom, and give them their id of the message.",
    ]


def test_undelivered__without_a_reason_by_the_only_channel(message):
    MessageLog.objects.update(channels=["2"])
    message.refresh_from_db()
    tell(message, Status.UNDELIVERED, channel="")

    told = explained(message)

    assert told.story == ["A channel that eTelecom does not name failed. eTelecom gave no reason."]
    assert told.advice == ["Send it again by a route with another channel."]


@pytest.mark.parametrize("code", sorted(ZNS_ERRORS))
def test_undelivered__every_published_code_has_words_and_advice(message, code):
    tell(message, Status.UNDELIVERED, channel="ZNS", error_code=str(code))

    told = explained(message)

    meaning = ZNS_ERRORS[code].meaning or str(WORDS_OF_GROUP[ZNS_ERRORS[code].group])
    assert told.story == [f"ZNS (Zalo) failed. Error {code}: {meaning}."]
    assert told.advice


def test_story__says_a_thing_once(message):
    for _ in range(3):
        tell(message, Status.UNDELIVERED, channel="ZNS", error_code="x")

    assert explained(message).story == ["ZNS (Zalo) failed. Error x; its meaning is not published."]


def test_story__report_that_nobody_confirmed_is_told_as_one(message):
    tell(message, Status.DELIVERED, source=Source.WEBHOOK, believed=False, channel="SMS")
    tell(message, Status.UNDELIVERED, channel="ZNS", error_code="-118")

    told = explained(message).story

    assert told[0] == "A delivery report says: SMS delivered it."
    assert told[1].startswith("ZNS (Zalo) failed.")


def test_story__report_that_was_confirmed_is_told_once(message):
    tell(message, Status.DELIVERED, source=Source.WEBHOOK, believed=False, channel="BrandnameSMS")
    tell(message, Status.DELIVERED, channel="SMS")

    assert explained(message).story == ["SMS delivered it."]


def test_story__question_without_an_answer(message):
    tell(message, None, reason=Reason.TIMEOUT)
    tell(message, None, reason=Reason.BAD_ANSWER, provider_detail="idOmniMess not found")

    assert [sentence.rpartition(": ")[2] for sentence in explained(message).story] == [
        "The provider did not answer in time.",
        "idOmniMess not found",
    ]


def test_story__id_that_two_messages_share(message):
    tell(message, Status.DELIVERED, believed=False, is_understood=False, reason=Reason.AMBIGUOUS)

    assert explained(message).story == [
        "Another message has the same id at eTelecom: the answer counts for none."
    ]


@pytest.mark.parametrize(
    ("status", "where", "steps"),
    [
        ("queued", "It waits to be sent.", [Step.CANCEL]),
        ("sending", "It is being sent at this moment.", []),
        ("cancelled", "It was cancelled before it was sent.", [Step.RESEND]),
    ],
)
def test_under_way(message, status, where, steps):
    told = in_state(message, status=status, provider_message_id="")

    assert (told.where, told.steps) == (where, steps)


@pytest.mark.parametrize("reason", [reason.value for reason in Reason][:8])
def test_rejected__every_refusal_has_advice(message, reason):
    told = in_state(message, status="rejected", reason=reason, provider_message_id="")

    assert told.where.startswith("eTelecom refused it: nothing went out. ")
    assert len(told.advice) == 1


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("suppressed", "See on the suppression list"),
        ("no_consent", "Record the person's consent"),
        ("recipient_limit", "Send it again tomorrow"),
    ],
)
def test_not_sent__stopped_by_a_guard_says_what_helps(message, reason, advice):
    told = in_state(message, status="not_sent", reason=reason, provider_message_id="")

    assert told.advice[0].startswith(advice)
    assert told.advice[1].startswith("Nothing went out")


def test_not_sent__may_be_sent_again(message):
    told = in_state(message, status="not_sent", reason="expired", provider_message_id="")

    assert told.where.startswith("It was not sent: nothing left this server. It was not worth")
    assert told.advice == ["Nothing went out, so sending it again cannot send it twice."]


def test_cancelled__advice(message):
    assert in_state(message, status="cancelled").advice == [
        "Send it again if it is wanted after all."
    ]


@pytest.mark.parametrize(
    ("provider_message_id", "advice"),
    [("", 1), ("ICOMNI1", 2)],
)
def test_unknown__asks_for_care(message, provider_message_id, advice):
    told = in_state(
        message, status="unknown", reason="timeout", provider_message_id=provider_message_id
    )

    assert told.where == "It is not known whether it went out. The provider did not answer in time."
    assert len(told.advice) == advice
    assert told.advice[-1].startswith("Ask the customer before sending it again")


CODES = st.sampled_from(
    [
        "",
        "-118",
        "-999",
        "0",
        "-１０８",
        "9" * 50,
        "-1_18",
        " -118 ",
        "x",
        "<b>",
        "-",
        "1e5",
        "\\u0000",
    ]
)
CHANNELS = st.sampled_from(
    ["", "ZNS", "1", "2", "BrandnameSMS", "AutoCall", "SMS Zalo", "4", "<i>"]
)
REASONS = st.sampled_from(["", *Reason.values])


@given(
    status=st.sampled_from(Status.values),
    row=st.fixed_dictionaries(
        {
            "reason": REASONS,
            "status_source": st.sampled_from(["", *Source.values]),
            "provider_message_id": st.sampled_from(["", "ICOMNI1"]),
            "channel": CHANNELS,
            "error_code": CODES,
            "network": CODES,
            "paid_messages": st.sampled_from([None, 0, 1, 2**31 - 1]),
            "channels": st.lists(st.sampled_from(["1", "2", "3"]), unique=True),
            "next_poll_at": st.sampled_from(
                [None, timezone.now() - timedelta(days=1), timezone.now() + timedelta(days=1)]
            ),
        }
    ),
    told=st.lists(
        st.fixed_dictionaries(
            {
                "source": st.sampled_from(Source.values),
                "status": st.sampled_from(["", *Status.values]),
                "reason": REASONS,
                "channel": CHANNELS,
                "error_code": CODES,
                "provider_status": CODES,
                "provider_detail": CODES,
            }
        ),
        max_size=3,
    ),
)
@example("rejected", {"reason": ""}, [])
@settings(max_examples=300)
def test_explain__anything_without_claiming_an_arrival(status, row, told):
    message = MessageLog(status=status, **row)

    explanation = explain(message, [MessageEvent(**one) for one in told])

    assert explanation.where
    assert explanation.where.startswith("It arrived") == (status == "delivered")
    assert all(isinstance(advice, str) and advice for advice in explanation.advice)
