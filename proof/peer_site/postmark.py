"""Postmark on the loopback, as far as Anymail speaks to it: takes every mail, keeps to whom."""

import json
import socketserver
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler


class Postmark:
    """A server on the loopback; a context manager.

    Args:
        delay: seconds before each answer.
    """

    def __init__(self, *, delay: float = 0) -> None:
        self.delay = delay
        self.received: list[str] = []
        """The recipient of each mail that arrived whole, before it was answered."""

    def __enter__(self) -> "Postmark":
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.postmark = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 512
    postmark: Postmark

    def handle_error(self, request, client_address) -> None:
        """Clients that are killed are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        mail = json.loads(body)
        self.server.postmark.received.append(mail["To"])
        time.sleep(self.server.postmark.delay)
        answer = json.dumps(
            {
                "To": mail["To"],
                "SubmittedAt": "2026-01-01T00:00:00.0000000Z",
                "MessageID": str(uuid.uuid4()),
                "ErrorCode": 0,
                "Message": "OK",
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    # The parameter's name is http.server's.
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass
