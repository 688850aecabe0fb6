"""How a queued message reaches another process: a few lines for each engine.

A dispatcher is called once the message is committed, with primary keys. It may lose them or bring
them twice: the row is the queue, the claim decides who sends, and a worker sweeps what is due.
"""

import itertools
import logging
from collections.abc import Callable, Iterable, Sequence

from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from .conf import DEFAULT_DISPATCHER, settings

logger = logging.getLogger("django_etelecom")

CHUNK = 500
"""Primary keys that are handed on at once at most."""


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


def dispatcher() -> Callable[[Sequence[int]], object]:
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
    function: Callable[[Sequence[int]], object] = found
    return function


def worker(pks: Sequence[int]) -> None:
    """Leave them to `etelecom_worker`, which looks every second."""
