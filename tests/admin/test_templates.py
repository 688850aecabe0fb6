"""Templates in the admin: their parameters, their preview, their account."""

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from django_etelecom.models import MessageTemplate
from django_etelecom.services import send_message
from tests.admin.conftest import PHONE, page, send_url

ADD = "admin:etelecom_messagetemplate_add"


def change_url(template: MessageTemplate) -> str:
    return reverse("admin:etelecom_messagetemplate_change", args=[template.pk])


def delete_url(template: MessageTemplate) -> str:
    return reverse("admin:etelecom_messagetemplate_delete", args=[template.pk])


def filled(*parameters: dict[str, str], stored: int = 0, **fields: str) -> dict[str, str]:
    """Return what the browser posts for a template with these rows of parameters."""
    rows = {
        f"parameters-{row}-{name}": value
        for row, parameter in enumerate(parameters)
        for name, value in ({"kind": "text", "required": "on", "position": ""} | parameter).items()
    }
    return {
        "code": "greeting",
        "category": "transactional",
        "account": "default",
        "is_active": "on",
        "text": "",
        "parameters-TOTAL_FORMS": str(len(parameters)),
        "parameters-INITIAL_FORMS": str(stored),
        **rows,
        **fields,
    }


def warnings(response) -> list[str]:
    return [
        str(message)
        for message in get_messages(response.wsgi_request)
        if message.level_tag == "warning"
    ]


def names_in_order(code: str = "greeting") -> list[str]:
    return list(MessageTemplate.objects.get(code=code).parameters.values_list("name", flat=True))


# --- Defining one -------------------------------------------------------------------------------


def test_add__template_with_parameters(admin_client):
    response = admin_client.post(
        reverse(ADD),
        filled({"name": "name"}, {"name": "code", "kind": "otp"}, text="Hi {name}: {code}"),
    )

    assert response.status_code == 302
    assert names_in_order() == ["name", "code"]
    assert warnings(response) == []


def test_add__form_has_rows_for_parameters_without_a_script(admin_client):
    html = page(admin_client.get(reverse(ADD)))

    assert 'name="parameters-2-name"' in html
    assert "Preview" not in html


def test_add__empty_rows_are_no_parameters(admin_client):
    admin_client.post(reverse(ADD), filled({"name": ""}, {"name": "only"}))

    assert names_in_order() == ["only"]


def test_positions__order_the_parameters(admin_client):
    admin_client.post(
        reverse(ADD),
        filled({"name": "second", "position": "2"}, {"name": "first", "position": "1"}),
    )

    assert names_in_order() == ["first", "second"]


def test_positions__without_one_come_last(admin_client, order_template):
    stored = list(order_template.parameters.all())
    rows = [
        {
            "id": str(parameter.pk),
            "template": str(order_template.pk),
            "name": parameter.name,
            "kind": parameter.kind,
            "position": str(parameter.position),
        }
        for parameter in stored
    ]
    rows[0]["position"] = ""

    response = admin_client.post(
        change_url(order_template),
        filled(*rows, {"name": "shop"}, code="order_confirmation", stored=len(rows)),
    )

    assert response.status_code == 302
    names = [parameter.name for parameter in stored]
    assert names_in_order("order_confirmation") == [*names[1:], names[0], "shop"]


def test_parameter__name_that_no_text_could_hold_is_refused(admin_client):
    response = admin_client.post(reverse(ADD), filled({"name": "no spaces"}))

    assert "A name has 1 to 50 letters" in page(response)
    assert not MessageTemplate.objects.exists()


def test_parameter__same_name_twice_is_refused(admin_client):
    response = admin_client.post(reverse(ADD), filled({"name": "name"}, {"name": "name"}))

    assert response.status_code == 200
    assert not MessageTemplate.objects.exists()


# --- The account --------------------------------------------------------------------------------


def test_account__is_one_of_the_settings(admin_client):
    response = admin_client.post(reverse(ADD), filled(account="nowhere"))

    assert list(response.context["adminform"].form.errors) == ["account"]


def test_account__unknown_one_stays_and_is_marked(admin_client, order_template):
    MessageTemplate.objects.update(account="former")

    html = page(admin_client.get(change_url(order_template)))

    assert '<option value="former" selected>former (not in the site&#x27;s settings)' in html
    assert '<option value="default">default</option>' in html


