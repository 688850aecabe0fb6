"""The banner of a paused account, and its button."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse

from django_etelecom import pace
from django_etelecom.models import AccountState
from django_etelecom.models.messages import Reason

LIST = reverse("admin:etelecom_messagelog_changelist")
ACCOUNTS = reverse("admin:etelecom_accountstate_changelist")


@pytest.fixture
def state(db):
    pace.pause("default", Reason.OUT_OF_MESSAGES)
    return AccountState.objects.get()


@pytest.fixture
def staff(client, django_user_model):
    """Log in a member of staff with these permissions."""

    def log_in(*codenames):
        user = django_user_model.objects.create_user("lan", password="x", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        client.force_login(user)
        return client

    return log_in


def resume_url(state):
    return reverse("admin:etelecom_accountstate_resume", args=[state.pk])


@pytest.mark.parametrize("page", [LIST, ACCOUNTS])
def test_banner__says_why_and_lets_it_go_on(admin_client, state, page):
    shown = admin_client.get(page).content.decode()
    assert "Account “default” is paused: its queued messages wait." in shown
    assert "The account has no messages left." in shown
    assert f'action="{resume_url(state)}"' in shown
    assert f'name="next" value="{page}"' in shown

    response = admin_client.post(resume_url(state), follow=True)

    assert response.redirect_chain == [(LIST, 302)]
    assert "Account “default” goes on." in response.content.decode()
    assert "is paused" not in response.content.decode()
    state.refresh_from_db()
    assert not state.is_paused
    assert LogEntry.objects.get().object_repr == "default"


def test_banner__is_not_there_while_all_work(admin_client, state):
    pace.resume("default")

    assert "is paused" not in admin_client.get(LIST).content.decode()


def test_resume__twice(admin_client, state):
    admin_client.post(resume_url(state))
    response = admin_client.post(resume_url(state), follow=True)

    assert "was not paused any more" in response.content.decode()


def test_resume__is_a_post(admin_client, state):
    assert admin_client.get(resume_url(state)).status_code == 405


def test_resume__of_nothing(admin_client, state):
    url = reverse("admin:etelecom_accountstate_resume", args=[state.pk + 1])

    assert admin_client.post(url).status_code == 404


def test_resume__without_the_permission(staff, state):
    client = staff("view_messagelog", "view_accountstate")

    shown = client.get(LIST).content.decode()
    assert "Someone who may change accounts can resume it." in shown
    assert resume_url(state) not in shown
    assert client.post(resume_url(state)).status_code == 403


def test_resume__goes_back_to_where_this_person_may_look(staff, state):
    client = staff("change_accountstate")

    response = client.post(resume_url(state), follow=True)

    assert response.redirect_chain == [(ACCOUNTS, 302)]


@pytest.mark.parametrize(
    ("came_from", "goes_to"),
    [
        ("/admin/etelecom/campaign/7/change/?x=1", "/admin/etelecom/campaign/7/change/?x=1"),
        ("https://example.org/", LIST),
        ("//example.org/", LIST),
        ("javascript:alert(1)", LIST),
    ],
)
def test_resume__goes_back_to_the_page_of_the_banner(admin_client, state, came_from, goes_to):
    assert admin_client.post(resume_url(state), {"next": came_from}).url == goes_to


def test_account__cannot_be_changed_by_hand(admin_client, state):
    change = reverse("admin:etelecom_accountstate_change", args=[state.pk])

    assert admin_client.get(change).status_code == 200
    assert admin_client.post(change, {"alias": "other"}).status_code == 403
    assert admin_client.get(reverse("admin:etelecom_accountstate_add")).status_code == 403
    delete = reverse("admin:etelecom_accountstate_delete", args=[state.pk])
    assert admin_client.post(delete, {"post": "yes"}).status_code == 403


def test_accounts__tell_what_is_left_of_their_caps(admin_client, state, settings):
    page_of_it = reverse("admin:etelecom_accountstate_change", args=[state.pk])
    assert "No cap" in admin_client.get(ACCOUNTS).text

    accounts = {"default": {"MAX_PAID_PER_DAY": 5, "MAX_PAID_PER_MONTH": 60}}
    settings.ETELECOM = {"ACCOUNTS": accounts}
    for page in (ACCOUNTS, page_of_it):
        told = admin_client.get(page).text
        assert "Today: 0 of 5, 5 left<br>This month: 0 of 60, 60 left" in told

    settings.ETELECOM = {"ACCOUNTS": {}}
    assert admin_client.get(page_of_it).status_code == 200
