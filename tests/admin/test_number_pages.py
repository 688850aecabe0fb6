"""What is held about a number, exported and erased from the admin."""

import json

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import resolve, reverse
from django.utils.timezone import localdate

from django_etelecom.admin import number_pages
from django_etelecom.models import Campaign, MessageLog, Suppression
from django_etelecom.services import queue_campaign, queue_message, send_message
from tests.admin.conftest import PHONE, page, said
from tests.numbers import shows_number
from tests.test_privacy import NUMBER, in_an_hour, list_number

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("restless")]

LIST = reverse("admin:etelecom_messagelog_changelist")
PAGE = reverse("admin:etelecom_messagelog_number")
MASKED = "84912•••678"


@pytest.fixture
def eraser(staff_client):
    return staff_client("view_messagelog", "erase_number")


@pytest.fixture
def discloser(staff_client):
    return staff_client("view_messagelog", "export_number")


def url(name, message):
    return reverse(f"admin:etelecom_messagelog_{name}", args=[message.pk])


def document(response):
    return json.loads(response.getvalue())


def log():
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]


# --- The page of a number -------------------------------------------------------------------------


def test_page__is_reached_from_the_list_by_who_may(staff_client, eraser):
    assert f'href="{PAGE}"' in page(eraser.get(LIST))
    assert PAGE not in page(staff_client("view_messagelog", username="an").get(LIST))


@pytest.mark.parametrize("permission", ["export_number", "erase_number"])
def test_page__is_where_the_index_leads_who_may_do_no_more(staff_client, permission):
    client = staff_client(permission)

    assert f'href="{LIST}"' in page(client.get(reverse("admin:index")))
    assert client.get(LIST).url == PAGE
    assert client.post(LIST).status_code == 403


def test_page__is_for_who_has_one_of_its_rights(staff_client):
    client = staff_client("view_messagelog")

    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"number": PHONE, "act": "export"}).status_code == 403


@pytest.mark.parametrize(
    ("permission", "button"), [("export_number", "Export all as JSON"), ("erase_number", "Erase…")]
)
def test_page__has_the_buttons_of_ones_own_rights(staff_client, permission, button):
    html = page(staff_client(permission).get(PAGE))

    assert {name for name in ("Export all as JSON", "Erase…") if name in html} == {button}


@pytest.mark.parametrize(
    ("permission", "act"),
    [("export_number", "erase"), ("export_number", "confirm"), ("erase_number", "export")],
)
def test_page__does_nothing_for_another_right(staff_client, message, permission, act):
    client = staff_client(permission)

    assert client.post(PAGE, {"number": PHONE, "act": act}).status_code == 403
    assert MessageLog.objects.get().recipient == NUMBER


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("", "The phone number is missing."),
        ("An", "A phone number does not contain “A”: type its digits only."),
        ("0912 345 67", "This is not a phone number."),
        ("9" * 60, "This has 60 characters, which is too long for a phone number."),
    ],
)
@pytest.mark.parametrize("act", ["export", "erase", "confirm"])
def test_page__tells_what_is_wrong_with_a_number(admin_client, message, typed, sentence, act):
    html = page(admin_client.post(PAGE, {"number": typed, "act": act}))

    assert sentence in html
    assert log() == []
    assert MessageLog.objects.get().recipient == NUMBER


def test_page__without_an_act_asks_again(admin_client, message):
    assert "Export all as JSON" in page(admin_client.post(PAGE, {"number": PHONE}))
    assert log() == []


def test_page__number_is_hidden_from_error_reports(admin_client, message):
    request = admin_client.post(PAGE, {"number": PHONE}).wsgi_request

    assert request.sensitive_post_parameters == "__ALL__"


def test_page__is_not_asked_by_its_address(admin_client, message):
    response = admin_client.get(PAGE, {"number": PHONE, "act": "confirm"})

    assert not shows_number(page(response).replace("such as 0912 345 678", ""))
    assert MessageLog.objects.get().recipient == NUMBER


# --- Exporting ------------------------------------------------------------------------------------


