"""A campaign from a sheet: upload, match, check, start."""

import io
import threading
import zipfile
from datetime import timedelta

import openpyxl
import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from django_etelecom import foresight, guards, uploads
from django_etelecom.admin import upload_forms
from django_etelecom.admin import uploads as upload_views
from django_etelecom.models import (
    Campaign,
    CampaignPart,
    Consent,
    MessageLog,
    MessageTemplate,
    NumberHistory,
    Suppression,
)
from django_etelecom.models.messages import Reason
from django_etelecom.sealing import number_digests
from django_etelecom.services import cancel_campaign, send_message
from django_etelecom.worker import Worker
from tests.admin.conftest import faults, page
from tests.admin.test_campaigns import LIST, UPLOAD, buttons, download, recorded, said, url

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = "Số điện thoại,customer_name,Order code,amount,delivery_date,Ghi chú"
UNMATCHED = "Số điện thoại,Khách,Order code,amount,delivery_date,Ghi chú"
CHOSEN = {
    "columns.to": "Số điện thoại",
    "columns.customer_name": "Khách",
    "columns.order_code": "Order code",
    "columns.amount": "amount",
    "columns.delivery_date": "delivery_date",
    "columns.note": "",
}
ORDER_VALUES = {
    "customer_name": "An",
    "order_code": "DH-1",
    "amount": 1,
    "delivery_date": "24/12/2026",
}


def line(number, *, name="Nguyễn Thị Ngọc An", amount="150000"):
    return f"{number},{name},DH-{number[-4:]},{amount},24/12/2026,quen"


def sheet(*lines, header=HEADER, name="tháng 11.csv"):
    return SimpleUploadedFile(name, "\n".join([header, *lines]).encode())


@pytest.fixture
def sender(staff_client):
    return staff_client("send_campaign")


@pytest.fixture
def upload(askable, order_template, sender):
    def upload(*lines, header=HEADER, client=sender, **fields):
        file = sheet(*(lines or [line("0912345678")]), header=header)
        typed = {"template": "order_confirmation", "file": file, **fields}
        return client.post(UPLOAD, typed)

    return upload


@pytest.fixture
def checking(upload):
    """A campaign of two messages that waits to be started; two rows are faulty, one repeats."""
    upload(
        line("0912345678"),
        line("912345679"),
        line("12"),
        line("0912345678", amount="viel"),
        line("0912345678"),
    )
    return Campaign.objects.get()


# --- Who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post"])
def test_upload__anonymous_goes_to_login(db, method):
    assert getattr(Client(), method)(UPLOAD).url.startswith("/admin/login/")


@pytest.mark.parametrize("method", ["get", "post"])
def test_upload__viewer_may_not(staff_client, upload, method):
    client = staff_client("view_campaign", "send_message", username="minh")

    assert getattr(client, method)(UPLOAD).status_code == 403
    assert not Campaign.objects.exists()


def test_upload__other_methods_are_refused(sender):
    assert sender.put(UPLOAD).status_code == 405


def test_upload__needs_a_csrf_token(upload, sender):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = sender.cookies

    assert upload(client=strict).status_code == 403
    assert not Campaign.objects.exists()

    strict.get(UPLOAD)
    token = strict.cookies["csrftoken"].value
    assert upload(client=strict, csrfmiddlewaretoken=token).status_code == 302
    assert Campaign.objects.exists()


# --- Upload ---------------------------------------------------------------------------------------


def test_upload__way_from_the_file_to_the_phone(upload, askable, sender, django_user_model):
    response = upload(line("0912345678"), line("0912345679"), name="November")

    campaign = Campaign.objects.get()
    assert response.url == url("change", campaign)
    assert (campaign.name, campaign.status) == ("November", "checking")
    assert campaign.sent_by == django_user_model.objects.get(username="lan")
    html = page(sender.get(response.url))
    assert "Nothing has been sent yet." in html
    assert "đơn" not in html
    assert "Dear Nguyễn Thị Ngọc An, order DH-5678 of 150000 VND comes on 24/12/2026." in html
    assert askable.sent == []

    started = sender.post(url("start", campaign))

    assert started.url == url("change", campaign)
    assert said(started) == ["The campaign was started."]
    Worker().run_once()
    assert [one.recipient for one in askable.sent] == ["84912345678", "84912345679"]
    assert recorded() == ["Uploaded.", "Started."]


