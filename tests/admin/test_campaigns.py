"""Campaigns in the admin: how far each is, its buttons, its faulty rows."""

import csv
import io
import traceback
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import resolve, reverse
from django.utils import timezone

from django_etelecom import pace
from django_etelecom.admin import faulty_rows, progress
from django_etelecom.admin.progress import told
from django_etelecom.campaigns import Progress, draw_up
from django_etelecom.models import Campaign, CampaignRow, CampaignTally, MessageLog
from django_etelecom.models.messages import Reason
from django_etelecom.services import cancel_campaign, pause_campaign, queue_campaign
from django_etelecom.worker import Worker
from tests.admin.conftest import page
from tests.test_campaigns import LOST, REFUSED, number

pytestmark = pytest.mark.django_db(transaction=True)

LIST = reverse("admin:etelecom_campaign_changelist")
MESSAGES = reverse("admin:etelecom_messagelog_changelist")
UPLOAD = reverse("admin:etelecom_campaign_upload")

METHODS = {
    "change": {"get"},
    "history": {"get"},
    "progress": {"get"},
    "faulty_rows": {"get"},
    "columns": {"post"},
    "start": {"post"},
    "pause": {"post"},
    "resume": {"post"},
    "retry": {"post"},
    "cancel": {"get", "post"},
}
"""Of each page of one campaign."""


def url(name, campaign):
    pk = getattr(campaign, "pk", campaign)
    return reverse(f"admin:etelecom_campaign_{name}", args=[pk])


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


def work():
    return Worker().run_once()


def recorded():
    return [entry.change_message for entry in LogEntry.objects.order_by("pk")]


@pytest.fixture
def rows(order_params):
    def rows(count=3):
        return [{"to": number(n), **order_params} for n in range(count)]

    return rows


@pytest.fixture
def campaign(askable, order_template, rows):
    """Three messages that wait for a worker."""
    return queue_campaign(order_template, rows(), name="November")


@pytest.fixture
def sender(staff_client):
    return staff_client("send_campaign", "view_messagelog")


@pytest.fixture
def viewer(staff_client):
    return staff_client("view_campaign", username="minh")


# --- Who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", METHODS)
def test_pages__anonymous_goes_to_login(campaign, name, method):
    response = getattr(Client(), method)(url(name, campaign))

    assert response.status_code == 302
    assert response.url.startswith("/admin/login/")


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", METHODS)
def test_pages__staff_without_permission_may_not(campaign, staff_client, name, method):
    client = staff_client("view_messagelog", "send_message")

    assert getattr(client, method)(url(name, campaign)).status_code == 403


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", METHODS)
def test_pages__viewer_may_only_look(campaign, viewer, name, method):
    response = getattr(viewer, method)(url(name, campaign))

    if name in ("change", "history", "progress"):
        # The admin's own history takes a POST for a GET.
        allowed = method in METHODS[name] or name == "history"
        assert response.status_code == (200 if allowed else 405)
    else:
        assert response.status_code == 403
    assert recorded() == []


@pytest.mark.parametrize("method", ["get", "post", "put", "delete"])
@pytest.mark.parametrize("name", [name for name in METHODS if name != "history"])
def test_pages__know_their_methods(campaign, sender, name, method):
    response = getattr(sender, method)(url(name, campaign))

    if method in METHODS[name]:
        assert response.status_code in (200, 302)
    else:
        assert response.status_code == 405


@pytest.mark.parametrize("key", [0, 10**30])
@pytest.mark.parametrize("name", [name for name in METHODS if name != "history"])
def test_pages__unknown_campaign_is_404(campaign, sender, name, key):
    method = next(iter(METHODS[name]))

    assert getattr(sender, method)(url(name, key)).status_code == 404


@pytest.mark.parametrize("key", ["november", "1_00", "%00"])
def test_page__key_that_is_none_is_404(campaign, sender, key):
    assert sender.get(f"{LIST}{key}/change/").status_code == 404


@pytest.mark.parametrize("name", [name for name, methods in METHODS.items() if "post" in methods])
def test_buttons__need_a_csrf_token(campaign, sender, name):
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = sender.cookies

    assert strict.post(url(name, campaign)).status_code == 403
    campaign.refresh_from_db()
    assert campaign.status == "running"


