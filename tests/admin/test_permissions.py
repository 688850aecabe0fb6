"""Who may do what on every page of the admin, by every method."""

import re
from collections import Counter
from html import unescape
from urllib.parse import unquote

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db.models import ForeignKey
from django.test import Client
from django.urls import reverse

from django_etelecom.client.templates import ProviderTemplate, TemplatePage, TemplatesResult
from django_etelecom.models import MessageEvent, MessageLog, MessageTemplate
from django_etelecom.services import check_import, resume_account
from tests.admin.addresses import address, model_of, routes
from tests.admin.conftest import ORDER, check, page, send_url
from tests.admin.test_templates import filled
from tests.admin.world import HEADER, World, kept, make_world, sheet

pytestmark = pytest.mark.django_db(transaction=True)

SUPERUSER = "superuser"
ANONYMOUS = "anonymous"

VIEW = [
    f"view_{model}"
    for model in (
        "messagelog",
        "messageevent",
        "campaign",
        "accountstate",
        "messagetemplate",
        "templateparameter",
        "routerule",
        "suppression",
        "consent",
    )
]
EDIT = [
    f"{act}_{model}"
    for act in ("add", "change", "delete")
    for model in ("messagetemplate", "templateparameter", "routerule")
]

ROLES = {
    "staff": [],
    "view": VIEW,
    # Each right alone: none of them opens what another stands for.
    "send": ["send_message"],
    "campaign": ["send_campaign"],
    "resend": ["resend_message"],
    "export": ["export_messages"],
    "view_recipient": ["view_recipient"],
    "disclose": ["export_number"],
    "erase": ["erase_number"],
    # And as they are given.
    "resender": ["view_messagelog", "send_message", "resend_message"],
    "exporter": ["view_messagelog", "view_suppression", "view_consent", "export_messages"],
    "reader": ["view_messagelog", "view_recipient"],
    "discloser": ["view_messagelog", "export_number"],
    "eraser": ["view_messagelog", "erase_number"],
    "editor": [*EDIT, "change_accountstate"],
    "lister": [
        *(f"{act}_suppression" for act in ("add", "change", "delete")),
        *("add_consent", "change_consent"),
    ],
}
"""Permissions of the app that each role's user has, beside `anonymous` and `superuser`."""

NOBODY: set[str] = set()
STAFF = {*ROLES, SUPERUSER}
SENDERS = {"send", "resender", SUPERUSER}
RESENDERS = {"resender", SUPERUSER}
EXPORTERS = {"exporter", SUPERUSER}
CAMPAIGNERS = {"campaign", SUPERUSER}
EDITORS = {"editor", SUPERUSER}
SEE_MESSAGES = {"view", "resender", "exporter", "reader", "discloser", "eraser", SUPERUSER}
ANSWERERS = {"disclose", "erase", "discloser", "eraser", SUPERUSER}
SEE_CAMPAIGNS = {"view", "campaign", SUPERUSER}
SEE_ACCOUNTS = {"view", "editor", SUPERUSER}
SEE_TEMPLATES = {"view", "editor", SUPERUSER}
SEE_ROUTES = {"view", "editor", SUPERUSER}
LISTERS = {"lister", SUPERUSER}
SEE_LISTS = {"view", "exporter", *LISTERS}

