"""Many POSTs at a time over libcurl, each with the knowledge that `transport.py` has of its own.

Needs the extra `bulk`. libcurl does the HTTP, in one thread for all that is in flight. It sends a
request again by itself when a kept connection dies under it, so each transfer asks for leave before
its request goes and gets it once: that moment is on record, as the moment before the write is in
`connections.py`. libcurl also takes a kept connection without a look at it; the one who gives
leave has that look.
"""

import contextlib
import errno
import os
import queue
import re
import selectors
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import certifi
import pycurl

from . import connections
from .codes import Failure
from .connections import MAX_RECEIVED
from .interrupts import comes_from_outside
from .kept import Kept
from .opaque import Opaque, bare
from .transport import WITHOUT_BODY, NoAnswer, Response, parted
from .wire import MAX_BODY

TOO_LARGE = 100
"""libcurl's code for headers that never end, which pycurl has no name for."""

MAX_DIGITS = 18
"""Of a length that libcurl can hold, whatever they are."""

LEAVE: int = pycurl.PREREQFUNC_OK
NO_LEAVE: int = pycurl.PREREQFUNC_ABORT

MAX_KEPT = 1024
"""Connections that are kept open at most, those in use among them."""

Answered = Callable[[Response | NoAnswer], None]
"""What is called with what came of a request, once, in another thread. It must not raise."""


@dataclass(frozen=True, slots=True)
class _Flight:
    """A request that is to be sent."""

    url: str
    body: Opaque[bytes]
    answered: Answered