@pytest.mark.parametrize(
    "address", [UPLOAD, *(url(name, 1) for name in METHODS if name not in ("change", "history"))]
)
def test_pages__hold_no_transaction(address):
    assert resolve(address).func._non_atomic_requests == {"default"}


def test_campaign__is_not_added_or_deleted_by_hand(campaign, admin_client):
    add = reverse("admin:etelecom_campaign_add")

    assert admin_client.get(add).status_code == 403
    assert admin_client.post(add, {}).status_code == 403
    assert admin_client.post(url("delete", campaign), {"post": "yes"}).status_code == 403
    assert "delete_selected" not in page(admin_client.get(LIST))


# --- The list -------------------------------------------------------------------------------------


def test_list__says_how_far_each_is(campaign, sender):
    work()
    queue_campaign(campaign.template, [{"to": "12"}], name="December")

    html = page(sender.get(LIST))

    assert "November" in html
    assert "December" in html
    assert '<td class="field-ended_in_words">3</td>' in html
    assert '<td class="field-ended_in_words">0</td>' in html
    assert '<td class="field-faulty_in_words">1</td>' in html
    assert '<span class="etelecom-badge etelecom-finished">finished</span>' in html


def test_list__asks_once_for_all_counts(campaign, sender, rows):
    def queries():
        with CaptureQueriesContext(
            connection,
        ) as context:
            assert sender.get(LIST).status_code == 200
        return context.captured_queries

    before = len(queries())
    for _ in range(5):
        queue_campaign(campaign.template, rows(1))
    after = queries()

    assert len(after) == before
    assert not any("etelecom_messagelog" in query["sql"] for query in after)


def test_list__filters(campaign, sender):
    assert "November" in page(sender.get(LIST, {"status__exact": "running"}))
    assert "November" not in page(sender.get(LIST, {"status__exact": "paused"}))
    chosen = {"template__id__exact": campaign.template_id}
    assert "November" in page(sender.get(LIST, chosen))


def test_list__viewer_is_offered_no_upload(campaign, viewer, sender):
    assert UPLOAD in page(sender.get(LIST))
    assert UPLOAD not in page(viewer.get(LIST))


def test_template__leads_to_an_upload(order_template, staff_client):
    client = staff_client("send_campaign", "view_messagetemplate")
    change = reverse("admin:etelecom_messagetemplate_change", args=[order_template.pk])

    assert f"{UPLOAD}?template=order_confirmation" in page(client.get(change))
    order_template.is_active = False
    order_template.save()
    assert UPLOAD not in page(client.get(change))


def test_lists__show_the_banner_of_a_paused_account(campaign, sender):
    pace.pause("default", Reason.OUT_OF_MESSAGES)

    for address in (LIST, url("change", campaign)):
        assert "Account “default” is paused" in page(sender.get(address))


def test_page__shows_no_banner_of_another_account(campaign, sender):
    pace.pause("other", Reason.OUT_OF_MESSAGES)

    assert "is paused" not in page(sender.get(url("change", campaign)))


def test_page__of_what_is_over_shows_no_banner(campaign, sender):
    cancel_campaign(campaign)
    pace.pause("default", Reason.OUT_OF_MESSAGES)

    assert "is paused" not in page(sender.get(url("change", campaign)))


# --- Progress -------------------------------------------------------------------------------------


def test_progress__counts_by_status_and_leads_to_the_messages(campaign, askable, sender):
    askable.answer = staticmethod(lambda _outgoing: LOST)
    work()

    html = page(sender.get(url("change", campaign)))

    assert "3 of 3 messages are done." in html
    listed = f"{MESSAGES}?campaign__id__exact={campaign.pk}&amp;status__exact=unknown"
    assert f'<a href="{listed}" data-count="unknown">3</a>' in html
    assert "Nothing sends them again by itself: a person looks at each and decides." in html
    shown = page(sender.get(listed.replace("&amp;", "&")))
    assert "3 messages" in shown
    assert "By campaign" in shown


