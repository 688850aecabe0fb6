"""Make things explode under Sentry's defaults, and print all that it would have reported.

The secrets come by the environment, for Sentry reports lines of source and the command line too.
"""

import os
import signal
import sys

import sentry_sdk
import sentry_sdk.transport

from django_etelecom.client import connections
from django_etelecom.client.opaque import Opaque
from django_etelecom.client.protocol import send_message_body
from django_etelecom.client.status import get_status_body
from django_etelecom.client.transport import NoAnswer, Response, Transport, send_result
from tests.client.fault_server import FaultServer, Peer, serve_well


class TimeLimit(Exception):
    """As task queues have them."""


class Printed(sentry_sdk.transport.Transport):
    def capture_envelope(self, envelope):
        sys.stdout.write(envelope.serialize().decode() + "\n")


def send(transport: Transport, url: str) -> Response | NoAnswer:
    return transport.post(
        url,
        send_message_body(
            username=Opaque(os.environ["PROBE_USERNAME"]),
            password=Opaque(os.environ["PROBE_PASSWORD"]),
            phone_number="84912345678",
            channels=["1"],
            template_code="OTP",
            list_param=Opaque({"otp": os.environ["PROBE_OTP"]}),
            base_url=url,
            routerule_format=None,
        ),
    )


def stop(*_):
    raise TimeLimit


def wait_and_stop(peer: Peer) -> None:
    peer.read_request()
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    peer.hang()


def interrupted(transport: Transport) -> None:
    signal.signal(signal.SIGALRM, stop)
    with FaultServer(wait_and_stop) as server:
        interrupt = send_result(send(transport, server.url)).interrupt
        assert interrupt is not None
        raise interrupt


def out_of_memory(transport: Transport) -> None:
    def fail(*_):
        raise MemoryError

    stock = connections.LimitedSocket.sendall
    connections.LimitedSocket.sendall = fail
    try:
        with FaultServer(serve_well) as server:
            result = send_result(send(transport, server.url))
            raise RuntimeError(result.outcome)
    finally:
        connections.LimitedSocket.sendall = stock


def wrong_type(transport: Transport) -> None:
    send_message_body(
        username=Opaque(os.environ["PROBE_USERNAME"]),
        password=Opaque(os.environ["PROBE_PASSWORD"]),
        phone_number="84912345678",
        channels=["1"],
        template_code="OTP",
        list_param=Opaque({"otp": os.environ["PROBE_OTP"], "other": object()}),
        base_url="https://sms.example",
        routerule_format=None,
    )


def status_of_wrong_type(transport: Transport) -> None:
    get_status_body(
        username=Opaque(os.environ["PROBE_USERNAME"]),
        password=Opaque(os.environ["PROBE_PASSWORD"]),
        provider_message_id=b"ICOMNI",
    )


def refused_url(transport: Transport) -> None:
    send(transport, "http://sms.example/")


def traced(transport: Transport) -> None:
    with FaultServer(serve_well) as server, sentry_sdk.start_transaction(name="probe"):
        send(transport, server.url)
        sys.stdout.write(f"WIRE {server.requests[0].head}\n\n")


def main() -> None:
    sentry_sdk.init(dsn="http://key@127.0.0.1:9/1", transport=Printed, traces_sample_rate=1.0)
    transport = Transport(connect_timeout=1, timeout=5)
    for explode in (interrupted, out_of_memory, wrong_type, status_of_wrong_type, refused_url):
        a_local_that_sentry_shows = "seen " + explode.__name__
        try:
            explode(transport)
        except Exception as error:
            sentry_sdk.capture_exception(error)
        del a_local_that_sentry_shows
    traced(transport)
    transport.close()


if __name__ == "__main__":
    main()