def test_export__of_what_was_typed(staff_client, message):
    client = staff_client("export_number")

    response = client.post(PAGE, {"number": "+84 912.345.678", "act": "export"})

    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="number-{localdate()}.json"'
    assert "no-store" in response["Cache-Control"]
    assert document(response)["messages"][0]["public_id"] == str(message.public_id)
    assert log() == [f"Exported all that is held about {MASKED}."]


def test_export__of_a_number_that_is_only_suppressed(staff_client):
    list_number(number="6581234567")

    response = staff_client("export_number").post(
        PAGE, {"number": "+65 8123 4567", "act": "export"}
    )

    assert [one["reason"] for one in document(response)["suppressions"]] == ["opt_out"]


def test_export__from_a_message_shows_the_number_that_the_page_masks(discloser, message):
    html = page(discloser.get(url("change", message)))
    assert f'formaction="{url("disclose", message)}"' in html
    assert "345 678" not in html

    response = discloser.post(url("disclose", message))

    assert document(response)["number"] == NUMBER
    entry = LogEntry.objects.get()
    assert (entry.get_edited_object(), entry.user.username) == (message, "lan")
    assert entry.get_change_message() == f"Exported all that is held about {MASKED}."


def test_export__comes_in_pieces_of_some_size(discloser, message, monkeypatch):
    whole = discloser.post(url("disclose", message)).getvalue()
    monkeypatch.setattr(number_pages, "PIECE", 100)

    async def pieces(response):
        return [piece async for piece in response]

    response = discloser.post(url("disclose", message))
    cut = async_to_sync(pieces)(response)

    assert len(cut) > 3
    assert all(len(piece) >= 100 for piece in cut[:-1])
    assert json.loads(b"".join(cut)).keys() == json.loads(whole).keys()


# --- Erasing --------------------------------------------------------------------------------------


def test_erase__shows_what_would_go_and_asks(staff_client, message, order_template, order_params):
    queue_message(order_template, PHONE, order_params)
    sending = send_message(order_template, PHONE, order_params)
    MessageLog.objects.filter(pk=sending.pk).update(status="sending", lease_expires_at=in_an_hour())
    queue_campaign(order_template, [{"to": PHONE}])

    html = page(staff_client("erase_number").post(PAGE, {"number": PHONE, "act": "erase"}))

    text = " ".join(html.split())
    assert "Erase what is held about 0912 345 678?" in text
    assert "1 of them waits, and is cancelled" in text
    assert "1 more is being sent, and is left" in text
    assert "What is erased cannot be had back." in text
    assert f'<input type="hidden" name="number" value="{NUMBER}">' in html
    assert MessageLog.objects.exclude(recipient="").count() == 3
    assert log() == [f"Looked for what is held about {MASKED}."]


def test_erase__of_what_was_typed(staff_client, message):
    client = staff_client("erase_number")

    response = client.post(PAGE, {"number": NUMBER, "act": "confirm"})

    assert response.url == PAGE
    assert said(response) == [
        ("success", "What was held about the number is erased: 1 message."),
    ]
    assert MessageLog.objects.get().is_stripped
    assert not Suppression.objects.exists()
    assert log() == [f"Erased what is held about {MASKED}."]


def test_erase__suppresses_what_is_ticked(staff_client, message):
    client = staff_client("erase_number")

    response = client.post(PAGE, {"number": NUMBER, "act": "confirm", "suppress": "on"})

    assert said(response)[1] == (
        "success",
        "It is on the suppression list: nothing is sent to it.",
    )
    entry = Suppression.objects.get()
    assert (entry.reason, entry.created_by.username, entry.recipient) == ("erased", "lan", "")
    assert log() == [f"Erased what is held about {MASKED}, and suppressed it."]


def test_erase__from_a_message_asks_without_the_number(eraser, message):
    assert f'formaction="{url("erase", message)}"' in page(eraser.get(url("change", message)))

    html = page(eraser.post(url("erase", message)))

    assert f"Erase what is held about {MASKED}?" in html
    assert "345678" not in html
    assert "345 678" not in html
    assert MessageLog.objects.get().recipient == NUMBER