def test_progress__under_way_leads_to_what_waits(campaign, sender):
    html = page(sender.get(url("change", campaign)))

    listed = f"{MESSAGES}?campaign__id__exact={campaign.pk}&status__in=queued%2Csending"
    assert listed.replace("&", "&amp;") in html
    assert "3 messages" in page(sender.get(listed))


def test_progress__without_permission_for_messages_has_no_links(campaign, viewer):
    html = page(viewer.get(url("change", campaign)))

    assert '<span data-count="under_way">3</span>' in html
    assert MESSAGES not in html


def test_progress__as_json(campaign, viewer):
    pause_campaign(campaign)

    response = viewer.get(url("progress", campaign))

    assert response["Content-Type"] == "application/json"
    assert "no-store" in response["Cache-Control"]
    assert response.json() == {
        "state": "paused False",
        "is_over": False,
        "is_loading": False,
        "ended": 0,
        "total": 3,
        "counts": {"under_way": "3"},
        "sentence": "0 of 3 messages are done.",
        "pace": "",
        "announcement": "0 % of the messages are done.",
        "why": "",
    }


def test_progress__costs_the_same_whatever_the_size(askable, order_template, rows, viewer):
    asked = []
    for count in (1, 30):
        campaign = queue_campaign(order_template, rows(count))
        with CaptureQueriesContext(connection) as context:
            viewer.get(url("progress", campaign))
        asked.append(len(context))
        assert not any("etelecom_messagelog" in one["sql"] for one in context.captured_queries)

    # The session, the person, their permissions twice, the campaign, its tallies.
    assert asked == [6, 6]


@pytest.mark.parametrize(
    ("per_second", "seconds_left", "words"),
    [
        (None, None, ""),
        (1234.5, 59, "1,234 a second. Less than a minute is left."),
        (2, 61, "2.0 a second. About 2\xa0minutes left."),
        (0.5, 18_000, "30 a minute. About 5\xa0hours left."),
        (0.05, None, "3.0 a minute."),
        (0.001, 10**9, "Less than one a minute. More than a year is left."),
    ],
)
def test_progress__rate_and_time_left(campaign, monkeypatch, per_second, seconds_left, words):
    now = Progress({}, under_way=3, ended=0, per_second=per_second, seconds_left=seconds_left)
    monkeypatch.setattr(progress, "progress", lambda _campaign: now)

    assert told(campaign)["pace"] == words


def test_progress__of_what_is_done_has_no_time_left(campaign, monkeypatch):
    now = Progress({"accepted": 3}, under_way=0, ended=3, per_second=2, seconds_left=0)
    monkeypatch.setattr(progress, "progress", lambda _campaign: now)

    assert told(campaign)["pace"] == "2.0 a second."


def test_progress__tells_why_messages_were_not_sent(campaign, sender, monkeypatch):
    reasons = [Reason.SUPPRESSED, Reason.NO_CONSENT, Reason.NO_CONSENT]
    for message, reason in zip(MessageLog.objects.order_by("pk"), reasons, strict=True):
        MessageLog.objects.filter(pk=message.pk).update(status="not_sent", reason=reason)
    CampaignTally.objects.create(campaign=campaign, status="not_sent", number=3)
    listed = "The number is on the suppression list: 1."
    consent = "No consent to advertising is on record for the number: 2."

    assert told(campaign)["why"] == f"{consent} {listed}"
    assert consent in page(sender.get(url("change", campaign)))

    monkeypatch.setattr(progress, "MOST_REASONS", 3)
    assert told(campaign)["why"].startswith("Of 3 of them: ")


@pytest.mark.parametrize("status", ["running", "paused"])
def test_progress__tells_what_it_waits_for_while_it_runs(campaign, settings, status):
    opens = timezone.localtime() + timedelta(hours=2)
    hours = (f"{opens:%H:%M}", f"{opens + timedelta(hours=1):%H:%M}")
    rules = {"transactional": {"HOURS": {"3": hours}}}
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": rules}
    Campaign.objects.update(status=status)
    campaign.refresh_from_db()

    pace_in_words = told(campaign)["pace"]

    waits = pace_in_words.startswith(f"It waits: SMS not before {opens:%H:%M} on ")
    assert waits == (status == "running")


