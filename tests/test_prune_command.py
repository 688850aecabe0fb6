"""`etelecom_prune`: what it says, and how it ends."""

import io
import os
import signal
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from django_etelecom.management import progress
from django_etelecom.management.commands import etelecom_prune
from django_etelecom.models import MessageLog

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("restless")]


class Terminal(io.StringIO):
    def isatty(self):
        return True


def run(*arguments, out=None, **options):
    out = out or io.StringIO()
    call_command("etelecom_prune", *arguments, stdout=out, no_color=True, **options)
    return out.getvalue()


def test_command__says_what_it_did(make_delivered, otp_template, retention):
    days = {"strip": 7, "delete": 90}
    retention(transactional=days, otp=days)
    (
        make_delivered(91),
        make_delivered(91),
        make_delivered(91, template=otp_template),
        make_delivered(8),
    )

    assert run() == "Deleted: 3 (1 otp, 2 transactional).\nStripped: 1 (1 transactional).\n"
    assert run() == "Deleted: 0.\nStripped: 0.\n"


def test_command__dry_run_says_what_it_would_do(make_delivered):
    make_delivered(91), make_delivered(8)

    printed = run("--dry-run")

    assert printed == "Would delete: 1 (1 transactional).\nWould strip: 1 (1 transactional).\n"
    assert MessageLog.objects.exclude(recipient="").count() == 2


def test_command__says_what_it_left_and_why(make_delivered):
    make_delivered(91, status="queued")
    make_delivered(10, resend_of=make_delivered(100))

    printed = run()

    assert "Left: 1 that have not ended. Is etelecom_worker running?\n" in printed
    assert "Not deleted yet: 1 that another row points at.\n" in printed


def test_command__says_how_many_rows_of_campaigns_went(old_campaign):
    assert "Would delete rows of campaigns: 2.\n" in run("--dry-run")
    assert "Deleted rows of campaigns: 2.\n" in run()


def test_command__without_retention_says_so(make_delivered, settings):
    settings.ETELECOM = {}
    make_delivered(30_000)

    assert run() == "ETELECOM['RETENTION'] sets no days: everything is kept.\n"


def test_command__quiet(make_delivered, settings):
    make_delivered(91)

    assert run(verbosity=0) == ""
    assert MessageLog.objects.count() == 0


def test_command__retention_that_cannot_be_used(make_delivered, settings):
    settings.ETELECOM = {"RETENTION": {"otp": {"strip": "7"}}}

    with pytest.raises(CommandError, match="is a whole number of days"):
        run()


@pytest.mark.parametrize("wrong", ["0", "-1", "10001", "many", "²", ""])
def test_command__batch_size_out_of_bounds(wrong):
    with pytest.raises(CommandError, match="a whole number from 1 to 10000"):
        run(f"--batch-size={wrong}")


@pytest.mark.parametrize("out", [Terminal, io.StringIO])
def test_command__tells_its_progress(make_delivered, monkeypatch, out):
    monkeypatch.setattr(progress, "EVERY", 0)
    monkeypatch.setattr(progress, "REDRAW", 0)
    for _ in range(3):
        make_delivered(91)

    printed = run("--batch-size=2", out=out())

    assert "2 deleted, 0 stripped so far." in printed
    assert printed.endswith("Deleted: 3 (3 transactional).\nStripped: 0.\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command__ends_by_a_signal_after_the_batch(make_delivered, monkeypatch, number):
    for _ in range(5):
        make_delivered(91)
    go_on = etelecom_prune.Command._go_on
    before = signal.getsignal(number)

    def signal_and_go_on(self, pruned):
        os.kill(os.getpid(), number)
        return go_on(self, pruned)

    monkeypatch.setattr(etelecom_prune.Command, "_go_on", signal_and_go_on)

    printed = run("--batch-size=2")

    assert "Deleted: 2 (2 transactional).\n" in printed
    assert printed.endswith("Told to stop: the rest is for the next run.\n")
    assert MessageLog.objects.count() == 3
    assert signal.getsignal(number) is before


PRUNE = """
import sys
import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection

django.setup()
connection.settings_dict["NAME"] = sys.argv[1]
settings.ETELECOM = {"RETENTION": {"transactional": {"strip": 7, "delete": 90}}}
call_command("etelecom_prune", "--batch-size=3")
"""


def test_command__real_processes_side_by_side(make_delivered):
    for _ in range(40):
        make_delivered(91)
        make_delivered(8)

    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PRUNE, str(connection.settings_dict["NAME"])],
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], said
    # What another held at that moment was passed over.
    run()
    assert MessageLog.objects.count() == MessageLog.objects.filter(recipient="").count() == 40
