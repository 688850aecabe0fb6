"""A site of staff that has some of the app's models only: pages lead to what is there."""

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import path, reverse

from django_etelecom import pace
from django_etelecom.models import (
    AccountState,
    Campaign,
    Consent,
    MessageLog,
    MessageTemplate,
    RouteRule,
    Suppression,
)
from django_etelecom.models.messages import Reason
from tests.admin.world import make_world

pytestmark = pytest.mark.django_db(transaction=True)

MODELS = (AccountState, Campaign, Consent, MessageLog, MessageTemplate, RouteRule, Suppression)


class Urls:
    """The addresses of a project whose admin lacks some models."""

    def __init__(self, missing):
        site = admin.AdminSite(name="admin")
        for model, its in admin.site._registry.items():
            if model not in missing:
                site.register(model, type(its))
        self.urlpatterns = [path("admin/", site.urls)]


@pytest.fixture
def world(askable, order_template, default_route):
    world = make_world(order_template)
    order_template.route = default_route
    order_template.save()
    # What staff see in an incident: an account that is paused, messages that were stopped.
    pace.pause("default", Reason.UNKNOWN_RUN)
    stopped = MessageLog.objects.order_by("pk").last()
    MessageLog.objects.filter(pk=stopped.pk).update(status="not_sent", reason=Reason.SUPPRESSED)
    return world


@pytest.mark.parametrize("missing", MODELS, ids=lambda model: model.__name__)
def test_pages__lead_to_no_model_that_the_site_lacks(world, settings, admin_user, missing):
    settings.ROOT_URLCONF = Urls([missing])
    client = Client()
    client.force_login(admin_user)
    looked_at = 0

    for model in MODELS:
        if model is missing:
            continue
        name = f"admin:etelecom_{model._meta.model_name}"
        addresses = [reverse(f"{name}_changelist")]
        addresses += [reverse(f"{name}_change", args=[row.pk]) for row in model.objects.all()]
        for address in addresses:
            response = client.get(address, follow=True)
            assert response.status_code == 200, address
            looked_at += 1
    assert client.get("/admin/").status_code == 200
    assert looked_at > 10
