"""A site with something to look at, to press and to break on every page of the admin."""

import dataclasses
from typing import Any

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import Model
from django.utils import timezone

from django_etelecom import pace
from django_etelecom.models import (
    AccountState,
    Campaign,
    CampaignTally,
    MessageLog,
    MessageTemplate,
    RouteRule,
)
from django_etelecom.models.messages import Reason
from django_etelecom.services import (
    load_parts,
    pause_campaign,
    queue_campaign,
    queue_message,
    record_consent,
    resend_message,
    send_message,
    suppress_number,
)
from django_etelecom.uploads import begin_upload
from tests.admin.addresses import model_of
from tests.admin.conftest import ORDER, PHONE

HEADER = "to,customer_name,order_code,amount,delivery_date,note"
LINE = "0912 345 679,An,DH-1,150000,24/12/2026,Call 0912.345.679"


def sheet(header: str = HEADER, name: str = "november.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, f"{header}\n{LINE}\n0912 345 67,An,=1,x,y,\n".encode())


@dataclasses.dataclass
class World:
    """Rows by the pages that are about them: by the page's own name, else by its model."""

    of: dict[str, Model]

    def row(self, name: str) -> Model:
        return self.of.get(name) or self.of[model_of(name)]


def params() -> dict[str, Any]:
    return {
        name.removeprefix("params."): value
        for name, value in ORDER.items()
        if name.startswith("params.")
    } | {"delivery_date": "24/12/2026"}


def make_world(template: MessageTemplate) -> World:
    """Fill the database; `template` is the order's, and messages go by a scripted backend."""
    template.text += " {note}"
    template.save()
    customer = get_user_model().objects.create(username="0912345678")
    message = send_message(
        template,
        PHONE,
        params() | {"note": "Call 0912.345.678"},
        sent_by=customer,
        metadata={"phone": "+84 912 345 678"},
    )
    MessageLog.objects.filter(pk=message.pk).update(provider_message_id="84912345678-17")
    message.events.create(
        source="poll",
        status="accepted",
        http_status=200,
        provider_detail="On its way to (0912) 345-678",
        payload='{"phonenumber": "84912345678", "status": "PROCESSING"}',
    )
    lost = send_message(template, PHONE, params())
    MessageLog.objects.filter(pk=lost.pk).update(status="undelivered")
    send = {"messagelog": message, "messagelog_lost": lost}
    # To another number: the first one still stands in what is taken over.
    send["messagelog_again"] = resend_message(message, to="0987 654 321")
    send["messagelog_once_more"] = resend_message(send["messagelog_again"], to="0987 654 322")
    send["messagelog_cancel"] = queue_message(
        template, PHONE, params(), send_at=timezone.now() + timezone.timedelta(days=1)
    )
    pace.pause("default", Reason.OUT_OF_MESSAGES)
    rows = [{"to": PHONE, **params()}, {"to": "0912 345 67", **params()}]
    campaigns = {"campaign": queue_campaign(template, rows, name="November")}
    campaigns["campaign_resume"] = pause_campaign(queue_campaign(template, rows, name="Paused"))
    retried = queue_campaign(template, rows, name="Retried")
    MessageLog.objects.filter(campaign=retried).update(status="not_sent")
    CampaignTally.objects.create(campaign=retried, status="not_sent", number=1)
    Campaign.objects.filter(pk=retried.pk).update(status="finished", finished_at=timezone.now())
    campaigns["campaign_retry"] = retried
    unmatched = sheet(HEADER.replace("customer_name", "Khách"))
    campaigns["campaign_columns"] = begin_upload(template, unmatched.file, unmatched.name)
    checking = begin_upload(template, sheet().file, "november.csv")
    load_parts(checking, patience=5)
    campaigns["campaign_start"] = Campaign.objects.get(pk=checking.pk)
    return World(
        {
            **send,
            **campaigns,
            "suppression": suppress_number(PHONE, note="Call 0912.345.678"),
            "suppression_delete": suppress_number("0912 345 670"),
            "consent": record_consent(PHONE, source="Called +84 912 345 678"),
            "consent_withdraw": record_consent("0912 345 671", source="Form"),
            "accountstate": AccountState.objects.get(),
            "messagetemplate": template,
            "messagetemplate_delete": MessageTemplate.objects.create(code="spare"),
            "routerule": RouteRule.objects.get(),
            "routerule_delete": RouteRule.objects.create(name="Spare", channels=["3"]),
        }
    )


def kept() -> dict[str, list[str]]:
    """Return every row of the app, of the users and of the admin's log, but for mere looks."""
    models = [
        *apps.get_app_config("etelecom").get_models(),
        *apps.get_app_config("admin").get_models(),
        apps.get_model("auth", "user"),
    ]
    seen = ("'Saw ", "'Exported ")
    return {
        model._meta.label: sorted(
            row
            for row in map(repr, model._default_manager.values_list())
            if model is not LogEntry or not any(word in row for word in seen)
        )
        for model in models
    }
