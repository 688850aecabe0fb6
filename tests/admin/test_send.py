"""The pages of `messagelog/send/`: choose a template, fill in its form, check, confirm."""

import time
import traceback
from unittest import mock

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.core import serializers
from django.db.models import Q
from django.test import Client
from django.urls import resolve, reverse

from django_etelecom import pace
from django_etelecom.admin.checked import CONFIRM_WITHIN, CheckedMessage
from django_etelecom.admin.forms import LONGEST_REFILLED, MessageForm
from django_etelecom.client.opaque import Opaque
from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.exceptions import IdempotencyConflict, SendBlocked
from django_etelecom.models import MessageEvent, MessageLog, MessageTemplate, RouteRule
from django_etelecom.models.messages import Reason
from django_etelecom.services import send_message, suppress_number
from django_etelecom.verdicts import Guard
from tests.admin.conftest import (
    ORDER,
    PHONE,
    check,
    confirm,
    faults,
    page,
    said,
    sealed_in,
    send_url,
)

OTP = "739146"


# --- Who may ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post"])
def test_send__anonymous_goes_to_login(db, method):
    response = getattr(Client(), method)(send_url())

    assert response.status_code == 302
    assert response.url.startswith("/admin/login/")


@pytest.mark.parametrize("step", ["check", "change", "confirm", ""])
def test_send__without_permission_is_forbidden(staff_client, order_template, step):
    client = staff_client("view_messagelog", "view_messagetemplate")

    response = client.post(send_url("order_confirmation"), {"step": step, **ORDER})

    assert response.status_code == 403


def test_send__form_without_permission_is_forbidden(staff_client, order_template):
    assert staff_client().get(send_url("order_confirmation")).status_code == 403


def test_send__superuser_may(admin_client, order_template):
    assert admin_client.get(send_url("order_confirmation")).status_code == 200


def test_send__other_methods_are_refused(sender):
    assert sender.put(send_url()).status_code == 405


def test_send__needs_a_csrf_token(sender, order_template):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = sender.cookies

    assert strict.post(send_url("order_confirmation"), ORDER).status_code == 403


def test_send__holds_no_transaction_over_the_network(db):
    view = resolve(send_url()).func

    assert view._non_atomic_requests == {"default"}


# --- Choose -------------------------------------------------------------------------------------


def test_choose__offers_active_templates(sender, order_template):
    MessageTemplate.objects.create(code="old_one", is_active=False)

    response = sender.get(send_url())

    assert "Order confirmation (order_confirmation)" in page(response)
    assert "old_one" not in page(response)


@pytest.mark.parametrize("code", ["nothing_like_it", "ORDER_CONFIRMATION", "\x00", "<script>", ""])
def test_choose__unknown_template_is_told(sender, order_template, code):
    response = sender.get(send_url(), {"template": code})

    assert list(faults(response)) == ["template"]
    assert "<script>" not in page(response)


def test_choose__inactive_template_is_told(sender, order_template):
    MessageTemplate.objects.update(is_active=False)

    response = sender.get(send_url("order_confirmation"))

    assert faults(response) == {"template": ["There is no active template with this code."]}


def test_choose__template_given_by_post_only_is_not_taken(sender, order_template):
    response = sender.post(send_url(), {"template": "order_confirmation", **ORDER})

    assert list(faults(response)) == ["template"]


# --- The form -----------------------------------------------------------------------------------


def test_form__has_a_field_for_each_parameter(sender, order_template):
    response = sender.get(send_url("order_confirmation"))

    assert list(response.context["adminform"].form.fields) == [
        "to",
        "route",
        "params.customer_name",
        "params.order_code",
        "params.amount",
        "params.delivery_date",
        "params.note",
    ]
    assert "Dear <mark>{customer_name}</mark>" in page(response)


