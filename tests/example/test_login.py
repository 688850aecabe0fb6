"""Logging in by phone in the example's shop."""

import re

import pytest
from django.core.cache import cache

from django_etelecom import pace
from django_etelecom.models import MessageTemplate
from django_etelecom.models.messages import Reason
from django_etelecom.simulator import Outcome
from shop import one_time_codes
from shop.one_time_codes import Verdict

pytestmark = [pytest.mark.urls("shop_site.urls"), pytest.mark.usefixtures("shop")]

ASK = "/login/"
ENTER = "/login/code/"
DONE = "/login/done/"
PHONE = "0912 345 678"


@pytest.fixture
def code(client, etelecom_outbox):
    """The code that the phone got, after `client` has asked for one."""
    client.post(ASK, {"phone": PHONE})
    return etelecom_outbox[0].params["otp"]


@pytest.fixture
def wrong_code(code):
    return f"{(int(code) + 1) % 10**6:06d}"


def test_login__by_the_code_that_was_sent(client, code):
    response = client.post(ENTER, {"code": code}, follow=True)

    assert response.redirect_chain == [(DONE, 302)]
    assert PHONE in response.text


def test_login__starts_a_new_session(client, code):
    before = client.session.session_key

    client.post(ENTER, {"code": code})

    assert client.session.session_key != before
    assert dict(client.session) == {"recipient": "84912345678"}


def test_login__another_code_is_not_taken(client, wrong_code):
    page = client.post(ENTER, {"code": wrong_code})

    assert "not the code" in str(page.context["form"].errors["code"])
    assert client.get(DONE).status_code == 302


def test_login__after_too_many_tries_even_the_code_is_not_taken(client, code, wrong_code):
    for _ in range(one_time_codes.TRIES):
        client.post(ENTER, {"code": wrong_code})

    response = client.post(ENTER, {"code": code}, follow=True)

    assert response.redirect_chain == [(ASK, 302)]
    assert "cannot be used any more" in response.text
    assert client.get(DONE).status_code == 302


def test_login__a_code_of_another_length_counts_as_no_try(client, code):
    for _ in range(one_time_codes.TRIES):
        client.post(ENTER, {"code": "1"})

    assert client.post(ENTER, {"code": code}).url == DONE


def test_login__the_code_rests_nowhere(client, code):
    assert code not in str(dict(client.session))
    assert not [value for value in cache._cache.values() if code.encode() in value]


def test_login__without_a_code_begins_at_the_beginning(client):
    assert client.get(ENTER).url == ASK
    assert client.get(DONE).url == ASK


def test_login__pages_can_be_looked_at(client, code):
    assert PHONE in client.get(ENTER).text
    assert "Send me a code" in client.get(ASK).text


def test_log_out(client, code):
    client.post(ENTER, {"code": code})

    client.post("/logout/")

    assert client.get(DONE).status_code == 302


def test_ask__bad_number_stands_beside_the_field(client, etelecom_outbox):
    page = client.post(ASK, {"phone": "12"})

    assert set(page.context["form"].errors) == {"phone"}
    assert etelecom_outbox == []


def test_ask__faults_that_are_not_the_persons_stand_above_the_form(client, etelecom_outbox):
    MessageTemplate.objects.filter(code="login_otp").update(is_active=False)

    page = client.post(ASK, {"phone": PHONE})

    assert "is not active" in str(page.context["form"].non_field_errors())


@pytest.fixture
def guarded(settings):
    """Codes are guarded as on the site, after `etelecom_outbox`."""
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": {}}


def test_ask__a_number_waits_for_its_next_code_however_it_is_typed(
    client, etelecom_outbox, guarded
):
    client.post(ASK, {"phone": PHONE})

    page = client.post(ASK, {"phone": "+84 912.345.678"})

    [told] = page.context["form"].errors["phone"]
    assert re.search("The next one may go in [0-9]+ seconds", told)
    assert len(etelecom_outbox) == 1


def test_ask__a_number_that_had_too_many_codes_is_told(client, etelecom_outbox, settings):
    limit = {"otp": {"COOLDOWN": [], "LIMITS": [(1, 3600)]}}
    settings.ETELECOM = {**settings.ETELECOM, "GUARDS": limit}
    client.post(ASK, {"phone": PHONE})

    page = client.post(ASK, {"phone": PHONE})

    assert "had too many codes" in str(page.context["form"].errors["phone"])
    assert len(etelecom_outbox) == 1


def test_ask__what_stops_all_codes_stands_above_the_form(client, etelecom_outbox):
    pace.pause("default", Reason.OUT_OF_MESSAGES)

    page = client.post(ASK, {"phone": PHONE})

    assert "Try again in a minute" in str(page.context["form"].non_field_errors())
    assert etelecom_outbox == []


# Without a test's own transaction around it the view sends before it answers.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("outcome", "field", "words"),
    [
        (Outcome.REFUSED_PHONE_NUMBER, "phone", "cannot receive messages"),
        (Outcome.REFUSED_OUT_OF_MESSAGES, "__all__", "Try again in a minute"),
    ],
)
def test_ask__a_refused_code_is_told_in_the_form(client, live, outcome, field, words):
    page = client.post(ASK, {"phone": f"+{outcome.phone_number}"})

    assert words in str(page.context["form"].errors[field])
    assert client.get(ENTER).url == ASK


@pytest.mark.django_db(transaction=True)
def test_ask__a_code_that_did_not_leave_is_told_in_the_form(client, live):
    live.stop()

    page = client.post(ASK, {"phone": PHONE})

    assert "Try again in a minute" in str(page.context["form"].non_field_errors())


@pytest.mark.django_db(transaction=True)
def test_ask__a_code_that_may_have_left_can_be_typed_in(client, live):
    response = client.post(
        ASK, {"phone": f"+{Outcome.RESET_AFTER_READING.phone_number}"}, follow=True
    )

    assert response.redirect_chain == [(ENTER, 302)]
    assert "may take longer" in response.text
    code = live.receipts[0].list_param["otp"]
    assert client.post(ENTER, {"code": code}).url == DONE


def test_code__works_once():
    ticket, code = one_time_codes.make()

    assert one_time_codes.check(ticket, code) is Verdict.RIGHT
    assert one_time_codes.check(ticket, code) is Verdict.SPENT


def test_code__of_two_tries_at_the_same_time_one_gets_it(monkeypatch):
    ticket, code = one_time_codes.make()
    # The other one has just deleted it.
    monkeypatch.setattr(cache, "delete", lambda key: False)

    assert one_time_codes.check(ticket, code) is Verdict.SPENT


def test_code__is_of_its_ticket_alone():
    ticket, code = one_time_codes.make()
    other_ticket, _ = one_time_codes.make()
    one_time_codes.cache.set(
        f"shop:code:{other_ticket}", cache.get(f"shop:code:{ticket}"), timeout=60
    )

    assert one_time_codes.check(other_ticket, code) is Verdict.WRONG


def test_code__expires(monkeypatch):
    monkeypatch.setattr(one_time_codes, "LIFETIME_SECONDS", 0)
    ticket, code = one_time_codes.make()

    assert one_time_codes.check(ticket, code) is Verdict.SPENT
