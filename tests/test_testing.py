"""What the app offers to the tests of sites."""

from datetime import UTC, datetime

import pytest
from django.db import transaction
from django.test import TestCase

from django_etelecom import hours, testing
from django_etelecom.conf import settings as etelecom_settings
from django_etelecom.exceptions import SendBlocked
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


def test_fixture__one_time_passwords_may_follow_one_another(etelecom_outbox, otp_template):
    for otp in ("937415", "937416"):
        send_message("login_otp", PHONE, {"otp": otp})

    assert len(etelecom_outbox) == 2


def test_fixture__an_advertisement_goes_at_any_hour_but_not_without_consent(
    etelecom_outbox, default_route
):
    MessageTemplate.objects.create(code="sale", category="advertising", text="[QC] Tea")
    for hour in range(24):
        rules = etelecom_settings.guards("advertising")
        at = datetime(2026, 12, 24, hour, tzinfo=UTC)
        assert hours.closed(rules.hours, ["1", "2", "3"], at) == []

    with pytest.raises(SendBlocked) as caught:
        send_message("sale", PHONE)
    assert caught.value.reason == "no_consent"


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

    def test_sent_messages__block_without_a_savepoint_ends_as_well(self):
        with testing.sent_messages() as outbox:
            with transaction.atomic(savepoint=False):
                send_message("login_otp", PHONE, {"otp": "1"})
                self.assertEqual(outbox, [])
            self.assertEqual(len(outbox), 1)

    def test_sent_messages__what_was_rolled_back_within_sends_nothing(self):
        with testing.sent_messages() as outbox:
            with self.assertRaises(ZeroDivisionError), transaction.atomic():
                with transaction.atomic(savepoint=False):
                    send_message("login_otp", PHONE, {"otp": "1"})
                raise ZeroDivisionError
            self.assertEqual(outbox, [])
        self.assertFalse(MessageLog.objects.exists())

    def test_sent_messages__robust_callback_that_fails_stops_no_other(self):
        def fail():
            raise ZeroDivisionError

        with testing.sent_messages() as outbox, self.assertLogs("django_etelecom", "ERROR"):
            with transaction.atomic():
                transaction.on_commit(fail, robust=True)
                send_message("login_otp", PHONE, {"otp": "1"})
            self.assertEqual(len(outbox), 1)

    def test_sent_messages__callback_that_fails_is_told(self):
        def fail():
            raise ZeroDivisionError

        with testing.sent_messages(), self.assertRaises(ZeroDivisionError), transaction.atomic():
            transaction.on_commit(fail)

    def test_without_the_helper_a_message_waits_for_a_commit(self):
        message = send_message("login_otp", PHONE, {"otp": "1"})

        self.assertEqual(message.status, "queued")