@pytest.mark.parametrize(
    ("kind", "limit", "drawn"),
    [
        ("text", 100, 'type="text"'),
        ("text", 101, "<textarea"),
        ("number", None, 'type="number"'),
        ("money", None, 'type="number"'),
        ("date", None, 'type="date"'),
        ("time", None, 'type="text"'),
        ("phone", None, 'type="tel"'),
        ("url", None, 'type="url"'),
        ("otp", None, 'autocomplete="off"'),
    ],
)
def test_form__widget_suits_the_kind(default_route, kind, limit, drawn):
    template = MessageTemplate.objects.create(code="one", text="{it}")
    template.parameters.create(name="it", kind=kind, max_length=limit)
    form = MessageForm(MessageTemplate.objects.plan(Q(pk=template.pk)))

    assert drawn in str(form["params.it"])


def test_form__tells_limits_and_shows_the_example(sender, order_template):
    order_template.parameters.filter(name="order_code").update(max_length=30, example="DH-1")

    html = page(sender.get(send_url("order_confirmation")))

    assert "Text, at most 30 characters." in html
    assert 'placeholder="DH-1"' in html
    assert "Text, at most 200 characters. Optional." in html


def test_form__secret_says_so(sender, otp_template):
    html = page(sender.get(send_url("login_otp")))

    assert "One-time password, at most 10 characters. Never stored or shown." in html


def test_form__routes_have_their_channels_by_name(sender, order_template):
    rule = RouteRule.objects.create(name="Phone first", channels=["2", "3"])

    html = page(sender.get(send_url("order_confirmation")))
    MessageTemplate.objects.update(route=rule)
    html_of_own = page(sender.get(send_url("order_confirmation")))

    assert "The default route: ZNS (Zalo) → SMS" in html
    assert "The template&#x27;s own: Voice call → SMS" in html_of_own
    assert '<option value="Phone first">Phone first: Voice call → SMS</option>' in html


def test_form__template_without_route_asks_for_one(sender):
    MessageTemplate.objects.create(code="lonely", text="Hello")

    response = sender.get(send_url("lonely"))

    assert "Choose a route: the template has none" in page(response)


def test_form__template_without_text_says_so(sender, default_route):
    MessageTemplate.objects.create(code="wordless")

    assert "The text of this template is not known here." in page(sender.get(send_url("wordless")))


@pytest.mark.parametrize("step", [{}, {"step": "check"}, {"step": "nonsense"}])
def test_check__is_the_default_step(sender, order_template, step):
    response = sender.post(send_url("order_confirmation"), {**ORDER, **step})

    assert response.templates[0].name == "admin/etelecom/send/check.html"


# --- Check --------------------------------------------------------------------------------------


def test_check__shows_what_would_be_sent(sender, order_template, etelecom_outbox):
    response = sender.post(send_url("order_confirmation"), ORDER)

    html = page(response)
    assert "0912 345 678" in html
    assert "ZNS (Zalo) → SMS" in html
    assert "order <mark>DH-1024</mark> of <mark>150000</mark> VND" in html
    assert "<mark>24/12/2026</mark>" in html
    text = "Dear Nguyễn Văn An, order DH-1024 of 150000 VND comes on 24/12/2026."
    assert response.context["length"] == len(text)
    assert "Nothing has been sent yet." in html


def test_check__writes_and_sends_nothing(sender, order_template, etelecom_outbox):
    sender.post(send_url("order_confirmation"), ORDER)

    assert etelecom_outbox == []
    assert not MessageLog.objects.exists()


def test_check__counts_the_secrets_characters(sender, otp_template, etelecom_outbox):
    response = sender.post(send_url("login_otp"), {"to": PHONE, "params.otp": OTP})

    assert response.context["length"] == len(f"Your code is {OTP}.")
    assert "Your code is <mark>•••</mark>." in page(response)


def test_check__chosen_route(sender, order_template, etelecom_outbox):
    RouteRule.objects.create(name="SMS only", channels=["3"])

    response = sender.post(send_url("order_confirmation"), {**ORDER, "route": "SMS only"})

    assert response.context["channels"] == "SMS"


