"""The URL that eTelecom posts delivery reports to, over Django's own request handling."""

import json
import logging
from io import BytesIO

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.wsgi import WSGIRequest
from django.db import OperationalError
from django.test import Client, RequestFactory
from django.urls import resolve, reverse
from django.utils.crypto import constant_time_compare

from django_etelecom import reports, webhooks
from django_etelecom.models import InboxReport, MessageEvent, MessageLog
from django_etelecom.services import send_message

pytestmark = pytest.mark.django_db(transaction=True)

TOKEN = "first-canary-token"
NEXT_TOKEN = "second-canary-token"
REPORT = {
    "IdOmniMess": "ICOMNI1",
    "Status": "SUCCESS",
    "Channel": "BrandnameSMS",
    "ErrorCode": "",
    "MtCount": 1,
    "TelcoId": 3,
    "IsCharged": "True",
}


@pytest.fixture
def site(askable, settings):
    """Change the settings of a site that takes reports."""

    def change(**changes):
        settings.ETELECOM = {**settings.ETELECOM, **changes}

    change(WEBHOOK_TOKENS=[TOKEN])
    return change


@pytest.fixture
def message(site, otp_template):
    return send_message("login_otp", "0912345678", {"otp": "937415"})


def post(body=REPORT, *, token=TOKEN, content_type="application/json", **headers):
    data = body if isinstance(body, bytes | str) else json.dumps(body)
    # An exception that got as far as this would be the site's 500.
    client = Client(enforce_csrf_checks=True)
    return client.post(
        f"/etelecom/webhooks/{token}/", data, content_type=content_type, headers=headers
    )


def said(response):
    return response.json()["message"]


# --- Kept ---------------------------------------------------------------------------------------


def test_webhook__keeps_a_report(message):
    response = post()

    assert (response.status_code, response.json()) == (200, {"message": "success"})
    event = message.events.last()
    assert (event.source, event.status, event.channel) == ("webhook", "delivered", "BrandnameSMS")


def test_webhook__asks_nobody_within_the_request(message, askable):
    post()

    assert askable.asked == []
    assert MessageLog.objects.get().status == "accepted"


def test_webhook__moves_the_message_where_reports_are_believed(message, site):
    site(CONFIRM_REPORTS=False)

    post()

    assert MessageLog.objects.get().status == "delivered"


def test_webhook__keeps_a_list_of_reports(message):
    response = post([{**REPORT, "Status": "PROCESSING"}, REPORT, {**REPORT, "IdOmniMess": "other"}])

    assert response.status_code == 200
    assert list(message.events.values_list("status", flat=True)) == [
        "accepted",
        "accepted",
        "delivered",
    ]
    assert InboxReport.objects.get().provider_message_id == "other"


def test_webhook__keeps_a_report_of_an_id_that_nobody_knows_yet(site):
    assert post().status_code == 200

    assert InboxReport.objects.get().provider_message_id == "ICOMNI1"


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/octet-stream", "", "a;b=c"]
)
def test_webhook__body_decides_not_its_media_type(message, content_type):
    assert post(content_type=content_type).status_code == 200


def test_webhook__name_and_registered_forms_of_the_url():
    assert reverse("etelecom:webhook", args=[TOKEN]) == f"/etelecom/webhooks/{TOKEN}/"
    assert resolve(f"/etelecom/webhooks/{TOKEN}").func is webhooks.webhook


def test_webhook__needs_no_transaction_of_the_requests():
    assert resolve(f"/etelecom/webhooks/{TOKEN}/").func._non_atomic_requests == {"default"}


def test_webhook__needs_nobody_to_be_logged_in(message, settings):
    settings.MIDDLEWARE = [
        *settings.MIDDLEWARE,
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
    ]

    assert post().status_code == 200


# --- Let in -------------------------------------------------------------------------------------


