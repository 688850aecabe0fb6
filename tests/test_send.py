"""`services.send_message`: what is written and what is sent, when, and how often."""

import contextlib
import threading
from datetime import UTC, datetime, timedelta
from datetime import timezone as dt_timezone

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_etelecom import guards, services
from django_etelecom.client.codes import Refusal
from django_etelecom.client.protocol import Outcome, SendResult
from django_etelecom.exceptions import IdempotencyConflict, InvalidMessage
from django_etelecom.models import MessageLog, MessageTemplate, RouteRule
from django_etelecom.services import check_message, queue_message, resend_message, send_message

PHONE = "0912 345 678"
WIRE_PHONE = "84912345678"

committing = pytest.mark.django_db(transaction=True)


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return {"a": value}


def in_thread(function):
    """Run `function` on a connection of its own and return what it returned."""
    answers = []

    def run():
        try:
            answers.append(function())
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return answers[0]


@contextlib.contextmanager
def repeatable_read():
    """Isolate the transactions of this connection more than Django does by itself."""
    level = (
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {}"
        if connection.vendor == "postgresql"
        else "SET SESSION TRANSACTION ISOLATION LEVEL {}"
    )
    with connection.cursor() as cursor:
        cursor.execute(level.format("REPEATABLE READ"))
    try:
        yield
    finally:
        connection.close()


@committing
def test_send__goes_over_the_wire_and_is_recorded(live, order_template, order_params):
    message = send_message("order_confirmation", PHONE, order_params)

    assert message.status == "accepted"
    assert message.provider_message_id.startswith("ICOMNI")
    [receipt] = live.receipts
    assert receipt.json == {
        "username": "canary-username",
        "password": "canary-password",
        "phonenumber": WIRE_PHONE,
        "routerule": ["1", "3"],
        "templatecode": "order_confirmation",
        "list_param": {
            "customer_name": "Nguyễn Văn An",
            "order_code": "DH-1024",
            "amount": "150000",
            "delivery_date": "24/12/2026",
        },
    }


@committing
def test_send__returned_instance_equals_the_row(scripted, order_template, order_params):
    message = send_message("order_confirmation", PHONE, order_params)

    stored = MessageLog.objects.get()
    for field in MessageLog._meta.concrete_fields:
        assert getattr(message, field.attname) == getattr(stored, field.attname), field.name


@committing
def test_send__row_is_committed_as_sending_before_the_post(scripted, otp_template):
    seen = []

    def answer(outgoing):
        seen.append(in_thread(lambda: MessageLog.objects.values("status", "attempts").get()))
        return SendResult(outcome=Outcome.ACCEPTED, provider_status="1")

    scripted.answer = staticmethod(answer)

    send_message(otp_template, PHONE, {"otp": "123456"})

    assert seen == [{"status": "sending", "attempts": 1}]


@committing
def test_send__inside_atomic_waits_for_the_commit(scripted, otp_template):
    with transaction.atomic():
        message = send_message("login_otp", PHONE, {"otp": "123456"})
        assert message.status == "queued"
        assert scripted.sent == []

    assert len(scripted.sent) == 1
    assert message.status == "accepted"
    assert message.attempts == 1
    assert MessageLog.objects.get().status == "accepted"


@committing
def test_send__rolled_back_view_has_sent_nothing(scripted, otp_template):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        send_message("login_otp", PHONE, {"otp": "123456"})
        raise ZeroDivisionError

    assert scripted.sent == []
    assert not MessageLog.objects.exists()


@committing
def test_send__rolled_back_with_a_savepoint_is_not_sent(scripted, otp_template):
    with transaction.atomic():
        savepoint = connection.savepoint()
        lost = send_message("login_otp", "0987654321", {"otp": "111111"})
        connection.savepoint_rollback(savepoint)
        kept = send_message("login_otp", PHONE, {"otp": "222222"})

    [sent] = scripted.sent
    assert (sent.recipient, sent.wire.reveal()) == (WIRE_PHONE, {"otp": "222222"})
    assert (lost.status, kept.status) == ("queued", "accepted")
    assert MessageLog.objects.get().status == "accepted"


