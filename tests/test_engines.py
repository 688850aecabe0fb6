"""The engines, as far as they need no broker: what they carry, and what they lack."""

import os
import signal
import socket
import subprocess
import sys
from datetime import timedelta

import django
import pytest
from billiard.pool import SIG_SOFT_TIMEOUT, soft_timeout_sighandler
from celery.exceptions import SoftTimeLimitExceeded
from django.core import checks
from django.utils import timezone

import django_etelecom
from django_etelecom import dispatchers, framework_tasks, tasks
from django_etelecom.models import MessageLog
from django_etelecom.services import queue_message
from django_etelecom.worker import Tally, Worker
from tests.backends import accepted
from tests.publishing import celery_application

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = "0912345678"
FRAMEWORK = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
IMMEDIATE = f"{FRAMEWORK}.backends.immediate.ImmediateBackend"
DUMMY = f"{FRAMEWORK}.backends.dummy.DummyBackend"


@pytest.fixture
def engine(settings):
    """Choose the site's dispatcher, and the backend of its TASKS."""

    def choose(name, backend=IMMEDIATE, **backend_settings):
        settings.ETELECOM = {
            **settings.ETELECOM,
            "DISPATCHER": f"django_etelecom.dispatchers.{name}",
        }
        settings.TASKS = {"default": {"BACKEND": backend, **backend_settings}}

    return choose


@pytest.fixture
def queue(order_template, order_params):
    return lambda **kwargs: queue_message(order_template, PHONE, order_params, **kwargs)


@pytest.fixture
def anew(monkeypatch):
    """Have a module of the app imported anew, as the first one who needs it does."""

    def forget(name):
        monkeypatch.delitem(sys.modules, f"django_etelecom.{name}")
        monkeypatch.delattr(django_etelecom, name)

    return forget


def findings():
    return [(found.id, found.msg) for found in checks.run_checks(tags=["etelecom"], databases=[])]


# --- Django's tasks -----------------------------------------------------------------------------


def test_tasks__immediate_backend_sends_in_the_process(live, engine, queue):
    engine("tasks")

    message = queue()

    message.refresh_from_db()
    assert message.status == "accepted"
    assert len(live.receipts) == 1


def test_tasks__a_message_for_later_is_not_handed_over(live, engine, queue):
    engine("tasks")

    queue(send_at=timezone.now() + timedelta(hours=1))

    assert live.receipts == []


def test_tasks__many_are_handed_over_in_chunks_of_keys(settings, engine):
    engine("tasks", DUMMY)

    dispatchers.tasks(range(1, 2 * dispatchers.CHUNK + 2))

    results = framework_tasks.send.get_backend().results
    assert [len(result.args[0]) for result in results] == [100, 100, 1]
    assert [pk for result in results for pk in result.args[0]] == list(range(1, 202))


@pytest.mark.parametrize(
    ("backend", "says"),
    [
        (IMMEDIATE, "sends in the process that queued the message"),
        (DUMMY, "runs no task"),
    ],
)
def test_tasks__check_tells_of_a_backend_that_does_not_queue(engine, backend, says):
    engine("tasks", backend)

    [(name, sentence)] = findings()

    assert name == "etelecom.W006"
    assert says in sentence


class QueueingBackend(framework_tasks.DummyBackend.__base__):
    """As a backend whose tasks another process runs."""

    def enqueue(self, task, args, kwargs):
        raise ConnectionError("the broker is down")


def test_tasks__check_is_content_with_a_backend_that_queues(engine):
    engine("tasks", "tests.test_engines.QueueingBackend")

    assert findings() == []


def test_tasks__backend_that_is_down_costs_a_log_line_and_no_message(
    askable, engine, queue, caplog
):
    engine("tasks", "tests.test_engines.QueueingBackend")

    message = queue()

    assert caplog.text.count("could not be handed on") == 1
    assert message.status == "queued"
    assert Worker().run_once() == Tally(sent=1)


def test_tasks__backend_that_is_not_there(engine, anew):
    anew("framework_tasks")
    engine("tasks", "nowhere.Backend")

    [(name, sentence)] = findings()

    assert name == "etelecom.E014"
    assert "nowhere.Backend" in sentence


def test_tasks__backend_that_does_not_take_the_task(engine, anew):
    anew("framework_tasks")
    engine("tasks", QUEUES=["mails"])

    [(name, sentence)] = findings()

    assert name == "etelecom.E014"
    assert "Queue 'default' is not valid" in sentence


# --- Celery -------------------------------------------------------------------------------------


@pytest.fixture
def published(engine):
    """Choose Celery with a broker in memory; returns what was published to it."""
    engine("celery")
    with celery_application("memory://", task_default_queue="test-engines") as app:

        def take_out():
            with app.connection_for_read() as connection:
                channel = connection.default_channel
                messages = iter(lambda: channel.basic_get("test-engines", no_ack=True), None)
                return [message.payload[0] for message in messages]

        yield take_out


def test_celery__carries_keys_and_nothing_else(askable, published, queue):
    message = queue()

    assert published() == [[[message.pk]]]


