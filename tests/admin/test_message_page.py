"""The page of a message: whose number it shows, the wire, its campaign, its repeats, its bounds."""

import json
import re
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_etelecom.admin.timeline import MOST_RESENDS
from django_etelecom.finding.events import MOST_EVENTS
from django_etelecom.models import MessageEvent, MessageLog
from django_etelecom.services import queue_campaign, queue_message, resend_message, send_message
from tests.admin.conftest import PHONE, page, page_of, send_url

pytestmark = pytest.mark.django_db(transaction=True)

MOST_QUERIES = 15


def shows_number(html: str) -> bool:
    """Whether the number stands in it, however its digits are grouped."""
    without_example = html.replace("such as 0912 345 678", "")
    return "912345678" in re.sub(r"(?<=\d)[\s.\-]+(?=\d)", "", without_example)


def title(html: str) -> str:
    return html.split("<title>")[1].split("</title>")[0]


@pytest.fixture
def watcher(staff_client):
    return staff_client("view_messagelog", "view_recipient", username="minh")


@pytest.fixture
def echoed(askable, order_template, order_params, django_user_model):
    """A message whose number stands in every text of it."""
    order_template.parameters.create(name="hotline", kind="phone", position=9)
    order_template.text += " Call {hotline}."
    order_template.save()
    message = send_message(
        order_template,
        PHONE,
        {**order_params, "note": "Ring 0912.345.678 first", "hotline": "0912345678"},
        sent_by=django_user_model.objects.create_user("0912345678"),
        metadata={"phone": 912345678, "0912345678": ["+84 912 345 678"]},
    )
    told = {
        "provider_status": "912345678",
        "provider_detail": "No such number: (+84) 912-345-678",
        "channel": "84912345678",
        "error_code": "84912345678",
    }
    MessageLog.objects.update(provider_message_id="TO84912345678", status="undelivered", **told)
    for source in ("poll", "webhook"):
        message.events.create(
            source=source,
            status="undelivered",
            failure_detail="to 0912345678",
            payload='{"phone": "84912345678", "again": "849123',
            **told,
        )
    return message


# --- Whose number -------------------------------------------------------------------------------


def test_number__is_masked_wherever_it_stands(viewer, echoed):
    html = page(viewer.get(page_of(echoed)))

    assert "84912•••678" in html
    assert not shows_number(html)
    assert "849123" not in html
    assert "Ring 0••• first" in html


def test_number__is_masked_in_the_name_of_its_campaign(viewer, message):
    campaign = queue_campaign(message.template, [], name="For 0912.345.678")
    MessageLog.objects.update(campaign=campaign)

    html = page(viewer.get(page_of(message)))

    assert "For 0•••" in html
    assert not shows_number(html)


def test_number__of_the_first_is_masked_where_it_is_sent_again_to_another(resender, echoed):
    again = resend_message(echoed, to="0987 654 321")

    for message in (again, resend_message(again, to="0987 654 322")):
        html = page(resender.get(page_of(message)))
        assert "Ring 0••• first" in html
        assert not shows_number(html)
        form = f"{send_url('order_confirmation')}&resend_of={message.public_id}"
        assert not shows_number(page(resender.get(form)))


def test_number__is_on_no_history_page(viewer, watcher, echoed):
    watcher.get(page_of(echoed))
    history = reverse("admin:etelecom_messagelog_history", args=[echoed.pk])

    html = page(viewer.get(history))

    assert "Saw the number." in html
    assert not shows_number(html)


def test_number__is_told_by_none_of_its_buttons(staff_client, echoed, askable):
    client = staff_client("view_messagelog", "send_message", "resend_message")
    urls = client.get(page_of(echoed)).context["urls"]

    told = [
        client.post(urls["refresh"], follow=True),
        client.get(urls["resend"]),
        client.post(reverse("admin:etelecom_messagelog_cancel", args=[echoed.pk]), follow=True),
    ]

    assert [response.status_code for response in told] == [200, 200, 200]
    assert not any(shows_number(page(response)) for response in told)


def test_number__is_seen_whole_by_who_may(watcher, echoed):
    html = page(watcher.get(page_of(echoed)))

    assert "0912 345 678" in html
    assert "Ring 0912.345.678 first" in html
    assert "•••" not in html


def test_number__each_view_of_it_is_on_record(watcher, viewer, message):
    viewer.get(page_of(message))
    watcher.get(page_of(message))
    watcher.get(page_of(message))

    assert [
        (entry.user.username, entry.get_edited_object(), entry.get_change_message())
        for entry in LogEntry.objects.all()
    ] == [("minh", message, "Saw the number.")] * 2


