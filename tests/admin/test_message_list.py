"""The list of messages: pages by key, filters and searches that never scan, who saw what."""

import re
from html import unescape

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_etelecom.admin import MessageLogAdmin, message_list
from django_etelecom.finding import key_walk
from django_etelecom.models import Campaign, MessageLog, MessageTemplate
from tests.admin.conftest import page
from tests.numbers import shows_number

pytestmark = pytest.mark.django_db

LIST = reverse("admin:etelecom_messagelog_changelist")
NUMBER = "84912345678"


@pytest.fixture
def viewer(staff_client):
    return staff_client("view_messagelog")


@pytest.fixture
def seer(staff_client):
    return staff_client("view_messagelog", "view_recipient")


@pytest.fixture
def template(db):
    return MessageTemplate.objects.create(code="order")


@pytest.fixture
def make(template):
    """Make messages of the given columns, oldest first."""

    def make(number: int = 1, **columns) -> list[MessageLog]:
        given = {"template": template, "template_code": "order", "recipient": NUMBER, **columns}
        messages = [MessageLog(**given) for _ in range(number)]
        for message in messages:
            message.save()
        return messages

    return make


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr(MessageLogAdmin, "list_per_page", 3)


@pytest.fixture
def small_window(monkeypatch):
    monkeypatch.setattr(key_walk, "WINDOW", 4)
    monkeypatch.setattr(key_walk, "COUNTED", 4)
    monkeypatch.setattr(key_walk, "FEW", 2)
    monkeypatch.setattr(message_list, "COUNTED", 4)


def shown(response) -> list[int]:
    return [message.pk for message in response.context["cl"].result_list]


def follow(client, response, text: str):
    """Go where the link with this text leads."""
    [url] = re.findall(rf'<a href="([^"]+)">{text}</a>', page(response))
    return client.get(LIST + unescape(url))


def links(response) -> list[str]:
    [pager] = re.findall(r'<nav class="paginator.*?</nav>', page(response), re.DOTALL)
    return re.findall(r"<a [^>]+>([^<]+)</a>", pager)


def entries() -> list[str]:
    return [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]


@pytest.fixture
def accounts(settings):
    settings.ETELECOM = {"ACCOUNTS": {"default": {}, "other": {}}}


# --- Pages ----------------------------------------------------------------------------------------


def test_pages__lead_from_the_newest_to_the_oldest_and_back(viewer, make, small_pages):
    keys = [message.pk for message in make(7)][::-1]

    first = viewer.get(LIST)
    second = follow(viewer, first, "Older")
    third = follow(viewer, second, "Older")

    assert [shown(response) for response in (first, second, third)] == [
        keys[:3],
        keys[3:6],
        keys[6:],
    ]
    assert links(first) == ["Older", "Oldest"]
    assert links(second) == ["Newest", "Newer", "Older", "Oldest"]
    assert links(third) == ["Newest", "Newer"]
    assert shown(follow(viewer, third, "Newer")) == keys[3:6]
    assert shown(follow(viewer, second, "Newer")) == keys[:3]
    assert shown(follow(viewer, third, "Newest")) == keys[:3]


def test_pages__oldest_are_a_full_page_from_which_newer_ones_follow(viewer, make, small_pages):
    keys = [message.pk for message in make(7)][::-1]

    oldest = follow(viewer, viewer.get(LIST), "Oldest")
    newer = follow(viewer, oldest, "Newer")

    assert shown(oldest) == keys[4:]
    assert links(oldest) == ["Newest", "Newer"]
    assert shown(newer) == keys[1:4]
    assert links(newer) == ["Newest", "Newer", "Older", "Oldest"]
    assert shown(follow(viewer, newer, "Older")) == keys[4:]
    # What is left of the newest is no page: they fill one.
    assert shown(follow(viewer, newer, "Newer")) == keys[:3]


def test_pages__new_messages_move_nothing(viewer, make, small_pages):
    keys = [message.pk for message in make(5)][::-1]
    first = viewer.get(LIST)
    make(2)

    assert shown(follow(viewer, first, "Older")) == keys[3:]


