"""The log of messages in the admin: to be looked at and searched, never changed."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_etelecom.models import MessageEvent, MessageLog, MessageTemplate
from django_etelecom.services import send_message
from tests.admin.conftest import PHONE, page, send_url

LIST = "admin:etelecom_messagelog_changelist"


def change_url(message: MessageLog) -> str:
    return reverse("admin:etelecom_messagelog_change", args=[message.pk])


@pytest.fixture
def message(order_template, order_params, etelecom_outbox) -> MessageLog:
    return send_message("order_confirmation", PHONE, order_params, metadata={"order": "Đơn 7"})


# --- Nothing can be changed ---------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("page_name", ["add", "delete"])
def test_superuser__may_not_add_or_delete(admin_client, message, method, page_name):
    args = [] if page_name == "add" else [message.pk]
    url = reverse(f"admin:etelecom_messagelog_{page_name}", args=args)

    assert getattr(admin_client, method)(url, {"post": "yes"}).status_code == 403
    assert MessageLog.objects.count() == 1


def test_superuser__may_not_change(admin_client, message):
    response = admin_client.post(change_url(message), {"status": "delivered"})

    message.refresh_from_db()
    assert response.status_code == 403
    assert message.status == "accepted"


def test_superuser__has_no_action_that_deletes(admin_client, message):
    html = page(admin_client.get(reverse(LIST)))
    admin_client.post(
        reverse(LIST), {"action": "delete_selected", "_selected_action": [message.pk]}
    )

    assert "delete_selected" not in html
    assert MessageLog.objects.count() == 1


def test_superuser__sees_no_field_to_fill_in(admin_client, message):
    html = page(admin_client.get(change_url(message)))

    assert 'name="_save"' not in html
    assert "<textarea" not in html


# --- Who may look -------------------------------------------------------------------------------


def test_staff_without_permission__may_not_look(staff_client, message):
    client = staff_client("view_messagetemplate")

    assert client.get(reverse(LIST)).status_code == 403
    assert client.get(change_url(message)).status_code == 403


def test_viewer__may_look(viewer, message):
    assert viewer.get(reverse(LIST)).status_code == 200
    assert viewer.get(change_url(message)).status_code == 200


def test_button__leads_those_to_sending_who_may(viewer, admin_client, message):
    link = f'href="{send_url()}"'

    assert link in page(admin_client.get(reverse(LIST)))
    assert link not in page(viewer.get(reverse(LIST)))


# --- The list -----------------------------------------------------------------------------------


def test_list__shows_each_message(viewer, message):
    html = page(viewer.get(reverse(LIST)))

    assert '<span class="etelecom-badge etelecom-accepted">accepted</span>' in html
    assert "84912•••678" in html
    assert "order_confirmation" in html
    assert f"<bdi>{message.provider_message_id}</bdi>" in html


def test_list__newest_first(viewer, message, order_params):
    newer = send_message("order_confirmation", PHONE, order_params)

    response = viewer.get(reverse(LIST))

    assert list(response.context["cl"].result_list) == [newer, message]


def test_list__costs_the_same_for_many_messages(viewer, message, order_params):
    with CaptureQueriesContext(connection) as one:
        viewer.get(reverse(LIST))
    for _ in range(3):
        send_message("order_confirmation", PHONE, order_params)
    with CaptureQueriesContext(connection) as four:
        viewer.get(reverse(LIST))

    assert len(four) == len(one)


@pytest.mark.parametrize(
    "typed",
    ["0912345678", "0912 345 678", "+84 912.345.678", "  84912345678 ", "(+84) (0)912-345-678"],
)
def test_search__number_in_any_form(viewer, message, typed):
    response = viewer.get(reverse(LIST), {"q": typed})

    assert list(response.context["cl"].result_list) == [message]


@pytest.mark.parametrize("field", ["provider_message_id", "public_id"])
def test_search__whole_id(viewer, message, field):
    response = viewer.get(reverse(LIST), {"q": str(getattr(message, field))})

    assert list(response.context["cl"].result_list) == [message]


@pytest.mark.parametrize(
    "typed", ["0912", "345678", "order", "LOCMEM", "%", "' OR 1=1", "9" * 5000]
)
def test_search__anything_else_finds_nothing(viewer, message, typed):
    response = viewer.get(reverse(LIST), {"q": typed})

    assert list(response.context["cl"].result_list) == []


def test_search__goes_by_index(viewer, message):
    with CaptureQueriesContext(connection) as queries:
        viewer.get(reverse(LIST), {"q": "0912345678"})

    statements = " ".join(query["sql"] for query in queries)
    assert "LIKE" not in statements
    assert "UPPER" not in statements


@pytest.mark.parametrize("typed", ["", "   ", "\x00"])
def test_search__nothing_typed_shows_all(viewer, message, typed):
    response = viewer.get(reverse(LIST), {"q": typed})

    assert list(response.context["cl"].result_list) == [message]


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        ({"status__exact": "accepted"}, 1),
        ({"status__exact": "rejected"}, 0),
        ({"account": "default"}, 1),
        ({"account": "other"}, 0),
    ],
)
def test_filters(viewer, message, settings, chosen, found):
    settings.ETELECOM = {"ACCOUNTS": {"default": {}, "other": {}}}

    response = viewer.get(reverse(LIST), chosen)

    assert len(response.context["cl"].result_list) == found


@pytest.mark.parametrize("name", ["account", "status__exact", "template__id__exact"])
def test_filters__what_some_databases_cannot_be_asked(viewer, message, name):
    assert viewer.get(reverse(LIST), {name: "a\x00"}).status_code == 400


# --- A message's page ---------------------------------------------------------------------------


def test_page__tells_what_was_sent(viewer, message):
    html = page(viewer.get(change_url(message)))

    assert "Dear <mark>Nguyễn Văn An</mark>, order <mark>DH-1024</mark>" in html
    assert '<tr><th scope="row">order_code</th><td><bdi>DH-1024</bdi></td></tr>' in html
    assert "ZNS (Zalo) → SMS" in html
    assert "84912•••678" in html
    assert "&quot;order&quot;: &quot;Đơn 7&quot;" in html


def test_page__secrets_are_masked(viewer, otp_template, etelecom_outbox):
    message = send_message("login_otp", PHONE, {"otp": "739146"})

    html = page(viewer.get(change_url(message)))

    assert "Your code is <mark>•••</mark>." in html
    assert "739146" not in html


def test_page__optional_parameter_left_out_leaves_nothing(viewer, message):
    MessageTemplate.objects.update(text="Note: {note}. {order_code}")

    assert "Note: <mark></mark>. <mark>DH-1024</mark>" in page(viewer.get(change_url(message)))


def test_page__template_without_text_or_parameters(viewer, default_route, etelecom_outbox):
    MessageTemplate.objects.create(code="wordless")
    message = send_message("wordless", PHONE)

    html = page(viewer.get(change_url(message)))

    assert "etelecom-text" not in html
    assert "etelecom-params" not in html


def test_page__times_are_local(viewer, message, settings):
    settings.TIME_ZONE = "Asia/Ho_Chi_Minh"
    instant = timezone.datetime(2026, 1, 2, 20, 30, 40, tzinfo=timezone.get_fixed_timezone(0))
    MessageEvent.objects.update(created_at=instant)

    assert "Jan. 3, 2026 03:30:40" in page(viewer.get(change_url(message)))


def test_page__timeline_has_every_event(viewer, message):
    message.events.create(
        source="poll",
        status="",
        reason="bad_answer",
        http_status=502,
        provider_status="-99",
        provider_detail="Strange",
        failure_detail="HTTP 502",
        payload="<html>Bad gateway</html>",
    )

    html = page(viewer.get(change_url(message)))

    assert html.index("put on record") < html.index("status query")
    for told in (
        "not understood",
        "The provider&#x27;s answer could not be understood.",
        "502",
        "-99",
        "Strange",
        "&lt;html&gt;Bad gateway&lt;/html&gt;",
    ):
        assert told in html


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "\u202eevil"])
def test_page__the_providers_words_are_inert(viewer, message, hostile):
    MessageLog.objects.update(provider_detail=hostile, provider_status=hostile)
    message.events.create(
        source="send",
        status="rejected",
        provider_status=hostile,
        provider_detail=hostile,
        failure_detail=hostile,
        payload=hostile,
    )

    html = page(viewer.get(change_url(message)))

    assert "<script>alert" not in html
    # Browsers isolate what stands in either.
    for text in html.split("\u202e")[:-1]:
        assert text.rstrip().endswith(("<bdi>", '<div class="readonly">'))


def test_page__markup_in_parameters_is_escaped(
    viewer, order_template, order_params, etelecom_outbox
):
    hostile = "<script>alert(1)</script>"
    message = send_message(
        "order_confirmation",
        PHONE,
        order_params | {"customer_name": hostile},
        metadata={hostile: hostile},
    )

    assert hostile not in page(viewer.get(change_url(message)))
    assert hostile not in page(viewer.get(reverse(LIST)))


def test_page__reason_in_words(viewer, message):
    MessageLog.objects.update(status="unknown", reason="timeout")

    html = page(viewer.get(change_url(message)))

    assert '<span class="etelecom-badge etelecom-unknown">unknown</span>' in html
    assert "The provider did not answer in time." in html


def test_page__empty_fields_are_left_out(viewer, message):
    html = page(viewer.get(change_url(message)))

    assert "Reason:" not in html
    assert "Error code:" not in html
    assert "Resend of:" not in html


def test_page__nothing_of_the_provider_yet(viewer, message):
    MessageLog.objects.update(
        provider_message_id="",
        provider_status="",
        provider_detail="",
        status="queued",
        status_source="",
    )

    assert "What the provider says" not in page(viewer.get(change_url(message)))


def test_page__unknown_message_is_not_found(viewer, db):
    response = viewer.get(reverse("admin:etelecom_messagelog_change", args=[10**6]))

    assert response.status_code == 302