PAGES = {
    # page: who may look at it, and who may post to it
    # Who may send alone is led on to the pages for it, and so is who answers for numbers.
    "messagelog_changelist": (SEE_MESSAGES | {"send", "disclose", "erase"}, SEE_MESSAGES),
    "messagelog_add": (NOBODY, NOBODY),
    "messagelog_change": (SEE_MESSAGES, NOBODY),
    "messagelog_delete": (NOBODY, NOBODY),
    "messagelog_history": (SEE_MESSAGES, SEE_MESSAGES),
    "messagelog_send": (SENDERS, SENDERS),
    "messagelog_refresh": (NOBODY, SEE_MESSAGES),
    "messagelog_cancel": (NOBODY, RESENDERS),
    "messagelog_resend": (RESENDERS, NOBODY),
    "messagelog_export": (EXPORTERS, NOBODY),
    "messagelog_number": (ANSWERERS, ANSWERERS),
    "messagelog_disclose": (NOBODY, {"discloser", SUPERUSER}),
    "messagelog_erase": (NOBODY, {"eraser", SUPERUSER}),
    "dashboard": (SEE_MESSAGES, NOBODY),
    "dashboard_changelist": (SEE_MESSAGES, NOBODY),
    "campaign_changelist": (SEE_CAMPAIGNS, SEE_CAMPAIGNS),
    "campaign_add": (NOBODY, NOBODY),
    "campaign_change": (SEE_CAMPAIGNS, NOBODY),
    "campaign_delete": (NOBODY, NOBODY),
    "campaign_history": (SEE_CAMPAIGNS, SEE_CAMPAIGNS),
    "campaign_upload": (CAMPAIGNERS, CAMPAIGNERS),
    "campaign_progress": (SEE_CAMPAIGNS, NOBODY),
    "campaign_faulty_rows": (CAMPAIGNERS, NOBODY),
    "campaign_columns": (NOBODY, CAMPAIGNERS),
    "campaign_start": (NOBODY, CAMPAIGNERS),
    "campaign_pause": (NOBODY, CAMPAIGNERS),
    "campaign_resume": (NOBODY, CAMPAIGNERS),
    "campaign_retry": (NOBODY, CAMPAIGNERS),
    "campaign_cancel": (CAMPAIGNERS, CAMPAIGNERS),
    "accountstate_changelist": (SEE_ACCOUNTS, SEE_ACCOUNTS),
    "accountstate_add": (NOBODY, NOBODY),
    "accountstate_change": (SEE_ACCOUNTS, NOBODY),
    "accountstate_delete": (NOBODY, NOBODY),
    "accountstate_history": (SEE_ACCOUNTS, SEE_ACCOUNTS),
    "accountstate_resume": (NOBODY, EDITORS),
    "messagetemplate_changelist": (SEE_TEMPLATES, SEE_TEMPLATES),
    "messagetemplate_add": (EDITORS, EDITORS),
    "messagetemplate_change": (SEE_TEMPLATES, EDITORS),
    "messagetemplate_delete": (EDITORS, EDITORS),
    "messagetemplate_import": (EDITORS, EDITORS),
    "messagetemplate_preview": (NOBODY, EDITORS),
    "etelecom/messagetemplate/<int:pk>/preview/": (NOBODY, EDITORS),
    "messagetemplate_history": (SEE_TEMPLATES, SEE_TEMPLATES),
    "routerule_changelist": (SEE_ROUTES, SEE_ROUTES),
    "routerule_add": (EDITORS, EDITORS),
    "routerule_change": (SEE_ROUTES, EDITORS),
    "routerule_delete": (EDITORS, EDITORS),
    "routerule_history": (SEE_ROUTES, SEE_ROUTES),
    "suppression_changelist": (SEE_LISTS, SEE_LISTS),
    "suppression_add": (LISTERS, LISTERS),
    "suppression_change": (SEE_LISTS, LISTERS),
    "suppression_delete": (LISTERS, LISTERS),
    "suppression_history": (SEE_LISTS, SEE_LISTS),
    "suppression_import": (LISTERS, LISTERS),
    "suppression_export": (EXPORTERS, NOBODY),
    "consent_changelist": (SEE_LISTS, SEE_LISTS),
    "consent_add": (LISTERS, LISTERS),
    "consent_change": (SEE_LISTS, NOBODY),
    "consent_delete": (NOBODY, NOBODY),
    "consent_history": (SEE_LISTS, SEE_LISTS),
    "consent_import": (LISTERS, LISTERS),
    "consent_export": (EXPORTERS, NOBODY),
    "consent_withdraw": (NOBODY, LISTERS),
    # Django's own, which lead on to the page of a row.
    **{
        f"etelecom/{model}/<path:object_id>/": (STAFF, STAFF)
        for model in (
            *("messagelog", "campaign", "accountstate", "messagetemplate", "routerule"),
            *("suppression", "consent"),
        )
    },
}