def test_upload__form_has_the_template_of_the_address(sender, order_template):
    html = page(sender.get(UPLOAD, {"template": "order_confirmation", "name": "x"}))

    assert '<option value="order_confirmation" selected>' in html
    assert 'value="x"' not in html


def test_upload__route_and_time(upload, default_route, sender):
    tomorrow = timezone.localtime() + timedelta(days=1)

    upload(name="", route=default_route.name, send_at=f"{tomorrow:%Y-%m-%dT%H:%M}")

    campaign = Campaign.objects.get()
    assert campaign.name == "tháng 11.csv"
    assert campaign.requested_route == default_route.name
    assert campaign.send_at == tomorrow.replace(second=0, microsecond=0)
    assert "Not sent before" in page(sender.get(url("change", campaign)))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (b"\n\n", "The file is empty."),
        (HEADER.encode(), "nothing below it"),
        (b"%PDF-1.7", "neither a CSV file nor an XLSX workbook"),
        (HEADER.encode() + b'\n0912345678,"An', "the file ends in the middle of it"),
        (HEADER.encode() + b"\n0912345678,\xff", "Line 2 is not in UTF-8"),
        (b"PK\x03\x04 no zip", "The workbook is damaged."),
    ],
)
def test_upload__file_that_cannot_be_read(sender, askable, order_template, content, sentence):
    file = SimpleUploadedFile("x.csv", content)

    response = sender.post(UPLOAD, {"template": "order_confirmation", "file": file})

    assert faults(response).keys() == {"file"}
    assert sentence in faults(response)["file"][0]
    assert not Campaign.objects.exists()
    assert not CampaignPart.objects.exists()
    assert recorded() == []


def test_upload__workbook_that_unpacks_to_far_more(sender, askable, order_template):
    workbook, bomb = io.BytesIO(), io.BytesIO()
    openpyxl.Workbook().save(workbook)
    with (
        zipfile.ZipFile(workbook) as plain,
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as big,
    ):
        for name in plain.namelist():
            padding = b" " * 20_000_000 if name == "xl/worksheets/sheet1.xml" else b""
            big.writestr(name, plain.read(name) + padding)
    file = SimpleUploadedFile("x.xlsx", bomb.getvalue())

    response = sender.post(UPLOAD, {"template": "order_confirmation", "file": file})

    assert "unpacks to far more" in faults(response)["file"][0]
    assert not Campaign.objects.exists()


def test_upload__workbook(sender, askable, order_template):
    workbook, file = openpyxl.Workbook(), io.BytesIO()
    workbook.active.append(HEADER.split(","))
    workbook.active.append(line("0912345678").split(","))
    workbook.save(file)

    sender.post(
        UPLOAD,
        {
            "template": "order_confirmation",
            "file": SimpleUploadedFile("khách.xlsx", file.getvalue()),
        },
    )

    assert Campaign.objects.get().queued_rows == 1


@pytest.mark.parametrize("at", [0, 100])
def test_upload__too_large_is_thrown_away_on_its_way(upload, monkeypatch, settings, at):
    monkeypatch.setattr(upload_forms, "MAX_BYTES", 100)
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = at

    response = upload(*[line("0912345678")] * 50, name="November")

    assert faults(response) == {
        "file": ["The file is larger than 100\xa0bytes. Split it into several."]
    }
    assert 'value="November"' in page(response)
    assert not Campaign.objects.exists()


def test_upload__many_files_are_bounded_as_one(sender, order_template, monkeypatch):
    monkeypatch.setattr(upload_forms, "MAX_BYTES", 100)

    response = sender.post(
        UPLOAD,
        {
            "template": "order_confirmation",
            "other": [SimpleUploadedFile(f"{n}.csv", b"x" * 60) for n in range(2)],
            "file": SimpleUploadedFile("last.csv", b"to\n0912345678"),
        },
    )

    assert faults(response) == {
        "file": ["The file is larger than 100\xa0bytes. Split it into several."]
    }


def test_upload__form_that_lacks_all(sender, order_template):
    assert faults(sender.post(UPLOAD, {})).keys() == {"template", "file"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("template", "nothing_like_it"),
        ("route", "nowhere"),
        ("send_at", "yesterday"),
        ("name", "x" * 201),
        ("name", "a\u202eb"),
    ],
)
def test_upload__bad_field_is_told_beside_it(upload, field, value):
    assert faults(upload(**{field: value})).keys() == {field}
    assert not Campaign.objects.exists()


