"""Sending and queueing messages over the API."""

import json
from datetime import timedelta

import pytest
from django.contrib.auth.backends import BaseBackend
from django.db import connection
from django.utils import timezone

from django_etelecom import services
from django_etelecom.exceptions import SendBlocked
from django_etelecom.models import MessageLog, RouteRule
from django_etelecom.simulator import Outcome
from tests.api.conftest import MASKED, PHONE, ApiClient, told

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES = "/api/messages/"


def test_send__sends_now_and_tells_what_the_provider_says(scripted, sender, order):
    response = sender.post(MESSAGES, order)

    message = MessageLog.objects.get()
    assert response.status_code == 201
    assert response["Location"] == f"http://testserver/api/messages/{message.public_id}/"
    assert response["Cache-Control"] == "no-store"
    assert told(response) == {
        "public_id": str(message.public_id),
        "template": "order_confirmation",
        "account": "default",
        "recipient": MASKED,
        "params": {
            "customer_name": "Nguyễn Văn An",
            "order_code": "DH-1024",
            "amount": "150000",
            "delivery_date": "24/12/2026",
        },
        "channels": ["1", "3"],
        "route": "",
        "status": "accepted",
        "reason": "",
        "status_source": "send",
        "provider_message_id": "ICOMNI1",
        "provider_status": "1",
        "provider_detail": "Success",
        "channel": "",
        "error_code": "",
        "network": "",
        "paid_messages": None,
        "attempts": 1,
        "sent_by": "shop",
        "resend_of": None,
        "campaign": None,
        "metadata": {},
        "created_at": instant(message.created_at),
        "sent_at": instant(message.sent_at),
        "updated_at": instant(message.updated_at),
        "send_at": None,
        "expires_at": instant(message.expires_at),
    }
    assert message.sent_by == sender.user
    assert len(scripted.sent) == 1


def instant(value):
    return timezone.localtime(value).isoformat()


def test_send__over_a_real_socket(live, sender, order):
    response = sender.post(MESSAGES, order)

    assert told(response)["status"] == "accepted"
    [receipt] = live.receipts
    assert json.loads(receipt.body)["list_param"]["amount"] == "150000"


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.REFUSED_PARAMETER, "rejected"),
        (Outcome.BAD_GATEWAY, "unknown"),
        (Outcome.RESET_AFTER_READING, "unknown"),
    ],
)
def test_send__what_the_provider_says_is_a_status(live, sender, order, outcome, status):
    response = sender.post(MESSAGES, {**order, "to": outcome.phone_number})

    assert response.status_code == 201
    assert told(response)["status"] == status


def test_send__takes_a_route_and_metadata(scripted, sender, order):
    RouteRule.objects.create(name="SMS only", channels=["3"])

    response = sender.post(
        MESSAGES, {**order, "route": "SMS only", "metadata": {"order": 7, "tags": ["a"]}}
    )

    assert told(response)["channels"] == ["3"]
    assert told(response)["route"] == "SMS only"
    assert told(response)["metadata"] == {"order": 7, "tags": ["a"]}


@pytest.mark.parametrize("name", ["params", "route", "send_at", "expires_at", "metadata"])
def test_send__null_is_as_good_as_nothing(scripted, sender, order_template, order, name):
    order_template.parameters.all().delete()
    order_template.parameters.create(name="order_code", required=False)

    response = sender.post(MESSAGES, {**order, "params": {}, name: None})

    assert response.status_code == 201


def test_send__a_number_of_json_is_whole_on_the_wire(scripted, sender, order):
    order["params"]["amount"] = 123456789012

    sender.post(MESSAGES, order)

    assert scripted.sent[0].wire.reveal()["amount"] == "123456789012"


def test_send__decimals_go_as_text(scripted, sender, default_route, order_template, order):
    order_template.parameters.create(name="weight", kind="number")
    order["params"]["weight"] = "0.10"

    sender.post(MESSAGES, order)

    assert scripted.sent[0].wire.reveal()["weight"] == "0.10"


