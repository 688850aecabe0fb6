"""The example's commands, as a newcomer runs them."""

import logging
import re
import signal
import socket
import subprocess
import time
from datetime import datetime

import pytest
import requests
from django.core.management import CommandError, call_command
from django.utils import timezone

from django_etelecom import guards, hours, verdicts
from django_etelecom.models.messages import Status
from django_etelecom.simulator import Outcome
from shop import demonstration
from shop.demonstration import Answer
from tests.example.conftest import ROOT

DEPLOYED = {
    "DEBUG": "0",
    "SECRET_KEY": "only-for-this-test-0123456789-abcdefghijklmnopqrstuvwxyz",
    "ALLOWED_HOSTS": "shop.example.vn",
}


def test_demo__ends_well_also_when_it_is_run_again(manage):
    for _ in range(2):
        done = manage("demo")

        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        assert "The simulator received 8 POSTs; 8 of 9 rows say that one was made." in done.stdout
        assert re.search("rejected +phone_number +-1 PhoneNumber Wrong Format", done.stdout)
        assert re.search("unknown +timeout", done.stdout)
        assert re.search("account_paused +Account “default” is paused", done.stdout)
        assert "messages of account “default” go again" in done.stdout
        assert re.search("cooldown +The number has just had this message.", done.stdout)
        assert "stored: otp = •••" in done.stdout
        assert re.search("report +undelivered +FAIL ZNS -118", done.stdout)
        assert re.search("answer +delivered +SUCCESS SMS", done.stdout)
        assert "It arrived, by SMS." in done.stdout
        assert "webhooks/" not in done.stdout
        assert "All as expected." in done.stdout
        assert "tox run -e serve" in done.stdout


@pytest.fixture
def _log_level():
    logger = logging.getLogger("django_etelecom")
    before = logger.level
    yield
    logger.setLevel(before)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_log_level")
@pytest.mark.parametrize("hour", [3, 12])
def test_demo__ends_well_at_any_hour(monkeypatch, settings, capsys, hour):
    settings.ROOT_URLCONF = "shop_site.urls"
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    now = datetime(2026, 12, 24, hour, 30, tzinfo=hours.ZONE)

    class Clock:
        def __getattr__(self, name):
            return getattr(timezone, name)

        def now(self):
            return now

    for room in (guards, verdicts):
        monkeypatch.setattr(room, "timezone", Clock())

    call_command("demo")

    assert "All as expected." in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_log_level")
def test_demo__fails_where_something_is_not_as_expected(monkeypatch, capsys):
    wrong = Answer("Refused, not accepted", Outcome.REFUSED_PHONE_NUMBER, Status.ACCEPTED)
    monkeypatch.setattr(demonstration, "ANSWERS", [wrong])
    monkeypatch.setattr(demonstration, "FAULTY", ("login_otp", "0912345678", {"otp": "123456"}))

    with pytest.raises(CommandError, match=r"the status should be Status\.ACCEPTED") as error:
        call_command("demo")

    assert "the faulty fields should be" in str(error.value)
    assert capsys.readouterr().out.count("NOT AS EXPECTED") == str(error.value).count("should be")


