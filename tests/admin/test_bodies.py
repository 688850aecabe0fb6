"""What is posted to the admin is bounded, whatever page it is posted to."""

import pytest
from django.test import Client

from tests.admin.addresses import address, routes
from tests.admin.world import kept, make_world

pytestmark = pytest.mark.django_db(transaction=True)

LARGE = "x" * 3_000_000

TOO_LARGE = {
    "form": {"data": f"text={LARGE}", "content_type": "application/x-www-form-urlencoded"},
    "multipart": {"data": {"text": LARGE}},
    "fields": {"data": {f"text-{number}": "" for number in range(1001)}},
}


@pytest.fixture
def answers(scripted, order_template, admin_user):
    """Post the same to every page; return the status of each answer. Nothing changes by it."""
    world = make_world(order_template)
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    client.cookies["csrftoken"] = "c" * 32
    before = kept()

    def post(**body):
        statuses = {
            name: client.post(
                address(name, world.row(name) if "<" in route else None), **body
            ).status_code
            for name, route in routes().items()
        }
        assert kept() == before
        return statuses

    return post


def test_post__without_a_token_is_refused_on_every_page(answers):
    assert set(answers().values()) == {403}


@pytest.mark.parametrize("body", TOO_LARGE.values(), ids=TOO_LARGE)
def test_body__that_is_too_large_is_refused_on_every_page(answers, body):
    assert set(answers(**body).values()) == {400}
