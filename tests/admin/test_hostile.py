"""Whatever people and the provider write is text, on every page of the admin."""

import csv
import io
import re

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.db.models import CharField, JSONField, TextField
from django.urls import reverse

from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.models import Campaign, CampaignRow, MessageLog, MessageTemplate
from django_etelecom.redaction import clean_text
from django_etelecom.services import refresh_status, send_message
from tests.admin.addresses import address, routes
from tests.admin.conftest import PHONE, page, send_url
from tests.admin.markup import TURNING, Page
from tests.admin.test_permissions import PAGES, SUPERUSER
from tests.admin.world import make_world, params

pytestmark = pytest.mark.django_db(transaction=True)

PLAIN = "plainword"

HOSTILE = {
    "script": "</title></bdi><script>alert(1)</script>",
    "image": '-->"><img src=x onerror=alert(1)>',
    "attribute": "' onmouseover='alert(1)",
    "closing": "</textarea></select></pre></div></td></table>",
    "address": "javascript:alert(1)",
    "tag": "{% debug %}{{ user.password }}%s %(count)s {0}",
    "lines": "&lt;b&gt;&#60;i&#62;\r\nSet-Cookie: a=b\n\tc",
    "formula": "=HYPERLINK(1)",
}
TURNED = "\u202eevil\u2066"
LONG = "W" * 65536

NO_PAGES = {
    *("campaign_progress", "campaign_faulty_rows"),
    *("messagelog_export", "suppression_export", "consent_export"),
} | {name for name in PAGES if name.startswith("etelecom/")}
"""What leads on, or answers with something else."""

OF_THE_APP_ALONE = {
    *("sealed_params", "sealed_rows", "sealed_values", "idempotency_digest", "content_digest"),
    *("recipient", "password", "number_digest"),
}
"""What no person and no provider has written."""


def spoil(value: str) -> None:
    """Put a text wherever the database has room for what people or the provider wrote."""
    users = get_user_model()
    models = [*apps.get_app_config("etelecom").get_models(), users]
    for model in models:
        for row in model._default_manager.all():
            texts = {
                field.name: spoilt(field, value, row.pk)
                for field in model._meta.concrete_fields
                if is_written(field)
            }
            # Django greets each person by their own name.
            if texts and getattr(row, "username", "") != "admin":
                model._default_manager.filter(pk=row.pk).update(**texts)
    MessageLog.objects.update(
        params={"customer_name": value, value: value}, metadata={value: [value]}, channels=[value]
    )
    Campaign.objects.update(sheet_columns=[value, "to"], columns={"to": value}, channels=[value])
    CampaignRow.objects.update(faults={"customer_name": [value], value: [value]})
    LogEntry.objects.all().delete()
    for model in models[:-1]:
        for row in model._default_manager.all():
            LogEntry.objects.create(
                user=users.objects.get(username="admin"),
                content_type=ContentType.objects.get_for_model(model),
                object_id=row.pk,
                object_repr=str(row)[:200],
                action_flag=CHANGE,
                change_message=value,
            )


def is_written(field) -> bool:
    return (
        isinstance(field, CharField | TextField)
        and not isinstance(field, JSONField)
        and not field.choices
        and field.name not in OF_THE_APP_ALONE
    )


def spoilt(field, value: str, key: int) -> str:
    limit = field.max_length or len(value) + 9
    # Where no two may be the same.
    own = f"_{key}" if field.unique or field.name in ("name", "code") else ""
    return value[: limit - len(own)] + own


class Spoilable:
    """A site whose texts can be changed, seen by its superuser."""

    def __init__(self, client, world) -> None:
        self.client = client
        self.world = world

    def addresses(self) -> dict[str, str]:
        """Return the addresses of all pages that can be looked at, by name."""
        found = {
            name: address(name, self.world.row(name) if "<" in routes()[name] else None)
            for name, (get, _post) in PAGES.items()
            if SUPERUSER in get
        }
        campaigns = {key: row for key, row in self.world.of.items() if key.startswith("campaign_")}
        found |= {f"page of {key}": address("campaign_change", campaigns[key]) for key in campaigns}
        code = MessageTemplate.objects.get(pk=self.world.of["messagetemplate"].pk).code
        lost = self.world.of["messagelog_lost"].public_id
        return found | {
            "index": reverse("admin:index"),
            "form": send_url(code),
            "form of a resend": f"{send_url(code)}&resend_of={lost}",
            "delete_template": address("messagetemplate_delete", self.world.of["messagetemplate"]),
        }

    def pages(self) -> dict[str, Page]:
        read = {}
        for name, where in self.addresses().items():
            response = self.client.get(where)
            if "text/html" in response.get("Content-Type", "") and response.status_code == 200:
                read[name] = Page(page(response))
                read[name].size = len(response.content)
        return read