def test_check__template_without_text_or_parameters(sender, default_route, etelecom_outbox):
    MessageTemplate.objects.create(code="wordless")

    response = sender.post(send_url("wordless"), {"to": PHONE})

    assert "The text of this template is not known here." in page(response)


def test_check__all_faults_stand_beside_their_fields(sender, order_template):
    response = sender.post(
        send_url("order_confirmation"),
        {**ORDER, "to": "12345", "params.amount": "150.000", "params.order_code": ""},
    )

    assert set(faults(response)) == {"to", "params.amount", "params.order_code"}
    assert 'id="id_params.amount_error"' in page(response)
    assert 'value="Nguyễn Văn An"' in page(response)


def test_check__missing_fields_are_faults(sender, order_template):
    response = sender.post(send_url("order_confirmation"))

    assert set(faults(response)) == {
        "to",
        "params.customer_name",
        "params.order_code",
        "params.amount",
        "params.delivery_date",
    }


def test_check__unknown_parameter_is_told_by_name(sender, order_template):
    response = sender.post(send_url("order_confirmation"), {**ORDER, "params.gift": "Tea"})

    [sentence] = faults(response)["__all__"]
    assert sentence.startswith("gift: The template has no parameter of this name.")


def test_check__too_many_unknown_parameters(sender, order_template):
    unknown = {f"params.x{number}": "1" for number in range(30)}

    response = sender.post(send_url("order_confirmation"), {**ORDER, **unknown})

    assert "30 names are not parameters of this template." in faults(response)["__all__"]


def test_check__unknown_route_is_told(sender, order_template):
    response = sender.post(send_url("order_confirmation"), {**ORDER, "route": "Pigeon"})

    assert list(faults(response)) == ["route"]


def test_check__inactive_template_is_told(sender, order_template):
    MessageTemplate.objects.update(is_active=False)

    response = sender.post(send_url("order_confirmation"), ORDER)

    assert faults(response)["__all__"] == ["The template “order_confirmation” is not active."]


def test_check__missing_account_is_told(sender, order_template):
    MessageTemplate.objects.update(account="gone")

    response = sender.post(send_url("order_confirmation"), ORDER)

    [sentence] = faults(response)["__all__"]
    assert sentence.startswith("This site's settings do not allow it to be sent:")
    assert "'gone'" in sentence


@pytest.mark.parametrize("field", ["to", "route", "params.customer_name", "params.amount"])
@pytest.mark.parametrize("value", ["\x00", "a\x00b", "\ud800"])
def test_check__characters_that_cannot_be_sent(order_template, field, value):
    plan = MessageTemplate.objects.plan(Q(pk=order_template.pk))

    form = MessageForm(plan, Opaque({**ORDER, field: value}))

    assert list(form.errors) == [field]


@pytest.mark.parametrize("field", ["to", "params.customer_name"])
@pytest.mark.parametrize("value", [b"%00", b"%ED%A0%80%01"])
def test_check__odd_bytes_are_told_beside_the_field(sender, order_template, field, value):
    response = sender.generic(
        "POST",
        send_url("order_confirmation"),
        field.encode() + b"=" + value,
        content_type="application/x-www-form-urlencoded",
    )

    assert response.status_code == 200
    assert field in faults(response)


@pytest.mark.parametrize("field", ["to", "params.customer_name"])
def test_check__ten_megabytes_are_told_and_not_sent_back(sender, order_template, settings, field):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = None

    response = sender.post(send_url("order_confirmation"), {**ORDER, field: "7" * 10_000_000})

    assert list(faults(response)) == [field]
    assert len(response.content) < 10 * LONGEST_REFILLED


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x onerror=1>'])
def test_check__markup_is_shown_escaped(sender, order_template, etelecom_outbox, hostile):
    response = sender.post(
        send_url("order_confirmation"), {**ORDER, "params.customer_name": hostile}
    )

    assert sealed_in(response)
    assert hostile not in page(response)


