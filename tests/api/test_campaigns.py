"""Campaigns over the API: made of rows, followed, moved."""

import csv
import io
import json
import tracemalloc
import uuid
from urllib.parse import urlencode

import openpyxl
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.test import Client

from django_etelecom import uploads
from django_etelecom.api import campaigns as api_campaigns
from django_etelecom.api import rows as api_rows
from django_etelecom.models import (
    Campaign,
    CampaignPart,
    CampaignTally,
    MessageLog,
    MessageTemplate,
    RouteRule,
)
from django_etelecom.services import begin_upload, pause_campaign, queue_campaign
from django_etelecom.worker import Worker
from tests.api.conftest import told

pytestmark = pytest.mark.django_db(transaction=True)

CAMPAIGNS = "/api/campaigns/"
NDJSON = "application/x-ndjson"
CSV = "text/csv"


@pytest.fixture
def client(api_client, askable, order_template):
    return api_client("send_campaign")


@pytest.fixture
def rows(order_params):
    def rows(count=1, **changes):
        return [
            {"to": f"091234{number:04}", **order_params, **changes}
            for number in range(1, count + 1)
        ]

    return rows


@pytest.fixture
def body(order_template, rows):
    def body(given=None, **changes):
        return {"template": order_template.code, "rows": given or rows(), **changes}

    return body


def lines(rows):
    return "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode()


