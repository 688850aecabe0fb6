"""What the address of a list may ask the database for."""

import pytest
from django.urls import reverse


@pytest.mark.parametrize(
    ("model", "name"),
    [("messagetemplate", "code"), ("routerule", "name"), ("messagelog", "status")],
)
def test_list__nul_in_a_filter_is_a_bad_request(admin_client, model, name):
    url = reverse(f"admin:etelecom_{model}_changelist")

    assert admin_client.get(url, {name: "a\x00"}).status_code == 400


@pytest.mark.parametrize(
    ("model", "field"), [("messagelog", "template"), ("messagetemplate", "route")]
)
def test_completion__of_a_nul_finds_nothing(admin_client, order_template, model, field):
    asked = {"app_label": "etelecom", "model_name": model, "field_name": field, "term": "\x00"}

    response = admin_client.get(reverse("admin:autocomplete"), asked)

    assert response.status_code == 200
    assert response.json()["results"] == []


def test_list__filter_beyond_the_calendar_is_a_bad_request(admin_client):
    url = reverse("admin:etelecom_campaign_changelist")

    assert admin_client.get(url, {"created_at__year": "-1"}).status_code == 400


def test_list__fault_that_no_filter_caused_is_not_hidden(admin_client, monkeypatch):
    def fail(*args):
        raise ValueError("a fault of ours")

    monkeypatch.setattr("django.contrib.admin.ModelAdmin.get_changelist_instance", fail)

    with pytest.raises(ValueError, match="a fault of ours"):
        admin_client.get(reverse("admin:etelecom_messagelog_changelist"))


@pytest.mark.parametrize("model", ["messagetemplate", "routerule"])
def test_list__of_an_endless_word_is_empty(admin_client, order_template, model):
    url = reverse(f"admin:etelecom_{model}_changelist")

    response = admin_client.get(url, {"q": "w" * 70_000})

    assert list(response.context["cl"].result_list) == []


def test_list__endless_word_in_a_filter_is_a_bad_request(admin_client):
    url = reverse("admin:etelecom_messagetemplate_changelist")

    assert admin_client.get(url, {"name__contains": "w" * 70_000}).status_code == 400
