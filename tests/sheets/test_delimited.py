"""CSV: encodings, delimiters, line ends, and files that end too early or hold something else."""

import codecs
import csv
import io

import pytest

from django_etelecom.sheets import open_sheet

from .files import Counting, refusal_of, rows_of, values_of

TEXT = "to,tên\n0912345678,Nguyễn Văn An\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        TEXT.encode("utf-16"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    ],
    ids=["utf-8", "utf-8 with a mark", "utf-16", "utf-16 big-endian"],
)
def test_csv__encodings(content):
    sheet = open_sheet(io.BytesIO(content), "recipients.csv")

    assert sheet.columns == ("to", "tên")
    assert sheet.title == ""
    assert [row.values for row in sheet.rows()] == [{"to": "0912345678", "tên": "Nguyễn Văn An"}]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv__delimiter_is_the_headers(delimiter):
    content = delimiter.join(["to", "name", "note"]) + "\n" + delimiter.join(["1", "a,b;c", "d"])
    quoted = content.replace("a,b;c", '"a,b;c"')

    assert values_of(quoted.encode()) == [("1", "a,b;c", "d")]


def test_csv__delimiters_in_quotation_marks_do_not_count():
    content = b'"to, as 0912;345;678";"name, first, last"\n0912345678;An\n'

    assert open_sheet(io.BytesIO(content), "a.csv").columns == (
        "to, as 0912;345;678",
        "name, first, last",
    )


def test_csv__heading_on_two_lines():
    (row,) = rows_of('to;"Mã\nđơn"\r\n0912345678;DH-1\r\n'.encode())

    assert row.number == 3
    assert row.values == {"to": "0912345678", "Mã\nđơn": "DH-1"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv__line_ends(end):
    content = end.join(["to,name", "1,An", "2,Bình"]).encode()

    assert values_of(content) == [("1", "An"), ("2", "Bình")]


def test_csv__line_numbers_are_those_of_an_editor():
    content = b'\n\nto,note\n1,"two\nlines"\n\n , \n2,one\n'

    assert [(row.number, row.values["note"]) for row in rows_of(content)] == [
        (4, "two\nlines"),
        (8, "one"),
    ]


def test_csv__doubled_quotation_marks_and_stray_ones():
    assert values_of(b'to,note\n1,"said ""yes"""\n2,5" pipe\n') == [
        ("1", 'said "yes"'),
        ("2", '5" pipe'),
    ]


def test_csv__rows_of_the_wrong_length_stop_no_other():
    short, good, long, padded = rows_of(b"to,name\n1\n2,An\n3,a,b\n4,An,,\n")

    assert "only 1 of 2 cells" in short.faults[0]
    assert short.values == {"to": "1", "name": ""}
    assert not good.faults
    assert "beyond the last of the 2 columns" in long.faults[0]
    assert not padded.faults


def test_csv__last_row_that_breaks_off_is_told():
    _whole, broken = rows_of(b"to,name,note\n1,An,x\n2,B")

    assert "the middle of it" in broken.faults[0]


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b'to,note\n1,a\n2,"never closed\n3,c\n', 3),
        (b'to,"note\n1,a\n', 1),
        (b'to;"note\n1;a\n', 1),
        (b'to,note\n1,"' + b"a\n" * 200_000, 2),
        (b'to,note\n1,"two\nlines",' + b"a," * 600_000, 2),
    ],
    ids=["in a row", "in the header", "other delimiter", "for long", "then a long line"],
)
def test_csv__quotation_mark_that_is_not_closed(content, line):
    assert f"line {line}" in refusal_of(content)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"to,name\n1,An\n2,Nguy\xean\n", 3),
        (b"to,name\r" + b"1,An\r" * 50_000 + b"2,\xff", 50_002),
        (b"t\xf4,name\n1,An\n", 1),
        (b"to,name\n1,An\xe1\xba", 2),
        (codecs.BOM_UTF8 + b"to,name\r\n1,\xe1", 2),
        (("to,name\r\n" + "1,An\r\n" * 40_000).encode("utf-8") + b"\xc3", 40_002),
    ],
)
def test_csv__mixed_encodings_name_the_line(content, line):
    refusal = refusal_of(content)

    assert f"Line {line} is not in UTF-8" in refusal
    assert "CSV UTF-8" in refusal


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize(("rows", "broken"), [(0, b"\xd8"), (50_000, b"\xd8"), (9, b"\xd8" * 4)])
def test_csv__utf_16_that_is_broken_names_the_line(order, rows, broken):
    text = "\ufeffto,tên\r\n" + "1,Án\r\n" * rows + "2,"

    refusal = refusal_of(text.encode(f"utf-16-{order}") + broken)

    assert f"Line {rows + 2} is not in UTF-16" in refusal


@pytest.mark.parametrize(("content", "line"), [(b"to,name\n1,A\0n\n", 2), (b"t\0o\0\n\x001\0", 1)])
def test_csv__nul_names_the_line(content, line):
    assert f"Line {line} holds a NUL byte" in refusal_of(content)


def test_csv__line_without_an_end_is_not_read_whole():
    file = Counting(100 * 1_048_576)

    with pytest.raises(ValueError, match="too long"):
        open_sheet(file, "recipients.csv", max_bytes=200 * 1_048_576)

    assert file.bytes_read < 6 * 1_048_576


def test_csv__limit_of_the_csv_module_is_the_sites_own():
    limit = csv.field_size_limit(50)
    try:
        assert "line 2 is too long" in refusal_of(b"to,note\n1," + b"a" * 60)
        assert csv.field_size_limit() == 50
    finally:
        csv.field_size_limit(limit)


def test_csv__heading_of_many_lines_is_bounded():
    assert "too long" in refusal_of(b'"' + b"\n" * 2_000_000)


def test_csv__file_stays_open_for_its_owner(tmp_path):
    path = tmp_path / "recipients.csv"
    path.write_bytes(TEXT.encode())

    with path.open("rb") as file:
        sheet = open_sheet(file, path.name)

        assert [len(list(sheet.rows())) for _time in range(2)] == [1, 1]
        assert not file.closed
