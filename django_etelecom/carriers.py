"""The threads that carry messages where a backend has no carrier of its own."""

import contextlib
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Generic, TypeVar

from .backends.base import Land, MayBegin, Outgoing
from .client.protocol import SendResult

T = TypeVar("T")


class Threads(Generic[T]):
    """Up to `concurrency` threads, of which each sends one message at a time."""

    def __init__(
        self,
        send: Callable[[T, Outgoing], SendResult],
        concurrency: int,
        land: Land[T],
        may_begin: MayBegin[T],
    ) -> None:
        self._send = send
        self._concurrency = concurrency
        self._land = land
        self._may_begin = may_begin
        self._threads: list[threading.Thread] = []
        self._ready: queue.SimpleQueue[tuple[T, Outgoing] | None] = queue.SimpleQueue()

    def start(self, ticket: T, outgoing: Outgoing) -> None:
        self._ready.put((ticket, outgoing))
        if len(self._threads) < self._concurrency:
            thread = threading.Thread(target=self._work, name="etelecom-send", daemon=True)
            thread.start()
            self._threads.append(thread)

    def take_back(self) -> list[T]:
        taken = []
        with contextlib.suppress(queue.Empty):
            while (one := self._ready.get_nowait()) is not None:
                taken.append(one[0])
        return taken

    def close(self) -> None:
        for _thread in self._threads:
            self._ready.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (one := self._ready.get()) is not None:
            if self._may_begin(one[0]):
                self._land(one[0], partial(self._send, *one))
