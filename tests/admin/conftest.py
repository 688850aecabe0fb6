"""Who may do what in the admin, and the way from a filled-in form to its sealed check."""

import re
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from django_etelecom.models import MessageLog

PHONE = "0912 345 678"

ORDER = {
    "to": PHONE,
    "params.customer_name": "Nguyễn Văn An",
    "params.order_code": "DH-1024",
    "params.amount": "150000",
    "params.delivery_date": "2026-12-24",
}


@pytest.fixture
def staff_client(django_user_model) -> Callable[..., Client]:
    """Make a client that is logged in as staff with just these permissions of the app."""

    def make(*codenames: str, username: str = "lan") -> Client:
        user = django_user_model.objects.create_user(username, is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        assert user.user_permissions.count() == len(codenames)
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def viewer(staff_client):
    return staff_client("view_messagelog")


@pytest.fixture
def resender(staff_client):
    """Sees no numbers."""
    return staff_client("send_message", "resend_message", "view_messagelog")


@pytest.fixture
def sender(staff_client) -> Client:
    return staff_client("send_message", "view_messagelog")


def send_url(code: str = "") -> str:
    url = reverse("admin:etelecom_messagelog_send")
    return f"{url}?{urlencode({'template': code})}" if code else url


def page_of(message: MessageLog) -> str:
    return reverse("admin:etelecom_messagelog_change", args=[message.pk])


def refresh_url(message: MessageLog) -> str:
    return reverse("admin:etelecom_messagelog_refresh", args=[message.pk])


def page(response) -> str:
    return response.content.decode()


def faults(response) -> dict[str, list[str]]:
    """Return the sentences beside each field, those on top under `__all__`."""
    return response.context["adminform"].form.errors


def said(response) -> list[tuple[str, str]]:
    """Return the level and the text of what is told on top of the next page."""
    return [(told.level_tag, str(told)) for told in get_messages(response.wsgi_request)]


def sealed_in(response) -> str:
    """Return the sealed message of a check page."""
    [token] = re.findall(r'name="message" value="([^"]+)"', page(response))
    return token


def check(client: Client, code: str, fields: dict[str, str]) -> str:
    """Fill in the form and return what the check page sealed."""
    return sealed_in(client.post(send_url(code), {"step": "check", **fields}))


def confirm(client: Client, token: str, code: str = "order_confirmation", **extra):
    return client.post(send_url(code), {"step": "confirm", "message": token}, **extra)
