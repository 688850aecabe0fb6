"""Route rules over the API, to read."""

import pytest
from django.test import Client
from django.urls import reverse

from django_etelecom.models import RouteRule
from tests.api.conftest import told

ROUTES = "/api/routes/"


@pytest.fixture
def client(api_client):
    return api_client("view_routerule")


def one(name):
    return reverse("etelecom_api:route", args=[name])


def test_route__with_its_channels(client, default_route):
    response = client.get(one("ZNS, then SMS"))

    assert response.status_code == 200
    assert told(response) == {"name": "ZNS, then SMS", "channels": ["1", "3"], "is_default": True}


@pytest.mark.parametrize("name", ["ZNS → SMS", "1/3", "a?b"])
def test_route__is_found_by_whatever_name_it_has(client, db, name):
    RouteRule.objects.create(name=name, channels=["3"])

    assert told(client.get(one(name)))["name"] == name


@pytest.mark.parametrize("name", ["nothing", "zns, then sms", "a\0b", "x" * 101])
def test_route__that_is_not_there(client, default_route, name):
    response = client.get(one(name))

    assert response.status_code == 404
    assert told(response)["detail"].startswith("There is no route with the name “")


def test_list__a_page_at_a_time(client, default_route):
    RouteRule.objects.create(name="SMS", channels=["3"])

    first = told(client.get(f"{ROUTES}?limit=1"))
    second = told(client.get(first["next"]))

    assert [route["name"] for route in first["results"]] == ["SMS"]
    assert [route["name"] for route in second["results"]] == ["ZNS, then SMS"]
    assert second["next"] is None


def test_list__query_that_cannot_be_is_refused(client):
    assert client.get(f"{ROUTES}?name=SMS").status_code == 400


def test_rights__are_those_of_the_admin(api_client, default_route):
    client = api_client("send_message", "view_messagetemplate", username="lan")

    for address in (ROUTES, one("ZNS, then SMS")):
        assert client.get(address).status_code == 403
        assert Client().get(address).status_code in (401, 403)


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_methods__reading_is_all(client, default_route, method):
    for address in (ROUTES, one("ZNS, then SMS")):
        assert getattr(client, method)(address).status_code == 405