def test_check__faulty_markup_is_shown_escaped(sender, order_template):
    hostile = '"><script>alert(1)</script>'

    response = sender.post(
        send_url("order_confirmation"), {"to": hostile, "params.amount": hostile, "params.<b>": ""}
    )

    assert hostile not in page(response)
    assert "<b>: " not in page(response)


# --- Secrets ------------------------------------------------------------------------------------


def test_secret__is_on_no_page(sender, otp_template, etelecom_outbox):
    filled = {"to": PHONE, "params.otp": OTP}
    refused = sender.post(send_url("login_otp"), {**filled, "to": "12"})
    checked = sender.post(send_url("login_otp"), filled)
    token = sealed_in(checked)
    reopened = sender.post(send_url("login_otp"), {"step": ["confirm", "change"], "message": token})
    sent = confirm(sender, token, "login_otp", follow=True)

    for response in (refused, checked, reopened, sent):
        assert response.status_code == 200
        assert OTP not in page(response)
        assert OTP not in str(response.headers) + str(response.client.cookies)
    assert OTP not in token
    assert etelecom_outbox[0].params == {"otp": OTP}


def test_secret__rests_nowhere(sender, otp_template, etelecom_outbox):
    token = check(sender, "login_otp", {"to": PHONE, "params.otp": OTP})
    confirm(sender, token, "login_otp")

    rows = [*MessageLog.objects.all(), *MessageEvent.objects.all(), *LogEntry.objects.all()]
    assert OTP not in serializers.serialize("json", rows)
    for session in Session.objects.all():
        assert OTP not in str(session.get_decoded())


def test_secret__is_not_refilled_after_a_refused_confirmation(
    sender, otp_template, etelecom_outbox
):
    token = check(sender, "login_otp", {"to": PHONE, "params.otp": OTP})
    MessageTemplate.objects.update(is_active=False)

    assert OTP not in page(confirm(sender, token, "login_otp"))


@pytest.mark.parametrize("step", ["check", "confirm"])
def test_secret__is_taken_from_the_request(sender, otp_template, etelecom_outbox, step):
    fields = {"to": PHONE, "params.otp": OTP}
    token = check(sender, "login_otp", fields)

    response = sender.post(send_url("login_otp"), {"step": step, "message": token, **fields})

    assert dict(response.wsgi_request.POST.items()) == {
        **dict.fromkeys(("step", "message", "to", "params.otp"), "•••")
    }


@pytest.mark.parametrize(
    "broken",
    [
        "django_etelecom.admin.forms._routes",
        "django_etelecom.admin.forms.check_message",
        "django_etelecom.admin.send.send_message",
        "django_etelecom.sealing._fernet",
    ],
)
def test_secret__is_in_no_frame_of_what_fails(sender, otp_template, etelecom_outbox, broken):
    fields = {"to": PHONE, "params.otp": OTP}
    token = check(sender, "login_otp", fields)

    with mock.patch(broken, side_effect=OSError), pytest.raises(OSError) as caught:  # noqa: PT011
        if broken.endswith("send_message"):
            confirm(sender, token, "login_otp")
        sender.post(send_url("login_otp"), fields)

    ours = [
        frame.f_locals
        for frame, _line in traceback.walk_tb(caught.value.__traceback__)
        if frame.f_globals["__name__"].startswith("django_etelecom")
    ]
    assert ours
    assert OTP not in repr(ours)


def test_secret__is_hidden_from_error_reports(sender, otp_template):
    response = sender.post(send_url("login_otp"), {"to": PHONE, "params.otp": OTP})

    assert response.wsgi_request.sensitive_post_parameters == "__ALL__"
    checked = CheckedMessage(
        template="login_otp",
        account="default",
        typed=Opaque({"params.otp": OTP}),
        secret=["params.otp"],
        shown="",
    )
    assert OTP not in repr(checked)


