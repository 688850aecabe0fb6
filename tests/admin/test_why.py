"""The page of a message says what became of it, and has the buttons for what to do next."""

import pytest
from django.urls import resolve, reverse

from django_etelecom import reports
from django_etelecom.admin import refresh
from django_etelecom.client.codes import Failure
from django_etelecom.client.status import StatusResult
from django_etelecom.models import MessageEvent, MessageLog, RouteRule
from django_etelecom.services import record_consent, send_message, suppress_number
from tests.admin.conftest import PHONE, faults, page, page_of, refresh_url, said, send_url
from tests.backends import answering
from tests.replica import OnReplica

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "admin:etelecom_messagelog_changelist"
EVERYTHING = ("send_message", "resend_message", "view_messagelog")


# --- In words -----------------------------------------------------------------------------------


def test_why__stands_on_the_page(viewer, message, askable):
    askable.tell("fail", channel="<b>new</b>", error_code="-118")
    viewer.post(refresh_url(message))

    html = page(viewer.get(page_of(message)))

    assert "What became of it" in html
    assert "&lt;b&gt;new&lt;/b&gt; failed. Error -118" in html
    assert "<b>new</b>" not in html
    assert "What to do" in html


def test_why__tells_the_cost_and_the_network(viewer, message, askable):
    askable.tell("success", channel="SMS", network="3", paid_messages=2)
    viewer.post(refresh_url(message))

    html = page(viewer.get(page_of(message)))

    assert "Cost: 2 paid messages, Viettel." in html
    assert "Told by" in html


def test_why__nothing_to_do_has_no_buttons(resender, message):
    MessageLog.objects.update(status="queued", provider_message_id="")

    html = page(resender.get(page_of(message)))

    assert "Refresh status" not in html
    assert "Send again" not in html


def test_why__who_may_not_send_again_has_no_button_for_it(viewer, message):
    html = page(viewer.get(page_of(message)))

    assert "Refresh status" in html
    assert "Send again" not in html


# --- Refresh one --------------------------------------------------------------------------------


def test_refresh__moves_the_message_and_says_so(viewer, message, askable):
    askable.tell("success", channel="SMS")

    response = viewer.post(refresh_url(message))

    assert response.url == page_of(message)
    assert said(response) == [("success", "The message is delivered now.")]
    assert MessageLog.objects.get().status == "delivered"


def test_refresh__nothing_new(viewer, message):
    assert said(viewer.post(refresh_url(message))) == [
        ("info", "The provider says nothing new of it.")
    ]


def test_refresh__no_answer(viewer, message, askable):
    askable.status = answering(StatusResult(failure=Failure.TIMEOUT))

    [(level, sentence)] = said(viewer.post(refresh_url(message)))

    assert (level, sentence[:27]) == ("warning", "The provider gave no answer")


def test_refresh__looks_for_the_answer_where_it_was_written(viewer, message, settings):
    settings.DATABASE_ROUTERS = [OnReplica(MessageEvent)]

    assert said(viewer.post(refresh_url(message))) == [
        ("info", "The provider says nothing new of it.")
    ]


def test_refresh__message_that_cannot_be_asked_about(viewer, message):
    MessageLog.objects.update(provider_message_id="")

    assert said(viewer.post(refresh_url(message))) == [
        ("error", "The provider gave this message no id to ask by.")
    ]


def test_refresh__account_that_cannot_be_used(viewer, message, settings):
    settings.ETELECOM = {}

    [(level, sentence)] = said(viewer.post(refresh_url(message)))

    assert level == "error"
    assert "has no account" in sentence


def test_refresh__is_posted(viewer, message, askable):
    assert viewer.get(refresh_url(message)).status_code == 405
    assert askable.asked == []


def test_refresh__needs_permission(staff_client, message, client):
    assert staff_client().post(refresh_url(message)).status_code == 403
    assert client.post(refresh_url(message)).status_code == 302


