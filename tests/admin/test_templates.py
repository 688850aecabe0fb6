"""Templates in the admin: their parameters, typed or drawn up from a sample, their account."""

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
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


def test_parameter__each_field_has_a_name_of_its_own(admin_client):
    html = page(admin_client.get(reverse(ADD)))

    for name in ("Position", "Name", "Kind", "Required", "Secret", "Longest value", "Example"):
        assert html.count(f'aria-label="{name}"') == 4  # Three rows, and the one that is copied.


def test_parameter__name_that_no_text_could_hold_is_refused(admin_client):
    response = admin_client.post(reverse(ADD), filled({"name": "no spaces"}))

    assert "A name has 1 to 50 letters" in page(response)
    assert not MessageTemplate.objects.exists()


def test_parameter__same_name_twice_is_refused(admin_client):
    response = admin_client.post(reverse(ADD), filled({"name": "name"}, {"name": "name"}))

    assert response.status_code == 200
    assert not MessageTemplate.objects.exists()


def test_parameter__names_that_a_database_takes_for_one_are_refused(admin_client):
    response = admin_client.post(
        reverse(ADD), filled({"name": "otp"}, {"name": "OTP"}, {"name": "", "kind": "text"})
    )

    assert "“otp” and “OTP” differ in nothing but capital letters." in page(response)
    assert not MessageTemplate.objects.exists()


def test_parameter__takes_the_place_of_one_that_is_deleted(admin_client, otp_template):
    stored = {
        "id": str(otp_template.parameters.get().pk),
        "template": str(otp_template.pk),
        "name": "CODE",
        "kind": "otp",
        "DELETE": "on",
    }

    response = admin_client.post(
        change_url(otp_template), filled(stored, {"name": "code"}, code="login_otp", stored=1)
    )

    assert response.status_code == 302
    assert names_in_order("login_otp") == ["code"]


@pytest.mark.parametrize("position", ["-1", "x", "10000", "2147483647", "9" * 100])
def test_positions__that_leave_no_room_are_refused(admin_client, position):
    response = admin_client.post(
        reverse(ADD), filled({"name": "a", "position": position}, {"name": "b"})
    )

    [formset] = response.context["inline_admin_formsets"]
    assert list(formset.formset.errors[0]) == ["position"]
    assert not MessageTemplate.objects.exists()


# --- Drawn up from a sample ---------------------------------------------------------------------


def sampled(sample: object, *parameters: dict[str, str], **fields: Any) -> dict[str, str]:
    """Return what the browser posts where a person has pasted a sample and drawn it up."""
    text = sample if isinstance(sample, str) else json.dumps(sample)
    return {**filled(*parameters, **fields), "sample": text, "_draw_up": ""}


def rows(response) -> list[dict[str, str]]:
    """Return the rows of parameters of the page, as they would be posted."""
    [formset] = response.context["inline_admin_formsets"]
    return [
        {name: form[name].value() or "" for name in ("name", "kind", "example", "max_length")}
        | {name: bool(form[name].value()) for name in ("required", "secret")}
        for form in formset.formset.forms
    ]


def row_names(response) -> list[str]:
    return [row["name"] for row in rows(response)]


def told(response) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def sample_faults(response) -> list[str]:
    return list(response.context["sample"].form.errors.get("sample", []))


def test_draw_up__fills_rows_and_saves_nothing(admin_client):
    response = admin_client.post(
        reverse(ADD), sampled({"name": "An", "total": 150000, "password": "hunter2"})
    )

    assert response.status_code == 200
    plain = {"required": True, "secret": False, "max_length": ""}
    assert rows(response) == [
        {**plain, "name": "name", "kind": "text", "example": "An"},
        {**plain, "name": "total", "kind": "money", "example": "150000"},
        {**plain, "name": "password", "kind": "text", "example": "", "secret": True},
    ]
    assert told(response) == [
        "Drawn up, and not saved yet: name, total, password. Look at each row, then save."
    ]
    assert not MessageTemplate.objects.exists()
    assert not LogEntry.objects.exists()