@committing
def test_send__cancelled_before_the_commit_is_not_sent(scripted, otp_template):
    with transaction.atomic():
        message = send_message("login_otp", PHONE, {"otp": "123456"})
        MessageLog.objects.update(status="cancelled")

    assert scripted.sent == []
    assert message.status == "cancelled"


@committing
def test_send__expired_before_the_commit_is_not_sent(scripted, otp_template):
    with transaction.atomic():
        message = send_message("login_otp", PHONE, {"otp": "123456"})
        MessageLog.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    assert scripted.sent == []
    assert (message.status, message.reason) == ("not_sent", "expired")


@committing
def test_send__claim_that_fails_at_commit_leaves_the_caller_alone(
    scripted, otp_template, monkeypatch
):
    def gone(*args):
        raise OperationalError("gone")

    monkeypatch.setattr("django_etelecom.lifecycle.claim", gone)

    with transaction.atomic():
        send_message("login_otp", PHONE, {"otp": "123456"})

    assert scripted.sent == []
    assert MessageLog.objects.get().status == "queued"


@committing
@pytest.mark.parametrize("service", [send_message, queue_message, check_message])
def test_send__without_time_zones_nothing_is_sent(scripted, otp_template, settings, service):
    settings.USE_TZ = False

    with pytest.raises(ImproperlyConfigured, match="USE_TZ is off"):
        service("login_otp", PHONE, {"otp": "123456"})

    assert scripted.sent == []
    assert not MessageLog.objects.exists()


@committing
@pytest.mark.parametrize("service", [send_message, queue_message])
def test_send__autocommit_off_is_refused(scripted, otp_template, service):
    transaction.set_autocommit(False)
    try:
        with pytest.raises(TransactionManagementError, match="atomic"):
            service("login_otp", PHONE, {"otp": "123456"})
    finally:
        transaction.commit()
        transaction.set_autocommit(True)
    assert scripted.sent == []
    assert not MessageLog.objects.exists()


@committing
@pytest.mark.parametrize(("are_on", "most"), [(False, 6), (True, 7)])
def test_send__takes_few_statements(
    scripted, order_template, order_params, monkeypatch, are_on, most
):
    if not are_on:
        monkeypatch.setattr(guards, "admit", lambda *_args, **_options: None)
    assert order_template.parameters.count() == 5
    send_message("order_confirmation", PHONE, order_params)

    with CaptureQueriesContext(connection) as captured:
        send_message("order_confirmation", PHONE, order_params)

    statements = [
        query["sql"]
        for query in captured.captured_queries
        if not query["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"))
    ]
    # One of them asks the guards, where they are on.
    assert len(statements) <= most, statements


@committing
def test_send__expiry_follows_the_category(scripted, otp_template, order_template, order_params):
    otp = send_message("login_otp", PHONE, {"otp": "123456"})
    order = send_message("order_confirmation", PHONE, order_params)

    assert abs(otp.expires_at - otp.created_at - timedelta(minutes=10)) < timedelta(seconds=5)
    assert abs(order.expires_at - order.created_at - timedelta(days=1)) < timedelta(seconds=5)


@committing
def test_send__own_expiry_and_metadata_are_kept(scripted, otp_template):
    expires_at = timezone.now() + timedelta(minutes=1)

    message = send_message(
        "login_otp", PHONE, {"otp": "123456"}, expires_at=expires_at, metadata={"order": "số 7 😀"}
    )

    message.refresh_from_db()
    assert message.expires_at == expires_at
    assert message.metadata == {"order": "số 7 😀"}


@committing
def test_send__sent_by(scripted, unhurried, otp_template, django_user_model):
    user = django_user_model.objects.create(username="lan")

    message = send_message("login_otp", PHONE, {"otp": "123456"}, sent_by=user)
    anonymous = send_message("login_otp", PHONE, {"otp": "123456"}, sent_by=AnonymousUser())

    assert message.sent_by == user
    assert anonymous.sent_by is None


# Secrets


@committing
def test_send__secret_is_nowhere_in_the_database(live, otp_template):
    message = send_message("login_otp", PHONE, {"otp": "937415"})

    rows = [*MessageLog.objects.values(), *message.events.values()]
    assert "937415" not in str(rows)
    assert message.params == {"otp": "•••"}
    assert live.receipts[0].list_param == {"otp": "937415"}