@pytest.fixture
def spoilable(askable, order_template, admin_client, django_user_model):
    world = make_world(order_template)
    lost = MessageLog.objects.get(pk=world.of["messagelog_lost"].pk)
    lost.events.create(source="poll", status="undelivered", http_status=200)
    sender = django_user_model.objects.create(username="lan", is_staff=True)
    MessageLog.objects.update(sent_by=sender)
    Campaign.objects.update(sent_by=sender)
    return Spoilable(admin_client, world)


def test_pages__hostile_text_is_text(spoilable):
    """A page has the same elements and attributes, whatever is written in it."""
    spoil(PLAIN)
    plain = spoilable.pages()

    for hostile in HOSTILE.values():
        spoil(hostile)
        spoilt = spoilable.pages()
        assert spoilt.keys() == plain.keys()
        for name, read in spoilt.items():
            assert without_lines(read) == without_lines(plain[name]), (name, hostile)
            assert not [one for one in read.addresses if is_script(one)], (name, hostile)
            # An end of line may be written as `\n`.
            told = hostile in read.text or "\n" in hostile
            assert told or PLAIN not in plain[name].text, (name, hostile)


def without_lines(read: Page) -> list[tuple[str, ...]]:
    """Return the elements of a page but for those of a text's lines and what is said of a text."""
    said = {("br",), ("li",), ("bdi",)}
    return [element for element in read.elements if element not in said]


def is_script(where: str) -> bool:
    """Whether a browser would run an address; it passes over blanks and control characters."""
    scheme = re.sub("[\x00-\x20]", "", where).lower().partition(":")[0]
    return scheme in ("javascript", "data", "vbscript")


def test_pages__what_turns_the_direction_turns_nothing_else(spoilable):
    spoil(TURNED)

    for name, read in spoilable.pages().items():
        assert not TURNING.search(read.title), (name, read.title)
        assert [block for block in read.blocks if is_turned(block)] == [], name


def is_turned(block: str) -> bool:
    """Whether something stands in a block beside what turns the direction of writing."""
    rest, turned = re.subn(f"{TURNED}([_ ][0-9]+)?", "", block)
    return turned > 1 or bool(turned and re.search(r"\w", rest))


def test_pages__long_words_make_no_endless_page(spoilable):
    spoil(LONG)

    for name, read in spoilable.pages().items():
        assert read.size < 1_000_000, name


def test_pages__nul_is_shown_where_a_database_keeps_it(spoilable):
    if connection.vendor != "sqlite":
        pytest.skip("This database refuses a NUL, or cannot hold one everywhere.")
    spoil("a\x00b")

    assert spoilable.pages().keys() == spoilable.addresses().keys() - NO_PAGES


# --- What comes with a request --------------------------------------------------------------------

QUERIES = (
    *("q", "p", "o", "before", "after", "template", "account", "status__exact", "status__in"),
    *("campaign__id__exact", "template__id__exact", "template__category__exact", "days"),
    *("reason", "scope", "withdrawn"),
    *("resend_of", "_popup", "_to_field", "_changelist_filters", "next", "anything"),
)
SENT = {
    "all": HOSTILE["formula"] + "".join(HOSTILE.values()),
    "turned": TURNED,
    "nul": "a\x00b",
    "long": LONG,
}


def is_inert(read: Page) -> bool:
    """Whether nothing of a page runs but the scripts that it names."""
    runs = [name for _tag, *names in read.elements for name in names if name.startswith("on")]
    inline = [names for tag, *names in read.elements if tag == "script" and "src" not in names]
    pictures = [names for tag, *names in read.elements if tag == "img" and "alt" not in names]
    return not (runs or inline or pictures or list(filter(is_script, read.addresses)))


@pytest.mark.parametrize("hostile", SENT.values(), ids=SENT)
def test_addresses__hostile_queries_are_answered_and_inert(spoilable, hostile):
    for name, where in spoilable.addresses().items():
        if "?" in where:
            continue
        # A list and its file refuse a word at a time: the first would hide what the next one does.
        one_by_one = name.endswith(("changelist", "export"))
        for query in QUERIES if one_by_one else [QUERIES]:
            asked = {query: hostile} if isinstance(query, str) else dict.fromkeys(query, hostile)
            response = spoilable.client.get(where, asked)

            assert response.status_code in (200, 302, 400, 404, 405), (name, query)
            if response.status_code == 200 and "text/html" in response["Content-Type"]:
                assert is_inert(Page(page(response))), (name, query)
            if getattr(response, "streaming", False):
                assert formulas(response) == [], (name, query)
    # What a page has written down, every database keeps, and it is one line.
    for told in LogEntry.objects.values_list("change_message", flat=True):
        assert clean_text(told, 2000) == told