def test_webhook__two_tokens_are_valid_while_one_takes_over(message, site):
    site(WEBHOOK_TOKENS=[TOKEN, NEXT_TOKEN])

    assert [post(token=token).status_code for token in (TOKEN, NEXT_TOKEN)] == [200, 200]

    site(WEBHOOK_TOKENS=[NEXT_TOKEN])
    assert [post(token=token).status_code for token in (TOKEN, NEXT_TOKEN)] == [404, 200]


@pytest.mark.parametrize(
    "token",
    [
        "",
        "wrong",
        TOKEN[:-1],
        TOKEN + "x",
        TOKEN.upper(),
        "é",
        "%00",
        " ",
        f"{TOKEN}/",
        f"/{TOKEN}",
    ],
)
def test_webhook__wrong_token_is_not_found(message, token):
    response = post(token=token)

    assert response.status_code == 404
    assert not MessageEvent.objects.filter(source="webhook").exists()


class Guarded(str):
    """A secret whose comparison by `==` would tell by its time how much of it was right."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other):
        raise AssertionError("compared by ==")


def test_tokens__are_compared_in_constant_time(site, monkeypatch):
    # What becomes of a report once it is let in may compare as it likes.
    monkeypatch.setattr(reports, "keep", lambda report: True)
    site(WEBHOOK_TOKENS=[Guarded(TOKEN), Guarded(NEXT_TOKEN)])

    assert post().status_code == 200
    assert post(token="third-canary-token").status_code == 404


@pytest.mark.parametrize("token", [TOKEN, NEXT_TOKEN, "third-canary-token"])
def test_tokens__are_all_compared_whichever_it_is(message, site, monkeypatch, token):
    site(WEBHOOK_TOKENS=[TOKEN, NEXT_TOKEN])
    compared = []

    def compare(given, known):
        compared.append(known)
        return constant_time_compare(given, known)

    monkeypatch.setattr(webhooks, "constant_time_compare", compare)
    post(token=token)

    assert compared == [TOKEN, NEXT_TOKEN]


def test_webhook__site_without_tokens_has_no_webhook(askable, settings):
    assert post().status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"ICOMNI-Signature": "wrong"}, 401),
        ({"ICOMNI-Signature": "shared-canary"}, 200),
        ({"icomni-signature": "shared-canary"}, 200),
        ({"Authorization": "shared-canary"}, 200),
        ({"Authorization": "Basic shared-canary"}, 200),
        ({"Authorization": "Basic wrong"}, 401),
        ({"Authorization": "Basic é"}, 401),
        ({"ICOMNI-Signature": "wrong", "Authorization": "shared-canary"}, 200),
    ],
)
def test_webhook__shared_token_is_asked_for_where_there_is_one(
    message, site, settings, headers, status
):
    account = settings.ETELECOM["ACCOUNTS"]["default"]
    site(ACCOUNTS={"default": {**account, "WEBHOOK_SECRET": "shared-canary"}})

    assert post(**headers).status_code == status


# --- Refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "put", "delete", "head", "options", "patch"])
def test_webhook__other_methods_are_refused(message, method):
    response = getattr(Client(), method)(f"/etelecom/webhooks/{TOKEN}/")

    assert response.status_code == 405
    assert response["Allow"] == "POST"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded; charset=utf-8",
        "Application/X-WWW-Form-Urlencoded",
        "multipart/form-data; boundary=x",
    ],
)
def test_webhook__forms_are_refused(message, content_type):
    response = post(json.dumps(REPORT).encode(), content_type=content_type)

    assert (response.status_code, said(response)) == (415, "a report is JSON, not a form")


def test_webhook__large_body_is_refused(message):
    response = post({**REPORT, "more": "x" * webhooks.MAX_BODY})

    assert (response.status_code, said(response)) == (413, "a report has at most 16384 bytes")


@pytest.mark.parametrize("claimed", ["10", "", "abc", "-1", "99999999999999999999"])
def test_webhook__length_is_not_believed(message, claimed):
    request: WSGIRequest = RequestFactory().post(
        "/", b"{" + b" " * webhooks.MAX_BODY, content_type="application/json"
    )
    request.META["CONTENT_LENGTH"] = claimed

    assert webhooks.webhook(request, TOKEN).status_code == 413


def in_chunks(body):
    """A request as gunicorn gives it where the body came in chunks."""
    request: WSGIRequest = RequestFactory().generic("POST", "/")
    request.META |= {"wsgi.input_terminated": True, "wsgi.input": BytesIO(body)}
    return request


def test_webhook__body_in_chunks_is_read(message):
    assert webhooks.webhook(in_chunks(json.dumps(REPORT).encode()), TOKEN).status_code == 200

    assert message.events.last().status == "delivered"


def test_webhook__large_body_in_chunks_is_refused(message):
    request = in_chunks(b"{" + b" " * 100 * webhooks.MAX_BODY)

    assert webhooks.webhook(request, TOKEN).status_code == 413
    assert request.META["wsgi.input"].tell() == webhooks.MAX_BODY + 1


def test_webhook__large_body_is_not_read_to_its_end(message):
    request: WSGIRequest = RequestFactory().post("/", REPORT, content_type="application/json")
    request._stream = body = BytesIO(b"{" + b" " * 100 * webhooks.MAX_BODY)

    assert webhooks.webhook(request, TOKEN).status_code == 413
    assert body.tell() == webhooks.MAX_BODY + 1


def test_webhook__body_that_breaks_off_is_refused(message, caplog):
    class HungUp(BytesIO):
        def read(self, size=-1, /):
            raise ConnectionResetError

    request: WSGIRequest = RequestFactory().post("/", REPORT, content_type="application/json")
    request._stream = HungUp()

    response = webhooks.webhook(request, TOKEN)

    assert (response.status_code, json.loads(response.content)["message"]) == (
        400,
        "the body broke off",
    )
    assert not caplog.records


def test_webhook__just_as_large_as_allowed(message):
    body = json.dumps(REPORT).encode()

    assert post(body + b" " * (webhooks.MAX_BODY - len(body))).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"null",
        b"1",
        b'"text"',
        b"{}",
        b"[]",
        b"[[]]",
        b"[1]",
        b'{"IdOmniMess": "ICOMNI1"}',
        b'{"Status": "SUCCESS"}',
        b'{"IdOmniMess": "", "Status": "SUCCESS"}',
        b'{"IdOmniMess": {}, "Status": "SUCCESS"}',
        b'{"IdOmniMess": "a\\u0000b", "Status": "SUCCESS"}',
        b'{"IdOmniMess": "ICOMNI1", "Status": "SUCCESS", "status": "FAIL"}',
        b"[" * 15_000,
        b'{"a":' * 3_000,
    ],
)
def test_webhook__what_is_no_report_is_refused_with_what_was_expected(message, body):
    response = post(body)

    assert response.status_code == 400
    assert said(response)
    assert not MessageEvent.objects.filter(source="webhook").exists()
    assert not InboxReport.objects.exists()


@pytest.mark.parametrize("odd", ["\x00", "\ud800", "\n" * 400, "x" * 5000])
def test_webhook__odd_characters_are_kept_escaped(message, odd):
    response = post({**REPORT, "Channel": f"SMS{odd}", "ErrorCode": odd, "More": odd})

    assert response.status_code == 200
    event = message.events.last()
    assert event.channel.startswith("SMS")
    assert odd not in event.payload


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("form", ["{}", "{}!", "as {} said", "{}é", "%22{}%22"])
def test_webhook__secrets_that_a_report_echoes_are_masked(message, site, settings, known, form):
    account = settings.ETELECOM["ACCOUNTS"]["default"]
    second = {"USERNAME": "canary-second", "PASSWORD": "canary-other"}
    site(ACCOUNTS={"default": account, "second": {**second, "WEBHOOK_SECRET": "canary-shared"}})
    secrets = [account["USERNAME"], account["PASSWORD"], *second.values(), "canary-shared", TOKEN]
    told = {f"Detail{place}": form.format(secret) for place, secret in enumerate(secrets)}

    words = dict.fromkeys(("Status", "Channel", "ErrorCode"), form.format("canary-other"))
    for body in ({**REPORT, **told}, {**REPORT, **words}):
        body["IdOmniMess"] = "ICOMNI1" if known else "ICOMNI2"
        response = post(body, **{"ICOMNI-Signature": "canary-shared"})
        assert response.status_code == 200

    kept = list((MessageEvent if known else InboxReport).objects.values())[-2:]
    assert [row["payload"].count("•••") for row in kept] == [len(secrets), len(words)]
    assert "canary" not in repr(kept)


def test_webhook__full_inbox_asks_to_try_again(site, monkeypatch):
    monkeypatch.setattr(reports, "INBOX_SIZE", 1)
    post({**REPORT, "IdOmniMess": "forged"})

    response = post()

    assert (response.status_code, response["Retry-After"]) == (503, "60")


def test_webhook__flood_of_forged_reports_changes_nothing(message, site, monkeypatch, askable):
    monkeypatch.setattr(reports, "INBOX_SIZE", 20)
    monkeypatch.setattr(reports, "MAX_REPORTS", 5)
    for number in range(200):
        post([{**REPORT, "IdOmniMess": f"forged{number}-{n}"} for n in range(5)] + [REPORT])

    assert InboxReport.objects.count() == 20
    assert message.events.count() == 1 + 5
    assert askable.asked == []
    assert MessageLog.objects.get().status == "accepted"
    assert send_message("login_otp", "0912345679", {"otp": "1"}).status == "accepted"


def test_webhook__database_that_is_away_asks_to_try_again(message, monkeypatch, caplog):
    def gone(report):
        raise OperationalError("gone")

    monkeypatch.setattr(reports, "keep", gone)

    assert post().status_code == 503
    assert "could not be kept" in caplog.text


def test_webhook__tokens_that_cannot_be_used_are_told_in_the_log(message, site, caplog):
    site(WEBHOOK_TOKENS=["short"])

    assert post().status_code == 503
    assert "ETELECOM['WEBHOOK_TOKENS'][0] is not a token" in caplog.text
    assert "short" not in caplog.text


@pytest.mark.parametrize(
    "send",
    [
        lambda: post(),
        lambda: post(b"not json"),
        lambda: post(token=TOKEN + "x"),
        lambda: post(content_type="application/x-www-form-urlencoded"),
        lambda: Client().get(f"/etelecom/webhooks/{TOKEN}/"),
        lambda: Client().post(f"/etelecom/webhooks/{TOKEN}", "{}", content_type="text/plain"),
        lambda: post(token=f"{TOKEN}/"),
        lambda: post(token=f"{TOKEN}/%20"),
        lambda: post(token=f"/{TOKEN}"),
        lambda: post(token=f"a%2F{TOKEN}%0A%00"),
    ],
)
def test_webhook__token_reaches_no_log(message, caplog, monkeypatch, send):
    caplog.set_level(logging.DEBUG)

    send()
    monkeypatch.setattr(reports, "keep", lambda report: 1 / 0)
    send()

    assert "canary-token" not in caplog.text
    assert not [record for record in caplog.records if record.name == "django.request"]
    assert "canary-token" not in repr([vars(record) for record in caplog.records])


@pytest.mark.parametrize(
    "tokens", ["a-long-enough-token", [7], ["short"], ["with space in the token"], [""], {}]
)
def test_tokens__must_be_long_and_fit_for_a_url(site, tokens):
    from django_etelecom.conf import settings as etelecom_settings

    site(WEBHOOK_TOKENS=tokens)

    if tokens == {}:
        tokens = ""
    with pytest.raises(ImproperlyConfigured) as caught:
        _ = etelecom_settings.webhook_tokens
    assert "a-long-enough-token" not in str(caught.value)
