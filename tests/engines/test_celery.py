"""Celery's workers, on real brokers."""

import os
import signal
import socket

import pytest

from django_etelecom import dispatchers
from django_etelecom.models import MessageLog
from django_etelecom.worker import Worker
from tests.engines.conftest import (
    all_accepted,
    assert_none_was_lost,
    assert_none_was_sent_twice,
    kill,
    statuses,
    sweep_and_send,
    wait_until,
)
from tests.publishing import celery_application

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def campaign(broker, queue_many, settings):
    """250 messages of which Celery carries the keys, in three tasks."""
    settings.ETELECOM = {**settings.ETELECOM, "DISPATCHER": "django_etelecom.dispatchers.worker"}
    pks = queue_many(250)
    dispatchers.celery(pks)
    return pks


@pytest.mark.parametrize(
    ("broker", "pool"),
    [("rabbitmq", "prefork"), ("redis", "prefork"), ("redis", "threads"), ("redis", "solo")],
    indirect=["broker"],
)
def test_celery__worker_sends_what_was_committed(
    broker, celery_worker, queue_many, simulator, pool
):
    worker = celery_worker(pool=pool)
    queue_many(5)

    wait_until(all_accepted, what="sending by Celery")

    assert_none_was_sent_twice(simulator)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=20) == 0


def test_celery__killed_in_the_middle_sends_none_twice_and_loses_none(
    campaign, celery_worker, simulator
):
    worker = celery_worker()
    wait_until(lambda: len(simulator.receipts) >= 60, what="sending some")

    kill(worker)

    left = statuses()
    assert left["queued"], left
    assert left["sending"], left
    sweep_and_send()
    assert statuses() == {"unknown": left["sending"], "accepted": 250 - left["sending"]}
    assert_none_was_sent_twice(simulator)
    assert_none_was_lost(simulator)


def test_celery__tasks_of_a_killed_worker_go_to_another(campaign, celery_worker, simulator):
    worker = celery_worker()
    wait_until(lambda: len(simulator.receipts) >= 60, what="sending some")
    kill(worker)
    in_flight = statuses()["sending"]

    another = celery_worker()

    wait_until(lambda: not statuses()["queued"], what="sending the rest by another worker")
    another.send_signal(signal.SIGTERM)
    assert another.wait(timeout=30) == 0
    assert statuses() == {"sending": in_flight, "accepted": 250 - in_flight}
    sweep_and_send()
    assert_none_was_sent_twice(simulator)
    assert_none_was_lost(simulator)


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_celery__killed_child_of_a_pool_leaves_the_rest_to_the_worker(
    campaign, celery_worker, simulator
):
    worker = celery_worker()
    wait_until(lambda: len(simulator.receipts) >= 10, what="sending some")
    for child in children(worker):
        os.kill(child, signal.SIGKILL)

    wait_until(lambda: children(worker), what="a new child")
    third = MessageLog.objects.filter(pk__in=campaign[200:], status="accepted")
    wait_until(lambda: third.count() == 50, what="sending the third task")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=30) == 0
    sweep_and_send()

    assert_none_was_sent_twice(simulator)
    assert_none_was_lost(simulator)


def children(process):
    with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
        return [int(pid) for pid in file.read().split()]


@pytest.mark.parametrize("broker", ["redis"], indirect=True)
def test_celery__soft_time_limit_leaves_nothing_in_doubt(campaign, celery_worker, simulator):
    # 100 messages, 32 at a time, each some 0.3 seconds: the limit comes in the middle.
    worker = celery_worker("--soft-time-limit", "0.7")
    wait_until(lambda: len(simulator.receipts) >= 60, what="sending some")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=20) == 0

    left = statuses()
    assert left.keys() == {"queued", "accepted"}
    assert Worker().run_once().sent == left["queued"]
    assert_none_was_sent_twice(simulator)
    assert all_accepted()


# --- A broker that is down ----------------------------------------------------------------------


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
@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_celery__broker_that_is_down_costs_a_log_line_and_no_message(
    engine, queue_many, caplog, request, scheme, port
):
    engine("celery")
    port = request.getfixturevalue(port)
    with celery_application(f"{scheme}://127.0.0.1:{port}//"):
        queue_many(1)

    assert [record.message for record in caplog.records] == [
        "1 queued messages could not be handed on; a worker takes them."
    ]
    assert Worker().run_once().sent == 1
    assert all_accepted()