# --- Change -------------------------------------------------------------------------------------


def test_change__reopens_the_form_as_it_was_typed(sender, order_template):
    token = check(sender, "order_confirmation", ORDER)

    response = sender.post(
        send_url("order_confirmation"), {"step": ["confirm", "change"], "message": token}
    )

    html = page(response)
    assert faults(response) == {}
    assert 'value="0912 345 678"' in html
    assert 'value="2026-12-24"' in html
    assert 'value="Nguyễn Văn An"' in html


def test_change__deleted_template(sender, order_template):
    token = check(sender, "order_confirmation", ORDER)
    order_template.delete()

    response = sender.post(
        send_url("order_confirmation"), {"step": ["confirm", "change"], "message": token}
    )

    assert list(faults(response)) == ["template"]


# --- Confirm ------------------------------------------------------------------------------------


def test_confirm__sends_and_goes_to_the_message(sender, order_template, etelecom_outbox):
    response = confirm(sender, check(sender, "order_confirmation", ORDER))

    message = MessageLog.objects.get()
    assert response.status_code == 302
    assert response.url == reverse("admin:etelecom_messagelog_change", args=[message.pk])
    assert message.status == "accepted"
    assert message.sent_by.username == "lan"
    assert etelecom_outbox[0].recipient == "84912345678"
    assert etelecom_outbox[0].params["delivery_date"] == "24/12/2026"
    assert said(response) == [("success", "The provider took the message to 0912 345 678.")]


def test_confirm__chosen_route(sender, order_template, etelecom_outbox):
    RouteRule.objects.create(name="SMS only", channels=["3"])

    confirm(sender, check(sender, "order_confirmation", {**ORDER, "route": "SMS only"}))

    assert etelecom_outbox[0].channels == ("3",)
    assert MessageLog.objects.get().requested_route == "SMS only"


def test_confirm__twice_sends_once(sender, order_template, etelecom_outbox):
    token = check(sender, "order_confirmation", ORDER)

    first = confirm(sender, token)
    second = confirm(sender, token)

    assert first.url == second.url
    assert len(etelecom_outbox) == 1
    assert MessageLog.objects.count() == 1


def test_confirm__two_checks_are_two_messages(sender, order_template, etelecom_outbox):
    confirm(sender, check(sender, "order_confirmation", ORDER))
    confirm(sender, check(sender, "order_confirmation", ORDER))

    assert len(etelecom_outbox) == 2


def test_confirm__sends_what_was_checked(sender, order_template, etelecom_outbox):
    token = check(sender, "order_confirmation", ORDER)

    sender.post(
        send_url("order_confirmation"),
        {"step": "confirm", "message": token, "to": "0987654321", "params.amount": "1"},
    )

    assert etelecom_outbox[0].recipient == "84912345678"
    assert etelecom_outbox[0].params["amount"] == "150000"


def test_confirm__another_persons_check_is_refused(
    sender, staff_client, order_template, etelecom_outbox
):
    other = staff_client("send_message", username="minh")

    response = confirm(other, check(sender, "order_confirmation", ORDER))

    assert "this check has expired or is not yours" in page(response)
    assert "Nguyễn Văn An" not in page(response)
    assert etelecom_outbox == []


def test_confirm__late_is_refused(sender, order_template, etelecom_outbox):
    token = check(sender, "order_confirmation", ORDER)

    with mock.patch("time.time", return_value=time.time() + CONFIRM_WITHIN + 2):
        response = confirm(sender, token)

    assert "this check has expired or is not yours" in page(response)
    assert etelecom_outbox == []


def test_confirm__in_time_is_taken(sender, order_template, etelecom_outbox):
    token = check(sender, "order_confirmation", ORDER)

    with mock.patch("time.time", return_value=time.time() + CONFIRM_WITHIN - 2):
        confirm(sender, token)

    assert len(etelecom_outbox) == 1


