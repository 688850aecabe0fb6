"""The way from the admin's index to the messages, for each who may do something with them."""

import pytest
from django.urls import reverse

from tests.admin.conftest import page, send_url

LIST = reverse("admin:etelecom_messagelog_changelist")
PAGES = [reverse("admin:index"), reverse("admin:app_list", args=["etelecom"])]


@pytest.mark.parametrize("index", PAGES)
@pytest.mark.parametrize("permission", ["send_message", "view_messagelog"])
def test_index__leads_to_the_messages(staff_client, index, permission):
    assert f'href="{LIST}"' in page(staff_client(permission).get(index))


@pytest.mark.parametrize("permission", ["view_messagetemplate", "export_messages"])
def test_index__lists_no_messages_for_others(staff_client, permission):
    client = staff_client(permission)

    assert LIST not in page(client.get(PAGES[0]))
    assert client.get(LIST).status_code == 403


def test_list__leads_who_may_send_alone_to_sending(staff_client, order_template):
    client = staff_client("send_message")

    response = client.get(LIST, follow=True)

    assert response.redirect_chain == [(send_url(), 302)]
    assert "Order confirmation (order_confirmation)" in page(response)
    # No way from there to what may not be seen.
    assert client.post(LIST).status_code == 403
