"""Placing an order: it is saved, and a message confirms it."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from django_etelecom import services
from django_etelecom.exceptions import SendBlocked
from django_etelecom.models import MessageLog

from .models import Order

DELIVERY_TIME = timedelta(days=3)


def place(order: Order) -> MessageLog | None:
    """Save a new order and have it confirmed; return the message.

    Both happen or neither does: the message goes out when the transaction has committed. An order
    whose confirmation a guard stops stands all the same, for nobody is to lose an order by it; its
    customer is told on the page instead, and there is no message.

    Raises:
        InvalidMessage: the customer's name or number cannot be used; nothing was saved.
    """
    order.amount = order.product.price * order.quantity
    order.delivery_date = timezone.localdate() + DELIVERY_TIME
    with transaction.atomic():
        order.save()
        try:
            message = confirm(order)
        except SendBlocked:
            return None
        order.confirmation = message
        order.phone = message.recipient
        order.save(update_fields=["confirmation", "phone"])
    return message


def confirm(order: Order) -> MessageLog:
    """Send the confirmation of a saved order; an order that was confirmed is not confirmed again.

    Raises:
        InvalidMessage: the customer's name or number cannot be used.
        SendBlocked: a guard stops it, such as a pause of the account; nothing was written of it.
    """
    return services.send_message(
        "order_confirmation",
        order.phone,
        {
            "customer_name": order.name,
            "order_code": order.code,
            "amount": order.amount,
            "delivery_date": order.delivery_date,
        },
        idempotency_key=f"order-confirmation-{order.pk}",
    )
