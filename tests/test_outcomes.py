"""What each outcome of a real exchange leaves behind: row, event, and the error it turns into."""

import pytest

from django_etelecom import exceptions
from django_etelecom.models import MessageLog
from django_etelecom.services import send_message
from django_etelecom.simulator.outcomes import Outcome

pytestmark = pytest.mark.django_db(transaction=True)

REFUSALS = [
    (Outcome.REFUSED_PHONE_NUMBER, "-1", "phone_number", exceptions.PhoneNumberRefused),
    (Outcome.REFUSED_PARAMETER, "-2", "parameter", exceptions.ParameterRefused),
    (Outcome.REFUSED_OUT_OF_MESSAGES, "-3", "out_of_messages", exceptions.OutOfMessages),
    (Outcome.REFUSED_TEMPLATE, "-6", "template", exceptions.TemplateNotFound),
    (Outcome.REFUSED_ROUTE, "-8", "route", exceptions.RouteNotFound),
    (Outcome.REFUSED_CHANNEL, "-9", "channel", exceptions.ChannelNotFound),
]
UNAUTHORIZED = [
    (Outcome.UNAUTHORIZED, "credentials", exceptions.AuthenticationFailed),
    (Outcome.UNAUTHORIZED_JSON, "credentials", exceptions.AuthenticationFailed),
    (Outcome.ADDRESS_REFUSED, "address", exceptions.IPNotAllowed),
    (Outcome.ADDRESS_REFUSED_JSON, "address", exceptions.IPNotAllowed),
]
NOT_UNDERSTOOD = [
    (Outcome.UNKNOWN_CODE, 200),
    (Outcome.REDIRECT, 307),
    (Outcome.TOO_MANY_REQUESTS, 429),
    (Outcome.SERVER_ERROR, 500),
    (Outcome.BAD_GATEWAY, 502),
    (Outcome.EMPTY_BODY, 200),
    (Outcome.BAD_JSON, 200),
    (Outcome.HUGE_BODY, 200),
    (Outcome.GZIP_BOMB, 200),
]
NO_ANSWER = [
    (Outcome.HANG, "timeout"),
    (Outcome.TRICKLE, "timeout"),
    (Outcome.RESET_BEFORE_READING, "connection_lost"),
    (Outcome.RESET_AFTER_READING, "connection_lost"),
]


def send_to(outcome):
    return send_message("login_otp", outcome.phone_number, {"otp": "123456"})


@pytest.mark.parametrize(("outcome", "provider_status", "reason", "error"), REFUSALS)
def test_outcome__refusal(live, otp_template, outcome, provider_status, reason, error):
    message = send_to(outcome)

    event = message.events.get()
    assert (message.status, message.reason) == ("rejected", reason)
    assert message.provider_status == event.provider_status == provider_status
    assert message.provider_detail == event.provider_detail != ""
    assert (event.source, event.status, event.http_status) == ("send", "rejected", 200)
    with pytest.raises(error) as caught:
        message.raise_for_status()
    assert caught.value.message is message


@pytest.mark.parametrize(("outcome", "reason", "error"), UNAUTHORIZED)
def test_outcome__unauthorized(live, otp_template, outcome, reason, error):
    message = send_to(outcome)

    assert (message.status, message.reason) == ("rejected", reason)
    assert message.events.get().http_status == 401
    with pytest.raises(error):
        message.raise_for_status()


@pytest.mark.parametrize(("outcome", "http_status"), NOT_UNDERSTOOD)
def test_outcome__answer_that_is_not_understood_is_unknown(
    live, otp_template, outcome, http_status
):
    message = send_to(outcome)

    event = message.events.get()
    assert (message.status, message.reason) == ("unknown", "bad_answer")
    assert (event.status, event.reason, event.http_status) == ("", "bad_answer", http_status)
    assert len(live.receipts) == 1
    with pytest.raises(exceptions.OutcomeUnknown):
        message.raise_for_status()


@pytest.mark.parametrize(("outcome", "reason"), NO_ANSWER)
def test_outcome__no_answer_is_unknown(live, otp_template, outcome, reason):
    message = send_to(outcome)

    event = message.events.get()
    assert (message.status, message.reason) == ("unknown", reason)
    assert (event.status, event.reason, event.http_status) == ("unknown", reason, None)
    assert len(live.receipts) <= 1


def test_outcome__accepted_without_an_id(live, otp_template):
    message = send_to(Outcome.ACCEPTED_WITHOUT_ID)

    assert (message.status, message.provider_message_id) == ("accepted", "")
    message.raise_for_status()


def test_outcome__refused_connection_is_not_sent(otp_template, settings):
    settings.ETELECOM = {
        "ACCOUNTS": {
            "default": {"USERNAME": "u", "PASSWORD": "p", "BASE_URL": "http://127.0.0.1:9"}
        }
    }

    message = send_message("login_otp", "0912345678", {"otp": "123456"})

    event = message.events.get()
    assert (message.status, message.reason) == ("not_sent", "connection_refused")
    assert (event.status, event.failure_detail != "") == ("not_sent", True)
    with pytest.raises(exceptions.MessageNotSent):
        message.raise_for_status()


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        ("queued", "", None),
        ("sending", "", None),
        ("delivered", "", None),
        ("cancelled", "", exceptions.MessageNotSent),
        ("undelivered", "", exceptions.MessageUndelivered),
        ("rejected", "something new", exceptions.MessageRejected),
    ],
)
def test_raise_for_status__of_other_statuses(status, reason, error):
    message = MessageLog(status=status, reason=reason)

    if error is None:
        message.raise_for_status()
    else:
        with pytest.raises(error):
            message.raise_for_status()