def test_progress__is_told_in_tenths(campaign):
    campaign.queued_rows = 200_000
    CampaignTally.objects.create(campaign=campaign, status="delivered", number=55_555)
    campaign.status = "paused"

    shown = told(campaign)

    assert shown["announcement"] == "20 % of the messages are done."
    assert shown["sentence"] == "55,555 of 200,000 messages are done."
    assert shown["counts"] == {"under_way": "144,445", "delivered": "55,555"}


def test_progress__of_no_messages(askable, order_template, sender):
    campaign = queue_campaign(order_template, [])

    assert sender.get(url("progress", campaign)).json()["announcement"] == ""
    assert "0 of 0 messages are done." in page(sender.get(url("change", campaign)))


def test_progress__while_rows_are_read(askable, order_template, sender):
    campaign, _mold = draw_up(order_template)
    Campaign.objects.update(read_rows=12_000, faulty_rows=7)

    html = page(sender.get(url("change", campaign)))

    assert "12,000 rows have been read so far." in html
    assert 'max="' not in html
    assert "Discard…" in html
    # They are not all there yet.
    assert "cannot be sent" not in html


def test_progress__page_reloads_until_it_is_over(campaign, sender):
    running = page(sender.get(url("change", campaign)))
    cancel_campaign(campaign)
    over = page(sender.get(url("change", campaign)))

    assert '<noscript><meta http-equiv="refresh" content="10"></noscript>' in running
    assert "etelecom/progress.js" in running
    assert "refresh" not in over
    assert "etelecom/progress.js" not in over


def test_progress__rows_that_could_not_be_read(askable, order_template, sender):
    def broken():
        yield {"to": "12"}
        raise RuntimeError("The file is gone.")

    with pytest.raises(RuntimeError):
        queue_campaign(order_template, broken())

    html = page(sender.get(url("change", Campaign.objects.get())))

    assert "Its rows could not be read to their end, so nothing of it was sent." in html


# --- The buttons ----------------------------------------------------------------------------------


def buttons(client, campaign):
    html = page(client.get(url("change", campaign)))
    names = ("start", "pause", "resume", "retry", "cancel")
    return {name for name in names if url(name, campaign) in html}


def test_buttons__go_by_the_state(campaign, sender, viewer):
    assert buttons(sender, campaign) == {"pause", "cancel", "retry"}
    assert buttons(viewer, campaign) == set()
    pause_campaign(campaign)
    assert buttons(sender, campaign) == {"resume", "cancel", "retry"}
    cancel_campaign(campaign)
    assert buttons(sender, campaign) == set()


def test_retry__is_hidden_while_nothing_was_not_sent(campaign, sender):
    hidden = 'data-line="not_sent"\n                  hidden>'

    assert hidden in page(sender.get(url("change", campaign)))
    CampaignTally.objects.create(campaign=campaign, status="not_sent", number=1)
    assert hidden not in page(sender.get(url("change", campaign)))


def test_pause_and_resume(campaign, sender):
    response = sender.post(url("pause", campaign))

    assert response.url == url("change", campaign)
    assert said(response) == [
        "The campaign is paused: what is in flight arrives, and nothing else is sent."
    ]
    work()
    campaign.refresh_from_db()
    assert campaign.status == "paused"
    assert said(sender.post(url("resume", campaign)))[-1] == "The campaign goes on."
    work()
    campaign.refresh_from_db()
    assert (campaign.status, campaign.counts()) == ("finished", {"accepted": 3})
    assert recorded() == ["Paused.", "Resumed."]
    assert {entry.user.username for entry in LogEntry.objects.all()} == {"lan"}


@pytest.mark.parametrize("name", ["pause", "resume", "start", "cancel"])
def test_button__of_a_state_that_has_passed(campaign, sender, name):
    work()

    response = sender.post(url(name, campaign))

    assert said(response) == ["The campaign is finished by now; nothing was changed."]
    assert recorded() == []


