"""The look that libcurl does not take at a connection before another request goes over it."""

import math
import selectors
import time

from . import connections

_IN_USE = -1, -math.inf
"""Of no file, and never fresh."""


class Kept:
    """The connections that libcurl has, by the port on our side."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        # No more than there are ports. One whose exchange failed stays in use, for nobody tells
        # that it is closed: who gets its port later dials once more.
        self._by_port: dict[int, tuple[int, float]] = {}

    def note(self, port: int, number: int, *, is_trusted: bool = True) -> None:
        """Note that a connection has just carried a whole answer.

        Args:
            port: on our side.
            number: of the file that it is; below 0: it is closed.
            is_trusted: whether it may carry another.
        """
        if number >= 0:
            self._by_port[port] = number, time.monotonic() if is_trusted else -math.inf
        else:
            self._by_port.pop(port, None)

    def is_stale(self, port: int) -> bool:
        """Tell whether a connection may not carry a request; if it may, it is in use from now on.

        What is in use may not: libcurl hands a connection on as soon as an answer is whole, before
        anybody has looked whether more came than that.
        """
        kept = self._by_port.pop(port, None)
        if kept is None:
            self._by_port[port] = _IN_USE
            return False
        number, last_used = kept
        if time.monotonic() - last_used >= connections.MAX_IDLE:
            return True
        try:
            self._selector.register(number, selectors.EVENT_READ)
        # libcurl has closed it, and another has got its port.
        except OSError:
            return True
        has_come = self._selector.select(0)
        self._selector.unregister(number)
        if not has_come:
            self._by_port[port] = _IN_USE
        return bool(has_come)

    def close(self) -> None:
        self._selector.close()
