"""Ordering in the example's shop."""

import uuid

import pytest
from django.urls import reverse

from django_etelecom import pace
from django_etelecom.models import MessageLog, MessageTemplate
from django_etelecom.models.messages import Reason
from shop import orders
from shop.models import CONFIRMATION_WORDS, Order, Product
from shop_site import settings as shop_settings

pytestmark = [pytest.mark.urls("shop_site.urls"), pytest.mark.usefixtures("shop")]

PRODUCTS = "/"
NEW_ORDER = "/orders/new/"


@pytest.fixture
def tea():
    return Product.objects.get(name="Trà Thái Nguyên")


@pytest.fixture
def fields(tea):
    return {"product": tea.pk, "quantity": 2, "name": "Nguyễn Văn An", "phone": "0912 345 678"}


@pytest.fixture
def placed(etelecom_outbox, tea):
    order = Order(product=tea, name="Nguyễn Văn An", phone="0912345678")
    orders.place(order)
    return order


def test_products__are_listed_with_their_prices(client):
    page = client.get(PRODUCTS)

    assert "Trà Thái Nguyên" in page.text
    assert "150,000 ₫" in page.text


def test_products__none(client):
    Product.objects.all().delete()

    assert "Nothing is for sale" in client.get(PRODUCTS).text


def test_new_order__the_product_is_chosen_already(client, tea):
    page = client.get(NEW_ORDER, {"product": tea.pk})

    assert f'<option value="{tea.pk}" selected>' in page.text


def test_new_order__confirms_by_a_message(client, fields, etelecom_outbox):
    response = client.post(NEW_ORDER, fields)

    order = Order.objects.get()
    assert response.url == order.get_absolute_url()
    [sent] = etelecom_outbox
    assert sent.recipient == order.phone == "84912345678"
    assert sent.params == {
        "customer_name": "Nguyễn Văn An",
        "order_code": str(order),
        "amount": "300000",
        "delivery_date": f"{order.delivery_date:%d/%m/%Y}",
    }


def test_new_order__faults_of_the_message_stand_beside_the_fields(client, fields, etelecom_outbox):
    fields |= {"name": "N" * 31, "phone": "0123 456 7890"}

    page = client.post(NEW_ORDER, fields)

    errors = page.context["form"].errors
    assert set(errors) == {"name", "phone"}
    assert not Order.objects.exists()
    assert etelecom_outbox == []


def test_new_order__other_faults_of_the_message_stand_above_the_form(
    client, fields, etelecom_outbox
):
    MessageTemplate.objects.filter(code="order_confirmation").update(is_active=False)

    page = client.post(NEW_ORDER, fields)

    assert "is not active" in str(page.context["form"].non_field_errors())
    assert not Order.objects.exists()


def test_new_order__faults_of_the_form_send_nothing(client, fields, etelecom_outbox):
    page = client.post(NEW_ORDER, fields | {"quantity": 0})

    assert set(page.context["form"].errors) == {"quantity"}
    assert etelecom_outbox == []


def test_new_order__stands_where_a_guard_stops_its_confirmation(client, fields, etelecom_outbox):
    pace.pause("default", Reason.OUT_OF_MESSAGES)

    response = client.post(NEW_ORDER, fields, follow=True)

    order = Order.objects.get()
    assert response.redirect_chain == [(order.get_absolute_url(), 302)]
    assert "Your order stands." in response.text
    assert order.confirmation is None
    assert etelecom_outbox == []


def test_new_order__whoever_orders_for_a_number_sends_it_few_messages(
    client, fields, etelecom_outbox, settings
):
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": shop_settings.ETELECOM["GUARDS"]}

    pages = [client.post(NEW_ORDER, fields, follow=True) for _order in range(8)]

    assert len(etelecom_outbox) == 5
    assert ["Your order stands." in page.text for page in pages] == [False] * 5 + [True] * 3
    assert Order.objects.count() == 8


def test_confirm__twice_sends_once(placed, etelecom_outbox):
    again = orders.confirm(placed)

    assert again == placed.confirmation
    assert len(etelecom_outbox) == 1


@pytest.mark.parametrize("status", MessageLog.Status.values)
def test_order__tells_what_became_of_its_confirmation(client, placed, status):
    MessageLog.objects.update(status=status)

    page = client.get(placed.get_absolute_url())

    assert str(CONFIRMATION_WORDS[status]) in page.text


def test_order__tells_why(client, placed):
    MessageLog.objects.update(status="rejected", reason="phone_number")

    assert "does not take this phone number" in client.get(placed.get_absolute_url()).text


def test_order__outlives_the_record_of_its_confirmation(client, placed):
    MessageLog.objects.all().delete()

    page = client.get(placed.get_absolute_url())

    assert str(placed) in page.text
    assert page.context["order"].confirmation_words == ""


def test_order__unknown(client):
    assert client.get(reverse("shop:order", args=[uuid.uuid4()])).status_code == 404


def test_admin__lists_orders_with_the_status_of_their_confirmation(admin_client, placed):
    assert "accepted" in admin_client.get("/admin/shop/order/").text

    MessageLog.objects.all().delete()
    assert "accepted" not in admin_client.get("/admin/shop/order/").text


def test_admin__orders_are_placed_in_the_shop_alone(admin_client):
    assert admin_client.get("/admin/shop/order/add/").status_code == 403


def test_admin__lists_products(admin_client):
    assert "Trà Thái Nguyên" in admin_client.get("/admin/shop/product/").text