def sheet(rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def stream(client, content, media_type=NDJSON, *, template="order_confirmation", **query):
    """Post rows as they are; what else there is to say stands in the address."""
    headers = query.pop("headers", None)
    address = f"{CAMPAIGNS}?{urlencode({'template': template, **query})}"
    return client.generic("POST", address, content, media_type, headers=headers)


def form(client, content, file_name="november.csv", *, headers=None, **fields):
    file = SimpleUploadedFile(file_name, content)
    fields = {"template": "order_confirmation", **fields, "rows": file}
    return Client.post(client, CAMPAIGNS, fields, headers=headers)


def work():
    Worker().run_once()


def one(campaign, move=""):
    return f"{CAMPAIGNS}{campaign.public_id}/{move}"


def kept():
    return Campaign.objects.count(), CampaignPart.objects.count()


# --- Making one -----------------------------------------------------------------------------------


def test_create__starts_by_itself(client, body, rows, askable):
    response = client.post(CAMPAIGNS, body(rows(3), name="November"))

    assert response.status_code == 201
    campaign = Campaign.objects.get()
    assert response["Location"] == f"http://testserver{one(campaign)}"
    shown = told(response)
    created_at, started_at, expires_at = map(shown.pop, ["created_at", "started_at", "expires_at"])
    assert created_at < started_at < expires_at
    assert shown == {
        "public_id": str(campaign.public_id),
        "name": "November",
        "template": "order_confirmation",
        "account": "default",
        "channels": ["1", "3"],
        "route": "",
        "status": "running",
        "broke_off": False,
        "read_rows": 3,
        "queued_rows": 3,
        "faulty_rows": 0,
        "repeated_rows": 0,
        "under_way": 3,
        "ended": 0,
        "counts": {},
        "per_second": None,
        "seconds_left": None,
        "sent_by": "shop",
        "send_at": None,
        "finished_at": None,
    }
    work()
    assert {one.recipient for one in askable.sent} == {"84912340001", "84912340002", "84912340003"}
    shown = told(client.get(one(campaign)))
    assert (shown["status"], shown["counts"], shown["ended"]) == ("finished", {"accepted": 3}, 3)
    assert shown["per_second"] > 0


@pytest.mark.parametrize("send", ["json", "ndjson", "csv", "form", "workbook"])
def test_create__takes_rows_in_each_form(client, body, rows, askable, send):
    given = rows(3)
    match send:
        case "json":
            response = client.post(CAMPAIGNS, body(given, name="Tết"))
        case "ndjson":
            response = stream(client, lines(given), name="Tết")
        case "csv":
            response = stream(client, sheet(given), f"{CSV}; charset=utf-8", name="Tết")
        case "form":
            response = form(client, sheet(given), name="Tết", route="", send_at="")
        case "workbook":
            workbook = openpyxl.Workbook()
            workbook.active.append(list(given[0]))
            for row in given:
                workbook.active.append(list(row.values()))
            file = io.BytesIO()
            workbook.save(file)
            response = form(client, file.getvalue(), "november.xlsx", name="Tết")

    assert response.status_code == 201, response.content
    assert told(response)["name"] == "Tết"
    work()
    assert len(askable.sent) == 3
    assert askable.sent[0].wire.reveal()["amount"] == "150000"


def test_create__takes_route_and_time(client, body, askable):
    RouteRule.objects.create(name="SMS", channels=["3"])

    response = client.post(CAMPAIGNS, body(route="SMS", send_at="2027-01-31T08:00:00"))

    shown = told(response)
    assert (shown["route"], shown["channels"]) == ("SMS", ["3"])
    assert shown["send_at"] == "2027-01-31T08:00:00+07:00"
    work()
    assert askable.sent == []


def test_create__what_is_the_answers_changes_nothing(client, body, admin_user):
    given = body(status="finished", account="other", sent_by="admin", queued_rows=7, broke_off=True)

    shown = told(client.post(CAMPAIGNS, given))

    assert (shown["status"], shown["account"], shown["sent_by"]) == ("running", "default", "shop")
    assert (shown["queued_rows"], shown["broke_off"]) == (1, False)


@pytest.mark.parametrize("given", [{"expires_at": "2026-12-24T08:00:00Z"}, {"channels": ["3"]}])
def test_create__what_it_is_told_by_is_no_way_to_say_it(client, body, given):
    response = client.post(CAMPAIGNS, body(**given))

    assert response.status_code == 400
    assert list(told(response)) == list(given)
    assert kept() == (0, 0)


def test_create__what_the_address_says_of_json_is_refused(client, body):
    response = client.post(f"{CAMPAIGNS}?send_at=2026-12-24T08:00:00Z&utm=x", body())

    assert response.status_code == 400
    assert told(response) == {"send_at": ["Give it in the body."]}
    assert kept() == (0, 0)


def test_create__leaves_to_the_worker_what_takes_long(client, rows, askable, monkeypatch):
    monkeypatch.setattr(uploads, "PART", 1)
    monkeypatch.setattr(api_campaigns, "PATIENCE", 0)

    response = stream(client, lines(rows(3)))

    assert response.status_code == 201
    shown = told(response)
    assert (shown["status"], shown["read_rows"]) == ("loading", 0)
    work()
    assert len(askable.sent) == 3


def test_create__rows_rest_sealed(client, otp_template, monkeypatch):
    monkeypatch.setattr(api_campaigns, "PATIENCE", 0)
    row = {"to": "0912345678", "otp": "483920"}

    response = stream(client, lines([row]), template="login_otp")

    assert response.status_code == 201
    assert "483920" not in CampaignPart.objects.get().sealed_rows


@pytest.mark.parametrize("media_type", [NDJSON, CSV])
def test_create__many_rows_take_little_memory(client, rows, media_type, monkeypatch):
    monkeypatch.setattr(api_campaigns, "PATIENCE", 0)
    write = {NDJSON: lines, CSV: sheet}[media_type]
    content = write(rows(9) * 8_000)
    stream(client, write(rows(9)), media_type)
    tracemalloc.start()

    try:
        response = stream(client, content, media_type)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert response.status_code == 201
    # The test's client itself holds the body once more.
    assert peak - len(content) < 5_000_000


def test_create__template_that_ends_meanwhile_is_told_by_the_campaign(
    client, body, order_template, monkeypatch, caplog
):
    load = api_campaigns.load_parts

    def late(campaign, *, patience):
        order_template.is_active = False
        order_template.save()
        return load(campaign, patience=patience)

    monkeypatch.setattr(api_campaigns, "load_parts", late)

    response = client.post(CAMPAIGNS, body())

    assert response.status_code == 201
    shown = told(response)
    assert (shown["status"], shown["broke_off"]) == ("cancelled", True)
    assert "is not active" in caplog.text


def test_create__commits_whatever_the_site_wraps_around_it(client, rows, settings, monkeypatch):
    def looks(_campaign, *, patience):
        assert not transaction.get_connection().in_atomic_block

    monkeypatch.setattr(api_campaigns, "load_parts", looks)
    monkeypatch.setitem(transaction.get_connection().settings_dict, "ATOMIC_REQUESTS", True)

    assert stream(client, lines(rows())).status_code == 201


# --- What is refused ------------------------------------------------------------------------------


def test_create__all_faults_are_told_by_their_names(client, body):
    response = client.post(
        CAMPAIGNS, body(template="nothing", name="x" * 201, route="no", send_at="2999-01-01")
    )

    assert response.status_code == 400
    assert set(told(response)) == {"name"}
    response = client.post(CAMPAIGNS, body(template="nothing", send_at="2999-01-01T00:00:00Z"))
    assert set(told(response)) == {"template", "send_at"}
    assert kept() == (0, 0)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"template": 7}, "template"),
        ({"template": ""}, "template"),
        ({"name": ["x"]}, "name"),
        ({"name": "a\0b"}, "name"),
        ({"route": "no such"}, "route"),
        ({"send_at": "tomorrow"}, "send_at"),
        ({"sendat": "2027-01-31"}, "sendat"),
        ({"rows": []}, "rows"),
        ({"rows": [{}]}, "rows"),
        ({"rows": {}}, "rows"),
        ({"rows": "to"}, "rows"),
        ({"rows": None}, "rows"),
    ],
)
def test_create__faulty_body_is_refused(client, body, changes, name):
    given = body() | changes

    response = client.post(CAMPAIGNS, given)

    assert response.status_code == 400
    assert set(told(response)) == {name}
    assert kept() == (0, 0)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "Give at least one row."),
        (b"\n \n", "Give at least one row."),
        (b'{"to": "0912345678"}\n\n{"to": 0912345678}\n', "Line 3 is not JSON: see its char"),
        (b'{"to": "0912345678"', "Line 1 is not JSON: see its character 20."),
        (b'{"to": "\xff"}', "Line 1 is not UTF-8."),
        ('{"to": "1"}'.encode("utf-16"), "Line 1 is not UTF-8."),
        (b'{"to": NaN}', "Line 1 has a number that cannot be read."),
        (b'{"to": %s}' % (b"9" * 5000), "Line 1 has a number that cannot be read."),
        (b'{"to": %s}' % (b"[" * 100_000), "Line 1 is nested too deep."),
        (b'\n["0912345678"]\n', "Row 2 is no object of JSON, which has values by their names."),
        (b"null", "Row 1 is no object of JSON"),
        (b'{"to": "1", "to": "2"}', "Line 1 has a name twice in one object."),
        (b'{"to": "%s"}' % (b"9" * 1_000_000), "Line 1 has more than 1000000 bytes."),
    ],
)
def test_create__line_that_is_no_row_is_told(client, order_template, content, sentence):
    response = stream(client, content)

    assert response.status_code == 400
    [fault] = told(response)["rows"]
    assert fault.startswith(sentence)
    assert kept() == (0, 0)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "Give at least one row."),
        (b"\n", "The file is empty."),
        (b"to,order_code\n", "The file has a line of headings and nothing below it."),
        ("to,tên\n0912345678,ệ\n".encode("cp1258", "replace"), "Line 1 is not in UTF-8."),
        (b"to,to\n1,2\n", "Two columns are called"),
        (b"\x1f\x8b", "This is neither a CSV file nor"),
    ],
)
def test_create__sheet_that_cannot_be_read_is_told(client, order_template, content, sentence):
    response = stream(client, content, CSV)

    assert response.status_code == 400
    [fault] = told(response)["rows"]
    assert fault.startswith(sentence)
    assert kept() == (0, 0)