@committing
def test_send__hash_of_the_content_is_kept_beside_a_key_alone(scripted, otp_template):
    without = send_message("login_otp", PHONE, {"otp": "937415"})
    other = "0912345679"
    with_key = send_message("login_otp", other, {"otp": "937415"}, idempotency_key="login-1")

    assert without.content_digest == ""
    assert len(with_key.content_digest) == 64


@committing
def test_send__secret_that_looks_like_a_status_does_not_eat_it(scripted, otp_template):
    message = send_message("login_otp", PHONE, {"otp": "1"})

    assert (message.status, message.provider_status) == ("accepted", "1")


@committing
def test_send__echo_of_secret_and_credentials_is_masked(scripted, otp_template):
    scripted.answer = staticmethod(
        lambda outgoing: SendResult(
            outcome=Outcome.REJECTED,
            provider_status="-2",
            provider_detail="Wrong Format Parameter: 937415 canary-password",
            http_status=200,
            payload={"status": "-2", "code": "937415", "username": "canary-username"},
        )
    )

    message = send_message("login_otp", PHONE, {"otp": "937415"})

    stored = str([*MessageLog.objects.values(), *message.events.values()])
    for secret in ("937415", "canary-password", "canary-username"):
        assert secret not in stored
    assert message.provider_detail == "Wrong Format Parameter: ••• •••"


@committing
def test_send__no_frame_of_ours_shows_the_secret_to_an_error_reporter(
    scripted, otp_template, monkeypatch
):
    def gone(*args, **kwargs):
        raise OperationalError("gone")

    monkeypatch.setattr(MessageLog, "save", gone)
    with pytest.raises(OperationalError) as from_database:
        send_message("login_otp", PHONE, {"otp": "937415"})
    with pytest.raises(InvalidMessage) as from_check:
        check_message("login_otp", "not a number", {"otp": "937415"})

    for caught in (from_database, from_check):
        frames = [entry.frame for entry in caught.traceback if "django_etelecom" in str(entry.path)]
        ours = [frame.f_locals for frame in frames if "test_send" not in str(frame.code.path)]
        assert ours
        assert "937415" not in repr(ours)


# Bad input: everything is told at once, nothing is written, nothing is sent


def test_send__all_faults_at_once(scripted, order_template):
    with pytest.raises(InvalidMessage) as caught:
        send_message(
            "order_confirmation",
            "12",
            {"customer_name": "", "amount": 1.5, "surprise": "x"},
            route="nowhere",
            idempotency_key="",
            expires_at=timezone.now() - timedelta(days=1),
            metadata={"a": float("nan")},
        )

    assert set(caught.value.message_dict) == {
        "to",
        "route",
        "params.customer_name",
        "params.order_code",
        "params.amount",
        "params.delivery_date",
        "params.surprise",
        "idempotency_key",
        "expires_at",
        "metadata",
    }
    assert not MessageLog.objects.exists()
    assert scripted.sent == []


@pytest.mark.parametrize(
    "template",
    [
        "nowhere",
        "",
        "a" * 10_000_000,
        "nul\0",
        "lone \ud800",
        None,
        7,
        "LOGIN_OTP",
        b"login_otp",
        MessageTemplate(code=None),
    ],
    ids=[
        "unknown",
        "blank",
        "10 MB",
        "NUL",
        "surrogate",
        "None",
        "integer",
        "case",
        "bytes",
        "template without code",
    ],
)
def test_send__unknown_template_raises(scripted, otp_template, template):
    with pytest.raises(InvalidMessage) as caught:
        send_message(template, PHONE, {"otp": "123456"})

    assert list(caught.value.message_dict) == ["template"]
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "route",
    ["nowhere", "a" * 10_000_000, "nul\0", "lone \ud800", 7, "SMS ONLY"],
    ids=["unknown", "10 MB", "NUL", "surrogate", "integer", "case"],
)
def test_send__unknown_route_raises(scripted, otp_template, route):
    RouteRule.objects.create(name="SMS only", channels=["3"])

    with pytest.raises(InvalidMessage) as caught:
        send_message("login_otp", PHONE, {"otp": "123456"}, route=route)

    assert list(caught.value.message_dict) == ["route"]


