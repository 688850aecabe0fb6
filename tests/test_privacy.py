"""What is erased of a number, what stays, and what is told of what is left."""

import json
import threading
import time
from datetime import timedelta
from functools import partial

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from django_etelecom import lifecycle, privacy, stripping
from django_etelecom.client.codes import ReportedStatus
from django_etelecom.client.status import Report, StatusResult
from django_etelecom.exceptions import IdempotencyConflict, InvalidMessage
from django_etelecom.loading import values_of
from django_etelecom.models import (
    Campaign,
    CampaignPart,
    CampaignRow,
    Consent,
    InboxReport,
    MessageLog,
    NumberHistory,
    ReportedMessage,
    Suppression,
)
from django_etelecom.reports import keep
from django_etelecom.retention import prune
from django_etelecom.sealing import number_digests, seal
from django_etelecom.services import (
    begin_campaign,
    begin_upload,
    cancel_campaign,
    choose_columns,
    erase_number,
    export_number,
    load_parts,
    queue_campaign,
    queue_message,
    refresh_status,
    resend_message,
    send_message,
)
from django_etelecom.sheets import SheetRow
from django_etelecom.stripping import STRIPPED_OF_MESSAGE
from django_etelecom.summary import summarize
from django_etelecom.uploads import rows_waiting
from django_etelecom.worker import Worker
from tests.test_prune import echoing
from tests.test_send import in_thread
from tests.test_uploads import HEADER, line, sheet

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("restless")]

PHONE = "0912 345 678"
NUMBER = "84912345678"
OTHER = "0987 654 321"
CANARIES = ["912345678", "912 345 678", "912.345.678", "Nguy", "DH-1024", "canary"]


def dump():
    """Return every row of the app and of the admin's log as text, what is encrypted opened."""
    models = [*apps.get_app_config("etelecom").get_models(), LogEntry]
    rows = [repr(row) for model in models for row in model._default_manager.values_list()]
    rows += [repr(values_of(row)) for row in CampaignRow.objects.all()]
    rows += [
        repr(row.reveal()) for campaign in Campaign.objects.all() for row in rows_waiting(campaign)
    ]
    # What a fault gives as an example is nobody's number.
    return "\n".join(rows).replace("Type it as 0912 345 678 or +84 912 345 678", "")


def found():
    return [canary for canary in CANARIES if canary in dump()]


# --- What goes ------------------------------------------------------------------------------------


def test_erase__leaves_nothing_of_the_number_after_real_sends(
    live, order_template, order_params, admin_user
):
    order = {**order_params, "note": f"Call {PHONE}"}
    first = send_message(
        order_template, PHONE, order, metadata={"canary": PHONE}, idempotency_key="order-1"
    )
    resend_message(first, sent_by=admin_user)
    refresh_status(first)
    others = {**order_params, "customer_name": "Bình", "order_code": "DH-2"}
    send_message(order_template, "0900000001", others)
    queue_message(order_template, "0084912345678", order, send_at=in_an_hour())
    rows = [{"to": PHONE, **order}, {"to": PHONE, "customer_name": "canary"}, {"to": "0912345"}]
    campaign = queue_campaign(order_template, rows)
    Worker().run_once()
    waiting = sheet(line("0912.345.678"), header=WITHOUT_A_NAME)
    begin_upload(order_template, waiting, "11.csv")
    keep(Report(provider_message_id="ICOMNI-lost", payload={"phonenumber": NUMBER}))
    list_number(note=f"canary {PHONE}", source=f"On paper, canary removed: {PHONE}")
    before = {message.pk: message for message in MessageLog.objects.all()}
    counts = campaign.counts(), summarize(1).total.delivered
    assert set(CANARIES) - {"912.345.678"} <= set(found())

    erased = erase_number(PHONE)

    assert [one for one in found() if one != "canary"] == []
    assert dump().count("canary") == dump().count("On paper, canary removed: 0•••") == 1
    assert erased.is_complete
    assert (erased.messages, erased.cancelled, erased.rows, erased.reports) == (4, 1, 2, 1)
    assert (campaign.counts(), summarize(1).total.delivered) == counts
    for message in MessageLog.objects.filter(recipient="").exclude(status="cancelled"):
        for name in stays():
            assert getattr(message, name) == getattr(before[message.pk], name), name
    assert MessageLog.objects.get(recipient="84900000001").params["customer_name"] == "Bình"