@pytest.mark.parametrize("key", ["0", "x", "999"])
def test_refresh__of_no_message_is_not_found(viewer, message, key):
    url = reverse("admin:etelecom_messagelog_refresh", args=[key])

    assert viewer.post(url).status_code == 404


def test_refresh__holds_no_transaction_over_the_network(message):
    for url in (refresh_url(message), reverse(LIST)):
        assert resolve(url).func._non_atomic_requests == {"default"}


# --- Refresh many -------------------------------------------------------------------------------


def select(client, *messages):
    chosen = [message.pk for message in messages]
    return client.post(reverse(LIST), {"action": "refresh_selected", "_selected_action": chosen})


@pytest.fixture
def other(message, order_template, order_params):
    return send_message(order_template, PHONE, order_params)


def test_refresh_many__asks_about_each(viewer, message, other, askable):
    askable.tell("success")

    response = select(viewer, message, other)

    assert said(response) == [("success", "The provider was asked about 2 messages.")]
    assert set(MessageLog.objects.values_list("status", flat=True)) == {"delivered"}


def test_refresh_many__leaves_out_what_cannot_be_asked(viewer, message, askable):
    MessageLog.objects.update(provider_message_id="")

    levels = [level for level, _sentence in said(select(viewer, message))]

    assert levels == ["warning"]
    assert askable.asked == []


def test_refresh_many__ends_when_time_runs_out(viewer, message, askable, monkeypatch):
    monkeypatch.setattr(refresh, "PATIENCE", 0.0)

    select(viewer, message)

    assert askable.asked == []


def test_refresh_many__goes_on_after_the_first_batch(viewer, message, other, askable, monkeypatch):
    monkeypatch.setattr(reports, "CONCURRENT_POLLS", 1)

    select(viewer, message, other)

    assert sorted(askable.asked) == ["ICOMNI1", "ICOMNI2"]


def test_refresh_many__too_many_are_refused(viewer, message, askable, monkeypatch):
    monkeypatch.setattr(refresh, "MOST", 0)

    assert said(select(viewer, message)) == [
        ("error", "Choose at most 0 messages; nothing was asked.")
    ]
    assert askable.asked == []


def test_refresh_many__needs_permission(staff_client, message, askable):
    assert select(staff_client("send_message"), message).status_code == 403
    assert askable.asked == []


# --- Send again ---------------------------------------------------------------------------------


def again(message):
    return f"{send_url(message.template_code)}&resend_of={message.public_id}"


def filled_in(message, **changes):
    params = {f"params.{name}": value for name, value in message.params.items()}
    return {"to": PHONE, **params, **changes}


def test_resend__opens_the_form_as_it_was_filled_in(resender, message):
    html = page(resender.get(again(message)))

    assert 'name="to" class' in html
    assert 'value="DH-1024"' in html
    assert 'value="2026-12-24"' in html
    assert "The first one may have arrived: the customer may get it twice" in html


@pytest.mark.parametrize("status", ["undelivered", "rejected", "not_sent"])
def test_resend__of_what_did_not_arrive_has_no_warning(resender, message, status):
    MessageLog.objects.update(status=status, next_poll_at=None)

    html = page(resender.get(again(message)))

    assert "This repeats" in html
    assert "twice" not in html


def test_resend__secret_is_typed_again(resender, askable, otp_template):
    message = send_message(otp_template, PHONE, {"otp": "937415"})

    html = page(resender.get(again(message)))

    assert "937415" not in html
    assert "Its parameter otp was secret and was not kept" in html


def test_resend__sends_a_linked_message_once(resender, message, askable):
    RouteRule.objects.create(name="SMS only", channels=["3"])
    changed = filled_in(message, to="0987654321", route="SMS only")
    response = resender.post(again(message), {"step": "check", **changed})
    assert f"resend_of={message.public_id}" in page(response)
    sealed = {"step": "confirm", "message": response.context["sealed"]}

    first = resender.post(again(message), sealed)
    second = resender.post(again(message), sealed)

    sent = MessageLog.objects.get(resend_of=message)
    assert first.url == second.url == page_of(sent)
    assert (sent.recipient, sent.channels) == ("84987654321", ["3"])
    assert len(askable.sent) == 2