@pytest.mark.parametrize("value", [1.5, 150000.0, True, None, [], {}, 10**13, "1,5", -1])
def test_send__what_is_no_amount_is_refused(scripted, sender, order, value):
    order["params"]["amount"] = value

    response = sender.post(MESSAGES, order)

    assert response.status_code == 400
    assert list(told(response)) == ["params.amount"]
    assert not MessageLog.objects.exists()
    assert scripted.sent == []


@pytest.mark.parametrize("given", [{"recipient": "84912345679"}, {"channels": ["3"]}])
def test_send__what_it_is_told_by_is_no_way_to_say_it(scripted, sender, order, given):
    response = sender.post(MESSAGES, order | given)

    assert response.status_code == 400
    assert list(told(response)) == list(given)
    assert scripted.sent == []


@pytest.mark.parametrize("word", ["send_at=2026-12-24T08:00:00Z", "queue=true", "route=SMS"])
def test_send__what_the_address_says_is_refused(scripted, sender, order, word):
    response = sender.post(f"{MESSAGES}?{word}", order)

    assert response.status_code == 400
    assert told(response) == {word.partition("=")[0]: ["Give it in the body."]}
    assert scripted.sent == []


def test_send__what_only_the_app_writes_changes_nothing(scripted, sender, order):
    forged = {
        "status": "delivered",
        "account": "another",
        "provider_message_id": "ICOMNI9",
        "public_id": "00000000-0000-0000-0000-000000000000",
        "sent_by": "root",
        "created_at": "2020-01-01T00:00:00Z",
        "campaign": 7,
        "events": [{"status": "delivered"}],
    }

    response = sender.post(MESSAGES, {**order, **forged})

    assert response.status_code == 201
    message = MessageLog.objects.get()
    assert message.status == "accepted"
    assert message.account == "default"
    assert message.provider_message_id == "ICOMNI1"
    assert message.sent_by == sender.user
    assert message.created_at.year > 2020


def test_send__a_misspelt_field_is_refused(scripted, sender, order):
    response = sender.post(MESSAGES, {**order, "sendat": "2026-12-24T10:00:00Z"})

    assert response.status_code == 400
    assert told(response) == {
        "sendat": [
            "There is no field of this name. There are: "
            "template, to, params, route, queue, send_at, expires_at, metadata."
        ]
    }
    assert scripted.sent == []


def test_send__many_unknown_fields_are_told_of_in_part(scripted, sender, order):
    unknown = {f"field{number}": 1 for number in range(500)}

    response = sender.post(MESSAGES, {**order, **unknown, "\ud800": 1})

    assert response.status_code == 400
    assert len(told(response)) == 20


def test_send__missing_fields_are_named(scripted, sender, order):
    response = sender.post(MESSAGES, {"params": order["params"], "colour": "red"})

    assert response.status_code == 400
    assert set(told(response)) == {"template", "to", "colour"}


@pytest.mark.parametrize("body", [[], "text", 7, None, True])
def test_send__a_body_that_is_no_object_is_refused(scripted, sender, body):
    response = sender.post_text(MESSAGES, json.dumps(body))

    assert response.status_code == 400
    assert list(told(response)) == ["non_field_errors"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("to", 912345678),
        ("template", ["order_confirmation"]),
        ("template", "nothing_like_it"),
        ("route", "nothing like it"),
        ("route", True),
        ("send_at", "tomorrow"),
        ("send_at", 7),
        ("expires_at", "2020-01-01T00:00:00Z"),
        ("queue", "perhaps"),
        ("metadata", "text"),
        ("params", "text"),
    ],
)
def test_send__a_field_of_another_type_or_content_is_refused(scripted, sender, order, name, value):
    response = sender.post(MESSAGES, {**order, name: value})

    assert response.status_code == 400
    assert list(told(response)) == [name]
    assert scripted.sent == []


