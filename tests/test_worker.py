"""The worker: what it does in a turn, how it goes on, and how it ends."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.utils import timezone

from django_etelecom import worker as worker_module
from django_etelecom.management import progress as progress_module
from django_etelecom.management.commands import etelecom_worker
from django_etelecom.management.progress import Progress
from django_etelecom.models import InboxReport, MessageLog
from django_etelecom.services import queue_message, send_message
from django_etelecom.worker import Tally, Worker
from tests.backends import accepted
from tests.test_lifecycle import ago

pytestmark = pytest.mark.django_db(transaction=True)


def work(**options):
    out = StringIO()
    call_command("etelecom_worker", "--once", stdout=out, **options)
    return out.getvalue()


def test_worker__once_sweeps_and_ends(make):
    make(status="sending", lease_expires_at=ago(seconds=1))

    assert work() == "Sent: 0. Lapsed: 1. Reports matched: 0. Status queries: 0.\n"
    assert MessageLog.objects.get().status == "unknown"


def test_worker__says_nothing_where_nothing_was_due(make):
    assert work() == ""


def test_worker__quiet(make):
    make(status="sending", lease_expires_at=ago(seconds=1))

    assert work(verbosity=0) == ""


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(worker_module, "IDLE", 0.01)


def test_worker__goes_on_until_it_is_stopped(make, quick):
    make(status="sending", lease_expires_at=ago(seconds=1))
    worker = Worker()
    turns = worker.run()

    assert next(turns) == Tally(lapsed=1)
    threading.Timer(0.1, worker.stop).start()
    assert not any(turns)


def test_worker__outlives_a_database_that_is_away(make, quick, monkeypatch, caplog):
    make(status="sending", lease_expires_at=ago(seconds=1))
    sweep = worker_module.sweep
    tries = []

    def away_at_first():
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("gone")
        return sweep()

    monkeypatch.setattr(worker_module, "sweep", away_at_first)
    worker = Worker()

    assert next(filter(None, worker.run())) == Tally(lapsed=1)
    assert caplog.text.count("could not reach the database") == 2


class Deadlock(Exception):
    """As a driver tells of it."""

    sqlstate = "40P01"


def undone(times):
    """Return a sweep that is undone for another's sake so often, and then sweeps."""
    sweep = worker_module.sweep
    tries = []

    def undone_at_first():
        tries.append(1)
        if len(tries) <= times:
            raise OperationalError("deadlock detected") from Deadlock()
        return sweep()

    return undone_at_first


def test_worker__begins_a_turn_again_that_was_undone(make, monkeypatch, caplog):
    make(status="sending", lease_expires_at=ago(seconds=1))
    monkeypatch.setattr(worker_module, "sweep", undone(5))

    assert Worker().run_once() == Tally(lapsed=1)
    assert "could not reach" not in caplog.text


def test_worker__does_not_begin_it_for_ever(db, monkeypatch):
    monkeypatch.setattr(worker_module, "sweep", undone(6))

    with pytest.raises(OperationalError):
        Worker().run_once()


@pytest.mark.parametrize(
    "faulty",
    [
        {"GUARDS": {"otp": {"COOLDOWN": "never"}}},
        {"MAX_POLLS_PER_SECOND": 0},
        {"POLL_AFTER": [2, 1]},
        {"CONFIRM_REPORTS": "yes"},
    ],
)
def test_worker__setting_that_cannot_be_used_does_not_end_it(
    make, askable, settings, caplog, faulty
):
    make(status="sending", lease_expires_at=ago(seconds=1))
    fields = {"provider_message_id": "ICOMNI1", "status": "accepted"}
    make(**fields, next_poll_at=ago(seconds=1))
    InboxReport.objects.create(provider_message_id="ICOMNI1", status="delivered")
    settings.ETELECOM = {**settings.ETELECOM, **faulty}

    assert Worker().run_once().lapsed == 1
    assert f"ETELECOM['{next(iter(faulty))}']" in caplog.text


def test_worker__looks_once_where_nothing_is_due(db, monkeypatch):
    looks = []
    sweep, take_on = worker_module.sweep, worker_module.Sender.take_on
    monkeypatch.setattr(worker_module, "sweep", lambda: looks.append("upkeep") or sweep())
    monkeypatch.setattr(
        worker_module.Sender, "take_on", lambda sender: looks.append("claim") or take_on(sender)
    )

    for _time in range(20):
        assert not Worker().run_once()

    assert looks == ["upkeep", "claim"] * 20


def test_worker__keeps_to_its_pace(askable, settings, order_template, order_params):
    settings.ETELECOM = {**settings.ETELECOM, "MAX_POLLS_PER_SECOND": 20}
    for _ in range(5):
        send_message(order_template, "0912345678", order_params)
    MessageLog.objects.update(next_poll_at=timezone.now() - timedelta(seconds=1))
    began = time.monotonic()

    assert Worker().run_once() == Tally(polled=5)

    assert time.monotonic() - began >= 4 / 20


@pytest.fixture
def slow(askable, settings, order_template, order_params):
    """Three messages that are due, and a worker that may ask about one in ten seconds."""
    settings.ETELECOM = {**settings.ETELECOM, "MAX_POLLS_PER_SECOND": 0.1}
    for _ in range(3):
        send_message(order_template, "0912345678", order_params)
    MessageLog.objects.update(next_poll_at=timezone.now() - timedelta(seconds=1))
    return Worker()


def test_worker__takes_on_no_question_before_its_turn(slow, askable):
    # At a slower pace the lease of the last would have ended before it was asked about.
    assert next(slow.run()) == Tally(polled=1)

    assert len(askable.asked) == 1
    assert MessageLog.objects.filter(next_poll_at__lt=timezone.now()).count() == 2


