"""The simulator's HTTP server: connections, receipts, and the faults that need a socket."""

import contextlib
import itertools
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any, Self

from .gateway import Gateway, Reply, error
from .loopback import loopback
from .outcomes import Answer, Fault
from .receipts import Receipt, json_object
from .templates import SAMPLE, Templates
from .webhooks import WebhookDelivery, Webhooks

LARGEST_REQUEST_BYTES = 2**20
LARGEST_DRAIN_BYTES = 64 * 2**20
"""How much of a refused body is still read, so that the client gets to see the refusal."""

TRICKLED_LENGTH = 10**6
"""The Content-Length that a trickled answer promises."""

# l_onoff, l_linger: closing sends a RST instead of a FIN (socket(7)).
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Simulator:
    """A server on the loopback that answers as the provider does; a context manager.

        with Simulator() as simulator:
            ...  # an account whose BASE_URL is simulator.base_url
        assert simulator.receipts[0].template_code == "OTP"

    Receipts and accepted messages outlive `stop()`; a second `start()` goes on with them.

    Args:
        port: 0 takes any free one.
        host: an IPv4 address of the loopback, or `localhost`.
        tls: a server's context; the base URL is https then.
        credentials: the only username and password let in; None lets in any that are not empty.
        hang_seconds: how long a hanging or trickling answer lasts before the connection closes.
        trickle_seconds: the time between two trickled bytes.
        delay: seconds before each answer.
        on_receipt: called with each receipt in order, by the thread that serves the request and
            before the answer; it must be quick.
        webhook_url: where reports are posted, `http` on the loopback; None posts none.
        webhook_headers: sent along with each of them.
        report_seconds: from the acceptance to the first report, and from one report to the next.
        late_report_seconds: from the acceptance to a report that comes late.
        on_webhook: called with each delivery in order, by the thread that posted it; it must be
            quick.
        templates: what GetTemplate lists, the types and regular expressions of parameters by code
            and name; None: there is no GetTemplate.

    Raises:
        ValueError: the host is none of these, or the URL or a header cannot be used.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
        credentials: tuple[str, str] | None = None,
        hang_seconds: float = 60,
        trickle_seconds: float = 1.0,
        delay: float = 0,
        on_receipt: Callable[[Receipt], object] | None = None,
        webhook_url: str | None = None,
        webhook_headers: Mapping[str, str] | None = None,
        report_seconds: float = 1.0,
        late_report_seconds: float = 5.0,
        on_webhook: Callable[[WebhookDelivery], object] | None = None,
        templates: Templates | None = SAMPLE,
    ) -> None:
        address = loopback(host)
        if address is None:
            raise ValueError(
                "The simulator listens on 127.0.0.1 and its like only, "
                f"and {host!r} is none of them."
            )
        self.address = (address, port)
        self.tls = tls
        self.hang_seconds = hang_seconds
        self.trickle_seconds = trickle_seconds
        self.delay = delay
        self.stopping = threading.Event()
        self.gateway = Gateway(credentials, report_seconds=report_seconds, templates=templates)
        self._webhooks = Webhooks(
            url=webhook_url,
            headers=webhook_headers or {},
            report_seconds=report_seconds,
            late_report_seconds=late_report_seconds,
            on_posting=self.gateway.advance,
            on_delivery=on_webhook,
        )
        self._on_receipt = on_receipt
        self._receipts: list[Receipt] = []
        # Reentrant, so that `on_receipt` may look at the receipts.
        self._receipts_lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._server: _Server | None = None
        self._base_url = ""

    @property
    def base_url(self) -> str:
        """Return `http://127.0.0.1:PORT`, without a slash; it stays after `stop()`.

        Raises:
            RuntimeError: the simulator has not been started.
        """
        if not self._base_url:
            raise RuntimeError("Start the simulator first: its port is not known before.")
        return self._base_url

    @property
    def receipts(self) -> list[Receipt]:
        """Return a snapshot of every POST that arrived whole, in order.

        A receipt is there before its answer's first byte, and also where the answer never comes.
        """
        with self._receipts_lock:
            return list(self._receipts)

    @property
    def webhook_url(self) -> str | None:
        """Where reports are posted; setting it holds for messages that are accepted from then on.

        None posts nothing any more, not even what is due for messages accepted before.

        Raises:
            ValueError: it is not an `http` URL of the loopback.
        """
        return self._webhooks.url

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        self._webhooks.url = url

    @property
    def templates(self) -> Templates | None:
        """What GetTemplate lists; it can be set while the simulator runs."""
        return self.gateway.templates

    @templates.setter
    def templates(self, templates: Templates | None) -> None:
        self.gateway.templates = templates

    @property
    def webhooks(self) -> list[WebhookDelivery]:
        """Return a snapshot of the latest webhooks and what came back, in order."""
        return self._webhooks.deliveries

    def clear(self) -> None:
        """Forget receipts and webhooks; numbers go on, and messages can still be asked for."""
        with self._receipts_lock:
            self._receipts.clear()
        self._webhooks.clear()

    def start(self) -> Self:
        """Bind the port and serve from a thread.

        Raises:
            OSError: the port is taken.
            RuntimeError: it runs already.
        """
        if self._server is not None:
            raise RuntimeError("The simulator runs already.")
        self.stopping.clear()
        self._server = _Server(self)
        self._base_url = self._server.base_url
        self._server.serve_in_thread()
        self._webhooks.start()
        return self

    def stop(self) -> None:
        """End every connection at once, join all threads, close all sockets; twice does no harm."""
        if self._server is None:
            return
        self.stopping.set()
        # First, since a thread of the server may be waiting for the answer to an early webhook.
        self._webhooks.stop()
        self._server.end()
        self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def receive(self, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """Keep the receipt of a POST, see to its webhooks, and return what to do with it."""
        fields = json_object(body)
        reply = self.gateway.post(path, fields)
        if reply.action is not Fault.RESET_BEFORE_READING:
            self.keep_receipt(path, headers, body, fields, reply)
        self._webhooks.plan(reply.provider_message_id, reply.webhooks)
        return reply

    def keep_receipt(
        self,
        path: str,
        headers: dict[str, str],
        body: bytes,
        fields: dict[str, Any] | None,
        reply: Reply,
    ) -> None:
        # One lock over numbering, keeping and telling: all three are in the same order.
        with self._receipts_lock:
            receipt = Receipt(
                number=next(self._numbers),
                path=path,
                headers=headers,
                body=body,
                json=fields,
                received_at=datetime.now(UTC),
                outcome=reply.outcome,
                provider_message_id=reply.provider_message_id,
            )
            self._receipts.append(receipt)
            if self._on_receipt is not None:
                self._on_receipt(receipt)


class _Server(socketserver.ThreadingTCPServer):
    """Accept connections, each with a thread, and know which ones are open."""

    allow_reuse_address = True
    daemon_threads = False
    request_queue_size = 1024

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self._connections: set[socket.socket] = set()
        super().__init__(simulator.address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self.simulator.tls is not None:
            # The handshake waits for the first read, in the connection's own thread.
            connection = self.simulator.tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        self._connections.add(connection)
        return connection, address

    def close_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().close_request(request)

    @property
    def base_url(self) -> str:
        host, port = self.socket.getsockname()
        return f"{'https' if self.simulator.tls else 'http'}://{host}:{port}"

    def serve_in_thread(self) -> None:
        # Seconds between two looks for end(), which waits as long for this thread.
        self._accepting = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._accepting.start()

    def end(self) -> None:
        self.shutdown()
        self._accepting.join()
        # Nothing is accepted any more: wake every thread that waits for its client.
        for connection in list(self._connections):
            # The plain socket's shutdown: the one of TLS would pull its state from under a reader.
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        # Clients that hang up, cut their TLS or reset are daily bread; anything else is a bug.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Serve one connection: read requests, do what the gateway replies."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._write(self.server.simulator.gateway.get(self.path))

    def do_POST(self) -> None:
        simulator = self.server.simulator
        headers = dict(self.headers.items())
        if (refused := self._refused_length()) is not None:
            simulator.keep_receipt(self.path, headers, b"", None, Reply(refused))
            self._refuse(refused)
            return
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        action = simulator.receive(self.path, headers, body).action
        if simulator.delay:
            simulator.stopping.wait(simulator.delay)
        match action:
            case Answer():
                self._write(action)
            case Fault.HANG:
                self._hang()
            case Fault.TRICKLE:
                self._trickle()
            case _:
                # Either reset: to the client they differ in nothing, the one just left no receipt.
                self._reset()

    def do_other(self) -> None:
        self._refuse(error(HTTPStatus.METHOD_NOT_ALLOWED))

    # http.server calls methods of these names.
    do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_other  # noqa: N815

    # The parameter's name is http.server's; its lines on stderr would be in the tests' way.
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def _refused_length(self) -> Answer | None:
        length = self.headers["Content-Length"]
        if length is None or self.headers["Transfer-Encoding"] is not None:
            return error(HTTPStatus.LENGTH_REQUIRED)
        if not (length.isascii() and length.isdigit()):
            return error(HTTPStatus.BAD_REQUEST)
        # Python refuses to read numbers of thousands of digits.
        if len(length) > 20 or int(length) > LARGEST_REQUEST_BYTES:
            return error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        return None

    def _write(self, answer: Answer) -> None:
        head = [
            f"HTTP/1.1 {answer.http_status} {HTTPStatus(answer.http_status).phrase}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {len(answer.body)}",
            f"Connection: {'close' if self.close_connection else 'keep-alive'}",
            *(f"{name}: {value}" for name, value in answer.headers),
        ]
        body = b"" if self.command == "HEAD" else answer.body
        self.connection.sendall("\r\n".join(head).encode("ascii") + b"\r\n\r\n" + body)

    def _refuse(self, answer: Answer) -> None:
        """Answer before the body is read, and close."""
        self.close_connection = True
        self._write(answer)
        # Closing on unread bytes would send a reset, which can overtake the answer.
        left = LARGEST_DRAIN_BYTES
        while left > 0 and (chunk := self.rfile.read1(65_536)):
            left -= len(chunk)

    def _hang(self) -> None:
        self.close_connection = True
        self.server.simulator.stopping.wait(self.server.simulator.hang_seconds)

    def _trickle(self) -> None:
        simulator = self.server.simulator
        self.close_connection = True
        self.connection.sendall(
            b"HTTP/1.1 200 OK\r\n"
            b"Content-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % TRICKLED_LENGTH
        )
        ends_at = time.monotonic() + simulator.hang_seconds
        while time.monotonic() < ends_at and not simulator.stopping.wait(simulator.trickle_seconds):
            self.connection.sendall(b" ")

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        # Closed here, since the server's own closing would send a FIN first.
        self.rfile.close()
        self.connection.close()
