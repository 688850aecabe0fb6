"""The shop's URLs."""

from django.urls import path

from . import login, views

app_name = "shop"
urlpatterns = [
    path("", views.products, name="products"),
    path("orders/new/", views.new_order, name="new_order"),
    path("orders/<uuid:reference>/", views.order, name="order"),
    path("login/", login.ask_for_code, name="ask_for_code"),
    path("login/code/", login.enter_code, name="enter_code"),
    path("login/done/", login.logged_in, name="logged_in"),
    path("logout/", login.log_out, name="log_out"),
]