@pytest.mark.parametrize("media_type", [NDJSON, CSV])
def test_create__names_that_mean_nothing_or_are_missing_are_told(client, rows, media_type):
    given = rows(2, colour="red")
    for row in given:
        del row["to"], row["amount"]

    write = {NDJSON: lines, CSV: sheet}[media_type]
    response = stream(client, write(given), media_type)

    assert response.status_code == 400
    assert told(response) == {
        "to": ["No row has a value of this name."],
        "params.amount": ["No row has a value of this name."],
        "params.colour": ["The template has no parameter of this name."],
    }
    assert kept() == (0, 0)


def test_create__nested_values_are_faults_of_their_rows(client, rows):
    deep = "[" * 900 + "]" * 900
    given = json.dumps(rows(1)[0]).replace("150000", deep).encode()

    response = stream(client, given + b"\n" + lines(rows(1, amount={"a": 1})))

    assert response.status_code == 201
    assert told(response)["faulty_rows"] == 2


@pytest.mark.parametrize(
    "query", ["", "template=a&template=b", "template=a&to=1", "template=a&rows=1"]
)
def test_create__address_that_says_something_else_is_refused(client, query):
    response = client.generic("POST", f"{CAMPAIGNS}?{query}", b"{}\n", NDJSON)

    assert response.status_code == 400
    assert kept() == (0, 0)


