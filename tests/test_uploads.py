"""Campaigns from an uploaded sheet: kept sealed, matched, loaded by parts, checked, started."""

import io
import threading
import traceback
from datetime import timedelta
from types import SimpleNamespace

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from django_etelecom import campaigns, uploads
from django_etelecom.exceptions import InvalidMessage
from django_etelecom.loading import values_of
from django_etelecom.models import Campaign, CampaignPart, MessageLog, MessageTemplate, RouteRule
from django_etelecom.sealing import SealBroken
from django_etelecom.services import (
    begin_campaign,
    begin_upload,
    cancel_campaign,
    check_campaign,
    choose_columns,
    load_parts,
    queue_message,
    retry_campaign,
    start_campaign,
)
from django_etelecom.sheets import SheetRow, UnreadableSheet
from django_etelecom.worker import Worker
from tests.test_campaigns import dump

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = "Số điện thoại,customer_name,Order code,amount,delivery_date,Ghi chú"


def sheet(*lines, header=HEADER):
    return io.BytesIO("\n".join([header, *lines]).encode())


def line(number, *, name="Nguyễn Văn An", amount="150000"):
    return f"{number},{name},DH-{number[-4:]},{amount},24/12/2026,"


@pytest.fixture(autouse=True)
def _worker_with_time(monkeypatch):
    # Of a loaded machine half a second may be gone before a part is loaded.
    monkeypatch.setattr(uploads, "PATIENCE", 60.0)


@pytest.fixture
def upload(askable, order_template):
    def upload(*lines, header=HEADER, **options):
        file = sheet(*(lines or [line("0912345678")]), header=header)
        return begin_upload(order_template, file, "tháng 11.csv", **options)

    return upload


def load(campaign):
    assert load_parts(campaign, patience=60)
    campaign.refresh_from_db()
    return campaign


def work():
    return Worker().run_once()


def test_upload__way_from_the_file_to_the_phone(upload, askable, admin_user):
    campaign = upload(line("0912345678"), line("0912345679"), sent_by=admin_user)

    assert (campaign.status, campaign.name) == ("loading", "tháng 11.csv")
    assert campaign.columns == {
        "to": "Số điện thoại",
        "customer_name": "customer_name",
        "order_code": "Order code",
        "amount": "amount",
        "delivery_date": "delivery_date",
    }
    assert load(campaign).status == "checking"
    assert (campaign.read_rows, campaign.queued_rows) == (2, 2)
    work()
    assert askable.sent == []
    start_campaign(campaign)
    work()
    assert [one.recipient for one in askable.sent] == ["84912345678", "84912345679"]
    assert askable.sent[0].wire.reveal()["order_code"] == "DH-5678"
    assert {one.sent_by for one in MessageLog.objects.all()} == {admin_user}


def test_upload__rests_sealed(askable, otp_template):
    file = sheet("0912345678,483920", "0912345679,593847,x", header="to,otp")

    campaign = begin_upload(otp_template, file, "codes.csv")

    assert "483920" not in dump()
    assert "345678" not in dump()
    load(campaign)
    assert "483920" not in dump()
    assert "593847" not in dump()
    assert not CampaignPart.objects.exists()
    assert values_of(campaign.rows.get()) == {"to": "0912345679", "otp": "•••"}


def test_upload__rows_are_numbered_as_in_the_file(upload):
    campaign = load(upload(line("0912345678"), "", line("12"), "0912345670,An"))

    assert [one.campaign_row for one in campaign.messages.all()] == [2]
    flagged = {row.number: set(row.faults) for row in campaign.rows.all()}
    assert flagged.keys() == {4, 5}
    assert flagged[4] == {"to"}
    assert "row" in flagged[5]


def test_upload__numbers_that_excel_damaged(upload):
    campaign = load(upload(line("912345678"), line("9.12E+08"), line("9.12345679E+08")))

    assert {one.campaign_row: one.recipient for one in campaign.messages.all()} == {
        2: "84912345678",
        4: "84912345679",
    }
    told = {row.number: (row.is_queued, "row" in row.faults) for row in campaign.rows.all()}
    assert told == {2: (True, True), 3: (False, True), 4: (True, True)}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"to,otp\n",
        b"to\n\xff\xfe\xfa",
        b"%PDF-1.7",
        b'to,otp\n0912345678,"483',
        b"PK\x03\x04x",
    ],
)
def test_upload__unreadable_file_leaves_nothing(askable, otp_template, content):
    with pytest.raises(UnreadableSheet):
        begin_upload(otp_template, io.BytesIO(content), "x.csv")

    assert not Campaign.objects.exists()
    assert not CampaignPart.objects.exists()