@pytest.mark.parametrize("params", [[("otp", "1")], "otp=1", 7, {1: "x"}])
def test_send__params_that_are_no_mapping_of_names_raise(scripted, otp_template, params):
    with pytest.raises(InvalidMessage) as caught:
        send_message("login_otp", PHONE, params)

    assert "params" in caught.value.message_dict


@pytest.mark.parametrize(
    "metadata",
    [
        nested(60),
        {"a": object()},
        [1],
        {"a": "\0"},
        {"a": "\ud800"},
        {"a": "x" * 20_000},
        {1.5: {2: set()}},
    ],
)
def test_send__metadata_that_cannot_be_stored_raises(scripted, otp_template, metadata):
    with pytest.raises(InvalidMessage) as caught:
        send_message("login_otp", PHONE, {"otp": "123456"}, metadata=metadata)

    assert list(caught.value.message_dict) == ["metadata"]


@pytest.mark.parametrize(
    "expires_at",
    [
        timezone.now().replace(tzinfo=None),
        "tomorrow",
        60,
        datetime.max.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=dt_timezone(timedelta(hours=-12))),
        datetime.min.replace(tzinfo=dt_timezone(timedelta(hours=14))),
    ],
)
def test_send__expiry_that_is_no_instant_raises(scripted, otp_template, expires_at):
    with pytest.raises(InvalidMessage) as caught:
        send_message("login_otp", PHONE, {"otp": "123456"}, expires_at=expires_at)

    assert list(caught.value.message_dict) == ["expires_at"]


@pytest.mark.parametrize("key", [7, "k" * 256, b"key"])
def test_send__idempotency_key_that_is_no_short_text_raises(scripted, otp_template, key):
    with pytest.raises(InvalidMessage) as caught:
        send_message("login_otp", PHONE, {"otp": "123456"}, idempotency_key=key)

    assert list(caught.value.message_dict) == ["idempotency_key"]


def test_send__inactive_template_raises(scripted, otp_template):
    MessageTemplate.objects.update(is_active=False)

    with pytest.raises(InvalidMessage, match="not active"):
        send_message(otp_template, PHONE, {"otp": "123456"})


def test_send__deleted_template_raises(scripted, otp_template):
    MessageTemplate.objects.all().delete()

    with pytest.raises(InvalidMessage) as caught:
        send_message(otp_template, PHONE, {"otp": "123456"})

    assert list(caught.value.message_dict) == ["template"]


@pytest.mark.parametrize("template", ["login_otp", MessageTemplate(code="unsaved")])
def test_send__account_that_does_not_exist_raises(scripted, otp_template, template):
    MessageTemplate.objects.update(account="shop")

    with pytest.raises((ImproperlyConfigured, InvalidMessage)):
        send_message(template, PHONE, {"otp": "123456"})

    assert not MessageLog.objects.exists()


@committing
@pytest.mark.parametrize(
    "fault", [{"POLL_AFTER": [120, 30]}, {"POLL_AFTER": "30"}, {"CONFIRM_REPORTS": "yes"}]
)
def test_send__setting_that_is_read_after_the_answer_is_judged_before(
    scripted, otp_template, settings, fault
):
    settings.ETELECOM = {**settings.ETELECOM, **fault}

    for send in (check_message, send_message):
        with pytest.raises(ImproperlyConfigured, match=f"'{next(iter(fault))}'"):
            send("login_otp", PHONE, {"otp": "123456"})

    assert scripted.sent == []
    assert not MessageLog.objects.exists()


# Routes


@committing
def test_send__route_of_the_message_beats_that_of_the_template(scripted, unhurried, otp_template):
    sms = RouteRule.objects.create(name="SMS only", channels=["3"])
    call = RouteRule.objects.create(name="Call only", channels=["2"])
    MessageTemplate.objects.update(route=call)

    own = send_message("login_otp", PHONE, {"otp": "1"})
    by_name = send_message("login_otp", PHONE, {"otp": "1"}, route="SMS only")
    by_rule = send_message("login_otp", PHONE, {"otp": "1"}, route=sms)

    assert [own.channels, by_name.channels, by_rule.channels] == [["2"], ["3"], ["3"]]
    assert [own.requested_route, by_name.requested_route] == ["", "SMS only"]


