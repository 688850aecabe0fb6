"""The API keeps to its own description, whatever it is sent and whoever sends it.

`tox run -e schemathesis`; the other environments do not have what it takes and skip it.
"""

import base64
import json

import hypothesis
import pytest
from django.contrib.auth.models import Permission
from django.core.wsgi import get_wsgi_application
from django.test import Client

from django_etelecom.models import Campaign, MessageLog, RouteRule
from django_etelecom.services import queue_campaign, queue_message, send_message
from tests.api.conftest import PHONE

schemathesis = pytest.importorskip("schemathesis")
pytest.importorskip("drf_spectacular")

from schemathesis.specs.openapi.checks import (  # noqa: E402  # where it is installed
    positive_data_acceptance,
)

pytestmark = pytest.mark.django_db(transaction=True)

EXAMPLES = 12
"""Requests that are made up for each operation."""

TAKE_ANYTHING = {"/api/templates/{code}/", "/api/routes/{name}/"}
"""Where any text may be a name there is no request that is not allowed."""

EXCLUDED = [
    # What is a phone number, a date of the calendar or a name of a route JSON Schema cannot say.
    positive_data_acceptance,
]


def login(name: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:secret'.encode()).decode()}"}


ROLES = {"anonymous": {}, "low": login("low"), "full": login("full")}


@pytest.fixture
def described(askable, order_template, otp_template, order_params, django_user_model, settings):
    """The API as it describes itself to one who may send."""
    settings.ALLOWED_HOSTS = ["localhost", "testserver"]
    django_user_model.objects.create_user("low", password="secret")
    full = django_user_model.objects.create_user("full", password="secret")
    full.user_permissions.set(Permission.objects.filter(content_type__app_label="etelecom"))
    send_message(order_template, PHONE, order_params)
    queue_message(order_template, PHONE, order_params)
    queue_campaign(order_template, [{"to": PHONE, **order_params}, {"to": "12"}])
    told = json.loads(Client(headers=login("full")).get("/api/schema/?format=json").content)
    for operations in told["paths"].values():
        for operation in operations.values():
            # Who asks is for the test to say.
            del operation["security"]
    schema = schemathesis.openapi.from_dict(told)
    schema.app = get_wsgi_application()
    return schema


thorough = hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.mark.parametrize("mode", schemathesis.GenerationMode)
@pytest.mark.parametrize("role", ROLES)
def test_api__answers_as_it_says(described, role, mode):
    for found in described.exclude(path="/api/schema/").get_all_operations():
        operation = found.ok()
        if mode.is_positive or operation.path not in TAKE_ANYTHING:
            answer_as_described(operation, role, mode)


def known(path: str, names) -> dict[str, str]:
    """Return what there is at a path: whatever is made up, there is nothing."""
    rows = Campaign if path.startswith("/api/campaigns/") else MessageLog
    there = {
        "public_id": str(rows.objects.first().public_id),
        "code": "order_confirmation",
        "name": RouteRule.objects.get().name,
    }
    return {name: there[name] for name in names}


def answer_as_described(operation, role: str, mode) -> None:
    """Make up requests, those that the description allows or others, and look at the answers."""

    @thorough
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
    def call(case):
        if mode.is_positive:
            case.path_parameters.update(known(case.path, case.path_parameters))
        case.call_and_validate(headers=ROLES[role], excluded_checks=EXCLUDED)

    call()
