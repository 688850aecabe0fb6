"""What the shop sells, and what was ordered."""

import uuid

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from django_etelecom.models import MessageLog

Status = MessageLog.Status

CONFIRMATION_WORDS: dict[str, Promise] = {
    Status.QUEUED: _("We are about to send you a confirmation."),
    Status.SENDING: _("We are sending you a confirmation."),
    Status.ACCEPTED: _("A confirmation is on its way to your phone."),
    Status.DELIVERED: _("A confirmation has reached your phone."),
    # It may have gone out, so nothing is promised and nothing is sent a second time.
    Status.UNKNOWN: _("A confirmation may be on its way to your phone."),
    Status.UNDELIVERED: _("Our confirmation did not reach your phone. Your order stands."),
    Status.REJECTED: _("We could not send you a confirmation. Your order stands."),
    Status.NOT_SENT: _("We could not send you a confirmation. Your order stands."),
    Status.CANCELLED: _("We have not sent you a confirmation. Your order stands."),
}
"""What a customer is told of the message that confirms an order."""


class Product(models.Model):
    name = models.CharField(_("name"), max_length=100, unique=True)
    description = models.CharField(_("description"), max_length=200, blank=True)
    price = models.PositiveIntegerField(_("price"), help_text=_("In dong."))

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    # In the order's address, so that nobody finds other people's orders by counting.
    reference = models.UUIDField(_("reference"), default=uuid.uuid4, unique=True, editable=False)
    product = models.ForeignKey(Product, verbose_name=_("product"), on_delete=models.PROTECT)
    quantity = models.PositiveSmallIntegerField(
        _("quantity"), default=1, validators=[MinValueValidator(1), MaxValueValidator(99)]
    )
    amount = models.PositiveBigIntegerField(_("amount"), help_text=_("In dong."))
    name = models.CharField(_("your name"), max_length=100)
    phone = models.CharField(_("phone number"), max_length=50)
    ordered_at = models.DateTimeField(_("ordered at"), auto_now_add=True)
    delivery_date = models.DateField(_("delivery date"))
    confirmation = models.ForeignKey(
        MessageLog,
        verbose_name=_("confirmation"),
        null=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.code

    def get_absolute_url(self) -> str:
        return reverse("shop:order", args=[self.reference])

    @property
    def code(self) -> str:
        return f"DH-{self.pk:05d}"

    @property
    def confirmation_words(self) -> Promise | str:
        """What became of the confirmation; empty if its record is gone."""
        return CONFIRMATION_WORDS[self.confirmation.status] if self.confirmation else ""
