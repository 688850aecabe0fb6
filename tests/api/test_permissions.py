"""Who may do what at every address of the API, by every method."""

import json
from datetime import timedelta
from types import SimpleNamespace
from urllib.parse import quote

import pytest
from django.contrib.auth.models import AnonymousUser, Permission
from django.urls import get_resolver
from django.utils import timezone

from django_etelecom.api.permissions import HasRights
from django_etelecom.models import MessageLog, RouteRule
from django_etelecom.services import (
    pause_campaign,
    queue_campaign,
    queue_message,
    send_message,
)
from tests.admin.world import kept
from tests.api.conftest import PHONE, ApiClient

pytestmark = pytest.mark.django_db(transaction=True)

ROLES = {
    "nobody": [],
    "send": ["send_message"],
    "view": ["view_messagelog", "view_messageevent"],
    # Rights that open nothing by themselves.
    "resend": ["resend_message"],
    "numbers": ["view_recipient", "export_messages"],
    "follow": ["view_campaign"],
    "campaign": ["send_campaign"],
    "look": ["view_messagetemplate", "view_routerule"],
    # And as they are given.
    "support": ["view_messagelog", "send_message"],
    "resender": ["view_messagelog", "send_message", "resend_message"],
}
"""Permissions of the app that each role's user has, beside `anonymous` and `all`."""

ALL, ANONYMOUS = "all", "anonymous"
SEND = {"send", "support", "resender", ALL}
VIEW = {"view", "support", "resender", ALL}
CANCEL = {"support", "resender", ALL}
RESEND = {"resender", ALL}
FOLLOW = {"follow", "campaign", ALL}
CAMPAIGN = {"campaign", ALL}
LOOK = {"look", ALL}

ADDRESSES = {
    # name: who may do what there
    "messages": {"GET": VIEW, "POST": SEND},
    "message_check": {"POST": SEND},
    "message": {"GET": VIEW},
    "refresh": {"POST": VIEW},
    "resend": {"POST": RESEND},
    "cancel": {"POST": CANCEL},
    "templates": {"GET": LOOK},
    "template": {"GET": LOOK},
    "routes": {"GET": LOOK},
    "route": {"GET": LOOK},
    "campaigns": {"GET": FOLLOW, "POST": CAMPAIGN},
    "campaign": {"GET": FOLLOW},
    "campaign_rows": {"GET": FOLLOW},
    "campaign_pause": {"POST": CAMPAIGN},
    "campaign_resume": {"POST": CAMPAIGN},
    "campaign_cancel": {"POST": CAMPAIGN},
    "campaign_retry": {"POST": CAMPAIGN},
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")


def routes() -> dict[str, str]:
    """Return the routes of the API by name."""
    _prefix, resolver = get_resolver().namespace_dict["etelecom_api"]
    return {pattern.name: str(pattern.pattern) for pattern in resolver.url_patterns}


@pytest.fixture
def clients(django_user_model):
    made = {ANONYMOUS: ApiClient()}
    for role in (*ROLES, ALL):
        user = django_user_model.objects.create(username=role, is_superuser=role == ALL)
        granted = Permission.objects.filter(
            content_type__app_label="etelecom", codename__in=ROLES.get(role, [])
        )
        user.user_permissions.set(granted)
        assert granted.count() == len(ROLES.get(role, []))
        made[role] = ApiClient()
        made[role].force_login(user)
    return made


class Place:
    """The addresses of the API, filled in; each call of `body` is of something new to do."""

    def __init__(self, template, params) -> None:
        self.template, self.params = template, params

    def address(self, name: str) -> str:
        filled_in = {
            "<str:public_id>": lambda: str(self._row(name).public_id),
            "<path:code>": lambda: self.template.code,
            "<path:name>": lambda: quote(RouteRule.objects.get().name),
        }
        address = f"/api/{routes()[name]}"
        for hole, filling in filled_in.items():
            if hole in address:
                address = address.replace(hole, filling())
        return address

    def _row(self, name: str):
        if name.startswith("campaign"):
            rows = [{"to": PHONE, **self.params}, {**self.params, "to": "0912 345 67 8 9"}]
            campaign = queue_campaign(self.template, rows)
            return pause_campaign(campaign) if name == "campaign_resume" else campaign
        if name == "cancel":
            tomorrow = timezone.now() + timedelta(days=1)
            return queue_message(self.template, PHONE, self.params, send_at=tomorrow)
        return MessageLog.objects.filter(status="accepted").first()

    @property
    def body(self):
        return {"template": self.template.code, "to": PHONE, "params": self.params}

    @property
    def campaign_body(self):
        return {"template": self.template.code, "rows": [{"to": PHONE, **self.params}]}


@pytest.fixture
def place(askable, order_template, order_params):
    params = order_params | {"note": "Call 0912345678"}
    send_message(order_template, PHONE, params)
    return Place(order_template, params)


def test_addresses__each_is_told_of():
    assert set(ADDRESSES) == set(routes())


@pytest.mark.parametrize("name", ADDRESSES)
@pytest.mark.parametrize("method", METHODS)
def test_addresses__let_in_whom_they_may_and_refuse_others(place, clients, askable, name, method):
    allowed = ADDRESSES[name].get("GET" if method == "HEAD" else method)
    where = place.address(name)
    body = {"resend": {}, "campaigns": place.campaign_body}.get(name, place.body)

    def ask(role: str):
        client = clients[role]
        if method == "GET":
            return client.get(where)
        return client.generic(method, where, json.dumps(body), "application/json")

    before, sent = kept(), len(askable.sent)
    for role in clients.keys() - (allowed or set()):
        assert ask(role).status_code == (405 if allowed is None else 403), role
    assert (kept(), len(askable.sent)) == (before, sent)
    assert askable.asked == []

    for role in sorted(allowed or ()):
        answer = ask(role)
        assert answer.status_code in (200, 201), (role, answer.content)
    changes = method == "POST" and name != "message_check"
    assert (kept() != before) == (allowed is not None and changes)


@pytest.mark.parametrize(
    "role", ["view", "support", "resender", "send", "follow", "campaign", "look"]
)
def test_numbers__are_told_to_none_who_may_not_see_them(place, clients, role):
    client = clients[role]
    answers = [
        client.get(place.address("messages")),
        client.get(place.address("message")),
        client.post(place.address("messages"), place.body),
        client.post(place.address("message_check"), place.body),
        client.post(place.address("refresh")),
        client.post(place.address("resend")),
        client.post(place.address("resend"), {"to": "0987 654 321"}),
        client.get(place.address("messages")),
        client.post(place.address("cancel")),
        client.get(place.address("campaigns")),
        client.post(place.address("campaigns"), place.campaign_body),
        client.get(place.address("campaign")),
        client.get(place.address("campaign_rows")),
    ]

    assert {answer.status_code for answer in answers} <= {200, 201, 403}
    assert not [answer for answer in answers if b"12345678" in answer.content]


@pytest.mark.parametrize(
    "rights", [{}, {"GET": ()}, {"GET": []}, {"POST": ["etelecom.send_message"]}]
)
def test_rights__view_that_names_none_lets_nobody_in(admin_user, rights):
    view = SimpleNamespace(allowed_methods=["GET"], rights=rights)

    for user in (admin_user, AnonymousUser(), None):
        request = SimpleNamespace(method="GET", user=user)
        assert not HasRights().has_permission(request, view)