@pytest.fixture
def serve(command, environment):
    """Start `serve` on free ports; it ends with the test at the latest."""
    started = subprocess.Popen(
        [*command, "serve", "--port=0", "--simulator-port=0"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    with started:
        yield started
        started.kill()


def read_to(process, words):
    """Return what the process prints up to the line with these words."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            break
    return "".join(lines)


def post(session, url, fields):
    """Post a form of the site as a browser does."""
    session.get(url).raise_for_status()
    return session.post(url, {"csrfmiddlewaretoken": session.cookies["csrftoken"], **fields})


def until_delivered(session, url):
    """Look at a list of messages until one has been delivered, some seconds at most."""
    ends_at = time.monotonic() + 20
    while time.monotonic() < ends_at:
        if 'class="etelecom-badge etelecom-delivered"' in session.get(url).text:
            return True
        time.sleep(0.2)
    return False


def test_serve__a_newcomer_orders_logs_in_and_looks_at_the_admin(serve):
    greeting = read_to(serve, "Ctrl-C")
    site = re.search(r"The shop +(\S+)", greeting)[1]
    username, password = re.search(r"user (\S+), password (\S+)", greeting).groups()

    with requests.Session() as session:
        assert session.get(f"{site}static/shop/shop.css").ok
        vietnamese = session.get(site, headers={"Accept-Language": "vi"})
        assert "450.000 ₫" in vietnamese.text
        post(session, f"{site}login/", {"phone": "0912 345 678"})
        code = re.search(r'"otp": "(\d+)"', read_to(serve, "login_otp"))[1]
        done = post(session, f"{site}login/code/", {"code": code})
        assert "You are logged in" in done.text
        order = post(
            session,
            f"{site}orders/new/",
            {"product": 1, "quantity": 1, "name": "Lan", "phone": "0900 000 003"},
        )
        assert "The account has no messages left." in order.text
        messages = post(
            session,
            f"{site}admin/login/",
            {
                "username": username,
                "password": password,
                "next": "/admin/etelecom/messagelog/",
            },
        )
        assert "0912 345 678" in messages.text
        # The provider's answer has paused the account.
        resume = re.search("/(admin/etelecom/accountstate/[0-9]+/resume/)", messages.text)[1]
        token = {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
        assert session.post(f"{site}{resume}", token).ok
        post(
            session,
            f"{site}orders/new/",
            {"product": 1, "quantity": 1, "name": "Lan", "phone": "0900 000 084"},
        )
        assert until_delivered(session, f"{site}admin/etelecom/messagelog/?q=0900000084")

    serve.send_signal(signal.SIGINT)
    ending, _ = serve.communicate(timeout=20)
    assert "The shop is closed." in ending
    assert "webhooks/" not in greeting + ending
    assert serve.returncode == 0


def test_serve__a_program_sends_over_the_api(serve, manage):
    site = re.search(r"The shop +(\S+)", read_to(serve, "Ctrl-C"))[1]
    token = manage("drf_create_token", "demo").stdout.split()[2]
    body = (ROOT / "example_project" / "message.json").read_bytes()
    headers = {"Content-Type": "application/json"}

    refused = requests.post(f"{site}api/messages/", body, headers=headers, timeout=20)
    headers["Authorization"] = f"Token {token}"
    taken = requests.post(f"{site}api/messages/", body, headers=headers, timeout=20)

    assert refused.status_code == 401
    assert taken.status_code == 201
    assert taken.json()["status"] == "accepted"


def test_serve__ends_cleanly_when_it_is_told_to_twice(serve):
    read_to(serve, "Ctrl-C")

    serve.send_signal(signal.SIGTERM)
    serve.send_signal(signal.SIGINT)
    _, errors = serve.communicate(timeout=20)

    assert errors == ""
    assert serve.returncode == 0


@pytest.mark.parametrize("option", ["--port", "--simulator-port"])
def test_serve__port_in_use(manage, option):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        # Of an option that is given twice the last one counts.
        done = manage("serve", "--port=0", "--simulator-port=0", f"{option}={port}")

    assert done.returncode == 1
    assert f"Can't listen on port {port}" in done.stderr
    assert f"choose another by {option}" in done.stderr


@pytest.mark.parametrize(
    "more",
    [
        {},
        {
            "ETELECOM_URL": "etelecom://user:password@sms.etelecom.vn",
            "HTTPS_HEADER": "HTTP_X_FORWARDED_PROTO",
        },
    ],
)
def test_check__has_nothing_to_say_of_a_deployed_site(manage, more):
    done = manage("check", "--deploy", "--fail-level=WARNING", **DEPLOYED, **more)

    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout


def test_settings__every_variable_is_in_the_example_of_an_environment():
    example_project = ROOT / "example_project"
    settings = (example_project / "shop_site" / "settings.py").read_text(encoding="utf-8")
    example = (example_project / ".env.example").read_text(encoding="utf-8")

    read = re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', settings)
    named = re.findall(r"^(?:# )?([A-Z_]+)=", example, re.MULTILINE)

    assert set(read) == set(named)


def test_settings__a_deployed_site_needs_its_own_secret_key(manage):
    done = manage("check", DEBUG="False")

    assert done.returncode == 1
    assert "SECRET_KEY" in done.stderr