# --- Queueing -------------------------------------------------------------------------------------


def test_queue__leaves_it_to_a_worker(scripted, sender, order):
    response = sender.post(MESSAGES, {**order, "queue": True})

    assert response.status_code == 201
    assert told(response)["status"] == "queued"
    assert told(response)["send_at"] is not None
    assert scripted.sent == []


def test_queue__until_an_instant(scripted, sender, order):
    later = timezone.now() + timedelta(days=2)

    response = sender.post(MESSAGES, {**order, "send_at": later.isoformat()})

    assert response.status_code == 201
    message = MessageLog.objects.get()
    assert message.send_at == later
    assert message.expires_at > later


def test_queue__an_instant_without_offset_is_the_sites(scripted, sender, order):
    tomorrow = timezone.localtime().replace(tzinfo=None, microsecond=0) + timedelta(days=1)

    sender.post(MESSAGES, {**order, "send_at": tomorrow.isoformat()})

    assert timezone.localtime(MessageLog.objects.get().send_at).replace(tzinfo=None) == tomorrow


def test_queue__shows_no_secret(scripted, sender, otp_template):
    response = sender.post(
        MESSAGES,
        {"template": "login_otp", "to": PHONE, "params": {"otp": "937415"}, "queue": True},
    )

    assert told(response)["params"] == {"otp": "•••"}
    assert "937415" not in response.content.decode()
    assert "sealed" not in response.content.decode()
    assert MessageLog.objects.get().sealed_params


# --- Guards, transactions -------------------------------------------------------------------------


@pytest.mark.parametrize(("retry_after", "header"), [(61, "61"), (0.2, "1"), (None, None)])
def test_send__what_a_guard_stops_is_429(sender, order, monkeypatch, retry_after, header):
    def blocked(*args, **kwargs):
        raise SendBlocked("Enough for today.", reason="daily", retry_after=retry_after)

    monkeypatch.setattr("django_etelecom.api.messages.send_message", blocked)

    response = sender.post(MESSAGES, order)

    assert response.status_code == 429
    assert response.get("Retry-After") == header
    assert told(response) == {"detail": "Enough for today.", "reason": "daily"}


def test_send__a_guard_says_when_to_come_back(scripted, sender, otp_template):
    body = {"template": "login_otp", "to": PHONE, "params": {"otp": "123456"}}

    first, second = (sender.post(MESSAGES, body) for _time in range(2))

    assert [first.status_code, second.status_code] == [201, 429]
    assert int(second["Retry-After"]) > 0
    assert set(told(second)) == {"detail", "reason"}
    assert len(scripted.sent) == 1


def test_send__is_outside_of_the_requests_transaction(scripted, sender, order, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
    in_atomic = []
    send = services._send
    monkeypatch.setattr(
        services,
        "_send",
        lambda *args, **kwargs: (
            in_atomic.append(connection.in_atomic_block) or send(*args, **kwargs)
        ),
    )

    response = sender.post(MESSAGES, order)

    assert told(response)["status"] == "accepted"
    assert in_atomic == [False]


def test_send__a_site_that_cannot_send_is_503_without_detail(sender, order, settings, caplog):
    settings.ETELECOM = {"ACCOUNTS": {"default": {"BACKEND": "nowhere.Backend"}}}

    response = sender.post(MESSAGES, order)

    assert response.status_code == 503
    assert told(response) == {"detail": "This site is not set up to do this; its log says why."}
    assert "No module named 'nowhere'" in caplog.text
    assert not MessageLog.objects.exists()


class LetsAnybodySend(BaseBackend):
    def has_perm(self, user, permission, obj=None):
        return permission == "etelecom.send_message"


def test_send__whom_the_site_lets_send_without_logging_in(scripted, order, settings):
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.LetsAnybodySend"]

    response = ApiClient().post("/api/messages/", order)

    assert response.status_code == 201
    assert told(response)["sent_by"] is None
    assert MessageLog.objects.get().sent_by is None
