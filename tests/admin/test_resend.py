"""Sending a message again: the ways, what is kept, and whose number stays hidden."""

import re
from urllib.parse import urlencode

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from django_etelecom import pace
from django_etelecom.models import MessageLog, RouteRule
from django_etelecom.models.messages import Reason
from django_etelecom.services import send_message
from tests.admin.conftest import ORDER, PHONE, faults, page, page_of, sealed_in, send_url
from tests.admin.test_message_page import shows_number

pytestmark = pytest.mark.django_db(transaction=True)

RESENDER = ("view_messagelog", "send_message", "resend_message")


@pytest.fixture
def message(askable, order_template, order_params):
    return send_message(order_template, PHONE, {**order_params, "note": "Ring first"})


@pytest.fixture
def watcher(staff_client):
    return staff_client(*RESENDER, "view_recipient", username="minh")


@pytest.fixture
def sms_only(db):
    return RouteRule.objects.create(name="SMS only", channels=["3"])


def ways_of(message):
    return reverse("admin:etelecom_messagelog_resend", args=[message.pk])


def again(message, way=""):
    query = {"template": message.template_code, "resend_of": str(message.public_id)}
    return f"{send_url()}?{urlencode({**query, 'way': way} if way else query)}"


def confirm(client, checked, message, way=""):
    return client.post(again(message, way), {"step": "confirm", "message": sealed_in(checked)})


def change(client, checked, message, way=""):
    fields = {"step": ["confirm", "change"], "message": sealed_in(checked)}
    return client.post(again(message, way), fields)


def fields_of(response) -> list[str]:
    return list(response.context["adminform"].form.fields)


def resent(message) -> MessageLog:
    return MessageLog.objects.get(resend_of=message)


def said(response):
    return [str(told) for told in get_messages(response.wsgi_request)]


# --- The ways -----------------------------------------------------------------------------------


def test_ways__are_offered_from_the_messages_page(resender, message):
    assert f'role="button" href="{ways_of(message)}"' in page(resender.get(page_of(message)))

    html = page(resender.get(ways_of(message)))

    for way in ("as-it-is", "route", "number", ""):
        assert f'href="{again(message, way)}"'.replace("&", "&amp;") in html
    assert "The first one may have arrived: the customer may get it twice" in html


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"status": "queued"}, "The first one still waits to be sent: cancel it first"),
        ({"status": "sending"}, "The first one is being sent at this moment"),
        ({"status": "delivered"}, "the customer gets it twice, and it is paid twice."),
        ({"status": "unknown"}, "It is not known whether the first one went out"),
        (
            {"status": "undelivered", "channel": "ZNS", "next_poll_at": timezone.now()},
            "eTelecom may yet deliver the first one by its next channel",
        ),
    ],
)
def test_ways__warn_of_what_may_come_of_it(resender, message, columns, sentence):
    MessageLog.objects.update(**columns)

    for url in (ways_of(message), again(message), again(message, "as-it-is")):
        assert sentence in page(resender.get(url))


@pytest.mark.parametrize("missing", RESENDER)
def test_ways__need_permission(staff_client, message, client, missing):
    lacking = staff_client(*(name for name in RESENDER if name != missing))

    assert lacking.get(ways_of(message)).status_code == 403
    assert client.get(ways_of(message)).status_code == 302


@pytest.mark.parametrize("lost", ["view_messagelog", "resend_message"])
def test_confirmation__needs_the_permission_still(resender, message, askable, lost):
    checked = resender.get(again(message, "as-it-is"))
    user = checked.wsgi_request.user
    user.user_permissions.remove(user.user_permissions.get(codename=lost))

    fields = {"step": "confirm", "message": sealed_in(checked)}
    response = resender.post(send_url(message.template_code), fields)

    assert response.status_code == 403
    assert len(askable.sent) == 1


def test_ways__are_only_shown(resender, message):
    assert resender.post(ways_of(message)).status_code == 405


def test_ways__of_a_message_that_was_erased_lead_to_a_new_one(resender, message):
    MessageLog.objects.update(recipient="", params={})

    html = page(resender.get(ways_of(message), follow=True))

    assert "What the first message said was erased: this will be a new one." in html


def test_way__that_does_not_exist_is_the_whole_form(resender, message):
    assert "params.note" in fields_of(resender.get(again(message, "pigeon")))


# --- As it is -----------------------------------------------------------------------------------


def test_as_it_is__is_checked_and_sent_once(resender, message, askable):
    checked = resender.get(again(message, "as-it-is"))
    assert "Nothing has been sent yet." in page(checked)

    first = confirm(resender, checked, message, "as-it-is")
    second = confirm(resender, checked, message, "as-it-is")

    assert first.url == second.url == page_of(resent(message))
    assert len(askable.sent) == 2
    assert askable.sent[1].recipient == "84912345678"
    assert askable.sent[1].wire.reveal() == askable.sent[0].wire.reveal()


