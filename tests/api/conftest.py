"""Clients of the API, each with just the rights that a test gives it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

PHONE = "0912 345 678"
MASKED = "84912•••678"


class ApiClient(Client):
    """Sends and reads JSON; what is posted is posted as JSON."""

    def post(self, path: str, data: Any = None, content_type: str = "application/json", **extra):
        return super().post(path, data, content_type, **extra)

    def post_text(self, path: str, body: str | bytes, **extra):
        """Post a body as it is."""
        return self.generic("POST", path, body, "application/json", **extra)


def told(response) -> Any:
    """Return what an answer says."""
    assert response["Content-Type"] == "application/json", response.content
    return json.loads(response.content)


@pytest.fixture
def api_client(db, django_user_model) -> Callable[..., ApiClient]:
    """Make a client whose user, no member of the staff, has just these permissions of the app."""

    def make(*codenames: str, username: str = "shop") -> ApiClient:
        user = django_user_model.objects.create_user(username)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        assert user.user_permissions.count() == len(codenames)
        client = ApiClient()
        client.force_login(user)
        client.user = user
        return client

    return make


@pytest.fixture
def sender(api_client) -> ApiClient:
    return api_client("send_message")


@pytest.fixture
def order(order_template, order_params) -> dict[str, Any]:
    """The body of a message that can be sent."""
    return {"template": order_template.code, "to": PHONE, "params": order_params}
