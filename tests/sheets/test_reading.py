"""Which files are opened, which are refused, and with which sentence."""

import io
import sys
import zipfile

import pytest

from django_etelecom.sheets import UnreadableSheet, open_sheet

from .files import Counting, package_of, refusal_of, rows_of, workbook_of, zip_of

CSV = b"to,name\n0912345678,An\n"


@pytest.mark.parametrize("content", [b"", b"\n\r\n\n", b"\xef\xbb\xbf", b" , ,\n"])
def test_open__empty_file(content):
    assert refusal_of(content) == "The file is empty."


@pytest.mark.parametrize(
    "content",
    [b"to,name", b"to,name\n\n,\n", workbook_of(["to", "name"])],
    ids=["no line end", "blank lines", "workbook"],
)
def test_open__headings_alone(content):
    assert "nothing below" in refusal_of(content)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("to,,name", "Column 2 has no heading"),
        ("to,name, to ", "Two columns are called “to”"),
        (",".join(f"c{number}" for number in range(201)), "more than 200 columns"),
        ("to,912345678", "Column 2 of the first line is a phone number"),
        ("to," + "x" * 201, "heading of column 2 has more than 200 characters"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_open__headings_that_cannot_be_used(header, told, kind):
    content = f"{header}\n1\n".encode() if kind == "csv" else workbook_of(header.split(","), [1])

    assert told in refusal_of(content, f"recipients.{kind}")


def test_open__two_hundred_columns_are_taken():
    header = [f"c{number}" for number in range(200)]

    assert len(open_sheet(io.BytesIO(workbook_of(header, header)), "a.xlsx").columns) == 200


def test_open__headings_are_trimmed_and_empty_ones_at_the_end_do_not_count():
    sheet = open_sheet(io.BytesIO(b" to ;name;;\n1;An;;\n"), "a.csv")

    assert sheet.columns == ("to", "name")


@pytest.mark.parametrize(
    ("content", "name", "told"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "list.csv", "neither a CSV file nor an XLSX"),
        (b"\x89PNG\r\n\x1a\n", "list.csv", "neither a CSV file nor an XLSX"),
        (CSV, "list.docx", "neither a CSV file nor an XLSX"),
        (b'{"to": "0912345678"}', "list.json", "neither a CSV file nor an XLSX"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512), "list.xls", "protected by a password"),
        (b"\xef\xbb\xbf\n<HTML><table><tr><td>to", "list.xls", "web page or XML"),
        (b'<?xml version="1.0"?><Workbook/>', "list.xls", "web page or XML"),
        (zip_of({"word/document.xml": "<x/>"}), "list.xlsx", "no XLSX workbook"),
        (zip_of({}), "list.xlsx", "no XLSX workbook"),
        (b"PK\x03\x04 and no more", "list.xlsx", "damaged"),
        (bytes(range(256)), "list.csv", "UTF-8"),
    ],
    ids=[
        "pdf",
        "png",
        "docx",
        "json",
        "xls",
        "html",
        "xml",
        "zip",
        "empty zip",
        "cut zip",
        "binary",
    ],
)
def test_open__other_files_each_get_their_sentence(content, name, told):
    assert told in refusal_of(content, name)


@pytest.mark.parametrize("name", ["list", "LIST.CSV", "list.txt", "list.tsv", "list.xls"])
def test_open__kind_shows_in_the_bytes_and_not_in_the_name(name):
    assert len(rows_of(CSV, name)) == 1
    assert len(rows_of(package_of(), name)) == 1


def test_open__two_gigabytes_are_refused_without_reading_them():
    file = Counting(2 * 1024**3)

    with pytest.raises(UnreadableSheet, match=r"2\.0\sGB; at most 50\.0\sMB"):
        open_sheet(file, "list.csv")

    assert file.bytes_read == 0


def test_open__limit_is_the_callers():
    assert "at most 10\xa0bytes" in refusal_of(CSV, max_bytes=10)
    assert len(list(open_sheet(io.BytesIO(CSV), "a.csv", max_bytes=len(CSV)).rows())) == 1


def test_rows__column_that_is_not_there():
    with pytest.raises(ValueError, match="'phone'"):
        open_sheet(io.BytesIO(CSV), "a.csv").rows(number_column="phone")


def test_rows__mend_the_column_of_the_number_alone():
    content = b"to,order\n912345678,912345678\n9.12E+08,9.12E+08\n0912345678,1\n"
    mended, lost, good = rows_of(content, number_column="to")

    assert mended.values == {"to": "0912345678", "order": "912345678"}
    assert "leading 0" in mended.notices[0]
    assert "lost digits" in lost.faults[0]
    assert lost.values["order"] == "9.12E+08"
    assert good.notices == good.faults == ()


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_rows__cell_that_is_too_long_is_a_fault_of_its_row(kind):
    long, whole = "x" * 10_001, "y" * 10_000
    content = (
        f"to,note\n1,{long}\n2,{whole}\n".encode()
        if kind == "csv"
        else workbook_of(["to", "note"], ["1", long], ["2", whole])
    )
    fault, good = rows_of(content)

    assert fault.faults == ("Column “note” holds more than 10000 characters.",)
    assert good.faults == ()
    assert good.values["note"] == whole


def test_rows__sentences_are_in_the_readers_language():
    from django.utils.translation import override

    with override("vi"):
        (row,) = rows_of(b"to,name\n1\n")

    assert row.faults


def test_open__workbook_without_the_extra(monkeypatch):
    for name in [*sys.modules]:
        if name.startswith(("openpyxl", "django_etelecom.sheets.workbook")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "openpyxl", None)

    assert "django-etelecom[xlsx]" in refusal_of(package_of(), "list.xlsx")
    assert len(rows_of(CSV)) == 1


def test_open__memory_that_runs_out_is_no_fault_of_the_file(monkeypatch):
    def run_out(*_asked_for):
        raise MemoryError

    monkeypatch.setattr("django_etelecom.sheets.workbook.shown", run_out)

    with pytest.raises(MemoryError):
        rows_of(package_of(), "list.xlsx")


def test_open__damaged_zip_in_the_middle():
    content = bytearray(package_of(packing=zipfile.ZIP_STORED))
    at = content.index(b"0912345678")
    content[at] ^= 1

    assert "damaged" in refusal_of(bytes(content), "list.xlsx")
