"""The shop in the admin."""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from .models import Order, Product


@admin.register(Product)
class ProductAdmin(admin.ModelAdmin):
    list_display = ["name", "price"]
    search_fields = ["name"]


@admin.register(Order)
class OrderAdmin(admin.ModelAdmin):
    list_display = ["code", "product", "quantity", "name", "ordered_at", "confirmation_status"]
    list_select_related = ["product", "confirmation"]
    readonly_fields = ["confirmation"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        # Only an order that is placed in the shop is confirmed.
        return False

    @admin.display(description=_("confirmation"))
    def confirmation_status(self, order: Order) -> str:
        return order.confirmation.get_status_display() if order.confirmation else "-"