def test_resend__of_a_message_that_is_gone_by_the_confirmation(resender, message, askable):
    url = again(message)
    response = resender.post(url, {"step": "check", **filled_in(message)})
    sealed = {"step": "confirm", "message": response.context["sealed"]}
    MessageLog.objects.all().delete()

    response = resender.post(url, sealed)

    assert response.status_code == 200
    assert "Nothing was sent: what you checked is not valid any more." in page(response)
    assert len(askable.sent) == 1


def test_resend__sends_what_was_checked_where_a_field_was_not_posted(
    resender, askable, order_template, order_params
):
    message = send_message(order_template, PHONE, {**order_params, "note": "Call first"})
    posted = filled_in(message)
    del posted["params.note"]
    response = resender.post(again(message), {"step": "check", **posted})
    assert "Call first" not in page(response)

    sealed = {"step": "confirm", "message": response.context["sealed"]}
    resender.post(again(message), sealed)

    assert "note" not in MessageLog.objects.get(resend_of=message).params


def test_resend__to_be_changed_goes_back_to_the_form(resender, message):
    response = resender.post(again(message), {"step": "check", **filled_in(message)})
    sealed = {"step": "change", "message": response.context["sealed"]}

    assert "This repeats" in page(resender.post(again(message), sealed))


@pytest.mark.parametrize("missing", ["resend_message", "view_messagelog"])
def test_resend__needs_permission(staff_client, message, missing):
    client = staff_client(*(name for name in EVERYTHING if name != missing))

    assert client.get(again(message)).status_code == 403


@pytest.mark.parametrize("first", ["nonsense", "00000000-0000-0000-0000-000000000000", ""])
def test_resend__of_nothing_is_a_new_message(resender, message, first):
    html = page(resender.get(f"{send_url(message.template_code)}&resend_of={first}"))

    assert "This repeats" not in html


def test_resend__by_another_template_is_a_new_message(resender, message, otp_template):
    html = page(resender.get(f"{send_url('login_otp')}&resend_of={message.public_id}"))

    assert "This repeats" not in html


def test_resend__by_a_template_that_is_not_active_offers_others(resender, message):
    message.template.is_active = False
    message.template.save()

    assert list(faults(resender.get(again(message)))) == ["template"]


# --- What stopped it ----------------------------------------------------------------------------


def stopped(message, reason):
    MessageLog.objects.filter(pk=message.pk).update(status="not_sent", reason=reason)


def entry_url(entry):
    return reverse(f"admin:etelecom_{entry._meta.model_name}_change", args=[entry.pk])


def test_stopped__leads_to_the_entry_on_the_list(staff_client, message):
    stopped(message, "suppressed")
    listed = suppress_number(PHONE)
    suppress_number("0912345679")

    html = page(staff_client("view_messagelog", "view_suppression").get(page_of(message)))

    assert f'href="{entry_url(listed)}"' in html


def test_stopped__leads_to_the_consent_that_was_withdrawn(staff_client, message):
    stopped(message, "no_consent")
    client = staff_client("view_messagelog", "view_consent")
    assert "The number&#x27;s entry" not in page(client.get(page_of(message)))

    consent = record_consent(PHONE, source="Form")

    assert f'href="{entry_url(consent)}"' in page(client.get(page_of(message)))


def test_stopped__leads_nowhere_who_may_not_see_the_list(viewer, message):
    stopped(message, "suppressed")
    listed = suppress_number(PHONE)

    assert entry_url(listed) not in page(viewer.get(page_of(message)))


def test_stopped__of_a_message_that_was_stripped_nothing_is_known(staff_client, message):
    stopped(message, "suppressed")
    listed = suppress_number(PHONE)
    MessageLog.objects.filter(pk=message.pk).update(recipient="", params={})

    html = page(staff_client("view_messagelog", "view_suppression").get(page_of(message)))

    assert entry_url(listed) not in html