@pytest.mark.parametrize(
    "fields",
    [{}, {"rows": "0912345678"}, {"template": "x", "rows": ""}, {"colour": "x"}],
)
def test_create__form_without_a_sheet_is_refused(client, order_template, fields):
    response = Client.post(client, CAMPAIGNS, fields)

    assert response.status_code == 400
    assert "rows" in told(response)
    assert kept() == (0, 0)


def test_create__form_with_a_file_of_another_kind_is_refused(client, order_template):
    response = form(client, b"%PDF-1.7", "november.pdf")

    assert response.status_code == 400
    assert told(response) == {"rows": ["This is neither a CSV file nor an XLSX workbook."]}


def test_create__form_that_gives_something_twice_is_refused(client, order_template, rows):
    files = [SimpleUploadedFile(name, sheet(rows())) for name in ("a.csv", "b.csv")]
    fields = {"template": "order_confirmation", "name": ["a", "b"], "rows": files}

    response = Client.post(client, CAMPAIGNS, fields)

    assert response.status_code == 400
    assert told(response) == {"name": ["Give it once."], "rows": ["Give it once."]}
    assert kept() == (0, 0)


def test_create__form_that_is_broken_is_refused(client):
    response = client.generic("POST", CAMPAIGNS, b"--x", "multipart/form-data")

    assert response.status_code == 400
    assert told(response)["detail"]


