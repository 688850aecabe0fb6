"""A site's webhook, as the simulator's tests need one: a real server that keeps what it got."""

import contextlib
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Arrival:
    path: str
    headers: dict
    body: dict


class Receiver(ThreadingHTTPServer):
    """Keep each POST, call `on_arrival` with it, and answer with `http_status`.

    `wait_for(count)` returns the arrivals once there are so many.
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.arrivals = []
        self.changed = threading.Condition()
        self.http_status = 200
        self.on_arrival = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/webhooks/s3cret/"

    def wait_for(self, count):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.arrivals) >= count, timeout=5)
            return list(self.arrivals)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        arrival = Arrival(self.path, dict(self.headers.items()), body)
        if self.server.on_arrival is not None:
            self.server.on_arrival(arrival)
        with self.server.changed:
            self.server.arrivals.append(arrival)
            self.server.changed.notify_all()
        answer = b'{"message":"success"}'
        self.send_response(self.server.http_status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def receiving():
    with Receiver() as receiver:
        serving = threading.Thread(target=receiver.serve_forever, args=(0.01,))
        serving.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            serving.join()
