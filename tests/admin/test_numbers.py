"""The record of who saw whole numbers."""

import pytest
from django.contrib.admin.models import LogEntry

from django_etelecom.admin.numbers import record_sight, shown_number
from django_etelecom.models import MessageLog
from django_etelecom.services import send_message
from tests.admin.conftest import PHONE

pytestmark = pytest.mark.django_db


@pytest.fixture
def message(scripted, order_template, order_params):
    return send_message(order_template, PHONE, order_params)


def test_shown_number__is_masked_but_for_who_may_see_it(message):
    assert shown_number(message, whole=True) == "0912 345 678"
    assert "345" not in shown_number(message, whole=False)


def test_shown_number__of_a_stripped_message_is_told_to_be_erased(message):
    message.recipient = ""

    assert shown_number(message, whole=True) == shown_number(message, whole=False) == "erased"


def test_record_sight__names_the_person_and_the_message(message, rf, admin_user):
    request = rf.get("/")
    request.user = admin_user

    record_sight(request, "Saw the number.", message)
    record_sight(request, "Saw the numbers of 2 messages.")

    of_many, of_one = LogEntry.objects.all()
    assert of_one.get_edited_object() == message
    assert of_one.user == of_many.user == admin_user
    assert (of_many.object_id, of_many.object_repr) == (None, "messages")
    assert of_one.get_change_message() == "Saw the number."
    assert MessageLog.objects.count() == 1