def stays():
    columns = {field.name for field in MessageLog._meta.concrete_fields}
    return columns - STRIPPED_OF_MESSAGE.keys()


def in_an_hour():
    return timezone.now() + timedelta(hours=1)


def list_number(note="", source="On paper", number=NUMBER):
    digest = number_digests(number)[0]
    given = {"number_digest": digest, "recipient": number}
    Suppression.objects.create(reason="opt_out", scope="advertising", note=note, **given)
    Consent.objects.create(source=source, **given)
    NumberHistory.objects.create(number_digest=digest, touched_at=time.time())


def test_erase__leaves_nothing_of_what_the_provider_echoed(send, askable):
    askable.answer = staticmethod(echoing)
    message = send()
    report = Report(
        status=ReportedStatus.FAIL,
        provider_status=f"canary {NUMBER}",
        channel=f"SMS {NUMBER}",
        error_code=f"no {NUMBER}",
        network=NUMBER,
    )
    askable.status = staticmethod(
        lambda pk: StatusResult(report=report, http_status=200, payload={"said": f"canary {PHONE}"})
    )
    refresh_status(message)

    erase_number(PHONE)

    # What was counted by a name of the provider's is of no person.
    told = MessageLog.objects.values_list().get(), list(message.events.values_list())
    assert [canary for canary in CANARIES if canary in repr(told)] == []
    assert [event.status for event in message.events.all()] == ["accepted", "undelivered"]


def test_erase__of_a_message_that_is_asked_about_has_nobody_ask_any_more(send, askable):
    message = send()
    ReportedMessage.objects.create(message=message)

    erased = erase_number(PHONE)
    Worker().run_once()

    assert erased.is_complete
    assert askable.asked == []
    message.refresh_from_db()
    assert (message.status, message.next_poll_at, message.lease_expires_at) == (
        "accepted",
        None,
        None,
    )


def test_erase__takes_the_reports_along_that_a_message_has_waiting(send):
    message = send()
    InboxReport.objects.create(provider_message_id=message.provider_message_id, payload="canary")
    other = InboxReport.objects.create(provider_message_id="ICOMNI9", payload="84987654321")

    assert erase_number(PHONE).reports == 1

    assert InboxReport.objects.get() == other


def test_erase__cancels_what_waits(send, askable, order_template, order_params):
    waiting = queue_message(order_template, PHONE, order_params)

    erased = erase_number(PHONE)
    Worker().run_once()

    waiting.refresh_from_db()
    assert (waiting.status, waiting.is_stripped, waiting.sealed_params) == ("cancelled", True, "")
    assert (erased.cancelled, erased.messages) == (1, 1)
    assert askable.sent == []


def test_erase__of_a_campaigns_message_is_counted(askable, order_template, order_params):
    campaign = queue_campaign(order_template, [{"to": PHONE, **order_params}])

    erase_number(PHONE)

    assert campaign.counts() == {"cancelled": 1}


def test_erase__leaves_other_numbers_alone(send, order_template):
    send(OTHER)
    queue_campaign(order_template, [{"to": OTHER}])
    list_number(number="84987654321")
    before = dump()

    erased = erase_number(PHONE)

    assert dump() == before
    assert erased == privacy.Erased()


@pytest.mark.parametrize(
    "typed",
    ["0912345678", "+84 912.345.678", "84912345678", "(+84) 0912 345 678", "０９１２３４５６７８"],
)
def test_erase__takes_every_spelling_that_a_message_is_sent_to(send, typed):
    send()

    assert erase_number(typed).messages == 1


@pytest.mark.parametrize("recipient", ["841234567890", "6581234567", "84241234567"])
def test_erase__takes_what_may_not_be_sent_to_today(send, recipient):
    send()
    MessageLog.objects.update(recipient=recipient)

    assert erase_number(f"+{recipient}").messages == 1


@pytest.mark.parametrize("typed", ["", "DH-1024", "12", "0912 345 678 ext 5", 912345678, "9" * 99])
def test_erase__of_what_is_no_number_raises(typed):
    with pytest.raises(InvalidMessage) as caught:
        erase_number(typed, suppress=True)

    assert list(caught.value.message_dict) == ["phone"]
    assert not Suppression.objects.exists()


