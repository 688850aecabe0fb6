"""How a queued message reaches another process: a few lines for each engine.

A dispatcher is called once the message is committed, with primary keys. It may lose them or bring
them twice: the row is the queue, the claim decides who sends, and a worker sweeps what is due.
"""

import contextlib
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from .conf import DEFAULT_DISPATCHER, settings

logger = logging.getLogger("django_etelecom")

Dispatcher = Callable[[Sequence[int]], object]

CHUNK = 100
"""Messages that one task of an engine carries at most: some seconds' work of one process."""


def dispatch(pks: Sequence[int]) -> bool:
    """Hand queued messages to the site's DISPATCHER. Its fault costs a log line and no message.

    Returns:
        Whether it took them.
    """
    try:
        dispatcher()(pks)
    # A broker's client may raise anything, and the caller's work is committed by now: the message
    # is in its row, and a worker sends it.
    except Exception:
        logger.exception(
            "%d queued messages could not be handed on; a worker takes them.", len(pks)
        )
        return False
    return True


def dispatch_many(pks: Iterable[int]) -> None:
    """Hand the messages of a campaign on, by the chunk, until one is not taken."""
    if settings.dispatcher == DEFAULT_DISPATCHER:
        # Not even read: a worker finds them.
        return
    source = iter(pks)
    while (chunk := list(itertools.islice(source, CHUNK))) and dispatch(chunk):
        pass


def dispatcher() -> Dispatcher:
    """Import the site's DISPATCHER.

    Raises:
        ImproperlyConfigured: it is not the dotted path of a function.
    """
    path: object = settings.dispatcher
    try:
        found = import_string(path) if isinstance(path, str) else None
    except ImportError as error:
        raise ImproperlyConfigured(
            f"ETELECOM['DISPATCHER'] cannot be imported: {error}."
        ) from error
    if not callable(found):
        raise ImproperlyConfigured(
            "ETELECOM['DISPATCHER'] is the dotted path of a function, such as "
            "'django_etelecom.dispatchers.worker'."
        )
    function: Dispatcher = found
    return function


def check_dispatcher() -> None:
    """Import the site's DISPATCHER and what it needs.

    Raises:
        ImproperlyConfigured: as `dispatcher`, or its engine cannot be used.
    """
    chosen = dispatcher()
    if chosen is tasks:
        _enqueue_on_tasks()
    if chosen is celery:
        _enqueue_on_celery()


def worker(pks: Sequence[int]) -> None:
    """Leave them to `etelecom_worker`, which looks every second."""


def tasks(pks: Sequence[int]) -> None:
    """Hand them to Django's task framework.

    Raises:
        ImproperlyConfigured: it is not installed, or TASKS cannot be used.
        Exception: the backend's own, which took nothing from there on.
    """
    enqueue = _enqueue_on_tasks()
    for chunk in _chunks(pks):
        enqueue(chunk)


def celery(pks: Sequence[int]) -> None:
    """Hand them to Celery's workers.

    Raises:
        ImproperlyConfigured: Celery is not installed.
        kombu.exceptions.OperationalError: the broker took nothing from there on.
    """
    enqueue = _enqueue_on_celery()
    for chunk in _chunks(pks):
        enqueue(chunk)


def _chunks(pks: Sequence[int]) -> Iterator[list[int]]:
    for start in range(0, len(pks), CHUNK):
        yield list(pks[start : start + CHUNK])


def _enqueue_on_tasks() -> Callable[[list[int]], None]:
    with _installed("tasks"):
        # Not at the top: a site without an engine has not installed it.
        from .framework_tasks import enqueue
    return enqueue


def _enqueue_on_celery() -> Callable[[list[int]], None]:
    with _installed("celery"):
        # Not at the top, as above.
        from .tasks import enqueue
    return enqueue


@contextlib.contextmanager
def _installed(extra: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise ImproperlyConfigured(
            f"ETELECOM['DISPATCHER'] is 'django_etelecom.dispatchers.{extra}', and its package "
            f"cannot be imported ({error}): pip install 'django-etelecom[{extra}]'."
        ) from error
