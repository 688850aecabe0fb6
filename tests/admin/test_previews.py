"""The look at a template in the admin: its text with examples, its length as an SMS, its use."""

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_etelecom.admin import usage
from django_etelecom.admin.previews import MAX_TEXT, differences, look_at
from django_etelecom.models import Campaign, MessageLog, MessageTemplate, RouteRule
from django_etelecom.schema import Kind, Parameter
from tests.admin.conftest import page
from tests.admin.test_templates import ADD, change_url, filled

SMS = ["1", "3"]


def preview_url(template: MessageTemplate | None = None) -> str:
    args = [template.pk] if template else []
    return reverse("admin:etelecom_messagetemplate_preview", args=args)


def shown(pieces) -> str:
    """Return the text of a preview, values in angle quotes."""
    return "".join(f"‹{piece}›" if is_value else piece for piece, is_value in pieces)


def parameter(name: str = "name", kind: Kind = Kind.TEXT, **settings) -> Parameter:
    return Parameter(name=name, kind=kind, **settings)


# --- Text and parameters ------------------------------------------------------------------------


def test_pieces__examples_or_names_stand_for_values():
    look = look_at("{a} and {b}, {c}{}", [parameter("a", example="A{b}"), parameter("b")], SMS)

    assert shown(look.pieces) == "‹A{b}› and ‹b›, {c}{}"


def test_pieces__of_a_text_beyond_all_channels_are_cut():
    look = look_at("x" * 1_000_000, [], SMS)

    assert shown(look.pieces) == "x" * MAX_TEXT + "…"


@pytest.mark.parametrize(
    ("text", "names", "told"),
    [
        ("", ["a"], []),
        ("{a}", ["a"], []),
        ("{b} {a} {b}", ["a"], ["The text names what is not a parameter: b."]),
        ("-", ["a", "b"], ["The text does not name these parameters: a, b."]),
    ],
)
def test_differences(text, names, told):
    assert differences(text, names) == told


# --- Advertising --------------------------------------------------------------------------------

UNLABELLED = "An advertisement begins with [QC]: nothing is sent by this template."
OFF = (
    "This site's settings have guards of advertising off (ETELECOM['GUARDS']): {}. "
    "Decree 91/2020/ND-CP asks for them."
)


@pytest.mark.parametrize(
    ("category", "text", "channels", "told"),
    [
        ("advertising", "Tea", SMS, [UNLABELLED]),
        ("advertising", "", None, [UNLABELLED]),
        ("advertising", "[QC] Tea", SMS, []),
        ("advertising", " [ad] Tea", "odd", []),
        # What is spoken has none.
        ("advertising", "Tea", ["2"], []),
        ("transactional", "Tea", SMS, []),
    ],
)
def test_advertising__begins_with_a_label(category, text, channels, told):
    assert look_at(text, [], channels, category).advertising == told


@pytest.mark.parametrize(
    ("rules", "channels", "off"),
    [
        ({"CONSENT": False, "SUPPRESSION": False}, SMS, "SUPPRESSION, CONSENT"),
        ({"HOURS": {}, "LIMITS": []}, SMS, "HOURS, LIMITS"),
        ({"HOURS": {"3": ("07:00", "22:00")}}, ["2", "3"], "HOURS"),
    ],
)
def test_advertising__tells_of_guards_that_are_off(settings, rules, channels, off):
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": {"advertising": rules}}

    assert look_at("[QC] Tea", [], channels, "advertising").advertising == [OFF.format(off)]


def test_advertising__hours_of_channels_that_are_not_used_are_not_missed(settings):
    rules = {"HOURS": {}, "LIMITS": []}
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": {"advertising": rules}}

    assert look_at("[QC] Tea", [], ["1"], "advertising").advertising == []


def test_advertising__without_the_guard_the_law_is_told(settings):
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": {"advertising": {"LABEL": False}}}

    assert look_at("Tea", [], SMS, "advertising").advertising == [
        "An advertisement begins with [QC] (Decree 91/2020/ND-CP, article 18).",
        OFF.format("LABEL"),
    ]


def test_advertising__under_settings_that_cannot_be_used(settings):
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": 5}

    assert look_at("Tea", [], SMS, "advertising").advertising == []


