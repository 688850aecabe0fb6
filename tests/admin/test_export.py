"""The messages of a list as CSV."""

import csv
import io
from datetime import UTC, datetime

import pytest
from asgiref.sync import async_to_sync
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import localdate

from django_etelecom.admin import export
from django_etelecom.finding import key_walk
from django_etelecom.models import Campaign, MessageLog, MessageTemplate
from tests.admin.conftest import page

pytestmark = pytest.mark.django_db

LIST = reverse("admin:etelecom_messagelog_changelist")
EXPORT = reverse("admin:etelecom_messagelog_export")
NUMBER = "84912345678"


@pytest.fixture
def exporter(staff_client):
    return staff_client("view_messagelog", "export_messages")


@pytest.fixture
def seer(staff_client):
    return staff_client("view_messagelog", "export_messages", "view_recipient", username="seer")


@pytest.fixture
def make(db):
    """Make messages of the given columns, oldest first."""
    template = MessageTemplate.objects.create(code="order")

    def make(number: int = 1, **columns) -> list[MessageLog]:
        given = {"template": template, "template_code": "order", "recipient": NUMBER, **columns}
        return [MessageLog.objects.create(**given) for _ in range(number)]

    return make


def rows(response) -> list[dict[str, str]]:
    text = response.getvalue().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def ids(response) -> list[str]:
    return [row["Public id"] for row in rows(response)]


def public_ids(messages) -> list[str]:
    return [str(message.public_id) for message in messages]


# --- Who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("permission", ["view_messagelog", "export_messages", "view_recipient"])
def test_export__takes_both_permissions(staff_client, make, permission):
    client = staff_client(permission)

    assert client.get(EXPORT).status_code == 403
    assert client.post(EXPORT).status_code == 403
    assert not LogEntry.objects.exists()


def test_export__is_only_read(exporter, db):
    assert exporter.post(EXPORT).status_code == 405


def test_button__is_there_for_those_who_may_and_keeps_what_is_asked_for(
    exporter, staff_client, make
):
    make()
    asked = {"status__exact": "queued", "before": "9", "since": "2026-11-01"}

    assert (
        f'<a href="{EXPORT}?status__exact=queued&amp;since=2026-11-01">Export as CSV</a>'
        in page(exporter.get(LIST, asked))
    )
    assert EXPORT not in page(staff_client("view_messagelog", username="an").get(LIST))


# --- What is in it --------------------------------------------------------------------------------


def test_export__tells_of_each_message(exporter, make, django_user_model):
    campaign = Campaign.objects.create(template=MessageTemplate.objects.get(), name="Tết")
    instant = datetime(2026, 1, 2, 20, 30, 40, tzinfo=UTC)
    [message] = make(
        status="undelivered",
        reason="timeout",
        channel="ZNS",
        error_code="-118",
        network="3",
        paid_messages=0,
        provider_message_id="ICOMNI1",
        campaign=campaign,
        sent_by=django_user_model.objects.get(username="lan"),
        params={"pin": "739146"},
        created_at=instant,
        sent_at=instant,
        updated_at=instant,
    )

    response = exporter.get(EXPORT)

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"] == f'attachment; filename="messages-{localdate()}.csv"'
    assert "no-store" in response["Cache-Control"]
    assert rows(response) == [
        {
            "Public id": str(message.public_id),
            "Created at (Asia/Ho_Chi_Minh)": "2026-01-03 03:30:40",
            "Sent at (Asia/Ho_Chi_Minh)": "2026-01-03 03:30:40",
            "Updated at (Asia/Ho_Chi_Minh)": "2026-01-03 03:30:40",
            "Template": "order",
            "Recipient": "84912•••678",
            "Status": "undelivered",
            "Reason": "The provider did not answer in time.",
            "Channel": "ZNS",
            # Nobody calculates with it: it may have begun a formula.
            "Error code": "'-118",
            "Network": "Viettel",
            "Paid messages": "0",
            "Provider's id": "ICOMNI1",
            "Campaign": "Tết",
            "Sent by": "lan",
        }
    ]


def test_export__what_is_not_known_is_empty(exporter, make):
    make()

    [row] = rows(exporter.get(EXPORT))

    for heading in ("Reason", "Network", "Paid messages", "Campaign", "Sent by"):
        assert row[heading] == ""


@pytest.fixture
def telling(make, django_user_model):
    """A message whose number stands in all that an export tells of it."""
    [message] = make(
        provider_message_id="84912345678-17",
        channel="0912345678",
        error_code="0912345678",
        campaign=Campaign.objects.create(
            template=MessageTemplate.objects.get(), name="For 0912.345.678"
        ),
        sent_by=django_user_model.objects.create(username="0912345678"),
    )
    return message


def test_export__numbers_are_whole_for_those_who_may_see_them_alone(exporter, seer, telling, make):
    make(recipient="")

    [erased, whole], [_erased, masked] = rows(seer.get(EXPORT)), rows(exporter.get(EXPORT))

    assert [erased["Recipient"], whole["Recipient"]] == ["erased", "0912 345 678"]
    assert (whole["Sent by"], whole["Campaign"]) == ("0912345678", "For 0912.345.678")
    assert masked["Recipient"] == "84912•••678"
    assert (masked["Sent by"], masked["Campaign"]) == ("0•••", "For 0•••")
    assert masked["Provider's id"] == "84•••-17"
    assert not [told for told in masked.values() if "345" in told]


def test_export__opens_as_text_and_runs_nothing(exporter, make):
    hostile = '=HYPERLINK("http://example.org")'
    make(channel=hostile, error_code="@x", provider_message_id="+1\t=2")

    response = exporter.get(EXPORT)
    raw = response.getvalue()

    assert raw.startswith(b"\xef\xbb\xbf")
    [row] = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
    assert row["Channel"] == f"'{hostile}"
    assert row["Error code"] == "'@x"
    assert row["Provider's id"] == "'+1\t'=2"


