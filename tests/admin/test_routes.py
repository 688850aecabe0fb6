"""Route rules in the admin: channels chosen by name, in their order."""

import pytest
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from django_etelecom.admin.routes import MOST_NAMED, hours_in_words, night_warning
from django_etelecom.models import MessageTemplate, RouteRule
from tests.admin.conftest import page

ADD = "admin:etelecom_routerule_add"
LIST = reverse("admin:etelecom_routerule_changelist")

ZNS_THEN_SMS = "<li><bdi>ZNS (Zalo)</bdi></li><li><bdi>SMS</bdi></li>"


def change_url(rule: RouteRule) -> str:
    return reverse("admin:etelecom_routerule_change", args=[rule.pk])


def warnings(response) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


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

    html = page(response)
    assert f'<ol class="etelecom-route">{ZNS_THEN_SMS}</ol>' in html
    assert "From 22:00 to 06:00" in html
    assert "first_channel" not in html


def test_add__form_has_nothing_to_show_yet(admin_client, db):
    html = page(admin_client.get(reverse(ADD)))

    assert '<ol class="etelecom-route"' not in html
    assert "Where it is used" not in html


def test_list__shows_channels_in_order_and_how_many_templates(
    admin_client, default_route, order_template
):
    order_template.route = default_route
    order_template.save()

    html = page(admin_client.get(LIST))

    assert f'<ol class="etelecom-route">{ZNS_THEN_SMS}</ol>' in html
    assert 'alt="True"' in html
    assert '<td class="field-number_of_templates">1</td>' in html


def test_list__takes_few_queries(admin_client, default_route):
    for number in range(20):
        rule = RouteRule.objects.create(name=f"Rule {number}", channels=["3"])
        MessageTemplate.objects.create(code=f"T{number}", route=rule)

    with CaptureQueriesContext(connection) as queries:
        admin_client.get(LIST)

    assert len(queries) <= 15


def test_channels__that_a_script_stored_are_shown_as_they_are(admin_client, db):
    rule = RouteRule.objects.create(name="Odd", channels="<b>")
    RouteRule.objects.create(name="Odder", channels=["1", "<i>"])

    html = page(admin_client.get(LIST))
    assert "<bdi>&lt;b&gt;</bdi>" in html
    assert "<li><bdi>&lt;i&gt;</bdi></li>" in html
    assert admin_client.get(change_url(rule)).status_code == 200


# --- At night -----------------------------------------------------------------------------------

BEGINS = "From 22:00 to 06:00 Zalo may not let a ZNS template out (error -133)."
ENDS = (
    "Where that is not wanted, mark the template as “no ZNS at night”: its messages then wait for "
    "06:00. Or send by a rule of ZNS alone."
)


@pytest.mark.parametrize(
    ("channels", "told"),
    [
        (["1", "3"], "then slides on at once to: SMS. Each SMS is paid."),
        (["1", "2"], "then slides on at once to: Voice call. A call rings at night."),
        (
            ["1", "2", "3"],
            "then slides on at once to: Voice call → SMS. Each SMS is paid. A call rings at night.",
        ),
        (["3", "1", "2"], "then slides on at once to: Voice call. A call rings at night."),
    ],
)
def test_night__is_told_after_saving_and_on_the_page(admin_client, channels, told):
    response = admin_client.post(reverse(ADD), filled(*channels))

    [warning] = [text for text in warnings(response) if text.startswith(BEGINS)]
    assert warning == f"{BEGINS} The message {told} {ENDS}"
    html = page(admin_client.get(change_url(RouteRule.objects.get())))
    assert "<label>At night:</label>" in html
    assert warning in html


@pytest.mark.parametrize("channels", [["1"], ["3"], ["3", "1"], ["2", "3"], ["3", "2", "1"]])
def test_night__of_a_rule_that_slides_nowhere(admin_client, channels):
    response = admin_client.post(reverse(ADD), filled(*channels))

    assert not any(text.startswith(BEGINS) for text in warnings(response))
    assert "At night" not in page(admin_client.get(change_url(RouteRule.objects.get())))


def test_night__is_not_told_of_a_rule_that_is_refused(admin_client):
    response = admin_client.post(reverse(ADD), filled("1", "3", "3"))

    assert warnings(response) == []


