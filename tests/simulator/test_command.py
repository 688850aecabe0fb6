import io
import json
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from django_etelecom.simulator import Outcome, Simulator

MESSAGE = {
    "username": "shop",
    "password": "opens",
    "phonenumber": Outcome.REFUSED_TEMPLATE.phone_number,
    "routerule": "3",
    "templatecode": "OTP\x1b[31m",
    "list_param": {"otp": "123456"},
}


def post(url, body):
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, data=body, timeout=5) as response:
        return response.read()


class Terminal(io.StringIO):
    """What the command prints goes here; once its URL is there, somebody uses the simulator."""

    def __init__(self, use):
        super().__init__()
        self.use = use

    def flush(self):
        url = re.search(r"http://127\.0\.0\.1:\d+", self.getvalue())
        if url and self.use:
            use, self.use = self.use, None
            use(url[0])


def run(*arguments, use):
    terminal = Terminal(use)
    call_command("etelecom_simulator", "--port", "0", *arguments, stdout=terminal)
    return terminal.getvalue()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command__ends_on_a_signal_and_puts_the_handlers_back(number):
    before = signal.getsignal(number)
    urls = []

    def use(url):
        urls.append(url)
        signal.raise_signal(number)

    run(use=use)

    assert signal.getsignal(number) is before
    with pytest.raises(urllib.error.URLError, match="refused"):
        post(urls[0], b"{}")


def test_command__prints_the_settings_and_every_magic_number():
    urls = []

    def use(url):
        urls.append(url)
        signal.raise_signal(signal.SIGINT)

    printed = run(use=use)

    namespace = {}
    exec(printed[printed.index("ETELECOM = ") : printed.index("Send to one")], namespace)  # noqa: S102  # our own
    assert namespace["ETELECOM"]["ACCOUNTS"]["default"]["BASE_URL"] == urls[0]
    for outcome in Outcome:
        assert f"0{outcome.phone_number[2:]}  {outcome.sentence}\n" in printed


def test_command__prints_a_line_for_each_request_without_secrets():
    def use(url):
        post(f"{url}/api/OmniMessage/SendMessage", json.dumps(MESSAGE).encode())
        asked = {"username": "shop", "password": "opens", "idOmniMess": "ICOMNI"}
        post(f"{url}/api/OmniReport/GetStatusOmni", json.dumps(asked).encode())
        signal.raise_signal(signal.SIGINT)

    sent, asked = run(use=use).splitlines()[-2:]

    assert re.fullmatch(
        r"\d\d:\d\d:\d\d  /api/OmniMessage/SendMessage"
        r"  84900•••006  OTP\\x1b\[31m  refused_template",
        sent,
    )
    assert re.fullmatch(r"\d\d:\d\d:\d\d  /api/OmniReport/GetStatusOmni", asked)


def test_command__prints_a_line_for_each_webhook_without_secrets(receiver):
    def use(url):
        early = MESSAGE | {"phonenumber": Outcome.REPORTED_EARLY.phone_number}
        post(f"{url}/api/OmniMessage/SendMessage", json.dumps(early).encode())
        signal.raise_signal(signal.SIGINT)

    header = "ICOMNI-Signature: t0ken"
    printed = run("--webhook-url", receiver.url, "--webhook-header", header, use=use)

    [arrival] = receiver.arrivals
    assert arrival.headers["ICOMNI-Signature"] == "t0ken"
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d  /webhooks/•••/  ICOMNI[0-9a-f]{30}  SUCCESS  200",
        printed.splitlines()[-1],
    )
    assert "s3cret" not in printed
    assert "t0ken" not in printed


def test_command__says_why_a_webhook_had_no_answer():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    def use(url):
        early = MESSAGE | {"phonenumber": Outcome.REPORTED_EARLY.phone_number}
        post(f"{url}/api/OmniMessage/SendMessage", json.dumps(early).encode())
        signal.raise_signal(signal.SIGINT)

    printed = run("--webhook-url", f"http://127.0.0.1:{port}/s3cret/", use=use)

    assert re.search(r"/•••/  ICOMNI\w+  SUCCESS  ConnectionRefusedError: .*\n$", printed)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--webhook-url", "http://example.com/s3cret/"], "'example.com' is none of them"),
        (["--webhook-url", "https://127.0.0.1/s3cret/"], "has the form http://"),
        (["--webhook-header", "s3cret"], "as 'NAME: VALUE'"),
        (["--webhook-header", "X-Token: s3crét"], "header 'X-Token' is not plain ASCII"),
    ],
)
def test_command__webhook_that_cannot_be_posted_is_refused(arguments, sentence):
    with pytest.raises(CommandError, match=sentence) as caught:
        call_command("etelecom_simulator", "--port", "0", *arguments)

    assert "s3cr" not in str(caught.value)


def test_command__quiet_prints_the_url_alone():
    def use(url):
        post(f"{url}/api/OmniMessage/SendMessage", json.dumps(MESSAGE).encode())
        signal.raise_signal(signal.SIGINT)

    printed = run("--quiet", use=use)

    assert re.fullmatch(r"http://127\.0\.0\.1:\d+\n", printed)


def test_command__host_that_is_not_the_loopback_is_refused():
    with pytest.raises(CommandError, match="is none of them"):
        call_command("etelecom_simulator", "--host", "0.0.0.0")  # noqa: S104  # refused


def test_command__taken_port_is_told():
    with Simulator() as simulator:
        port = simulator.base_url.rpartition(":")[2]

        with pytest.raises(CommandError, match=f"port {port}: .*in use"):
            call_command("etelecom_simulator", "--port", port)


def test_command__port_that_does_not_exist_is_told():
    with pytest.raises(CommandError, match="port 65536: "):
        call_command("etelecom_simulator", "--port", "65536")


def test_command__as_a_process_ends_cleanly():
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "django", "etelecom_simulator", "--port", "0", "--quiet"]

    with subprocess.Popen(
        command,
        cwd=root,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            url = process.stdout.readline().strip()
            answer = post(f"{url}/api/OmniMessage/SendMessage", json.dumps(MESSAGE).encode())
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=10)
        finally:
            process.kill()

    assert json.loads(answer)["status"] == "-6"
    assert (process.returncode, errors) == (0, "")