def test_advertising__is_told_while_it_is_typed_and_after_saving(admin_client, default_route):
    typed = filled(text="Tea", category="advertising")

    assert admin_client.post(preview_url(), typed).json()["advertising"] == [UNLABELLED]

    response = admin_client.post(reverse(ADD), typed)
    template = MessageTemplate.objects.get()
    assert UNLABELLED in [str(one) for one in get_messages(response.wsgi_request)]
    assert UNLABELLED in page(admin_client.get(change_url(template)))


# --- As an SMS ----------------------------------------------------------------------------------


def sms(text: str, *parameters: Parameter, channels: object = SMS) -> list[str]:
    """Return what is told of the text as an SMS, without the last sentence, always the same."""
    *told, last = look_at(text, parameters, channels).sms
    assert last.startswith("This is an estimate")
    return told


def test_sms__plain_text():
    assert sms("Hello") == ["With the examples: 5 characters, 1 paid message."]


def test_sms__end_of_a_line_is_one_character():
    assert sms("a\r\nb") == sms("a\nb") == ["With the examples: 3 characters, 1 paid message."]


def test_sms__at_its_longest():
    assert sms("Code {otp}: {otp}", parameter("otp", Kind.OTP, example="123", max_length=80)) == [
        "With the examples: 13 characters, 1 paid message.",
        "With every value at its longest: 167 characters, 2 paid messages.",
    ]


@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.URL])
def test_sms__at_its_longest_with_letters_that_take_more(kind):
    assert sms("Hi {a}", parameter("a", kind, example="x", max_length=68))[1] == (
        "With every value at its longest, in Vietnamese letters: 71 characters, 2 paid messages."
    )


def test_sms__longest_value_of_any_length_is_counted_not_written():
    [_, longest] = sms("{a}", parameter("a", Kind.NUMBER, example="1", max_length=999_999_999))

    assert "999,999,999 characters, 6,535,948 paid messages" in longest


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "Đơn hàng",
            "Vietnamese letters with their marks (Đ, ơ) leave room for 70 characters to an SMS "
            "instead of 160.",
        ),
        (
            "Chào bạn, đơn hàng đã tới rồi",
            "Vietnamese letters with their marks (ạ, đ, ơ, ã, ớ, …) leave room for 70 characters "
            "to an SMS instead of 160.",
        ),
        (
            "It’s here\u200b",
            "Characters that are not in the short alphabet of SMS (’, U+200B) leave room for 70 "
            "characters to an SMS instead of 160.",
        ),
        (
            "Đây là “quà”",
            "Characters that are not in the short alphabet of SMS (Đ, â, “, ”) leave room for 70 "
            "characters to an SMS instead of 160. Vietnamese letters with their marks are among "
            "them.",
        ),
        (
            "a\u0301",
            "Vietnamese letters with their marks (U+0301) leave room for 70 characters to an SMS "
            "instead of 160.",
        ),
    ],
)
def test_sms__says_what_takes_more_room(text, told):
    assert sms(text)[1:] == [told]


def test_sms__not_told_where_the_route_has_none():
    assert look_at("Hi", [], ["1", "2"]).sms == [
        "It does not go by SMS: its route is ZNS (Zalo) → Voice call."
    ]


def test_sms__route_that_a_script_has_stored():
    assert look_at("Hi", [], {"3": 1}).sms == ["It does not go by SMS: its route is {'3': 1}."]


def test_sms__without_any_route():
    assert look_at("Hi", [], None).sms == [
        "It has no route, and there is no default route: nothing can be sent by it."
    ]


# --- On the page --------------------------------------------------------------------------------


def test_page__shows_examples_or_names(admin_client, order_template):
    order_template.parameters.filter(name="order_code").update(example="DH-7")

    html = page(admin_client.get(change_url(order_template)))

    assert "Dear <mark>customer_name</mark>, order <mark>DH-7</mark> of <mark>amount</mark>" in html
    assert "The text does not name these parameters: note." in html
    assert "With the examples: 68 characters, 1 paid message." in html


def test_page__is_escaped(admin_client, order_template):
    MessageTemplate.objects.update(text="<script>{order_code}{0.__class__}")
    order_template.parameters.filter(name="order_code").update(example="<img>{amount}")

    html = page(admin_client.get(change_url(order_template)))

    assert "&lt;script&gt;<mark>&lt;img&gt;{amount}</mark>{0.__class__}" in html
    assert "<script>{" not in html