def test_pages__of_few_messages_have_no_links(viewer, make, small_pages):
    make(3)

    response = viewer.get(LIST)

    assert links(response) == []
    assert "3 messages" in page(response)


def test_pages__beyond_the_ends_lead_back(viewer, make, small_pages):
    keys = [message.pk for message in make(4)][::-1]

    beyond_the_oldest = viewer.get(LIST, {"before": 1})

    assert "No message was found." in page(beyond_the_oldest)
    assert shown(follow(viewer, beyond_the_oldest, "Newer")) == keys[1:]
    assert shown(viewer.get(LIST, {"after": 10**9})) == keys[:3]


def test_pages__keep_what_is_asked_for(viewer, make, small_pages, template):
    make(4, status="rejected")
    make(4)
    asked = {"status__exact": "rejected", "template__id__exact": str(template.pk)}

    older = follow(viewer, viewer.get(LIST, asked | {"_popup": "1"}), "Older")

    assert older.context["cl"].is_popup
    assert {message.status for message in older.context["cl"].result_list} == {"rejected"}


def test_count__is_exact_up_to_a_bound(viewer, make, small_pages, small_window):
    make(4, status="queued")
    exact = page(viewer.get(LIST))
    make(1, status="rejected")

    assert "4 messages" in exact
    assert "More than 4 messages" in page(viewer.get(LIST))
    assert "4 messages" in page(viewer.get(LIST, {"status__exact": "queued"}))


def test_list__has_no_message_yet(viewer, db):
    html = page(viewer.get(LIST))

    assert "No message was found." in html
    assert "0 messages" in html


# --- What it costs --------------------------------------------------------------------------------


def cost(client, asked) -> CaptureQueriesContext:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(LIST, asked).status_code == 200
    return queries


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"before": "10"},
        {"after": "0"},
        {"status__exact": "queued"},
        {"status__exact": "queued", "account": "other"},
        {"q": NUMBER},
    ],
)
def test_list__costs_few_queries_however_many_messages(seer, make, small_pages, accounts, asked):
    make(5, account="other")
    # The first page of all also asks for the type of content that the log is about.
    seer.get(LIST)
    few = cost(seer, asked)
    make(20, account="other")
    many = cost(seer, asked)

    assert len(few) <= len(many) <= 10
    assert len(many) - len(few) <= 1


def test_list__counts_nothing_without_a_bound(seer, make, small_pages):
    make(5)

    for asked in ({}, {"status__exact": "queued"}, {"q": NUMBER}):
        for query in cost(seer, asked):
            assert "COUNT(" not in query["sql"] or "LIMIT 10001" in query["sql"]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="It is PostgreSQL that guesses so.")
def test_list__looks_for_a_status_by_its_index_where_it_has_not_come_up_for_long(
    viewer, template, accounts
):
    columns = {"template": template, "template_code": "order", "recipient": NUMBER}
    for status, number in (("delivered", 3000), ("queued", 1000)):
        MessageLog.objects.bulk_create(MessageLog(status=status, **columns) for _ in range(number))
    table = MessageLog._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {table}")

        for asked in ({}, {"before": str(10**9)}, {"after": "0"}, {"account": "other"}):
            for query in cost(viewer, {"status__exact": "delivered", **asked}):
                if "ORDER BY" in query["sql"] and "'delivered'" in query["sql"]:
                    cursor.execute(f"EXPLAIN {query['sql']}")
                    plan = str(cursor.fetchall())
                    assert "using etelecom_message_status" in plan


# --- Filters --------------------------------------------------------------------------------------


def test_filters__choices_come_from_no_message(viewer, template, settings):
    settings.ETELECOM = {"ACCOUNTS": {"default": {}, "marketing": {}}}

    html = page(viewer.get(LIST))

    assert f'<a href="?template__id__exact={template.pk}">order</a>' in html
    assert '<a href="?status__exact=not_sent">not sent</a>' in html
    assert '<a href="?account=marketing">marketing</a>' in html


def test_filters__account_is_none_where_there_is_one_only(viewer, db):
    assert "By account" not in page(viewer.get(LIST))


