"""A server on the loopback whose every byte and close the test decides."""

import contextlib
import dataclasses
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable

PATIENCE = 10.0
"""Seconds after which anything in here ends by itself."""

BODY = b'{"status": "1", "code": "Success", "idOmniMess": "ICOMNI-1"}'


def answer(body: bytes = BODY, *, status: str = "200 OK", headers: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


@dataclasses.dataclass
class Request:
    head: str
    body: bytes


class Peer:
    """The server's end of one connection."""

    def __init__(self, server: "FaultServer", connection: socket.socket) -> None:
        self.server = server
        self.connection = connection
        self.connection.settimeout(PATIENCE)
        self._unread = b""

    def shake_hands(self) -> None:
        context = self.server.ssl_context
        assert context is not None
        self.connection = context.wrap_socket(self.connection, server_side=True)

    def read_request(self) -> "Request | None":
        """Read one request; None where the client closed instead."""
        while b"\r\n\r\n" not in self._unread:
            if not self._read_on():
                return None
        head, _, rest = self._unread.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:])
        length = int(fields["content-length"])
        self._unread = rest
        while len(self._unread) < length:
            if not self._read_on():
                return None
        body, self._unread = self._unread[:length], self._unread[length:]
        request = Request(head.decode(), body)
        self.server.requests.append(request)
        return request

    def _read_on(self) -> bool:
        received = self.connection.recv(65536)
        self._unread += received
        return bool(received)

    def wait_for_bytes(self) -> None:
        select.select([self.connection], [], [], PATIENCE)

    def send(self, raw: bytes) -> None:
        self.connection.sendall(raw)
        self.server.bytes_sent += len(raw)

    def flood(self, piece: bytes) -> None:
        """Send one piece over and over, until the client is gone."""
        pieces = piece * (8192 // len(piece) + 1)
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            self.send(pieces)

    def trickle(self, piece: bytes) -> None:
        """Send one piece over and over, slowly, until the client is gone."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and not self.server.stopping.wait(0.05):
            self.send(piece)

    def hang(self) -> None:
        self.server.stopping.wait(PATIENCE)

    def close(self) -> None:
        self.connection.close()

    def say_goodbye(self) -> None:
        """Close as TLS wants it: what ends without a word may have been cut off."""
        if isinstance(self.connection, ssl.SSLSocket):
            self.connection = self.connection.unwrap()
        self.close()

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class FaultServer:
    """Serve every connection with `behave(peer)`, in a thread of its own.

    With an `ssl_context` a handshake comes first, unless `shakes_hands` is False.
    """

    def __init__(
        self,
        behave: Callable[[Peer], None],
        *,
        ssl_context: ssl.SSLContext | None = None,
        shakes_hands: bool = True,
        small_buffers: bool = False,
    ) -> None:
        self.behave = behave
        self.ssl_context = ssl_context
        self.shakes_hands = shakes_hands and ssl_context is not None
        self.requests: list[Request] = []
        self.accepted = 0
        self.bytes_sent = 0
        self.stopping = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        if small_buffers:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        scheme = "https" if ssl_context else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}/api"
        self._peers: list[Peer] = []
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> "FaultServer":
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.stop_listening()
        for peer in self._peers:
            with contextlib.suppress(OSError):
                # The method of a TLS socket is not meant for two threads.
                socket.socket.shutdown(peer.connection, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive()

    def stop_listening(self) -> None:
        # Wakes the thread that waits in accept(), which close() would not.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            peer = Peer(self, connection)
            self._peers.append(peer)
            thread = threading.Thread(target=self._serve, args=(peer,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, peer: Peer) -> None:
        # The client goes away whenever it has had enough.
        with contextlib.suppress(OSError):
            if self.shakes_hands:
                peer.shake_hands()
            self.behave(peer)
        peer.close()


def serve_well(peer: Peer) -> None:
    """Accept every message."""
    while peer.read_request():
        peer.send(answer())


def serve_one(peer: Peer) -> None:
    """Accept one message."""
    peer.read_request()
    peer.send(answer())