def test_page__has_no_preview_of_no_text(admin_client, staff_client, order_template):
    MessageTemplate.objects.update(text="")
    viewer = staff_client("view_messagetemplate")

    assert not admin_client.get(change_url(order_template)).context["look"].pieces
    assert not admin_client.get(reverse(ADD)).context["look"].pieces
    assert "Preview" not in page(viewer.get(change_url(order_template)))


def test_page__own_route_goes_before_the_default(admin_client, order_template):
    MessageTemplate.objects.update(route=RouteRule.objects.create(name="Zalo", channels=["1"]))

    html = page(admin_client.get(change_url(order_template)))

    assert "It does not go by SMS: its route is ZNS (Zalo)." in html


def test_page__shown_again_for_a_fault_looks_at_what_was_typed(admin_client, default_route):
    response = admin_client.post(
        reverse(ADD), filled({"name": "name", "example": "An"}, code="", text="Hi {name}")
    )

    assert shown(response.context["look"].pieces) == "Hi ‹An›"


# --- What the script asks for -------------------------------------------------------------------


def test_preview__follows_what_is_typed(admin_client, default_route):
    answer = admin_client.post(
        preview_url(),
        filled(
            {"name": "otp", "kind": "otp", "example": "12", "max_length": "4"},
            {"name": "gone", "DELETE": "on"},
            {"name": " "},
            text="{otp} {gone}",
        ),
    ).json()

    assert shown(answer["pieces"]) == "‹12› {gone}"
    assert answer["differences"] == ["The text names what is not a parameter: gone."]
    assert answer["sms"][:2] == [
        "With the examples: 11 characters, 1 paid message.",
        "With every value at its longest: 13 characters, 1 paid message.",
    ]


def test_preview__changes_nothing(admin_client, order_template):
    admin_client.post(preview_url(order_template), filled({"name": "x"}, text="other"))

    order_template.refresh_from_db()
    assert order_template.text.startswith("Dear")
    assert order_template.parameters.count() == 5


def test_preview__of_the_chosen_route(admin_client, default_route):
    rule = RouteRule.objects.create(name="Zalo", channels=["1"])

    answer = admin_client.post(preview_url(), {"text": "Hi", "route": rule.pk}).json()

    assert answer["sms"] == ["It does not go by SMS: its route is ZNS (Zalo)."]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"text": "\x00<b>{x}", "route": "\x00"},
        {"text": "Hi {x}", "route": "9" * 100},
        {"parameters-0-name": "x" * 100_000, "text": "{x}"},
        {"parameters-0-name": "x", "parameters-0-kind": "odd", "text": "{x}" * 10_000},
        {"parameters-0-name": "x", "parameters-0-max_length": "9" * 5000, "text": "{x}"},
        {
            "parameters-0-name": "x",
            "parameters-0-example": "y" * 1_000_000,
            "text": "{x}" * 100_000,
        },
        {"parameters-__prefix__-name": "x", "parameters-²-name": "x", "text": "{x}"},
    ],
)
def test_preview__of_crafted_fields_is_bounded(admin_client, default_route, fields):
    response = admin_client.post(preview_url(), fields)

    assert response.status_code == 200
    assert len(response.content) < 1_000_000


def test_preview__names_are_told_as_one_printable_line(admin_client, default_route):
    answer = admin_client.post(
        preview_url(), {"parameters-0-name": "a\u202eb" + "x" * 100, "text": "-"}
    ).json()

    [told] = answer["differences"]
    assert r"a\u202ebxx" in told
    assert len(told) < 100


def test_preview__shows_stored_parameters_to_who_may_not_change_them(staff_client, order_template):
    client = staff_client("change_messagetemplate", "view_templateparameter")

    answer = client.post(preview_url(order_template), {"text": "Dear {customer_name}"}).json()

    assert shown(answer["pieces"]) == "Dear ‹customer_name›"