def test_filters__under_way_is_two_statuses(viewer, make):
    [queued] = make(status="queued")
    [sending] = make(status="sending")
    make(status="accepted")

    response = viewer.get(LIST, {"status__in": "queued,sending"})

    assert shown(response) == [sending.pk, queued.pk]
    assert '<li class="selected">\n    <a href="?status__exact=queued%2Csending">' in page(response)


def test_filters__campaign_is_one_that_led_here(viewer, make, template):
    campaign = Campaign.objects.create(template=template, name="Tết")
    [message] = make(campaign=campaign)
    make()

    response = viewer.get(LIST, {"campaign__id__exact": campaign.pk})

    assert shown(response) == [message.pk]
    assert "Tết" in page(response)
    assert shown(viewer.get(LIST, {"campaign__id__exact": campaign.pk + 1})) == []


def test_filters__a_choice_leads_to_the_newest_of_what_else_is_asked(
    viewer, make, small_pages, accounts
):
    make(4)

    html = page(viewer.get(LIST, {"before": "3", "account": "other", "_popup": "1", "o": "1"}))

    assert 'href="?account=other&amp;_popup=1&amp;status__exact=queued"' in html
    assert "before=3" not in html
    assert "o=1" not in html
    assert "Clear all filters" in html


def test_filters__what_no_index_gives_is_looked_for_among_the_newest(
    viewer, make, small_pages, small_window, accounts
):
    [old] = make(account="other")
    make(9)

    first = viewer.get(LIST, {"account": "other"})
    second = follow(viewer, first, "Look further back")
    third = follow(viewer, second, "Look further back")

    assert [shown(response) for response in (first, second, third)] == [[], [], [old.pk]]
    moment = timezone.localtime(MessageLog.objects.order_by("-pk")[3].created_at)
    assert f"Looked through the messages back to {moment:%H:%M} on" in page(first)
    assert "No message was found yet." in page(second)
    assert "Look further" not in page(third)


def test_filters__what_no_index_gives_is_looked_for_upwards_too(
    viewer, make, small_pages, small_window, accounts
):
    make(9)
    [new] = make(account="other")

    first = viewer.get(LIST, {"account": "other", "after": "0"})
    second = follow(viewer, first, "Look further on")

    assert "Looked through the messages up to" in page(first)
    assert shown(first) == shown(second) == []
    assert links(second) == ["Newest", "Older", "Oldest"]
    assert shown(follow(viewer, second, "Look further on")) == [new.pk]


def test_filters__one_leads_and_the_others_are_asked_of_its_messages(
    viewer, make, small_pages, small_window, template
):
    found = make(2, status="rejected")
    other = MessageTemplate.objects.create(code="other")
    make(2, status="rejected", template=other)
    make(9)

    response = viewer.get(LIST, {"status__exact": "rejected", "template__id__exact": template.pk})

    # Four are rejected, so none of the nine was looked at.
    assert shown(response) == [message.pk for message in found[::-1]]


# --- Days -----------------------------------------------------------------------------------------


@pytest.fixture
def days(make):
    """A message on each of three days, in local time."""
    return [
        make(created_at=timezone.make_aware(timezone.datetime(2026, 11, day, 0, 30)))[0].pk
        for day in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"until": "2026-11-02"}, [1, 0]),
        ({"since": "2026-11-02"}, [2, 1]),
        ({"since": "2026-11-02", "until": "2026-11-02"}, [1]),
        ({"since": "2026-11-04"}, []),
        ({"until": "2026-11-30"}, [2, 1, 0]),
        ({"since": " ", "until": ""}, [2, 1, 0]),
    ],
)
def test_days__first_and_last_are_included(viewer, days, asked, found):
    response = viewer.get(LIST, asked)

    assert shown(response) == [days[index] for index in found]


def test_days__bound_the_pages_and_the_count(viewer, days, small_pages, monkeypatch):
    monkeypatch.setattr(MessageLogAdmin, "list_per_page", 1)

    first = viewer.get(LIST, {"until": "2026-11-02"})

    assert "2 messages" in page(first)
    assert shown(follow(viewer, first, "Older")) == [days[0]]
    assert shown(follow(viewer, first, "Oldest")) == [days[0]]


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("since", "2/11/2026"),
        ("since", "yesterday"),
        ("until", "2026-02-30"),
        # In UTC, neither is in the calendar.
        ("since", "0001-01-01"),
        ("until", "9999-12-31"),
    ],
)
def test_days__what_is_none_is_told(viewer, days, name, typed):
    response = viewer.get(LIST, {name: typed})

    assert f"“{typed}” is not a day." in page(response)
    assert f'value="{typed}"' in page(response)
    assert shown(response) == []


