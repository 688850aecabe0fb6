"""The witness of the proof tells what breaks the promise, whoever brings it about."""

import pytest
from django.utils import timezone

from django_etelecom.models import MessageLog
from django_etelecom.simulator import Simulator
from proof.witness import Broken, Witness


@pytest.fixture
def witness():
    return Witness(Simulator())


@pytest.fixture
def message(order_template):
    return MessageLog.objects.create(
        template=order_template,
        template_code=order_template.code,
        account="default",
        recipient="84912345678",
        params={"order_code": "DH-1"},
        send_at=timezone.now(),
    )


def move(message, status, **columns):
    MessageLog.objects.filter(pk=message.pk).update(status=status, **columns)


def wrong(witness):
    with pytest.raises(Broken) as told:
        witness.look()
    return told.value.wrong


@pytest.mark.django_db
def test_look__what_waits_may_be_claimed(witness, message):
    witness.look()
    move(message, "sending", attempts=1)

    witness.look()


@pytest.mark.django_db
def test_look__what_a_dead_process_was_sending_waits_again(witness, message):
    move(message, "sending", attempts=1)
    witness.look()
    move(message, "queued")

    assert wrong(witness) == "wrong moves"


@pytest.mark.django_db
def test_look__process_of_its_own_is_dead_and_it_is_sent(witness, message):
    move(message, "queued", send_at=None)
    witness.look()
    move(message, "sending", attempts=1)

    assert wrong(witness) == "wrong moves"


@pytest.mark.parametrize("status", ["accepted", "delivered", "undelivered", "rejected"])
@pytest.mark.django_db
def test_look__nobody_said_so(witness, message, status):
    move(message, status, attempts=1, provider_message_id="ICOMNI1")

    assert wrong(witness) == "falsely recorded"


@pytest.mark.django_db
def test_look__row_is_gone(witness, message):
    witness.look()
    message.delete()

    assert wrong(witness) == "unrecorded"


@pytest.mark.django_db
def test_look__two_rows_of_one_code(witness, message):
    message.pk = None
    message.public_id = "00000000-0000-4000-8000-000000000000"
    message.save(force_insert=True)

    assert wrong(witness) == "written twice"


@pytest.mark.django_db
def test_look__attempt_without_an_answer_on_record(witness, message):
    move(message, "queued", attempts=1)

    assert wrong(witness) == "wrong events"


@pytest.mark.django_db
def test_look__event_is_gone(witness, message):
    move(message, "queued", attempts=1)
    message.events.create(source="send")
    witness.look()
    message.events.all().delete()

    assert wrong(witness) == "wrong events"


@pytest.mark.django_db
def test_look__secret_in_the_clear(witness, message):
    move(message, "queued", attempts=1)
    message.events.create(source="send", payload='{"pin": "pin.000001"}')

    assert wrong(witness) == "secrets kept"


@pytest.mark.django_db
def test_look__ended_and_not_counted(witness, message):
    move(message, "not_sent")

    assert wrong(witness) == "wrong tallies"


@pytest.mark.django_db
def test_look_at_the_end__somebody_still_waits(witness, message):
    with pytest.raises(Broken) as told:
        witness.look_at_the_end()

    assert told.value.wrong == "left unfinished"