class CurlTransport:
    """Posts to one provider over kept connections. One instance serves many threads."""

    def __init__(
        self,
        *,
        connect_timeout: float,
        timeout: float,
        authorities: str = "",
        keep_alive: bool = True,
    ) -> None:
        """Make a transport.

        Args:
            connect_timeout: seconds for name resolution, connection and TLS handshake.
            timeout: seconds for the whole exchange.
            authorities: a file of the certificates to trust, by default those that certifi lists.
            keep_alive: False: every request has a connection of its own.
        """
        self._options = {
            **_OPTIONS,
            pycurl.HTTPHEADER: [*_HEADERS, *([] if keep_alive else ["Connection: close"])],
            pycurl.CONNECTTIMEOUT_MS: max(1, int(min(connect_timeout, timeout) * 1000)),
            pycurl.TIMEOUT_MS: max(1, int(timeout * 1000)),
            pycurl.CAINFO: authorities or certifi.where(),
            pycurl.FORBID_REUSE: not keep_alive,
        }
        self._urls: dict[str, str] = {}
        self._lock = threading.Lock()
        self._loop: _Loop | None = None
        self._left_behind: list[_Loop] = []

    def post(self, url: str, body: Opaque[bytes]) -> Response | NoAnswer:
        """Post a JSON body once, as `Transport.post` does.

        Raises:
            ValueError: as `check_url`, before anything is opened.
        """
        came: queue.SimpleQueue[Response | NoAnswer] = queue.SimpleQueue()
        self._checked(url)
        try:
            self.start(url, body, came.put)
            return came.get()
        # What tells this thread to stop does not stop the one that sends.
        except BaseException as error:  # noqa: BLE001
            interrupt = bare(error) if comes_from_outside(error) else None
            failure = Failure.INTERRUPTED if interrupt else Failure.INTERNAL_ERROR
            return NoAnswer(failure, True, type(error).__name__, interrupt)

    def start(self, url: str, body: Opaque[bytes], answered: Answered) -> None:
        """Begin to post a JSON body once.

        Args:
            url: where to.
            body: what.
            answered: is told what came of it.

        Raises:
            ValueError: as `check_url`, before anything is opened.
        """
        flight = _Flight(self._checked(url), body, answered)
        while not self._loop_of_this_process().take(flight):
            pass

    def close(self) -> None:
        """Close the connections, those that are in use once they have their answers."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None:
            loop.end()

    def _checked(self, url: str) -> str:
        checked = self._urls.get(url)
        if checked is None:
            (scheme, _host, _port), name, path = parted(url)
            checked = self._urls[url] = f"{scheme}://{name}{path}"
        return checked

    def _loop_of_this_process(self) -> "_Loop":
        with self._lock:
            loop = self._loop
            if loop is not None and loop.pid != os.getpid():
                # To let go of it would say good-bye on connections that the parent still uses.
                self._left_behind.append(loop)
                loop = None
            if loop is None or loop.has_ended:
                loop = self._loop = _Loop(self._options)
            return loop


class _Loop:
    """The thread in which libcurl works, and all that belongs to it."""

    def __init__(self, options: dict[int, Any]) -> None:
        self.pid = os.getpid()
        self.has_ended = False
        self._options = options
        self._inbox: queue.SimpleQueue[_Flight | None] = queue.SimpleQueue()
        self._taking = threading.Lock()
        self._is_ending = False
        self._is_asleep = False
        self._kept = Kept()
        self._idle: list[_Handle] = []
        self._beginning: _Flight | None = None
        self._flying: dict[pycurl.Curl, _Handle] = {}
        self._selector = selectors.DefaultSelector()
        self._alarm, self._bell = socket.socketpair()
        self._wakes_at: float | None = None
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, MAX_KEPT)
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        for end in (self._alarm, self._bell):
            end.setblocking(False)
        self._selector.register(self._alarm, selectors.EVENT_READ)
        threading.Thread(target=self._run, name="etelecom-curl", daemon=True).start()

    def take(self, flight: _Flight) -> bool:
        """Send a request. False: this loop has ended."""
        with self._taking:
            if self.has_ended:
                return False
            self._inbox.put(flight)
        self._ring()
        return True

    def end(self) -> None:
        """End when all has its answer."""
        self._inbox.put(None)
        self._ring()

    def _ring(self) -> None:
        if self._is_asleep:
            # Full of bells already, or closed.
            with contextlib.suppress(OSError):
                self._bell.send(b"\0")

    def _run(self) -> None:
        try:
            while self._flying or not self._is_ending:
                self._turn()
        # Whoever waits for an answer is told; nothing of the frames below goes on.
        except BaseException as error:  # noqa: BLE001
            self._fail(type(error).__name__)
        finally:
            self._stop()

    def _turn(self) -> None:
        # Before the look into the inbox: what comes after it rings.
        self._is_asleep = True
        seconds: float | None = None
        if self._wakes_at is not None:
            seconds = max(0.0, self._wakes_at - time.monotonic())
        happened = self._selector.select(seconds if self._inbox.empty() else 0.0)
        self._is_asleep = False
        for key, mask in happened:
            if key.fileobj is self._alarm:
                self._alarm.recv(4096)
                continue
            told = (pycurl.CSELECT_IN if mask & selectors.EVENT_READ else 0) | (
                pycurl.CSELECT_OUT if mask & selectors.EVENT_WRITE else 0
            )
            self._multi.socket_action(key.fd, told)
        if self._wakes_at is not None and self._wakes_at <= time.monotonic():
            self._wakes_at = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._land()
        if self._take_off():
            # At once, while all connections that are free are noted. What has no leave ends here.
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
            self._land()

    def _take_off(self) -> bool:
        """Begin what waits; tell whether anything did."""
        began = False
        with contextlib.suppress(queue.Empty):
            while True:
                flight = self._inbox.get_nowait()
                if flight is None:
                    self._is_ending = True
                    continue
                self._beginning = flight
                handle = self._idle.pop() if self._idle else _Handle(self._options, self._kept)
                handle.begin(flight)
                self._flying[handle.curl] = handle
                self._beginning = None
                self._multi.add_handle(handle.curl)
                began = True
        return began

    def _land(self) -> None:
        left = 1
        while left:
            left, well, failed = self._multi.info_read()
            for curl, code in [
                *((curl, pycurl.E_OK) for curl in well),
                *((curl, code) for curl, code, _words in failed),
            ]:
                handle = self._flying[curl]
                if code == pycurl.E_OK:
                    # Where it has just been, which libcurl forgets with the next line.
                    port, number = map(curl.getinfo, (pycurl.LOCAL_PORT, pycurl.ACTIVESOCKET))
                    status = curl.getinfo(pycurl.RESPONSE_CODE)
                    self._kept.note(port, number, is_trusted=status not in WITHOUT_BODY)
                answer = handle.answer(code)
                self._multi.remove_handle(curl)
                if handle.begins_again():
                    self._multi.add_handle(curl)
                    continue
                # Not before there is an answer: who is in here is told if anything fails.
                del self._flying[curl]
                handle.end()(answer)
                if code == pycurl.E_OK and handle.has_all_headers:
                    self._idle.append(handle)
                else:
                    # A header that breaks off in a fold would begin the handle's next answer.
                    curl.close()

    def _fail(self, detail: str) -> None:
        for handle in self._flying.values():
            handle.end()(NoAnswer(Failure.INTERNAL_ERROR, True, detail))
        if self._beginning is not None:
            self._beginning.answered(NoAnswer(Failure.INTERNAL_ERROR, False, detail))

    def _stop(self) -> None:
        with self._taking:
            self.has_ended = True
        with contextlib.suppress(queue.Empty):
            while True:
                flight = self._inbox.get_nowait()
                if flight is not None:
                    flight.answered(NoAnswer(Failure.INTERNAL_ERROR, False, "the loop has ended"))
        for curl in self._flying:
            self._multi.remove_handle(curl)
        self._flying.clear()
        self._multi.close()
        for handle in self._idle:
            handle.curl.close()
        self._kept.close()
        self._selector.close()
        self._alarm.close()
        self._bell.close()

    def _watch(self, what: int, number: int, _multi: object, _assigned: object) -> None:
        """Do what libcurl asks for: wait for a socket, or not any more."""
        if what == pycurl.POLL_REMOVE:
            self._selector.unregister(number)
            return
        events = (selectors.EVENT_READ if what & pycurl.POLL_IN else 0) | (
            selectors.EVENT_WRITE if what & pycurl.POLL_OUT else 0
        )
        if number in self._selector.get_map():
            self._selector.modify(number, events)
        else:
            self._selector.register(number, events)

    def _set_timer(self, milliseconds: int) -> None:
        self._wakes_at = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000


class _Handle:
    """One transfer of libcurl's at a time."""

    def __init__(self, options: dict[int, Any], kept: Kept) -> None:
        self._kept = kept
        self.curl = pycurl.Curl()
        self._url = ""
        self._answered: Answered = _nobody
        self._has_leave = False
        self._is_stale = False
        self._headers: dict[str, str] = {}
        self.has_all_headers = False
        self._received = 0
        self._body = bytearray()
        for option, value in options.items():
            self.curl.setopt(option, value)
        self.curl.unsetopt(pycurl.CAPATH)
        self.curl.setopt(pycurl.PREREQFUNCTION, self._may_send)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._take_header)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._take_body)

    def begin(self, flight: _Flight) -> None:
        if flight.url != self._url:
            self.curl.setopt(pycurl.URL, flight.url)
            self._url = flight.url
        self.curl.setopt(pycurl.POSTFIELDS, flight.body.reveal())
        self._answered = flight.answered
        self._has_leave = False
        self._headers = {}
        self.has_all_headers = False
        self._received = 0
        self._body = bytearray()

    def begins_again(self) -> bool:
        """Dial where leave was not given because of the connection; tell whether it was so."""
        was_stale, self._is_stale = self._is_stale, False
        self.curl.setopt(pycurl.FRESH_CONNECT, was_stale)
        return was_stale

    def end(self) -> Answered:
        """Forget the request; return who waits for its answer."""
        self.curl.setopt(pycurl.POSTFIELDS, b"")
        return self._answered

    def answer(self, code: int) -> Response | NoAnswer:
        is_too_long = len(self._body) > MAX_BODY
        if code == pycurl.E_OK or is_too_long:
            status = self.curl.getinfo(pycurl.RESPONSE_CODE)
            return Response(status, self._headers, bytes(self._body[: MAX_BODY + 1]))
        sent = self._has_leave or self.curl.getinfo(pycurl.REQUEST_SIZE) > 0
        number = self.curl.getinfo(pycurl.OS_ERRNO)
        words = f": {os.strerror(number)}" if number else ""
        failure = _FAILURES_AFTER.get(code) if sent else self._failure_before(code, number)
        return NoAnswer(failure or Failure.INTERNAL_ERROR, sent, f"{_NAMES.get(code, code)}{words}")

    def _failure_before(self, code: int, number: int) -> Failure | None:
        if code == pycurl.E_COULDNT_CONNECT and number == errno.ECONNREFUSED:
            return Failure.CONNECTION_REFUSED
        if code == pycurl.E_OPERATION_TIMEDOUT and not self.curl.getinfo(pycurl.NAMELOOKUP_TIME):
            return Failure.NAME_RESOLUTION
        return _FAILURES_BEFORE.get(code)

    def _may_send(self, _their_ip: str, _our_ip: str, _their_port: int, our_port: int) -> int:
        if not self._has_leave:
            self._is_stale = self._kept.is_stale(our_port)
            self._has_leave = not self._is_stale
            if self._has_leave:
                return LEAVE
        return NO_LEAVE

    def _take_header(self, line: bytes) -> int:
        self._received += len(line)
        if self._received > MAX_RECEIVED:
            return 0
        self.has_all_headers = line in connections.BLANK_LINES
        if line.startswith(b"HTTP/"):
            # Of the last one of several answers; those before it are of kind 100.
            self._headers = {}
            # Those but 100 other clients take for the answer, and that is what they mean here.
            is_interim = re.match(rb"HTTP/\S+ 1(?!00)", line)
            return len(line) if connections.STATUS_LINE.match(line) and not is_interim else 0
        if not self.has_all_headers:
            if not connections.FIELD_LINE.match(line):
                return 0
            name, _, value = line.rstrip(b"\r\n").decode("latin-1").partition(":")
            name, value = name.lower(), value.strip(connections.OWS)
            before = self._headers.get(name, value)
            if name == "content-length" and not (before == value and _is_length(value)):
                # Of two libcurl passes over one that is no number to it, and takes `10, 10` for 10.
                # A number that it cannot hold it passes over as well.
                return 0
            self._headers[name] = value if before == value else f"{before}, {value}"
        return len(line)

    def _take_body(self, piece: bytes) -> int:
        self._body += piece
        return len(piece) if len(self._body) <= MAX_BODY else 0