def test_send__without_any_route_raises(scripted, otp_template):
    RouteRule.objects.all().delete()

    with pytest.raises(InvalidMessage) as caught:
        send_message("login_otp", PHONE, {"otp": "123456"})

    assert list(caught.value.message_dict) == ["route"]


@pytest.mark.parametrize(
    "rule",
    [
        RouteRule(name="unsaved", channels=["3"]),
        RouteRule(pk=987654, name="deleted", channels=["3"]),
        RouteRule(pk="x", name="no key", channels=["3"]),
        RouteRule(pk=1, name="", channels=["3"]),
        RouteRule(pk=1, name=None, channels=["3"]),
        RouteRule(pk=1, name="nul\0", channels=["3"]),
        RouteRule(pk=1, name="n" * 101, channels=["3"]),
    ],
    ids=[
        "unsaved",
        "deleted",
        "no key",
        "no name",
        "None as name",
        "NUL",
        "long name",
    ],
)
def test_send__route_that_is_not_sound_raises(scripted, otp_template, rule):
    with pytest.raises(InvalidMessage) as caught:
        send_message("login_otp", PHONE, {"otp": "123456"}, route=rule)

    assert list(caught.value.message_dict) == ["route"]


def test_send__route_that_was_changed_and_not_saved_is_as_it_is_stored(scripted, otp_template):
    rule = RouteRule.objects.get()
    stored = rule.channels
    rule.channels = ["2"]

    message = send_message("login_otp", PHONE, {"otp": "123456"}, route=rule)

    assert message.channels == stored != ["2"]


@pytest.mark.parametrize("channels", [["9"], [], "13", {"3": "3"}])
def test_send__stored_channels_that_are_not_sound_raise(scripted, otp_template, channels):
    RouteRule.objects.update(channels=channels)

    with pytest.raises(InvalidMessage) as caught:
        send_message("login_otp", PHONE, {"otp": "123456"})

    assert list(caught.value.message_dict) == ["route"]


# Idempotency


@committing
def test_send__same_key_and_content_returns_the_first_row(scripted, otp_template):
    first = send_message("login_otp", PHONE, {"otp": "123456"}, idempotency_key="order-1")
    second = send_message("login_otp", "+84912345678", {"otp": "123456"}, idempotency_key="order-1")

    assert second == first
    assert [first.is_replay, second.is_replay] == [False, True]
    assert len(scripted.sent) == 1


@committing
@pytest.mark.parametrize(
    "changed",
    [
        {"to": "0912345679"},
        {"params": {"otp": "654321"}},
        {"route": "SMS only"},
        {"template": "other_otp"},
    ],
)
def test_send__same_key_for_other_content_conflicts(scripted, otp_template, changed):
    RouteRule.objects.create(name="SMS only", channels=["3"])
    other = MessageTemplate.objects.create(code="other_otp", category="otp")
    other.parameters.create(name="otp", kind="otp")
    content = {"template": "login_otp", "to": PHONE, "params": {"otp": "123456"}}
    send_message(**content, idempotency_key="key")

    with pytest.raises(IdempotencyConflict):
        send_message(**{**content, **changed}, idempotency_key="key")

    assert len(scripted.sent) == 1


def no_more(late):
    """What may be wrong with a call that was good when it was made first."""
    if late == "inactive":
        MessageTemplate.objects.update(is_active=False)
        return {}
    past = timezone.now() - timedelta(seconds=1)
    MessageLog.objects.update(expires_at=past)
    return {"expires_at": past}


LATE = pytest.mark.parametrize("late", ["expired", "inactive"])


@committing
@LATE
@pytest.mark.parametrize("by", [send_message, queue_message])
def test_send__same_key_and_content_too_late_returns_the_first_row(
    scripted, otp_template, late, by
):
    first = by("login_otp", PHONE, {"otp": "123456"}, idempotency_key="key")
    sent = len(scripted.sent)
    changed = no_more(late)

    second = by("login_otp", PHONE, {"otp": "123456"}, idempotency_key="key", **changed)

    assert (second, second.is_replay) == (first, True)
    assert (len(scripted.sent), MessageLog.objects.count()) == (sent, 1)
    with pytest.raises(IdempotencyConflict):
        by("login_otp", PHONE, {"otp": "654321"}, idempotency_key="key", **changed)


