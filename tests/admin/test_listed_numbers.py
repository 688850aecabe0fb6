"""The suppression list and the consents in the admin."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from django_etelecom.admin import listed_numbers, number_import
from django_etelecom.finding import key_walk
from django_etelecom.models import Consent, Suppression
from django_etelecom.services import record_consent, suppress_number
from tests.admin.conftest import faults, page

pytestmark = pytest.mark.django_db(transaction=True)

PHONE, WIRE, MASKED = "0912 345 678", "84912345678", "84912•••678"
OTHER = "84912345679"
GIVEN = datetime(2026, 3, 8, 2, 30, tzinfo=UTC)
BOTH = ("suppression", "consent")
EVERYTHING = ("add_suppression", "change_suppression", "delete_suppression", "view_suppression")


def url(model, name="changelist", *args):
    return reverse(f"admin:etelecom_{model}_{name}", args=args)


def put(model, phone=PHONE, **options):
    if model == "suppression":
        return suppress_number(phone, **options)
    return record_consent(phone, **{"source": "Form", "given_at": GIVEN, **options})


def told(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def logged():
    return list(LogEntry.objects.order_by("pk").values_list("action_flag", "change_message"))


def numbers_in(response):
    return re.findall(r'field-number_in_words">(?:<a[^>]*>)?([^<]*)<', page(response))


# --- The lists ----------------------------------------------------------------------------------


@pytest.mark.parametrize("model", BOTH)
def test_list__masks_numbers(staff_client, model):
    put(model)

    response = staff_client(f"view_{model}").get(url(model))

    assert numbers_in(response) == [MASKED]
    assert logged() == []


@pytest.mark.parametrize("model", BOTH)
def test_list__shows_numbers_to_who_may_see_them_and_records_it(staff_client, model):
    put(model)
    put(model, OTHER)

    response = staff_client(f"view_{model}", "view_recipient").get(url(model))

    assert numbers_in(response) == ["0912 345 679", "0912 345 678"]
    assert logged() == [(CHANGE, "Saw 2 numbers.")]


def test_list__erased_numbers_are_told(admin_client):
    suppress_number(PHONE, reason="erased")

    assert numbers_in(admin_client.get(url("suppression"))) == ["erased"]
    assert logged() == []


@pytest.mark.parametrize("model", BOTH)
@pytest.mark.parametrize("typed", ["0912 345 678", "+84912345678", "84912345678"])
def test_search__finds_a_number_in_any_form(staff_client, settings, model, typed):
    put(model)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    put(model, OTHER)
    client = staff_client(f"view_{model}")

    response = client.get(url(model), {"q": typed})

    assert numbers_in(response) == [MASKED]
    assert "1 entry" in page(response)
    assert logged() == [(CHANGE, f"Searched for {MASKED}.")]


@pytest.mark.parametrize("typed", ["An", "0912", "345678"])
def test_search__parts_are_told_not_searched(admin_client, typed):
    put("suppression")

    response = admin_client.get(url("suppression"), {"q": typed})

    assert "errornote" in page(response)
    assert numbers_in(response) == []
    export = admin_client.get(url("suppression", "export"), {"q": typed})
    assert len(list(rows_of(export))) == 0


def test_search__settings_that_cannot_be_used_are_told(admin_client, settings):
    settings.ETELECOM = {"ENCRYPTION_KEYS": ["short"]}

    html = page(admin_client.get(url("suppression"), {"q": PHONE}))

    assert "do not allow a search" in html


def test_list__reads_no_more_than_it_shows(admin_client):
    for number in range(60):
        suppress_number(f"09123456{number:02}")

    with CaptureQueriesContext(connection) as queries:
        response = admin_client.get(url("suppression"), {"q": ""})

    of_the_list = [one["sql"] for one in queries if "etelecom_suppression" in one["sql"]]
    assert all("LIMIT" in sql or " IN (" in sql for sql in of_the_list)
    assert len(numbers_in(response)) == 50
    assert "60 entries" in page(response)


def test_list__pages_by_key(admin_client):
    for number in range(120):
        suppress_number(f"0912345{number:03}")

    seen, where = [], url("suppression")
    while where:
        response = admin_client.get(where)
        seen += numbers_in(response)
        links = dict(map(reversed, re.findall(r'<a href="([^"]*)">(Older)</a>', page(response))))
        where = links.get("Older") and url("suppression") + links["Older"].replace("&amp;", "&")

    assert len(seen) == len(set(seen)) == 120


def test_list__total_of_very_many(admin_client, monkeypatch):
    monkeypatch.setattr(key_walk, "COUNTED", 51)
    monkeypatch.setattr(listed_numbers, "COUNTED", 51)
    for number in range(55):
        suppress_number(f"09123456{number:02}")

    assert "More than 51 entries" in page(admin_client.get(url("suppression")))


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"reason": "staff"}, ["0912 345 679"]),
        ({"scope": "advertising"}, ["0912 345 678"]),
        ({"reason": "staff", "scope": "advertising"}, []),
        ({"reason": "staff", "q": "0912345678"}, []),
    ],
)
def test_list__filters_suppressions(admin_client, query, shown):
    put("suppression")
    put("suppression", OTHER, reason="staff")

    response = admin_client.get(url("suppression"), query)

    assert numbers_in(response) == shown
    assert ("No entry was found." in page(response)) == (not shown)
    exported = rows_of(admin_client.get(url("suppression", "export"), query))
    assert len(list(exported)) == len(shown)


@pytest.mark.parametrize(("word", "shown"), [("no", "0912 345 678"), ("yes", "0912 345 679")])
def test_list__filters_consents(admin_client, word, shown):
    put("consent")
    put("consent", OTHER)
    Consent.objects.filter(recipient=OTHER).update(withdrawn_at=timezone.now())

    response = admin_client.get(url("consent"), {"withdrawn": word})

    assert numbers_in(response) == [shown]
    assert f'name="withdrawn" value="{word}"' in page(response)


def test_list__looks_through_no_more_than_it_may_at_once(admin_client, monkeypatch):
    monkeypatch.setattr(key_walk, "WINDOW", 2)
    for number in range(4):
        put("suppression", f"091234567{number}")

    assert "Not all entries were looked through." in page(
        admin_client.get(url("suppression"), {"reason": "staff"})
    )


@pytest.mark.parametrize(
    "query", [{"recipient__contains": "9"}, {"reason": "x"}, {"before": "x"}, {"o": "1", "y": "1"}]
)
def test_list__cannot_be_asked_for_anything_else(admin_client, query):
    assert admin_client.get(url("suppression"), query).status_code == 400


def test_list__popup_has_no_tools(admin_client):
    html = page(admin_client.get(url("suppression"), {"_popup": "1"}))

    assert url("suppression", "import") not in html


# --- Suppress -----------------------------------------------------------------------------------


def add(client, model="suppression", **fields):
    empty = {"phone": PHONE, "reason": "opt_out", "scope": "", "note": "", "source": "Form"}
    return client.post(url(model, "add"), {**empty, **fields})


def test_add__suppresses_a_typed_number(staff_client):
    response = add(staff_client(*EVERYTHING), note="By phone")

    assert response.status_code == 302
    listed = Suppression.objects.get()
    assert (listed.recipient, listed.reason, listed.scope) == (WIRE, "opt_out", "advertising")
    assert (listed.note, listed.created_by.username) == ("By phone", "lan")
    [entry] = LogEntry.objects.all()
    assert (entry.action_flag, entry.object_id) == (ADDITION, str(listed.pk))
    assert WIRE not in entry.object_repr


def test_add__scope_that_is_chosen(admin_client):
    add(admin_client, scope="everything")

    assert Suppression.objects.get().scope == "everything"


def test_add__faults_stand_beside_the_field(admin_client):
    response = add(admin_client, phone="0912 345 67")

    assert "This is not a phone number" in str(faults(response)["phone"])
    assert not Suppression.objects.exists()


def test_add__what_is_listed_already_is_told(admin_client):
    suppress_number(PHONE)

    assert "phone" in faults(add(admin_client))
    assert add(admin_client, reason="complaint").status_code == 302


@pytest.mark.parametrize("reason", ["erased", "x", ""])
def test_add__reason_that_nobody_chooses_by_hand(admin_client, reason):
    assert "reason" in faults(add(admin_client, reason=reason))


@pytest.mark.parametrize("model", BOTH)
def test_add__settings_that_cannot_be_used_are_told(admin_client, settings, model):
    settings.ETELECOM = {"ENCRYPTION_KEYS": ["short"], "ALLOWED_NUMBERS": 1}

    response = add(admin_client, model, phone="0912 345 678 9")

    assert "do not allow it" in page(response)


def change(client, listed, **fields):
    return client.post(url("suppression", "change", listed.pk), fields)


def test_change__scope_and_note_alone(admin_client):
    listed = suppress_number(PHONE)

    change(admin_client, listed, scope="everything", note="Said so", reason="staff", phone=OTHER)

    listed.refresh_from_db()
    assert (listed.scope, listed.note) == ("everything", "Said so")
    assert (listed.reason, listed.recipient) == ("opt_out", WIRE)


def test_change__nothing(admin_client):
    listed = suppress_number(PHONE, note="A")

    assert change(admin_client, listed, scope="advertising", note="A").status_code == 302


def test_change__what_is_masked_is_not_written(staff_client, django_user_model):
    named = django_user_model.objects.create_user("0912345678")
    listed = suppress_number(PHONE, note="Call 0912.345.678", by=named)
    client = staff_client("change_suppression")

    html = page(client.get(url("suppression", "change", listed.pk)))
    assert "0912.345.678" not in html
    assert "0912345678" not in html
    assert 'name="note"' not in html
    assert MASKED in html

    change(client, listed, scope="everything", note="x")
    listed.refresh_from_db()
    assert (listed.scope, listed.note) == ("everything", "Call 0912.345.678")
    assert listed.created_by == named


@pytest.mark.parametrize("model", BOTH)
def test_page__of_who_may_see_it_whole_is_recorded(staff_client, model):
    row = put(model)
    client = staff_client(f"view_{model}", "view_recipient")

    assert "0912 345 678" in page(client.get(url(model, "change", row.pk)))
    assert logged() == [(CHANGE, "Saw the number.")]


@pytest.mark.parametrize("model", BOTH)
def test_page__that_there_is_not(admin_client, model):
    assert admin_client.get(url(model, "change", 9)).status_code == 302


def test_delete__lifts_a_suppression(admin_client):
    listed = suppress_number(PHONE)

    response = admin_client.post(url("suppression", "delete", listed.pk), {"post": "yes"})

    assert response.status_code == 302
    assert not Suppression.objects.exists()
    assert [flag for flag, _told in logged()] == [DELETION]


# --- Consents -----------------------------------------------------------------------------------


def test_consent__is_recorded(staff_client):
    response = add(staff_client("add_consent"), "consent", given_at="2026-03-08T09:30")

    assert response.status_code == 302
    consent = Consent.objects.get()
    assert (consent.recipient, consent.source, consent.given_at) == (WIRE, "Form", GIVEN)
    assert consent.created_by.username == "lan"


def test_consent__is_given_now_by_default(admin_client):
    before = timezone.now()

    add(admin_client, "consent", given_at="")

    assert before <= Consent.objects.get().given_at <= timezone.now()


def test_consent__faults_stand_beside_the_field(admin_client):
    tomorrow = f"{timezone.now() + timedelta(days=2):%Y-%m-%dT%H:%M}"

    response = add(admin_client, "consent", phone="An", given_at=tomorrow)
    assert faults(response).keys() == {"phone", "given_at"}

    assert faults(add(admin_client, "consent", source="")).keys() == {"source"}
    assert not Consent.objects.exists()


def test_consent__source_with_the_number_is_masked(staff_client):
    consent = put("consent", source="Call of 0912.345.678")
    client = staff_client("view_consent")

    for where in (url("consent"), url("consent", "change", consent.pk)):
        html = page(client.get(where))
        assert "345.678" not in html
        assert "Call of" in html


def test_consent__cannot_be_changed_or_deleted(admin_client):
    consent = put("consent")

    for name in ("change", "delete"):
        response = admin_client.post(url("consent", name, consent.pk), {"source": "x", "post": "y"})
        assert response.status_code == 403
    assert Consent.objects.get().source == "Form"


def test_withdraw__ends_what_the_number_agreed_to(staff_client):
    consent = put("consent", source="Call of 0912345678")
    put("consent", source="Shop")
    client = staff_client("change_consent")
    withdraw = url("consent", "withdraw", consent.pk)
    assert f'formaction="{withdraw}"' in page(client.get(url("consent", "change", consent.pk)))

    response = client.post(withdraw)

    assert response.url == url("consent", "change", consent.pk)
    assert told(response) == ["2 consents of this number were withdrawn."]
    assert not Consent.objects.filter(withdrawn_at=None).exists()
    [entry] = LogEntry.objects.all()
    assert entry.change_message == "Withdrawn."
    assert "0912345678" not in entry.object_repr
    assert withdraw not in page(client.get(response.url))

    assert told(client.post(withdraw))[-1] == "It was withdrawn before."


def test_withdraw__is_for_who_may_by_post_alone(staff_client):
    consent = put("consent")
    withdraw = url("consent", "withdraw", consent.pk)
    viewer = staff_client("view_consent")

    assert withdraw not in page(viewer.get(url("consent", "change", consent.pk)))
    assert viewer.get(withdraw).status_code == 405
    assert viewer.post(withdraw).status_code == 403
    client = staff_client("change_consent", username="an")
    assert client.post(url("consent", "withdraw", 99)).status_code == 404


# --- Export -------------------------------------------------------------------------------------


def rows_of(response):
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return csv.DictReader(io.StringIO(text))


@pytest.mark.parametrize("model", BOTH)
def test_export__masked_and_whole(staff_client, model, django_user_model):
    named = django_user_model.objects.create_user("0912345678")
    text = {"note": "Call 0912 345 678"} if model == "suppression" else {"source": "0912345678"}
    put(model, by=named, **text)
    masked = staff_client(f"view_{model}", "export_messages")
    whole = staff_client(f"view_{model}", "export_messages", "view_recipient", username="an")

    [row] = rows_of(masked.get(url(model, "export")))
    assert row["phone"] == MASKED
    assert "912345678" not in re.sub(r"\D", "", " ".join(row.values()))
    [row] = rows_of(whole.get(url(model, "export")))
    assert row["phone"] == WIRE
    assert logged() == [
        (CHANGE, "Exported as CSV, numbers masked."),
        (CHANGE, "Exported as CSV, numbers whole."),
    ]


def test_export__erased_by_digest_and_no_formula(staff_client):
    listed = suppress_number(PHONE, reason="erased", note="=1+1")

    [row] = rows_of(
        staff_client("view_suppression", "export_messages").get(url("suppression", "export"))
    )

    assert (row["phone"], row["digest"], row["note"]) == ("", listed.number_digest, "'=1+1")


@pytest.mark.parametrize("model", BOTH)
def test_export__is_for_who_may_by_get_alone(staff_client, model):
    viewer = staff_client(f"view_{model}")
    export = url(model, "export")

    assert export not in page(viewer.get(url(model)))
    assert viewer.get(export).status_code == 403
    client = staff_client(f"view_{model}", "export_messages", username="an")
    assert export in page(client.get(url(model)))
    assert client.post(export).status_code == 405


# --- Import -------------------------------------------------------------------------------------


def upload(client, model, text, name="numbers.csv", **fields):
    given = {"reason": "opt_out"} if model == "suppression" else {"source": "Form 2026"}
    file = SimpleUploadedFile(name, text if isinstance(text, bytes) else text.encode())
    return client.post(url(model, "import"), {"file": file, **given, **fields})


def sealed_in(response):
    [lines] = re.findall(r'name="lines" value="([^"]*)"', page(response))
    return lines


def counts(response):
    return [response.context[name] for name in ("new", "known", "faulty")]


def test_import__is_checked_before_anything_is_written(staff_client):
    suppress_number(PHONE)
    client = staff_client("add_suppression", "view_suppression")
    assert url("suppression", "import") in page(client.get(url("suppression")))
    assert "Check the file" in page(client.get(url("suppression", "import")))

    checked = upload(
        client, "suppression", "phone,note\n0912345678,\n0912345679,Own\n0912345679,\n091,\n"
    )

    assert counts(checked) == ["1", "2", "1"]
    assert "phone: This is not a phone number." in page(checked)
    assert Suppression.objects.count() == 1

    response = client.post(url("suppression", "import"), {"lines": sealed_in(checked)})

    assert response.url == url("suppression")
    assert told(response) == ["1 number is new on the list."]
    listed = Suppression.objects.get(recipient=OTHER)
    assert (listed.note, listed.created_by.username) == ("Own", "lan")
    assert logged() == [(ADDITION, "Imported, new: 1.")]


def test_import__consents(staff_client):
    client = staff_client("add_consent")
    text = "phone,given_at,withdrawn_at\n0912345678,,\n0912345679,07/03/2026,08/03/2026\n"

    checked = upload(client, "consent", text, given_at="2026-03-08")
    response = client.post(url("consent", "import"), {"lines": sealed_in(checked)})

    # Who may only add is not led to the list.
    assert response.url == url("consent", "import")
    assert set(Consent.objects.values_list("recipient", "source", "given_at", "withdrawn_at")) == {
        (WIRE, "Form 2026", datetime(2026, 3, 7, 17, tzinfo=UTC), None),
        (
            OTHER,
            "Form 2026",
            datetime(2026, 3, 6, 17, tzinfo=UTC),
            datetime(2026, 3, 7, 17, tzinfo=UTC),
        ),
    }


def test_import__twice_changes_nothing(admin_client):
    lines = sealed_in(upload(admin_client, "suppression", "phone\n0912345678\n"))

    for _time in range(2):
        response = admin_client.post(url("suppression", "import"), {"lines": lines})

    assert told(response)[-1] == "0 numbers are new on the list."
    assert Suppression.objects.count() == 1


def test_import__nothing_good_leaves_nothing_to_confirm(admin_client):
    response = upload(admin_client, "suppression", "phone\n" + "091\n" * 25)

    assert counts(response) == ["0", "0", "25"]
    assert "Import the good lines" not in page(response)
    assert "And more of them." in page(response)
    assert sealed_in(response) == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "The file is empty."),
        ("a,b\n0912345678,x\n", "No column is the phone number"),
        (b"phone\n0912345678\n\xff\n", "UTF-8"),
    ],
)
def test_import__file_that_cannot_be_read(admin_client, text, sentence):
    response = upload(admin_client, "suppression", text)

    assert sentence in str(faults(response)["file"])


@pytest.mark.parametrize(("limit", "most"), [("MOST", 2), ("MOST_SEALED", 10)])
def test_import__too_much_is_left_to_the_command(admin_client, monkeypatch, limit, most):
    monkeypatch.setattr(number_import, limit, most)

    response = upload(admin_client, "consent", "phone\n0912345678\n0912345679\n0912345680\n")

    assert "manage.py etelecom_consent FILE" in str(faults(response)["file"])


def test_import__settings_that_cannot_be_used_are_told(admin_client, settings):
    settings.ETELECOM = {"ALLOWED_NUMBERS": 1}

    assert "do not allow it" in page(upload(admin_client, "suppression", "phone\n0912\n"))


def test_import__is_anothers_or_too_old(admin_client, staff_client, monkeypatch):
    lines = sealed_in(upload(admin_client, "suppression", "phone\n0912345678\n"))
    other = staff_client("add_suppression", "add_consent")

    for client, model, sealed in (
        (other, "suppression", lines),
        (admin_client, "consent", lines),
        (other, "consent", "x"),
    ):
        response = client.post(url(model, "import"), {"lines": sealed})
        assert "upload it again" in page(response)
    monkeypatch.setattr(number_import, "CONFIRM_WITHIN", -1)
    response = admin_client.post(url("suppression", "import"), {"lines": lines})
    assert "upload it again" in page(response)
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("model", BOTH)
def test_import__is_for_who_may_add(staff_client, model):
    client = staff_client(f"view_{model}")

    assert url(model, "import") not in page(client.get(url(model)))
    assert client.get(url(model, "import")).status_code == 403
    assert upload(client, model, "phone\n0912345678\n").status_code == 403


def test_import__takes_no_other_method(admin_client):
    assert admin_client.put(url("suppression", "import")).status_code == 405


def test_list__an_action_asks_before_it_deletes(admin_client):
    row = put("suppression", note="Call 0912 345 678")

    response = admin_client.post(
        url("suppression"), {"action": "delete_selected", "_selected_action": [row.pk]}
    )

    assert "Are you sure" in page(response)
    assert "345" not in page(response)
    assert Suppression.objects.count() == 1
    assert logged() == []


def test_list__an_action_on_nothing_changes_nothing(admin_client):
    put("suppression")

    response = admin_client.post(url("suppression"), {"action": "delete_selected", "index": "0"})

    assert response.status_code == 302
    assert Suppression.objects.count() == 1
    assert logged() == []


def test_import__checks_the_token_of_the_form(django_user_model):
    admin = django_user_model.objects.create_superuser("admin")
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin)

    assert upload(client, "suppression", "phone\n0912345678\n").status_code == 403


def test_pages__have_nothing_inline(admin_client):
    checked = upload(admin_client, "suppression", "phone\n091\n")

    for response in (checked, admin_client.get(url("suppression"))):
        own = page(response).partition('id="content-main"')[2]
        assert "<script>" not in own
        assert "style=" not in own
        assert "onclick" not in own
        assert "None" not in own.replace("None</", "")