def _is_length(value: str) -> bool:
    """Tell whether libcurl reads a Content-Length as what it says."""
    return value.isdecimal() and len(value.lstrip("0")) <= MAX_DIGITS


def _nobody(_answer: Response | NoAnswer) -> None:
    """Wait for no answer."""


_HEADERS = [
    "Accept-Encoding: identity",
    "Content-Type: application/json",
    "User-Agent: django-etelecom",
    # Without these libcurl says them by itself.
    "Accept:",
    "Expect:",
]

_OPTIONS: dict[int, Any] = {
    pycurl.POST: True,
    pycurl.NOSIGNAL: True,
    pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
    pycurl.PROTOCOLS: pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS,
    pycurl.FOLLOWLOCATION: False,
    pycurl.HTTP_CONTENT_DECODING: False,
    # Nothing of the environment.
    pycurl.PROXY: "",
    pycurl.NETRC: pycurl.NETRC_IGNORED,
}

_FAILURES_BEFORE = {
    pycurl.E_COULDNT_RESOLVE_HOST: Failure.NAME_RESOLUTION,
    pycurl.E_COULDNT_CONNECT: Failure.CONNECT_FAILED,
    pycurl.E_OPERATION_TIMEDOUT: Failure.CONNECT_TIMEOUT,
    pycurl.E_SSL_CONNECT_ERROR: Failure.TLS_FAILED,
    pycurl.E_PEER_FAILED_VERIFICATION: Failure.TLS_FAILED,
    pycurl.E_SSL_CACERT_BADFILE: Failure.TLS_FAILED,
}

