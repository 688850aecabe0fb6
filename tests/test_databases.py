"""A site that keeps its messages in another database than the default one."""

import pytest
from django.db import connection, connections, transaction

from django_etelecom import reports
from django_etelecom.client.codes import ReportedStatus
from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.client.status import Report
from django_etelecom.exceptions import SendBlocked
from django_etelecom.models import MessageLog, functions
from django_etelecom.services import (
    check_message,
    queue_campaign,
    queue_message,
    refresh_status,
    send_message,
)
from django_etelecom.signals import message_accepted
from django_etelecom.worker import Worker
from tests.backends import accepted

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = "0912345678"


class Elsewhere:
    """A router that knows one database."""

    def db_for_read(self, model, **hints):
        return "elsewhere"

    def db_for_write(self, model, **hints):
        return "elsewhere"

    def allow_relation(self, *rows, **hints):
        return True


@pytest.fixture
def elsewhere(askable, otp_template, order_template, settings, monkeypatch):
    """Leave the tests' database under another alias only; the default one may not be asked."""

    def barred():
        pytest.fail("The default database was asked.")

    default = connections["default"]
    default.close()
    connections["elsewhere"] = default.copy(alias="elsewhere")
    monkeypatch.setattr(default, "ensure_connection", barred)
    settings.DATABASE_ROUTERS = [Elsewhere()]
    yield askable
    connections["elsewhere"].close()
    del connections["elsewhere"]


def otp(**options):
    return send_message("login_otp", PHONE, {"otp": "483920"}, **options)


def test_send__is_recorded_where_messages_are(elsewhere):
    message = otp()

    assert (message.status, message.events.count()) == ("accepted", 1)


def test_send__waits_for_the_transaction_of_its_database(elsewhere):
    with transaction.atomic(using="elsewhere"):
        message = otp()
        assert elsewhere.sent == []

    assert message.status == "accepted"


def test_send__limits_are_looked_up_where_messages_are(elsewhere):
    otp()

    with pytest.raises(SendBlocked):
        otp()
    assert not check_message("login_otp", PHONE, {"otp": "483920"}).sendable


def test_refresh__is_recorded_where_messages_are(elsewhere):
    message = otp()
    elsewhere.tell("success", channel="SMS")

    assert refresh_status(message).status == "delivered"


def test_report__is_recorded_where_messages_are(elsewhere, settings):
    settings.ETELECOM = {**settings.ETELECOM, "CONFIRM_REPORTS": False}
    message = otp()
    told = Report(provider_message_id="ICOMNI1", status=ReportedStatus.SUCCESS, channel="SMS")

    assert reports.keep(told)
    message.refresh_from_db()
    assert message.status == "delivered"


def test_report__that_was_quicker_is_matched_where_messages_are(elsewhere):
    def answer(outgoing):
        assert reports.keep(Report(provider_message_id="ICOMNI1", status=ReportedStatus.FAIL))
        return accepted(outgoing)

    elsewhere.answer = staticmethod(answer)

    assert otp().events.count() == 2


def test_worker__sends_what_is_queued_where_messages_are(elsewhere, order_params):
    queue_message("login_otp", PHONE, {"otp": "483920"})
    queue_campaign("order_confirmation", [{"to": PHONE, **order_params}] * 2)

    assert Worker().run_once().sent == 3
    assert set(MessageLog.objects.values_list("status", flat=True)) == {"accepted"}


def test_worker__what_it_sent_is_told_to_those_who_listen(elsewhere):
    heard = []

    def hear(message, **told):
        heard.append(message.status)

    message_accepted.connect(hear)
    try:
        queue_message("login_otp", PHONE, {"otp": "483920"})
        Worker().run_once()
    finally:
        message_accepted.disconnect(hear)

    assert heard == ["accepted"]


def test_worker__queues_again_where_messages_are(elsewhere):
    message = queue_message("login_otp", PHONE, {"otp": "483920"})
    elsewhere.answer = staticmethod(lambda outgoing: SendResult(outcome=Outcome.NOT_SENT))
    Worker().run_once()
    message.refresh_from_db()

    assert (message.status, message.attempts) == ("queued", 1)


def test_functions__are_made_where_their_tables_are_alone():
    if connection.vendor != "postgresql":
        pytest.skip("only PostgreSQL has functions of the app's own")
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA empty_site")
        cursor.execute("SET search_path TO empty_site")
        try:
            # As `migrate` of another app does before this one's turn.
            functions.create_functions(using="default")
            cursor.execute(
                "SELECT count(*) FROM pg_proc WHERE pronamespace = 'empty_site'::regnamespace"
            )
            [number] = cursor.fetchone()
        finally:
            cursor.execute("RESET search_path")
            cursor.execute("DROP SCHEMA empty_site")
    assert number == 0
    functions.create_functions(using="default")
