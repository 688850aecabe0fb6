"""The moments at which a sending process can be killed, and how it comes to die at one of them.

Where the process itself can tell that it has come there, it sends itself SIGKILL: nothing of it
runs on, as with `kill -9`. The moments on the wire that only the other side knows are the proxy's.
"""

import enum
import os
import re
import signal
import sys
import threading
from collections.abc import Callable

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from django_etelecom.backends.bulk import BulkBackend
from django_etelecom.client.connections import LimitedSocket


class Step(enum.StrEnum):
    """Where in `deliver` a process dies."""

    BEFORE_CLAIM = "before the claim"
    AFTER_CLAIM = "after the claim"
    BEFORE_CONNECT = "before it connects"
    AFTER_CONNECT = "after it connected"
    AFTER_FIRST_BYTE = "after the first byte"
    BEFORE_ANSWER = "before the answer"
    AFTER_ANSWER = "after the answer"
    BEFORE_COMMIT = "before the commit"
    AFTER_COMMIT = "after the commit"
    AT_RANDOM = "at random"


MESSAGES = "etelecom_messagelog"
EVENTS = "etelecom_messageevent"
_SET = re.compile(r"\bWHERE\b")


class Fate:
    """Kills this process when it comes to a step for the n-th time."""

    def __init__(
        self,
        step: Step,
        occurrence: int,
        *,
        port: int,
        claims: Callable[..., bool] | None = None,
        records: Callable[..., bool] | None = None,
    ) -> None:
        """Bring it over this process, before it connects to its database.

        Args:
            step: where to die.
            occurrence: at which time, from 1.
            port: the provider's.
            claims: given a statement and its parameters: tells whether it claims a message.
            records: the same: whether it keeps what came of an attempt.
        """
        self.step = step
        self._left = occurrence
        self._port = port
        self._claims = claims or is_claim
        self._records = records or is_record
        self._lock = threading.Lock()
        self._written = _Written()
        connection_created.connect(self._join, weak=False)
        commit = BaseDatabaseWrapper._commit

        def committing(wrapper):
            self._come_to_commit()
            commit(wrapper)
            self._has_committed()

        BaseDatabaseWrapper._commit = committing
        if step is Step.BEFORE_CONNECT:
            sys.addaudithook(self._hear)
            self._listen_at_libcurl()
        if step in (Step.AFTER_CONNECT, Step.AFTER_FIRST_BYTE):
            self._listen_at_sockets()

    def comes_to(self, step: Step) -> None:
        if step is not self.step:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    # The database

    def _join(self, connection, **_: object) -> None:
        # A thread has a connection of its own, which may be opened more than once.
        if self._execute not in connection.execute_wrappers:
            connection.execute_wrappers.append(self._execute)

    def _execute(self, execute, sql, params, many, context):
        claims, records = self._claims(sql, params), self._records(sql, params)
        if claims:
            self.comes_to(Step.BEFORE_CLAIM)
        if records:
            self.comes_to(Step.BEFORE_COMMIT)
        result = execute(sql, params, many, context)
        self._written.claim |= claims
        self._written.record |= records
        if not context["connection"].in_atomic_block:
            self._has_committed()
        return result

    def _come_to_commit(self) -> None:
        if self._written.claim:
            self.comes_to(Step.BEFORE_CLAIM)
        if self._written.record:
            self.comes_to(Step.BEFORE_COMMIT)

    def _has_committed(self) -> None:
        claims, records = self._written.claim, self._written.record
        self._written.claim = self._written.record = False
        if claims:
            self.comes_to(Step.AFTER_CLAIM)
        if records:
            self.comes_to(Step.AFTER_COMMIT)

    # The wire

    def _hear(self, event, arguments) -> None:
        if event == "socket.connect" and self._port in arguments[1][1:2]:
            self.comes_to(Step.BEFORE_CONNECT)

    def _listen_at_libcurl(self) -> None:
        # What libcurl does makes no sound in Python; this is the last that can be heard.
        begin = BulkBackend.begin

        def beginning(backend, outgoing, answered):
            self.comes_to(Step.BEFORE_CONNECT)
            begin(backend, outgoing, answered)

        BulkBackend.begin = beginning

    def _listen_at_sockets(self) -> None:
        connect, send, sendall = LimitedSocket.connect, LimitedSocket.send, LimitedSocket.sendall

        def connecting(socket, address):
            connect(socket, address)
            self.comes_to(Step.AFTER_CONNECT)

        def sending(socket, request):
            if self.step is Step.AFTER_FIRST_BYTE and self._left == 1:
                send(socket, request[:1])
            self.comes_to(Step.AFTER_FIRST_BYTE)
            sendall(socket, request)

        LimitedSocket.connect, LimitedSocket.sendall = connecting, sending


class _Written(threading.local):
    """What a thread has written and not yet committed."""

    claim = False
    record = False


def is_claim(sql: str, params) -> bool:
    """Tell whether a statement makes a message `sending`."""
    verb = sql.split(None, 1)[0]
    if verb not in ("INSERT", "UPDATE") or MESSAGES not in sql[:60] or not params:
        return False
    # What it looks for is no claim: a message that was `sending` is told so by many.
    written = params if verb == "INSERT" else params[: _SET.split(sql)[0].count("%s")]
    return "sending" in list(written)


def is_record(sql: str, params=None) -> bool:
    """Tell whether a statement keeps what came of an attempt."""
    return sql.startswith("INSERT") and EVENTS in sql[:60]
