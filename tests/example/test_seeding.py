"""What the example puts into its database."""

import pytest
from django.utils import timezone

from django_etelecom.models import Consent, MessageTemplate, RouteRule
from django_etelecom.services import (
    begin_upload,
    check_import,
    check_message,
    choose_columns,
    import_templates,
    load_parts,
)
from shop import seeding, simulation
from shop.models import Product
from tests.example.conftest import ROOT


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


@pytest.mark.django_db(transaction=True)
def test_registered__import_shows_one_new_and_one_changed_and_harms_none(live):
    seeding.seed()
    live.templates = simulation.REGISTERED

    plan = check_import()
    assert {change.code: change.is_new for change in plan.changes} == {
        "order_confirmation": False,
        "delivery_delayed": True,
    }

    import_templates(plan)
    for fields in seeding.TEMPLATES:
        examples = {parameter["name"]: parameter["example"] for parameter in fields["parameters"]}
        assert "{" not in check_message(fields["code"], "0912345678", examples).text


def test_sheet__shows_what_an_upload_tells(shop):
    with (ROOT / "example_project" / "campaign.csv").open("rb") as file:
        campaign = begin_upload("promotion", file, "campaign.csv")
    assert campaign.status == "matching"
    assert "last_day" not in campaign.columns

    choose_columns(campaign, {**campaign.columns, "last_day": "Ngày cuối"})

    assert load_parts(campaign, patience=60)
    campaign.refresh_from_db()
    assert (campaign.queued_rows, campaign.faulty_rows, campaign.repeated_rows) == (7, 2, 1)


def test_consents__all_of_the_sheet_but_one_and_a_withdrawn_one_stays_so(shop):
    assert Consent.objects.count() == 6
    Consent.objects.filter(recipient="84912345601").update(withdrawn_at=timezone.now())

    seeding.seed()

    assert Consent.objects.filter(withdrawn_at=None).count() == 5
    assert Consent.objects.count() == 6


def test_staff_login__gets_a_new_password_each_time(client, db):
    first, second = seeding.give_staff_login(), seeding.give_staff_login()

    assert not client.login(username=seeding.STAFF, password=first)
    assert client.login(username=seeding.STAFF, password=second)
