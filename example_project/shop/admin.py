"""The shop in the admin."""

from django.contrib import admin

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

    @admin.display(description="confirmation")
    def confirmation_status(self, order: Order) -> str:
        return order.confirmation.get_status_display() if order.confirmation else "-"