def test_erase__by_keys_that_cannot_be_used_raises(send, settings):
    send()
    settings.ETELECOM = {**settings.ETELECOM, "ENCRYPTION_KEYS": ["short"]}

    with pytest.raises(ImproperlyConfigured):
        erase_number(PHONE)

    assert MessageLog.objects.get().recipient


# --- What stays -----------------------------------------------------------------------------------


def test_erase__late_repeat_of_the_caller_sends_nothing(send, askable):
    first = send(idempotency_key="order-1024")
    erase_number(PHONE)

    again = send(idempotency_key="order-1024")

    assert again == first
    assert again.is_stripped
    assert len(askable.sent) == 1
    with pytest.raises(IdempotencyConflict):
        send(OTHER, idempotency_key="order-1024")


def test_erase__hash_of_the_content_goes_where_there_is_no_key(send):
    message = send()
    # As a script may have written it.
    MessageLog.objects.update(content_digest="c" * 64)

    erase_number(PHONE)

    message.refresh_from_db()
    assert message.content_digest == ""


def test_erase__opt_out_still_stands_by_its_digest():
    list_number(note="canary")

    erased = erase_number(PHONE)

    entry = Suppression.objects.get()
    assert (entry.recipient, entry.note) == ("", "")
    assert (entry.reason, entry.scope) == ("opt_out", "advertising")
    assert entry.number_digest in number_digests(NUMBER)
    assert erased.suppressions == 1


def test_erase__consent_is_withdrawn_and_stays_proved_by_its_digest():
    list_number(source=f"Typed {PHONE} at the counter")

    erased = erase_number(PHONE)

    consent = Consent.objects.get()
    assert (consent.recipient, consent.source) == ("", "Typed 0••• at the counter")
    assert timezone.now() - consent.withdrawn_at < timedelta(minutes=1)
    assert consent.number_digest in number_digests(NUMBER)
    assert erased.consents == 1


def test_erase__consent_that_was_withdrawn_before_keeps_its_day():
    list_number()
    before = timezone.now() - timedelta(days=3)
    Consent.objects.update(withdrawn_at=before)

    erase_number(PHONE)

    assert Consent.objects.get().withdrawn_at == before


def test_erase__finds_a_listed_number_whose_digest_no_key_makes():
    Suppression.objects.create(
        number_digest="0.0", recipient=NUMBER, reason="staff", scope="everything"
    )

    assert erase_number(PHONE).suppressions == 1

    assert Suppression.objects.get().recipient == ""


def test_erase__forgets_what_limits_know():
    list_number()

    erase_number(PHONE)

    assert not NumberHistory.objects.exists()


# --- The suppression list -------------------------------------------------------------------------


def test_suppress__lists_the_digest_alone(admin_user):
    erase_number(PHONE, suppress=True, by=admin_user)

    entry = Suppression.objects.get()
    assert (entry.recipient, entry.reason, entry.scope) == ("", "erased", "everything")
    assert entry.number_digest == number_digests(NUMBER)[0]
    assert entry.created_by == admin_user


def test_suppress__twice_lists_it_once():
    erase_number(PHONE, suppress=True)
    erase_number(PHONE, suppress=True)

    assert Suppression.objects.count() == 1


def test_erase__suppresses_nothing_by_itself():
    erase_number(PHONE)

    assert not Suppression.objects.exists()


# --- Rows of campaigns ----------------------------------------------------------------------------


def test_rows__that_have_the_number_go_wherever_it_stands(askable, order_template):
    rows = [
        {"to": PHONE},
        {"to": "canary", "customer_name": "Call +84 912.345.678"},
        {"phone": "0912345678 or 0987654321"},
        {PHONE: "canary"},
        {"to": OTHER},
        # What is wrong with it is told by the example of this very number.
        {"to": "canary"},
    ]
    campaign = queue_campaign(order_template, rows)

    assert erase_number(PHONE).rows == 4

    assert list(CampaignRow.objects.values_list("number", flat=True)) == [5, 6]
    campaign.refresh_from_db()
    assert campaign.faulty_rows == 6


def test_rows__that_repeat_a_number_stay_for_their_message(askable, order_template, order_params):
    queue_campaign(order_template, [{"to": PHONE, **order_params}] * 2)

    assert erase_number(PHONE).rows == 0

    assert CampaignRow.objects.get().faults == {"to": ["Row 1 has this number as well."]}