@pytest.mark.parametrize(
    ("codenames", "of_new", "of_stored"),
    [
        (("view_messagetemplate",), 403, 403),
        (("add_messagetemplate",), 200, 403),
        (("change_messagetemplate",), 403, 200),
        (("change_templateparameter",), 403, 403),
    ],
)
def test_preview__is_for_who_may_fill_in_the_form(
    staff_client, order_template, codenames, of_new, of_stored
):
    client = staff_client(*codenames)

    assert client.post(preview_url(), {"text": "Hi"}).status_code == of_new
    assert client.post(preview_url(order_template), {"text": "Hi"}).status_code == of_stored
    assert client.get(preview_url()).status_code in (403, 405)


def test_preview__is_not_for_others(client, order_template):
    response = client.post(preview_url(order_template), {"text": "Hi"})

    assert response.status_code == 302
    assert "login" in response["Location"]


def test_preview__only_answers_a_post_that_comes_from_the_page(
    admin_client, admin_user, default_route
):
    forger = Client(enforce_csrf_checks=True)
    forger.force_login(admin_user)

    assert admin_client.get(preview_url()).status_code == 405
    assert forger.post(preview_url(), {"text": "Hi"}).status_code == 403


def test_preview__of_no_template(admin_client, db):
    url = reverse("admin:etelecom_messagetemplate_preview", args=[99])

    assert admin_client.post(url, {"text": "Hi"}).status_code == 404


# --- Where it is used ---------------------------------------------------------------------------


def sent_by(template: MessageTemplate, number: int) -> None:
    MessageLog.objects.bulk_create(
        MessageLog(
            template=template,
            template_code=template.code,
            account="default",
            recipient="84912345678",
            status=MessageLog.Status.DELIVERED,
            channels=["1"],
        )
        for _ in range(number)
    )


@pytest.fixture
def campaign(order_template):
    return Campaign.objects.create(
        template=order_template, template_code=order_template.code, account="default"
    )


def test_usage__counts_and_links(admin_client, order_template, otp_template, campaign):
    sent_by(order_template, 2)
    sent_by(otp_template, 1)
    MessageLog.objects.filter(template=order_template).update(
        created_at=timezone.datetime(2026, 3, 1, 5, tzinfo=timezone.get_default_timezone())
    )

    response = admin_client.get(change_url(order_template))

    html = page(response)
    chosen = f"?template__id__exact={order_template.pk}"
    messages = reverse("admin:etelecom_messagelog_changelist") + chosen
    campaigns = reverse("admin:etelecom_campaign_changelist") + chosen
    assert f'<a href="{messages}">2 messages</a>' in html
    assert f'<a href="{campaigns}">1 campaign</a>' in html
    assert "Last used: March 1, 2026, 5 a.m." in html
    assert len(admin_client.get(messages).context["cl"].result_list) == 2
    assert len(admin_client.get(campaigns).context["cl"].result_list) == 1


def test_usage__of_none(admin_client, order_template):
    html = page(admin_client.get(change_url(order_template)))

    assert "0 messages" in html
    assert "0 campaigns" in html
    assert "Last used" not in html
    assert "Where it is used" not in page(admin_client.get(reverse(ADD)))


def test_usage__is_counted_no_further_than_anybody_reads(admin_client, order_template, monkeypatch):
    monkeypatch.setattr(usage, "COUNTED", 3)

    sent_by(order_template, 3)
    at_most = page(admin_client.get(change_url(order_template)))
    sent_by(order_template, 3)
    more = page(admin_client.get(change_url(order_template)))

    assert ">3 messages<" in at_most
    assert ">More than 3 messages<" in more


def test_usage__links_are_for_who_may_see_the_lists(staff_client, order_template, campaign):
    sent_by(order_template, 1)
    viewer = staff_client("view_messagetemplate")
    reader = staff_client("view_messagetemplate", "view_messagelog", username="minh")

    told = viewer.get(change_url(order_template)).context["usage"]
    assert (told.messages, told.messages_url, told.campaigns_url) == ("1 message", "", "")
    told = reader.get(change_url(order_template)).context["usage"]
    assert told.messages_url
    assert not told.campaigns_url


def test_page__queries_do_not_grow(
    admin_client, order_template, campaign, django_assert_max_num_queries
):
    sent_by(order_template, 20)
    for number in range(20):
        order_template.parameters.create(name=f"more{number}", position=10 + number)

    with django_assert_max_num_queries(15):
        admin_client.get(change_url(order_template))