# --- Search ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", ["0912 345", "two words", "x" * 101])
def test_search__what_cannot_be_searched_for_is_told(viewer, make, typed):
    make()

    response = viewer.get(LIST, {"q": typed})

    assert "This cannot be searched for:" in page(response)
    assert shown(response) == []


def test_search__number_that_todays_settings_do_not_allow(viewer, make):
    [message] = make(recipient="6581234567")

    assert shown(viewer.get(LIST, {"q": "+65 8123 4567"})) == [message.pk]
    assert entries() == ["Searched for 658•••567."]


def test_search__settings_that_cannot_be_used_are_told(viewer, make, settings):
    settings.ETELECOM = {"ACCOUNTS": {"default": {}}, "ALLOWED_NUMBERS": {"XX": []}}

    response = viewer.get(LIST, {"q": NUMBER})

    assert "names the region" in page(response)
    assert shown(response) == []


def test_search__public_id_with_and_without_dashes(viewer, make):
    [message] = make()

    for typed in (str(message.public_id), message.public_id.hex, str(message.public_id).upper()):
        assert shown(viewer.get(LIST, {"q": typed})) == [message.pk]


def test_search__within_filters(viewer, make):
    [rejected] = make(status="rejected")
    make(status="accepted")

    response = viewer.get(LIST, {"q": NUMBER, "status__exact": "rejected"})

    assert shown(response) == [rejected.pk]
    assert 'name="status__exact" value="rejected"' in page(response)


@pytest.mark.parametrize("few", [4, 2])
def test_search__messages_of_a_number_are_paged_both_ways(
    viewer, make, small_window, monkeypatch, few
):
    monkeypatch.setattr(key_walk, "FEW", few)
    monkeypatch.setattr(MessageLogAdmin, "list_per_page", 2)
    found = [message.pk for message in make(4)]
    make(3, recipient="84987654321")

    newest = viewer.get(LIST, {"q": NUMBER})
    oldest = follow(viewer, newest, "Older")
    again = follow(viewer, oldest, "Newer")
    last = follow(viewer, newest, "Oldest")

    assert shown(newest) == shown(again) == found[:1:-1]
    assert shown(oldest) == shown(last) == found[1::-1]
    assert "4 messages" in page(newest)


def test_search__number_of_very_many_messages_is_looked_for_among_the_newest(
    viewer, make, small_pages, small_window
):
    found = make(5)
    make(4, recipient="84987654321")

    first = viewer.get(LIST, {"q": NUMBER})
    second = follow(viewer, first, "Look further back")

    assert shown(first) == []
    assert shown(second) == [message.pk for message in found[:1:-1]]


# --- Who saw which number -------------------------------------------------------------------------


def test_numbers__are_masked_and_nothing_is_logged(viewer, make, django_user_model):
    customer = django_user_model.objects.create(username="0912345678")
    make(provider_message_id="84912345678-17", sent_by=customer)

    html = page(viewer.get(LIST))

    assert "84912•••678" in html
    assert "84•••-17" in html
    assert "<bdi>0•••</bdi>" in html
    assert not shows_number(html)
    assert entries() == []


def test_numbers__that_were_seen_are_logged_once_a_page(seer, make):
    make(3)
    make(recipient="")

    html = page(seer.get(LIST))

    assert html.count("0912 345 678") == 3
    assert "erased" in html
    assert entries() == ["Saw the numbers of 3 messages."]


def test_numbers__of_an_empty_page_are_not_logged(seer, make):
    make(recipient="")

    seer.get(LIST)
    seer.get(LIST, {"status__exact": "rejected"})

    assert entries() == []