ACTIONS = {
    ("messagelog", "refresh_selected"): SEE_MESSAGES,
    ("messagelog", "delete_selected"): NOBODY,
    ("campaign", "delete_selected"): NOBODY,
    ("accountstate", "delete_selected"): NOBODY,
    ("messagetemplate", "delete_selected"): EDITORS,
    ("routerule", "delete_selected"): EDITORS,
    ("suppression", "delete_selected"): LISTERS,
    ("consent", "delete_selected"): NOBODY,
}

ROUTE = {"name": "Another", "first_channel": "3"}

POSTED = {
    # What does something where it is not refused.
    "messagelog_refresh": dict,
    "messagelog_cancel": dict,
    "messagelog_erase": lambda: {"act": "confirm"},
    "campaign_upload": lambda: {"template": "order_confirmation", "file": sheet()},
    "campaign_columns": lambda: {
        f"columns.{name}": {"customer_name": "Khách"}.get(name, name) for name in HEADER.split(",")
    },
    "campaign_start": dict,
    "campaign_pause": dict,
    "campaign_resume": dict,
    "campaign_retry": dict,
    "campaign_cancel": dict,
    "accountstate_resume": dict,
    "messagetemplate_import": lambda: {
        "fingerprint": check_import().fingerprint,
        "codes": ["imported"],
    },
    "messagetemplate_add": lambda: filled({"name": "name"}),
    "messagetemplate_change": lambda: filled(code="another"),
    "messagetemplate_delete": lambda: {"post": "yes"},
    "routerule_add": lambda: ROUTE,
    "routerule_change": lambda: ROUTE,
    "routerule_delete": lambda: {"post": "yes"},
    "suppression_add": lambda: {"phone": "0912345672", "reason": "opt_out"},
    "suppression_change": lambda: {"scope": "everything"},
    "suppression_delete": lambda: {"post": "yes"},
    "consent_add": lambda: {"phone": "0912345672", "source": "Form"},
    "consent_withdraw": dict,
}


class Site:
    """The world, and a logged-in client of each role."""

    def __init__(self, world: World, backend, users) -> None:
        self.world = world
        self.backend = backend
        self.users = {role: self._user(users, role) for role in STAFF}
        self.clients = {ANONYMOUS: Client()} | {role: Client() for role in STAFF}
        for role, user in self.users.items():
            self.clients[role].force_login(user)
        self._asked_before = self._gone_out()

    def _user(self, users, role):
        user = users.objects.create(
            username=role, is_staff=True, is_superuser=role == SUPERUSER, is_active=True
        )
        granted = Permission.objects.filter(
            content_type__app_label="etelecom", codename__in=ROLES.get(role, [])
        )
        user.user_permissions.set(granted)
        assert granted.count() == len(ROLES.get(role, []))
        return user

    def address(self, name: str) -> str:
        return address(name, self.world.row(name) if "<" in routes()[name] else None)

    def posted(self, name: str, role: str):
        """Return an address and fields that do something where they are not refused."""
        if name == "messagelog_send":
            return send_url("order_confirmation"), self._confirmation(role)
        return self.address(name), POSTED.get(name, lambda: {"post": "yes"})()

    def _confirmation(self, role: str):
        """Return what was checked while its user still had the right to send."""
        if role == ANONYMOUS:
            return {"step": "check", **ORDER}
        right = Permission.objects.get(codename="send_message")
        had = ROLES.get(role, [])
        self.users[role].user_permissions.add(right)
        token = check(self.clients[role], "order_confirmation", ORDER)
        if "send_message" not in had:
            self.users[role].user_permissions.remove(right)
        return {"step": "confirm", "message": token}

    def _gone_out(self) -> Counter:
        return Counter(sent=len(self.backend.sent), asked=len(self.backend.asked))

    @property
    def has_gone_out(self) -> Counter:
        """Return how many messages and questions went to the provider since the beginning."""
        return self._gone_out() - self._asked_before


