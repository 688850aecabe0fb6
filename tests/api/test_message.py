"""One message over the API: looked at, asked about, sent again, cancelled."""

import uuid
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from django_etelecom.finding.events import MOST_EVENTS
from django_etelecom.models import MessageEvent, MessageLog, RouteRule
from django_etelecom.services import queue_campaign, queue_message, resend_message, send_message
from tests.api.conftest import MASKED, PHONE, told
from tests.numbers import shows_number

pytestmark = pytest.mark.django_db(transaction=True)


def address(message, word: str = "") -> str:
    return f"/api/messages/{message.public_id}/{word and word + '/'}"


@pytest.fixture
def reader(api_client):
    return api_client("view_messagelog")


@pytest.fixture
def resender(api_client):
    return api_client("view_messagelog", "send_message", "resend_message", username="resender")


@pytest.fixture
def sent(askable, order_template, order_params):
    return send_message(order_template, PHONE, order_params)


# --- Looked at ------------------------------------------------------------------------------------


def test_message__is_told_with_its_events(reader, sent):
    response = reader.get(address(sent))

    assert response.status_code == 200
    message = told(response)
    assert message["public_id"] == str(sent.public_id)
    assert message["recipient"] == MASKED
    assert message["has_more_events"] is False
    [event] = message["events"]
    assert event == {
        "source": "send",
        "status": "accepted",
        "reason": "",
        "http_status": 200,
        "provider_status": "1",
        "provider_detail": "Success",
        "channel": "",
        "error_code": "",
        "failure_detail": "",
        "payload": '{"status": "1"}',
        "created_at": timezone.localtime(sent.events.get().created_at).isoformat(),
    }


def test_message__has_no_column_that_is_not_for_a_reader(reader, sent):
    message = told(reader.get(address(sent)))

    assert not [name for name in message if "digest" in name or "sealed" in name or name == "id"]


def test_message__names_what_it_belongs_to(
    reader, askable, order_template, order_params, admin_user
):
    campaign = queue_campaign(order_template, [{"to": PHONE, **order_params}], sent_by=admin_user)
    of_campaign = MessageLog.objects.get(campaign=campaign)
    first = send_message(order_template, PHONE, order_params)
    second = resend_message(first, sent_by=admin_user)

    assert told(reader.get(address(of_campaign)))["campaign"] == str(campaign.public_id)
    message = told(reader.get(address(second)))
    assert message["resend_of"] == str(first.public_id)
    assert message["sent_by"] == "admin"


def test_message__number_is_masked_wherever_it_stands(reader, sent, django_user_model):
    customer = django_user_model.objects.create(username="0912345678")
    MessageLog.objects.filter(pk=sent.pk).update(
        sent_by=customer, metadata={"phone": "+84 912 345 678"}, provider_detail="0912.345.678"
    )
    sent.events.update(payload='{"phonenumber": "84912345678"}')

    body = reader.get(address(sent)).content.decode()

    assert not shows_number(body)


def test_message__number_is_told_to_whom_may_see_it(api_client, sent):
    client = api_client("view_messagelog", "view_recipient")

    assert told(client.get(address(sent)))["recipient"] == "84912345678"


def test_message__that_was_stripped_has_no_number(reader, sent):
    MessageLog.objects.filter(pk=sent.pk).update(recipient="", params={})

    message = told(reader.get(address(sent)))

    assert message["recipient"] == ""
    assert message["params"] == {}


def test_message__many_events_are_told_of_in_part(reader, sent):
    MessageEvent.objects.bulk_create(
        MessageEvent(message=sent, source="poll", error_code=str(number))
        for number in range(MOST_EVENTS + 10)
    )

    message = told(reader.get(address(sent)))

    assert message["has_more_events"] is True
    assert len(message["events"]) == MOST_EVENTS
    assert message["events"][0]["source"] == "send"
    assert message["events"][-1]["error_code"] == str(MOST_EVENTS + 9)


@pytest.mark.parametrize("public_id", [uuid.uuid4(), "7", "check ", "a" * 5000, "%00", "%F0%9F"])
@pytest.mark.parametrize("word", ["", "refresh/", "resend/", "cancel/"])
def test_message__that_there_is_not_is_404(resender, public_id, word):
    where = f"/api/messages/{public_id}/{word}"

    response = resender.post(where, {}) if word else resender.get(where)

    assert response.status_code == 404
    assert told(response) == {"detail": "There is no message of this id."}


def test_message__costs_two_queries(reader, sent, django_assert_num_queries):
    reader.get(address(sent))

    # Session, user, its rights and those of its groups; the message, its events.
    with django_assert_num_queries(6):
        reader.get(address(sent))


# --- Asked about ----------------------------------------------------------------------------------


