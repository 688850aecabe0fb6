"""A number that a person may not see, in whatever text and spelling it stands."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from django_etelecom.covers import MOST_STEPS, Cover, covers_of
from django_etelecom.models import MessageLog, MessageTemplate


@pytest.mark.parametrize(
    "spelled",
    [
        "84912345678",
        "0912345678",
        "+84 912 345 678",
        "(+84) 0912.345.678",
        "912-345-678",
        "(0912) 345-678",
        "%2B84912345678",
        "０９１２３４５６７８",
        "091&#50;345678",
    ],
)
def test_text__has_the_number_masked_in_every_spelling(spelled):
    covered = Cover("84912345678").text(f"Call {spelled} now")

    assert "345" not in covered
    assert "３４５" not in covered
    assert covered.startswith("Call ")
    assert covered.endswith(" now")


@pytest.mark.parametrize("spelled", ["6581234567", "+65 8123 4567", "8123 4567"])
def test_text__has_a_number_from_abroad_masked(spelled):
    assert "4567" not in Cover("6581234567").text(f"Call {spelled}")


@pytest.mark.parametrize("text", ["", "DH-912", "0912 345 679", "•••", "DH-1024 of 912345"])
def test_text__of_something_else_stays(text):
    assert Cover("84912345678").text(text) == text


def test_text__of_nothing_but_the_number_is_not_taken_for_a_secret():
    assert Cover("84912345678").text("912345678") == "84912•••678"


def test_text__that_was_cut_off_in_the_number():
    assert "9123" not in Cover("84912345678").text('{"to": "849123', may_be_cut=True)


def test_value__is_masked_in_keys_members_and_numbers():
    kept = {"84912345678": ["0912345678", 912345678, {"order": 7, "paid": True, "by": None}]}

    covered = Cover("84912345678").value(kept)

    assert covered == {"84•••": ["0•••", "84912•••678", {"order": 7, "paid": True, "by": None}]}


# --- Messages that repeat one another -------------------------------------------------------------


@pytest.fixture
def chain(db):
    """Make messages to numbers of one's own, each of which repeats the one before it."""
    template = MessageTemplate.objects.create(code="order")

    def chain(length: int) -> list[MessageLog]:
        made: list[MessageLog] = []
        for number in range(length):
            made.append(
                MessageLog.objects.create(
                    template=template,
                    template_code="order",
                    recipient=f"849123450{number:02}",
                    resend_of=made[-1] if made else None,
                )
            )
        return made

    return chain


def test_text__has_several_numbers_masked():
    covered = Cover("84912345678", "84987654321").text("From 0987 654 321 to 0912345678, DH-1")

    assert covered == "From 0••• to 0•••, DH-1"


def test_text__of_nothing_but_another_number_has_its_own_mask():
    assert Cover("84912345678", "84987654321").text("987654321") == "84987•••321"


def test_text__where_a_number_is_not_known_has_all_masked_that_may_be_one():
    covered = Cover("84912345678", "").text("Ring 0987 654 321, DH-1024 of 24/12/2026")

    assert covered == "Ring 098•••321, DH-1024 of 24/12/2026"


def test_covers__hide_the_numbers_of_all_that_a_message_repeats(chain):
    first, second, third = chain(3)

    cover = covers_of([third])[third.pk]

    for message in (first, second, third):
        assert cover.text(f"Ring {message.recipient}") == "Ring 84•••"
    assert cover.text("Ring 0912345003") == "Ring 0912345003"


def test_covers__hide_no_number_of_what_repeats_a_message(chain):
    first, second = chain(2)

    assert covers_of([first])[first.pk].text(second.recipient) == second.recipient


def test_covers__hide_every_number_where_one_of_them_was_erased(chain):
    first, _second, third = chain(3)
    MessageLog.objects.filter(pk=first.pk).update(recipient="")

    assert covers_of([third])[third.pk].text("Ring 0912345000") == "Ring 091•••000"


def test_covers__hide_every_number_beyond_so_many_steps(chain):
    last = chain(MOST_STEPS + 2)[-1]

    assert covers_of([last])[last.pk].text("Ring 0912345000") == "Ring 091•••000"


def test_covers__cost_no_query_a_message(chain):
    messages = chain(6)

    with CaptureQueriesContext(connection) as none:
        covers_of(messages[:1])
    with CaptureQueriesContext(connection) as few:
        covers_of(messages)

    assert (len(none), len(few)) == (0, 5)


def test_covers__are_for_what_has_its_number(chain):
    messages = chain(2)
    messages[1].recipient = ""

    assert set(covers_of(messages)) == {messages[0].pk}