@pytest.mark.parametrize("broken", ["", "nonsense", "\x00", "{token[0]}", "x{token}", "{flipped}"])
def test_confirm__tampered_is_refused(sender, order_template, etelecom_outbox, broken):
    token = check(sender, "order_confirmation", ORDER)
    middle = len(token) // 2
    flipped = token[:middle] + ("B" if token[middle] == "A" else "A") + token[middle + 1 :]

    response = confirm(sender, broken.format(token=token, flipped=flipped))

    assert "Nothing was sent" in page(response)
    assert etelecom_outbox == []


def test_confirm__refused_without_template_offers_templates(sender, order_template):
    response = confirm(sender, "nonsense", code="")

    assert "Nothing was sent" in page(response)
    assert list(faults(response)) == ["template"]


def test_confirm__template_deactivated_meanwhile(sender, order_template, etelecom_outbox):
    token = check(sender, "order_confirmation", ORDER)
    MessageTemplate.objects.update(is_active=False)

    response = confirm(sender, token)

    assert "Nothing was sent: what you checked is not valid any more." in page(response)
    assert faults(response)["__all__"] == ["The template “order_confirmation” is not active."]
    assert not MessageLog.objects.exists()


@pytest.mark.parametrize("changed", ["route", "text"])
def test_confirm__of_what_was_not_shown_sends_nothing(
    sender, order_template, default_route, etelecom_outbox, changed
):
    token = check(sender, "order_confirmation", ORDER)
    if changed == "route":
        type(default_route).objects.update(channels=["2"])
    else:
        type(order_template).objects.update(text="Another text")

    response = confirm(sender, token)

    assert "was changed after your check" in page(response)
    assert etelecom_outbox == []


def test_confirm__template_changed_meanwhile(sender, order_template, etelecom_outbox):
    token = check(sender, "order_confirmation", ORDER)
    order_template.parameters.create(name="shop", position=9)

    response = confirm(sender, token)

    assert list(faults(response)) == ["params.shop"]
    assert 'value="Nguyễn Văn An"' in page(response)
    assert not MessageLog.objects.exists()


def test_confirm__template_deleted_meanwhile(sender, order_template, etelecom_outbox):
    token = check(sender, "order_confirmation", ORDER)
    order_template.delete()

    response = confirm(sender, token)

    assert "Nothing was sent" in page(response)
    assert list(faults(response)) == ["template"]


def test_confirm__route_deleted_meanwhile(sender, order_template, etelecom_outbox):
    rule = RouteRule.objects.create(name="SMS only", channels=["3"])
    token = check(sender, "order_confirmation", {**ORDER, "route": "SMS only"})
    rule.delete()

    response = confirm(sender, token)

    assert list(faults(response)) == ["route"]
    assert etelecom_outbox == []


def test_confirm__account_gone_meanwhile(sender, order_template, etelecom_outbox, settings):
    token = check(sender, "order_confirmation", ORDER)
    settings.ETELECOM = {"ACCOUNTS": {}}

    response = confirm(sender, token)

    assert response.status_code == 200
    assert "Nothing was sent. This site&#x27;s settings do not allow it to be sent:" in page(
        response
    )
    assert not MessageLog.objects.exists()


def test_confirm__twice_is_one_message_whatever_became_of_the_template(
    sender, order_template, etelecom_outbox
):
    token = check(sender, "order_confirmation", ORDER)
    first = confirm(sender, token)
    MessageTemplate.objects.update(text="Another text", is_active=False)

    second = confirm(sender, token)

    assert second.url == first.url
    assert "The provider took the message" in said(second)[-1][1]
    assert len(etelecom_outbox) == 1


def test_confirm__account_changed_meanwhile(sender, order_template, etelecom_outbox, settings):
    accounts = settings.ETELECOM["ACCOUNTS"]
    settings.ETELECOM = {"ACCOUNTS": {**accounts, "other": accounts["default"]}}
    token = check(sender, "order_confirmation", ORDER)
    MessageTemplate.objects.update(account="other")

    response = confirm(sender, token)

    assert "Nothing was sent: the template or its route was changed" in page(response)
    assert etelecom_outbox == []


