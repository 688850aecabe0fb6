"""For the tests of sites that send: what was sent, and sending inside a `TestCase`."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any
from unittest import mock

from django.db import transaction
from django.test import override_settings

from .backends.locmem import SentMessage, outbox
from .guard_rules import DEFAULTS
from .models import MessageLog

logger = logging.getLogger("django_etelecom")

__all__ = ["LOCMEM_SETTINGS", "UNHURRIED_GUARDS", "SentMessage", "outbox", "sent_messages"]

UNHURRIED_GUARDS: dict[str, dict[str, Any]] = {
    category: {"HOURS": {}, "LIMITS": [], "COOLDOWN": [], "BUDGET": None} for category in DEFAULTS
}
"""`GUARDS` of which none goes by the clock: one message may follow another, at any hour."""

LOCMEM_SETTINGS: dict[str, Any] = {
    "ACCOUNTS": {"default": {"BACKEND": "django_etelecom.backends.locmem.LocMemBackend"}},
    "GUARDS": UNHURRIED_GUARDS,
}
"""`ETELECOM` for tests that send nothing, under `UNHURRIED_GUARDS`."""


@contextlib.contextmanager
def sent_messages(*, etelecom: dict[str, Any] | None = None) -> Iterator[list[SentMessage]]:
    """Send to `outbox` inside the block, also from within a `TestCase`.

    A `TestCase` never commits, so its messages would stay queued. Inside the block they are
    delivered when the outermost `atomic()` of the code under test ends, as they would be in
    production; what is rolled back is not sent::

        with sent_messages() as outbox:
            self.client.post("/orders/", {...})
        self.assertEqual(outbox[0].params["otp"], "123456")

    Of the guards those that go by the clock are off, as in `UNHURRIED_GUARDS`; suppression,
    consent and label hold.

    Args:
        etelecom: the `ETELECOM` setting inside the block; by default `LOCMEM_SETTINGS`.

    Yields:
        The outbox, emptied at the start.
    """
    outbox.clear()
    with (
        override_settings(ETELECOM=etelecom or LOCMEM_SETTINGS),
        committing_inside_testcase(MessageLog.database()),
    ):
        yield outbox


@contextlib.contextmanager
def committing_inside_testcase(database: str) -> Iterator[None]:
    """Run on-commit callbacks as soon as only the `TestCase` itself holds a transaction open."""
    connection = transaction.get_connection(database)
    on_commit, end = connection.on_commit, transaction.Atomic.__exit__

    def commit() -> None:
        # Django marks a TestCase's own blocks, for its check of durable atomics.
        is_outermost = all(block._from_testcase for block in connection.atomic_blocks)
        if not is_outermost or connection.needs_rollback:
            return
        callbacks, connection.run_on_commit = connection.run_on_commit, []
        for _savepoints, callback, is_robust in callbacks:
            try:
                callback()
            # Whatever it is: so does Django with a callback that may fail.
            except Exception:
                if not is_robust:
                    raise
                logger.exception("A callback of on_commit(robust=True) failed.")

    def then_commit(*args: Any, **kwargs: Any) -> None:
        on_commit(*args, **kwargs)
        commit()

    def end_and_commit(block: transaction.Atomic, kind: Any, *args: Any) -> None:
        end(block, kind, *args)
        if kind is None and transaction.get_connection(block.using) is connection:
            commit()

    with (
        mock.patch.object(connection, "on_commit", then_commit),
        mock.patch.object(transaction.Atomic, "__exit__", end_and_commit),
    ):
        yield
