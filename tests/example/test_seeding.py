"""What the example puts into its database."""

import pytest

from django_etelecom.models import MessageTemplate, RouteRule
from django_etelecom.services import check_message
from shop import seeding
from shop.models import Product


def test_seed__twice_adds_nothing_and_changes_nothing(shop):
    MessageTemplate.objects.filter(code="promotion").update(text="Mine")

    seeding.seed()

    assert MessageTemplate.objects.get(code="promotion").text == "Mine"
    assert Product.objects.count() == len(seeding.PRODUCTS)
    assert RouteRule.objects.count() == len(seeding.ROUTES)
    assert MessageTemplate.objects.get(code="order_confirmation").parameters.count() == 4


def test_seed__leaves_the_default_route_that_there_is(db):
    RouteRule.objects.create(name="Mine", channels=["2"], is_default=True)

    seeding.seed()

    assert RouteRule.objects.get(is_default=True).name == "Mine"


@pytest.mark.parametrize("fields", seeding.TEMPLATES, ids=lambda fields: fields["code"])
def test_seed__every_template_can_be_sent_by_its_examples(shop, etelecom_outbox, fields):
    examples = {parameter["name"]: parameter["example"] for parameter in fields["parameters"]}

    check = check_message(fields["code"], "0912345678", examples)

    assert check.channels
    assert "{" not in check.text


def test_staff_login__gets_a_new_password_each_time(client, db):
    first, second = seeding.give_staff_login(), seeding.give_staff_login()

    assert not client.login(username=seeding.STAFF, password=first)
    assert client.login(username=seeding.STAFF, password=second)
