"""The lists of numbers as files: read, taken over, written out; and the commands that do it."""

import io
import stat
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from django_etelecom import number_lists
from django_etelecom.models import Consent, Suppression
from django_etelecom.number_lists import (
    CONSENTED,
    SUPPRESSED,
    count_new,
    lifted,
    read_list,
    take_over,
    written,
)
from django_etelecom.numbers import Agreement, Entry
from django_etelecom.services import record_consent, suppress_number, withdraw_consent
from django_etelecom.sheets import UnreadableSheet, write_csv
from tests.sheets.files import workbook_of

pytestmark = pytest.mark.django_db(transaction=True)

WIRE, OTHER = "84912345678", "84912345679"
GIVEN = datetime(2026, 3, 8, 2, 30, tzinfo=UTC)
"""Half past nine in Vietnam."""
NO_NUMBER = "This is not a phone number. Type it as 0912 345 678 or +84 912 345 678."


def lines_of(kind, text, name="numbers.csv", **given):
    return list(read_list(kind, io.BytesIO(text.encode()), name, given))


def item_of(kind, text, **given):
    [line] = lines_of(kind, text, **given)
    assert line.faults == ()
    return line.item


# --- Reading ------------------------------------------------------------------------------------


def test_read__suppressions():
    text = "Số điện thoại,reason,scope,note\n0912 345 678,complaint,everything,By phone\n"

    assert item_of(SUPPRESSED, text) == Entry(WIRE, "complaint", "everything", "By phone")


def test_read__what_a_line_leaves_empty_is_given():
    text = "phone;reason;note\n0912345678;;\n0912345679;staff;Own\n"

    assert [line.item for line in lines_of(SUPPRESSED, text, reason="opt_out", note="All")] == [
        Entry(WIRE, "opt_out", "advertising", "All"),
        Entry(OTHER, "staff", "everything", "Own"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-08T09:30:00+07:00",
        "2026-03-08 02:30:00+00:00",
        "2026-03-08 09:30",
        "09:30 08/03/2026",
        "09:30:00 8/3/2026",
        "08/03/2026 09:30",
        "08/03/2026 09:30:00",
    ],
)
def test_read__times_as_people_and_spreadsheets_write_them(text):
    agreement = item_of(CONSENTED, f"phone,source,given_at\n0912345678,Form,{text}\n")

    assert agreement == Agreement(WIRE, "Form", GIVEN)


@pytest.mark.parametrize("text", ["2026-03-08", "08/03/2026"])
def test_read__days_begin_in_vietnam(text):
    agreement = item_of(CONSENTED, "phone\n0912345678\n", source="Form", given_at=text)

    assert agreement.given_at == datetime(2026, 3, 7, 17, tzinfo=UTC)


def test_read__withdrawals():
    text = "phone,source,given_at,withdrawn_at\n0912345678,Form,08/03/2026,09/03/2026\n"

    assert item_of(CONSENTED, text).withdrawn_at == datetime(2026, 3, 8, 17, tzinfo=UTC)


def test_read__every_fault_with_its_line():
    text = (
        "phone,source,given_at,withdrawn_at\n"
        "0912345678,Form,08/03/2026,\n"
        "\n"
        "0912 345 67,,yesterday,soon\n"
        "0912345679,Form,,\n"
        "0912345680,Form,08/03/2026,07/03/2026\n"
    )

    faults = {line.number: line.faults for line in lines_of(CONSENTED, text) if line.faults}

    assert faults == {
        4: (
            f"phone: {NO_NUMBER}",
            "source: Say how and where it was given, so that it can be proved.",
            "given_at: “yesterday” is no time. Write it as 24/12/2026 or 2026-12-24 08:30.",
            "withdrawn_at: “soon” is no time. Write it as 24/12/2026 or 2026-12-24 08:30.",
        ),
        5: ("given_at: Say when: consent has to be proved.",),
        6: ("withdrawn_at: This is before it was given.",),
    }


def test_read__faults_of_the_sheet_are_told_too():
    [line] = lines_of(SUPPRESSED, "phone,note\n8.4912E+10,x,y\n", reason="none")

    assert line.item is None
    assert len(line.faults) == 4


def test_read__numbers_that_a_spreadsheet_damaged():
    assert item_of(SUPPRESSED, "phone\n912345678.0\n", reason="staff").number == WIRE


def test_read__erased_numbers_are_told():
    [line] = lines_of(SUPPRESSED, "phone,digest,reason\n,abc.def,erased\n")

    assert "erased" in line.faults[0]


def test_read__the_only_column_is_the_numbers():
    assert item_of(SUPPRESSED, "Blacklist\n0912345678\n", reason="staff").number == WIRE