@committing
@LATE
def test_send__new_key_too_late_raises(scripted, otp_template, late):
    changed = no_more(late)

    with pytest.raises(InvalidMessage):
        send_message("login_otp", PHONE, {"otp": "123456"}, idempotency_key="key", **changed)

    assert not MessageLog.objects.exists()


@committing
def test_queue__same_key_long_after_its_time_returns_the_first_row(scripted, otp_template):
    first = queue_message("login_otp", PHONE, {"otp": "123456"}, idempotency_key="key")

    for then in (timezone.now() - timedelta(days=800), datetime.min.replace(tzinfo=UTC)):
        times = {"send_at": then, "expires_at": then}
        again = queue_message("login_otp", PHONE, {"otp": "123456"}, idempotency_key="key", **times)
        assert again == first


@committing
def test_resend__same_key_and_content_too_late_returns_the_first_row(
    scripted, order_template, order_params
):
    first = send_message(order_template, PHONE, order_params)
    again = resend_message(first, idempotency_key="key")
    MessageTemplate.objects.update(is_active=False)

    assert resend_message(first, idempotency_key="key") == again
    with pytest.raises(InvalidMessage, match="not active"):
        resend_message(first, idempotency_key="another")


def test_send__what_is_wrong_with_a_late_repeat_is_told_with_it(scripted, otp_template):
    with pytest.raises(InvalidMessage) as caught:
        send_message(
            "login_otp", "12", {"otp": "1"}, idempotency_key="key", expires_at=timezone.now()
        )

    assert set(caught.value.message_dict) == {"to", "expires_at"}


@committing
def test_send__keys_differ_by_case_and_by_account(scripted, unhurried, otp_template, settings):
    accounts = settings.ETELECOM["ACCOUNTS"]
    settings.ETELECOM = {
        **settings.ETELECOM,
        "ACCOUNTS": {**accounts, "second": accounts["default"]},
    }
    send_message("login_otp", PHONE, {"otp": "1"}, idempotency_key="Key")
    send_message("login_otp", PHONE, {"otp": "1"}, idempotency_key="key")
    MessageTemplate.objects.update(account="second")
    send_message("login_otp", PHONE, {"otp": "1"}, idempotency_key="key")

    assert len(scripted.sent) == 3


@committing
def test_send__same_key_of_what_no_limit_holds_is_the_first_row(
    scripted, order_template, order_params
):
    rows = [
        send_message(order_template, PHONE, order_params, idempotency_key="one") for _ in range(2)
    ]

    assert rows[0] == rows[1]
    assert len(scripted.sent) == 1


@committing
def test_send__key_is_spent_by_not_sent(scripted, otp_template):
    scripted.answer = staticmethod(lambda outgoing: SendResult(outcome=Outcome.NOT_SENT))
    first = send_message("login_otp", PHONE, {"otp": "1"}, idempotency_key="key")
    second = send_message("login_otp", PHONE, {"otp": "1"}, idempotency_key="key")

    assert first.status == second.status == "not_sent"
    assert len(scripted.sent) == 1


@committing
def test_send__taken_key_does_not_break_the_callers_transaction(scripted, otp_template):
    first = send_message("login_otp", PHONE, {"otp": "1"}, idempotency_key="key")

    with transaction.atomic():
        second = send_message("login_otp", PHONE, {"otp": "1"}, idempotency_key="key")
        RouteRule.objects.create(name="after", channels=["3"])

    assert second == first
    assert RouteRule.objects.filter(name="after").exists()


@committing
def test_send__key_survives_rotation_of_the_secret_key(scripted, otp_template, settings):
    first = send_message("login_otp", PHONE, {"otp": "1"}, idempotency_key="key")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "rotated"

    assert send_message("login_otp", PHONE, {"otp": "1"}, idempotency_key="key") == first


@committing
def test_send__one_key_in_many_threads_sends_once(live, otp_template):
    barrier = threading.Barrier(8)
    messages, errors = [], []

    def send():
        try:
            barrier.wait()
            messages.append(
                send_message("login_otp", PHONE, {"otp": "123456"}, idempotency_key="key")
            )
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len({message.pk for message in messages}) == 1
    assert len(live.receipts) == 1