def test_rows__are_looked_into_a_batch_at_a_time(askable, order_template, monkeypatch):
    monkeypatch.setattr("django_etelecom.traces.BATCH", 2)
    queue_campaign(order_template, [{"to": PHONE}, {"to": OTHER}, {"to": OTHER}] * 3)

    assert erase_number(PHONE).rows == 3

    assert CampaignRow.objects.count() == 6


def test_rows__whose_fault_quotes_the_number_go_though_no_key_opens_them(askable, order_template):
    queue_campaign(order_template, [{"to": OTHER}, {"to": OTHER}])
    CampaignRow.objects.update(sealed_values=seal("{}", purpose="another"))
    first = CampaignRow.objects.first()
    CampaignRow.objects.filter(pk=first.pk).update(faults={"to": [f"“{PHONE}” is none."]})

    erased = erase_number(PHONE)

    assert (erased.rows, erased.unreadable) == (1, 2)
    assert erased.is_complete
    assert CampaignRow.objects.get() != first


WITHOUT_A_NAME = HEADER.replace("customer_name", "Khách")


@pytest.fixture
def upload(askable, order_template):
    """Upload a sheet whose columns wait to be matched."""

    def upload(*lines, header=WITHOUT_A_NAME):
        return begin_upload(order_template, sheet(*lines, header=header), "11.csv")

    return upload


COLUMNS = {
    "to": "Số điện thoại",
    "customer_name": "Khách",
    "order_code": "Order code",
    "amount": "amount",
    "delivery_date": "delivery_date",
}


def test_upload__loses_the_rows_and_goes_on(upload, monkeypatch):
    monkeypatch.setattr("django_etelecom.uploads.PART", 2)
    numbers = ["0912345678", "0987654321", "0987654322", "0912345678", "0912345678", "0912345678"]
    numbers += ["0987654323"]
    campaign = upload(*map(line, numbers))

    assert erase_number(PHONE).rows == 4

    assert found() == ["Nguy"]
    choose_columns(campaign, COLUMNS)
    assert load_parts(campaign, patience=60)
    assert set(MessageLog.objects.values_list("recipient", flat=True)) == {
        "84987654321",
        "84987654322",
        "84987654323",
    }


@pytest.mark.parametrize(
    "typed",
    [
        "0912  -  345  -  678",
        "[0912] 345 678",
        "0912\u301c345\u301c678",
        "\u0660\u0669\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668",
        "(+84)912\u200b\u200b\u200b\u200b345678",
    ],
)
def test_upload__row_is_lost_however_its_number_is_typed(upload, typed):
    upload(line(typed), line("0987654321"))
    assert len(json.loads("".join(export_number(PHONE)))["rows_of_campaigns"]) == 1

    assert erase_number(PHONE).rows == 1


def test_upload__of_a_program_loses_the_rows_whatever_they_hold(askable, order_template):
    values = {"amount": 1, "order_code": None, "delivery_date": ["x"]}
    numbers = [912345678, "+84 912 345 678", OTHER, None]
    begin_campaign(
        order_template,
        [
            SheetRow(number, {"to": to, "customer_name": "An", **values})
            for number, to in enumerate(numbers, 1)
        ],
    )
    before = json.loads("".join(export_number(PHONE)))

    assert erase_number(PHONE).rows == 2

    assert [row["row"] for row in before["rows_of_campaigns"]] == [1, 2]
    assert before["rows_of_campaigns"][0]["values"]["to"] == 912345678
    assert found() == []


def test_upload__that_is_being_loaded_is_told_and_left(upload):
    campaign = upload(line("0912345678"))
    choose_columns(campaign, COLUMNS)
    Campaign.objects.update(lease_expires_at=in_an_hour())

    erased = erase_number(PHONE)

    assert (erased.being_loaded, erased.is_complete) == (1, False)
    assert CampaignPart.objects.count() == 1


def test_upload__that_is_still_being_read_is_told_and_left(upload):
    upload(line("0912345678"))
    Campaign.objects.update(status="loading", sheet_columns=[])

    assert erase_number(PHONE, dry_run=True).being_loaded == 1
    assert erase_number(PHONE).being_loaded == 1

    assert Campaign.objects.get().status == "loading"