def test_as_it_is__goes_by_the_route_it_was_asked_to_take(
    resender, sms_only, order_template, order_params, askable
):
    message = send_message(order_template, PHONE, order_params, route=sms_only)

    confirm(resender, resender.get(again(message, "as-it-is")), message, "as-it-is")

    assert resent(message).requested_route == "SMS only"


def test_as_it_is__asks_for_its_secrets_alone(resender, otp_template, askable, unhurried):
    message = send_message(otp_template, PHONE, {"otp": "739146"})

    form = resender.get(again(message, "as-it-is"))
    checked = resender.post(again(message, "as-it-is"), {"params.otp": "850257"})
    confirm(resender, checked, message, "as-it-is")

    assert fields_of(form) == ["params.otp"]
    assert "Its parameter otp was secret and was not kept" in page(form)
    assert askable.sent[1].wire.reveal() == {"otp": "850257"}


def test_as_it_is__asks_for_what_the_template_has_needed_since(resender, message, order_template):
    order_template.parameters.create(name="shop", position=8)

    assert fields_of(resender.get(again(message, "as-it-is"))) == ["params.shop"]


def test_as_it_is__asks_for_what_is_at_fault_by_now(resender, message, order_template):
    order_template.parameters.filter(name="note").update(max_length=4)
    order_template.parameters.filter(name="order_code").update(pattern="[A-Z]+")

    form = resender.get(again(message, "as-it-is"))
    typed = {"params.note": "", "params.order_code": "DH"}
    checked = resender.post(again(message, "as-it-is"), typed)
    confirm(resender, checked, message, "as-it-is")

    assert set(faults(form)) == {"params.note", "params.order_code"}
    assert 'value="Ring first"' in page(form)
    assert "note" not in resent(message).params
    assert resent(message).params["order_code"] == "DH"


# --- By another route, to another number --------------------------------------------------------


def test_route__is_all_that_is_asked(resender, message, sms_only):
    form = resender.get(again(message, "route"))
    checked = resender.post(again(message, "route"), {"route": "SMS only"})
    confirm(resender, checked, message, "route")

    assert fields_of(form) == ["route"]
    assert resent(message).channels == ["3"]
    assert resent(message).params == message.params


def test_number__is_all_that_is_asked(resender, message):
    form = resender.get(again(message, "number"))
    checked = resender.post(again(message, "number"), {"to": "0987 654 321"})
    response = confirm(resender, checked, message, "number")

    assert fields_of(form) == ["to"]
    assert "Leave it empty" not in page(form)
    assert resent(message).recipient == "84987654321"
    # Who typed it sees what they typed.
    assert "0987 654 321" in page(checked)
    assert said(response) == ["The provider took the message to 0987 654 321."]


def test_number__that_is_not_given_is_missing(resender, message):
    response = resender.post(again(message, "number"), {"to": " "})

    assert list(faults(response)) == ["to"]


def test_number__is_there_to_be_mended_for_who_may_see_it(watcher, message):
    assert 'value="0912 345 678"' in page(watcher.get(again(message, "number")))


def test_way__to_be_changed_shows_what_was_typed(resender, message, sms_only):
    typed = {"route": "SMS only", "params.note": "Ring twice"}
    checked = resender.post(again(message, "route"), typed)

    form = change(resender, checked, message, "route")

    assert fields_of(form) == ["route", "params.note"]
    assert 'value="Ring twice"' in page(form)
    assert '<option value="SMS only" selected>' in page(form)


def test_way__refused_at_its_confirmation_shows_what_was_typed(resender, message, sms_only):
    checked = resender.post(again(message, "route"), {"route": "SMS only"})
    sms_only.delete()

    form = confirm(resender, checked, message, "route")

    assert "Nothing was sent" in page(form)
    assert list(faults(form)) == ["route"]
    assert not shows_number(page(form))


# --- Whose number -------------------------------------------------------------------------------


def unseen(*responses) -> bool:
    told = [page(response) + str(response.headers) for response in responses]
    return not any(map(shows_number, told))


@pytest.mark.parametrize("way", ["", "as-it-is", "route"])
def test_hidden_number__is_sent_to_and_never_shown(resender, message, askable, way):
    params = {f"params.{name}": value for name, value in message.params.items()}
    form = resender.get(again(message, way))
    checked = resender.post(again(message, way), {"to": "", "route": "", **params})
    changed = change(resender, checked, message, way)
    response = confirm(resender, checked, message, way)
    repeated = confirm(resender, checked, message, way)
    after = resender.get(response.url)

    assert unseen(form, checked, changed, response, repeated, after)
    assert "84912•••678" in page(checked)
    assert said(response) == ["The provider took the message to 84912•••678."]
    assert resent(message).recipient == "84912345678"
    assert not LogEntry.objects.exists()


