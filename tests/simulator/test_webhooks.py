import contextlib
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from django_etelecom.simulator import Outcome, Simulator, WebhookDelivery, webhooks
from django_etelecom.simulator.outcomes import Acceptance

from .conversation import accepted_id, ask, send

ACCEPTING = [outcome for outcome in Outcome if isinstance(outcome.effect, Acceptance)]


def told(simulator, provider_message_id):
    """Return status, channel and error code as a status request gives them."""
    report = json.loads(ask(simulator, provider_message_id)[1])
    return report["status"], report["channel"], report["errorCode"]


def posted(arrival):
    return arrival.body["Status"], arrival.body["Channel"], arrival.body["ErrorCode"]


def wait_until(condition):
    ends_at = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < ends_at
        time.sleep(0.005)


@contextlib.contextmanager
def silent_site():
    """A site that takes connections and never answers; yields its URL and a list of them."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/webhooks/s3cret/", listening


DELIVERED = ("SUCCESS", "BrandnameSMS", "")
NO_ZALO_ACCOUNT = ("FAIL", "ZNS", "-118")


def test_webhook__is_json_in_pascal_case(reporting, receiver):
    provider_message_id = accepted_id(reporting)

    [arrival] = receiver.wait_for(1)

    assert arrival.path == "/webhooks/s3cret/"
    assert arrival.headers["Content-Type"] == "application/json"
    assert arrival.headers["Host"] == f"127.0.0.1:{receiver.server_port}"
    assert arrival.body == {
        "IdOmniMess": provider_message_id,
        "Status": "SUCCESS",
        "Channel": "BrandnameSMS",
        "ErrorCode": "",
        "MtCount": 1,
        "TelcoId": 3,
        "IsCharged": "True",
    }


def test_webhook__of_a_failure_costs_nothing(reporting, receiver):
    send(reporting, Outcome.FAILED_AT_NIGHT.phone_number)

    [arrival] = receiver.wait_for(1)

    assert (arrival.body["MtCount"], arrival.body["IsCharged"]) == (0, "False")


@pytest.mark.parametrize(
    ("outcome", "reported"),
    [
        (Outcome.ACCEPTED, [DELIVERED]),
        (Outcome.HUGE_BODY, [DELIVERED]),
        (Outcome.REPORTED_ON_TIME, [DELIVERED]),
        (Outcome.REPORTED_EARLY, [DELIVERED]),
        (Outcome.REPORTED_LATE, [DELIVERED]),
        (Outcome.REPORTED_TWICE, [DELIVERED, DELIVERED]),
        (
            Outcome.REPORTED_OUT_OF_ORDER,
            [DELIVERED, NO_ZALO_ACCOUNT, ("PROCESSING", "", "")],
        ),
        (Outcome.FORGED_REPORT, [DELIVERED]),
        (Outcome.FORGED_ID, [DELIVERED, DELIVERED]),
        (Outcome.UNDELIVERED, [NO_ZALO_ACCOUNT]),
        (Outcome.DELIVERED_AFTER_FAILURE, [NO_ZALO_ACCOUNT, DELIVERED]),
        (Outcome.BROKEN_REPORT, [NO_ZALO_ACCOUNT]),
        (Outcome.SLIDES_TO_SMS, [NO_ZALO_ACCOUNT, DELIVERED]),
        (Outcome.FAILED_BY_SMS, [("FAIL", "BrandnameSMS", "21")]),
        (Outcome.FAILED_AT_NIGHT, [("FAIL", "ZNS", "-133")]),
        (Outcome.FAILED_TOKEN, [("FAIL", "ZNS", "-124")]),
        (Outcome.FAILED_QUOTA, [("FAIL", "ZNS", "-144")]),
        (Outcome.FAILED_USER_REFUSED, [("FAIL", "ZNS", "-139")]),
    ],
    ids=lambda value: value.name if isinstance(value, Outcome) else "",
)
def test_webhooks__of_a_magic_number_in_order(reporting, receiver, outcome, reported):
    send(reporting, outcome.phone_number)

    arrivals = receiver.wait_for(len(reported))

    assert [posted(arrival) for arrival in arrivals] == reported


@pytest.mark.parametrize(
    "outcome",
    [Outcome.NEVER_REPORTED, Outcome.NEVER_ENDS, Outcome.ACCEPTED_WITHOUT_ID, Outcome.HANG],
    ids=lambda outcome: outcome.name,
)
def test_webhooks__of_these_magic_numbers_never_come(receiver, outcome):
    assert getattr(outcome.effect, "webhooks", ()) == ()
    with Simulator(
        webhook_url=receiver.url, report_seconds=0, late_report_seconds=0, hang_seconds=0
    ) as simulator:
        with contextlib.suppress(ConnectionError):
            send(simulator, outcome.phone_number)
        # Whatever had been planned by the first would have been posted before this one.
        other = accepted_id(simulator)
        arrivals = receiver.wait_for(1)

    assert [arrival.body["IdOmniMess"] for arrival in arrivals] == [other]


def test_webhook__on_time_comes_after_the_answer(receiver):
    with Simulator(webhook_url=receiver.url, report_seconds=0.5) as simulator:
        began = time.monotonic()
        provider_message_id = accepted_id(simulator, Outcome.REPORTED_ON_TIME.phone_number)
        at_first = told(simulator, provider_message_id)
        receiver.wait_for(1)

        assert time.monotonic() - began >= 0.5
        assert at_first == ("PROCESSING", "", "")
        assert told(simulator, provider_message_id) == ("SUCCESS", "SMS", "")


def test_webhook__early_comes_before_the_answer(reporting, receiver):
    # A site that takes its time: an answer that does not wait would be there first.
    receiver.on_arrival = lambda arrival: time.sleep(0.1)

    _, answer = send(reporting, Outcome.REPORTED_EARLY.phone_number)
    seen_before = [arrival.body["IdOmniMess"] for arrival in receiver.arrivals]

    assert seen_before == [json.loads(answer)[" idOmniMess "]]
    assert told(reporting, seen_before[0]) == ("SUCCESS", "SMS", "")


def test_webhook__late_comes_after_status_requests_know(reporting, receiver):
    provider_message_id = accepted_id(reporting, Outcome.REPORTED_LATE.phone_number)

    wait_until(lambda: told(reporting, provider_message_id)[0] == "SUCCESS")

    assert receiver.arrivals == []
    receiver.wait_for(1)


def test_webhooks__twice_are_the_same(reporting, receiver):
    send(reporting, Outcome.REPORTED_TWICE.phone_number)

    first, second = receiver.wait_for(2)

    assert first.body == second.body


def test_webhook__forged_is_contradicted_by_status_requests(reporting, receiver):
    provider_message_id = accepted_id(reporting, Outcome.FORGED_REPORT.phone_number)

    [arrival] = receiver.wait_for(1)

    assert arrival.body["IdOmniMess"] == provider_message_id
    assert arrival.body["Status"] == "SUCCESS"
    assert told(reporting, provider_message_id) == NO_ZALO_ACCOUNT


def test_webhook__forged_id_is_unknown_to_status_requests(reporting, receiver):
    provider_message_id = accepted_id(reporting, Outcome.FORGED_ID.phone_number)

    forged, own = receiver.wait_for(2)

    assert own.body["IdOmniMess"] == provider_message_id
    assert forged.body["IdOmniMess"].startswith("ICOMNI")
    assert "not found" in ask(reporting, forged.body["IdOmniMess"])[1]


@pytest.mark.parametrize(
    "outcome",
    [
        outcome
        for outcome in ACCEPTING
        if outcome not in (Outcome.FORGED_REPORT, Outcome.FORGED_ID, Outcome.GZIP_BOMB)
    ],
    ids=lambda outcome: outcome.name,
)
def test_status__never_falls_behind_a_webhook(reporting, receiver, outcome):
    stages = [(report.status, report.error_code) for report in outcome.effect.reports]
    compared = []

    def ask_at_once(arrival):
        # Looked for in the text, since a broken report is no JSON.
        _, answer = ask(reporting, arrival.body["IdOmniMess"])
        [index_told] = [
            index
            for index, (status, error_code) in enumerate(stages)
            if f'"status": "{status}"' in answer and f'"errorCode": "{error_code}"' in answer
        ]
        index_posted = stages.index((arrival.body["Status"], arrival.body["ErrorCode"]))
        compared.append((index_posted, index_told))

    receiver.on_arrival = ask_at_once
    send(reporting, outcome.phone_number)
    receiver.wait_for(len(outcome.effect.webhooks))

    assert len(compared) == len(outcome.effect.webhooks)
    assert all(index_told >= index_posted for index_posted, index_told in compared)


def test_status__of_a_slide_goes_by_the_clock_without_any_webhook():
    with Simulator(report_seconds=0.4) as simulator:
        provider_message_id = accepted_id(simulator, Outcome.SLIDES_TO_SMS.phone_number)
        seen = []

        def delivered():
            report = told(simulator, provider_message_id)
            if report not in seen:
                seen.append(report)
            return report[0] == "SUCCESS"

        wait_until(delivered)

    assert seen == [("PROCESSING", "", ""), NO_ZALO_ACCOUNT, ("SUCCESS", "SMS", "")]
    assert simulator.webhooks == []


def test_status__by_request_is_not_moved_by_the_clock_alone():
    with Simulator(report_seconds=0) as simulator:
        provider_message_id = accepted_id(simulator)

        assert told(simulator, provider_message_id)[0] == "PROCESSING"


def test_status__by_request_does_not_go_back_for_a_later_webhook(receiver):
    with Simulator(webhook_url=receiver.url, report_seconds=0.4) as simulator:
        number = Outcome.DELIVERED_AFTER_FAILURE.phone_number
        provider_message_id = accepted_id(simulator, number)
        told(simulator, provider_message_id)
        assert told(simulator, provider_message_id)[0] == "SUCCESS"
        assert receiver.arrivals == []
        receiver.wait_for(1)

        assert told(simulator, provider_message_id)[0] == "SUCCESS"


def test_webhook_url__can_be_set_while_it_runs(receiver):
    with Simulator(report_seconds=0) as simulator:
        send(simulator)
        simulator.webhook_url = receiver.url
        later = accepted_id(simulator)

        [arrival] = receiver.wait_for(1)

        assert simulator.webhook_url == receiver.url
        assert arrival.body["IdOmniMess"] == later


def test_webhook_url__taken_away_posts_nothing_any_more(receiver):
    with Simulator(webhook_url=receiver.url, report_seconds=0.05) as simulator:
        send(simulator)
        simulator.webhook_url = None
        wait_until(lambda: simulator._webhooks._planned == [])
        # Once its thread has ended, nothing is between the plan and the post any more.
        simulator.stop()
        simulator.webhook_url = receiver.url
        simulator.start()
        later = accepted_id(simulator)

        [arrival] = receiver.wait_for(1)

        assert arrival.body["IdOmniMess"] == later


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://localhost:{port}", "/"),
        ("http://127.0.0.1:{port}/a/b?token=s3cret#top", "/a/b?token=s3cret"),
    ],
)
def test_webhook_url__forms(receiver, url, path):
    with Simulator(
        webhook_url=url.format(port=receiver.server_port), report_seconds=0
    ) as simulator:
        send(simulator)
        [arrival] = receiver.wait_for(1)

    assert arrival.path == path


def test_webhook_url__without_a_port_is_that_of_http():
    assert webhooks._target("http://127.0.0.1/hook").port == 80


@pytest.mark.parametrize("host", ["example.com", "192.0.2.1", "0.0.0.0", "[::1]"])  # noqa: S104
def test_webhook_url__elsewhere_is_refused_without_its_secret(host):
    with pytest.raises(ValueError, match="is none of them") as caught:
        Simulator(webhook_url=f"http://{host}:8000/webhooks/s3cret/")

    assert host.strip("[]") in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000/s3cret/",
        "https://127.0.0.1/s3cret/",
        "ftp://127.0.0.1/s3cret/",
        "http://shop@127.0.0.1/s3cret/",
        "http://127.0.0.1:port/s3cret/",
        "http://127.0.0.1:65536/s3cret/",
        "http://[127.0.0.1/s3cret/",
        "http://127.0.0.1/s3cret\r\nX-Header: 1",
        "http://127.0.0.1/s3cret /",
        "http://127.0.0.1/s3crét/",
    ],
)
def test_webhook_url__of_another_form_is_refused_without_its_secret(url):
    simulator = Simulator()

    with pytest.raises(ValueError, match="has the form http://") as caught:
        simulator.webhook_url = url

    assert "s3cr" not in str(caught.value)
    assert simulator.webhook_url is None


def test_webhook_headers__are_sent_along(receiver):
    headers = {"ICOMNI-Signature": "t0ken"}
    with Simulator(
        webhook_url=receiver.url, webhook_headers=headers, report_seconds=0
    ) as simulator:
        send(simulator)
        [arrival] = receiver.wait_for(1)

    assert arrival.headers["ICOMNI-Signature"] == "t0ken"


@pytest.mark.parametrize(
    ("name", "value"), [("X-Token", "t0ken\r\nX: 1"), ("X-Token", "t0kén"), ("X Token", "t0ken")]
)
def test_webhook_headers__that_cannot_be_sent_are_refused_without_the_value(name, value):
    with pytest.raises(ValueError, match=repr(name)) as caught:
        Simulator(webhook_headers={name: value})

    assert "t0k" not in str(caught.value)


@pytest.mark.parametrize("http_status", [200, 404, 503])
def test_delivery__holds_what_was_posted_and_what_came_back(reporting, receiver, http_status):
    receiver.http_status = http_status

    send(reporting)
    [arrival] = receiver.wait_for(1)
    wait_until(lambda: reporting.webhooks)

    [delivery] = reporting.webhooks
    assert (delivery.url, delivery.body) == (receiver.url, arrival.body)
    assert (delivery.http_status, delivery.error) == (http_status, "")
    assert abs(datetime.now(UTC) - delivery.posted_at) < timedelta(minutes=1)


def test_delivery__redirect_is_not_followed(reporting, receiver):
    receiver.http_status = 307

    send(reporting)
    wait_until(lambda: reporting.webhooks)

    assert [delivery.http_status for delivery in reporting.webhooks] == [307]
    assert len(receiver.arrivals) == 1


def test_delivery__to_a_closed_port_says_why():
    # Taken, so that nobody else gets it meanwhile, and not listening.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        with Simulator(webhook_url=url, report_seconds=0) as simulator:
            send(simulator)
            wait_until(lambda: simulator.webhooks)

    [delivery] = simulator.webhooks
    assert delivery.http_status is None
    assert delivery.error.startswith("ConnectionRefusedError: ")


def test_delivery__of_something_that_is_no_http_says_why():
    with silent_site() as (url, listening), Simulator(report_seconds=0) as simulator:
        simulator.webhook_url = url
        send(simulator)
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"SSH-2.0\r\n")
            wait_until(lambda: simulator.webhooks)

    assert simulator.webhooks[0].error == "BadStatusLine: SSH-2.0\r\n"


@pytest.mark.parametrize(
    ("begun", "came_back"),
    [
        (b"", (None, "no answer within 1 s")),
        (b"HTTP/", (None, "no answer within 1 s")),
        (b"HTTP/1.1 200 OK\r\nX-Slow: ", (200, "")),
    ],
)
def test_delivery__slow_site_is_left_in_time(monkeypatch, begun, came_back):
    monkeypatch.setattr(webhooks, "POST_SECONDS", 1.0)
    with silent_site() as (url, listening), Simulator(report_seconds=0) as simulator:
        simulator.webhook_url = url
        began = time.monotonic()
        send(simulator)
        connection, _ = listening.accept()
        with connection:
            with contextlib.suppress(OSError):
                connection.sendall(begun)
                while not simulator.webhooks and time.monotonic() < began + 10:
                    # Each byte would begin a socket's own timeout anew.
                    connection.sendall(b"x" if begun else b"")
                    time.sleep(0.05)
            wait_until(lambda: simulator.webhooks)

    [delivery] = simulator.webhooks
    assert (delivery.http_status, delivery.error) == came_back
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://127.0.0.1:8000/webhooks/s3cret/", "http://127.0.0.1:8000/webhooks/•••/"),
        ("http://127.0.0.1/webhooks/s3cret", "http://127.0.0.1/webhooks/•••"),
        ("http://127.0.0.1/s3cret//", "http://127.0.0.1/•••//"),
        ("http://127.0.0.1/", "http://127.0.0.1/"),
        ("http://127.0.0.1/?token=s3cret", "http://127.0.0.1/?•••"),
    ],
)
def test_delivery__shows_its_url_without_the_secret(url, shown):
    delivery = WebhookDelivery(url, {}, 200, "", datetime.now(UTC))

    assert delivery.shown_url == shown
    assert "s3cret" not in repr(delivery)


def test_webhooks__are_bounded(monkeypatch, receiver):
    monkeypatch.setattr(webhooks, "KEPT_DELIVERIES", 2)
    with Simulator(webhook_url=receiver.url, report_seconds=0) as simulator:
        ids = [accepted_id(simulator) for _ in range(3)]
        receiver.wait_for(3)
        wait_until(
            lambda: simulator.webhooks[-1:] and simulator.webhooks[-1].body["IdOmniMess"] == ids[2]
        )

    assert [delivery.body["IdOmniMess"] for delivery in simulator.webhooks] == ids[1:]


def test_webhooks__above_the_queue_are_told_and_not_posted(monkeypatch, receiver):
    monkeypatch.setattr(webhooks, "LARGEST_QUEUE", 2)
    with Simulator(webhook_url=receiver.url, report_seconds=60) as simulator:
        ids = [accepted_id(simulator) for _ in range(3)]

    [delivery] = simulator.webhooks
    assert delivery.body["IdOmniMess"] == ids[2]
    assert (delivery.http_status, delivery.error) == (None, "not posted: 2 others wait")


def test_webhooks__of_many_clients_at_once_come_once_each(receiver):
    with Simulator(webhook_url=receiver.url, report_seconds=0.02) as simulator:
        with ThreadPoolExecutor(8) as clients:
            numbers = [f"8491000{n:04d}" for n in range(80)]
            answers = list(clients.map(lambda number: send(simulator, number), numbers))
        arrivals = receiver.wait_for(80)

    assert sorted(arrival.body["IdOmniMess"] for arrival in arrivals) == sorted(
        json.loads(body)[" idOmniMess "] for _, body in answers
    )


def test_clear__forgets_webhooks(reporting, receiver):
    send(reporting)
    wait_until(lambda: reporting.webhooks)

    reporting.clear()

    assert reporting.webhooks == []


def test_on_webhook__is_told_in_order_and_may_look_at_the_webhooks(receiver):
    seen = []
    with Simulator(
        webhook_url=receiver.url,
        report_seconds=0,
        on_webhook=lambda delivery: seen.append((delivery, simulator.webhooks)),
    ) as simulator:
        send(simulator, Outcome.SLIDES_TO_SMS.phone_number)
        wait_until(lambda: len(seen) == 2)

    assert [delivery.body["Status"] for delivery, _ in seen] == ["FAIL", "SUCCESS"]
    assert [delivery for delivery, _ in seen] == simulator.webhooks == seen[1][1]


def test_fault_of_an_observer__is_told_and_the_posting_goes_on(receiver, capfd):
    def observe(delivery):
        raise LookupError("an observer's own fault")

    with Simulator(webhook_url=receiver.url, report_seconds=0, on_webhook=observe) as simulator:
        send(simulator, Outcome.REPORTED_TWICE.phone_number)
        receiver.wait_for(2)

    assert "an observer's own fault" in capfd.readouterr().err


@pytest.mark.parametrize(
    "outcome", [Outcome.REPORTED_ON_TIME, Outcome.REPORTED_EARLY], ids=lambda o: o.name
)
def test_stop__hangs_up_on_a_silent_site_at_once(outcome):
    threads_before = threading.active_count()
    with silent_site() as (url, listening), Simulator(report_seconds=0) as simulator:
        simulator.webhook_url = url
        client = threading.Thread(target=_send_and_lose, args=(simulator, outcome))
        client.start()
        connection, _ = listening.accept()
        with connection:
            connection.recv(65_536)
            began = time.monotonic()
            simulator.stop()
            stopped_after = time.monotonic() - began
        client.join(5)

    assert stopped_after < 1
    assert [delivery.error for delivery in simulator.webhooks] == ["the simulator was stopped"]
    assert threading.active_count() == threads_before


def _send_and_lose(simulator, outcome):
    with contextlib.suppress(ConnectionError):
        send(simulator, outcome.phone_number)


def test_stop__does_not_wait_for_what_is_planned(receiver):
    with Simulator(webhook_url=receiver.url, report_seconds=60) as simulator:
        send(simulator)
        began = time.monotonic()

    assert time.monotonic() - began < 1
    assert simulator.webhooks == receiver.arrivals == []


def test_stop__keeps_an_early_webhook_from_being_posted(receiver):
    simulator = Simulator(webhook_url=receiver.url).start()
    simulator._webhooks.stop()

    send(simulator, Outcome.REPORTED_EARLY.phone_number)
    # It has been stopped by hand above, and the simulator stops it again.
    simulator.stop()

    assert [delivery.error for delivery in simulator.webhooks] == ["the simulator was stopped"]
    assert receiver.arrivals == []


def test_start__again_posts_what_fell_due_meanwhile(receiver):
    with Simulator(webhook_url=receiver.url, report_seconds=0.4) as simulator:
        provider_message_id = accepted_id(simulator)
    assert receiver.arrivals == []

    with simulator:
        [arrival] = receiver.wait_for(1)

    assert arrival.body["IdOmniMess"] == provider_message_id