@pytest.mark.parametrize("channels", [None, "13", {"1": "3"}, [], [1, 3]])
def test_night__channels_that_are_none(channels):
    assert night_warning(channels) == ""


@pytest.mark.parametrize(
    ("channels", "told"),
    [
        (["1"], []),
        (["1", "3"], ["Advertising: only while all of these are open: SMS 07:00–22:00."]),
        (
            ["2", "3"],
            [
                "Advertising: only while all of these are open: "
                "Voice call 08:00–17:00, SMS 07:00–22:00."
            ],
        ),
    ],
)
def test_hours__are_those_of_the_guards(admin_client, db, channels, told):
    rule = RouteRule.objects.create(name="Rule", channels=channels)

    html = page(admin_client.get(change_url(rule)))

    assert hours_in_words(channels) == told
    assert ("<label>Hours:</label>" in html) == bool(told)
    assert all(sentence in html for sentence in told)


def test_hours__that_are_never_the_same(settings):
    hours = {"HOURS": {"1": ("07:00", "08:00"), "3": ("09:00", "10:00")}}
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": {"otp": hours, "advertising": hours}}

    told = hours_in_words(["1", "3"])

    assert told[0].startswith("One-time password: never,")
    assert len(told) == 2


@pytest.mark.parametrize("channels", [None, "13", [], ["9"], [{}]])
def test_hours__of_channels_that_are_none(channels):
    assert hours_in_words(channels) == []


def test_hours__under_settings_that_cannot_be_used(settings):
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": 5}

    assert hours_in_words(["3"]) == []


# --- Where it is used ---------------------------------------------------------------------------


def test_used__names_its_templates(admin_client, db):
    rule = RouteRule.objects.create(name="SMS", channels=["3"])
    one = MessageTemplate.objects.create(code="one", name="<b>One", route=rule)
    MessageTemplate.objects.create(code="two", route=rule, is_active=False)
    MessageTemplate.objects.create(code="three")

    html = page(admin_client.get(change_url(rule)))

    url = reverse("admin:etelecom_messagetemplate_change", args=[one.pk])
    assert f'<a href="{url}"><bdi>&lt;b&gt;One (one)</bdi></a>' in html
    assert "<bdi>two</bdi></a> (not active)" in html
    assert "three" not in html
    assert "As the default" not in html


def test_used__by_none(admin_client, db):
    rule = RouteRule.objects.create(name="SMS", channels=["3"])

    assert "No template uses it." in page(admin_client.get(change_url(rule)))


def test_used__as_the_default(admin_client, order_template, default_route):
    html = page(admin_client.get(change_url(default_route)))
    assert "As the default: 1 template that has no route of its own." in html

    MessageTemplate.objects.create(code="other")
    html = page(admin_client.get(change_url(default_route)))
    assert "As the default: 2 templates that have no route of their own." in html


def test_used__by_more_than_a_page_holds(admin_client, db):
    rule = RouteRule.objects.create(name="SMS", channels=["3"])
    for number in range(MOST_NAMED + 1):
        MessageTemplate.objects.create(code=f"T{number:03}", route=rule)

    with CaptureQueriesContext(connection) as queries:
        html = page(admin_client.get(change_url(rule)))

    assert len(queries) <= 15
    assert "<bdi>T049</bdi>" in html
    assert "T050" not in html
    listed = reverse("admin:etelecom_messagetemplate_changelist")
    assert f'<a href="{listed}?route__id__exact={rule.pk}">All {MOST_NAMED + 1}</a>' in html
    assert admin_client.get(f"{listed}?route__id__exact={rule.pk}").status_code == 200


# --- Deleting one -------------------------------------------------------------------------------


def test_delete__a_templates_route_is_refused(admin_client, default_route, order_template):
    order_template.route = default_route
    order_template.save()

    response = admin_client.post(
        reverse("admin:etelecom_routerule_delete", args=[default_route.pk]), {"post": "yes"}
    )

    assert "protected related objects" in page(response)
    assert RouteRule.objects.exists()


def test_delete__several_by_the_action(admin_client, default_route):
    RouteRule.objects.create(name="SMS", channels=["3"])

    admin_client.post(
        LIST,
        {
            "action": "delete_selected",
            "_selected_action": RouteRule.objects.values_list("pk", flat=True),
            "post": "yes",
        },
    )

    assert not RouteRule.objects.exists()