def list_templates(backend, page):
    return TemplatesResult(
        page=TemplatePage(templates=(ProviderTemplate(code="imported"),), total=1)
    )


@pytest.fixture
def site(askable, order_template, django_user_model, monkeypatch):
    monkeypatch.setattr(askable, "get_templates", list_templates)
    return Site(make_world(order_template), askable, django_user_model)


def is_refused(role: str, response) -> bool:
    """Whether a person was sent to the login, or refused, by right or by the page's methods."""
    if role == ANONYMOUS:
        return response.status_code == 302 and response.url.startswith("/admin/login/")
    return response.status_code in (403, 405)


def is_served(response) -> bool:
    goes_on = response.status_code == 302 and not response.url.startswith("/admin/login/")
    return response.status_code == 200 or goes_on


# --- Every page ---------------------------------------------------------------------------------


def test_pages__each_is_told_of():
    assert set(PAGES) == set(routes())


POPUP = "?_popup=1&_to_field=id"


@pytest.mark.parametrize("name", PAGES)
def test_pages__let_in_whom_they_may_and_refuse_others(site, name):
    where = site.address(name)
    posted = {role: site.posted(name, role) for role in site.clients}
    may_look, may_post = PAGES[name]
    before = kept()

    for role, client in site.clients.items():
        for query in ("", POPUP):
            response = client.get(where + query)
            as_told = is_served(response) if role in may_look else is_refused(role, response)
            assert as_told, (role, query, response.status_code)
        for method in ("head", "put", "patch", "delete", "options", "trace"):
            response = getattr(client, method)(where)
            as_told = role in may_look | may_post and is_served(response)
            assert as_told or is_refused(role, response), (role, method, response.status_code)
    for role in site.clients.keys() - may_post:
        address_of_post, fields = posted[role]
        for popup in ({}, {"_popup": "1", "_to_field": "id"}):
            response = site.clients[role].post(address_of_post, {**fields, **popup})
            assert is_refused(role, response), (role, response.status_code)
    # Looking changes nothing, nor does what is refused.
    assert kept() == before
    assert not site.has_gone_out


@pytest.mark.parametrize("name", [name for name, (_get, post) in PAGES.items() if post])
def test_pages__do_what_is_posted_by_whom_they_may(site, name):
    if name == "messagelog_send":
        # By an account that is paused nobody sends.
        resume_account("default")
    for role in sorted(PAGES[name][1]):
        before = kept(), site.has_gone_out
        where, fields = site.posted(name, role)
        response = site.clients[role].post(where, fields)

        assert is_served(response), (role, response.status_code)
        if name in (*POSTED, "messagelog_send"):
            # So what the others were refused would have had an effect.
            assert (kept(), site.has_gone_out) != before, role
            return


@pytest.mark.parametrize("role", [*ROLES, SUPERUSER])
def test_pages__lead_to_none_that_is_refused(site, role):
    """Every link that a page of ours shows can be followed, and every button is one's own."""
    client = site.clients[role]
    todo, seen = {reverse("admin:index"): ""}, set()
    while todo:
        where, came_from = todo.popitem()
        seen.add(where)
        response = client.get(where)
        assert response.status_code != 403, (where, came_from)
        # Django links what a row belongs to, and what goes with it, whoever looks.
        of_django = where.endswith("/delete/") or "/messagelog/" in where
        if (
            response.status_code == 200
            and "text/html" in response["Content-Type"]
            and not of_django
        ):
            todo |= dict.fromkeys(leads_to(page(response)) - seen, where)


def leads_to(html: str) -> set[str]:
    """Return the addresses of ours that a page leads to, by a link or a form."""
    found = re.findall(r'(?:href|action|formaction)="(/admin/etelecom/[^"#?]*)', html)
    return set(map(unescape, found))


# --- Lists, actions, autocomplete ---------------------------------------------------------------


def our_admins():
    """Return the admins of what has rows, by the model's name."""
    return {
        model._meta.model_name: model_admin
        for model, model_admin in admin.site._registry.items()
        if model._meta.app_label == "etelecom" and not model._meta.proxy
    }