def test_pause__that_comes_too_late(campaign, sender, monkeypatch):
    """The campaign finishes between the page's look at it and the move."""
    found = Campaign.objects.select_related("template", "sent_by").get()
    work()
    monkeypatch.setattr(
        "django_etelecom.admin.campaigns.CampaignAdmin.campaign", lambda _self, _pk: found
    )

    response = sender.post(url("pause", campaign))

    assert said(response) == ["The campaign is finished by now; nothing was changed."]
    assert recorded() == []


def test_cancel__asks_first(campaign, sender):
    asked = page(sender.get(url("cancel", campaign)))

    assert "Cancel the campaign?" in asked
    assert "those that are in flight arrive" in asked
    campaign.refresh_from_db()
    assert campaign.status == "running"

    response = sender.post(url("cancel", campaign))

    assert said(response) == ["The campaign was cancelled: nothing more of it is sent."]
    campaign.refresh_from_db()
    assert (campaign.status, campaign.counts()) == ("cancelled", {"cancelled": 3})
    assert recorded() == ["Cancelled."]


def test_cancel__of_what_has_ended_is_not_offered(campaign, sender):
    work()

    html = page(sender.get(url("cancel", campaign)))

    assert "The campaign is finished by now; there is nothing to cancel." in html
    assert '<input type="submit"' not in html


def test_retry__queues_again_what_was_not_sent(campaign, askable, sender):
    Campaign.objects.update(expires_at=timezone.now() - timezone.timedelta(days=1))
    askable.answer = staticmethod(lambda _outgoing: REFUSED)
    work()
    campaign.refresh_from_db()
    assert campaign.counts() == {"not_sent": 3}

    response = sender.post(url("retry", campaign))

    assert said(response) == ["3 messages wait to be sent again."]
    assert recorded() == ["Queued again what was not sent: 3."]
    campaign.refresh_from_db()
    assert campaign.status == "running"
    assert said(sender.post(url("retry", campaign)))[-1] == (
        "There is no message left that was not sent."
    )


def test_retry__of_a_cancelled_campaign_is_refused(campaign, sender):
    cancel_campaign(campaign)

    response = sender.post(url("retry", campaign))

    assert said(response) == ["A campaign that was cancelled is not retried."]
    assert recorded() == []


def test_retry__of_secrets_is_not_offered(askable, otp_template, sender):
    campaign = queue_campaign(otp_template, [{"to": number(1), "otp": "123456"}])

    assert buttons(sender, campaign) == {"pause", "cancel"}


# --- The rows that need a look --------------------------------------------------------------------


@pytest.fixture
def faulty(askable, order_template, order_params):
    """One message, two repeat it, two faulty rows."""
    return queue_campaign(
        order_template,
        [
            *[{"to": "0912345678", **order_params}] * 3,
            {"to": "12", **order_params, "order_code": "=1+1", "amount": "0912 345 679x"},
            {"to": "0912345670", **order_params, "delivery_date": "x", "coupon": "TET"},
        ],
    )


def test_rows__are_shown_with_their_faults(faulty, sender):
    html = page(sender.get(url("change", faulty)))

    assert "2 rows cannot be sent" in html
    assert "This is not a phone number." in html
    assert "The template has no parameter of this name." in html
    assert "Row 1 has this number as well." in html


def test_rows__numbers_in_them_are_hidden(faulty, sender, admin_client):
    assert "0912•••679x" not in page(admin_client.get(url("change", faulty)))
    assert "0912 345 679x" in page(admin_client.get(url("change", faulty)))
    hidden = page(sender.get(url("change", faulty)))
    assert "0912 345 679x" not in hidden
    assert "•••679x” is not taken" in hidden


def test_rows__only_the_first_are_shown(faulty, sender, monkeypatch):
    assert "Only the first" not in page(sender.get(url("change", faulty)))

    monkeypatch.setattr(faulty_rows, "SHOWN", 1)
    html = page(sender.get(url("change", faulty)))

    assert "This is not a phone number." in html
    assert "is not taken" not in html
    assert "Only the first are shown; the download has all of them." in html


def test_rows__only_the_first_notices_are_shown(faulty, sender, monkeypatch):
    monkeypatch.setattr(faulty_rows, "SHOWN", 1)

    assert "Only the first are shown.</p>" in page(sender.get(url("change", faulty)))


