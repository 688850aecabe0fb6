"""The import of templates in the admin: shown first, then what is ticked, and no more."""

import re

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_etelecom.admin import template_import
from django_etelecom.exceptions import ImportOutdated
from django_etelecom.models import MessageTemplate
from tests.admin.conftest import page

pytestmark = pytest.mark.django_db(transaction=True)

IMPORT = reverse("admin:etelecom_messagetemplate_import")
LIST = reverse("admin:etelecom_messagetemplate_changelist")

NEEDED = (
    "add_messagetemplate",
    "change_messagetemplate",
    "add_templateparameter",
    "change_templateparameter",
)


@pytest.fixture
def listing(live):
    """The simulator lists one new template and a change to one of the site's."""
    live.templates = {
        "login_otp": {"otp": ("otp", "^[0-9]{6}$")},
        "greeting": {"name": ("name", "")},
    }
    return live


@pytest.fixture
def several(live, settings):
    entry = settings.ETELECOM["ACCOUNTS"]["default"]
    settings.ETELECOM = {"ACCOUNTS": {"one": entry, "two & three": entry}}
    return live


def fingerprint_in(response) -> str:
    [fingerprint] = re.findall(r'name="fingerprint" value="([0-9a-f]{64})"', page(response))
    return fingerprint


def take_over(client, *codes: str, url: str = IMPORT, meanwhile=lambda: None):
    """Look at what would change, tick these codes, and confirm."""
    fingerprint = fingerprint_in(client.get(url))
    meanwhile()
    return client.post(url, {"fingerprint": fingerprint, "codes": codes})


def ticked(response) -> dict[str, bool]:
    return {change.code: is_ticked for change, is_ticked in response.context["changes"]}


def told(response) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def notice(response) -> str:
    return response.context["notice"]


# --- The page -----------------------------------------------------------------------------------


def test_page__shows_what_would_change_and_changes_nothing(admin_client, listing, otp_template):
    response = admin_client.get(IMPORT)

    html = page(response)
    assert "<bdi>Parameter otp: pattern ^[0-9]{6}$</bdi>" in html
    assert "<bdi>New parameter name: text, at most 30 characters</bdi>" in html
    assert "Nothing has been changed yet." in html
    assert ticked(response) == {"login_otp": False, "greeting": True}
    assert MessageTemplate.objects.count() == 1


def test_page__each_box_has_its_label(admin_client, listing):
    html = page(admin_client.get(IMPORT))

    boxes = re.findall(r'<input type="checkbox"\s+name="codes"\s+value="\w+"\s+id="(\w+)"', html)
    assert len(boxes) == 2
    assert all(f'<label for="{box}">' in html for box in boxes)


def test_page__nothing_to_change(admin_client, live):
    live.templates = {}

    response = admin_client.get(IMPORT)

    assert "There is nothing to change." in page(response)
    assert "Import what is ticked" not in page(response)


def test_page__tells_what_is_not_taken_over(admin_client, live, otp_template):
    live.templates = {"LOGIN_OTP": {}}

    html = page(admin_client.get(IMPORT))

    assert "<bdi>LOGIN_OTP</bdi>" in html
    assert "<bdi>Its code differs only in case from login_otp.</bdi>" in html
    assert "<bdi>The provider does not list these templates; they stay: login_otp.</bdi>" in html


def test_page__hostile_words_are_inert(admin_client, live):
    live.templates = {
        '"><script>x': {
            "<img>": ("", ""),
            "name": ("<b>\u202e", "<script>alert(1)</script>"),
        }
    }

    html = page(admin_client.get(IMPORT))

    assert "<script>alert" not in html
    assert "<script>x" not in html
    assert "<img>" not in html
    assert "\u202e" not in html
    assert 'value="&quot;&gt;&lt;script&gt;x"' in html


def test_page__takes_few_queries(admin_client, live):
    live.templates = {f"T{number}": {"otp": ("otp", "")} for number in range(60)}

    with CaptureQueriesContext(connection) as queries:
        admin_client.get(IMPORT)

    assert len(queries) <= 15