def test_upload__template_without_a_route(upload, default_route):
    default_route.delete()

    assert "there is no default route" in faults(upload())["route"][0]


def test_upload__of_a_template_whose_parameter_is_called_as_the_recipient(upload, order_template):
    order_template.parameters.create(name="to", required=False, position=9)

    assert "cannot give the parameter “to”" in str(faults(upload()))
    assert not Campaign.objects.exists()


def test_upload__account_that_cannot_work(upload, settings):
    settings.ETELECOM = {"ACCOUNTS": {}}

    assert "This site's settings do not allow it" in faults(upload())["__all__"][0]


def test_upload__what_is_left_is_loaded_by_the_worker(upload, sender, monkeypatch):
    monkeypatch.setattr(upload_views, "PATIENCE", 0)
    upload()
    campaign = Campaign.objects.get()

    assert campaign.status == "loading"
    html = page(sender.get(url("change", campaign)))
    assert "0 rows have been read so far." in html
    assert "You can leave this page: a worker reads on." in html
    Worker().run_once()
    assert sender.get(url("progress", campaign)).json()["state"] == "checking False"


def test_upload__template_that_is_switched_off_meanwhile(upload, monkeypatch):
    def switched_off(campaign, **options):
        MessageTemplate.objects.update(is_active=False)
        return uploads.load_parts(campaign, **options)

    monkeypatch.setattr(upload_views, "load_parts", switched_off)

    response = upload()

    assert said(response) == [
        "The campaign was cancelled: The template “order_confirmation” is not active."
    ]
    assert Campaign.objects.get().status == "cancelled"


def test_upload__keys_that_change_meanwhile(upload, monkeypatch):
    def changed(campaign, **options):
        CampaignPart.objects.update(sealed_rows="nonsense")
        return uploads.load_parts(campaign, **options)

    monkeypatch.setattr(upload_views, "load_parts", changed)

    assert "The campaign was cancelled: The sealed text cannot be read" in said(upload())[0]


def test_upload__settings_that_break_meanwhile(upload, monkeypatch, settings):
    def broken(campaign, **options):
        settings.ETELECOM = {"ACCOUNTS": {}}
        return uploads.load_parts(campaign, **options)

    monkeypatch.setattr(upload_views, "load_parts", broken)

    assert "This site's settings do not allow it" in said(upload())[0]


# --- Match ----------------------------------------------------------------------------------------


@pytest.fixture
def matching(upload):
    upload(header=UNMATCHED)
    return Campaign.objects.get()


def test_columns__are_filled_in_as_far_as_they_are_known(matching, sender):
    response = sender.get(url("change", matching))

    html = page(response)
    assert '<option value="Số điện thoại" selected>' in html
    form = response.context["adminform"].form
    assert form["columns.customer_name"].initial == ""
    assert form["columns.note"].help_text == "Optional."
    assert "<bdi>“Khách”</bdi>, <bdi>“Ghi chú”</bdi>" in " ".join(html.split())


def test_columns__lead_to_the_check(matching, sender):
    response = sender.post(url("columns", matching), CHOSEN)

    assert response.url == url("change", matching)
    html = page(sender.get(response.url))
    assert "Dear Nguyễn Thị Ngọc An" in html
    assert "Columns not used" in html
    assert "<bdi>“Ghi chú”</bdi>" in html


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"columns.customer_name": ""}, "columns.customer_name"),
        ({"columns.to": ""}, "columns.to"),
        ({"columns.amount": "No such column"}, "columns.amount"),
        ({"columns.amount": "\x00"}, "columns.amount"),
    ],
)
def test_columns__fault_is_told_beside_its_field(matching, sender, changes, fault):
    response = sender.post(url("columns", matching), {**CHOSEN, **changes})

    assert faults(response).keys() == {fault}
    matching.refresh_from_db()
    assert matching.status == "matching"


def test_columns__template_that_is_switched_off_meanwhile(matching, sender):
    MessageTemplate.objects.update(is_active=False)

    response = sender.post(url("columns", matching), CHOSEN)

    assert faults(response) == {"__all__": ["The template “order_confirmation” is not active."]}