def test_worker__waiting_for_its_turn_ends_at_once_when_stopped(slow, askable):
    turns = slow.run()
    next(turns)
    threading.Timer(0.1, slow.stop).start()
    began = time.monotonic()

    assert not any(turns)

    assert time.monotonic() - began < 5
    assert len(askable.asked) == 1


def test_worker__stopped_by_a_signal_in_the_middle_of_a_wait(quick):
    class Idle(Worker):
        def _turn(self, *args, **kwargs):
            return Tally()

    worker = Idle()

    def interrupt(frame, event, argument):
        # As the handler of a signal runs: between two lines, in the thread that waits.
        if frame.f_code.co_name == "wait":
            worker.stop()
        return interrupt

    def run():
        sys.settrace(interrupt)
        list(worker.run())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    threading.Timer(0.2, worker.stop).start()
    thread.join(timeout=10)

    assert not thread.is_alive()


def test_command__ends_by_a_signal(monkeypatch, quick, make):
    make(status="sending", lease_expires_at=ago(seconds=1))
    out = StringIO()
    end = Progress.end

    def end_and_signal(self, text):
        end(self, text)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(Progress, "end", end_and_signal)
    call_command("etelecom_worker", stdout=out)

    assert out.getvalue().startswith("Sent: 0. Lapsed: 1.")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command__once_ends_by_a_signal_after_what_is_in_flight(
    askable, order_template, order_params, number
):
    for to in ("0912345678", "0912345679", "0912345670"):
        queue_message(order_template, to, order_params)
    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)]

    def answer(outgoing):
        os.kill(os.getpid(), number)
        return accepted(outgoing)

    askable.answer = staticmethod(answer)
    work(concurrency=1)

    statuses = Counter(MessageLog.objects.values_list("status", flat=True))
    assert statuses["accepted"] >= 1
    assert statuses["queued"] >= 1
    assert statuses.total() == statuses["accepted"] + statuses["queued"]
    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT)] == before


def test_command__once_works_in_a_thread_of_a_site(make):
    make(status="sending", lease_expires_at=ago(seconds=1))
    told = []

    def run():
        told.append(work())
        connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(timeout=30)

    assert told == ["Sent: 0. Lapsed: 1. Reports matched: 0. Status queries: 0.\n"]


class Terminal(StringIO):
    def isatty(self):
        return True


@pytest.fixture
def turns(monkeypatch):
    """What the worker's turns have done; each takes two seconds."""

    def run(*done):
        clock = itertools.count(100, 2)
        for module in (progress_module, etelecom_worker):
            monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: next(clock)))
        monkeypatch.setattr(Worker, "run", lambda self: iter(done))
        monkeypatch.setattr(etelecom_worker.signal, "signal", lambda *_: None)

    return run


def test_command__tells_on_a_terminal_in_one_line_how_far_it_is(turns):
    turns(Tally(sent=100), Tally(sent=100), Tally(), Tally(lapsed=1))
    out = Terminal()

    call_command("etelecom_worker", stdout=out)

    drawn = out.getvalue().split("\r")
    assert drawn[1].startswith("Sent: 100. ")
    assert drawn[2].startswith("Sent: 200. ")
    assert drawn[2].rstrip().endswith("/s.")
    last = "Sent: 0. Lapsed: 1. Reports matched: 0. Status queries: 0.\n"
    assert out.getvalue().endswith(f"\r{last}")


def test_command__tells_a_line_now_and_then_elsewhere(turns):
    turns(*[Tally(sent=1)] * 20)
    out = StringIO()

    call_command("etelecom_worker", stdout=out)

    lines = out.getvalue().splitlines()
    assert 2 < len(lines) < 12
    assert lines[-1] == "Sent: 20. Lapsed: 0. Reports matched: 0. Status queries: 0."


def test_command__says_nothing_where_it_is_told_to(turns):
    turns(*[Tally(sent=1)] * 20)
    out = Terminal()

    call_command("etelecom_worker", stdout=out, verbosity=0)

    assert out.getvalue() == ""


WORKER = """
import os, sys
import django
from django.conf import settings
from django.core.management import call_command
from django.db import connection

django.setup()
connection.settings_dict["NAME"] = sys.argv[1]
settings.ETELECOM = {
    "ACCOUNTS": {
        "default": {"USERNAME": "u", "PASSWORD": "p", "BASE_URL": sys.argv[2], "TIMEOUT": 5}
    },
    "MAX_POLLS_PER_SECOND": 1000,
}
call_command("etelecom_worker")
"""


def start_worker(base_url):
    arguments = [str(connection.settings_dict["NAME"]), base_url]
    return subprocess.Popen(  # Python itself, with a program of ours
        [sys.executable, "-c", WORKER, *arguments],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_command__three_real_processes_ask_each_message_once(live, order_template, order_params):
    for _ in range(30):
        send_message(order_template, "0912345678", order_params)
    sent = len(live.receipts)
    MessageLog.objects.update(next_poll_at=timezone.now() - timedelta(seconds=1))

    workers = [start_worker(live.base_url) for _ in range(3)]
    try:
        ends_at = time.monotonic() + 30
        while len(live.receipts) < sent + 30 and time.monotonic() < ends_at:
            time.sleep(0.1)
        time.sleep(1)
    finally:
        for process in workers:
            process.send_signal(signal.SIGTERM)
        said = [process.communicate(timeout=20)[0] for process in workers]

    assert [process.returncode for process in workers] == [0, 0, 0], said
    assert len(live.receipts) == sent + 30, said
    for message in MessageLog.objects.all():
        assert message.events.filter(source="poll").count() == 1
        assert message.lease_expires_at is None