def test_number__that_was_erased_is_not_seen(watcher, message):
    MessageLog.objects.update(recipient="", params={})

    html = page(watcher.get(page_of(message)))

    assert "erased" in html
    assert "The request" not in html
    assert not LogEntry.objects.exists()


def test_number__of_no_message_is_not_on_record(watcher, db):
    assert watcher.get(reverse("admin:etelecom_messagelog_change", args=[7])).status_code == 302
    assert not LogEntry.objects.exists()


# --- The wire -----------------------------------------------------------------------------------


def request_on(client, message) -> str:
    return client.get(page_of(message)).context["timeline"].request


def test_wire__tells_the_request_without_credentials(watcher, message):
    assert json.loads(request_on(watcher, message)) == {
        "phonenumber": "84912345678",
        "routerule": "1,3",
        "templatecode": "order_confirmation",
        "list_param": {
            "customer_name": "Nguyễn Văn An",
            "order_code": "DH-1024",
            "amount": "150000",
            "delivery_date": "24/12/2026",
        },
    }
    html = page(watcher.get(page_of(message)))
    assert "<summary>The request, without user name and password</summary>" in html
    assert "canary" not in html


def test_wire__routes_in_the_form_of_the_accounts_host(viewer, message, settings):
    settings.ETELECOM["ACCOUNTS"]["default"]["ROUTERULE_FORMAT"] = "list"

    assert '"routerule": [\n    "1",\n    "3"\n  ]' in request_on(viewer, message)


def test_wire__of_an_account_that_is_gone(viewer, message, settings):
    settings.ETELECOM = {}

    assert '"routerule": [\n    "1",\n    "3"\n  ]' in request_on(viewer, message)


def test_wire__masks_secrets_and_the_number(viewer, otp_template, askable):
    message = send_message(otp_template, PHONE, {"otp": "739146"})

    told = request_on(viewer, message)

    assert '"otp": "•••"' in told
    assert '"phonenumber": "84912•••678"' in told


def test_wire__stands_in_the_timeline_where_it_was_sent(viewer, message):
    MessageLog.objects.update(attempts=2)
    before = message.sent_at - timedelta(seconds=5)
    MessageEvent.objects.update(
        status="", http_status=None, reason="connect_timeout", created_at=before
    )
    message.events.create(source="send", status="accepted")

    html = page(viewer.get(page_of(message)))

    timeline = html[html.index("put on record") :]
    story = ["no answer", "attempt 2 to send it", "The request", "accepted"]
    places = [timeline.index(told) for told in story]
    assert places == sorted(places)
    assert html.count("The request,") == 1


def test_wire__of_what_was_not_sent_yet_stands_at_its_record(viewer, order_template, order_params):
    message = queue_message(order_template, PHONE, order_params)

    html = page(viewer.get(page_of(message)))

    assert "The request, without user name and password" in html
    assert "to send it\n" not in html


# --- Its campaign and its repeats ---------------------------------------------------------------


@pytest.fixture
def of_campaign(askable, order_template, order_params):
    campaign = queue_campaign(
        order_template, [{"to": PHONE, **order_params}], name="November <b>sale</b>"
    )
    return campaign.messages.get()


def test_campaign__is_linked_for_who_may_look_at_it(staff_client, of_campaign):
    client = staff_client("view_messagelog", "view_campaign")

    html = page(client.get(page_of(of_campaign)))

    url = reverse("admin:etelecom_campaign_change", args=[of_campaign.campaign_id])
    assert f'<a href="{url}">November &lt;b&gt;sale&lt;/b&gt;</a>' in html
    assert "(row 1)" in html


def test_campaign__is_only_named_to_others(viewer, of_campaign):
    html = page(viewer.get(page_of(of_campaign)))

    assert "<bdi>November &lt;b&gt;sale&lt;/b&gt;</bdi>" in html
    assert "/campaign/" not in html


def test_campaign__without_a_row(viewer, of_campaign):
    MessageLog.objects.update(campaign_row=None)

    assert "(row" not in page(viewer.get(page_of(of_campaign)))


def test_chain__leads_both_ways(viewer, message):
    again = resend_message(message)
    MessageLog.objects.filter(pk=again.pk).update(status="delivered")
    third = resend_message(again)

    html = page(viewer.get(page_of(again)))

    chain = html[html.index("etelecom-chain") :]
    assert f'resend of <a href="{page_of(message)}">{message.public_id}</a>' in chain
    assert f'sent again as <a href="{page_of(third)}">{third.public_id}</a>' in chain
    assert chain.count("accepted</span>") == 2
    assert "this message" in chain


