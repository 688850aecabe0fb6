"""Campaigns that a program asks for: kept whole or not at all, once a key, and then started."""

import io
import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from django_etelecom import uploads
from django_etelecom.exceptions import IdempotencyConflict, InvalidMessage
from django_etelecom.loading import values_of
from django_etelecom.models import Campaign, CampaignPart, MessageLog
from django_etelecom.services import begin_campaign, cancel_campaign, load_parts
from django_etelecom.sheets import SheetRow, UnreadableSheet, open_sheet
from django_etelecom.worker import Worker
from tests.test_campaigns import dump

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def rows(order_params):
    def rows(count=1, **changes):
        for number in range(1, count + 1):
            yield SheetRow(number, {"to": f"091234{number:04}", **order_params, **changes})

    return rows


@pytest.fixture
def begin(askable, order_template, rows):
    def begin(given=None, **options):
        given = rows() if given is None else given
        return begin_campaign(order_template, given, **options)

    return begin


def work():
    return Worker().run_once()


def fresh(campaign):
    campaign.refresh_from_db()
    return campaign


def kept():
    return Campaign.objects.count(), CampaignPart.objects.count()


# --- Keeping and starting -------------------------------------------------------------------------


def test_campaign__starts_by_itself_when_its_rows_are_loaded(begin, rows, askable, admin_user):
    campaign = begin(rows(3), name="November", sent_by=admin_user)

    assert not campaign.is_replay
    assert (campaign.status, campaign.name, campaign.queued_rows) == ("loading", "November", 0)
    assert load_parts(campaign, patience=60)
    assert (fresh(campaign).status, campaign.queued_rows) == ("running", 3)
    work()
    assert fresh(campaign).status == "finished"
    assert {one.recipient for one in askable.sent} == {"84912340001", "84912340002", "84912340003"}
    assert askable.sent[0].wire.reveal()["amount"] == "150000"
    assert {one.sent_by for one in MessageLog.objects.all()} == {admin_user}


def test_campaign__worker_loads_and_sends_what_the_request_left(begin, rows, askable, monkeypatch):
    monkeypatch.setattr(uploads, "PART", 1)
    campaign = begin(rows(3))
    assert not load_parts(campaign, patience=0)

    work()

    assert fresh(campaign).status == "finished"
    assert len(askable.sent) == 3


def test_campaign__waits_for_its_time(begin, askable):
    campaign = begin(send_at=timezone.now() + timedelta(hours=1))

    work()

    assert fresh(campaign).status == "running"
    assert askable.sent == []


def test_campaign__rests_sealed(askable, otp_template):
    rows = [
        SheetRow(1, {"to": "0912345678", "otp": "483920"}),
        SheetRow(2, {"to": "0912345670", "otp": [593847]}),
    ]

    campaign = begin_campaign(otp_template, rows, idempotency_key="a", content="0912345678 483920")

    assert "483920" not in dump()
    assert "345678" not in dump()
    load_parts(campaign, patience=60)
    assert values_of(campaign.rows.get()) == {"to": "0912345670", "otp": "•••"}


def test_campaign__headings_are_matched_as_those_of_a_sheet(begin, askable):
    file = io.BytesIO(
        "Số điện thoại,Customer name,order_code,amount,delivery_date\n"
        "912345678,Nguyễn Văn An,DH-1,150000,24/12/2026\n".encode()
    )

    campaign = begin(open_sheet(file, "x.csv").rows())
    load_parts(campaign, patience=60)

    assert campaign.messages.get().recipient == "84912345678"
    assert campaign.rows.get().is_queued


def test_campaign__faulty_row_stops_no_other(begin, rows, order_params):
    without_name = {**order_params, "to": "0912345678"}
    del without_name["customer_name"]
    faulty = [
        SheetRow(2, {**order_params, "to": 912345678}),
        SheetRow(3, without_name),
        SheetRow(4, {**order_params, "to": "0912345678", "amount": 1.5}),
        SheetRow(5, order_params),
    ]

    campaign = begin([*rows(), *faulty])
    load_parts(campaign, patience=60)

    assert (fresh(campaign).queued_rows, campaign.faulty_rows) == (1, 4)
    assert {row.number: set(row.faults) for row in campaign.rows.all()} == {
        2: {"to"},
        3: {"params.customer_name"},
        4: {"params.amount"},
        5: {"to"},
    }


# --- What is refused as a whole -------------------------------------------------------------------


@pytest.mark.parametrize("given", [[], [SheetRow(1, {})]])
def test_campaign__without_rows_is_refused(begin, given):
    with pytest.raises(InvalidMessage) as raised:
        begin(given)

    assert raised.value.message_dict == {"rows": ["Give at least one row."]}
    assert kept() == (0, 0)


def test_campaign__names_that_mean_nothing_or_are_missing_are_refused(begin):
    with pytest.raises(InvalidMessage) as raised:
        begin([SheetRow(1, {"customer_name": "An", "colour\0": "red", "amount": "1"})])

    assert raised.value.message_dict == {
        "to": ["No row has a value of this name."],
        "params.order_code": ["No row has a value of this name."],
        "params.delivery_date": ["No row has a value of this name."],
        "params.colour\\u0000": ["The template has no parameter of this name."],
    }
    assert kept() == (0, 0)


