"""What the app offers to the tests of sites."""

import pytest
from django.db import transaction
from django.test import TestCase

from django_etelecom import testing
from django_etelecom.models import MessageLog, MessageTemplate, RouteRule
from django_etelecom.services import send_message

PHONE = "0912345678"


def test_fixture__keeps_what_was_sent(etelecom_outbox, otp_template):
    message = send_message("login_otp", PHONE, {"otp": "937415"})

    [sent] = etelecom_outbox
    assert sent.params == {"otp": "937415"}
    assert (sent.account, sent.template_code) == ("default", "login_otp")
    assert (sent.recipient, sent.channels) == ("84912345678", ("1", "3"))
    assert sent.public_id == message.public_id
    assert message.status == "accepted"
    assert testing.outbox is etelecom_outbox


@pytest.mark.django_db(transaction=True)
def test_fixture__with_real_transactions(etelecom_outbox, otp_template):
    with transaction.atomic():
        send_message("login_otp", PHONE, {"otp": "937415"})
        assert etelecom_outbox == []

    assert len(etelecom_outbox) == 1


class SendingTests(TestCase):
    """Django's own way to test, which never commits."""

    @classmethod
    def setUpTestData(cls):
        RouteRule.objects.create(name="SMS", channels=["3"], is_default=True)
        template = MessageTemplate.objects.create(code="login_otp")
        template.parameters.create(name="otp", kind="otp")

    def test_sent_messages__delivers_when_atomic_ends(self):
        with testing.sent_messages() as outbox:
            with transaction.atomic():
                message = send_message("login_otp", PHONE, {"otp": "1"})
                with transaction.atomic():
                    pass
                self.assertEqual(outbox, [])
            self.assertEqual(len(outbox), 1)
        self.assertEqual(message.status, "accepted")

    def test_sent_messages__leaves_out_what_is_rolled_back(self):
        with testing.sent_messages() as outbox:
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                send_message("login_otp", PHONE, {"otp": "1"})
                raise ZeroDivisionError
            self.assertEqual(outbox, [])
        self.assertFalse(MessageLog.objects.exists())

    def test_sent_messages__begins_empty_and_takes_settings(self):
        with testing.sent_messages():
            send_message("login_otp", PHONE, {"otp": "1"})
        etelecom = {"ACCOUNTS": {"default": testing.LOCMEM_SETTINGS["ACCOUNTS"]["default"]}}
        with testing.sent_messages(etelecom=etelecom) as outbox:
            self.assertEqual(outbox, [])

    def test_without_the_helper_a_message_waits_for_a_commit(self):
        message = send_message("login_otp", PHONE, {"otp": "1"})

        self.assertEqual(message.status, "queued")
