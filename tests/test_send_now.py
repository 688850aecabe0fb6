"""What an engine calls in its process: when it ends, and what it takes from others."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from django_etelecom.models import AccountState, MessageLog
from django_etelecom.models.messages import Reason
from django_etelecom.pace import pause
from django_etelecom.sender import Sender, send_now
from django_etelecom.services import queue_message
from django_etelecom.worker import Worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queue(order_template, order_params):
    return lambda **kwargs: queue_message(order_template, "0912345678", order_params, **kwargs)


@pytest.fixture
def account(settings):
    def change(**changes):
        accounts = {"default": {**settings.ETELECOM["ACCOUNTS"]["default"], **changes}}
        settings.ETELECOM = {**settings.ETELECOM, "ACCOUNTS": accounts}

    return change


def test_send_now__ends_where_the_account_is_paused(askable, queue):
    message = queue()
    pause("default", Reason.CREDENTIALS)

    assert send_now([message.pk]) == 0


def test_send_now__ends_where_nothing_is_due_though_the_pace_has_no_slot(askable, account, queue):
    account(MAX_PER_SECOND=0.01)
    first, second = queue(), queue(send_at=timezone.now() + timedelta(hours=1))
    assert send_now([first.pk]) == 1

    assert send_now([first.pk, second.pk]) == 0


def test_send_now__takes_a_slot_for_each_message_and_no_more(askable, account, queue):
    account(MAX_PER_SECOND=2)

    send_now([queue().pk])

    # The next one may go half a second after it, not a whole one.
    next_slot_at = AccountState.objects.get().next_slot_at
    assert next_slot_at - MessageLog.objects.get().sent_at < timedelta(seconds=0.75)


def run_worker(pks):
    worker = Worker()
    for _turn in worker.run():
        worker.stop()


every_way_to_send = pytest.mark.parametrize(
    "send", [send_now, lambda pks: Worker().run_once(), run_worker], ids=["now", "once", "run"]
)


@every_way_to_send
def test_send__inside_a_transaction_is_refused(askable, queue, send):
    message = queue()

    # What a rollback undoes of it would be sent again.
    with pytest.raises(TransactionManagementError, match="outside of atomic"), transaction.atomic():
        send([message.pk])

    message.refresh_from_db()
    assert (message.status, message.attempts, askable.sent) == ("queued", 0, [])
    assert send_now([message.pk]) == 1


@every_way_to_send
def test_send__with_autocommit_off_is_refused(askable, queue, send):
    message = queue()
    transaction.set_autocommit(False)
    try:
        with pytest.raises(TransactionManagementError, match="with autocommit on"):
            send([message.pk])
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)

    message.refresh_from_db()
    assert (message.status, message.attempts, askable.sent) == ("queued", 0, [])


@pytest.mark.django_db(transaction=False)
def test_send_now__transaction_of_a_test_case_is_not_the_callers(askable, queue):
    assert send_now([queue().pk]) == 1


def test_sender__answer_that_an_interrupt_threw_away_ends_it_all_the_same(
    askable, queue, monkeypatch, caplog
):
    message = queue()

    class SoftTimeLimit(Exception):
        pass

    def interrupted(self, *, wait):
        self._answered.get(timeout=10)
        monkeypatch.undo()
        raise SoftTimeLimit

    monkeypatch.setattr(Sender, "_take_in", interrupted)
    with pytest.raises(SoftTimeLimit):
        send_now([message.pk])

    message.refresh_from_db()
    assert message.status == "sending"
    assert f"The answer to message {message.public_id} was lost" in caplog.text