def test_upload__file_that_breaks_after_its_first_part_leaves_nothing(
    askable, otp_template, monkeypatch
):
    kept = []
    keep = uploads._keep
    monkeypatch.setattr(uploads, "_keep", lambda *args: kept.append(keep(*args)))
    content = b"to,otp\n" + b"0912345678,483920\n" * 20_000 + b"0912345679,\xff\n"

    with pytest.raises(UnreadableSheet):
        begin_upload(otp_template, io.BytesIO(content), "x.csv")

    assert kept
    assert not Campaign.objects.exists()
    assert not CampaignPart.objects.exists()


@pytest.mark.parametrize("options", [{"route": "nowhere"}, {"send_at": "x"}, {"name": "x" * 201}])
def test_upload__bad_input_writes_nothing(upload, options):
    with pytest.raises(InvalidMessage):
        upload(**options)

    assert not Campaign.objects.exists()


def test_upload__that_is_cancelled_while_it_is_read_stays_so(upload, monkeypatch):
    keep = uploads._keep

    def cancelled_meanwhile(campaign, part):
        cancel_campaign(Campaign.objects.get())
        keep(campaign, part)

    monkeypatch.setattr(uploads, "_keep", cancelled_meanwhile)

    campaign = upload()

    assert campaign.status == "cancelled"
    assert not CampaignPart.objects.exists()
    work()
    assert not MessageLog.objects.exists()


# --- Columns ------------------------------------------------------------------------------------


def test_columns__that_match_nothing_are_chosen(upload, askable):
    campaign = upload(header="a,b,c,d,e,f")
    assert (campaign.status, campaign.columns) == ("matching", {})
    work()
    assert not load_parts(campaign, patience=60)

    chosen = choose_columns(
        campaign,
        {
            "to": "a",
            "customer_name": "b",
            "order_code": "c",
            "amount": "d",
            "delivery_date": "e",
            "note": "",
        },
    )

    assert chosen.status == "loading"
    assert load(chosen).queued_rows == 1
    assert choose_columns(chosen, chosen.columns).status == "checking"


def test_columns__bad_choices_are_told_by_field(upload):
    campaign = upload(header="a,b,c,d,e,f")

    with pytest.raises(InvalidMessage) as caught:
        choose_columns(campaign, {"to": "z", "customer_name": "b", "colour": "c", "amount": ""})

    assert caught.value.message_dict.keys() == {
        "columns.to",
        "columns.colour",
        "columns.order_code",
        "columns.amount",
        "columns.delivery_date",
    }
    campaign.refresh_from_db()
    assert campaign.status == "matching"


def test_columns__nobody_chose_them_for_a_week(upload):
    campaign = upload(header="a,b,c,d,e,f")
    Campaign.objects.update(created_at=timezone.now() - timedelta(days=8))

    work()

    campaign.refresh_from_db()
    assert campaign.status == "cancelled"
    assert not CampaignPart.objects.exists()


# --- Loading ------------------------------------------------------------------------------------


def test_load__goes_on_where_patience_ended(upload, monkeypatch):
    monkeypatch.setattr(uploads, "PART", 1)
    campaign = upload(*(line(f"091234567{n}") for n in range(3)))

    assert not load_parts(campaign, patience=0)
    campaign.refresh_from_db()
    assert (campaign.status, campaign.read_rows) == ("loading", 0)

    work()

    campaign.refresh_from_db()
    assert (campaign.status, campaign.queued_rows) == ("checking", 3)


def test_load__file_that_is_still_read_is_left_alone(askable, order_template):
    campaign, _mold = campaigns.draw_up(order_template)

    work()

    campaign.refresh_from_db()
    assert campaign.status == "loading"