def test_export__speaks_the_language_of_the_request_to_its_end(exporter, make):
    from django.utils import timezone, translation

    make(created_at=datetime(2026, 1, 2, tzinfo=timezone.get_fixed_timezone(0)))

    response = exporter.get(EXPORT)
    with translation.override("de"), timezone.override("Europe/Berlin"):
        [row] = rows(response)

    assert row["Created at (Asia/Ho_Chi_Minh)"] == "2026-01-02 07:00:00"


# --- Which messages -------------------------------------------------------------------------------


def test_export__has_all_that_the_list_is_asked_for(exporter, make, monkeypatch):
    monkeypatch.setattr(export, "CHUNK", 3)
    make(2, status="rejected")
    queued = make(7, status="queued")

    response = exporter.get(EXPORT, {"status__exact": "queued", "before": "1", "after": "0"})

    assert ids(response) == public_ids(reversed(queued))


def test_export__of_a_search(exporter, make, monkeypatch):
    monkeypatch.setattr(export, "CHUNK", 3)
    found = make(7)
    make(2, recipient="84987654321")

    assert ids(exporter.get(EXPORT, {"q": "0912.345.678"})) == public_ids(reversed(found))


def test_export__looks_through_all_windows(exporter, make, monkeypatch, settings):
    settings.ETELECOM = {"ACCOUNTS": {"default": {}, "other": {}}}
    monkeypatch.setattr(export, "CHUNK", 3)
    monkeypatch.setattr(key_walk, "WINDOW", 5)
    old = make(4, account="other")
    make(9)
    new = make(2, account="other")

    response = exporter.get(EXPORT, {"account": "other"})

    assert ids(response) == public_ids(reversed(old + new))


def test_export__goes_on_where_messages_were_deleted_meanwhile(exporter, make, monkeypatch):
    monkeypatch.setattr(export, "CHUNK", 2)
    monkeypatch.setattr("django_etelecom.sheets.writing.PIECE", 1)
    messages = make(7)

    pieces = iter(exporter.get(EXPORT).streaming_content)
    first = next(pieces)
    MessageLog.objects.filter(pk__in=[message.pk for message in messages[2:5]]).delete()
    text = (first + b"".join(pieces)).decode("utf-8-sig")

    left = [row["Public id"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert left == public_ids([messages[i] for i in (6, 5, 1, 0)])


def test_export__of_nothing_has_its_headings(exporter, db):
    assert exporter.get(EXPORT).getvalue().startswith(b'\xef\xbb\xbf"Public id",')


@pytest.mark.parametrize("asked", [{"since": "yesterday"}, {"q": "two words"}])
def test_export__what_cannot_be_found_is_told_on_the_list(exporter, make, asked):
    make()

    response = exporter.get(EXPORT, asked, follow=True)

    assert response.redirect_chain[0][0].startswith(LIST)
    assert "errornote" in page(response)
    assert not LogEntry.objects.exists()


def test_export__comes_in_pieces_behind_asgi_too(exporter, make, monkeypatch):
    monkeypatch.setattr("django_etelecom.sheets.writing.PIECE", 1)
    make(2)

    response = exporter.get(EXPORT)

    async def pieces() -> list[bytes]:
        return [piece async for piece in response]

    heading, *lines, end = async_to_sync(pieces)()
    assert heading.startswith(b"\xef\xbb\xbf")
    assert (len(lines), end) == (1, b"")


def test_export__costs_two_queries_a_chunk(exporter, make, monkeypatch):
    monkeypatch.setattr(export, "CHUNK", 5)
    make(10, sent_by=None)

    response = exporter.get(EXPORT)
    with CaptureQueriesContext(connection) as queries:
        assert len(rows(response)) == 10

    assert len(queries) == 4


# --- The record of it -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "asked", "told"),
    [
        ("exporter", {}, "Exported as CSV, numbers masked: all."),
        ("seer", {"q": " "}, "Exported as CSV, numbers whole: all."),
        (
            "seer",
            {"status__exact": "queued", "since": "2026-11-01", "q": "0912 345 678", "before": "9"},
            "Exported as CSV, numbers whole: status__exact=queued, q=84912•••678, "
            "since=2026-11-01.",
        ),
    ],
)
def test_record__is_written_when_it_begins(request, make, who, asked, told):
    make()

    request.getfixturevalue(who).get(EXPORT, asked)

    entry = LogEntry.objects.get()
    assert entry.get_change_message() == told
    assert entry.user.username == {"exporter": "lan", "seer": "seer"}[who]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("ICOMNI\x001", "q=ICOMNI\\u00001."),
        ("ICOM\u202eNI", "q=ICOM\\u202eNI."),
        ("\x00", "q=\\u0000."),
        ("\n", "all."),
    ],
)
def test_record__is_one_line_that_a_database_keeps(exporter, make, typed, told):
    exporter.get(EXPORT, {"q": typed})

    message = LogEntry.objects.get().get_change_message()
    assert message == f"Exported as CSV, numbers masked: {told}"


def test_export__of_an_account_that_has_left_the_settings(exporter, make):
    make()
    former = make(account="former")

    assert ids(exporter.get(EXPORT, {"account": "former"})) == public_ids(former)


@pytest.mark.parametrize("account", ["a\x00b", "all.\nSaw nothing", "W" * 65536])
def test_export__of_what_is_no_accounts_name_is_refused(exporter, make, account):
    assert exporter.get(EXPORT, {"account": account}).status_code == 400
    assert not LogEntry.objects.exists()