def test_confirm__secret_is_not_refilled_where_it_is_none_any_more(
    sender, otp_template, etelecom_outbox
):
    token = check(sender, "login_otp", {"to": PHONE, "params.otp": OTP})
    otp_template.parameters.update(kind="text", secret=False)

    response = confirm(sender, token, "login_otp")

    assert "Nothing was sent" in page(response)
    assert OTP not in page(response)


def test_confirm__key_taken_by_another_at_the_same_moment(sender, order_template):
    token = check(sender, "order_confirmation", ORDER)
    error = IdempotencyConflict("This key was already used.")

    with mock.patch("django_etelecom.admin.send.send_message", side_effect=error):
        response = confirm(sender, token)

    assert f"Nothing was sent: {error}" in page(response)


def test_confirm__who_may_not_look_stays_on_the_form(staff_client, order_template, etelecom_outbox):
    client = staff_client("send_message")

    response = confirm(client, check(client, "order_confirmation", ORDER), follow=True)

    assert response.status_code == 200
    assert response.redirect_chain == [(send_url("order_confirmation"), 302)]
    assert "The provider took the message to 0912 345 678." in page(response)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("outcome", "level", "sentence"),
    [
        (Outcome.REJECTED, "error", "The provider refused the message to 0912 345 678."),
        (Outcome.NOT_SENT, "error", "The message to 0912 345 678 was not sent."),
        (
            Outcome.UNKNOWN,
            "warning",
            "It is not known whether the message to 0912 345 678 went out. "
            "It is not sent again by itself.",
        ),
    ],
)
def test_confirm__tells_what_became_of_it(
    sender, order_template, scripted, outcome, level, sentence
):
    scripted.answer = staticmethod(lambda outgoing: SendResult(outcome=outcome))

    response = confirm(sender, check(sender, "order_confirmation", ORDER))

    assert said(response) == [(level, sentence)]


def test_confirm__still_under_way(sender, order_template, scripted):
    # A test's transaction never commits, so the message stays queued.
    response = confirm(sender, check(sender, "order_confirmation", ORDER))

    assert said(response) == [("info", "The message to 0912 345 678 is being sent.")]


def test_confirm__again_after_it_did_not_arrive(sender, order_template, etelecom_outbox):
    token = check(sender, "order_confirmation", ORDER)
    confirm(sender, token)
    MessageLog.objects.update(status="undelivered")

    response = confirm(sender, token)

    assert said(response)[-1] == ("error", "The message to 0912 345 678 did not arrive.")


# --- What stops it ------------------------------------------------------------------------------

OTP_FIELDS = {"to": PHONE, "params.otp": OTP}
WAITS = "The number has just had this message."
SEND = "Send the message"
AGAIN = "Check it again"


def look(client, fields=OTP_FIELDS, code="login_otp"):
    return client.post(send_url(code), {"step": "check", **fields})


def again(client, token, code="login_otp"):
    return client.post(send_url(code), {"step": "again", "message": token})


def stops(response) -> list[str]:
    return [stop.detail for stop in response.context["stops"]]


def test_stops__nothing_is_told_of_guards_that_pass(sender, otp_template, etelecom_outbox):
    response = look(sender)

    assert stops(response) == []
    assert "cannot be sent now" not in page(response)
    assert [passes for _words, passes in response.context["guards"]] == [True] * len(Guard)
    assert SEND in page(response)
    assert AGAIN not in page(response)


