"""What transactions do to us: views that must not run inside one, statements that lost a race."""

import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.db import OperationalError, connections, transaction
from django.db.transaction import TransactionManagementError

View = TypeVar("View", bound=Callable[..., Any])
Done = TypeVar("Done")

UNDONE_RETRIES = 5
"""How often what the database undid for another's sake is run again."""

UNDONE_PAUSE = 0.01
"""Seconds until then at most, the first time; twice as long each time after it."""

DEADLOCKS = frozenset({"40P01", "40001", 1213, 1467, 1020})
"""SQLSTATEs of PostgreSQL's and error numbers of MariaDB's: the database undid one of several
transactions that waited for one another, 1467 where it was for the next key of a table, or one that
met what had changed since its snapshot (40001, 1020)."""


def non_atomic(view: View) -> View:
    """Exempt a view from ATOMIC_REQUESTS of every database.

    What sends or asks would hold the transaction open over the network, or wait for its end.
    """
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view


def refuse_inside_atomic(name: str, *, using: str) -> None:
    """Refuse to go over the network while a transaction of the caller's is open.

    Args:
        name: of what was called.
        using: the alias of the database.

    Raises:
        TransactionManagementError: one is, or autocommit is off, which comes to the same.
    """
    connection = connections[using]
    is_open = not connection.in_atomic_block and not connection.get_autocommit()
    if connection.in_atomic_block:
        try:
            # Django lets this one into the blocks that a TestCase wraps around a test.
            with transaction.atomic(using=using, durable=True):
                pass
        except RuntimeError:
            is_open = True
    if is_open:
        raise TransactionManagementError(
            f"{name} goes over the network: call it outside of atomic(), with autocommit on."
        )


def run_until_done(work: Callable[[], Done]) -> Done:
    """Run what makes transactions of its own, again where the database undid one of them.

    Args:
        work: what may be run again after any of its transactions.

    Raises:
        OperationalError: it was undone each time, or something else went wrong.
    """
    for tries in range(UNDONE_RETRIES):
        try:
            return work()
        except OperationalError as error:
            if not was_undone(error):
                raise
        # Those that met would meet again, did they all begin at once.
        time.sleep(random.uniform(0.0, UNDONE_PAUSE * 2**tries))  # noqa: S311  # nosec B311  # no secret
    return work()


def was_undone(error: OperationalError) -> bool:
    """Tell whether the database undid the transaction for another's sake: it may be run again."""
    cause = error.__cause__
    told = (getattr(cause, "sqlstate", None), getattr(cause, "pgcode", None), *error.args[:1])
    return not DEADLOCKS.isdisjoint(told)
