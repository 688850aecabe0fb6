"""Route rules in the admin: channels chosen by name, in their order."""

import pytest
from django.urls import reverse

from django_etelecom.models import RouteRule
from tests.admin.conftest import page

ADD = "admin:etelecom_routerule_add"


def filled(first: str = "", second: str = "", third: str = "", **fields: str) -> dict[str, str]:
    return {
        "name": "Rule",
        "first_channel": first,
        "second_channel": second,
        "third_channel": third,
        **fields,
    }


@pytest.mark.parametrize("channels", [["1"], ["3", "1"], ["2", "3", "1"]])
def test_add__keeps_the_order(admin_client, channels):
    response = admin_client.post(reverse(ADD), filled(*channels))

    assert response.status_code == 302
    assert RouteRule.objects.get().channels == channels


@pytest.mark.parametrize(
    ("channels", "faulty"),
    [
        (["", "", ""], "first_channel"),
        (["", "1", ""], "first_channel"),
        (["", "", "1"], "second_channel"),
        (["1", "", "3"], "second_channel"),
        (["1", "1", ""], "second_channel"),
        (["1", "3", "1"], "third_channel"),
        (["1", "3", "3"], "third_channel"),
        (["9", "", ""], "first_channel"),
        (["1", "9", "3"], "second_channel"),
        (["1", "3", "\x00"], "third_channel"),
    ],
)
def test_add__gaps_and_repeats_are_refused_beside_the_field(admin_client, channels, faulty):
    response = admin_client.post(reverse(ADD), filled(*channels))

    assert faulty in response.context["adminform"].form.errors
    assert not RouteRule.objects.exists()


def test_add__one_gap_is_one_fault(admin_client):
    response = admin_client.post(reverse(ADD), filled("", "1", "3"))

    errors = response.context["adminform"].form.errors
    assert errors == {"first_channel": ["This field is required."]}


def test_add__new_default_takes_the_place_of_the_old(admin_client, default_route):
    admin_client.post(reverse(ADD), filled("3", is_default="on"))

    assert [rule.name for rule in RouteRule.objects.filter(is_default=True)] == ["Rule"]


def test_change__shows_the_channels_by_name(admin_client, default_route):
    url = reverse("admin:etelecom_routerule_change", args=[default_route.pk])

    form = admin_client.get(url).context["adminform"].form

    assert '<option value="1" selected>ZNS (Zalo)</option>' in str(form["first_channel"])
    assert '<option value="3" selected>SMS</option>' in str(form["second_channel"])
    assert '<option value="" selected>None</option>' in str(form["third_channel"])


def test_change__takes_a_channel_away(admin_client, default_route):
    url = reverse("admin:etelecom_routerule_change", args=[default_route.pk])

    admin_client.post(url, filled("3"))

    default_route.refresh_from_db()
    assert default_route.channels == ["3"]


def test_view_only__shows_the_channels(staff_client, default_route):
    url = reverse("admin:etelecom_routerule_change", args=[default_route.pk])

    response = staff_client("view_routerule").get(url)

    assert "ZNS (Zalo)" in page(response)


def test_list__shows_channels_in_words(admin_client, default_route):
    html = page(admin_client.get(reverse("admin:etelecom_routerule_changelist")))

    assert "ZNS (Zalo) → SMS" in html
    assert 'alt="True"' in html


def test_delete__a_templates_route_is_refused(admin_client, default_route, order_template):
    order_template.route = default_route
    order_template.save()

    response = admin_client.post(
        reverse("admin:etelecom_routerule_delete", args=[default_route.pk]), {"post": "yes"}
    )

    assert "protected related objects" in page(response)
    assert RouteRule.objects.exists()