def test_draw_up__its_rows_can_be_saved(admin_client):
    page_of_rows = admin_client.post(reverse(ADD), sampled({"b": "x", "otp": "123456"}))
    posted = [
        {name: str(value) for name, value in row.items() if value} for row in rows(page_of_rows)
    ]

    response = admin_client.post(reverse(ADD), filled(*posted))

    assert response.status_code == 302
    assert names_in_order() == ["b", "otp"]


def test_draw_up__keeps_no_one_time_password(admin_client):
    response = admin_client.post(reverse(ADD), sampled({"otp": "483920"}))

    assert row_names(response) == ["otp"]
    assert "483920" not in page(response)


def test_draw_up__keeps_what_was_typed_and_judges_nothing(admin_client):
    response = admin_client.post(
        reverse(ADD),
        sampled(
            {"new": "1"},
            {"name": "no spaces", "example": "half typed"},
            code="",
            name="Half a template",
            text="Dear {customer",
        ),
    )

    form = response.context["adminform"].form
    assert form["name"].value() == "Half a template"
    assert form["text"].value() == "Dear {customer"
    assert rows(response)[0]["example"] == "half typed"
    assert row_names(response) == ["no spaces", "new"]
    assert "errornote" not in page(response).replace('class="errornote" data-shows="stale"', "")


def test_draw_up__takes_the_free_rows_first(admin_client):
    response = admin_client.post(
        reverse(ADD),
        sampled({"b": "", "c": ""}, {"name": ""}, {"name": "a"}, {"name": "", "example": "typed"}),
    )

    assert row_names(response) == ["b", "a", "", "c"]


def test_draw_up__existing_parameters_stay_as_they_are(admin_client, order_template):
    stored = [
        {"id": str(each.pk), "template": str(order_template.pk), "name": each.name, "example": "E"}
        for each in order_template.parameters.all()[:2]
    ]
    sample = {"order_code": "DH-1", "shop": "Q1"}

    response = admin_client.post(
        change_url(order_template),
        sampled(sample, *stored, code="order_confirmation", stored=2),
    )

    assert [(row["name"], row["example"]) for row in rows(response)] == [
        ("customer_name", "E"),
        ("order_code", "E"),
        ("shop", "Q1"),
    ]
    assert told(response) == [
        "Drawn up, and not saved yet: shop. Look at each row, then save.",
        "Not in the sample, and kept as they are: customer_name.",
    ]
    assert order_template.parameters.count() == 5


def test_draw_up__nothing_new_is_told(admin_client):
    response = admin_client.post(reverse(ADD), sampled({"a": "1"}, {"name": "a"}))

    assert row_names(response) == ["a"]
    assert told(response) == ["Every name of the sample is a parameter already."]


def test_draw_up__before_a_save_that_was_pressed_instead(admin_client):
    posted = sampled({"a": "1"}) | {"_save": "Save"}
    del posted["_draw_up"]

    response = admin_client.post(reverse(ADD), posted)

    assert row_names(response) == ["a"]
    assert 'name="sample"' in page(response)
    assert response.context["sample"].form["sample"].value() is None
    assert not MessageTemplate.objects.exists()


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        ("", "Paste a sample."),
        ("{", "The sample is not JSON: see line 1, character 2."),
        ('{"a": {}}', "The value of “a” is an object or a list; a parameter takes text."),
        (
            json.dumps({f"a{number}": "" for number in range(1000)}),
            "The sample has 1000 names; at most 50 are taken.",
        ),
        ("x" * 1_000_000, "The sample is too long: at most 20000 characters are taken."),
    ],
)
def test_draw_up__faulty_sample_is_told_beside_it(admin_client, sample, sentence):
    response = admin_client.post(reverse(ADD), sampled(sample, {"name": "a"}, name="Typed"))

    assert sample_faults(response) == [sentence]
    assert sentence in page(response)
    assert row_names(response) == ["a"]
    assert response.context["adminform"].form["name"].value() == "Typed"
    assert len(page(response)) < 100_000