def test_create__form_beyond_the_sites_bounds_is_refused(client, rows, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000

    response = form(client, sheet(rows()), name="x" * 2000)

    assert response.status_code == 400
    assert "DATA_UPLOAD_MAX_MEMORY_SIZE" in told(response)["detail"]
    assert kept() == (0, 0)


@pytest.mark.parametrize("media_type", ["application/xml", "text/plain", "image/png"])
def test_create__other_media_types_are_refused(client, media_type):
    response = client.generic("POST", CAMPAIGNS, b"x", media_type)

    assert response.status_code == 415
    assert told(response)["detail"]


def test_create__json_beyond_its_bound_is_refused(client, body, monkeypatch):
    monkeypatch.setattr(api_rows, "MAX_JSON", 100)

    response = client.post(CAMPAIGNS, body())

    assert response.status_code == 413
    assert told(response)["detail"] == (
        "The body of this request has at most 100 bytes. Send so many rows as NDJSON or CSV."
    )
    assert kept() == (0, 0)


class Unread(io.BytesIO):
    """A body that nobody is to look at."""

    def read(self, *args):
        raise AssertionError("It was read.")

    readline = readlines = readinto = read


@pytest.mark.parametrize("media_type", [NDJSON, CSV, "application/json"])
def test_create__body_beyond_the_bound_is_not_read(client, order_template, media_type, monkeypatch):
    monkeypatch.setattr(api_campaigns.CampaignsView, "max_body", 10)

    headers = {"wsgi.input": Unread()}
    address = f"{CAMPAIGNS}?template=order_confirmation"
    response = client.generic("POST", address, b"x" * 11, media_type, **headers)

    assert response.status_code == 413
    assert form(client, b"to\n1\n").status_code == 413
    assert kept() == (0, 0)


def test_create__body_that_is_longer_than_it_says_is_refused(client, order_template, monkeypatch):
    monkeypatch.setattr(api_rows, "MAX_BYTES", 10)

    assert stream(client, b"x" * 11, NDJSON).status_code == 413
    assert kept() == (0, 0)


class Broken(io.BytesIO):
    """A body of which the client sends no more."""

    def read(self, *args):
        raise OSError

    def __len__(self):
        return 100


@pytest.mark.parametrize("media_type", [NDJSON, CSV, "multipart/form-data; boundary=x"])
def test_create__body_that_breaks_off_is_told(client, order_template, media_type):
    address = f"{CAMPAIGNS}?template=order_confirmation"
    extra = {"wsgi.input": Broken(), "CONTENT_LENGTH": "100"}

    response = client.generic("POST", address, b"x", media_type, **extra)

    assert response.status_code == 400
    assert told(response) == {"detail": "The body of this request broke off."}
    assert kept() == (0, 0)


def test_create__what_a_guard_stops_is_told(client, rows):
    MessageTemplate.objects.create(code="sale", category="advertising", text="It is cheap.")

    response = client.post(CAMPAIGNS, {"template": "sale", "rows": [{"to": "0912345678"}]})

    assert response.status_code == 429
    assert told(response)["reason"] == "no_label"
    assert kept() == (0, 0)


def test_create__site_without_the_account_is_unusable(client, body, settings):
    settings.ETELECOM = {"ACCOUNTS": {}}

    response = client.post(CAMPAIGNS, body())

    assert response.status_code == 503
    assert "account" not in response.content.decode()
    assert kept() == (0, 0)


def test_create__form_of_a_browser_brings_its_token(
    client, body, rows, django_user_model, monkeypatch
):
    user = django_user_model.objects.create_superuser("lan")
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user)
    fields = {"template": body()["template"]}

    def post(**more):
        file = SimpleUploadedFile("x.csv", sheet(rows()))
        return browser.post(CAMPAIGNS, {**fields, **more, "rows": file})

    browser.cookies["csrftoken"] = token = "a" * 32
    assert post().status_code == 403
    assert post(csrfmiddlewaretoken=token).status_code == 201
    monkeypatch.setattr(api_campaigns.CampaignsView, "max_body", 10)
    assert post(csrfmiddlewaretoken=token).status_code == 413


@pytest.mark.parametrize(
    ("where", "media_type", "status"),
    [
        (CAMPAIGNS, "multipart/form-data; boundary=x", 403),
        (CAMPAIGNS, "application/json", 403),
        ("/api/messages/", "application/json", 403),
        ("/api/routes/", "application/json", 405),
    ],
)
def test_create__body_of_a_browser_without_the_right_is_not_read(
    django_user_model, where, media_type, status
):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(django_user_model.objects.create_user("lan"))
    browser.cookies["csrftoken"] = "a" * 32

    response = browser.generic("POST", where, b"--x--", media_type, **{"wsgi.input": Unread()})

    assert response.status_code == status


def test_create__stream_of_a_browser_without_a_token_is_not_read(rows, django_user_model):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(django_user_model.objects.create_superuser("lan"))

    response = browser.generic("POST", CAMPAIGNS, lines(rows()), NDJSON, **{"wsgi.input": Unread()})

    assert response.status_code == 403


# --- The same request again -----------------------------------------------------------------------


KEY = {"Idempotency-Key": "november-1"}


