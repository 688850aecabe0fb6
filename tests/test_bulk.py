"""The bulk backend: the worker's messages over libcurl, and what else it is asked to do."""

import sys
import threading
from types import SimpleNamespace

import pycurl
import pytest
from django.core.exceptions import ImproperlyConfigured

from django_etelecom.accounts import backend_for
from django_etelecom.backends import bulk
from django_etelecom.backends.base import Outgoing
from django_etelecom.client.codes import Failure
from django_etelecom.client.transport import NoAnswer, Response
from django_etelecom.models import MessageLog
from django_etelecom.sender import Sender
from django_etelecom.services import queue_message, refresh_status, send_message
from django_etelecom.simulator import Outcome
from django_etelecom.worker import Tally, Worker
from tests.client.fault_server import FaultServer, Peer, serve_well

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = "0912345678"
BULK = "django_etelecom.backends.bulk.BulkBackend"


@pytest.fixture
def bulky(live, settings):
    """The default account sends to the simulator over libcurl."""
    [entry] = settings.ETELECOM["ACCOUNTS"].values()
    settings.ETELECOM = {"ACCOUNTS": {"default": {**entry, "BACKEND": BULK}}}
    return live


def test_worker__sends_by_libcurl(bulky, otp_template):
    for number in range(20):
        queue_message(otp_template, f"09123456{number:02}", {"otp": "937415"})

    assert Worker(concurrency=4).run_once() == Tally(sent=20)

    assert len(bulky.receipts) == 20
    assert {receipt.headers["User-Agent"] for receipt in bulky.receipts} == {"django-etelecom"}
    rows = MessageLog.objects.values_list("status", "sealed_params", "attempts")
    assert set(rows) == {("accepted", "", 1)}
    assert MessageLog.objects.values("provider_message_id").distinct().count() == 20


@pytest.mark.parametrize(
    ("outcome", "status", "reason"),
    [
        (Outcome.REFUSED_PARAMETER, "rejected", "parameter"),
        (Outcome.RESET_AFTER_READING, "unknown", "connection_lost"),
        (Outcome.BAD_GATEWAY, "unknown", "bad_answer"),
    ],
)
def test_worker__records_what_came_of_each(bulky, otp_template, outcome, status, reason):
    message = queue_message(otp_template, outcome.phone_number, {"otp": "937415"})

    assert Worker().run_once() == Tally(sent=1)

    message.refresh_from_db()
    assert (message.status, message.reason) == (status, reason)


def test_send_message__needs_no_worker(bulky, otp_template):
    message = send_message(otp_template, PHONE, {"otp": "937415"})

    assert message.status == "accepted"
    assert refresh_status(message).status_source == "poll"


def test_worker__gives_back_what_has_not_begun(bulky, otp_template, settings):
    two_in_flight, may_end = threading.Barrier(3), threading.Event()

    def held(peer: Peer) -> None:
        peer.wait_for_bytes()
        two_in_flight.wait(5)
        may_end.wait(5)
        serve_well(peer)

    with FaultServer(held) as server:
        [entry] = settings.ETELECOM["ACCOUNTS"].values()
        slow = {**entry, "BASE_URL": server.url, "TIMEOUT": 20}
        settings.ETELECOM = {"ACCOUNTS": {"default": slow}}
        for number in range(3):
            queue_message(otp_template, f"09123456{number:02}", {"otp": "937415"})
        with Sender(2) as sender:
            assert sender.take_on() == 3
            two_in_flight.wait(5)
            sender._give_back()
            may_end.set()
        backend_for("default").close()

    statuses = sorted(MessageLog.objects.values_list("status", flat=True))
    assert statuses == ["accepted", "accepted", "queued"]


def test_worker__message_that_cannot_be_written_stops_no_other(bulky, otp_template, monkeypatch):
    written = bulk.BulkBackend._body

    def fails_for_one(self, outgoing: Outgoing):
        if outgoing.recipient.endswith("01"):
            raise TypeError("not text")
        return written(self, outgoing)

    monkeypatch.setattr(bulk.BulkBackend, "_body", fails_for_one)
    for number in range(3):
        queue_message(otp_template, f"09123456{number:02}", {"otp": "937415"})

    assert Worker(concurrency=1).run_once() == Tally(sent=3)

    assert len(bulky.receipts) == 2
    failed = MessageLog.objects.get(recipient="84912345601")
    assert (failed.status, failed.reason) == ("unknown", "internal_error")


def test_carrier__keeps_to_its_concurrency():
    begun, landed = [], []
    carrier = bulk.BulkCarrier(
        lambda outgoing, answered: begun.append(answered),
        2,
        lambda ticket, send: landed.append((ticket, send().failure)),
        lambda ticket: True,
    )
    for ticket in range(4):
        carrier.start(ticket, None)
    assert len(begun) == 2

    begun[0](NoAnswer(Failure.TIMEOUT, sent=True, detail=""))
    begun[1](Response(500, {}, b""))

    assert len(begun) == 4
    assert landed == [(0, Failure.TIMEOUT), (1, Failure.BAD_ANSWER)]
    carrier.start(4, None)
    assert carrier.take_back() == [4]
    carrier.close()


def test_carrier__passes_over_what_may_not_begin_any_more():
    begun = []
    carrier = bulk.BulkCarrier(
        lambda outgoing, answered: begun.append((outgoing, answered)),
        1,
        lambda ticket, send: None,
        lambda ticket: ticket != 1,
    )
    for ticket in range(3):
        carrier.start(ticket, ticket)

    begun[0][1](NoAnswer(Failure.TIMEOUT, sent=True, detail=""))

    assert [outgoing for outgoing, _answered in begun] == [0, 2]
    assert carrier.take_back() == []


# --- What it needs ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("installed", "sentence"),
    [
        (None, "needs pycurl, which cannot be imported"),
        (SimpleNamespace(version="PycURL/7.45.6 libcurl/8.9", PREREQFUNCTION=1), "send a request"),
        (SimpleNamespace(version="PycURL/7.45.7 libcurl/7.79"), "here is PycURL/7.45.7 libcurl/7"),
        (SimpleNamespace(version="odd", PREREQFUNCTION=1), "here is odd"),
        (
            SimpleNamespace(
                version=pycurl.version,
                PREREQFUNCTION=1,
                VERSION_ASYNCHDNS=pycurl.VERSION_ASYNCHDNS,
                version_info=lambda: (0, "", 0, "", 0),
            ),
            "waits for ever",
        ),
    ],
)
def test_backend__without_what_it_needs(monkeypatch, live, settings, installed, sentence):
    [entry] = settings.ETELECOM["ACCOUNTS"].values()
    settings.ETELECOM = {"ACCOUNTS": {"default": {**entry, "BACKEND": BULK}}}
    monkeypatch.setitem(sys.modules, "pycurl", installed)

    with pytest.raises(ImproperlyConfigured, match=sentence) as caught:
        backend_for("default")

    assert str(caught.value).startswith("BACKEND of account 'default' needs ")
    assert str(caught.value).endswith(".")