def test_stops__are_told_and_there_is_no_button_that_sends(sender, otp_template, scripted):
    send_message("login_otp", PHONE, {"otp": "1"})
    pace.pause("default", Reason.CREDENTIALS)

    response = look(sender)

    paused, waits = stops(response)
    assert paused.startswith("Account “default” is paused:")
    assert waits.startswith(f"{WAITS} The next one may go in ")
    html = page(response)
    assert "then resume the account" in html
    assert html.count("stops it") == 2
    assert SEND not in html
    assert AGAIN in html
    assert "Change it" in html


def test_stops__lead_to_where_they_are_put_right(staff_client, order_template, scripted):
    suppress_number(PHONE, reason="staff")
    pace.pause("default", Reason.CREDENTIALS)
    may = staff_client("send_message", "view_accountstate", "view_suppression")
    may_not = staff_client("send_message", username="minh")

    def links(client):
        response = look(client, ORDER, "order_confirmation")
        return [stop.address for stop in response.context["stops"]]

    accounts = reverse("admin:etelecom_accountstate_changelist")
    suppressions = reverse("admin:etelecom_suppression_changelist")
    assert links(may) == [accounts, suppressions]
    assert links(may_not) == ["", ""]


def test_stops__confirmed_all_the_same_sends_nothing(sender, otp_template, scripted):
    token = check(sender, "login_otp", OTP_FIELDS)
    pace.pause("default", Reason.CREDENTIALS)

    response = confirm(sender, token, "login_otp")

    html = page(response)
    assert "Nothing was sent: Account “default” is paused:" in html
    assert SEND not in html
    assert OTP not in html
    assert not MessageLog.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_stops__that_have_passed_let_it_go_with_all_that_was_typed(sender, otp_template, scripted):
    pace.pause("default", Reason.CREDENTIALS)
    token = check(sender, "login_otp", OTP_FIELDS)
    still = again(sender, token)
    assert len(stops(still)) == 1
    pace.resume("default")

    response = again(sender, sealed_in(still))

    assert SEND in page(response)
    confirm(sender, sealed_in(response), "login_otp")
    assert [message.wire.reveal() for message in scripted.sent] == [{"otp": OTP}]


@pytest.mark.django_db(transaction=True)
def test_stops__between_look_and_insert_wait_on_the_check(sender, otp_template, scripted):
    token = check(sender, "login_otp", OTP_FIELDS)
    error = SendBlocked("Too many messages today.", reason="recipient_limit")

    with mock.patch("django_etelecom.admin.send.send_message", side_effect=error):
        response = confirm(sender, token, "login_otp")

    assert "Nothing was sent: Too many messages today." in page(response)
    # By now nothing stops it.
    confirm(sender, sealed_in(response), "login_otp")
    assert [message.wire.reveal() for message in scripted.sent] == [{"otp": OTP}]


def test_stops__template_gone_before_it_is_checked_again(sender, otp_template, scripted):
    token = check(sender, "login_otp", OTP_FIELDS)
    otp_template.delete()

    response = again(sender, token)

    assert list(faults(response)) == ["template"]


# --- Every page ---------------------------------------------------------------------------------


@pytest.fixture
def pages(sender, order_template, etelecom_outbox):
    checked = sender.post(send_url("order_confirmation"), ORDER)
    return [
        sender.get(send_url()),
        sender.get(send_url("order_confirmation")),
        sender.post(send_url("order_confirmation")),
        checked,
        confirm(sender, sealed_in(checked), follow=True),
        sender.get(reverse("admin:etelecom_messagelog_changelist")),
    ]


def test_pages__carry_nothing_that_a_strict_policy_forbids(pages):
    for response in pages:
        html = page(response)
        assert "<style" not in html
        assert " style=" not in html
        assert " onclick=" not in html
        assert html.count("<script") == html.count("<script src=") + html.count(
            '<script id="django-admin-'
        )


def test_pages__bring_the_apps_stylesheet(pages):
    for response in pages:
        assert "etelecom/admin.css" in page(response)


def test_pages__are_not_kept_by_caches(pages):
    for response in pages:
        assert "no-store" in response.headers["Cache-Control"]