def test_chain__of_a_message_that_stands_alone(viewer, message):
    html = page(viewer.get(page_of(message)))

    assert "etelecom-chain" not in html
    assert "Where it belongs" not in html


# --- Bounds -------------------------------------------------------------------------------------


@pytest.fixture
def crowded(of_campaign, django_user_model):
    """A message with more of everything than its page shows."""
    now = timezone.now()
    MessageEvent.objects.bulk_create(
        MessageEvent(
            message=of_campaign,
            source="webhook",
            status="delivered",
            provider_detail=f"word {number}.",
            created_at=now,
        )
        for number in range(MOST_EVENTS + 50)
    )
    first = MessageLog.objects.create(
        template=of_campaign.template, account="default", recipient="84912345678"
    )
    MessageLog.objects.bulk_create(
        MessageLog(
            template=of_campaign.template,
            account="default",
            recipient="84912345678",
            resend_of=of_campaign,
        )
        for _ in range(MOST_RESENDS + 5)
    )
    MessageLog.objects.filter(pk=of_campaign.pk).update(
        resend_of=first, sent_by=django_user_model.objects.create_user("minh")
    )
    return of_campaign


@pytest.mark.parametrize("permission", ["view_recipient", "send_message"])
def test_page__takes_few_queries_whatever_there_is(staff_client, crowded, permission):
    client = staff_client(
        "view_messagelog", "resend_message", "view_campaign", permission, username="hoa"
    )

    with CaptureQueriesContext(connection) as queries:
        client.get(page_of(crowded))

    assert len(queries) <= MOST_QUERIES


def test_timeline__shows_the_first_and_the_newest_events(viewer, crowded):
    html = page(viewer.get(page_of(crowded)))

    shown = [int(number) for number in re.findall(r"<bdi>word (\d+)\.</bdi>", html)]
    assert shown == [0, *range(51, MOST_EVENTS + 50)]
    assert "only the first is shown" in html


def test_chain__shows_the_newest_repeats(viewer, crowded):
    html = page(viewer.get(page_of(crowded)))

    assert html.count("sent again as") == MOST_RESENDS
    assert "sent again more often than fits here" in html


# --- Hostile texts ------------------------------------------------------------------------------

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "\u202eevil\u2066",
    "x" * 64 * 1024,
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("permission", ["view_recipient", "send_message"])
def test_page__hostile_texts_are_inert(staff_client, message, hostile, permission):
    short = hostile[:50]
    MessageLog.objects.update(
        params={"customer_name": hostile, short: hostile},
        metadata={hostile: [hostile]},
        status="undelivered",
        provider_status=short,
        provider_detail=hostile[:500],
        channel=short,
        error_code=short,
        network=short[:20],
        provider_message_id=hostile[:100],
    )
    message.events.create(
        source="webhook",
        status="undelivered",
        provider_status=short,
        provider_detail=hostile[:500],
        channel=short,
        error_code=short,
        failure_detail=hostile[:255],
        payload=hostile[:4096],
    )
    client = staff_client("view_messagelog", "resend_message", permission)

    shown = page(client.get(page_of(message)))
    history = page(client.get(reverse("admin:etelecom_messagelog_history", args=[message.pk])))

    for html in (shown, history):
        assert "<script>alert" not in html
        assert "<img" not in html
        assert 'href="javascript' not in html
        assert title(html).strip().startswith((str(message.public_id), "Change history"))
        assert hostile[:20] not in title(html)
        # Isolated by its element, so that what stands around it keeps its order.
        unmarked = re.sub("</?mark>", "", html)
        assert "\u202e" not in re.sub(r"<(bdi|div|th)\b[^>]*>[^<]*</\1>", "", unmarked)


def test_page__json_has_what_reorders_text_as_escapes(viewer, message):
    MessageLog.objects.update(params={"customer_name": "\u202eevil"}, metadata={"a": "\u2066b"})
    message.events.create(source="webhook", payload='{"to": "\u202elive"}')

    html = page(viewer.get(page_of(message)))

    for told in (r"\u202eevil&quot;", r"\u2066b&quot;", r"\u202elive&quot;"):
        assert told in html


def test_page__carries_nothing_that_a_strict_policy_forbids(viewer, message):
    html = page(viewer.get(page_of(message)))

    assert "<style" not in html
    assert " style=" not in html
    assert not re.search(r"\son\w+=", html)
