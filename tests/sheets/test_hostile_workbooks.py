"""Workbooks that are made to take the machine that reads them down."""

import contextlib
import io
import tracemalloc
import zipfile
import zlib

import pytest

from django_etelecom.sheets import UnreadableSheet, open_sheet

from .files import (
    HEADINGS,
    MAIN,
    ONE_ROW,
    RELATED_TO_WORKBOOK,
    TYPES,
    WORKBOOK,
    declaring,
    package_of,
    refusal_of,
    rows_of,
    sheet_xml,
    strings_xml,
    values_of,
    zip_of,
)

NAME = "recipients.xlsx"
MEGABYTE = 1_048_576


def test_bomb__ratio_that_no_sheet_has():
    content = package_of(HEADINGS + ONE_ROW + " " * 20 * MEGABYTE)

    assert len(content) < 100_000
    assert "unpacks to far more" in refusal_of(content, NAME)


def test_bomb__declared_size():
    content = declaring(package_of(), "xl/worksheets/sheet1.xml", 2**32 - 2)

    assert "unpacks to far more" in refusal_of(content, NAME)


def test_bomb__declared_size_that_is_a_lie_is_as_much_as_is_unpacked():
    content = package_of(HEADINGS + ONE_ROW + " " * 100 * MEGABYTE)
    content = declaring(content, "xl/worksheets/sheet1.xml", 1000)

    tracemalloc.start()
    try:
        refusal = refusal_of(content, NAME)
        assert tracemalloc.get_traced_memory()[1] < 4 * MEGABYTE
    finally:
        tracemalloc.stop()
    assert "damaged" in refusal


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("types", "[Content_Types].xml"),
        ("workbook", "xl/workbook.xml"),
        ("styles", "xl/styles.xml"),
    ],
)
def test_bomb__declared_size_and_checksum_that_lie_of_a_part_read_whole(part, name):
    # zipfile alone unpacks it all at once, and then gives what was declared.
    head = b"<x/>".ljust(1000)
    content = package_of(**{part: head + b" " * 100 * MEGABYTE})
    content = declaring(content, name, len(head), checksum=zlib.crc32(head))

    tracemalloc.start()
    try:
        with contextlib.suppress(UnreadableSheet):
            rows_of(content, NAME)
        assert tracemalloc.get_traced_memory()[1] < 8 * MEGABYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("part", ["types", "workbook", "related", "styles", "strings"])
