"""`etelecom_export` and `etelecom_erase`: what they say, and how they end."""

import builtins
import io
import json
import os
import signal
import stat
import subprocess
import sys
import time

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from django_etelecom.management import progress
from django_etelecom.management.commands import etelecom_export
from django_etelecom.models import Campaign, CampaignRow, MessageLog, Suppression
from django_etelecom.privacy import Erased
from django_etelecom.sealing import seal
from django_etelecom.services import queue_campaign, queue_message
from tests.test_privacy import NUMBER, PHONE, in_an_hour, list_number

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("restless")]


@pytest.fixture(autouse=True)
def _nobody(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())


@pytest.fixture
def somebody(monkeypatch):
    """Somebody sits at the terminal and answers this."""

    def answers(word):
        asked = []
        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        monkeypatch.setattr(builtins, "input", lambda question: asked.append(question) or word)
        return asked

    return answers


def run(command, *arguments, **options):
    out = io.StringIO()
    call_command(f"etelecom_{command}", *arguments, stdout=out, no_color=True, **options)
    return out.getvalue()


def failed(command, *arguments):
    """Return what a command that exits with 1 has printed, and why it failed."""
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command(f"etelecom_{command}", *arguments, stdout=out, no_color=True)
    assert caught.value.returncode == 1
    return out.getvalue(), str(caught.value)


# --- Export ---------------------------------------------------------------------------------------


def test_export__prints_the_document(send):
    message = send()

    document = json.loads(run("export", PHONE))

    assert [one["public_id"] for one in document["messages"]] == [str(message.public_id)]


def test_export__into_a_file_is_for_its_owner_alone(send, tmp_path):
    send()
    path = tmp_path / "number.json"
    umask = os.umask(0)
    try:
        printed = run("export", PHONE, "--output", str(path))
    finally:
        os.umask(umask)

    assert printed == f"Written to {path}.\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["messages"][0]["params"]["customer_name"] == "Nguyễn Văn An"


def test_export__quiet(send, tmp_path):
    assert run("export", PHONE, "--output", str(tmp_path / "number.json"), verbosity=0) == ""