def test_columns__account_that_cannot_work(matching, sender, settings):
    settings.ETELECOM = {"ACCOUNTS": {}}

    response = sender.post(url("columns", matching), CHOSEN)

    assert "This site's settings do not allow it" in faults(response)["__all__"][0]


def test_columns__are_chosen_once(matching, sender):
    sender.post(url("columns", matching), CHOSEN)

    response = sender.post(url("columns", matching), {**CHOSEN, "columns.note": "Khách"})

    assert said(response)[-1] == "The columns of this campaign were chosen before."
    matching.refresh_from_db()
    assert "note" not in matching.columns


def test_columns__viewer_sees_that_it_waits(matching, staff_client):
    client = staff_client("view_campaign", username="minh")

    html = page(client.get(url("change", matching)))

    assert "columns to be matched" in html
    assert "It waits for a person to go on with it." in html
    assert "<select" not in html[html.index('id="content"') :]


# --- Check ----------------------------------------------------------------------------------------


def test_check__says_how_many_will_go_and_which_not(checking, sender):
    html = " ".join(page(sender.get(url("change", checking))).split())

    assert "<strong>3</strong>" in html
    assert "1 of them goes to a number that has one already." in html
    assert "2 rows cannot be sent" in html
    assert "This is not a phone number." in html
    assert "dropped the number&#x27;s leading 0; it was put back." in html
    assert "Row 2 has this number as well." in html
    # Vietnamese letters take an SMS to 70 characters.
    assert "3 if the first channel takes each, 6 if all of them slide on to SMS" in html


def test_check__of_a_route_that_costs_one_sum(upload, default_route, sender):
    default_route.channels = ["3"]
    default_route.save()
    upload()

    assert "About 2" in page(sender.get(url("change", Campaign.objects.get())))


def test_check__numbers_are_for_who_may_see_them(upload, sender, admin_client):
    upload(line("0912345678", name="An 0912 345 678"), line("0912345679", name="Chi 0912345679"))
    where = url("change", Campaign.objects.get())

    masked = page(sender.get(where))

    assert "84912•••678" in masked
    assert "Dear An 0•••, order" in masked
    assert "345" not in masked
    assert recorded() == ["Uploaded."]
    assert "Dear An 0912 345 678, order" in page(admin_client.get(where))
    assert recorded() == ["Uploaded.", "Saw 2 numbers."]


def test_check__template_without_text(upload, order_template, sender):
    order_template.text = ""
    order_template.save()
    upload()

    html = page(sender.get(url("change", Campaign.objects.get())))

    assert "The text of this template is not known here." in html


def test_check__faulty_rows_come_back_under_their_headings(checking, sender, upload):
    _response, lines = download(sender, checking)

    assert list(lines[0]) == [*HEADER.split(",")[:-1], "What is wrong"]
    assert [one["Số điện thoại"] for one in lines] == ["12", "0912345678"]
    assert lines[0]["What is wrong"].startswith("Row 4. Số điện thoại: This is not")
    assert lines[1]["What is wrong"].startswith("Row 5. amount: “viel” is not taken.")


def test_check__what_was_mended_is_uploaded_again(checking, sender):
    response = sender.get(reverse("admin:etelecom_campaign_faulty_rows", args=[checking.pk]))
    mended = b"".join(response.streaming_content).replace(b"\r\n12,", b"\r\n0912345677,")
    file = SimpleUploadedFile("mended.csv", mended)

    sender.post(UPLOAD, {"template": "order_confirmation", "file": file})

    again = Campaign.objects.first()
    assert (again.name, again.status) == ("mended.csv", "checking")
    assert (again.queued_rows, again.faulty_rows) == (1, 1)


@pytest.fixture
def advertising(order_template, settings):
    """The template advertises; its guards are as given, over those that hold anyway."""

    def change(**rules):
        MessageTemplate.objects.update(category="advertising", text="[QC] Tea")
        rules = {"HOURS": {}, "CONSENT": False, **rules}
        settings.ETELECOM = {**settings.ETELECOM, "GUARDS": {"advertising": rules}}

    return change


def shown_check(client, campaign):
    return client.get(url("change", campaign))


def test_upload__of_an_advertisement_without_label_is_told_beside_the_template(upload, advertising):
    advertising()
    MessageTemplate.objects.update(text="Tea")

    response = upload()

    [told] = faults(response)["template"]
    assert told.startswith("An advertisement begins with [QC]")
    assert not Campaign.objects.exists()


