"""Templates over the API, to read."""

import pytest
from django.test import Client
from django.urls import reverse

from django_etelecom.models import MessageTemplate, RouteRule
from django_etelecom.schema import DEFAULT_MAX_LENGTH
from tests.api.conftest import told

TEMPLATES = "/api/templates/"


@pytest.fixture
def client(api_client):
    return api_client("view_messagetemplate")


def one(code):
    return reverse("etelecom_api:template", args=[code])


def test_template__with_all_of_its_parameters(client, order_template):
    note = order_template.parameters.get(name="note")
    note.max_length, note.pattern, note.example, note.secret = 10, "[a-z]+", "gift", True
    note.save()

    response = client.get(one("order_confirmation"))

    assert response.status_code == 200
    shown = told(response)
    parameters = shown.pop("parameters")
    assert shown == {
        "code": "order_confirmation",
        "name": "Order confirmation",
        "account": "default",
        "category": "transactional",
        "text": order_template.text,
        "is_active": True,
        "route": None,
    }
    assert [parameter["name"] for parameter in parameters] == [
        "customer_name",
        "order_code",
        "amount",
        "delivery_date",
        "note",
    ]
    assert parameters[2] == {
        "position": 2,
        "name": "amount",
        "kind": "money",
        "required": True,
        "max_length": DEFAULT_MAX_LENGTH["money"],
        "pattern": "",
        "secret": False,
        "example": "",
    }
    assert parameters[4] == {
        "position": 4,
        "name": "note",
        "kind": "text",
        "required": False,
        "max_length": 10,
        "pattern": "[a-z]+",
        "secret": True,
        "example": "gift",
    }


def test_template__one_time_password_is_secret_whatever_is_set(client, otp_template):
    [parameter] = told(client.get(one("login_otp")))["parameters"]

    assert parameter["secret"] is True


def test_template__of_its_own_route(client, order_template):
    order_template.route = RouteRule.objects.create(name="SMS", channels=["3"])
    order_template.save()

    assert told(client.get(one("order_confirmation")))["route"] == "SMS"


@pytest.mark.parametrize("code", ["a/b", "Đơn hàng 1", "a?b#c", "1.5%", "list"])
def test_template__is_found_by_whatever_code_it_has(client, default_route, code):
    MessageTemplate.objects.create(code=code)

    assert told(client.get(one(code)))["code"] == code


@pytest.mark.parametrize("code", ["nothing", "ORDER_CONFIRMATION", "a\0b", "x" * 101, "order/rows"])
def test_template__that_is_not_there(client, order_template, code):
    response = client.get(one(code))

    assert response.status_code == 404
    assert told(response)["detail"].startswith("There is no template with the code “")


def test_list__a_page_at_a_time(client, order_template, otp_template):
    first = told(client.get(f"{TEMPLATES}?limit=1"))
    second = told(client.get(first["next"]))

    assert [template["code"] for template in first["results"]] == ["login_otp"]
    assert [template["code"] for template in second["results"]] == ["order_confirmation"]
    assert second["next"] is None
    assert told(client.get(second["previous"])) == first


def test_list__costs_the_same_whatever_is_on_it(
    client, order_template, otp_template, django_assert_num_queries
):
    # The session and its user, two for the rights, the page, its parameters.
    with django_assert_num_queries(6):
        shown = told(client.get(TEMPLATES))

    assert [len(template["parameters"]) for template in shown["results"]] == [1, 5]


def test_list__query_that_cannot_be_is_refused(client):
    assert client.get(f"{TEMPLATES}?category=otp").status_code == 400


def test_rights__are_those_of_the_admin(api_client, order_template):
    client = api_client("send_message", "view_routerule", "view_campaign", username="lan")

    for address in (TEMPLATES, one("order_confirmation")):
        assert client.get(address).status_code == 403
        assert Client().get(address).status_code in (401, 403)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_methods__reading_is_all(client, order_template, method):
    for address in (TEMPLATES, one("order_confirmation")):
        assert getattr(client, method)(address).status_code == 405