class Undone(Exception):
    """What psycopg raises."""

    sqlstate = "40P01"


def failing_inserts(times, error):
    """Fail as many inserts of a message; return the context and the list of what is left."""
    left = [error] * times

    def run(execute, sql, params, many, context):
        if left and sql.startswith("INSERT INTO") and "etelecom_messagelog" in sql:
            raise left.pop()
        return execute(sql, params, many, context)

    return connection.execute_wrapper(run), left


def deadlock():
    error = OperationalError("deadlock detected")
    error.__cause__ = Undone()
    return error


@committing
@pytest.mark.parametrize(
    "error",
    [
        deadlock(),
        OperationalError(1213, "Deadlock found"),
        OperationalError(1020, "Record has changed since last read"),
    ],
)
def test_send__insert_that_lost_a_deadlock_is_made_again(scripted, otp_template, error):
    wrapper, left = failing_inserts(5, error)

    with wrapper:
        message = send_message("login_otp", PHONE, {"otp": "123456"}, idempotency_key="key")

    assert (message.status, left) == ("accepted", [])
    assert len(scripted.sent) == 1


@committing
@pytest.mark.parametrize(
    ("times", "error"), [(6, deadlock()), (1, OperationalError("database is locked"))]
)
def test_send__other_faults_of_an_insert_are_raised_and_nothing_is_sent(
    scripted, otp_template, times, error
):
    wrapper, left = failing_inserts(times, error)

    with wrapper, pytest.raises(OperationalError):
        send_message("login_otp", PHONE, {"otp": "123456"})

    assert left == scripted.sent == []
    assert not MessageLog.objects.exists()


@committing
def test_send__deadlock_inside_the_callers_transaction_is_the_callers(scripted, otp_template):
    wrapper, left = failing_inserts(1, deadlock())

    with wrapper, pytest.raises(OperationalError), transaction.atomic():
        send_message("login_otp", PHONE, {"otp": "123456"})

    assert left == scripted.sent == []


@committing
def test_send__deleted_user_raises_and_sends_nothing(scripted, otp_template, django_user_model):
    gone = django_user_model.objects.create(username="lan")
    django_user_model.objects.filter(pk=gone.pk).delete()

    with pytest.raises(InvalidMessage) as caught:
        send_message(otp_template, PHONE, {"otp": "1"}, sent_by=gone)

    assert caught.value.message_dict == {"sent_by": ["It does not exist any more."]}
    assert scripted.sent == []
    assert not MessageLog.objects.exists()


@pytest.mark.parametrize("sent_by", ["lan", 7, type("User", (), {"pk": 1})()])
@pytest.mark.django_db
def test_send__sender_that_is_no_stored_user_raises(scripted, otp_template, sent_by):
    with pytest.raises(InvalidMessage) as caught:
        send_message(otp_template, PHONE, {"otp": "1"}, sent_by=sent_by)

    assert caught.value.message_dict == {"sent_by": ["Give a stored user, or nothing."]}


@committing
def test_send__user_that_was_never_stored_raises(scripted, otp_template, django_user_model):
    with pytest.raises(InvalidMessage):
        send_message(otp_template, PHONE, {"otp": "1"}, sent_by=django_user_model(username="lan"))


@committing
def test_send__visitor_who_has_not_logged_in_is_nobody(scripted, otp_template):
    message = send_message(otp_template, PHONE, {"otp": "1"}, sent_by=AnonymousUser())

    assert message.sent_by is None


@committing
def test_send__template_deleted_after_its_check_raises(scripted, otp_template, monkeypatch):
    prepare = services.prepare

    def prepare_and_delete(*args, **kwargs):
        draft = prepare(*args, **kwargs)
        MessageTemplate.objects.all().delete()
        return draft

    monkeypatch.setattr(services, "prepare", prepare_and_delete)

    with pytest.raises(InvalidMessage) as caught:
        send_message(otp_template, PHONE, {"otp": "1"}, idempotency_key="one")

    assert caught.value.message_dict == {"template": ["It does not exist any more."]}
    assert scripted.sent == []