def test_load__is_one_process_s_work_at_a_time(upload):
    campaign = upload()
    Campaign.objects.update(lease_expires_at=timezone.now() + timedelta(minutes=1))

    assert not load_parts(campaign, patience=60)
    assert campaigns.upkeep() == uploads.upkeep() == 0

    Campaign.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert campaigns.upkeep() == 0
    assert uploads.upkeep() == 1


def test_load__a_part_is_loaded_once_whatever_dies(upload, monkeypatch):
    monkeypatch.setattr(uploads, "PART", 1)
    campaign = upload(line("0912345678"), line("0912345679"))
    write = uploads.Loader.write

    def dies(loader, chunk):
        write(loader, chunk)
        raise OperationalError("gone")

    monkeypatch.setattr(uploads.Loader, "write", dies)
    with pytest.raises(OperationalError):
        load_parts(campaign, patience=60)
    assert not MessageLog.objects.exists()
    monkeypatch.setattr(uploads.Loader, "write", write)
    Campaign.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))

    work()

    assert MessageLog.objects.count() == 2


def test_load__part_that_another_process_has_just_taken(upload, monkeypatch):
    campaign = upload()
    read = uploads.Loader.read

    def late(loader, rows):
        chunk = read(loader, rows)
        CampaignPart.objects.all().delete()
        return chunk

    monkeypatch.setattr(uploads.Loader, "read", late)

    load(campaign)

    assert campaign.queued_rows == 0


def test_load__cancelled_meanwhile_stays_cancelled(upload, monkeypatch):
    campaign = upload()
    read = uploads.Loader.read

    def late(loader, rows):
        chunk = read(loader, rows)
        cancel_campaign(Campaign.objects.get())
        return chunk

    monkeypatch.setattr(uploads.Loader, "read", late)

    load_parts(campaign, patience=60)

    campaign.refresh_from_db()
    assert (campaign.status, campaign.queued_rows) == ("cancelled", 0)
    assert not MessageLog.objects.exists()
    assert not CampaignPart.objects.exists()


def test_load__template_that_can_send_no_more_cancels(upload, order_template, caplog):
    campaign = upload()
    order_template.is_active = False
    order_template.save()

    work()

    campaign.refresh_from_db()
    assert (campaign.status, campaign.broke_off) == ("cancelled", True)
    assert "is not active" in caplog.text


def test_load__parameter_that_became_secret_since_it_was_drawn_up(upload, order_template):
    campaign = upload()
    order_template.parameters.filter(name="order_code").update(secret=True)

    load(campaign)

    assert campaign.has_secrets
    start_campaign(campaign)
    Campaign.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    work()
    assert MessageLog.objects.get().status == "not_sent"
    with pytest.raises(InvalidMessage, match="secret"):
        retry_campaign(campaign)


def test_load__account_that_left_the_settings_stops_no_other(
    upload, askable, settings, order_template, caplog
):
    campaign = upload()
    before = settings.ETELECOM
    accounts = {"other": before["ACCOUNTS"]["default"]}
    settings.ETELECOM = {**before, "ACCOUNTS": accounts}
    MessageTemplate.objects.create(code="other", account="other")
    queue_message("other", "0912345679")

    work()

    assert [one.template_code for one in askable.sent] == ["other"]
    assert f"Nothing is loaded of campaign {campaign.public_id}" in caplog.text
    campaign.refresh_from_db()
    assert (campaign.status, campaign.lease_expires_at) == ("loading", None)
    settings.ETELECOM = before
    work()
    campaign.refresh_from_db()
    assert campaign.status == "checking"


def test_load__setting_that_a_start_needs_leaves_it_to_be_tried_again(
    askable, settings, order_template, order_params, caplog
):
    row = SheetRow(1, {"to": "0912345678", **order_params}, ())
    campaign = begin_campaign(order_template, [row])
    before = settings.ETELECOM
    settings.ETELECOM = {**before, "EXPIRES_AFTER": {"transactional": "a day"}}

    work()

    campaign.refresh_from_db()
    assert (campaign.status, campaign.lease_expires_at) == ("loading", None)
    assert "EXPIRES_AFTER" in caplog.text
    settings.ETELECOM = before
    work()
    assert MessageLog.objects.get().status == "accepted"


