"""`etelecom_send`."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from django_etelecom import pace
from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.models import MessageEvent, MessageLog
from django_etelecom.models.messages import Reason

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = "0912345678"


def run(*args):
    out = StringIO()
    call_command("etelecom_send", *args, stdout=out, no_color=True)
    return out.getvalue()


def test_send__prints_the_events_and_the_status(scripted, otp_template):
    printed = run("login_otp", PHONE, "otp=937415")

    message = MessageLog.objects.get()
    assert "sending: accepted  Success" in printed
    assert f"Message {message.public_id} to 84912•••678 is accepted." in printed


def test_send__tells_the_time_of_the_site(scripted, otp_template, settings):
    settings.TIME_ZONE = "Asia/Ho_Chi_Minh"

    printed = run("login_otp", PHONE, "otp=937415")

    # Vietnam is seven hours ahead of UTC, in which the row has it, all year round.
    at = MessageEvent.objects.get().created_at + timedelta(hours=7)
    assert printed.startswith(f"{at:%H:%M:%S}  sending: accepted")


def test_send__asks_for_a_value_without_showing_it(scripted, otp_template, monkeypatch):
    monkeypatch.setattr("getpass.getpass", lambda prompt: "937415")

    run("login_otp", PHONE, "otp=")

    assert scripted.sent[0].wire.reveal() == {"otp": "937415"}


def test_send__nobody_to_ask_is_told(scripted, otp_template, monkeypatch):
    def no_terminal(prompt):
        raise EOFError

    monkeypatch.setattr("getpass.getpass", no_terminal)

    with pytest.raises(CommandError, match="nobody to ask"):
        run("login_otp", PHONE, "otp=")


def test_send__check_sends_nothing(scripted, otp_template):
    printed = run("login_otp", PHONE, "otp=937415", "--check")

    assert "84912345678" in printed
    assert "937415" not in printed
    assert scripted.sent == []


def test_send__with_key_twice_sends_once(scripted, otp_template):
    for _ in range(2):
        run("login_otp", PHONE, "otp=937415", "--key", "k")

    assert len(scripted.sent) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["login_otp", "12", "otp=1"], "to: "),
        (["nowhere", PHONE], "template: There is no template"),
        (["login_otp", PHONE, "otp=1", "937415"], "^Parameter 2 is not of the form NAME=VALUE.$"),
        (["login_otp", PHONE, "otp=1", "otp=2"], "^Parameter 2 was given before.$"),
        (["login_otp", PHONE, "otp=1", "--route", "nowhere"], "route: "),
    ],
)
def test_send__bad_input_is_told(scripted, otp_template, arguments, sentence):
    with pytest.raises(CommandError, match=sentence):
        run(*arguments)

    assert scripted.sent == []


def test_send__conflicting_key_is_told(scripted, otp_template):
    run("login_otp", PHONE, "otp=1", "--key", "k")

    with pytest.raises(CommandError, match="other content"):
        run("login_otp", PHONE, "otp=2", "--key", "k")


def test_send__stopped_by_a_guard_tells_why_and_how_long(scripted, otp_template):
    run("login_otp", PHONE, "otp=1")

    with pytest.raises(
        CommandError, match=r"^The number has just .*\(cooldown; wait \d+ seconds\)$"
    ):
        run("login_otp", PHONE, "otp=2")

    assert len(scripted.sent) == 1


def test_send__check_tells_what_would_stop_it(scripted, otp_template):
    assert "Stopped" not in run("login_otp", PHONE, "otp=1", "--check")
    pace.pause("default", Reason.CREDENTIALS)

    printed = run("login_otp", PHONE, "otp=1", "--check")

    assert "Stopped  Account “default” is paused: " in printed
    assert "(account_paused; waiting does not help)" in printed


def test_send__outcome_that_is_not_good_is_an_error(scripted, otp_template):
    scripted.answer = staticmethod(lambda outgoing: SendResult(outcome=Outcome.UNKNOWN))

    with pytest.raises(CommandError, match="is unknown"):
        run("login_otp", PHONE, "otp=1")


def test_send__account_that_cannot_work_is_told(otp_template, settings):
    settings.ETELECOM = {}

    with pytest.raises(CommandError, match="has no account"):
        run("login_otp", PHONE, "otp=1")