@committing
def test_send__row_that_cannot_be_written_raises_and_sends_nothing(
    scripted, otp_template, monkeypatch
):
    def refused(*args, **kwargs):
        raise IntegrityError("a constraint of the site's own")

    monkeypatch.setattr(MessageLog, "save", refused)

    with pytest.raises(IntegrityError, match="of the site's own"):
        send_message(otp_template, PHONE, {"otp": "1"})

    assert scripted.sent == []


@committing
@pytest.mark.skipif(connection.vendor == "sqlite", reason="has no snapshots that are written from")
def test_send__key_taken_behind_a_snapshot_asks_to_run_the_transaction_again(
    scripted, order_template, order_params
):
    def send():
        return send_message(order_template, PHONE, order_params, idempotency_key="one")

    with repeatable_read(), transaction.atomic():
        MessageLog.objects.exists()
        in_thread(send)
        with pytest.raises(OperationalError, match="run this transaction again"):
            send()

    assert len(scripted.sent) == 1


@committing
@pytest.mark.skipif(connection.vendor != "postgresql", reason="only PostgreSQL refuses the write")
def test_send__number_held_behind_a_snapshot_asks_to_run_the_transaction_again(
    scripted, otp_template
):
    with repeatable_read(), transaction.atomic():
        MessageLog.objects.exists()
        in_thread(lambda: send_message(otp_template, PHONE, {"otp": "1"}))
        with pytest.raises(OperationalError, match="serialize"):
            send_message(otp_template, PHONE, {"otp": "1"})

    assert len(scripted.sent) == 1


@committing
def test_send__second_call_in_one_transaction_is_brought_up_to_date_as_well(scripted, otp_template):
    with transaction.atomic():
        first = send_message(otp_template, PHONE, {"otp": "1"}, idempotency_key="one")
        second = send_message(otp_template, PHONE, {"otp": "1"}, idempotency_key="one")
        assert (first.status, second.status) == ("queued", "queued")

    assert (first.status, second.status) == ("accepted", "accepted")
    assert len(scripted.sent) == 1


@pytest.mark.django_db
def test_send__template_of_a_key_that_is_no_number_raises(scripted):
    with pytest.raises(InvalidMessage) as caught:
        send_message(MessageTemplate(pk="abc", code="abc"), PHONE)

    assert caught.value.message_dict == {"template": ["There is no template with the code “abc”."]}


@pytest.mark.django_db
def test_send__number_in_the_place_of_a_name_is_not_quoted_whole(scripted, otp_template):
    with pytest.raises(InvalidMessage) as of_template:
        send_message("0912345678", "login_otp")
    with pytest.raises(InvalidMessage) as of_route:
        send_message("login_otp", PHONE, {"otp": "1"}, route="0912345678")

    assert "“091•••678”" in of_template.value.message_dict["template"][0]
    assert "“091•••678”" in of_route.value.message_dict["route"][0]


@committing
def test_send__outgoing_message_shows_no_number_in_its_repr(scripted, otp_template):
    send_message(otp_template, PHONE, {"otp": "1"})

    assert "912345678" not in repr(scripted.sent[0])


@committing
def test_send__mask_of_a_secret_is_not_sent_for_it(scripted, otp_template):
    with pytest.raises(InvalidMessage) as caught:
        send_message(otp_template, PHONE, {"otp": " ••• "})

    [sentence] = caught.value.message_dict["params.otp"]
    assert sentence.startswith("“•••” stands for a value that was not kept")


@committing
def test_send__log_line_shows_no_number_that_the_provider_echoes(scripted, otp_template, caplog):
    scripted.answer = staticmethod(
        lambda outgoing: SendResult(
            outcome=Outcome.REJECTED,
            refusal=Refusal.PHONE_NUMBER,
            provider_detail="wrong: 84912345678, 0912.345.678",
        )
    )
    with caplog.at_level("INFO", logger="django_etelecom"):
        message = send_message(otp_template, PHONE, {"otp": "1"})

    assert message.provider_detail == "wrong: 84912345678, 0912.345.678"
    [line] = [record.getMessage() for record in caplog.records]
    assert "wrong: •••, 0•••" in line