@pytest.mark.parametrize("send", ["json", "ndjson", "csv", "form"])
def test_key__same_request_again_gives_the_same_campaign(client, body, rows, askable, send):
    def post(count=2, **changes):
        given = rows(count)
        match send:
            case "json":
                return client.post(CAMPAIGNS, body(given, **changes), headers=KEY)
            case "ndjson":
                return stream(client, lines(given), headers=KEY, **changes)
            case "csv":
                return stream(client, sheet(given), CSV, headers=KEY, **changes)
        return form(client, sheet(given), headers=KEY, **changes)

    first = post()
    work()
    again = post()

    assert (first.status_code, again.status_code) == (201, 200)
    assert told(again)["public_id"] == told(first)["public_id"]
    assert told(again)["status"] == "finished"
    assert again["Location"] == first["Location"]
    for other in (post(3), post(name="Tết")):
        assert other.status_code == 409
        assert told(first)["public_id"] in told(other)["detail"]
    work()
    assert len(askable.sent) == 2


def test_key__of_one_user_never_meets_anothers(client, api_client, body):
    other = api_client("send_campaign", username="other")

    assert client.post(CAMPAIGNS, body(), headers=KEY).status_code == 201
    assert other.post(CAMPAIGNS, body(name="x"), headers=KEY).status_code == 201


def test_key__is_not_that_of_a_message(api_client, askable, order, body):
    client = api_client("send_message", "send_campaign")

    assert client.post(CAMPAIGNS, body(), headers=KEY).status_code == 201
    assert client.post("/api/messages/", order, headers=KEY).status_code == 201


def test_key__is_free_again_after_a_fault(client, body):
    assert client.post(CAMPAIGNS, body([{"to": "1"}]), headers=KEY).status_code == 400
    assert client.post(CAMPAIGNS, body(), headers=KEY).status_code == 201


def test_key__that_is_none_is_refused(client, body):
    response = client.post(CAMPAIGNS, body(), headers={"Idempotency-Key": "x" * 200})

    assert response.status_code == 400
    assert kept() == (0, 0)


# --- Following ------------------------------------------------------------------------------------


def test_list__newest_first_a_page_at_a_time(client, order_template, rows):
    made = [queue_campaign(order_template, rows(), name=f"{n}") for n in range(3)]

    first = told(client.get(f"{CAMPAIGNS}?limit=2"))

    assert [one["name"] for one in first["results"]] == ["2", "1"]
    assert first["previous"] is None
    second = told(client.get(first["next"]))
    assert [one["public_id"] for one in second["results"]] == [str(made[0].public_id)]
    assert second["next"] is None


def test_list__costs_the_same_whatever_is_on_it(
    client, order_template, rows, django_assert_num_queries
):
    for status in ("accepted", "rejected"):
        campaign = queue_campaign(order_template, rows(2))
        CampaignTally.objects.create(campaign=campaign, status=status, number=1)

    # The session and its user, the rights, the page, its tallies.
    with django_assert_num_queries(6):
        page = told(client.get(CAMPAIGNS))

    assert [one["counts"] for one in page["results"]] == [{"rejected": 1}, {"accepted": 1}]
    assert {one["under_way"] for one in page["results"]} == {1}


def test_list__of_a_campaign_whose_user_is_gone(client, order_template, rows):
    queue_campaign(order_template, rows())

    assert told(client.get(CAMPAIGNS))["results"][0]["sent_by"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "cursor=x", "status=running"])
def test_list__query_that_cannot_be_is_refused(client, query):
    assert client.get(f"{CAMPAIGNS}?{query}").status_code == 400


@pytest.mark.parametrize("public_id", [str(uuid.UUID(int=7)), "7", "%00", "x" * 500])
@pytest.mark.parametrize("move", ["", "rows/", "pause/", "resume/", "cancel/", "retry/"])
def test_one__that_is_not_there(client, public_id, move):
    method = client.get if move in ("", "rows/") else client.post

    response = method(f"{CAMPAIGNS}{public_id}/{move}")

    assert response.status_code == 404
    assert told(response) == {"detail": "There is no campaign of this id."}