@pytest.mark.parametrize("character", ["\0", "\ud800", "\u202e", "." * 200])
def test_campaign__name_that_cannot_be_stored_means_nothing(begin, order_params, character):
    amount = order_params.pop("amount")
    row = {**order_params, "to": "0912345678", f"amount{character}": amount}

    with pytest.raises(InvalidMessage) as raised:
        begin([SheetRow(1, row)])

    assert len(raised.value.message_dict) == 2
    assert raised.value.message_dict["params.amount"] == ["No row has a value of this name."]
    assert kept() == (0, 0)


def test_campaign__a_name_more_than_a_sheet_has_columns_is_refused(begin, rows):
    endless = (SheetRow(n, {"to": "0912345678", f"name{n}": "x"}) for n in range(10_000))

    with pytest.raises(InvalidMessage) as raised:
        begin(endless)

    assert raised.value.message_dict == {
        "rows": ["Together the rows have more than 200 different names."]
    }
    assert next(endless).number == 500
    assert kept() == (0, 0)


def test_campaign__unknown_names_are_told_up_to_a_number(begin, rows):
    with pytest.raises(InvalidMessage) as raised:
        begin(rows(**{f"name{n}": "x" for n in range(100)}))

    assert len(raised.value.message_dict) == 20


def test_campaign__rows_that_break_off_leave_nothing(begin, rows, monkeypatch):
    monkeypatch.setattr(uploads, "PART", 2)

    def broken():
        yield from rows(5)
        assert kept() == (1, 2)
        raise UnreadableSheet("Line 6 is cut off.")

    with pytest.raises(UnreadableSheet):
        begin(broken(), idempotency_key="a", content="x")

    assert kept() == (0, 0)


def test_campaign__cancelled_while_its_rows_are_kept_stays_cancelled(begin, rows, askable):
    def cancelled():
        yield from rows()
        cancel_campaign(Campaign.objects.get())

    campaign = begin(cancelled(), idempotency_key="a", content="x")

    assert (campaign.status, campaign.is_replay) == ("cancelled", False)
    assert kept() == (1, 0)
    work()
    assert askable.sent == []
    assert begin(idempotency_key="a", content="x") == campaign


# --- Keys -----------------------------------------------------------------------------------------


def test_key__same_content_is_the_same_campaign(begin, rows, order_template):
    first = begin(rows(2), idempotency_key="a", content="x")
    order_template.is_active = False
    order_template.save()

    def unread():
        raise AssertionError
        yield

    again = begin(unread(), idempotency_key="a", content="x")

    assert again == first
    assert again.is_replay
    assert kept() == (1, 1)


def test_key__other_content_is_a_conflict(begin):
    first = begin(idempotency_key="a", content="x")

    with pytest.raises(IdempotencyConflict, match=str(first.public_id)):
        begin(idempotency_key="a", content="y")

    assert kept() == (1, 1)


def test_key__is_told_by_its_case(begin):
    first = begin(idempotency_key="a", content="x")

    assert begin(idempotency_key="A", content="x") != first


def test_key__none_is_never_the_same(begin):
    assert begin(content="x") != begin(content="x")


def test_key__holds_after_the_secret_key_was_changed(begin, settings):
    first = begin(idempotency_key="a", content="x")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]

    assert begin(idempotency_key="a", content="x") == first


@pytest.mark.parametrize("key", ["", "x" * 256, 7])
def test_key__that_is_none_is_refused(begin, key):
    with pytest.raises(InvalidMessage) as raised:
        begin(idempotency_key=key)

    assert raised.value.message_dict.keys() == {"idempotency_key"}


def test_key__is_free_again_where_the_rows_break_off(begin, rows):
    with pytest.raises(InvalidMessage):
        begin([], idempotency_key="a", content="x")

    assert not begin(idempotency_key="a", content="x").is_replay


def test_key__asked_for_twice_at_once_is_one_campaign(begin, rows):
    meet = threading.Barrier(3)
    begun, failed = [], []

    def late():
        yield from rows(3)
        meet.wait()

    def run():
        try:
            begun.append(begin(late(), idempotency_key="a", content="x"))
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failed == []
    assert set(begun) == {Campaign.objects.get()}
    assert sorted(campaign.is_replay for campaign in begun) == [False, True, True]
    assert CampaignPart.objects.count() == 1


def test_campaign__fault_of_the_database_that_is_not_the_keys_is_raised(begin, monkeypatch):
    def fails(_campaign):
        raise IntegrityError("another")

    monkeypatch.setattr(uploads, "_loading", fails)

    with pytest.raises(IntegrityError, match="another"):
        begin(idempotency_key="a", content="x")

    assert kept() == (0, 0)


def test_key__without_content_is_refused(begin):
    with pytest.raises(InvalidMessage) as raised:
        begin(idempotency_key="a")

    assert list(raised.value.message_dict) == ["content"]
    assert not Campaign.objects.exists()