def test_export__writes_over_no_file(send, tmp_path):
    path = tmp_path / "number.json"
    path.write_text("mine")

    _printed, why = failed("export", PHONE, "--output", str(path))

    assert why == f"{path} cannot be made: File exists."
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("error", "raised", "why"),
    [
        (OSError(28, "No space left on device"), CommandError, "cannot be written: No space left"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
)
def test_export__that_breaks_off_leaves_no_half_of_it(tmp_path, monkeypatch, error, raised, why):
    def pieces(_phone):
        yield "{"
        raise error

    monkeypatch.setattr(etelecom_export.services, "export_number", pieces)
    path = tmp_path / "number.json"

    with pytest.raises(raised, match=why):
        run("export", PHONE, "--output", str(path))

    assert not path.exists()


@pytest.mark.parametrize("command", ["export", "erase"])
def test_number__that_is_none_is_refused_in_a_sentence(command):
    printed, why = failed(command, "DH-1024")

    assert printed == ""
    assert why == "A phone number does not contain “D”: type its digits only."


@pytest.mark.parametrize("command", ["export", "erase"])
def test_keys__that_cannot_be_used_are_told(command, settings):
    settings.ETELECOM = {**settings.ETELECOM, "ENCRYPTION_KEYS": ["short"]}

    _printed, why = failed(command, PHONE)

    assert "is not a Fernet key" in why


# --- Erase ----------------------------------------------------------------------------------------

WOULD = (
    "Would erase of 84912•••678: messages 2 (cancelled before they were sent: 1), "
    "rows of campaigns 0, early reports 0.\n"
)
DID = WOULD.replace("Would erase", "Erased")


@pytest.fixture
def two(send, order_template, order_params):
    """Two messages to the number, of which one waits."""
    send(), queue_message(order_template, PHONE, order_params)


def is_erased():
    return not MessageLog.objects.exclude(recipient="").exists()


def test_erase__says_what_it_did(two):
    assert run("erase", PHONE, "--yes") == DID
    assert is_erased()
    assert run("erase", PHONE, "--yes").startswith("Erased of 84912•••678: messages 0 ")


def test_erase__dry_run_says_what_would_go(two):
    assert run("erase", PHONE, "--dry-run", "--yes") == f"{WOULD}Nothing was changed.\n"
    assert not is_erased()


@pytest.mark.parametrize("word", ["y", " YES "])
def test_erase__asks_first(two, somebody, word):
    asked = somebody(word)

    assert run("erase", PHONE) == WOULD + DID

    assert asked == ["Erase it? It cannot be had back. [y/N] "]
    assert is_erased()


@pytest.mark.parametrize("word", ["", "n"])
def test_erase__somebody_says_no(two, somebody, word):
    somebody(word)

    assert run("erase", PHONE, "--suppress") == f"{WOULD}Nothing was changed.\n"

    assert not is_erased()
    assert not Suppression.objects.exists()


def test_erase__nobody_to_ask_is_a_failure_that_changes_nothing(two):
    printed, why = failed("erase", PHONE)

    assert printed == WOULD
    assert why == "Nothing was changed: there is nobody to ask. Run it with --yes."
    assert not is_erased()


def test_erase__suppresses_if_asked(two):
    printed = run("erase", PHONE, "--suppress", "--yes")

    assert printed.endswith("It is on the suppression list: nothing is sent to it any more.\n")
    assert Suppression.objects.get().reason == "erased"


def test_erase__says_what_stays_by_its_hash(db):
    list_number()

    printed = run("erase", PHONE, "--yes")

    assert "By its hash alone stay: suppressions 1, consents 1, which are withdrawn.\n" in printed


def test_erase__says_what_is_left_and_fails(send, order_template):
    send()
    MessageLog.objects.update(status="sending", lease_expires_at=in_an_hour())
    queue_campaign(order_template, [{"to": "1"}])
    CampaignRow.objects.update(sealed_values=seal("{}", purpose="another"))
    Campaign.objects.update(status="loading")

    printed, why = failed("erase", PHONE, "--yes")

    assert "Left: 1 messages that are being sent. That takes a minute or two.\n" in printed
    assert "Left: 1 campaigns whose rows are being loaded" in printed
    assert "Could not be looked into: 1 rows or uploads of campaigns" in printed
    assert why == "Not all of it is erased: run it again."


def test_erase__quiet(two):
    assert run("erase", PHONE, "--yes", verbosity=0) == ""
    assert is_erased()


@pytest.mark.parametrize("wrong", ["0", "10001", "many"])
def test_erase__batch_size_out_of_bounds(wrong):
    with pytest.raises(CommandError, match="a whole number from 1 to 10000"):
        run("erase", PHONE, f"--batch-size={wrong}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_erase__ends_by_a_signal_after_the_batch(send, monkeypatch, number):
    for _ in range(5):
        send()
    monkeypatch.setattr(progress, "EVERY", 0)
    tell = progress.Progress.tell

    def signal_and_tell(self, text):
        if text.startswith("2 "):
            os.kill(os.getpid(), number)
        tell(self, text)

    monkeypatch.setattr(progress.Progress, "tell", signal_and_tell)
    before = signal.getsignal(number)

    printed, why = failed("erase", PHONE, "--yes", "--batch-size=2")

    assert "2 messages erased so far.\n" in printed
    assert printed.endswith("Told to stop: 3 messages are left.\n")
    assert why == "Not all of it is erased: run it again."
    assert signal.getsignal(number) is before
    assert MessageLog.objects.filter(recipient=NUMBER).count() == 3


ERASE = """
import sys
import django
from django.core.management import call_command
from django.db import connection

django.setup()
connection.settings_dict["NAME"] = sys.argv[1]
call_command("etelecom_erase", "0912345678", "--yes", "--batch-size=1")
"""


def test_erase__that_was_killed_is_run_again(send):
    first = send()
    columns = {field.attname: getattr(first, field.attname) for field in first._meta.fields}
    del columns["id"], columns["public_id"]
    MessageLog.objects.bulk_create([MessageLog(**columns) for _ in range(400)])
    erasing = subprocess.Popen(
        [sys.executable, "-c", ERASE, str(connection.settings_dict["NAME"])],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdout=subprocess.DEVNULL,
    )
    ends_at = time.monotonic() + 60
    while not MessageLog.objects.filter(recipient="").exists() and time.monotonic() < ends_at:
        time.sleep(0.01)
    erasing.kill()
    erasing.wait(timeout=30)
    before = MessageLog.objects.filter(recipient="").count()

    printed = run("erase", PHONE, "--yes")

    assert before > 0
    assert f"messages {401 - before} " in printed
    assert is_erased()


def test_erased__is_complete_where_nothing_is_left():
    assert Erased(messages=3, unreadable=1).is_complete
    assert not Erased(left=1).is_complete
    assert not Erased(being_loaded=1).is_complete
    assert not Erased(was_ended=True).is_complete
