"""The dashboard: who may see it, its figures, and what it costs."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path, reverse
from django.utils import timezone, translation
from django.utils.html import escape

from django_etelecom import pace
from django_etelecom.admin import DashboardAdmin
from django_etelecom.admin.figures import duration_in_words, rate_in_words
from django_etelecom.models import AccountState, Dashboard, DayTally, MessageLog, WaitTally
from django_etelecom.models.messages import Reason, Status
from django_etelecom.models.tallies import bucket_of, day_of
from django_etelecom.redaction import clean_text
from tests.admin.conftest import page

DASHBOARD = reverse("admin:etelecom_dashboard")
LIST = reverse("admin:etelecom_messagelog_changelist")

HOSTILE = '<script>alert(1)</script>"onload=x'
RIGHT_TO_LEFT = "\u202etxt.exe"

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(staff_client):
    return staff_client("view_messagelog")


def tally(number, *, days_ago=0, paid_messages=0, **fields):
    told = {"template_code": "login_otp", "status": Status.DELIVERED, "channel": "ZNS"}
    day = day_of(timezone.now() - timedelta(days=days_ago))
    DayTally.objects.create(
        **{**told, **fields},
        day=day,
        account="default",
        number=number,
        paid_messages=paid_messages,
    )


def numbers(response) -> dict[str, str]:
    return {number.name: number.shown for number in response.context["numbers"]}


def table(response, name: str) -> dict[str, list[str]]:
    [section] = [one for one in response.context["sections"] if one.name == name]
    return {label: list(cells) for label, cells in section.rows}


# --- Who may look -------------------------------------------------------------------------------


def test_dashboard__is_for_those_who_may_see_messages(client, staff_client):
    assert client.get(DASHBOARD).status_code == 302
    assert staff_client("send_message").get(DASHBOARD).status_code == 403
    assert staff_client("view_messagelog", username="minh").get(DASHBOARD).status_code == 200


def test_dashboard__changes_nothing(viewer):
    assert viewer.post(DASHBOARD).status_code == 405
    assert viewer.head(DASHBOARD).status_code == 200


def test_index__links_to_it(viewer, staff_client):
    link = f'href="{DASHBOARD}"'

    assert DASHBOARD == "/admin/etelecom/dashboard/"
    for index in (reverse("admin:index"), reverse("admin:app_list", args=["etelecom"])):
        assert link in page(viewer.get(index))
        assert link not in page(staff_client("view_routerule", username=index).get(index))
        assert "/admin/etelecom/dashboard/add/" not in page(viewer.get(index))


def test_dashboard__has_no_other_pages(admin_client):
    tally(1)

    for rest in ("add/", "1/", "1/change/", "1/delete/", "1/history/"):
        assert admin_client.post(f"{DASHBOARD}{rest}", {"post": "yes"}).status_code == 404
    assert DayTally.objects.count() == 1


# --- The figures --------------------------------------------------------------------------------


def test_numbers__of_an_empty_database(viewer):
    response = viewer.get(DASHBOARD)

    assert numbers(response) == {
        "Sent": "0",
        "Delivered": "0",
        "Undelivered": "0",
        "Unknown": "0",
        "Delivery rate": "–",
        "Median time to delivery": "–",
        "Slow deliveries": "–",
        "Paid messages": "0",
    }
    assert "Nothing was sent on these days." in page(response)
    assert "Nothing needs you." in page(response)


def test_numbers__of_some_messages(viewer):
    tally(900, paid_messages=1200)
    tally(100, status=Status.UNDELIVERED)
    tally(234, status=Status.ACCEPTED)
    tally(3, status=Status.UNKNOWN, channel="")
    tally(5, status=Status.REJECTED, channel="")
    tally(7, status=Status.CANCELLED, channel="")
    for seconds, number in [(4, 60), (125, 40)]:
        bucket = bucket_of(timedelta(seconds=seconds))
        WaitTally.objects.create(day=day_of(timezone.now()), bucket=bucket, number=number)

    response = viewer.get(DASHBOARD)

    shown = numbers(response)
    assert shown["Sent"] == "1,237"
    assert shown["Delivered"] == "900"
    assert shown["Undelivered"] == "100"
    assert shown["Unknown"] == "3"
    assert shown["Delivery rate"] == "90.0 %"
    assert shown["Median time to delivery"] == "4 s"
    assert shown["Slow deliveries"].startswith("2 min")
    assert shown["Paid messages"] == "1,200"
    assert "these did not go out: rejected: 5, cancelled: 7." in page(response)


@pytest.mark.parametrize(
    ("query", "days", "sent"),
    [
        ("?days=1", 1, "1"),
        ("?days=7", 7, "3"),
        ("?days=30", 30, "7"),
        ("", 7, "3"),
        ("?days=31", 7, "3"),
        ("?days=٧", 7, "3"),
        ("?days=%00", 7, "3"),
        ("?days=1&days=x", 7, "3"),
    ],
)
def test_period__by_the_address(viewer, query, days, sent):
    tally(1)
    tally(2, days_ago=6)
    tally(4, days_ago=29)
    tally(8, days_ago=30)

    response = viewer.get(f"{DASHBOARD}{query}")

    assert numbers(response)["Sent"] == sent
    assert len(table(response, "day")) == days
    assert re.findall(r'href="\?days=(\d+)" aria-current="page"', page(response)) == [str(days)]


def test_tables__have_the_numbers_of_the_charts(viewer):
    tally(30, channel="ZNS", network="3", template_code="login_otp", paid_messages=2)
    tally(10, channel="zalo", network="3", template_code="promotion", status=Status.UNDELIVERED)
    tally(20, channel="BrandnameSMS", network="77", template_code="promotion", paid_messages=40)
    tally(5, channel="", network="", template_code="promotion", status=Status.UNKNOWN)
    tally(9, channel="", network="", template_code="refused", status=Status.REJECTED)

    response = viewer.get(DASHBOARD)

    assert table(response, "channel") == {
        "ZNS (Zalo)": ["40", "30", "10", "0", "0", "75.0 %", "2"],
        "SMS": ["20", "20", "0", "0", "0", "100.0 %", "40"],
        "not told": ["5", "0", "0", "0", "5", "–", "0"],
    }
    assert list(table(response, "template")) == ["promotion", "login_otp"]
    assert list(table(response, "network")) == ["Viettel", "77", "not told"]
    assert list(table(response, "day").values())[-1][0] == "65"
    columns = [str(column) for column in response.context["columns"]]
    assert all(len(cells) == len(columns) for cells in table(response, "day").values())


def test_charts__sum_up_what_there_is_too_much_of(viewer):
    for number in range(1, 14):
        tally(number, template_code=f"template_{number}")

    rows = table(viewer.get(DASHBOARD), "template")

    assert next(iter(rows)) == "template_13"
    assert list(rows)[-1] == "3 others"
    assert rows["3 others"][0] == "6"
    assert len(rows) == 11


@pytest.mark.parametrize("days", [1, 7])
@pytest.mark.parametrize("words", [HOSTILE, RIGHT_TO_LEFT, "W" * 50])
def test_page__shows_hostile_words_inert(viewer, days, words):
    tally(1, template_code=words, channel=words, network=words[:20])

    html = page(viewer.get(f"{DASHBOARD}?days={days}"))

    assert "<script>alert" not in html
    for name in ("template", "channel", "network"):
        assert f'aria-labelledby="etelecom-by-{name}"' in html
    assert "\u202e" not in html
    # As it is shown in a table; a chart cuts it, and is no place for an element.
    shown = escape(clean_text(words, 100))
    assert re.sub(r"\n\s*", "", html).count(f"<bdi>{shown}</bdi>") >= 2


def test_page__of_huge_numbers(viewer):
    tally(10**9, paid_messages=2 * 10**9)
    tally(10**9, status=Status.UNDELIVERED)

    shown = numbers(viewer.get(DASHBOARD))

    assert shown["Sent"] == "2,000,000,000"
    assert shown["Paid messages"] == "2,000,000,000"


def test_page__has_no_script_or_style_of_its_own(viewer):
    tally(1)

    html = page(viewer.get(DASHBOARD))

    region = html[html.index('class="etelecom-dashboard"') : html.index('id="footer"')]
    assert "<script" not in region
    assert "style=" not in region
    assert "<style" not in region


def test_page__in_the_numbers_of_the_language(viewer):
    tally(1234)
    tally(1, status=Status.UNDELIVERED)

    with override_settings(LANGUAGE_CODE="vi", NUMBER_GROUPING=3):
        shown = [number.shown for number in viewer.get(DASHBOARD).context["numbers"]]

    assert "1.235" in shown
    assert any(one.startswith("99,9") for one in shown)


# --- How things stand ---------------------------------------------------------------------------


def test_concerns__are_told_with_a_way_to_them(admin_client, viewer):
    pace.pause("default", Reason.OUT_OF_MESSAGES)
    tally(100, status=Status.UNKNOWN)
    accounts = reverse("admin:etelecom_accountstate_changelist")

    html = page(admin_client.get(DASHBOARD))
    assert "Account “default” is paused" in html
    assert f'<a href="{accounts}">See the accounts</a>' in html
    assert "It is not known of 100 messages of today" in html
    assert f'href="{LIST}?status__exact=unknown"' in html

    html = page(viewer.get(DASHBOARD))
    assert "Account “default” is paused" in html
    assert f'href="{accounts}"' not in html
    assert f'href="{LIST}?status__exact=unknown"' in html


def test_queue__is_counted(viewer, otp_template):
    for status in ("queued", "queued", "sending"):
        MessageLog.objects.create(
            template=otp_template,
            template_code="login_otp",
            account="default",
            recipient="84912345678",
            content_digest="",
            status=status,
        )

    queue = viewer.get(DASHBOARD).context["queue"]

    assert queue == [
        ("queued", "2", f"{LIST}?status__exact=queued"),
        ("sending", "1", f"{LIST}?status__exact=sending"),
    ]


def test_accounts__in_words(viewer, settings):
    backends = "django_etelecom.backends"
    settings.ETELECOM = {
        "ACCOUNTS": {
            "default": {"PASSWORD": "canary-password"},
            "bulk": {"BACKEND": f"{backends}.bulk.BulkBackend"},
            "printing": {"BACKEND": f"{backends}.console.ConsoleBackend"},
            "tests": {"BACKEND": f"{backends}.locmem.LocMemBackend"},
            "own": {"BACKEND": "shop.backends.Own"},
            "broken": {"TIMEOUT": -1, "PASSWORD": "canary-password"},
        }
    }
    pace.pause("bulk", Reason.CREDENTIALS)

    response = viewer.get(DASHBOARD)

    told = {account.alias: account for account in response.context["accounts"]}
    assert {alias: account.does for alias, account in told.items()} == {
        "default": "Sends to sms.etelecom.vn.",
        "bulk": "Sends to sms.etelecom.vn, hundreds at a time.",
        "printing": "Prints messages and sends nothing.",
        "tests": "Keeps messages in memory and sends nothing.",
        "own": "shop.backends.Own",
        "broken": "",
    }
    assert told["bulk"].state == AccountState.objects.get()
    assert told["default"].state is None
    assert "TIMEOUT of account 'broken'" in told["broken"].fault
    html = page(response)
    assert html.count("cannot work") == 1
    assert html.count(">paused<") == 1
    assert html.count(">working<") == 4
    assert "canary" not in html


def test_accounts__tell_what_they_have_spent_of_their_caps(viewer, admin_client, settings):
    assert "No cap" not in page(viewer.get(DASHBOARD))
    settings.ETELECOM = {
        "ACCOUNTS": {
            "default": {"MAX_PAID_PER_DAY": 10, "MAX_PAID_PER_MONTH": 2000},
            "other": {},
        }
    }
    tally(5, paid_messages=9)

    html = page(admin_client.get(DASHBOARD))

    assert "Today: 9 of 10, 1 left" in html
    assert "This month: 9 of 2,000, 1,991 left" in html
    assert html.count("No cap") == 1
    assert "Account “default” has spent 9 of its 10 paid messages of the day." in html
    accounts = reverse("admin:etelecom_accountstate_changelist")
    assert f'<a href="{accounts}">See the accounts</a>' in html


def test_page__without_accounts(viewer, settings):
    settings.ETELECOM = {}

    assert "No account is set up" in page(viewer.get(DASHBOARD))


# --- What it costs ------------------------------------------------------------------------------


def test_page__costs_the_same_whatever_there_is(viewer, otp_template, settings):
    settings.ETELECOM = {**settings.ETELECOM, "WEBHOOK_TOKENS": ["a-token-of-the-tests-only"]}
    viewer.get(DASHBOARD)
    with CaptureQueriesContext(connection) as empty:
        viewer.get(DASHBOARD)

    for number in range(30):
        tally(number, days_ago=number, template_code=f"t{number}", channel=f"c{number}")
        MessageLog.objects.create(
            template=otp_template,
            template_code="login_otp",
            account="default",
            recipient="84912345678",
            content_digest="",
            send_at=timezone.now() - timedelta(hours=1),
        )
    with CaptureQueriesContext(connection) as full:
        viewer.get(f"{DASHBOARD}?days=30")

    assert len(full) == len(empty) <= 15


# --- Another site of the admin ------------------------------------------------------------------

own_site = admin.AdminSite(name="own")
own_site.register(Dashboard, DashboardAdmin)
urlpatterns = [path("own/", own_site.urls)]


@override_settings(ROOT_URLCONF=__name__)
def test_own_site__has_the_dashboard_and_no_links_to_what_it_lacks(viewer):
    tally(100, status=Status.UNKNOWN)

    response = viewer.get("/own/etelecom/dashboard/")

    html = page(response)
    assert "It is not known of 100 messages" in html
    assert "status__exact" not in html
    assert 'href="/own/etelecom/dashboard/"' in page(viewer.get("/own/"))


# --- In words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (None, "–"),
        (timedelta(0), "1 s"),
        (timedelta(seconds=3.4), "3 s"),
        (timedelta(seconds=59.6), "1 min"),
        (timedelta(minutes=2, seconds=5), "2 min 5 s"),
        (timedelta(hours=1, seconds=5), "1 h"),
        (timedelta(hours=25, minutes=3), "1 d 1 h"),
        (timedelta(days=1234), "1,234 d"),
    ],
)
def test_duration__in_words(time, words):
    with translation.override("en"):
        assert duration_in_words(time) == words


@pytest.mark.parametrize(
    ("rate", "words"),
    [(None, "–"), (0.0, "0.0 %"), (1.0, "100.0 %"), (0.99999, "99.9 %"), (0.57, "57.0 %")],
)
def test_rate__in_words(rate, words):
    assert rate_in_words(rate) == words
