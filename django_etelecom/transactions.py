"""Views that must not run inside a transaction of the request's."""

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import connections, transaction

View = TypeVar("View", bound=Callable[..., Any])


def non_atomic(view: View) -> View:
    """Exempt a view from ATOMIC_REQUESTS of every database.

    What sends or asks would hold the transaction open over the network, or wait for its end.
    """
    for alias in connections:
        view = transaction.non_atomic_requests(using=alias)(view)
    return view
