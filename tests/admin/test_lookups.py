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