def test_addresses__bytes_that_are_no_text_are_answered(spoilable):
    surrogate = "%ED%A0%80%FF"

    for where in spoilable.addresses().values():
        query = "&".join(f"{name}={surrogate}" for name in ("q", "template", "status__exact"))
        assert spoilable.client.get(f"{where.split('?')[0]}?{query}").status_code in (
            *(200, 302, 400),
            405,
        ), where


@pytest.mark.parametrize("hostile", SENT.values(), ids=SENT)
def test_send__hostile_fields_come_back_as_text(spoilable, askable, hostile):
    where, count = send_url("order_confirmation"), len(askable.sent)
    fields = {f"params.{name}": hostile for name in (*params(), "note", hostile[:200])}
    fit = {f"params.{name}": value for name, value in params().items()}

    for typed in (
        {"step": "check", "to": hostile, "route": hostile, **fields},
        {"step": "check", "to": PHONE, **fit, "params.customer_name": hostile},
        {"step": hostile, "message": hostile},
        {"step": "confirm", "message": hostile},
        {"step": "change", "message": hostile},
    ):
        response = spoilable.client.post(where, typed)

        assert response.status_code == 200
        assert is_inert(Page(page(response)))
    assert len(askable.sent) == count


@pytest.mark.parametrize("hostile", SENT.values(), ids=SENT)
def test_upload__hostile_names_headings_and_cells_are_text(spoilable, hostile):
    heading, cell = (f'"{text.replace(chr(34), chr(34) * 2)}"' for text in (hostile, hostile))
    lines = [
        f"to,customer_name,order_code,amount,delivery_date,{heading}",
        f"0912345679,{cell},DH-1,150000,24/12/2026,{cell}",
        f"{cell},{cell},{cell},{cell},{cell},{cell}",
    ]
    file = SimpleUploadedFile(f"{hostile[:200]}.csv", "\n".join(lines).encode())

    response = spoilable.client.post(
        address("campaign_upload"),
        {"template": "order_confirmation", "file": file, "name": "", "route": ""},
        follow=True,
    )

    assert response.status_code == 200
    assert is_inert(Page(page(response)))
    assert len(response.content) < 100_000
    campaign = Campaign.objects.latest()
    download = spoilable.client.get(address("campaign_faulty_rows", campaign))
    assert not (download.streaming and formulas(download))


def formulas(download) -> list[str]:
    """Return the cells of a CSV file that a spreadsheet would compute."""
    told = b"".join(download.streaming_content).decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(told)) for cell in row]
    return [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@pytest.mark.parametrize("model", ["suppression", "consent"])
@pytest.mark.parametrize("hostile", SENT.values(), ids=SENT)
def test_import__hostile_names_headings_and_cells_are_text(spoilable, hostile, model):
    cell = f'"{hostile.replace(chr(34), chr(34) * 2)}"'
    columns = ("phone", "reason", "scope", "note", "source", "given_at", hostile[:100])
    heading = ",".join(f'"{column.replace(chr(34), chr(34) * 2)}"' for column in columns)
    lines = [heading, f"0912345679,opt_out,,{cell},{cell},2026-03-08,{cell}", ",".join([cell] * 7)]
    file = SimpleUploadedFile(f"{hostile[:200]}.csv", "\n".join(lines).encode())

    given = {"file": file, "reason": "opt_out", "source": hostile[:255], "given_at": ""}
    for posted in (given, {"lines": hostile}):
        response = spoilable.client.post(address(f"{model}_import"), posted)

        assert response.status_code == 200
        assert is_inert(Page(page(response)))
        assert len(response.content) < 100_000


@pytest.mark.parametrize("model", ["messagelog", "suppression", "consent"])
@pytest.mark.parametrize("hostile", ["=HYPERLINK(1)", "+1", "-1+2", "@SUM(1)", "\t=1", "\r=1"])
def test_export__has_no_formula(spoilable, hostile, model):
    spoil(hostile)

    assert formulas(spoilable.client.get(address(f"{model}_export"))) == []


# --- What the provider says -----------------------------------------------------------------------


def test_provider__hostile_words_are_text(askable, order_template, admin_client):
    words = "<script>alert(1)</script>\u202e\x00\ud800" + "w" * 70_000
    askable.answer = staticmethod(
        lambda _outgoing: SendResult(
            outcome=Outcome.ACCEPTED,
            provider_message_id="ICOM'\"><img onerror=alert(1)>",
            provider_status=words,
            provider_detail=words,
            http_status=200,
            payload={words: [words]},
        )
    )
    message = send_message(order_template, PHONE, params())
    askable.tell("fail", channel=words, error_code=words, network=words)
    refresh_status(message)

    for where in (address("messagelog_changelist"), address("messagelog_change", message)):
        response = admin_client.get(where)
        read = Page(page(response))
        assert is_inert(read)
        assert len(response.content) < 100_000
        assert not [block for block in read.blocks if TURNING.search(block)]
        assert "\x00" not in page(response)
