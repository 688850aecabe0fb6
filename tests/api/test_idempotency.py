"""The header `Idempotency-Key`."""

import threading
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.utils import timezone

from django_etelecom.api import idempotency
from django_etelecom.api.messages import MessagesView
from django_etelecom.models import MessageLog, RouteRule
from django_etelecom.services import send_message
from tests.api.conftest import PHONE, told

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGES = "/api/messages/"
KEY = {"HTTP_IDEMPOTENCY_KEY": "order-1024"}


def resend_url(message) -> str:
    return f"{MESSAGES}{message.public_id}/resend/"


def test_key__same_body_is_answered_once_more_with_200(scripted, sender, order):
    first = sender.post(MESSAGES, order, **KEY)
    second = sender.post(MESSAGES, order, **KEY)

    assert [first.status_code, second.status_code] == [201, 200]
    assert told(first) == told(second)
    assert first["Location"] == second["Location"]
    assert len(scripted.sent) == 1


def test_key__the_same_in_other_spelling_is_the_same(scripted, sender, order):
    sender.post(MESSAGES, order, **KEY)

    second = sender.post(MESSAGES, {**order, "to": "+84 912.345.678", "metadata": {}}, **KEY)

    assert second.status_code == 200


@pytest.mark.parametrize(
    "other",
    [
        {"to": "0912345679"},
        {"route": "SMS only"},
        {"params": {"order_code": "DH-2"}},
        {"metadata": {"order": 2}},
        {"queue": True},
        {"expires_at": "in an hour"},
        {"send_at": "in an hour"},
    ],
)
def test_key__other_body_is_409(scripted, sender, order, other):
    RouteRule.objects.create(name="SMS only", channels=["3"])
    in_an_hour = (timezone.now() + timedelta(hours=1)).isoformat()
    other = {name: in_an_hour if value == "in an hour" else value for name, value in other.items()}
    if "params" in other:
        other["params"] = order["params"] | other["params"]
    sender.post(MESSAGES, order, **KEY)

    second = sender.post(MESSAGES, {**order, **other}, **KEY)

    assert second.status_code == 409
    assert list(told(second)) == ["detail"]
    assert MessageLog.objects.count() == 1
    assert len(scripted.sent) == 1


def test_key__of_a_queued_message_knows_its_instant(scripted, sender, order):
    at = [(timezone.now() + timedelta(hours=hours)).isoformat() for hours in (1, 2)]
    answers = [
        sender.post(MESSAGES, {**order, "send_at": send_at}, **KEY).status_code
        for send_at in (at[0], at[0], at[1])
    ]

    assert answers == [201, 200, 409]


def test_key__of_a_message_that_a_worker_tried_is_still_known(scripted, sender, order):
    body = {**order, "send_at": (timezone.now() + timedelta(hours=1)).isoformat()}
    sender.post(MESSAGES, body, **KEY)
    MessageLog.objects.update(attempts=1, send_at=timezone.now() + timedelta(hours=3))

    assert sender.post(MESSAGES, body, **KEY).status_code == 200


def test_key__of_a_stripped_message_is_still_known(scripted, sender, order):
    body = {**order, "metadata": {"order": 7}}
    sender.post(MESSAGES, body, **KEY)
    MessageLog.objects.update(recipient="", params={}, metadata={})

    second = sender.post(MESSAGES, body, **KEY)

    assert second.status_code == 200
    assert told(second)["recipient"] == ""


def test_key__of_another_user_never_meets(scripted, api_client, order):
    first = api_client("send_message", username="one").post(MESSAGES, order, **KEY)
    second = api_client("send_message", username="two").post(
        MESSAGES, {**order, "to": "0912345679"}, **KEY
    )

    assert [first.status_code, second.status_code] == [201, 201]
    assert len(scripted.sent) == 2


def test_key__of_users_whose_primary_keys_are_long_text():
    names = [f"{'Nguyễn Văn Ân ' * 20}{number}" for number in range(2)]
    longest = "k" * idempotency.LONGEST_KEY

    keys = {
        idempotency.idempotency_key(
            SimpleNamespace(headers={"Idempotency-Key": longest}, user=SimpleNamespace(pk=pk))
        )
        for pk in [*names, 1, "1", "a:b", UUID(int=1)]
    }

    assert len(keys) == 5
    assert max(map(len, keys)) <= 255


def test_key__of_the_sites_own_code_never_meets(scripted, sender, order):
    send_message(order["template"], PHONE, order["params"], idempotency_key="order-1024")

    assert sender.post(MESSAGES, order, **KEY).status_code == 201


def test_key__of_a_resend_is_spent_for_it_alone(scripted, api_client, order):
    client = api_client("send_message", "resend_message", "view_messagelog")
    first = send_message(order["template"], PHONE, order["params"])
    another = send_message(order["template"], PHONE, order["params"])

    answers = [
        client.post(resend_url(first), {}, **KEY),
        client.post(resend_url(first), {}, **KEY),
        client.post(resend_url(another), {}, **KEY),
        client.post(MESSAGES, order, **KEY),
    ]

    assert [answer.status_code for answer in answers] == [201, 200, 409, 409]
    assert len(scripted.sent) == 3


@pytest.mark.parametrize("key", ["", "a b", "a" * 129, "é", "\t"])
def test_key__that_cannot_be_one_is_refused(scripted, sender, order, key):
    response = sender.post(MESSAGES, order, HTTP_IDEMPOTENCY_KEY=key)

    assert response.status_code == 400
    assert told(response) == {
        "idempotency_key": ["Give 1 to 128 printable ASCII characters and no spaces."]
    }
    assert scripted.sent == []


def test_key__of_nobody_is_refused(order, rf, monkeypatch):
    # As a site's own backend of authorisation may have it.
    monkeypatch.setattr(AnonymousUser, "has_perms", lambda *args: True)

    response = MessagesView.as_view()(
        rf.post(MESSAGES, order, content_type="application/json", **KEY)
    )

    assert response.status_code == 400
    assert list(response.data) == ["idempotency_key"]


def test_key__of_many_requests_at_once_sends_one_message(scripted, api_client, order):
    client = api_client("send_message")
    answers = []
    barrier = threading.Barrier(6)

    def post():
        barrier.wait()
        try:
            answers.append(client.post(MESSAGES, order, **KEY).status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=post) for _number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == [200] * 5 + [201]
    assert len(scripted.sent) == 1