def test_load__parts_that_todays_keys_do_not_open_cancel(upload, settings):
    campaign = upload()
    settings.SECRET_KEY = "another"

    with pytest.raises(SealBroken):
        load_parts(campaign, patience=60)

    campaign.refresh_from_db()
    assert campaign.status == "cancelled"


def test_load__makes_headway_however_long_it_takes_to_get_ready(upload, monkeypatch):
    clock, make_ready = SimpleNamespace(now=0.0), uploads._mold

    def make_ready_slowly(campaign):
        clock.now += 60
        return make_ready(campaign)

    monkeypatch.setattr(uploads, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(uploads, "_mold", make_ready_slowly)
    campaign = upload()

    assert load_parts(campaign, patience=30)


def test_load__goes_the_way_that_was_chosen(upload, order_template, askable):
    campaign = upload()
    order_template.route = RouteRule.objects.create(name="SMS", channels=["3"])
    order_template.save()

    start_campaign(load(campaign))
    work()

    assert askable.sent[0].channels == ("1", "3")


def test_load__several_processes_load_each_row_once(upload, monkeypatch):
    monkeypatch.setattr(uploads, "PART", 2)
    campaign = upload(*(line(f"09123456{n:02}") for n in range(20)))
    failed = []

    def run():
        try:
            while not Campaign.objects.filter(status="checking").exists():
                load_parts(Campaign.objects.get(), patience=0.01)
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
    campaign.refresh_from_db()
    rows = list(campaign.messages.values_list("campaign_row", flat=True))
    assert sorted(rows) == list(range(2, 22))
    assert campaign.queued_rows == 20


# --- Checking -----------------------------------------------------------------------------------


def test_check__what_will_go(upload, order_template):
    numbers = ["0912345678", "0912345678", "12", "0912345670"]
    campaign = load(upload(*(line(to, name="Nguyễn Thị Ánh Tuyết") for to in numbers)))

    check = check_campaign(campaign)

    assert (check.messages, check.faulty_rows, check.repeated_rows) == (3, 1, 1)
    assert len(check.first) == 3
    message, text = check.first[0]
    assert message.recipient == "84912345678"
    assert text.startswith("Dear Nguyễn Thị Ánh Tuyết, order DH-5678 of 150000 VND")
    # The name has its marks: 70 characters a message if it goes by SMS.
    assert (check.least_paid, check.most_paid) == (3, 6)


@pytest.mark.parametrize(
    ("channels", "paid"), [(["3"], (2, 2)), (["1"], (1, 1)), (["2", "3"], (1, 2))]
)
def test_check__paid_messages_go_by_the_route(upload, channels, paid):
    RouteRule.objects.create(name="chosen", channels=channels)

    long = line("0912345678", name="Nguyễn Thị Ánh Tuyết")
    check = check_campaign(load(upload(long, route="chosen")))

    assert (check.least_paid, check.most_paid) == paid


def test_check__secrets_are_masked(askable, otp_template):
    campaign = begin_upload(otp_template, sheet("0912345678,483920", header="to,otp"), "x.csv")

    [(_, text)] = check_campaign(load(campaign)).first

    assert text == "Your code is •••."


def test_check__costs_the_same_whatever_the_size(upload, django_assert_num_queries):
    campaign = load(upload(*(line(f"09123456{n:02}") for n in range(20))))

    with django_assert_num_queries(3):
        check_campaign(campaign)


# --- What an error reporter sees ------------------------------------------------------------------


@pytest.mark.parametrize("readable", [0, 100, 70_000])
def test_secret__is_in_no_frame_of_a_file_that_cannot_be_read(askable, otp_template, readable):
    class Vanishing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() >= readable:
                raise OSError("gone")
            return super().read(size)

    secret = "".join(["483", "920"])
    file = Vanishing(f"to,otp\n{f'0912345678,{secret}{chr(10)}' * 10_000}".encode())

    with pytest.raises(OSError, match="gone") as caught:
        begin_upload(otp_template, file, "november.csv")

    frames = [frame.f_locals for frame, _line in traceback.walk_tb(caught.value.__traceback__)]
    assert secret not in repr(frames[1:])
