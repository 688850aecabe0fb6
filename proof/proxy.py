"""A fault proxy: stands before a server and does to each connection what it is told to."""

import contextlib
import socket
import struct
import threading

PIECE = 65_536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""l_onoff, l_linger: closing sends a RST (socket(7))."""

TLS_HANDSHAKE, TLS_HEAD = b"\x16", 5
"""How a record of a handshake begins, and how many bytes stand before what it holds."""


class Link:
    """One connection through the proxy."""

    def __init__(self, client: socket.socket, behaviour: "Behaviour") -> None:
        self.client = client
        self.behaviour = behaviour
        self.server: socket.socket | None = None
        """None: the proxy has not connected to the server."""
        self.hello = 0
        """How long the client's first word of a TLS handshake was; 0: it spoke no TLS."""
        self.came = 0
        """Bytes that came from the client."""
        self.passed = 0
        """Bytes of those that its behaviour has passed on."""
        self.ended = threading.Event()

    def meet(self, behaviour: "Behaviour") -> None:
        """Have something else done to it from now on."""
        self.passed = 0
        self.behaviour = behaviour

    def to_server(self, piece: bytes) -> None:
        self.passed += len(piece)
        self.server.sendall(piece)

    def to_client(self, piece: bytes) -> None:
        self.client.sendall(piece)

    def close(self) -> None:
        """End both sides, each with a FIN."""
        self.ended.set()
        for side in filter(None, (self.client, self.server)):
            # Wakes the thread that reads from it, which close() would not.
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """End both sides with a RST."""
        self.ended.set()
        for side in filter(None, (self.client, self.server)):
            with contextlib.suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                # Another thread may be reading from it, and keeps it open for as long.
                side.shutdown(socket.SHUT_RD)
                side.close()


class Behaviour:
    """What happens to a connection. This one passes everything on; others override a moment.

    Each method is called in a thread of its link, and may close or reset it.
    """

    def connected(self, link: Link) -> None:
        """The client has connected, and the server has not been spoken to."""

    def request(self, link: Link, piece: bytes) -> None:
        """Bytes come from the client."""
        link.to_server(piece)

    def answer(self, link: Link, piece: bytes) -> None:
        """Bytes come from the server."""
        link.to_client(piece)

    def request_ended(self, link: Link) -> None:
        """The client has closed its side."""
        link.server.shutdown(socket.SHUT_WR)

    def answer_ended(self, link: Link) -> None:
        """The server has closed its side."""
        link.client.shutdown(socket.SHUT_WR)


class Proxy:
    """Listens on the loopback; a context manager.

    Args:
        server: host and port of what it stands before.
        behaviour: of the connections that are accepted from now on; may be set at any time.
    """

    def __init__(self, server: tuple[str, int], behaviour: Behaviour | None = None) -> None:
        self.server = server
        self.behaviour = behaviour or Behaviour()
        self.links: list[Link] = []
        self._listener: socket.socket | None = None
        self._place: socket.socket | None = None
        """Has the port and never listens: while connections are refused, nobody else takes it."""
        self.port = 0

    def __enter__(self) -> "Proxy":
        self._place = _bound(0)
        self.port = self._place.getsockname()[1]
        self.listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.refuse()
        self._place.close()
        for link in self.links:
            link.close()

    def listen(self) -> None:
        """Accept connections, always at the same port."""
        self._listener = _bound(self.port)
        self._listener.listen(512)
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def refuse(self) -> None:
        """Accept no connection any more; those that stand are left as they are."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def cut(self) -> None:
        """End all connections that stand."""
        links, self.links = self.links, []
        for link in links:
            link.close()

    def _accept(self, listener: socket.socket) -> None:
        # Ends with the listener.
        with contextlib.suppress(OSError):
            while True:
                client, _address = listener.accept()
                link = Link(client, self.behaviour)
                self.links = [one for one in self.links if not one.ended.is_set()] + [link]
                threading.Thread(target=self._serve, args=[link], daemon=True).start()

    def _serve(self, link: Link) -> None:
        # Either side may go away at any moment: that is what this is for.
        with contextlib.suppress(OSError):
            link.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link.behaviour.connected(link)
            if not link.ended.is_set():
                link.server = socket.create_connection(self.server)
                link.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                back = threading.Thread(target=self._pump_back, args=[link], daemon=True)
                back.start()
                self._pump(
                    link,
                    link.client,
                    lambda piece: self._request(link, piece),
                    lambda: link.behaviour.request_ended(link),
                )
                back.join()
        link.close()
        for side in filter(None, (link.client, link.server)):
            side.close()

    def _request(self, link: Link, piece: bytes) -> None:
        if link.came == 0 and piece[:1] == TLS_HANDSHAKE:
            link.hello = TLS_HEAD + int.from_bytes(piece[3:TLS_HEAD])
        link.came += len(piece)
        link.behaviour.request(link, piece)

    def _pump_back(self, link: Link) -> None:
        self._pump(
            link,
            link.server,
            lambda piece: link.behaviour.answer(link, piece),
            lambda: link.behaviour.answer_ended(link),
        )

    def _pump(self, link: Link, source: socket.socket, passes, ends) -> None:
        with contextlib.suppress(OSError):
            while not link.ended.is_set() and (piece := source.recv(PIECE)):
                passes(piece)
            if not link.ended.is_set():
                ends()
            return
        # One side is gone without a word: so is the other.
        link.reset()


def _bound(port: int) -> socket.socket:
    """Return a socket at a port of the loopback, which may share it; 0: at one that is free."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound
