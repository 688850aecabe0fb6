"""Real brokers and real worker processes; the simulator's receipts are the judge."""

import functools
import os
import signal
import subprocess
import sys
import uuid
from collections import Counter
from datetime import timedelta
from urllib.parse import urlsplit, urlunsplit

import kombu
import pytest
import redis
from django.db import connection, transaction
from django.utils import timezone

from django_etelecom.models import MessageLog
from django_etelecom.services import queue_message
from django_etelecom.simulator import Simulator
from django_etelecom.worker import Worker
from tests import waiting
from tests.publishing import celery_application

BROKERS = {
    "redis": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/9"),
    "rabbitmq": os.environ.get("RABBITMQ_URL", "amqp://guest:guest@127.0.0.1:5672//"),
}

wait_until = functools.partial(waiting.wait_until, seconds=30)


@pytest.fixture
def simulator():
    """It takes its time, so that there is something in flight when a worker is killed."""
    with Simulator(delay=0.3) as simulator:
        yield simulator


@pytest.fixture
def engine(transactional_db, simulator, settings):
    """Choose the site's dispatcher."""

    def choose(name):
        accounts = settings.ETELECOM["ACCOUNTS"]
        settings.ETELECOM = {
            "ACCOUNTS": {"default": {**accounts["default"], "BASE_URL": simulator.base_url}},
            "DISPATCHER": f"django_etelecom.dispatchers.{name}",
        }

    return choose


@pytest.fixture
def queue_many(order_template, order_params):
    """Queue messages to as many numbers; returns their keys."""

    def queue(number):
        with transaction.atomic():
            return [
                queue_message(order_template, f"091{position:07}", order_params).pk
                for position in range(number)
            ]

    return queue


@pytest.fixture(params=BROKERS)
def broker(request, engine):
    """A broker with a queue of this test's own, and the application that publishes to it."""
    queue = f"etelecom-{uuid.uuid4().hex}"
    conf = {
        "task_default_queue": queue,
        "broker_transport_options": {"global_keyprefix": f"{queue}:"},
    }
    url = BROKERS[request.param]
    engine("celery")
    with celery_application(url, **conf) as app:
        yield app
    if request.param == "redis":
        with redis.Redis.from_url(url) as client:
            for key in client.scan_iter(f"{queue}:*"):
                client.delete(key)
        return
    with kombu.Connection(url) as connection:
        connection.default_channel.queue_delete(queue)
        connection.default_channel.exchange_delete(queue)


@pytest.fixture
def start(simulator, tmp_path):
    """Start processes of ours; each in a group of its own, and all of them ended with the test."""
    started = []

    def start(*arguments, **environment):
        with (tmp_path / f"{len(started)}.log").open("w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env={
                    **os.environ,
                    "DJANGO_SETTINGS_MODULE": "tests.engines.settings",
                    "DATABASE_URL": url_of_test_database(),
                    "SIMULATOR_URL": simulator.base_url,
                    **environment,
                },
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=10)


def url_of_test_database():
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))


def kill(process):
    """Kill a process and its children, as a machine that dies does."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)
    wait_until(lambda: not sessions_of_others(), what="ending the sessions of the killed")


def sessions_of_others():
    """Sessions of other processes in the test's database, in which something may yet commit."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return cursor.fetchone()[0]


@pytest.fixture
def celery_worker(start, broker):
    def start_worker(*options, pool="prefork"):
        return start(
            *("celery", "-A", "tests.engines.celery_app", "worker", "--pool", pool),
            *("--concurrency", "2", "--without-gossip", "--without-mingle"),
            *("--without-heartbeat", "--loglevel", "INFO", *options),
            CELERY_BROKER_URL=broker.conf.broker_url,
            CELERY_QUEUE=broker.conf.task_default_queue,
        )

    return start_worker


@pytest.fixture
def tasks_worker(start):
    def start_worker(*options):
        return start("django", "db_worker", "--interval", "0.1", "--no-startup-delay", *options)

    return start_worker


def statuses():
    return Counter(MessageLog.objects.values_list("status", flat=True))


def all_accepted():
    return statuses().keys() == {"accepted"}


def sweep_and_send():
    """Do what `etelecom_worker` does once the leases of those that were killed have ended."""
    MessageLog.objects.filter(status="sending").update(
        lease_expires_at=timezone.now() - timedelta(seconds=1)
    )
    return Worker().run_once()


def assert_none_was_sent_twice(simulator):
    receipts = Counter(receipt.phone_number for receipt in simulator.receipts)
    assert receipts.most_common(1)[0][1] == 1


def assert_none_was_lost(simulator):
    """Each message was received, or it is told that nobody knows."""
    received = {receipt.phone_number for receipt in simulator.receipts}
    for message in MessageLog.objects.all():
        assert message.status in ("accepted", "unknown")
        assert message.status == "unknown" or message.recipient in received