def test_numbers__a_search_is_logged_with_the_number_masked(viewer, make):
    make()

    viewer.get(LIST, {"q": "0912.345.678"})
    viewer.get(LIST, {"q": "0987 654 321"})
    viewer.get(LIST, {"q": "some-id"})
    viewer.get(LIST, {"q": "01212345678"})

    assert entries() == [
        "Searched for 84912•••678.",
        "Searched for 84987•••321.",
        "Searched for 012•••678.",
    ]


def test_numbers__a_search_that_shows_some_is_one_entry(seer, make):
    make()

    seer.get(LIST, {"q": NUMBER})

    assert entries() == ["Searched for 84912•••678. Saw the number of 1 message."]


def test_numbers__an_action_shows_none(seer, make):
    [message] = make()

    seer.post(LIST, {"action": "refresh_selected", "_selected_action": message.pk, "index": 0})

    assert entries() == []


# --- The address ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {"recipient__startswith": "8491"},
        {"recipient__exact": NUMBER},
        {"recipient": NUMBER},
        {"params__x": "1"},
        {"template__code": "order"},
        {"sent_by__password__startswith": "a"},
        {"created_at__year": "2026"},
        {"pk__in": "1,2"},
        {"status__exact": "nonsense"},
        {"status__in": "queued,nonsense"},
        {"campaign__id__exact": "abc"},
        {"campaign__id__exact": "1\x00"},
        {"template__id__exact": "9" * 30},
        {"before": "abc"},
        {"before": "-1"},
        {"before": "9" * 5000},
        {"after": "1e3"},
        {"after": str(2**63)},
        {"_to_field": "recipient"},
    ],
)
def test_address__what_the_list_is_not_asked_for_is_refused(admin_client, make, asked):
    make()

    for address in (LIST, reverse("admin:etelecom_messagelog_export")):
        assert admin_client.get(address, asked).status_code == 400 or (
            address != LIST and "_to_field" in asked
        )


@pytest.mark.parametrize("word", ["o", "p", "all", "e", "_facets"])
def test_address__words_of_djangos_own_lists_do_nothing(viewer, make, small_pages, word):
    keys = [message.pk for message in make(5)][::-1]

    assert shown(viewer.get(LIST, {word: "2"})) == keys[:3]


@pytest.mark.parametrize("key", [0, 2**63 - 1])
@pytest.mark.parametrize("name", ["before", "after", "campaign__id__exact", "template__id__exact"])
def test_address__the_largest_and_smallest_keys(viewer, make, name, key):
    make()

    assert viewer.get(LIST, {name: str(key)}).status_code == 200


def test_popup__shows_messages_to_choose(viewer, make):
    [message] = make()

    html = page(viewer.get(LIST, {"_popup": "1", "_to_field": "id"}))

    assert f'data-popup-opener="{message.pk}"' in html
    assert 'name="_popup" value="1"' in html
    assert "Export as CSV" not in html


# --- Actions --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ticked", ["abc", "", "1\x00", "9" * 30])
def test_action__what_is_no_key_is_a_bad_request(viewer, make, ticked):
    make()

    response = viewer.post(
        LIST, {"action": "refresh_selected", "_selected_action": ticked, "index": 0}
    )

    assert response.status_code == 400


def test_action__is_for_what_is_ticked_alone(viewer, make, askable):
    asked, _ = make(2, status="accepted", provider_message_id="A1", account="default")

    viewer.post(
        LIST,
        {
            "action": "refresh_selected",
            "_selected_action": asked.pk,
            "select_across": "1",
            "index": 0,
        },
    )

    assert len(askable.asked) == 1
    assert 'class="question' not in page(viewer.get(LIST))


# --- Completion of a field ------------------------------------------------------------------------


def test_completion__finds_whole_numbers_and_ids_alone(rf, admin_user, make):
    [message] = make()
    request = rf.get("/")
    request.user = admin_user
    admin = MessageLogAdmin(MessageLog, None)

    def found(typed: str) -> list[MessageLog]:
        messages, has_duplicates = admin.get_search_results(
            request, MessageLog.objects.all(), typed
        )
        assert not has_duplicates
        return list(messages)

    assert found("") == found("0912 345") == []
    assert found(str(message.public_id)) == found("0912 345 678") == [message]
    assert entries() == ["Searched for 84912•••678."]