@pytest.mark.parametrize("text", ["a,b\n0912345678,x\n", "", "0912345678\n0912345679\n"])
def test_read__file_without_headings_is_refused(text):
    with pytest.raises(UnreadableSheet):
        lines_of(SUPPRESSED, text, reason="staff")


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        (
            CONSENTED,
            "phone,source,given_at,withdrawn\n0912345678,Form,2026-01-01,2026-02-01\n",
            "“withdrawn”. Those of this list are: phone, source, given_at, withdrawn_at.",
        ),
        (
            SUPPRESSED,
            "phone,source,given_at\n0912345678,Form,2026-01-01\n",
            "“source”. Those of this list are: phone, reason, scope, note.",
        ),
        (SUPPRESSED, "phone,Reason,reason.\n0912345678,staff,staff\n", "“Reason”."),
        (
            lifted(),
            "phone,reason\n0912345678,opt_out\n",
            "“reason”. Those of this list are: phone.",
        ),
    ],
)
def test_read__column_that_is_nobodys_is_refused(kind, text, sentence):
    with pytest.raises(UnreadableSheet) as raised:
        lines_of(kind, text)

    assert sentence in str(raised.value)


# --- Taking over --------------------------------------------------------------------------------


def test_take_over__tells_what_became_of_the_lines(monkeypatch):
    monkeypatch.setattr(number_lists, "BATCH", 2)
    suppress_number(WIRE)
    text = "phone\n0912345678\n0912345679\n091\n0912345679\n"

    steps = take_over(SUPPRESSED, lines_of(SUPPRESSED, text, reason="opt_out"))
    told = [
        (taken.good, taken.changed, taken.faulty, [line.number for line in faulty])
        for taken, faulty in steps
    ]

    assert told == [(2, 1, 0, []), (3, 1, 1, [4])]
    assert Suppression.objects.count() == 2


def test_count_new__counts_each_once_and_writes_nothing(monkeypatch):
    monkeypatch.setattr(number_lists, "BATCH", 1)
    suppress_number(WIRE)
    narrow, wide = (Entry(OTHER, "opt_out", scope) for scope in ("advertising", "everything"))

    assert count_new(SUPPRESSED, [Entry(WIRE, "opt_out", "advertising"), narrow, wide]) == 1
    assert count_new(CONSENTED, [Agreement(WIRE, "Form", GIVEN)] * 2) == 1
    assert Suppression.objects.count() == 1
    assert not Consent.objects.exists()


# --- Writing ------------------------------------------------------------------------------------


def test_written__in_constant_memory_by_the_batch(monkeypatch, django_assert_num_queries):
    monkeypatch.setattr(number_lists, "BATCH", 2)
    for number in range(5):
        suppress_number(f"091234567{number}")

    with django_assert_num_queries(4):
        numbers = [row["phone"] for row in written(Suppression.objects.all())]

    assert numbers == [f"8491234567{number}" for number in range(5)]


def test_written__is_read_again_and_changes_nothing(django_user_model):
    lan = django_user_model.objects.create_user("lan")
    suppress_number(WIRE, note="=1+1", by=lan)
    suppress_number(OTHER, reason="staff", scope="advertising")
    record_consent(WIRE, source="Form")
    withdraw_consent(WIRE)
    record_consent(WIRE, source="Form, again", by=lan)
    lists = ((SUPPRESSED, Suppression), (CONSENTED, Consent))
    files = [
        "".join(write_csv(written(model.objects.all()), list(number_lists.COLUMNS[model])))
        for _kind, model in lists
    ]

    def told():
        leave_out = ("id", "created_at", "created_by_id")
        return [
            [
                {name: value for name, value in row.items() if name not in leave_out}
                for row in model.objects.order_by("pk").values()
            ]
            for _kind, model in lists
        ]

    before = told()
    for (kind, _model), file in zip(lists, files, strict=True):
        [(taken, faulty)] = take_over(kind, lines_of(kind, file))
        assert (taken.good, taken.changed, faulty) == (2, 0, [])
    assert told() == before

    # And on a site that has none of it.
    Suppression.objects.all().delete()
    Consent.objects.all().delete()
    for (kind, _model), file in zip(lists, files, strict=True):
        list(take_over(kind, lines_of(kind, file)))
    assert told() == before


def test_written__erased_numbers_are_their_digest():
    listed = suppress_number(WIRE, reason="erased")

    [row] = written(Suppression.objects.all())

    assert (row["phone"], row["digest"]) == ("", listed.number_digest)


# --- The commands -------------------------------------------------------------------------------


def run(name, *arguments, **options):
    out, errors = StringIO(), StringIO()
    try:
        options |= {"stdout": out, "stderr": errors, "no_color": True}
        call_command(f"etelecom_{name}", *arguments, **options)
    except CommandError as error:
        return out.getvalue(), errors.getvalue(), str(error)
    return out.getvalue(), errors.getvalue(), ""