def download(client, campaign):
    response = client.get(url("faulty_rows", campaign))
    assert response.status_code == 200
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    return response, list(csv.DictReader(io.StringIO(text, newline="")))


def test_download__is_ready_to_be_mended(faulty, sender, monkeypatch):
    monkeypatch.setattr(faulty_rows, "BATCH", 1)

    response, lines = download(sender, faulty)

    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert f'filename="faulty-rows-{faulty.pk}.csv"' in response["Content-Disposition"]
    assert [line["to"] for line in lines] == ["12", "0912345670"]
    assert lines[0]["customer_name"] == "Nguyễn Văn An"
    assert lines[0]["What is wrong"].startswith("Row 4. to: This is not a phone number.")
    assert "delivery_date: “x” is not taken." in lines[1]["What is wrong"]


def test_download__runs_no_formula(faulty, sender):
    _response, lines = download(sender, faulty)

    assert lines[0]["order_code"] == "'=1+1"


def test_download__is_on_record(faulty, sender):
    download(sender, faulty)

    entry = LogEntry.objects.get()
    assert entry.change_message == "Exported the faulty rows, numbers whole."
    assert (entry.user.username, entry.object_id) == ("lan", str(faulty.pk))


def test_download__has_columns_that_the_template_lacks(faulty, sender):
    _response, lines = download(sender, faulty)

    assert [line["coupon"] for line in lines] == ["", "TET"]


def test_download__of_what_no_key_opens(faulty, sender):
    CampaignRow.objects.filter(is_queued=False).update(sealed_values="nonsense")

    _response, lines = download(sender, faulty)

    assert [line["to"] for line in lines] == ["", ""]
    assert "Today's keys do not open what this row held" in lines[0]["What is wrong"]


def test_download__that_breaks_shows_no_secret_to_an_error_reporter(
    askable, otp_template, sender, monkeypatch
):
    campaign = queue_campaign(otp_template, [{"to": "12", "otp": str(n)} for n in (483920, 593847)])
    opened = [{"to": "12", "otp": "483920"}]

    def values_of(_row):
        if not opened:
            raise OSError("The database is gone.")
        return opened.pop()

    response = sender.get(url("faulty_rows", campaign))
    monkeypatch.setattr(faulty_rows, "values_of", values_of)
    monkeypatch.setattr(faulty_rows, "BATCH", 1)

    with pytest.raises(OSError, match="gone") as raised:
        list(response.streaming_content)

    frames = [frame for frame, _line in traceback.walk_tb(raised.tb)]
    theirs = [frame for frame in frames if frame.f_globals["__name__"] != __name__]
    assert opened == []
    assert "483920" not in repr([frame.f_locals for frame in theirs])


def test_download__column_called_as_ours(askable, order_template, sender):
    campaign = queue_campaign(order_template, [{"to": "12", "What is wrong": "me"}])

    _response, lines = download(sender, campaign)

    assert lines[0]["What is wrong"] == "me"
    assert lines[0]["What is wrong*"].startswith("Row 1.")


def test_download__keys_that_cannot_be_used(faulty, sender, settings):
    settings.ETELECOM = {**settings.ETELECOM, "ENCRYPTION_KEYS": ["short"]}

    response = sender.get(url("faulty_rows", faulty))

    assert response.url == url("change", faulty)
    assert "is not a Fernet key" in said(response)[0]


# --- From a message -------------------------------------------------------------------------------


def test_message__leads_to_its_campaign(campaign, sender):
    message = MessageLog.objects.get(campaign_row=2)

    html = page(sender.get(reverse("admin:etelecom_messagelog_change", args=[message.pk])))

    assert f'<a href="{url("change", campaign)}">November</a>' in html


@pytest.mark.parametrize(("key", "status"), [("x", 400), ("", 200), ("\x00", 400)])
def test_messages__of_a_campaign_that_is_none(campaign, sender, key, status):
    response = sender.get(MESSAGES, {"campaign__id__exact": key})

    assert response.status_code == status


def test_messages__of_an_unknown_campaign_are_none(campaign, sender):
    html = page(sender.get(MESSAGES, {"campaign__id__exact": campaign.pk + 1}))

    assert "0 messages" in html