def test_actions__each_is_told_of():
    found = {
        (model, name)
        for model, model_admin in our_admins().items()
        # As they are before it is asked whose they are.
        for name in ({*model_admin.actions} | set(dict(admin.site.actions)))
    }

    assert found == set(ACTIONS)


@pytest.mark.parametrize(("model", "action"), ACTIONS)
def test_actions__are_taken_by_whom_they_may_alone(site, model, action):
    row = site.world.of.get(f"{model}_delete") or site.world.of[model]
    fields = {"action": action, "_selected_action": [row.pk], "post": "yes"}
    where = address(f"{model}_changelist")
    before = kept()

    for role in site.clients.keys() - ACTIONS[model, action]:
        response = site.clients[role].post(where, fields)
        assert is_served(response) or is_refused(role, response), (role, response.status_code)
    assert kept() == before
    assert not site.has_gone_out

    for role in sorted(ACTIONS[model, action]):
        if action == "delete_selected":
            # It asks first, and has done nothing by then.
            as_it_was = kept()
            assert is_served(site.clients[role].post(where, {**fields, "post": ""})), role
            assert kept() == as_it_was
        assert is_served(site.clients[role].post(where, fields)), role
    assert not ACTIONS[model, action] or kept() != before


@pytest.mark.parametrize("model", our_admins())
def test_lists__cannot_be_edited_as_a_whole(site, model):
    row = site.world.of[model]
    columns = [field.name for field in row._meta.fields]
    fields = {
        "_save": "1",
        "form-TOTAL_FORMS": "1",
        "form-INITIAL_FORMS": "1",
        "form-0-id": row.pk,
        **{f"form-0-{name}": "x" for name in columns},
    }
    before = kept()

    site.clients[SUPERUSER].post(address(f"{model}_changelist"), fields)

    assert kept() == before


AUTOCOMPLETED = {
    "messagelog": SEE_MESSAGES,
    "messagetemplate": SEE_TEMPLATES,
    "routerule": SEE_ROUTES,
    "user": {SUPERUSER},
}
"""Models that a choice of can be asked for, as the admin looks for them by a text."""


def relations():
    return [
        (model, field)
        for model, model_admin in our_admins().items()
        for field in model_admin.model._meta.fields
        if isinstance(field, ForeignKey)
    ]


@pytest.mark.parametrize(("model", "field"), [(model, field.name) for model, field in relations()])
def test_autocomplete__names_rows_to_whom_may_see_them(site, model, field):
    target = our_admins()[model].model._meta.get_field(field).related_model._meta.model_name
    asked = {"app_label": "etelecom", "model_name": model, "field_name": field}
    where = reverse("admin:autocomplete")

    for role, client in site.clients.items():
        response = client.get(where, asked)
        if role in AUTOCOMPLETED.get(target, ()):
            assert response.status_code == 200, role
        elif role != ANONYMOUS and target not in AUTOCOMPLETED:
            assert response.status_code in (403, 404), role
        else:
            assert is_refused(role, response), (role, response.status_code)


# --- Logs ---------------------------------------------------------------------------------------

LOGS = ("messagelog", "campaign", "accountstate")
LISTS = ("suppression", "consent")


@pytest.mark.parametrize("model", LOGS)
@pytest.mark.parametrize("act", ["add", "change", "delete"])
def test_logs__are_not_written_by_anyone(site, model, act):
    """Whatever rights a group has been given by hand."""
    editor = site.users["editor"]
    editor.user_permissions.set(Permission.objects.filter(content_type__app_label="etelecom"))
    row = site.world.of[model]
    fields = {field.name: "1" for field in row._meta.fields} | {"post": "yes", "_save": "1"}
    before = kept()

    for role in ("editor", SUPERUSER):
        where = address(f"{model}_{act}", row)
        response = site.clients[role].post(where, fields)
        assert response.status_code in (403, 405), role
    assert kept() == before


