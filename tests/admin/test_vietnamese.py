"""The admin in Vietnamese."""

import html
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone, translation

import django_etelecom
from django_etelecom.models import AccountState, RouteRule
from django_etelecom.numerals import grouped
from django_etelecom.services import queue_campaign, send_message
from tests.admin.conftest import ORDER, PHONE, send_url

CATALOGUE = Path(django_etelecom.__file__).parent / "locale/vi/LC_MESSAGES/django.po"

ENGLISH_WORDS = re.compile(r"\b(the|of|is|are|was|this|that|with|not|and|by|from)\b", re.IGNORECASE)


@pytest.fixture(scope="module")
def english():
    """The English sentences of the catalogue that no data of a test could hold."""
    with CATALOGUE.open("rb") as file:
        texts = [entry.id for entry in read_po(file) if entry.id not in ("", entry.string)]
    return [text for text in texts if isinstance(text, str) and " " in text and "%(" not in text]


@pytest.fixture
def vietnamese():
    """The client answers in the language of the thread."""
    with translation.override("vi"):
        yield


def leftovers(english, response):
    assert response.status_code == 200
    shown = html.unescape(re.sub(r"\s+", " ", response.content.decode()))
    words = [
        text.strip() for text in re.findall(r">([^<>]+)<", shown) if ENGLISH_WORDS.search(text)
    ]
    return words + [text for text in english if re.search(rf"\b{re.escape(text)}", shown)]


def pages(admin_client, template, params):
    """Yield every page of the app that a person comes by, with something on it."""
    template.text = "Chào {customer_name}, đơn hàng {order_code} đang đến."
    template.save()
    message = send_message(template, PHONE, params)
    campaign = queue_campaign(template, [{"to": PHONE, **params}, {"to": "0123"}], name="Tết")
    AccountState.objects.create(alias="default", paused_at=message.created_at, pause_reason="route")
    for name in ("accountstate", "campaign", "messagelog", "messagetemplate", "routerule"):
        yield admin_client.get(reverse(f"admin:etelecom_{name}_changelist"))
    for name in ("messagetemplate", "routerule"):
        yield admin_client.get(reverse(f"admin:etelecom_{name}_add"))
        yield admin_client.post(reverse(f"admin:etelecom_{name}_add"), management_form())
    for shown in (message, campaign, template, RouteRule.objects.get()):
        name = shown._meta.model_name
        yield admin_client.get(reverse(f"admin:etelecom_{name}_change", args=[shown.pk]))
    yield admin_client.get(reverse("admin:etelecom_dashboard"), {"days": "7"})
    yield admin_client.get(reverse("admin:etelecom_messagelog_changelist"), {"since": "24/12"})
    yield admin_client.get(reverse("admin:etelecom_messagelog_changelist"), {"q": "0912"})
    yield admin_client.get(reverse("admin:etelecom_messagelog_resend", args=[message.pk]))
    yield admin_client.get(reverse("admin:etelecom_messagetemplate_import"))
    for name in ("cancel", "progress"):
        yield admin_client.get(reverse(f"admin:etelecom_campaign_{name}", args=[campaign.pk]))
    yield admin_client.get(reverse("admin:etelecom_campaign_upload"))
    yield admin_client.post(reverse("admin:etelecom_campaign_upload"))
    yield admin_client.get(send_url())
    yield admin_client.get(send_url(template.code))
    yield admin_client.post(send_url(template.code), {"step": "check"})
    yield admin_client.post(send_url(template.code), {"step": "check", **ORDER})


def management_form():
    return {"parameters-TOTAL_FORMS": "0", "parameters-INITIAL_FORMS": "0"}


@pytest.mark.usefixtures("vietnamese", "etelecom_outbox")
@pytest.mark.django_db(transaction=True)
def test_pages__have_no_english_left(english, admin_client, order_template, order_params):
    found = {
        response.request["PATH_INFO"]: left
        for response in pages(admin_client, order_template, order_params)
        if (left := leftovers(english, response))
    }

    assert found == {}


@pytest.mark.usefixtures("vietnamese")
@pytest.mark.parametrize(("language", "sentence"), [("en", "Resumed."), ("vi", "Cho chạy lại.")])
def test_log__is_in_the_language_of_the_site(admin_client, settings, language, sentence):
    settings.LANGUAGE_CODE = language
    paused = AccountState.objects.create(alias="default", paused_at=timezone.now())

    admin_client.post(reverse("admin:etelecom_accountstate_resume", args=[paused.pk]))

    assert list(LogEntry.objects.values_list("change_message", flat=True)) == [sentence]


def test_numbers__are_grouped_though_django_knows_no_grouping_of_vietnamese():
    with translation.override("vi"):
        assert grouped(1234567) == "1.234.567"
