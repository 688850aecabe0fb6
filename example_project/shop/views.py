"""The shop's pages: what there is, ordering it, and what became of an order."""

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from django_etelecom.exceptions import InvalidMessage
from django_etelecom.phone import display

from . import orders
from .forms import OrderForm, add_message_faults
from .models import Order, Product


@require_safe
def products(request: HttpRequest) -> HttpResponse:
    return render(request, "shop/products.html", {"products": Product.objects.all()})


@require_http_methods(["GET", "HEAD", "POST"])
def new_order(request: HttpRequest) -> HttpResponse:
    form = OrderForm(request.POST or None, initial={"product": request.GET.get("product")})
    if request.method == "POST" and form.is_valid():
        order = form.save(commit=False)
        try:
            message = orders.place(order)
        except InvalidMessage as error:
            add_message_faults(form, error, form.message_fields)
        else:
            if message is None:
                messages.warning(
                    request, _("We cannot confirm it by a message now. Your order stands.")
                )
            return redirect(order)
    return render(request, "shop/new_order.html", {"form": form})


@require_safe
def order(request: HttpRequest, reference: uuid.UUID) -> HttpResponse:
    found = get_object_or_404(
        Order.objects.select_related("product", "confirmation"), reference=reference
    )
    context = {"order": found, "phone": display(found.phone)}
    return render(request, "shop/order.html", context)
