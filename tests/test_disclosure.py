"""All that is held about a number, as one JSON document."""

import json
import tracemalloc
from datetime import datetime, timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_etelecom import disclosure
from django_etelecom.client.status import Report
from django_etelecom.exceptions import InvalidMessage
from django_etelecom.models import (
    CampaignPart,
    CampaignRow,
    Consent,
    InboxReport,
    MessageEvent,
    MessageLog,
    NumberHistory,
    Suppression,
)
from django_etelecom.reports import keep
from django_etelecom.sealing import seal
from django_etelecom.services import (
    begin_upload,
    erase_number,
    export_number,
    queue_campaign,
    queue_message,
    refresh_status,
    resend_message,
    send_message,
)
from tests.test_privacy import HEADER, NUMBER, OTHER, PHONE, line, list_number, sheet

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("restless")]

NOTHING = {
    "number": NUMBER,
    "suppressions": [],
    "consents": [],
    "recent_messages_for_limits": [],
    "reports_without_a_message": [],
    "rows_of_campaigns": [],
    "messages": [],
    "rows_that_no_key_opens": 0,
}


def exported(number=PHONE):
    told = json.loads("".join(export_number(number)))
    del told["exported_at"]
    return told


def test_export__has_every_message_with_every_event(live, order_template, order_params):
    first = send_message(order_template, PHONE, order_params, metadata={"basket": 7})
    refresh_status(first)
    second = resend_message(first)
    send_message(order_template, OTHER, order_params)

    messages = exported("+84 912.345.678")["messages"]

    assert [one["public_id"] for one in messages] == [str(first.public_id), str(second.public_id)]
    assert messages[0]["recipient"] == NUMBER
    assert messages[0]["params"]["customer_name"] == "Nguyễn Văn An"
    assert messages[0]["metadata"] == {"basket": 7}
    assert messages[1]["resend_of"] == str(first.public_id)
    assert [event["source"] for event in messages[0]["events"]] == ["send", "poll"]
    assert NUMBER in messages[0]["events"][1]["payload"]


def test_export__names_the_campaign(askable, order_template, order_params):
    campaign = queue_campaign(order_template, [{"to": PHONE, **order_params}])

    [message] = exported()["messages"]

    assert (message["campaign"], message["campaign_row"]) == (str(campaign.public_id), 1)


def test_export__has_what_limits_know(askable, otp_template):
    message = send_message(otp_template, PHONE, {"otp": "739146"})

    [turn] = exported()["recent_messages_for_limits"]

    assert (turn["message"], turn["category"]) == (str(message.public_id), "otp")
    assert turn["channels"] == ["1", "3"]
    at = datetime.fromisoformat(turn["at"])
    assert abs(at - message.created_at) < timedelta(minutes=1)


def test_export__has_what_else_is_held(askable, order_template):
    list_number(note="By phone", source="On paper")
    keep(Report(provider_message_id="ICOMNI-lost", payload={"phonenumber": NUMBER}))
    keep(Report(provider_message_id="ICOMNI-other", payload={"phonenumber": "84987654321"}))
    campaign = queue_campaign(order_template, [{"to": PHONE}, {"to": OTHER}])
    upload = begin_upload(
        order_template, sheet(line("0912345678"), line("0987654321"), header=HEADER), "11.csv"
    )

    told = exported()

    [suppression] = told["suppressions"]
    assert (suppression["reason"], suppression["note"]) == ("opt_out", "By phone")
    [consent] = told["consents"]
    assert (consent["source"], consent["withdrawn_at"]) == ("On paper", None)
    [report] = told["reports_without_a_message"]
    assert report["provider_message_id"] == "ICOMNI-lost"
    waiting, faulty = told["rows_of_campaigns"]
    assert (waiting["campaign"], waiting["row"]) == (str(upload.public_id), 2)
    assert waiting["values"]["customer_name"] == "Nguyễn Văn An"
    assert (faulty["campaign"], faulty["row"]) == (str(campaign.public_id), 1)
    assert faulty["values"] == {"to": PHONE}
    assert "params.amount" in faulty["faults"]


def test_export__masks_secrets(askable, otp_template):
    queue_message(otp_template, PHONE, {"otp": "739146"})
    queue_campaign(otp_template, [{"to": PHONE, "otp": "739 146", "more": "739147"}])
    begin_upload(otp_template, sheet("0912345678,739148", header="to,One-time PIN"), "11.csv")
    begin_upload(otp_template, sheet("0912345678,739149", header="to,OTP"), "12.csv")

    document = "".join(export_number(PHONE))

    assert "739146" not in document
    assert "739 146" not in document
    assert "739149" not in document
    # Of a column that nobody has matched it is not known what it is.
    assert "739148" in document