def test_refresh__tells_what_the_provider_says(reader, askable, sent):
    askable.tell("success", channel="ZNS")

    response = reader.post(address(sent, "refresh"))

    assert response.status_code == 200
    assert told(response)["status"] == "delivered"
    assert [event["source"] for event in told(response)["events"]] == ["send", "poll"]
    assert askable.asked == ["ICOMNI1"]


def test_refresh__of_what_cannot_be_asked_about_is_refused(reader, askable, sent):
    MessageLog.objects.filter(pk=sent.pk).update(provider_message_id="")

    response = reader.post(address(sent, "refresh"))

    assert response.status_code == 400
    assert told(response) == {"message": ["The provider gave this message no id to ask by."]}
    assert askable.asked == []


def test_refresh__inside_a_transaction_of_the_sites_is_503(reader, askable, sent, caplog):
    with transaction.atomic():
        response = reader.post(address(sent, "refresh"))

    assert response.status_code == 503
    assert "call it outside of atomic()" in caplog.text
    assert askable.asked == []


# --- Sent again -----------------------------------------------------------------------------------


def test_resend__makes_a_new_message(resender, askable, sent):
    response = resender.post(address(sent, "resend"))

    assert response.status_code == 201
    message = MessageLog.objects.latest()
    assert told(response)["public_id"] == str(message.public_id)
    assert told(response)["resend_of"] == str(sent.public_id)
    assert response["Location"].endswith(address(message))
    assert message.resend_of == sent
    assert message.sent_by == resender.user
    assert message.params == sent.params


def test_resend__with_changes(resender, askable, sent):
    RouteRule.objects.create(name="SMS only", channels=["3"])

    response = resender.post(
        address(sent, "resend"),
        {"to": "0912345679", "params": {"order_code": "DH-2"}, "route": "SMS only"},
    )

    message = MessageLog.objects.latest()
    assert response.status_code == 201
    assert message.recipient == "84912345679"
    assert message.params == sent.params | {"order_code": "DH-2"}
    assert message.channels == ["3"]


def test_resend__secret_must_be_given_again(resender, askable, unhurried, otp_template):
    first = send_message(otp_template, PHONE, {"otp": "123456"})

    refused = resender.post(address(first, "resend"))
    taken = resender.post(address(first, "resend"), {"params": {"otp": "654321"}})

    assert refused.status_code == 400
    assert list(told(refused)) == ["params.otp"]
    assert taken.status_code == 201
    assert askable.sent[1].wire.reveal() == {"otp": "654321"}


def test_resend__quotes_no_number_of_the_first(resender, askable, order_template, order_params):
    first = send_message(order_template, PHONE, order_params | {"note": "0912345678"})
    order_template.parameters.filter(name="note").update(kind="date")

    response = resender.post(address(first, "resend"))

    assert list(told(response)) == ["params.note"]
    assert not shows_number(response.content.decode())


def test_resend__of_a_stripped_message_is_refused(resender, sent):
    MessageLog.objects.filter(pk=sent.pk).update(recipient="", params={})

    response = resender.post(address(sent, "resend"))

    assert response.status_code == 400
    assert list(told(response)) == ["message"]


@pytest.mark.parametrize("body", [{"account": "another"}, {"status": "delivered"}])
def test_resend__what_only_the_app_writes_changes_nothing(resender, sent, body):
    response = resender.post(address(sent, "resend"), body)

    assert response.status_code == 201
    assert MessageLog.objects.latest().template == sent.template


@pytest.mark.parametrize(
    "body",
    [
        {"too": "0912345679"},
        {"recipient": "84912345679"},
        {"template": "login_otp"},
        {"channels": ["3"]},
        {"send_at": "2026-12-24T08:00:00+07:00"},
        {"expires_at": "2026-12-24T08:00:00+07:00"},
        {"metadata": {"order": 7}},
        {"queue": True},
    ],
)
def test_resend__field_that_it_does_not_have_is_refused(resender, sent, body):
    response = resender.post(address(sent, "resend"), body)

    assert response.status_code == 400
    assert list(told(response)) == list(body)
    assert MessageLog.objects.count() == 1


# --- Cancelled ------------------------------------------------------------------------------------


def test_cancel__what_waits(resender, askable, order_template, order_params):
    tomorrow = timezone.now() + timedelta(days=1)
    message = queue_message(order_template, PHONE, order_params, send_at=tomorrow)

    first, again = (resender.post(address(message, "cancel")) for _time in range(2))

    assert [first.status_code, again.status_code] == [200, 200]
    assert told(first)["status"] == "cancelled"
    assert MessageLog.objects.get().status == "cancelled"


def test_cancel__what_went_out_is_409(resender, sent):
    response = resender.post(address(sent, "cancel"))

    assert response.status_code == 409
    assert told(response) == {"detail": "The message is accepted; nothing was changed."}
