"""Fixtures of the whole suite: templates as a shop has them, and the simulator."""

import os
from collections.abc import Iterator
from datetime import timedelta

import hypothesis
import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management.commands import flush
from django.db import connection
from django.utils import timezone

from django_etelecom import explanation, guards, services, stripping, verdicts
from django_etelecom.models import Campaign, MessageLog, MessageTemplate, RouteRule
from django_etelecom.simulator import Simulator
from tests.backends import AskableBackend, ScriptedBackend

# They need PostgreSQL, Redis and RabbitMQ: `tox run -e engines`.
collect_ignore = (
    [] if os.environ.get("DJANGO_SETTINGS_MODULE") == "tests.engines.settings" else ["engines"]
)


# A loaded machine is late, and no test asserts a time.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Two for each core: many tests wait for a timeout, a process or a broker."""
    return 2 * (os.cpu_count() or 1)


@pytest.fixture(autouse=True, scope="session")
def _content_types_are_put_back():
    """Keep what Django looks for, row by row, each time a database was emptied after a test."""
    look_for = flush.emit_post_migrate_signal
    kept = []

    def put_back(verbosity, interactive, db, **options):
        if not kept:
            look_for(verbosity, interactive, db, **options)
            kept.extend(list(model.objects.using(db)) for model in (ContentType, Permission))
            return
        for rows in kept:
            type(rows[0]).objects.using(db).bulk_create(rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flush, "emit_post_migrate_signal", put_back)
        yield


@pytest.fixture(autouse=True, scope="session")
def _tables_are_emptied_row_by_row():
    """Have PostgreSQL delete the few rows of a test: TRUNCATE makes all files anew."""
    if connection.vendor != "postgresql":
        yield
        return

    def sql_flush(operations, style, tables, *, reset_sequences=False, allow_cascade=False):
        assert not reset_sequences
        # Foreign keys are looked at when the transaction ends.
        return [f"DELETE FROM {operations.quote_name(table)}" for table in tables]  # noqa: S608  # Django's own names

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(connection.ops), "sql_flush", sql_flush)
        yield


@pytest.fixture
def default_route(db):
    return RouteRule.objects.create(name="ZNS, then SMS", channels=["1", "3"], is_default=True)


@pytest.fixture
def order_template(default_route):
    template = MessageTemplate.objects.create(
        code="order_confirmation",
        name="Order confirmation",
        text="Dear {customer_name}, order {order_code} of {amount} VND comes on {delivery_date}.",
    )
    for position, (name, kind, required) in enumerate(
        [
            ("customer_name", "text", True),
            ("order_code", "text", True),
            ("amount", "money", True),
            ("delivery_date", "date", True),
            ("note", "text", False),
        ]
    ):
        template.parameters.create(name=name, kind=kind, required=required, position=position)
    return template


@pytest.fixture
def order_params():
    return {
        "customer_name": "Nguyễn Văn An",
        "order_code": "DH-1024",
        "amount": 150000,
        "delivery_date": "24/12/2026",
    }


@pytest.fixture
def otp_template(default_route):
    template = MessageTemplate.objects.create(
        code="login_otp", name="Login", category="otp", text="Your code is {otp}."
    )
    template.parameters.create(name="otp", kind="otp")
    return template


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


@pytest.fixture
def live(simulator, settings):
    """The default account sends to the simulator, over a real socket."""
    settings.ETELECOM = {
        "ACCOUNTS": {
            "default": {
                "USERNAME": "canary-username",
                "PASSWORD": "canary-password",
                "BASE_URL": simulator.base_url,
                "CONNECT_TIMEOUT": 1,
                "TIMEOUT": 1,
            }
        }
    }
    return simulator


@pytest.fixture
def scripted(settings):
    """The default account's backend calls `scripted.answer(outgoing)` and keeps what it got."""
    settings.ETELECOM = {
        "ACCOUNTS": {
            "default": {
                "USERNAME": "canary-username",
                "PASSWORD": "canary-password",
                "BACKEND": "tests.backends.ScriptedBackend",
            }
        }
    }
    ScriptedBackend.reset()
    return ScriptedBackend


@pytest.fixture
def unhurried(settings):
    """One-time passwords may follow one another at once. After the fixture of a backend."""
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": {"otp": {"COOLDOWN": []}}}


@pytest.fixture
def at_hour(monkeypatch):
    """Have it be another time for the hours of channels, and for what is told of them."""

    def set_to(now):
        class Clock:
            def __getattr__(self, name):
                return getattr(timezone, name)

            def now(self):
                return now

        for room in (explanation, guards, services, verdicts):
            monkeypatch.setattr(room, "timezone", Clock())

    return set_to


@pytest.fixture
def askable(settings):
    """As `scripted`, with `askable.status(id)` as the answer to questions, told in `asked`."""
    settings.ETELECOM = {
        "ACCOUNTS": {
            "default": {
                "USERNAME": "canary-username",
                "PASSWORD": "canary-password",
                "BACKEND": "tests.backends.AskableBackend",
            }
        }
    }
    AskableBackend.reset()
    return AskableBackend


@pytest.fixture
def message(askable, order_template, order_params):
    """An order's; accepted. Its route is ZNS, then SMS."""
    return services.send_message(order_template, "0912345678", order_params)


@pytest.fixture
def send(askable, order_template, order_params):
    """Send an order's message to 0912 345 678, or to another number."""

    def send(to="0912345678", **options):
        return services.send_message(order_template, to, order_params, **options)

    return send


@pytest.fixture
def make(otp_template):
    """Store a message as it may be found, that nobody has sent."""

    def make(*, account="default", **fields):
        return MessageLog.objects.create(
            template=otp_template,
            template_code="login_otp",
            account=account,
            recipient="84912345678",
            content_digest="",
            **fields,
        )

    return make


@pytest.fixture
def restless(monkeypatch):
    """What is pruned or erased batch after batch is so without a rest."""
    monkeypatch.setattr(stripping, "REST", 0)


@pytest.fixture
def retention(settings, askable):
    """Set how many days messages are kept; for a start, those of transactional ones."""

    def set_days(**by_category):
        settings.ETELECOM = {**settings.ETELECOM, "RETENTION": by_category}

    set_days(transactional={"strip": 7, "delete": 90})
    return set_days


@pytest.fixture
def make_delivered(retention, order_template):
    """Store a message that was delivered some days ago, with an event of the provider's."""

    def make(days=0, *, template=order_template, **fields):
        at = timezone.now() - timedelta(days=days)
        given = {
            "template_code": template.code,
            "account": "default",
            "recipient": "84912345678",
            "params": {"customer_name": "Nguyễn Văn An"},
            "metadata": {"basket": "canary-basket"},
            "status": "delivered",
            "content_digest": "c" * 64,
            "created_at": at,
            "sent_at": at,
            "updated_at": at,
            **fields,
        }
        message = MessageLog.objects.create(template=template, **given)
        message.events.create(source="send", status=message.status, payload="canary-payload")
        return message

    return make


@pytest.fixture
def old_campaign(retention, order_template, order_params):
    """A campaign that was made eight days ago; of its three rows two could not be sent."""
    good = {"to": "0912345678", **order_params}
    campaign = services.queue_campaign(order_template, [good, {"to": "canary"}, {"to": "canary"}])
    Campaign.objects.update(created_at=timezone.now() - timedelta(days=8))
    return campaign
