"""What one POST costs of the CPU: the app's two transports beside `requests.Session.post`.

All post the same body over kept connections to the same fast server in a process of its own, in
interleaved rounds of one run. `requests` and `transport`, the default, post one after the other;
`bulk` is libcurl with 64 in flight, as a worker uses it.

    python -m benchmarks.post_cost
"""

import functools
import json
import threading
import time

from benchmarks import answering, measured
from benchmarks.measured import Figure

IN_FLIGHT = 64
BODY = json.dumps(
    {
        "username": "u",
        "password": "p",
        "phonenumber": "84912345678",
        "routerule": ["1", "3"],
        "templatecode": "order",
        "list_param": dict.fromkeys("abcde", "Nguyễn Văn An"),
    }
).encode()


def posts_of_requests(url):
    import requests

    session = requests.Session()

    def post(count):
        for _ in range(count):
            session.post(
                url, data=BODY, headers={"Content-Type": "application/json"}, timeout=15
            ).raise_for_status()

    return post


def posts_of_transport(url):
    from django_etelecom.client.opaque import Opaque
    from django_etelecom.client.transport import Response, Transport

    transport = Transport(connect_timeout=5, timeout=15)

    def post(count):
        for _ in range(count):
            answer = transport.post(url, Opaque(BODY))
            if not isinstance(answer, Response):
                raise SystemExit(answer)

    return post


def posts_of_bulk(url):
    from django_etelecom.client.curl import CurlTransport
    from django_etelecom.client.opaque import Opaque
    from django_etelecom.client.transport import Response

    transport = CurlTransport(connect_timeout=5, timeout=15)

    def post(count):
        room = threading.Semaphore(IN_FLIGHT)
        failed = []

        def answered(answer):
            if not isinstance(answer, Response):
                failed.append(answer)
            room.release()

        for _ in range(count):
            room.acquire()
            transport.start(url, Opaque(BODY), answered)
        for _ in range(IN_FLIGHT):
            room.acquire()
        if failed:
            raise SystemExit(failed[0])

    return post


def microseconds(post, count, _turn):
    """Return the CPU's time of one post, of all threads."""
    began = time.process_time()
    post(count)
    return (time.process_time() - began) / count * 1e6


def main():
    parser = measured.parser(__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--count", type=int, default=1000, help="posts a round and side")
    options = parser.parse_args()
    url = f"{measured.beside(answering.serve)}/api/OmniMessage/SendMessage"
    sides = {
        "requests": posts_of_requests(url),
        "transport": posts_of_transport(url),
        "bulk": posts_of_bulk(url),
    }
    took = measured.interleaved(
        {
            name: functools.partial(microseconds, post, options.count)
            for name, post in sides.items()
        },
        options.rounds,
    )
    figures = [Figure.of(name, "a post", each, unit="µs") for name, each in took.items()]
    for ours in ("transport", "bulk"):
        ratios = measured.ratios(took[ours], took["requests"])
        figures.append(Figure.of(ours, "times requests", ratios, unit="x"))
    measured.tell(
        options,
        figures,
        size=f"{options.rounds} rounds of {options.count:,} posts",
        packages=["requests", "pycurl"],
    )


if __name__ == "__main__":
    main()