def test_rows__with_all_that_is_wrong(api_client, askable, order_template, rows):
    client = api_client("view_campaign")
    faulty = [rows(1, amount="x", to="0912 345 67")[0], rows(1, customer_name="")[0]]
    campaign = queue_campaign(order_template, [*rows(), *rows(), *faulty])

    page = told(client.get(one(campaign, "rows/")))

    assert [(row["row"], row["is_queued"], set(row["faults"])) for row in page["results"]] == [
        (4, False, {"params.customer_name"}),
        (3, False, {"to", "params.amount"}),
    ]
    assert page["results"][0]["faults"] == {"params.customer_name": ["This parameter is missing."]}
    repeated = told(client.get(f"{one(campaign, 'rows/')}?is_queued=true"))["results"]
    assert [row["row"] for row in repeated] == [2]


def test_rows__a_page_at_a_time(client, order_template, rows):
    campaign = queue_campaign(order_template, rows(3, customer_name=""))

    first = told(client.get(f"{one(campaign, 'rows/')}?limit=2"))
    second = told(client.get(first["next"]))

    assert [row["row"] for row in first["results"] + second["results"]] == [3, 2, 1]


def test_rows__numbers_are_masked_but_for_whom_may_see_them(api_client, askable, order_template):
    order_template.parameters.filter(name="amount").update(pattern="x")
    given = {"to": "0912345678", "customer_name": "An", "order_code": "1", "amount": "0912345678"}
    campaign = queue_campaign(order_template, [{**given, "delivery_date": "24/12/2026"}])

    masked = client_rows(api_client("view_campaign"), campaign)
    whole = client_rows(api_client("view_campaign", "view_recipient", username="lan"), campaign)

    assert "345678" not in masked
    assert "“912345678” is not taken" in whole


def client_rows(client, campaign):
    return client.get(one(campaign, "rows/")).content.decode()


@pytest.mark.parametrize("query", ["is_queued=perhaps", "is_queued=", "limit=101", "row=1"])
def test_rows__query_that_cannot_be_is_refused(client, order_template, rows, query):
    campaign = queue_campaign(order_template, rows())

    assert client.get(f"{one(campaign, 'rows/')}?{query}").status_code == 400


# --- Moving ---------------------------------------------------------------------------------------


def test_moves__pause_resume_cancel(client, order_template, rows, askable):
    campaign = queue_campaign(order_template, rows(2))

    assert told(client.post(one(campaign, "pause/")))["status"] == "paused"
    work()
    assert askable.sent == []
    assert told(client.post(one(campaign, "resume/")))["status"] == "running"
    cancelled = told(client.post(one(campaign, "cancel/")))
    assert (cancelled["status"], cancelled["counts"]) == ("cancelled", {"cancelled": 2})
    work()
    assert askable.sent == []


@pytest.mark.parametrize("move", ["pause", "resume", "cancel"])
def test_moves__asked_for_again_change_nothing(client, order_template, rows, move):
    campaign = queue_campaign(order_template, rows())
    if move == "resume":
        pause_campaign(campaign)

    first = client.post(one(campaign, f"{move}/"))
    again = client.post(one(campaign, f"{move}/"))

    assert (first.status_code, again.status_code) == (200, 200)
    assert told(again)["status"] == told(first)["status"]
    assert told(again)["started_at"] == told(first)["started_at"]


@pytest.mark.parametrize(
    ("status", "move"),
    [
        ("finished", "pause"),
        ("finished", "resume"),
        ("finished", "cancel"),
        ("cancelled", "pause"),
        ("cancelled", "resume"),
        ("loading", "pause"),
        ("checking", "resume"),
    ],
)
def test_moves__from_elsewhere_are_a_conflict(client, order_template, rows, status, move):
    campaign = queue_campaign(order_template, rows())
    Campaign.objects.update(status=status)

    response = client.post(one(campaign, f"{move}/"), {"status": "running"})

    assert response.status_code == 409
    word = Campaign.Status(status).label
    assert told(response)["detail"] == f"The campaign is {word} by now; nothing was changed."
    campaign.refresh_from_db()
    assert campaign.status == status


