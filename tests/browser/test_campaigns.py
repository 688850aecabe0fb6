"""A campaign from a sheet with faulty rows to its last message, as a person walks it."""

import pytest
from django.conf import settings
from django.test import override_settings

from django_etelecom import phone
from django_etelecom.services import record_consent
from tests.browser.chromium import NEEDED
from tests.test_campaigns import number

expect = pytest.importorskip("playwright.sync_api", reason=NEEDED).expect

COUNT = 40
FAULTY = ["0912 345", "không phải số"]


@pytest.fixture
def sheet(tmp_path, site):
    """Rows that can be sent, and two that cannot; one column bears a name of its own."""
    for n in range(COUNT):
        record_consent(number(n), source="Order form")
    rows = ["Số điện thoại,Customer name,Product,Price,Ngày cuối"]
    numbers = [*(number(n) for n in range(COUNT)), *FAULTY]
    rows += [f"{each},Lan,Trà sen,399000,31/12/2026" for each in numbers]
    path = tmp_path / "khach-hang.csv"
    path.write_text("\n".join(rows))
    return path


@pytest.fixture
def slowly(site):
    """Send so few messages a second that somebody can watch them go."""
    account = {**settings.ETELECOM["ACCOUNTS"]["default"], "MAX_PER_SECOND": 2}
    with override_settings(ETELECOM={**settings.ETELECOM, "ACCOUNTS": {"default": account}}):
        yield


def upload(page, sheet):
    """Upload the sheet and say which column is the last day."""
    page.goto("/admin/etelecom/messagetemplate/")
    page.get_by_role("link", name="promotion").click()
    page.get_by_role("link", name="Upload a campaign").click()
    page.get_by_label("File").set_input_files(sheet)
    page.get_by_role("button", name="Upload").click()
    page.get_by_label("Last day").select_option("Ngày cuối")
    page.get_by_role("button", name="Continue").click()


@pytest.mark.usefixtures("worker")
def test_upload__shows_the_faulty_rows_and_sends_the_others(page, site, sheet):
    upload(page, sheet)
    faults = page.get_by_role("table", name="2 rows cannot be sent")
    expect(faults.get_by_role("row")).to_have_count(1 + len(FAULTY))
    expect(faults).to_contain_text("phone number")
    assert site.sent == []

    page.get_by_role("button", name="Start sending").click()

    expect(page.get_by_text(f"{COUNT} of {COUNT} messages are done.")).to_be_visible()
    reached = sorted(receipt.phone_number for receipt in site.sent)
    assert reached == [phone.normalize(number(n)) for n in range(COUNT)]


@pytest.mark.usefixtures("slowly", "worker")
def test_progress__is_watched_paused_and_resumed(page, site, sheet):
    upload(page, sheet)
    page.get_by_role("button", name="Start sending").click()
    sentence = page.locator("[data-shows=sentence]")
    first = sentence.inner_text()
    page.evaluate("document.title = 'the same page'")
    expect(sentence).not_to_have_text(first)
    expect(page).to_have_title("the same page")

    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_text("The campaign is paused:")).to_be_visible()
    paused = sentence.inner_text()
    assert len(site.sent) < COUNT

    page.get_by_role("button", name="Go on").click()

    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(sentence).not_to_have_text(paused)