_FAILURES_AFTER = {
    pycurl.E_OPERATION_TIMEDOUT: Failure.TIMEOUT,
    # libcurl was about to send again what it had sent.
    pycurl.E_ABORTED_BY_CALLBACK: Failure.CONNECTION_LOST,
    pycurl.E_GOT_NOTHING: Failure.CONNECTION_LOST,
    pycurl.E_PARTIAL_FILE: Failure.CONNECTION_LOST,
    pycurl.E_RECV_ERROR: Failure.CONNECTION_LOST,
    pycurl.E_SEND_ERROR: Failure.CONNECTION_LOST,
    pycurl.E_UNSUPPORTED_PROTOCOL: Failure.NOT_HTTP,
    pycurl.E_FTP_WEIRD_SERVER_REPLY: Failure.NOT_HTTP,
    pycurl.E_BAD_CONTENT_ENCODING: Failure.BAD_ANSWER,
    # A trailer that is a fold, and no part of the header before it.
    pycurl.E_BAD_FUNCTION_ARGUMENT: Failure.BAD_ANSWER,
    TOO_LARGE: Failure.BAD_ANSWER,
    # By our own callbacks.
    pycurl.E_WRITE_ERROR: Failure.BAD_ANSWER,
}

_NAMES = {
    code: name.removeprefix("E_")
    for name, code in vars(pycurl).items()
    if name.startswith("E_") and isinstance(code, int)
}