def test_resume__of_what_is_finished_at_once(client, order_template, rows, monkeypatch):
    campaign = pause_campaign(queue_campaign(order_template, rows()))

    def finishes(campaign):
        Campaign.objects.update(status="finished")
        campaign.refresh_from_db()

    monkeypatch.setattr(api_campaigns.ResumeView, "move", staticmethod(finishes))

    assert told(client.post(one(campaign, "resume/")))["status"] == "finished"


def test_retry__queues_again_what_was_not_sent(client, order_template, rows, askable):
    campaign = queue_campaign(order_template, rows(2))
    work()
    MessageLog.objects.filter(campaign_row=1).update(status="not_sent")
    CampaignTally.objects.create(campaign=campaign, status="not_sent", number=1)
    CampaignTally.objects.create(campaign=campaign, status="accepted", number=-1)

    shown = told(client.post(one(campaign, "retry/")))

    assert (shown["retried"], shown["status"], shown["under_way"]) == (1, "running", 1)
    assert told(client.post(one(campaign, "retry/")))["retried"] == 0
    work()
    assert len(askable.sent) == 3


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        ("checking", "Only a campaign that was started can be retried."),
        ("cancelled", "A campaign that was cancelled is not retried."),
    ],
)
def test_retry__of_what_does_not_run_is_a_conflict(client, order_template, rows, status, sentence):
    campaign = queue_campaign(order_template, rows())
    Campaign.objects.update(status=status)

    response = client.post(one(campaign, "retry/"))

    assert response.status_code == 409
    assert told(response)["detail"] == sentence


def test_cancel__of_what_is_being_loaded(client, rows, monkeypatch, askable):
    monkeypatch.setattr(api_campaigns, "PATIENCE", 0)
    stream(client, lines(rows(3)))
    campaign = Campaign.objects.get()

    assert told(client.post(one(campaign, "cancel/")))["status"] == "cancelled"
    work()
    assert askable.sent == []
    assert kept() == (1, 0)


# --- Who may --------------------------------------------------------------------------------------


LOOKS = ["", "rows/"]
MOVES = ["pause/", "resume/", "cancel/", "retry/"]


@pytest.mark.parametrize(
    ("rights", "may_look", "may_move"),
    [
        ([], False, False),
        (["view_campaign"], True, False),
        (["send_campaign"], True, True),
        (["send_message", "view_messagelog", "view_recipient"], False, False),
    ],
)
def test_rights__each_opens_what_it_stands_for(
    api_client, askable, order_template, rows, body, rights, may_look, may_move
):
    client = api_client(*rights)
    campaign = queue_campaign(order_template, rows())

    looked = {client.get(CAMPAIGNS).status_code}
    looked |= {client.get(one(campaign, look)).status_code for look in LOOKS}
    moved = {client.post(one(campaign, move)).status_code for move in MOVES}
    made = client.post(CAMPAIGNS, body()).status_code

    assert looked == ({200} if may_look else {403})
    assert (403 in moved) == (not may_move)
    assert made == (201 if may_move else 403)


def test_rights__nobody_gets_in(askable, order_template, rows, body):
    campaign = queue_campaign(order_template, rows())
    nobody = Client()

    assert nobody.get(CAMPAIGNS).status_code in (401, 403)
    assert nobody.get(one(campaign)).status_code in (401, 403)
    assert nobody.post(CAMPAIGNS, body(), "application/json").status_code in (401, 403)
    assert nobody.post(one(campaign, "cancel/")).status_code in (401, 403)
    campaign.refresh_from_db()
    assert campaign.status == "running"


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_methods__others_are_not_allowed(client, order_template, rows, method):
    campaign = queue_campaign(order_template, rows())

    assert getattr(client, method)(CAMPAIGNS).status_code == 405
    assert getattr(client, method)(one(campaign)).status_code == 405
    assert client.get(one(campaign, "cancel/")).status_code == 405


def test_one__of_an_upload_that_waits_for_a_person(client, order_template, rows):
    campaign = begin_upload(order_template, io.BytesIO(sheet(rows())), "x.csv")

    assert told(client.get(one(campaign)))["status"] == "loading"