@pytest.mark.parametrize("packing", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_bomb__in_another_part(part, packing):
    rows = HEADINGS + '<row r="2"><c r="A2" t="s"><v>0</v></c><c><v>1</v></c></row>'
    content = package_of(rows, packing=packing, **{part: "<x>" + " " * 20 * MEGABYTE + "</x>"})

    assert "unpacks to far more" in refusal_of(content, NAME)


def test_bomb__declared_sizes_that_are_too_much_together():
    parts = {f"xl/media/{number}.png": "x" for number in range(20)}
    content = zip_of(parts)
    for name in parts:
        content = declaring(content, name, 20 * MEGABYTE)

    assert "unpacks to far more" in refusal_of(content, NAME)


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_bomb__packings_that_are_not_unpacked_piece_by_piece(packing):
    assert "damaged" in refusal_of(package_of(packing=packing), NAME)


def test_bomb__many_entries():
    content = zip_of({f"xl/{number}": "" for number in range(2_001)})

    assert "unpacks to far more" in refusal_of(content, NAME)


def test_bomb__list_of_entries_that_is_too_long_to_hold():
    content = zip_of({f"xl/{number:0200}": "" for number in range(5_000)})

    assert "unpacks to far more" in refusal_of(content, NAME)


def styles(code, namespace=MAIN):
    return (
        f'<styleSheet xmlns="{namespace}">'
        f'<numFmts><numFmt numFmtId="164" formatCode="{code}"/></numFmts>'
        '<cellXfs><xf numFmtId="164"/></cellXfs></styleSheet>'
    )


@pytest.mark.parametrize("code", ["yyyy" + "[" * 50_000, "0" * 301])
@pytest.mark.parametrize("namespace", [MAIN, ""])
def test_xml__format_that_takes_longer_the_longer_it_is(code, namespace):
    content = package_of(HEADINGS + ONE_ROW, styles=styles(code, namespace))

    assert "damaged" in refusal_of(content, NAME)


def test_xml__format_as_long_as_programs_write_it():
    rows = HEADINGS + '<row r="2"><c r="A2" s="0"><v>912345678</v></c></row>'

    [(number,)] = values_of(package_of(rows, styles=styles("0" * 300)), NAME)

    assert number == f"{912345678:0300}"


@pytest.mark.parametrize("name", ["Print_Titles", "Print_Area"])
def test_xml__what_would_be_printed_is_not_looked_at(name):
    # At ten times the length openpyxl takes longer than anybody waits.
    names = (
        f'<definedNames><definedName name="_xlnm.{name}" localSheetId="0">'
        f"{'$A$1:$A$1,' * 2000}</definedName></definedNames>"
    )
    workbook = WORKBOOK.replace("</sheets>", f"</sheets>{names}")

    assert values_of(package_of(workbook=workbook), NAME) == [("0912345678",)]


BILLION_LAUGHS = (
    '<!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">'
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)


@pytest.mark.parametrize(
    "doctype",
    [BILLION_LAUGHS, '<!DOCTYPE x [<!ENTITY i SYSTEM "file:///etc/passwd">]>', "<!DOCTYPE x>"],
    ids=["billion laughs", "external", "none"],
)
def test_xml__entities_are_never_looked_at(doctype):
    rows = HEADINGS + '<row><c t="inlineStr"><is><t>&i;</t></is></c></row>'

    assert "document type" in refusal_of(package_of(sheet=doctype + sheet_xml(rows)), NAME)


@pytest.mark.parametrize("part", ["types", "workbook", "related", "styles", "strings"])
def test_xml__document_type_in_another_part(part):
    rows = HEADINGS + '<row r="2"><c r="A2" t="s"><v>0</v></c><c><v>1</v></c></row>'

    assert "document type" in refusal_of(package_of(rows, **{part: "<!DOCTYPE x><x/>"}), NAME)


@pytest.mark.parametrize(
    "rows",
    [
        "<a>" * MEGABYTE,
        "<a/>" * MEGABYTE,
        '<row a="' + "x" * 3 * MEGABYTE + '"/>',
        "<row>" + "<c/>" * MEGABYTE + "</row>",
        "<row>" + "<c/><row/>" * MEGABYTE + "</row>",
        "<row/><c/>" * MEGABYTE,
        ("<row/>" + " " * 1_000) * 5_000,
        "<si>" + "x" * 3 * MEGABYTE + "</si>",
        "<!--" + "x" * 3 * MEGABYTE + "-->",
    ],
    ids=[
        "deep",
        "elements",
        "attribute",
        "cells",
        "rows in a row",
        "between",
        "space",
        "texts",
        "comment",
    ],
)
def test_xml__that_would_be_kept_in_memory(rows):
    content = package_of(HEADINGS + rows, packing=zipfile.ZIP_STORED)

    assert "unpacks to far more" in refusal_of(content, NAME)


@pytest.mark.parametrize(
    "xml",
    [
        "<worksheet>",
        "<worksheet>&nbsp;</worksheet>",
        "<worksheet>\x01</worksheet>",
        "",
        b"<worksheet>\xff</worksheet>",
        '<?xml version="1.0" encoding="x-no-such"?><worksheet><a></worksheet>',
    ],
    ids=["cut", "entity", "control", "empty", "bytes", "charset"],
)
def test_xml__that_no_spreadsheet_program_writes(xml):
    assert "damaged" in refusal_of(package_of(sheet=xml), NAME)


def test_sheet__last_row_and_dimension_that_lies_cost_nothing():
    rows = HEADINGS + '<row r="1048576"><c r="A1048576"><v>1</v></c></row>'
    sheet = sheet_xml(rows).replace("<sheetData>", '<dimension ref="A1:A1"/><sheetData>')

    assert [row.number for row in rows_of(package_of(sheet=sheet), NAME)] == [1048576]


@pytest.mark.parametrize("number", ["1", "0", "-5", "1048577", "99999999999", "x", "1e5"])
def test_sheet__row_that_cannot_have_its_number(number):
    content = package_of(HEADINGS + f'<row r="{number}"><c><v>1</v></c></row>')

    assert "damaged" in refusal_of(content, NAME)


def test_sheet__empty_rows_are_passed_over():
    rows = HEADINGS + ONE_ROW + "<row/>" * 50_000
    content = package_of(rows, packing=zipfile.ZIP_STORED)
    sheet = open_sheet(io.BytesIO(content), NAME)

    tracemalloc.start()
    try:
        assert len(list(sheet.rows())) == 1
        assert tracemalloc.get_traced_memory()[1] < 12 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_sheet__size_of_a_sound_one_is_not_what_is_kept(monkeypatch):
    monkeypatch.setattr("django_etelecom.sheets.package.MAX_KEPT", 1_000)
    rows = "".join(f'<row r="{number}" spans="1:1"/>\n' for number in range(2, 1_000))
    rows += '<row>\n <c t="s"><v>0</v></c>\n</row>\n' * 1_000
    strings = strings_xml(*["0912345678"] * 1_000)

    assert len(rows_of(package_of(HEADINGS + rows, strings=strings), NAME)) == 1_000


def test_sheet__more_rows_than_a_sheet_can_have(monkeypatch):
    monkeypatch.setattr("django_etelecom.sheets.package.LAST_ROW", 1_000)

    assert "damaged" in refusal_of(package_of(HEADINGS + "<row/>" * 1_000), NAME)


def test_sheet__cell_that_is_written_many_times_has_one_fault():
    cells = '<c r="A2"><f/></c>' * 10_000
    (row,) = rows_of(package_of(HEADINGS + f"<row>{cells}</row>"), NAME)

    assert len(row.faults) == 1


def test_sheet__one_part_under_many_names_is_not_looked_through_for_each():
    sheets = '<sheet name="x" sheetId="1" r:id="rId1"/>' * 1_000
    workbook = WORKBOOK.replace("</sheets>", f"{sheets}</sheets>")

    assert "damaged" in refusal_of(package_of("<row/>" * 1_000, workbook=workbook), NAME)


def test_sheet__cell_is_kept_no_longer_than_a_cell_may_be():
    rows = HEADINGS + f'<row><c t="inlineStr"><is><t>{"x" * MEGABYTE}</t></is></c></row>'
    (row,) = rows_of(package_of(rows, packing=zipfile.ZIP_STORED), NAME)

    assert len(row.values["to"]) == 10_001
    assert "more than 10000 characters" in row.faults[0]


def test_package__encrypted_part():
    content = bytearray(package_of())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := content.find(signature, at + 1)) >= 0:
            content[at + offset] |= 1

    assert "damaged" in refusal_of(bytes(content), NAME)


