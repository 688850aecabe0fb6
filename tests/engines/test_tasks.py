"""Django's task framework, with a backend that queues and its worker."""

import pytest
from django_tasks_db.models import DBTaskResult

from django_etelecom import dispatchers
from tests.engines.conftest import (
    all_accepted,
    assert_none_was_lost,
    assert_none_was_sent_twice,
    kill,
    statuses,
    sweep_and_send,
    wait_until,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_tasks__worker_sends_what_was_committed(engine, tasks_worker, queue_many, simulator):
    engine("tasks")
    queue_many(5)
    assert statuses() == {"queued": 5}

    worker = tasks_worker("--batch")

    assert worker.wait(timeout=30) == 0
    assert all_accepted()
    assert_none_was_sent_twice(simulator)


def test_tasks__killed_in_the_middle_sends_none_twice_and_loses_none(
    engine, tasks_worker, queue_many, simulator
):
    engine("worker")
    dispatchers.tasks(queue_many(250))
    worker = tasks_worker()
    wait_until(lambda: len(simulator.receipts) >= 60, what="sending some")

    kill(worker)

    left = statuses()
    assert left["queued"], left
    assert left["sending"], left
    sweep_and_send()
    assert statuses() == {"unknown": left["sending"], "accepted": 250 - left["sending"]}
    # The other tasks find nothing to do; the backend leaves that of the killed worker as it was.
    assert tasks_worker("--batch").wait(timeout=30) == 0
    assert sorted(DBTaskResult.objects.values_list("status", flat=True)) == [
        "RUNNING",
        "SUCCESSFUL",
        "SUCCESSFUL",
    ]
    assert_none_was_sent_twice(simulator)
    assert_none_was_lost(simulator)