def test_hidden_number__of_a_faulty_form_is_not_shown(resender, message):
    response = resender.post(again(message), {"to": "", "params.amount": "free"})

    assert "params.amount" in faults(response)
    assert "to" not in faults(response)
    assert unseen(response)
    assert "Leave it empty to keep 84912•••678." in page(response)


def test_hidden_number__that_may_not_be_written_to_any_more(resender, message, settings):
    settings.ETELECOM["ALLOWED_NUMBERS"] = {"SG": ["MOBILE"]}

    response = resender.get(again(message, "as-it-is"))

    assert list(faults(response)) == ["to"]
    assert unseen(response)


@pytest.fixture
def with_hotline(askable, order_template, order_params):
    """A message of which a parameter is its recipient's number as well, and another holds it."""
    order_template.parameters.create(name="hotline", kind="phone", position=9)
    params = {**order_params, "hotline": "0912345678", "note": "Ring 0912 345 678"}
    return send_message(order_template, PHONE, params)


@pytest.mark.parametrize("way", ["", "as-it-is", "number"])
def test_hidden_number__in_a_parameter_is_kept_and_never_shown(
    resender, with_hotline, askable, way
):
    params = {f"params.{name}": value for name, value in with_hotline.params.items()}
    posted = {**params, "params.hotline": " ", "params.note": "", "route": ""}
    number = {"to": "0987654321"} if way == "number" else {}
    if way:
        posted = {}
    form = resender.get(again(with_hotline, way))
    checked = resender.post(again(with_hotline, way), {**posted, **number})
    changed = change(resender, checked, with_hotline, way)
    confirm(resender, checked, with_hotline, way)

    assert unseen(form, checked, changed)
    assert resent(with_hotline).params == with_hotline.params


def test_hidden_number__in_a_parameter_that_is_at_fault(resender, with_hotline, order_template):
    order_template.parameters.filter(name="hotline").update(pattern="84.*")

    response = resender.get(again(with_hotline, "as-it-is"))

    [sentence] = faults(response)["params.hotline"]
    assert "091•••678 is not taken" in sentence.replace("“", "").replace("”", "")
    assert unseen(response)


def test_hidden_number__of_a_message_that_is_gone_is_asked_for(resender, message):
    checked = resender.get(again(message, "as-it-is"))
    MessageLog.objects.all().delete()

    response = confirm(resender, checked, message, "as-it-is")

    assert "Nothing was sent" in page(response)
    assert "to" in faults(response)
    assert unseen(response)


def test_seen_number__is_on_record_each_time(watcher, message):
    form = watcher.get(again(message))
    checked = watcher.get(again(message, "as-it-is"))
    watcher.get(again(message, "route"))
    watcher.get(ways_of(message))

    assert 'value="0912 345 678"' in page(form)
    assert "0912 345 678" in page(checked)
    assert [
        (entry.user.username, entry.get_edited_object(), entry.get_change_message())
        for entry in LogEntry.objects.all()
    ] == [("minh", message, "Saw the number.")] * 2


def test_seen_number__is_told_after_sending(watcher, message):
    response = confirm(watcher, watcher.get(again(message, "as-it-is")), message, "as-it-is")

    assert said(response) == ["The provider took the message to 0912 345 678."]


def test_blank_field__that_was_cleared_stays_cleared_after_a_refusal(
    watcher, message, order_template
):
    params = {f"params.{name}": value for name, value in message.params.items()}
    checked = watcher.post(again(message), {"to": PHONE, **params, "params.note": ""})
    order_template.is_active = False
    order_template.save()

    html = page(confirm(watcher, checked, message))

    assert "Ring first" not in html
    assert re.search(r'name="params.order_code" value="DH-1024"', html)


# --- What stops it ------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["as-it-is", ""])
def test_stopped__is_checked_again_with_all_that_was_kept(resender, message, askable, way):
    pace.pause("default", Reason.CREDENTIALS)
    if way:
        checked = resender.get(again(message, way))
    else:
        typed = {**ORDER, "to": "", "params.note": "Ring twice"}
        checked = resender.post(again(message), {"step": "check", **typed})
    assert "Send the message" not in page(checked)
    assert not shows_number(page(checked))
    pace.resume("default")

    fields = {"step": "again", "message": sealed_in(checked)}
    checked = resender.post(again(message, way), fields)

    assert "Send the message" in page(checked)
    confirm(resender, checked, message, way)
    second = resent(message)
    assert second.recipient == message.recipient
    assert second.params["note"] == ("Ring first" if way else "Ring twice")
    assert len(askable.sent) == 2