def test_upload__is_not_loaded_meanwhile(upload, monkeypatch):
    campaign = upload(line("0912345678"), line("0987654321"))
    choose_columns(campaign, COLUMNS)
    loaded = []

    def load_meanwhile(self, *texts):
        if "0912345678" in texts:
            loaded.append(load_parts(campaign, patience=60))
        return is_in(self, *texts)

    is_in = privacy.Traces.is_in
    monkeypatch.setattr(privacy.Traces, "is_in", load_meanwhile)

    erase_number(PHONE)

    assert loaded == [False]
    assert "84912345678" not in set(MessageLog.objects.values_list("recipient", flat=True))


def test_upload__that_somebody_cancels_meanwhile(upload, monkeypatch):
    monkeypatch.setattr("django_etelecom.uploads.PART", 1)
    campaign = upload(line("0912345678"), line("0912345678"))

    def cancel_meanwhile(self, *texts):
        cancel_campaign(campaign)
        return is_in(self, *texts)

    is_in = privacy.Traces.is_in
    monkeypatch.setattr(privacy.Traces, "is_in", cancel_meanwhile)

    erase_number(PHONE)

    assert not CampaignPart.objects.exists()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.lease_expires_at) == ("cancelled", None)


def test_upload__that_was_cancelled_and_not_settled_goes(upload):
    upload(line("0912345678"))
    Campaign.objects.update(status="cancelled")

    erase_number(PHONE)

    assert not CampaignPart.objects.exists()


def test_upload__that_no_key_opens_is_told(upload):
    upload(line("0912345678"))
    CampaignPart.objects.update(sealed_rows=seal("[]", purpose="another"))

    assert erase_number(PHONE, dry_run=True).unreadable == 1
    assert erase_number(PHONE).unreadable == 1


def test_campaign__that_is_named_after_the_number_is_renamed(askable, order_template):
    for name in (f"Test {PHONE}", "November", ""):
        queue_campaign(order_template, [{"to": OTHER}], name=name)

    erase_number(PHONE)

    names = Campaign.objects.order_by("pk").values_list("name", flat=True)
    assert list(names) == ["Test 0•••", "November", ""]


# --- What is left, and how it is repeated ---------------------------------------------------------


def test_left__what_is_being_sent_is_told_and_erased_by_the_next_run(send, askable):
    send()
    during = []

    def erase_meanwhile(outgoing):
        during.append(in_thread(lambda: erase_number(PHONE)))
        return echoing(outgoing)

    askable.answer = staticmethod(erase_meanwhile)
    send()

    assert (during[0].messages, during[0].left, during[0].is_complete) == (1, 1, False)
    assert erase_number(PHONE).is_complete
    assert found() == []


def test_left__what_a_dead_process_was_sending_is_erased(send):
    send()
    MessageLog.objects.update(status="sending", lease_expires_at=timezone.now() - timedelta(1))

    assert erase_number(PHONE).is_complete

    message = MessageLog.objects.get()
    assert (message.status, message.reason, message.recipient) == ("unknown", "lapsed", "")


def test_left__of_a_run_that_was_ended_the_next_one_takes_the_rest(send):
    for _ in range(5):
        send()

    seen = []
    first = erase_number(
        PHONE, batch_size=2, go_on=lambda erased: not seen.append(erased.messages) and seen[-1] < 2
    )
    second = erase_number(PHONE)

    assert (first.messages, first.left, first.was_ended, first.is_complete) == (2, 3, True, False)
    assert (second.messages, second.is_complete) == (3, True)


def test_left__after_a_kill_in_the_middle_the_next_run_takes_the_rest(send, monkeypatch):
    for _ in range(5):
        send()
    killed = iter([False, True])

    def strip_or_die(*arguments, **options):
        if next(killed):
            raise SystemExit
        return stripping.strip(*arguments, **options)

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(privacy, "strip", strip_or_die)
        erase_number(PHONE, batch_size=2)

    assert MessageLog.objects.filter(recipient="").count() == 2
    assert erase_number(PHONE).messages == 3
    assert found() == []


@pytest.mark.skipif(connection.vendor == "sqlite", reason="locks the whole file")
def test_left__what_another_transaction_holds_is_told(send, monkeypatch):
    monkeypatch.setattr(privacy, "HELD_UP", 2)
    held, _free = send(), send()
    holding, done = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            MessageLog.objects.select_for_update().get(pk=held.pk)
            holding.set()
            done.wait(timeout=30)

    thread = threading.Thread(target=lambda: in_thread(hold))
    thread.start()
    assert holding.wait(timeout=30)
    erased = erase_number(PHONE)
    done.set()
    thread.join(timeout=30)

    assert (erased.messages, erased.left) == (1, 1)
    assert erase_number(PHONE).is_complete