def test_page__works_without_scripts_and_styles_of_its_own(admin_client, listing):
    own = page(admin_client.get(IMPORT)).partition('id="content-main"')[2]

    assert "onclick" not in own
    assert "style=" not in own
    assert "None" not in own
    assert "<script>" not in own


# --- Which account ------------------------------------------------------------------------------


def test_account__of_several_is_chosen_first(admin_client, several):
    html = page(admin_client.get(IMPORT))

    assert '<option value="two &amp; three">' in html
    assert several.receipts == []


def test_account__that_was_chosen(admin_client, several):
    several.templates = {"greeting": {}}
    url = f"{IMPORT}?account=two+%26+three"

    response = admin_client.get(url)
    assert 'action="?account=two%20%26%20three"' in page(response)

    take_over(admin_client, "greeting", url=url)
    assert MessageTemplate.objects.get().account == "two & three"


@pytest.mark.parametrize("alias", ["", "nowhere", "\x00"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_account__that_there_is_not(admin_client, several, method, alias):
    response = getattr(admin_client, method)(IMPORT, query_params={"account": alias})

    assert "account" in response.context["adminform"].form.errors
    assert several.receipts == []


def test_account__none_at_all(admin_client, settings):
    settings.ETELECOM = {}

    assert notice(admin_client.get(IMPORT)) == "There is no account in this site's settings."


# --- Taking over --------------------------------------------------------------------------------


def test_import__what_is_ticked(admin_client, listing, otp_template):
    response = take_over(admin_client, "greeting", "login_otp")

    assert (response.status_code, response.url) == (302, LIST)
    assert told(response) == [
        "1 template was changed.",
        "1 template was added. It is not active: give it its category, text and route, then set it "
        "active.",
    ]
    assert not MessageTemplate.objects.get(code="greeting").is_active
    assert otp_template.parameters.get().pattern == "^[0-9]{6}$"


def test_import__nothing_that_is_not_ticked(admin_client, listing, otp_template):
    take_over(admin_client, "login_otp")

    assert MessageTemplate.objects.get() == otp_template


def test_import__is_in_the_log_of_each_template(admin_client, listing, otp_template):
    listing.templates = {**listing.templates, "plain": {}}

    take_over(admin_client, "greeting", "login_otp", "plain")

    entries = LogEntry.objects.order_by("pk").values_list(
        "object_repr", "action_flag", "change_message"
    )
    assert list(entries) == [
        ("Login (login_otp)", CHANGE, "Imported from the provider: otp."),
        ("greeting", ADDITION, "Imported from the provider: name."),
        ("plain", ADDITION, "Imported from the provider: no parameters."),
    ]


def test_import__twice_is_told_and_changes_nothing(admin_client, listing):
    fingerprint = fingerprint_in(admin_client.get(IMPORT))
    posted = {"fingerprint": fingerprint, "codes": ["greeting"]}
    admin_client.post(IMPORT, posted)

    response = admin_client.post(IMPORT, posted)

    assert "Nothing was imported" in notice(response)
    assert MessageTemplate.objects.count() == 1


def test_import__what_the_provider_changed_meanwhile_is_shown_again(admin_client, listing):
    def meanwhile():
        listing.templates = {"greeting": {"name": ("name", "^[A-Z]")}}

    response = take_over(admin_client, "greeting", meanwhile=meanwhile)

    assert "Nothing was imported" in notice(response)
    assert "pattern ^[A-Z]" in page(response)
    assert not MessageTemplate.objects.exists()

    admin_client.post(IMPORT, {"fingerprint": fingerprint_in(response), "codes": ["greeting"]})
    assert MessageTemplate.objects.get().parameters.get().pattern == "^[A-Z]"


def test_import__what_a_colleague_changed_meanwhile_is_shown_again(
    admin_client, listing, otp_template
):
    def meanwhile():
        otp_template.parameters.update(pattern="^9")

    response = take_over(admin_client, "login_otp", meanwhile=meanwhile)

    assert "pattern ^9 → pattern ^[0-9]{6}$" in page(response)
    assert otp_template.parameters.get().pattern == "^9"


def test_import__what_changes_at_the_last_moment_is_shown_again(admin_client, listing, monkeypatch):
    def outdated(plan, codes):
        raise ImportOutdated("The templates were changed meanwhile.")

    monkeypatch.setattr(template_import, "import_templates", outdated)

    response = take_over(admin_client, "greeting")

    assert notice(response) == (
        "Nothing was imported. The templates were changed meanwhile. This is what would change now."
    )
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize(
    ("codes", "fault"),
    [
        ([], "Tick at least one template."),
        (["greeting", "nowhere"], "Tick templates of this list only."),
        (["\x00"], "Tick templates of this list only."),
    ],
)
def test_import__choice_that_is_none(admin_client, listing, otp_template, codes, fault):
    response = take_over(admin_client, *codes)

    assert fault in page(response)
    assert "Please correct the error below." in page(response)
    assert ticked(response) == {"login_otp": False, "greeting": "greeting" in codes}
    assert MessageTemplate.objects.count() == 1


@pytest.mark.parametrize("posted", [{}, {"fingerprint": "x", "codes": ["greeting"]}])
def test_import__without_having_looked(admin_client, listing, posted):
    response = admin_client.post(IMPORT, posted)

    assert "Nothing was imported" in notice(response)
    assert not MessageTemplate.objects.exists()


def test_import__holds_no_transaction_open_under_atomic_requests(
    admin_client, listing, monkeypatch
):
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)

    assert take_over(admin_client, "greeting").status_code == 302


# --- A provider that gives no list --------------------------------------------------------------


def test_failure__is_a_sentence(admin_client, live):
    live.templates = None

    response = admin_client.get(IMPORT)

    assert response.status_code == 200
    assert "not every account has one" in notice(response).lower()


def test_failure__at_the_end_imports_nothing(admin_client, listing):
    def meanwhile():
        listing.templates = None

    response = take_over(admin_client, "greeting", meanwhile=meanwhile)

    assert notice(response).startswith("Nothing was imported. The provider has no list")
    assert not MessageTemplate.objects.exists()


def test_failure__backend_that_cannot_be_asked(admin_client, settings):
    backend = "django_etelecom.backends.console.ConsoleBackend"
    settings.ETELECOM = {"ACCOUNTS": {"default": {"BACKEND": backend}}}

    assert "cannot be asked for templates" in notice(admin_client.get(IMPORT))


def test_failure__settings_that_cannot_be_used(admin_client, settings):
    settings.ETELECOM = {"ACCOUNTS": {"default": {}}}

    assert "lacks USERNAME or PASSWORD" in notice(admin_client.get(IMPORT))


# --- Who may ------------------------------------------------------------------------------------


def test_button__leads_there(staff_client):
    assert f'href="{IMPORT}"' in page(staff_client(*NEEDED).get(LIST))


@pytest.mark.parametrize("lacking", NEEDED)
def test_permission__each_is_needed(staff_client, listing, lacking):
    client = staff_client("view_messagetemplate", *(name for name in NEEDED if name != lacking))

    assert IMPORT not in page(client.get(LIST))
    assert client.get(IMPORT).status_code == 403
    assert client.post(IMPORT, {"codes": ["greeting"]}).status_code == 403
    assert listing.receipts == []


def test_permission__enough_to_import(staff_client, listing):
    assert take_over(staff_client(*NEEDED), "greeting").status_code == 302


def test_anonymous__is_sent_to_log_in(client):
    assert client.get(IMPORT).status_code == 302


@pytest.mark.parametrize("method", ["put", "patch", "delete", "head", "options"])
def test_other_methods(admin_client, listing, method):
    assert getattr(admin_client, method)(IMPORT).status_code == 405
    assert listing.receipts == []