def test_logs__of_what_is_not_registered_have_no_page():
    """Events, tallies, rows and reports are shown by the pages of what they belong to."""
    assert set(our_admins()) == {*LOGS, *LISTS, "messagetemplate", "routerule"}
    assert MessageEvent not in admin.site._registry


def test_logs__a_template_with_history_is_not_deleted(site):
    template = MessageTemplate.objects.get(code="order_confirmation")
    before = kept()

    shown = site.clients[SUPERUSER].post(address("messagetemplate_delete", template), {"post": "1"})

    assert "protected" in page(shown)
    assert kept() == before


# --- Inlines ------------------------------------------------------------------------------------

PARAMETER_RIGHTS = [f"{act}_templateparameter" for act in ("add", "change", "delete", "view")]


def with_first_parameter_renamed(template: MessageTemplate):
    rows = [
        {"id": str(parameter.pk), "name": f"{parameter.name}_2", "kind": "text"}
        for parameter in template.parameters.all()
    ]
    return filled(*rows, {"name": "new"}, stored=len(rows), code=template.code)


def test_inlines__of_a_template_that_is_only_seen_are_not_opened(staff_client, order_template):
    client = staff_client("view_messagetemplate", *PARAMETER_RIGHTS)
    where = address("messagetemplate_change", order_template)
    before = kept()

    html = page(client.get(where))
    response = client.post(where, with_first_parameter_renamed(order_template))

    assert "customer_name" in html
    assert 'name="parameters-0-name"' not in html
    assert response.status_code == 403
    assert kept() == before


def test_inlines__that_are_only_seen_stay_as_they_are(staff_client, order_template):
    client = staff_client("change_messagetemplate", "view_templateparameter")
    where = address("messagetemplate_change", order_template)
    before = kept()

    html = page(client.get(where))
    client.post(where, with_first_parameter_renamed(order_template))

    assert "customer_name" in html
    assert 'name="parameters-0-name"' not in html
    assert kept()["etelecom.TemplateParameter"] == before["etelecom.TemplateParameter"]


# --- Numbers ------------------------------------------------------------------------------------

NUMBER = re.compile("[^0-9A-Za-z]{0,4}".join("91234567"))
"""What the numbers of the world have in common, in any form."""


def shows_number(response) -> bool:
    told = b"".join(response) if response.streaming else response.content
    # What the form of a number has as its example.
    text = unquote(unescape(told.decode())).replace("such as 0912 345 678", "")
    return bool(NUMBER.search(text) or NUMBER.search(re.sub("<[^>]*>", "", text)))


def pages_with_numbers(site: Site, role: str):
    """Yield the address of every page that a role may look at, and of every stage of a row."""
    for name, (get, _post) in PAGES.items():
        # Who uploads a sheet gets its faulty rows back as they were.
        if role in get and (role, name) != ("campaign", "campaign_faulty_rows"):
            yield site.address(name)
    for name, row in site.world.of.items():
        if role in PAGES[f"{model_of(name)}_change"][0]:
            yield address(f"{model_of(name)}_change", row)
    if role == "resender":
        for way in ("", "&way=as-it-is", "&way=route", "&way=number"):
            first = site.world.of["messagelog_lost"]
            yield f"{send_url('order_confirmation')}&resend_of={first.public_id}{way}"


@pytest.mark.parametrize(
    "role",
    ["view", "resender", "exporter", "campaign", "send", "editor", "discloser", "eraser", "lister"],
)
def test_numbers__are_shown_whole_on_no_page_to_who_may_not_see_them(site, role):
    for where in pages_with_numbers(site, role):
        assert not shows_number(site.clients[role].get(where)), where


@pytest.mark.parametrize("role", ["reader", SUPERUSER])
@pytest.mark.parametrize("name", ["messagelog_changelist", "messagelog_change"])
def test_numbers__are_shown_to_who_may_see_them(site, role, name):
    assert shows_number(site.clients[role].get(site.address(name)))


def test_world__has_what_the_pages_could_give_away(site):
    assert {model_of(name) for name in PAGES} - {"dashboard"} == set(our_admins())
    assert MessageLog.objects.filter(recipient="84912345678").count() > 1