@pytest.mark.parametrize("part", ["types", "workbook", "related", "sheet", "strings"])
def test_package__part_that_is_not_there(part):
    rows = HEADINGS + '<row r="2"><c r="A2" t="s"><v>0</v></c><c><v>1</v></c></row>'

    refusal = refusal_of(package_of(rows, **{part: None}), NAME)

    assert any(told in refusal for told in ("damaged", "no visible sheet", "no XLSX workbook"))


def test_package__binary_workbook():
    assert "XLSB" in refusal_of(zip_of({"xl/workbook.bin": ""}), NAME)


def test_package__document_of_another_office_program():
    content = zip_of({"[Content_Types].xml": TYPES, "word/document.xml": "<x/>"})

    assert "no XLSX workbook" in refusal_of(content, NAME)


@pytest.mark.parametrize(
    "target",
    [
        'Target="file:///etc/passwd" TargetMode="External"',
        'Target="../../../../etc/passwd"',
        'Target="https://example.com/sheet1.xml"',
        "",
    ],
)
def test_package__sheet_elsewhere_is_not_gone_for(target):
    related = RELATED_TO_WORKBOOK.replace('Target="worksheets/sheet1.xml"', target)

    refusal = refusal_of(package_of(related=related), NAME)

    assert "damaged" in refusal or "no visible sheet" in refusal


@pytest.mark.parametrize(("limit", "value"), [("LAST_ROW", 10), ("MAX_TEXTS", 100)])
def test_package__too_many_shared_texts(monkeypatch, limit, value):
    monkeypatch.setattr(f"django_etelecom.sheets.package.{limit}", value)
    rows = HEADINGS + '<row r="2"><c r="A2" t="s"><v>0</v></c></row>'
    strings = f'<sst xmlns="{MAIN}">' + "<si><t/></si>" * 11 + "</sst>"

    assert "unpacks to far more" in refusal_of(package_of(rows, strings=strings), NAME)


def test_package__sheet_without_a_reference():
    workbook = WORKBOOK.replace('r:id="rId1"', "")

    assert "no visible sheet" in refusal_of(package_of(workbook=workbook), NAME)