def test_check__nothing_is_told_of_guards_that_let_all_pass(checking, sender):
    html = page(shown_check(sender, checking))

    for row in ("Will not be sent", "When it goes", "Paid messages of the account", "Guards"):
        assert row not in html


def test_check__tells_how_many_will_not_be_sent(checking, sender, advertising):
    advertising(CONSENT=True, LIMITS=[(1, 86_400)])
    digest = number_digests("84912345678")[0]
    Consent.objects.create(number_digest=digest, source="Order form")

    response = shown_check(sender, checking)

    # The one that repeats would be the number's second.
    assert response.context["stopped"] == [
        ("1", Reason.NO_CONSENT.label),
        ("1", Reason.RECIPIENT_LIMIT.label),
    ]
    assert "As things stand now" in page(response)
    assert not NumberHistory.objects.exists()


def test_check__counts_what_numbers_had_before(checking, sender, advertising, askable):
    advertising(LIMITS=[(2, 86_400)])
    for number in ("0912345678", "0912345679"):
        send_message("order_confirmation", number, ORDER_VALUES)

    response = shown_check(sender, checking)

    assert response.context["stopped"] == [("1", Reason.RECIPIENT_LIMIT.label)]


def test_check__suppressed_numbers_are_looked_for_in_batches(
    checking, sender, settings, monkeypatch
):
    Suppression.objects.create(
        number_digest=number_digests("84912345678")[0], reason="staff", scope="everything"
    )
    monkeypatch.setattr(guards, "ASKED_AT_ONCE", 1)
    monkeypatch.setattr(foresight, "ASKED", 2)

    response = shown_check(sender, checking)

    assert response.context["stopped"] == [("1", Reason.SUPPRESSED.label)]
    assert "Of the first 2 messages" in page(response)


def test_check__tells_until_when_it_waits(checking, sender, advertising):
    opens = timezone.localtime() + timedelta(hours=2)
    hours = (f"{opens:%H:%M}", f"{opens + timedelta(hours=1):%H:%M}")
    advertising(HOURS={"3": hours})

    html = page(shown_check(sender, checking))

    assert f"At {opens:%H:%M} on" in html
    assert "Closed until then: SMS." in html


def test_check__tells_that_it_never_goes(checking, sender, advertising):
    advertising(HOURS={"1": ("07:00", "08:00"), "3": ("09:00", "10:00")})

    assert "Never: there is no hour" in page(shown_check(sender, checking))


def test_check__tells_what_is_left_of_the_account(checking, sender, settings):
    accounts = settings.ETELECOM["ACCOUNTS"]
    caps = {"MAX_PAID_PER_DAY": 2, "MAX_PAID_PER_MONTH": 1000}
    settings.ETELECOM = {**settings.ETELECOM, "ACCOUNTS": {"default": accounts["default"] | caps}}

    html = page(shown_check(sender, checking))

    assert "Today: 0 of 2, 2 left" in html
    assert "This month: 0 of 1,000, 1,000 left" in html
    assert "It may need more than is left." in html


def test_check__settings_that_cannot_be_used_are_told(checking, sender, settings):
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": {"transactional": 5}}

    response = shown_check(sender, checking)

    assert "do not allow it to be sent: ETELECOM[" in page(response)


def test_check__viewer_may_look_but_not_start(checking, staff_client):
    client = staff_client("view_campaign", username="minh")

    html = page(client.get(url("change", checking)))

    assert "<strong>3</strong>" in html
    assert buttons(client, checking) == set()
    assert "Download" not in html


def test_check__of_faulty_rows_alone_offers_no_start(upload, sender):
    upload(line("12"))

    campaign = Campaign.objects.get()

    assert 'value="Start sending"' not in page(sender.get(url("change", campaign)))
    assert url("cancel", campaign) in page(sender.get(url("change", campaign)))


# --- Start ----------------------------------------------------------------------------------------


@pytest.fixture
def large(checking, monkeypatch):
    """More messages than are started without typing their number."""
    monkeypatch.setattr(upload_forms, "CONFIRM_ABOVE", 2)
    return checking


def test_start__large_campaign_asks_for_its_number(large, sender):
    html = page(sender.get(url("change", large)))

    assert "Type in how many messages will go: 3." in html
    assert 'aria-describedby="id_number_helptext"' in html