@pytest.fixture
def file(tmp_path):
    def make(text, name="numbers.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    return make


def test_suppress__numbers():
    assert run("suppress", "0912 345 678", "024 3936 1234", "--note", "Asked") == (
        "New: 2. On the list before: 0.\n",
        "",
        "",
    )
    assert run("suppress", "0912345678")[0] == "New: 0. On the list before: 1.\n"
    assert set(Suppression.objects.values_list("reason", "scope", "note")) == {
        ("opt_out", "advertising", "Asked")
    }


def test_suppress__reason_and_scope():
    run("suppress", "0912345678", "--reason", "staff", "--scope", "advertising")

    listed = Suppression.objects.get()
    assert (listed.reason, listed.scope) == ("staff", "advertising")


def test_suppress__keeps_the_good_ones_and_tells_each_fault(file):
    path = file("phone,scope\n0912345678,\n091,all\n0912345679,everything\n")

    out, errors, failure = run("suppress", path, "12")

    assert out == "New: 2. On the list before: 0.\n"
    assert errors.splitlines() == [
        f"{path}, line 3: phone: {NO_NUMBER}",
        f"{path}, line 3: scope: Give one of: advertising, everything.",
        f"argument 2: phone: {NO_NUMBER}",
    ]
    assert failure == "Faulty, and not taken over: 2."


def test_suppress__workbook(file):
    path = file(workbook_of(["SĐT", "Note"], ["0912345678", "x"]), "numbers.xlsx")

    assert run("suppress", path)[0] == "New: 1. On the list before: 0.\n"


def test_suppress__lift(file):
    suppress_number(WIRE)
    suppress_number(WIRE, reason="complaint")
    suppress_number(OTHER)

    assert run("suppress", "0912345678", "--lift", "--reason", "complaint")[0] == (
        "Numbers: 1. Entries lifted: 1.\n"
    )
    assert run("suppress", file("phone\n0912345678\n0912345679\n"), "--lift")[0] == (
        "Numbers: 2. Entries lifted: 2.\n"
    )
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["suppress"], "Give phone numbers or files, or --export FILE."),
        (["suppress", "0912345678", "--export", "x"], "Give phone numbers or files"),
        (["suppress", " "], "a phone number or a file"),
        (["suppress", "number\0.csv"], "a phone number or a file"),
        (["suppress", "1" * 5000], "Faulty, and not taken over: 1."),
        (["suppress", "x" * 5000], "cannot be read: File name too long."),
        (["suppress", "nowhere.csv"], "nowhere.csv: It cannot be read: No such file"),
        (["suppress", "0912345678", "--lift", "--note", "x"], "neither --scope nor --note"),
        (["consent", "0912345678", "--withdraw", "--source", "x"], "neither --source nor"),
        (["consent", "--export", "-", "--withdraw"], "--export takes no other option"),
        (["suppress", "--export", "-", "--reason", "staff"], "--export takes no other option"),
    ],
)
def test_commands__tell_what_they_cannot_do(arguments, sentence):
    assert sentence in run(*arguments)[2]
    assert not Suppression.objects.exists()


def test_commands__argument_that_cannot_be_read_keeps_those_before_it_and_tells():
    assert run("suppress", "0912345678", "abc")[2] == (
        "abc: It cannot be read: No such file or directory. New: 1. On the list before: 0."
    )
    assert Suppression.objects.count() == 1


def test_commands__file_that_cannot_be_read_to_its_end(file, monkeypatch):
    monkeypatch.setattr(number_lists, "BATCH", 1)
    path = file(b"phone\n0912345678\n0912345679\n\xff\n")

    failure = run("suppress", path)[2]

    assert failure.startswith(path)
    assert "New: " in failure
    assert Suppression.objects.count() == int(failure.partition("New: ")[2][0])


def test_commands__settings_that_cannot_be_used(settings):
    settings.ETELECOM = {"ENCRYPTION_KEYS": ["short"]}

    assert "not a Fernet key" in run("suppress", "0912345678", skip_checks=True)[2]


def test_consent__numbers_and_withdrawal():
    given = ("--source", "Form 2026", "--given-at", "2026-03-08 09:30")

    assert run("consent", "0912345678", *given)[0] == "New: 1. On record before: 0.\n"
    assert run("consent", "0912345678", *given)[0] == "New: 0. On record before: 1.\n"
    consent = Consent.objects.get()
    assert (consent.source, consent.given_at) == ("Form 2026", GIVEN)

    assert run("consent", "0912345678", "--withdraw")[0] == ("Numbers: 1. Consents withdrawn: 1.\n")
    assert Consent.objects.get().withdrawn_at is not None


def test_consent__needs_source_and_time():
    _out, errors, failure = run("consent", "0912345678")

    assert "source: Say how" in errors
    assert "given_at: Say when" in errors
    assert failure


def test_export__to_a_file_that_others_cannot_read(tmp_path):
    suppress_number(WIRE, note="=1+1")
    target = tmp_path / "list.csv"

    assert run("suppress", "--export", str(target))[0] == f"Written to {target}.\n"

    text = target.read_text(encoding="utf-8-sig")
    assert f"{WIRE},,opt_out,advertising,'=1+1," in text
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert "File exists" in run("suppress", "--export", str(target))[2]


def test_export__to_standard_output():
    record_consent(WIRE, source="Form", given_at=GIVEN)

    out = run("consent", "--export", "-")[0]

    assert f"{WIRE},,Form,2026-03-08 09:30:00+07:00,," in out


def test_export__no_time_is_lost():
    at = GIVEN + timedelta(microseconds=123456)
    record_consent(WIRE, source="Form", given_at=at)

    [row] = written(Consent.objects.all())

    assert datetime.fromisoformat(row["given_at"]) == at
