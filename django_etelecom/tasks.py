"""Celery's task, in the module that its autodiscovery looks for. Imported where Celery is only."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator

from billiard.pool import SIG_SOFT_TIMEOUT, soft_timeout_sighandler
from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from kombu.exceptions import OperationalError
from kombu.pools import producers

from .sender import send_now

BROKER_TIMEOUT = 2
"""Seconds that a caller waits for a broker to connect, and for each of its answers."""

REST = 5.0
"""Seconds for which a broker that failed is not asked again: a caller of many waits once."""

FAIL_FAST = {
    # Of the transport's reconnecting: Celery's own defaults keep the caller for 6 seconds where
    # nothing listens, and for ever where Redis accepts a connection and does not answer.
    "connect_retries_timeout": BROKER_TIMEOUT,
    "interval_start": 0,
    # Of Redis' sockets, and of RabbitMQ's.
    "socket_connect_timeout": BROKER_TIMEOUT,
    "socket_timeout": BROKER_TIMEOUT,
    "read_timeout": BROKER_TIMEOUT,
    "write_timeout": BROKER_TIMEOUT,
}
"""Transport options for publishing, beside the site's own."""


# Acknowledged late, so that what a killed worker had not begun goes to another one. Carried twice,
# a message is sent once: its claim decides.
@shared_task(name="django_etelecom.send", ignore_result=True, acks_late=True)  # type: ignore[untyped-decorator]
def send(pks: list[int]) -> None:
    """Send those of the messages that are due and that nobody else has taken on.

    Raises:
        SoftTimeLimitExceeded: once what was in flight is recorded.
    """
    with _soft_time_limit() as is_over:
        send_now(pks, is_told_to_stop=is_over)


@contextlib.contextmanager
def _soft_time_limit() -> Iterator[Callable[[], bool]]:
    """Have the soft time limit noted, and raised at the end of the block.

    Celery raises it, often twice, between any two lines: in a query, whose connection is of no
    use afterwards, or in what records the answers.
    """
    if SIG_SOFT_TIMEOUT is None or signal.getsignal(SIG_SOFT_TIMEOUT) != soft_timeout_sighandler:
        # No process of a prefork pool, which alone knows soft time limits.
        yield lambda: False
        return
    noted: list[int] = []
    signal.signal(SIG_SOFT_TIMEOUT, lambda number, _frame: noted.append(number))
    try:
        yield lambda: bool(noted)
    finally:
        signal.signal(SIG_SOFT_TIMEOUT, soft_timeout_sighandler)
    if noted:
        raise SoftTimeLimitExceeded


_rests_until = 0.0
"""By the monotonic clock."""


def enqueue(pks: list[int]) -> None:
    """Publish one task; the caller's request waits for it.

    Raises:
        kombu.exceptions.OperationalError: the broker cannot be reached, does not answer, or did
            not a moment ago.
    """
    global _rests_until
    if time.monotonic() < _rests_until:
        raise OperationalError("The broker failed a moment ago, and is not asked again yet.")
    try:
        _publish(pks)
    except Exception:
        _rests_until = time.monotonic() + REST
        raise


def _publish(pks: list[int]) -> None:
    connection = send.app.connection_for_write(
        connect_timeout=BROKER_TIMEOUT, transport_options=FAIL_FAST
    )
    # Each of several brokers is tried once.
    connection.transport_options["max_retries"] = max(0, len(connection.alt) - 1)
    # A pool of our own, since the site's connections wait for as long as the site wants.
    with producers[connection].acquire(block=True, timeout=BROKER_TIMEOUT) as producer:
        send.apply_async([pks], producer=producer, retry=False)