def test_celery__many_are_handed_over_in_chunks_of_keys(published):
    dispatchers.celery(range(1, 2 * dispatchers.CHUNK + 2))

    carried = [keys for [keys] in published()]
    assert [len(keys) for keys in carried] == [100, 100, 1]
    assert [pk for keys in carried for pk in keys] == list(range(1, 202))


def test_celery__eager_application_sends_in_the_process(live, engine, queue):
    engine("celery")
    with celery_application("memory://", task_always_eager=True):
        message = queue()

    message.refresh_from_db()
    assert message.status == "accepted"
    assert len(live.receipts) == 1


@pytest.fixture
def pool_process():
    """Have the handler of a process of a prefork pool: it raises wherever the process is then."""
    before = signal.signal(SIG_SOFT_TIMEOUT, soft_timeout_sighandler)
    yield
    found = signal.signal(SIG_SOFT_TIMEOUT, before)
    assert found == soft_timeout_sighandler


def test_celery__soft_time_limit_comes_after_what_is_in_flight(askable, queue, pool_process):
    pks = [queue().pk for _ in range(60)]

    def limit_exceeded(outgoing):
        if len(askable.sent) == 10:
            os.kill(os.getpid(), SIG_SOFT_TIMEOUT)
            os.kill(os.getpid(), SIG_SOFT_TIMEOUT)  # Celery does so.
        return accepted(outgoing)

    askable.answer = staticmethod(limit_exceeded)
    with pytest.raises(SoftTimeLimitExceeded):
        tasks.send(pks)

    statuses = set(MessageLog.objects.values_list("status", flat=True))
    assert statuses == {"accepted", "queued"}
    left = MessageLog.objects.filter(status="queued").count()
    assert Worker().run_once() == Tally(sent=left)


def test_celery__task_within_its_soft_time_limit(askable, queue, pool_process):
    message = queue()

    tasks.send([message.pk])

    message.refresh_from_db()
    assert message.status == "accepted"


def test_celery__check_asks_for_nothing_more(engine):
    engine("celery")

    assert findings() == []


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(tasks, "BROKER_TIMEOUT", 0.2)
    for name in tasks.FAIL_FAST.keys() - {"interval_start"}:
        monkeypatch.setitem(tasks.FAIL_FAST, name, 0.2)


@pytest.fixture
def mute_port():
    """A port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize("port", ["closed_port", "mute_port"])
def test_celery__broker_that_is_down_costs_a_log_line_and_no_message(
    askable, engine, queue, caplog, impatient, request, port
):
    engine("celery")
    port = request.getfixturevalue(port)
    with celery_application(f"amqp://guest:canary-password@127.0.0.1:{port}//"):
        message = queue()

    assert [record.message for record in caplog.records] == [
        "1 queued messages could not be handed on; a worker takes them."
    ]
    assert "canary-password" not in caplog.text
    assert message.status == "queued"
    assert Worker().run_once() == Tally(sent=1)


def test_celery__broker_that_is_down_keeps_a_caller_of_many_once(
    askable, engine, queue, caplog, impatient, closed_port
):
    engine("celery")
    with celery_application(f"amqp://127.0.0.1:{closed_port}//"):
        queue()
        queue()
        assert "failed a moment ago" in caplog.text
        caplog.clear()
        tasks._rests_until = 0.0  # As if some seconds had passed.
        queue()

    assert "failed a moment ago" not in caplog.text
    assert "could not be handed on" in caplog.text
    assert Worker().run_once() == Tally(sent=3)


def test_celery__each_of_several_brokers_is_tried(engine, closed_port, impatient, published):
    urls = f"amqp://127.0.0.1:{closed_port}//;memory://"
    with celery_application(urls, task_default_queue="test-engines"):
        dispatchers.celery([1])

    assert published() == [[[1]]]


# --- A package that is missing ------------------------------------------------------------------

SITE = """
import sys

for name in sys.argv[1:]:
    sys.modules[name] = None  # As if it were not installed.

import django
from django.conf import settings
from django.core import checks

django.setup()
from django_etelecom import admin, services, urls, webhooks, worker

for engine in ("worker", "tasks", "celery"):
    path = "django_etelecom.dispatchers." + engine
    settings.ETELECOM = {**settings.ETELECOM, "DISPATCHER": path}
    for found in checks.run_checks(tags=["etelecom"]):
        print(engine, found.id, found.msg)
"""


def test_site_without_celery__is_told_so_only_where_it_chose_it():
    said = subprocess.run(
        [sys.executable, "-c", SITE, "celery", "kombu"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    assert [line.split()[:2] for line in said.splitlines()] == [
        ["tasks", "etelecom.W006"],
        ["celery", "etelecom.E014"],
    ]
    assert "pip install 'django-etelecom[celery]'" in said


def test_engine__whose_package_is_missing_costs_a_log_line(
    askable, engine, queue, anew, monkeypatch, caplog
):
    engine("celery")
    anew("tasks")
    monkeypatch.setitem(sys.modules, "celery", None)

    message = queue()

    assert "pip install 'django-etelecom[celery]'" in caplog.text
    assert message.status == "queued"