def test_export__of_nothing_is_a_whole_document():
    assert exported() == NOTHING


def test_export__after_erasing_has_what_the_digest_finds(send):
    send()
    list_number(note="By phone")
    erase_number(PHONE, suppress=True)

    told = exported()

    assert [one["reason"] for one in told.pop("suppressions")] == ["opt_out", "erased"][::-1]
    assert [one["source"] for one in told.pop("consents")] == ["On paper"]
    assert told == {name: NOTHING[name] for name in told}


def test_export__tells_how_many_rows_no_key_opens(askable, order_template):
    queue_campaign(order_template, [{"to": PHONE}])
    CampaignRow.objects.update(sealed_values=seal("{}", purpose="another"))
    begin_upload(order_template, sheet(line("0912345678"), header=HEADER), "11.csv")
    CampaignPart.objects.update(sealed_rows=seal("[]", purpose="another"))

    assert exported() == {**NOTHING, "rows_that_no_key_opens": 2}


@pytest.mark.parametrize("typed", ["", "DH-1024", 912345678])
def test_export__of_what_is_no_number_raises_before_it_begins(typed):
    with pytest.raises(InvalidMessage) as caught:
        export_number(typed)

    assert list(caught.value.message_dict) == ["phone"]


def test_export__by_keys_that_cannot_be_used_raises_before_it_begins(askable, settings):
    settings.ETELECOM = {**settings.ETELECOM, "ENCRYPTION_KEYS": ["short"]}

    with pytest.raises(ImproperlyConfigured):
        export_number(PHONE)


LEFT_OUT = {
    MessageLog: {
        "id",
        "template",
        "sealed_params",
        "sent_by",
        "idempotency_digest",
        "content_digest",
        "lease_expires_at",
        "next_poll_at",
    },
    MessageEvent: {"id", "message"},
    InboxReport: {"id"},
    Suppression: {"id", "number_digest", "recipient", "created_by"},
    Consent: {"id", "number_digest", "recipient", "created_by"},
    NumberHistory: {"number_digest", "touched_at"},
}


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (MessageLog, {*disclosure.TOLD_OF_MESSAGE, "campaign", "resend_of"}),
        (MessageEvent, disclosure.TOLD_OF_EVENT),
        (InboxReport, disclosure.TOLD_OF_REPORT),
        (Suppression, disclosure.TOLD_OF_SUPPRESSION),
        (Consent, disclosure.TOLD_OF_CONSENT),
        (NumberHistory, {"turns"}),
    ],
)
def test_export__of_each_column_it_is_decided_whether_it_is_told(model, told):
    columns = {column.name for column in model._meta.concrete_fields}

    assert columns == {*told} | LEFT_OUT[model]
    assert not {*told} & LEFT_OUT[model]


# --- Many -----------------------------------------------------------------------------------------


def make_many(send, count):
    first = send()
    columns = {
        field.attname: getattr(first, field.attname)
        for field in MessageLog._meta.concrete_fields
        if field.name not in ("id", "public_id")
    }
    MessageLog.objects.bulk_create(
        [MessageLog(**{**columns, "params": {"text": "x" * 500}}) for _ in range(count)]
    )
    later = MessageLog.objects.exclude(pk=first.pk)
    MessageEvent.objects.bulk_create(
        [MessageEvent(message=one, source="send", payload="y" * 500) for one in later]
    )


def test_export__statements_grow_by_the_batch(send, monkeypatch):
    monkeypatch.setattr(disclosure, "BATCH", 50)
    make_many(send, 199)

    with CaptureQueriesContext(connection) as statements:
        assert len(exported()["messages"]) == 200

    asked = [one for one in statements if "etelecom_message" in one["sql"]]
    assert len(asked) == 1 + 2 * 4


def test_export__of_many_messages_takes_no_more_memory_than_a_batch(send):
    make_many(send, 4000)

    tracemalloc.start()
    length = sum(map(len, export_number(PHONE)))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert length > 6_000_000
    assert peak < length / 2


def test_export__of_what_is_erased_meanwhile_goes_on(send, monkeypatch):
    monkeypatch.setattr(disclosure, "BATCH", 2)
    for _ in range(6):
        send()

    pieces = export_number(PHONE)
    document = "".join(next(pieces) for _ in range(14))
    erase_number(PHONE)
    document += "".join(pieces)

    assert 1 <= len(json.loads(document)["messages"]) < 6
    assert timezone.now().year == int(json.loads(document)["exported_at"][:4])