def test_erase__from_a_message_shows_the_number_to_who_may_see_it(admin_client, message):
    html = page(admin_client.post(url("erase", message)))

    assert "Erase what is held about 0912 345 678?" in html


def test_erase__from_a_message(eraser, message):
    response = eraser.post(url("erase", message), {"act": "confirm"})

    assert response.url == url("change", message)
    assert MessageLog.objects.get().is_stripped
    entry = LogEntry.objects.get()
    assert entry.get_edited_object() == message
    assert entry.get_change_message() == f"Erased what is held about {MASKED}."
    html = page(eraser.get(url("change", message)))
    assert "erased" in html
    assert url("erase", message) not in html


@pytest.mark.parametrize("name", ["erase", "disclose"])
def test_message__whose_number_was_erased_meanwhile_says_so(admin_client, message, name):
    MessageLog.objects.update(recipient="")

    response = admin_client.post(url(name, message))

    assert response.url == url("change", message)
    assert said(response) == [("warning", "There is no number any more: it was erased.")]
    assert log() == []


@pytest.mark.parametrize("name", ["erase", "disclose"])
def test_message__is_posted_with_a_token(admin_client, message, name):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = admin_client.cookies

    assert admin_client.get(url(name, message)).status_code == 405
    assert strict.post(url(name, message)).status_code == 403
    assert MessageLog.objects.get().recipient == NUMBER


def test_erase__that_is_not_through_says_so_and_is_asked_for_again(
    eraser, message, order_template, order_params, monkeypatch
):
    send_message(order_template, PHONE, order_params)
    monkeypatch.setattr(number_pages, "PATIENCE", -1)

    html = page(eraser.post(url("erase", message), {"act": "confirm"}))

    assert "0 messages were erased, and not all of it yet." in html
    assert "There is more than one request can take: erase again" in html
    monkeypatch.undo()
    assert eraser.post(url("erase", message), {"act": "confirm"}).status_code == 302
    assert not MessageLog.objects.exclude(recipient="").exists()


def test_erase__what_is_being_sent_is_told(eraser, message):
    MessageLog.objects.update(status="sending", lease_expires_at=in_an_hour())

    html = page(eraser.post(url("erase", message), {"act": "confirm"}))

    assert "Some messages are being sent, which takes a minute or two" in html


def test_erase__while_a_campaign_is_loaded_is_told(eraser, message, order_template):
    queue_campaign(order_template, [{"to": "1"}])
    Campaign.objects.update(status="loading")

    html = page(eraser.post(url("erase", message), {"act": "confirm"}))

    assert "1 message was erased, and not all of it yet." in html
    assert "A campaign is being loaded that may have the number" in html


def test_erase__page_says_that_it_has_not_looked_everywhere(eraser, message, monkeypatch):
    monkeypatch.setattr(number_pages, "LOOKS_FOR", -1)

    html = page(eraser.post(url("erase", message)))

    assert "Not all campaigns have been looked through yet." in html


@pytest.mark.parametrize("act", ["export", "erase", "confirm"])
def test_keys__that_cannot_be_used_are_told(admin_client, message, settings, act):
    settings.ETELECOM = {**settings.ETELECOM, "ENCRYPTION_KEYS": ["short"]}

    response = admin_client.post(PAGE, {"number": PHONE, "act": act})

    assert response.url == PAGE
    [(level, sentence)] = said(response)
    assert level == "error"
    assert "This site's settings do not allow it" in sentence
    assert MessageLog.objects.get().recipient == NUMBER


def test_log__has_no_number_in_the_clear(admin_client, message):
    for act in ("export", "erase", "confirm"):
        admin_client.post(PAGE, {"number": PHONE, "act": act})

    assert len(log()) == 3
    assert not shows_number(repr(list(LogEntry.objects.values())))


def test_views__commit_at_once(message):
    for address in (PAGE, url("erase", message), url("disclose", message)):
        assert resolve(address).func._non_atomic_requests == {"default"}
