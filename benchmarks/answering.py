"""A provider that takes everything, at the least cost that Python allows, after a fixed time.

It stands in for eTelecom and, under the path of Postmark, for what django-anymail speaks to.
"""

import asyncio
import uuid

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
ETELECOM = b'{ "status": "1", "code": "Success", " idOmniMess ": "ICOMNI%s" }'
POSTMARK = b'{"To": "lan@example.com", "MessageID": "%s", "ErrorCode": 0, "Message": "OK"}'


class Answering(asyncio.Protocol):
    def __init__(self, delay):
        self.delay = delay
        self.received = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.received) < end + 4 + length:
                return
            self.received = self.received[end + 4 + length :]
            form = ETELECOM if b"omnimessage" in head.split(b"\r\n", 1)[0] else POSTMARK
            body = form % uuid.uuid4().hex[:30].encode()
            answer = HEAD % (len(body), body)
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self.transport.write, answer)
            else:
                self.transport.write(answer)


def serve(told, delay=0.0):
    """Tell the base URL and answer until ended, each request after `delay` seconds."""

    async def run():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Answering(delay), "127.0.0.1", 0, backlog=1024)
        told.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        await server.serve_forever()

    asyncio.run(run())
