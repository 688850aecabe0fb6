"""The list of messages over the API: pages by key, filters by an index."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_etelecom.finding import key_walk
from django_etelecom.models import Campaign, MessageLog, MessageTemplate
from tests.api.conftest import told

MESSAGES = "/api/messages/"
DAY = datetime(2026, 11, 1, 3, tzinfo=UTC)


@pytest.fixture
def reader(api_client):
    return api_client("view_messagelog")


@pytest.fixture
def messages(order_template):
    """Ten messages, one a day, the last one the newest."""
    other = MessageTemplate.objects.create(code="other")
    campaign = Campaign.objects.create(template=order_template, template_code="order_confirmation")
    rows = [
        MessageLog(
            template=other if number % 2 else order_template,
            template_code="other" if number % 2 else "order_confirmation",
            account="default",
            recipient=f"8491234567{number % 3}",
            status=["accepted", "queued", "delivered"][number % 3],
            campaign=campaign if number > 6 else None,
            created_at=DAY + timedelta(days=number),
            params={"order_code": str(number)},
        )
        for number in range(10)
    ]
    return MessageLog.objects.bulk_create(rows)


def numbers(page) -> list[int]:
    return [int(message["params"]["order_code"]) for message in page["results"]]


def walked(client, address: str, word: str = "next") -> list[list[int]]:
    """Follow the links of pages and return what each has."""
    pages = []
    while address:
        page = told(client.get(address))
        pages.append(numbers(page))
        address = page[word]
    return pages


def test_list__has_the_newest_first(reader, messages):
    page = told(reader.get(MESSAGES))

    assert set(page) == {"next", "previous", "results"}
    assert numbers(page) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert page["next"] is page["previous"] is None
    assert page["results"][0]["recipient"] == "84912•••670"
    assert page["results"][0]["sent_by"] is None
    assert "events" not in page["results"][0]


def test_list__is_walked_both_ways(reader, messages):
    assert walked(reader, f"{MESSAGES}?limit=4") == [[9, 8, 7, 6], [5, 4, 3, 2], [1, 0]]
    last = told(reader.get(told(reader.get(f"{MESSAGES}?limit=5"))["next"]))

    assert walked(reader, last["previous"], "previous") == [[9, 8, 7, 6, 5]]
    assert numbers(last) == [4, 3, 2, 1, 0]


def test_list__a_page_upwards_leads_on(reader, messages):
    first = told(reader.get(f"{MESSAGES}?limit=2"))
    second = told(reader.get(first["next"]))
    third = told(reader.get(second["next"]))
    back = told(reader.get(third["previous"]))

    assert numbers(back) == numbers(second) == [7, 6]
    assert numbers(told(reader.get(back["next"]))) == numbers(third)
    assert numbers(told(reader.get(back["previous"]))) == [9, 8]


def test_list__new_messages_do_not_move_a_page(reader, messages, order_template):
    first = told(reader.get(f"{MESSAGES}?limit=3"))
    newest = MessageLog.objects.create(
        template=order_template, recipient="84912345670", params={"order_code": "10"}
    )
    second = told(reader.get(first["next"]))

    assert numbers(second) == [6, 5, 4]
    assert newest.pk > messages[-1].pk
    assert walked(reader, second["previous"], "previous") == [[9, 8, 7], [10]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=queued", [7, 4, 1]),
        ("status=queued,delivered", [8, 7, 5, 4, 2, 1]),
        ("template=other", [9, 7, 5, 3, 1]),
        ("recipient=0912 345 671", [7, 4, 1]),
        ("recipient=%2B84 912.345.671", [7, 4, 1]),
        ("created_after=2026-11-08T03:00:00Z", [9, 8, 7]),
        ("created_before=2026-11-02T10:00:01%2B07:00", [1, 0]),
        ("created_after=2026-11-03T10:00&created_before=2026-11-05T00:00Z", [3, 2]),
        ("status=queued&template=other", [7, 1]),
        ("status=queued&template=other&recipient=84912345671&created_after=2026-11-05", [7]),
        ("recipient=0912345679", []),
        ("format=json&limit=1", [9]),
    ],
)
def test_list__filters(reader, messages, query, found):
    if query.endswith("2026-11-05"):
        query += "T00:00"
    response = reader.get(f"{MESSAGES}?{query}")

    assert response.status_code == 200, response.content
    assert numbers(told(response)) == found


def test_list__of_a_campaign(reader, messages):
    campaign = Campaign.objects.get()

    page = told(reader.get(MESSAGES, {"campaign": str(campaign.public_id)}))

    assert numbers(page) == [9, 8, 7]
    assert {message["campaign"] for message in page["results"]} == {str(campaign.public_id)}


def test_list__a_number_that_is_not_allowed_any_more_is_found(reader, order_template):
    MessageLog.objects.create(template=order_template, recipient="6581234567")

    assert len(told(reader.get(MESSAGES, {"recipient": "+65 8123 4567"}))["results"]) == 1


def test_list__filters_go_with_its_links(reader, messages):
    page = told(reader.get(f"{MESSAGES}?status=queued&limit=1"))

    query = parse_qs(urlsplit(page["next"]).query)
    assert query["status"] == ["queued"]
    assert walked(reader, page["next"]) == [[4], [1]]


def test_list__combined_filters_look_through_no_more_than_a_window(reader, messages, monkeypatch):
    monkeypatch.setattr(key_walk, "WINDOW", 3)
    query = f"{MESSAGES}?template=other&recipient=0912345670"
    monkeypatch.setattr(key_walk, "FEW", 0)
    monkeypatch.setattr(key_walk, "COUNTED", 0)

    pages = walked(reader, query)

    assert pages == [[9], [3]]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "query",
    [
        "",
        "status=queued",
        "template=other&status=queued",
        "recipient=0912345670",
        "created_after=2026-11-08T03:00:00Z",
    ],
)
def test_list__never_counts_the_table_and_never_skips_rows(reader, messages, query):
    with CaptureQueriesContext(connection) as asked:
        reader.get(f"{MESSAGES}?{query}")

    asked_of_messages = [row["sql"] for row in asked if "etelecom_messagelog" in row["sql"]]
    assert len(asked_of_messages) <= 4
    assert not [sql for sql in asked_of_messages if "OFFSET" in sql or "UPPER(" in sql]
    assert not [sql for sql in asked_of_messages if "COUNT(" in sql and "LIMIT" not in sql]


def test_list__a_page_of_many_costs_as_many_queries_as_one_of_few(
    reader, messages, django_user_model
):
    for message in messages:
        message.sent_by = django_user_model.objects.create(username=f"user{message.pk}")
        message.resend_of = messages[0]
        message.save()
    with CaptureQueriesContext(connection) as few:
        reader.get(f"{MESSAGES}?limit=1")
    with CaptureQueriesContext(connection) as many:
        reader.get(f"{MESSAGES}?limit=10")

    assert len(many) == len(few)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("status=lost", "status"),
        ("status=", "status"),
        ("status=queued,", "status"),
        ("template=nothing", "template"),
        ("template=OTHER", "template"),
        ("template=%00", "template"),
        ("template=a" + "b" * 200, "template"),
        ("campaign=7", "campaign"),
        ("campaign=00000000-0000-0000-0000-000000000000", "campaign"),
        ("recipient=0912", "recipient"),
        ("recipient=" + "0" * 200, "recipient"),
        ("recipient=00000000-0000-0000-0000-000000000000", "recipient"),
        ("created_after=yesterday", "created_after"),
        ("created_after=0001-01-01T00:00:00", "created_after"),
        ("created_before=9999-12-31T23:59:59Z", "created_before"),
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("cursor=x", "cursor"),
        ("cursor=%F0%9F", "cursor"),
        ("cursor=bzk5OTk5OTk5OTk5OTk5OTk5OTk", "cursor"),
        ("cursor=" + "a" * 5000, "cursor"),
        ("page=2", "page"),
        ("recipient__startswith=0912", "recipient__startswith"),
        ("limit=1&limit=2", "limit"),
        ("%ED%A0%80=1", "\ufffd\ufffd\ufffd"),
    ],
)
def test_list__what_it_cannot_be_asked_for_is_refused(reader, messages, query, name):
    response = reader.get(f"{MESSAGES}?{query}")

    assert response.status_code == 400, response.content
    assert list(told(response)) == [name]


def test_list__is_503_where_numbers_cannot_be_read(reader, messages, settings, caplog):
    settings.ETELECOM = {**settings.ETELECOM, "ALLOWED_NUMBERS": {"VN": ["SATELLITE"]}}

    assert reader.get(MESSAGES, {"recipient": "0912345670"}).status_code == 503
    assert "ALLOWED_NUMBERS" in caplog.text


def test_list__numbers_are_told_to_whom_may_see_them(api_client, messages):
    client = api_client("view_messagelog", "view_recipient", username="seer")

    assert told(client.get(f"{MESSAGES}?limit=1"))["results"][0]["recipient"] == "84912345670"
