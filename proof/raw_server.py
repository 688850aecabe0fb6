"""A server that writes the bytes it is told to, whatever they are, and says what it was asked."""

import asyncio
import collections
import json
import re
import socket
import struct
import threading
from collections.abc import Callable

from .wire_answers import GET_STATUS, SEND, Answer, End

PATIENCE = 0.25
"""Seconds for which a client may wait for more, before the connection is closed."""

BETWEEN_PIECES = 0.002

UNDERSTOOD = {
    SEND: {"accepted", "rejected"},
    GET_STATUS: {"delivered", "undelivered"},
}
"""What a message can be called after an answer in a sound frame."""

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Answering = Callable[[str, dict[str, object]], Answer]
"""Given the path of a request and its JSON: the answer to it."""


class RawServer:
    """Listens on the loopback in a thread of its own; a context manager."""

    def __init__(self, port: int, answer: Answering) -> None:
        self.answer = answer
        self.received: collections.Counter[tuple[str, str]] = collections.Counter()
        """How many requests came, by path and by whom they were about."""
        self.answered: set[tuple[str, str]] = set()
        """To which an answer was written, whole but where the client had enough of it before."""
        self.after_others: set[tuple[str, str]] = set()
        """Which came behind an answer that need not be understood: of it more may have come."""
        self.before: dict[tuple[str, str], Answer] = {}
        """The answer before that to a request, on the same connection."""
        self.faults: list[str] = []
        """Of this server itself, which leave the check without a say."""
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> "RawServer":
        self._thread.start()
        listening = self._loop.create_server(
            lambda: _Conversation(self), "127.0.0.1", self._port, backlog=512
        )
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _Conversation(asyncio.Protocol):
    def __init__(self, server: RawServer) -> None:
        self._server = server
        self._unread = b""
        self._requests = 0
        self._is_spoilt = False
        self._last: Answer | None = None

    def connection_made(self, transport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._unread += data
        try:
            self._read()
        # It would end in the loop's own log, and the request without an answer.
        except Exception as error:  # noqa: BLE001
            self._server.faults.append(f"{type(error).__name__}: {error}")
            self._transport.abort()

    def _read(self) -> None:
        head, blank, rest = self._unread.partition(b"\r\n\r\n")
        if not blank:
            return
        length = int(_LENGTH.search(head)[1])
        if len(rest) < length:
            return
        self._unread = rest[length:]
        self._requests += 1
        path = head.split(b" ", 2)[1].decode()
        asked = json.loads(rest[:length])
        about = str(asked.get("phonenumber") or asked.get("idOmniMess"))
        self._server.received[path, about] += 1
        if self._last is not None:
            self._server.before[path, about] = self._last
        if self._is_spoilt:
            self._server.after_others.add((path, about))
        answer = self._last = self._server.answer(path, asked)
        self._is_spoilt |= answer.statuses is None or not answer.statuses <= UNDERSTOOD[path]
        self._write(answer, (path, about))

    def _write(self, answer: Answer, request: tuple[str, str], written: int = 0) -> None:
        if self._transport.is_closing():
            return
        for place in range(written, len(answer.pieces)):
            if place > written:
                loop = self._server._loop
                loop.call_later(BETWEEN_PIECES, self._write, answer, request, place)
                return
            self._server.answered.add(request)
            self._transport.write(answer.pieces[place])
        self._server.answered.add(request)
        self._end(answer.end)

    def _end(self, end: End) -> None:
        if end is End.CLOSES:
            self._transport.close()
        elif end is End.RESETS:
            connection = self._transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self._transport.abort()
        elif end is End.KEEPS_FOR_NOW:
            self._server._loop.call_later(PATIENCE, self._give_up, self._requests)

    def _give_up(self, requests: int) -> None:
        if requests == self._requests:
            self._transport.close()