def test_account__unknown_one_can_be_saved_again(admin_client, order_template):
    order_template.parameters.all().delete()
    MessageTemplate.objects.update(account="former")

    response = admin_client.post(change_url(order_template), filled(account="former"))

    assert response.status_code == 302


# --- Text and preview ---------------------------------------------------------------------------


def test_preview__shows_examples_or_names(admin_client, order_template):
    order_template.parameters.filter(name="order_code").update(example="DH-7")

    html = page(admin_client.get(change_url(order_template)))

    assert "Dear <mark>customer_name</mark>, order <mark>DH-7</mark> of <mark>amount</mark>" in html


def test_preview__is_escaped(admin_client, order_template):
    MessageTemplate.objects.update(text="<script>{order_code}{0.__class__}")
    order_template.parameters.filter(name="order_code").update(example="<img>{amount}")

    html = page(admin_client.get(change_url(order_template)))

    assert "&lt;script&gt;<mark>&lt;img&gt;{amount}</mark>{0.__class__}" in html
    assert "<script>{" not in html


def test_preview__needs_a_text(admin_client, order_template):
    MessageTemplate.objects.update(text="")

    assert "Preview" not in page(admin_client.get(change_url(order_template)))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", []),
        ("Hi {name}", []),
        ("Hi {name} {extra} {more}", ["The text names what is not a parameter: extra, more."]),
        ("Hi", ["The text does not name these parameters: name."]),
        (
            "Hi {nam}",
            [
                "The text names what is not a parameter: nam.",
                "The text does not name these parameters: name.",
            ],
        ),
    ],
)
def test_text__is_compared_with_the_parameters(admin_client, text, told):
    response = admin_client.post(reverse(ADD), filled({"name": "name"}, text=text))

    assert warnings(response) == told


# --- Who may what -------------------------------------------------------------------------------


def test_button__leads_to_sending(admin_client, order_template):
    html = page(admin_client.get(change_url(order_template)))

    assert f'href="{send_url("order_confirmation")}"' in html


def test_button__is_for_those_who_may_send(staff_client, order_template):
    client = staff_client("view_messagetemplate")

    response = client.get(change_url(order_template))

    assert response.status_code == 200
    assert send_url() not in page(response)


def test_button__not_for_an_inactive_template(admin_client, order_template):
    MessageTemplate.objects.update(is_active=False)

    assert send_url() not in page(admin_client.get(change_url(order_template)))


def test_view_only__shows_the_preview(staff_client, order_template):
    client = staff_client("view_messagetemplate", "view_templateparameter")

    html = page(client.get(change_url(order_template)))

    assert "Dear <mark>customer_name</mark>" in html


def test_list__is_searched_by_code_and_name(admin_client, order_template, otp_template):
    html = page(
        admin_client.get(reverse("admin:etelecom_messagetemplate_changelist"), {"q": "confirm"})
    )

    assert "order_confirmation" in html
    assert "login_otp" not in html


# --- Deleting one -------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post"])
def test_delete__with_history_is_refused_with_its_reason(
    admin_client, otp_template, etelecom_outbox, method
):
    send_message("login_otp", PHONE, {"otp": "1234"})

    response = getattr(admin_client, method)(delete_url(otp_template), {"post": "yes"})

    assert response.status_code == 200
    assert "would require deleting the following protected related objects" in page(response)
    assert MessageTemplate.objects.filter(pk=otp_template.pk).exists()


def test_delete__several_with_history_are_refused(admin_client, otp_template, etelecom_outbox):
    send_message("login_otp", PHONE, {"otp": "1234"})

    response = admin_client.post(
        reverse("admin:etelecom_messagetemplate_changelist"),
        {"action": "delete_selected", "_selected_action": [otp_template.pk], "post": "yes"},
    )

    assert "protected related objects" in page(response)
    assert MessageTemplate.objects.exists()


def test_delete__without_history(admin_client, otp_template):
    admin_client.post(delete_url(otp_template), {"post": "yes"})

    assert not MessageTemplate.objects.exists()