def test_draw_up__faulty_sample_stays_to_be_mended(admin_client):
    html = page(admin_client.post(reverse(ADD), sampled('{"<b>"')))

    assert "{&quot;&lt;b&gt;&quot;</textarea>" in html
    assert "Please correct the error below." in html


@pytest.mark.parametrize("sample", [{"otp": "483920"}, '{"otp": "483920"'])
def test_draw_up__sample_is_taken_from_the_request(admin_client, sample):
    request = admin_client.post(reverse(ADD), sampled(sample)).wsgi_request

    assert "483920" not in str(request.POST)
    assert request.sensitive_post_parameters == ("sample",)


@pytest.mark.parametrize("number", ["", "x", "-1", "99999999"])
def test_draw_up__crafted_number_of_rows(admin_client, number):
    posted = sampled({"a": "1"}) | {"parameters-TOTAL_FORMS": number}

    response = admin_client.post(reverse(ADD), posted)

    assert response.status_code == 200
    assert row_names(response) == ["a"]


def test_draw_up__of_no_template(admin_client):
    response = admin_client.post(
        reverse("admin:etelecom_messagetemplate_change", args=[99]), sampled({"a": "1"})
    )

    assert response.status_code == 302
    assert len(told(response)) == 1


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


# --- Text ---------------------------------------------------------------------------------------


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


def test_view_only__has_no_form(staff_client, order_template):
    client = staff_client(
        "view_messagetemplate",
        "add_templateparameter",
        "change_templateparameter",
        "view_templateparameter",
    )

    html = page(client.get(change_url(order_template)))

    assert 'name="sample"' not in html
    assert "preview.js" not in html
    assert 'name="parameters-0-name"' not in html
    assert "Dear <mark>customer_name</mark>" in html


def test_parameters__are_read_only_without_their_own_permission(staff_client, order_template):
    client = staff_client(
        "view_messagetemplate", "change_messagetemplate", "view_templateparameter"
    )

    html = page(client.get(change_url(order_template)))

    assert 'name="text"' in html
    assert 'name="parameters-0-name"' not in html
    assert 'name="sample"' not in html


@pytest.mark.parametrize(
    "codenames",
    [
        ("view_messagetemplate", "add_templateparameter"),
        ("change_messagetemplate", "view_templateparameter", "change_templateparameter"),
        ("change_messagetemplate",),
    ],
)
def test_draw_up__crafted_post_without_permission(staff_client, order_template, codenames):
    client = staff_client(*codenames)

    response = client.post(change_url(order_template), sampled({"a": "1"}))

    assert response.status_code == 403


def test_draw_up__by_who_may_add_but_not_change_parameters(staff_client, order_template):
    client = staff_client(
        "change_messagetemplate", "view_templateparameter", "add_templateparameter"
    )
    # Rows that are only shown are not posted.
    posted = sampled({"amount": "1", "shop": "Q1"}, code="order_confirmation")
    posted |= {"parameters-TOTAL_FORMS": "5", "parameters-INITIAL_FORMS": "5"}

    response = client.post(change_url(order_template), posted)

    assert response.status_code == 200
    assert told(response) == [
        "Drawn up, and not saved yet: shop. Look at each row, then save.",
        "Not in the sample, and kept as they are: customer_name, order_code, delivery_date, note.",
    ]
    assert row_names(response)[5:] == ["shop"]


def test_parameters__crafted_change_without_permission_changes_nothing(
    staff_client, order_template
):
    client = staff_client(
        "view_messagetemplate", "change_messagetemplate", "view_templateparameter"
    )
    first = order_template.parameters.first()
    row = {"id": str(first.pk), "template": str(order_template.pk), "name": "renamed"}

    client.post(
        change_url(order_template),
        filled(row, {"name": "added"}, code="order_confirmation", stored=1),
    )

    names = names_in_order("order_confirmation")
    assert "renamed" not in names
    assert "added" not in names


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
