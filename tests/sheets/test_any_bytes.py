"""Whatever is uploaded: rows, or a sentence. Never another error."""

import io
import zipfile
from datetime import date, time

from hypothesis import given
from hypothesis import strategies as st

from django_etelecom.sheets import UnreadableSheet, match_columns, open_sheet

from .files import HEADINGS, package_of, sheet_xml, strings_xml, workbook_of, zip_of

STORED = package_of(
    HEADINGS
    + '<row r="2"><c r="A2" s="1" t="s"><v>0</v></c><c r="B2" s="0"><f>1</f><v>4.5</v></c></row>',
    strings=strings_xml("0912345678"),
    styles='<styleSheet><cellXfs><xf numFmtId="14"/><xf numFmtId="0"/></cellXfs></styleSheet>',
    packing=zipfile.ZIP_STORED,
)
PACKED = package_of()
WRITTEN = workbook_of(
    ["to", "name", "day", "sum"],
    ["0912345678", "An", date(2026, 11, 25), "=1+1"],
    [912345679, None, time(8, 5), True],
    formats={"A3": "0000000000"},
)
with zipfile.ZipFile(io.BytesIO(WRITTEN)) as package:
    PARTS = {name: package.read(name) for name in package.namelist()}


def read(content):
    try:
        sheet = open_sheet(io.BytesIO(content), "upload")
        column = match_columns(sheet.columns, ["to"]).get("to")
        for row in sheet.rows(number_column=column):
            assert set(row.values) == set(sheet.columns)
            "".join(row.values.values()).encode()
    except UnreadableSheet:
        return


@given(
    st.binary(max_size=400)
    | st.text("\"',;\t\r\n\0ato0129=\ufeffạ", max_size=60).map(str.encode)
    | st.text("\"',;\t\r\nto", max_size=60).map(lambda text: text.encode("utf-16"))
)
def test_any_bytes__are_rows_or_a_sentence(content):
    read(content)


@given(
    st.sampled_from([STORED, PACKED]),
    st.lists(
        st.tuples(st.integers(0, len(STORED) - 1), st.integers(0, 255)), min_size=1, max_size=8
    ),
)
def test_any_damage__to_a_workbook_is_rows_or_a_sentence(content, changes):
    damaged = bytearray(content)
    for at, byte in changes:
        damaged[at % len(damaged)] = byte

    read(bytes(damaged))


def test_workbooks_that_are_damaged_here_are_sound():
    for content in (STORED, PACKED, WRITTEN):
        assert list(open_sheet(io.BytesIO(content), "upload").rows())


@given(
    st.sampled_from(sorted(PARTS)),
    st.lists(
        st.tuples(
            st.integers(0, 10_000),
            st.integers(0, 12),
            st.binary(max_size=3)
            | st.sampled_from([b"<row/>", b"<c/>", b"<v>", b"</v>", b' r="A9"', b"-1", b"<f/>"]),
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_any_damage__inside_a_part_is_rows_or_a_sentence(part, changes):
    damaged = bytearray(PARTS[part])
    for at, length, put in changes:
        at %= len(damaged) + 1
        damaged[at : at + length] = put

    read(zip_of({**PARTS, part: bytes(damaged)}, packing=zipfile.ZIP_STORED))


@given(st.sampled_from([STORED, PACKED]), st.integers(0, len(STORED)))
def test_any_cut__of_a_workbook_is_rows_or_a_sentence(content, length):
    read(content[:length])


CELLS = st.builds(
    '<c r="{}" t="{}" s="{}">{}<v>{}</v></c>'.format,
    st.sampled_from(["A1", "B2", "", "ZZ9", "9", "xx"]),
    st.sampled_from(["", "n", "s", "b", "e", "d", "str", "inlineStr", "zz"]),
    st.sampled_from(["", "0", "1", "-1", "x"]),
    st.sampled_from(["", "<f>1</f>", "<f/>", "<is><t>x</t></is>"]),
    st.sampled_from(["", "0", "1", "-1", "1e999", "nan", "4.5", "9" * 400, "2026-01-01", "1_0"]),
)


@given(st.lists(st.lists(CELLS, max_size=4), max_size=5))
def test_any_cells__are_rows_or_a_sentence(rows):
    xml = sheet_xml("".join(f"<row>{''.join(row)}</row>" for row in [[], *rows]))
    read(
        package_of(
            sheet=xml.replace("<sheetData>", "<sheetData>" + HEADINGS),
            strings=strings_xml("0912345678"),
            styles='<styleSheet><cellXfs><xf numFmtId="14"/><xf/></cellXfs></styleSheet>',
        )
    )