@pytest.mark.parametrize("typed", ["", "2", "all", "33", "３ ０", "-3", "3" * 10_000])
def test_start__wrong_number_starts_nothing(large, sender, typed):
    response = sender.post(url("start", large), {"number": typed})

    assert response.status_code == 200
    assert response.context["confirm"].errors.keys() == {"number"}
    large.refresh_from_db()
    assert large.status == "checking"
    assert recorded() == ["Uploaded."]


@pytest.mark.parametrize("typed", ["3", " 3 ", "3."])
def test_start__number_that_was_typed_in(large, sender, typed):
    sender.post(url("start", large), {"number": typed})

    large.refresh_from_db()
    assert large.status == "running"


def test_start__number_with_its_separators(large, sender):
    Campaign.objects.update(queued_rows=12_000)

    assert "Type in how many messages will go: 12,000." in page(sender.get(url("change", large)))
    sender.post(url("start", large), {"number": "12.000"})
    large.refresh_from_db()
    assert large.status == "running"


def test_start__by_a_colleague_is_recorded_under_their_name(checking, staff_client):
    client = staff_client("send_campaign", username="minh")

    client.post(url("start", checking))

    assert LogEntry.objects.get(change_message="Started.").user.username == "minh"
    checking.refresh_from_db()
    assert checking.sent_by.username == "lan"


def test_start__number_of_another_campaign_is_of_no_use(large, upload, sender):
    upload(*[line("0912345678")] * 4)
    other = Campaign.objects.first()

    sender.post(url("start", other), {"number": "3"})

    assert [one.status for one in Campaign.objects.all()] == ["checking", "checking"]


def test_start__twice_sends_once(checking, askable, sender):
    sender.post(url("start", checking))

    response = sender.post(url("start", checking))

    assert said(response)[-1] == "The campaign is running by now; nothing was changed."
    Worker().run_once()
    assert len(askable.sent) == 3
    assert recorded() == ["Uploaded.", "Started."]


def test_start__two_at_once_send_once(checking, askable, staff_client):
    clients = [staff_client("send_campaign", username=name) for name in ("minh", "hoa")]
    both_are_here = threading.Barrier(2)
    responses = []

    def start(client):
        both_are_here.wait(10)
        try:
            responses.append(client.post(url("start", checking)))
        finally:
            connection.close()

    threads = [threading.Thread(target=start, args=[client]) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [one.status_code for one in responses] == [302, 302]
    Worker().run_once()
    assert len(askable.sent) == 3
    assert MessageLog.objects.filter(status="accepted").count() == 3


def test_start__of_what_was_discarded(large, sender):
    cancel_campaign(large)

    response = sender.post(url("start", large))

    assert said(response)[-1] == "The campaign is cancelled by now; nothing was changed."


@pytest.mark.parametrize("state", ["matching", "checking"])
def test_discard__at_every_step(state, sender, upload, askable):
    upload(header=UNMATCHED if state == "matching" else HEADER)
    campaign = Campaign.objects.get()
    assert campaign.status == state
    assert url("cancel", campaign) in page(sender.get(url("change", campaign)))

    asked = page(sender.get(url("cancel", campaign)))
    assert "Discard the campaign?" in asked
    assert "Nothing of it has been sent, and nothing will be." in asked
    sender.post(url("cancel", campaign))

    campaign.refresh_from_db()
    assert campaign.status == "cancelled"
    assert not CampaignPart.objects.exists()
    assert recorded() == ["Uploaded.", "Cancelled."]


# --- All pages ------------------------------------------------------------------------------------


def test_pages__carry_nothing_that_a_strict_policy_forbids(upload, sender):
    upload(header=UNMATCHED)
    matching = Campaign.objects.get()
    upload()
    checking = Campaign.objects.first()
    addresses = [UPLOAD, LIST]
    addresses += [url(name, one) for one in (matching, checking) for name in ("change", "cancel")]
    responses = [sender.get(address) for address in addresses]
    responses += [sender.post(UPLOAD), sender.post(url("columns", matching))]
    responses += [sender.post(url("start", checking), follow=True)]

    for response in responses:
        html = page(response)
        assert response.status_code == 200
        assert "etelecom/admin.css" in html
        assert "no-store" in response["Cache-Control"]
        assert "<style" not in html
        assert " style=" not in html
        assert " onclick=" not in html
        scripts = html.count("<script src=") + html.count('<script id="django-admin-')
        assert html.count("<script") == scripts