def test_left__message_that_nobody_lets_go_is_given_up(send, monkeypatch):
    monkeypatch.setattr(privacy, "HELD_UP", 2)
    monkeypatch.setattr(privacy, "strip", lambda *arguments, **options: set())
    send()

    erased = erase_number(PHONE)

    assert (erased.messages, erased.left) == (0, 1)


def test_erase__inside_a_transaction_is_refused(send):
    send()

    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        erase_number(PHONE)

    assert MessageLog.objects.get().recipient


def test_dry_run__counts_what_would_go_and_writes_nothing(
    send, order_template, order_params, upload
):
    send(), send(OTHER)
    queue_message(order_template, PHONE, order_params)
    sending = send()
    MessageLog.objects.filter(pk=sending.pk).update(status="sending", lease_expires_at=in_an_hour())
    queue_campaign(order_template, [{"to": PHONE}])
    upload(line("0912345678"))
    list_number()
    keep(Report(provider_message_id="ICOMNI-lost", payload={"phonenumber": NUMBER}))
    before = dump()

    would = erase_number(PHONE, dry_run=True, suppress=True)
    assert dump() == before
    did = erase_number(PHONE)

    assert would == did
    assert would == privacy.Erased(
        messages=2, cancelled=1, rows=2, reports=1, suppressions=1, consents=1, left=1
    )


# --- Many -----------------------------------------------------------------------------------------


def statements_of(count, send):
    for _ in range(count):
        send()
    with CaptureQueriesContext(connection) as statements:
        erase_number(PHONE)
    return len(statements)


def test_erase__statements_do_not_grow_with_the_messages(send):
    few = statements_of(2, send)

    assert statements_of(40, send) == few


def test_erase__beside_what_is_being_sent(send, order_template, order_params, askable):
    for _ in range(20):
        send()
    faults = []

    def send_more():
        try:
            for _ in range(10):
                send(), queue_message(order_template, PHONE, order_params), send(OTHER)
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=lambda: in_thread(send_more)) for _ in range(2)]
    for thread in threads:
        thread.start()
    erase_number(PHONE, batch_size=3)
    for thread in threads:
        thread.join(timeout=60)
    Worker().run_once()
    assert erase_number(PHONE).is_complete

    assert faults == []
    assert set(MessageLog.objects.values_list("recipient", flat=True)) == {"", "84987654321"}
    assert MessageLog.objects.filter(recipient="").count() == 60


def test_erase__by_several_at_once_erases_each_once(send):
    for _ in range(30):
        send()
    together, counts = threading.Barrier(3), []

    def erase():
        together.wait(timeout=10)
        counts.append(erase_number(PHONE, batch_size=4).messages)

    threads = [threading.Thread(target=lambda: in_thread(erase)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)

    assert sum(counts) == 30
    assert not MessageLog.objects.exclude(recipient="").exists()


def test_erase__move_that_is_lost_to_a_worker_is_left(
    send, order_template, order_params, monkeypatch
):
    queue_message(order_template, PHONE, order_params)

    def taken_meanwhile(*arguments, **options):
        MessageLog.objects.update(status="sending", lease_expires_at=in_an_hour())
        return move_batch(*arguments, **options)

    move_batch = lifecycle.move_batch
    monkeypatch.setattr(lifecycle, "move_batch", taken_meanwhile)

    erased = erase_number(PHONE)

    assert (erased.cancelled, erased.messages, erased.left) == (0, 0, 1)


@pytest.mark.parametrize("by", ["boss", 7, MessageLog(pk=1)])
def test_erase__by_who_is_no_stored_user_is_refused(by):
    with pytest.raises(InvalidMessage, match="Give a stored user"):
        erase_number(PHONE, suppress=True, by=by)

    assert not Suppression.objects.exists()


@pytest.mark.parametrize("batch_size", [0, -1, 10_001, "many", None])
@pytest.mark.parametrize("erase", [partial(erase_number, PHONE), prune])
def test_batch__of_which_there_would_be_no_end_is_refused(erase, batch_size):
    with pytest.raises(ValueError, match="A batch is a whole number from 1 to 10000"):
        erase(batch_size=batch_size)
