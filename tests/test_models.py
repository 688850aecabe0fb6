"""Routes and templates as they are kept."""

from datetime import date

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError, Q

from django_etelecom.models import (
    DayTally,
    MessageEvent,
    MessageLog,
    MessageTemplate,
    NumberHistory,
    RouteRule,
    WaitTally,
)
from django_etelecom.models.routes import channel_names
from django_etelecom.patterns import fault_of_cost

pytestmark = pytest.mark.django_db


def test_route__new_default_takes_the_place_of_the_old(default_route):
    second = RouteRule.objects.create(name="SMS only", channels=["3"], is_default=True)

    assert list(RouteRule.objects.filter(is_default=True)) == [second]


def test_route__default_saved_again_stays(default_route):
    default_route.save()

    assert RouteRule.objects.get().is_default


def test_route__database_holds_one_default(default_route):
    RouteRule.objects.create(name="SMS only", channels=["3"])

    with pytest.raises(IntegrityError), transaction.atomic():
        RouteRule.objects.update(is_default=True)


@pytest.mark.parametrize("channels", [[], "13", None, ["4"], ["1", "1"], [1], [["1"]], {"1": 1}])
def test_route__channels_that_are_no_ordered_choice_are_refused(channels):
    with pytest.raises(ValidationError) as caught:
        RouteRule(name="r", channels=channels).full_clean()

    assert list(caught.value.message_dict) == ["channels"]


def test_channel_names():
    assert channel_names(["1", "2", "3", "9"]) == "ZNS (Zalo) → Voice call → SMS → 9"
    assert channel_names([["1"], None]) == "['1'] → None"
    assert channel_names(5) == "5"


@pytest.mark.parametrize(("pattern", "fine"), [("[0-9]+", True), ("(", False), ("[[a]", False)])
def test_parameter__pattern_must_compile(otp_template, pattern, fine):
    parameter = otp_template.parameters.get()
    parameter.pattern = pattern

    if fine:
        parameter.full_clean()
    else:
        with pytest.raises(ValidationError) as caught:
            parameter.full_clean()
        [sentence] = caught.value.message_dict["pattern"]
        assert sentence.startswith("This is not a regular expression: ")


def test_parameter__pattern_that_could_run_for_ever_is_refused_with_what_to_write(order_template):
    parameter = order_template.parameters.get(name="note")
    parameter.pattern = "([a-z]+ ?)+"

    with pytest.raises(ValidationError) as caught:
        parameter.full_clean()

    [sentence] = caught.value.message_dict["pattern"]
    assert sentence == fault_of_cost("([a-z]+ ?)+", 200)
    assert "[A-Z]+(?:-[A-Z]+)* instead of ([A-Z]+-?)+" in sentence


def test_parameter__pattern_is_measured_by_its_own_longest_value(order_template):
    parameter = order_template.parameters.get(name="note")
    parameter.pattern = ".*,.*,.*,.*"
    parameter.max_length = 30

    parameter.full_clean()

    parameter.max_length = None
    with pytest.raises(ValidationError, match="too long on some values"):
        parameter.full_clean()


@pytest.mark.parametrize("faulty", [{"kind": "emoji"}, {"max_length": "many"}])
def test_parameter__pattern_is_not_judged_by_what_is_faulty_itself(order_template, faulty):
    parameter = order_template.parameters.get(name="note")
    parameter.pattern = "(a+)+"
    vars(parameter).update(faulty)

    with pytest.raises(ValidationError) as caught:
        parameter.full_clean()

    assert list(caught.value.message_dict) == list(faulty)


def test_template__with_history_cannot_be_deleted(otp_template):
    MessageLog.objects.create(template=otp_template, recipient="84912345678", content_digest="")

    with pytest.raises(ProtectedError):
        otp_template.delete()


def test_template__plan_of_none():
    assert MessageTemplate.objects.plan(Q(code="nowhere")) is None


@pytest.mark.parametrize(("own_route", "queries"), [(True, 1), (False, 2)])
def test_template__plan_is_one_query_and_one_for_the_default_route(
    order_template, default_route, django_assert_num_queries, own_route, queries
):
    MessageTemplate.objects.update(route=default_route if own_route else None)

    with django_assert_num_queries(queries):
        plan = MessageTemplate.objects.plan(Q(code="order_confirmation"))

    assert plan.channels == ("1", "3")

    assert plan.schema.names == (
        "customer_name",
        "order_code",
        "amount",
        "delivery_date",
        "note",
    )


def test_names_of_rows(otp_template, default_route):
    message = MessageLog(template=otp_template)
    event = MessageEvent(message=message, source="send", status="accepted")
    unnamed = MessageTemplate(code="bare")

    assert str(otp_template) == "Login (login_otp)"
    assert str(unnamed) == "bare"
    assert str(otp_template.parameters.get()) == "otp"
    assert str(default_route) == "ZNS, then SMS"
    assert str(message) == str(message.public_id)
    assert str(event) == "sending: accepted"
    assert str(NumberHistory(number_digest=f"{'0' * 8}.{'f' * 64}")) == "00000000.fffffff"
    assert str(DayTally(day=date(2026, 3, 4), status="unknown", number=-1)) == (
        "2026-03-04 unknown -1"
    )
    assert str(WaitTally(day=date(2026, 3, 4), bucket=16, number=2)) == "2026-03-04 16 +2"
