"""CSV that is given away: it reads back the same, and runs nothing in a spreadsheet."""

import csv
import io

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from django_etelecom.sheets import open_sheet, write_csv

DANGEROUS = "=+-@\t\r＝＋－＠"


def written(rows, columns):
    return "".join(write_csv(rows, columns))


def read_back(text):
    sheet = open_sheet(io.BytesIO(text.encode()), "rows.csv")
    return sheet.columns, [row.values for row in sheet.rows()]


def test_write__opens_as_utf_8_in_excel():
    text = written([{"to": "0912345678", "tên": "Nguyễn"}], ["to", "tên"])

    assert text == '\ufeff"to","tên"\r\n0912345678,Nguyễn\r\n'


def test_write__row_without_a_column_has_an_empty_cell():
    assert read_back(written([{"to": "1"}], ["to", "note"])) == (
        ("to", "note"),
        [{"to": "1", "note": ""}],
    )


def test_write__gives_many_rows_in_pieces():
    pieces = list(write_csv(({"to": str(number)} for number in range(10_000)), ["to"]))

    assert len(pieces) > 2
    assert max(map(len, pieces)) < 20_000
    assert len(read_back("".join(pieces))[1]) == 10_000


@pytest.mark.parametrize("before", ["", " ", "\u00a0", "\u200b", '"', "' \"", "\n"])
@pytest.mark.parametrize("character", DANGEROUS)
def test_write__no_cell_and_no_heading_runs_as_a_formula(character, before):
    cell = f"{before}{character}cmd|' /C calc'!A0"
    text = written([{"note": cell, "=1+1": "-1"}], ["note", "=1+1"])

    _note, *others = (cell for line in csv.reader(io.StringIO(text, newline="")) for cell in line)
    assert all(other.startswith("'") for other in others)
    assert read_back(text) == (("note", "=1+1"), [{"note": cell, "=1+1": "-1"}])


@pytest.mark.parametrize("before", ["a;", "a\t", 'a;"\n', "a;b; "])
def test_write__nothing_runs_where_the_list_separator_is_the_semicolon(before):
    cell = f"{before}=1+1"
    text = written([{"note": cell}], ["note"])

    cells = [cell for line in csv.reader(text.splitlines(), delimiter=";") for cell in line]
    assert not any(cell.strip().startswith("=") for cell in cells)
    assert read_back(text)[1] == [{"note": cell}]


def test_write__paragraphs_stay_as_they_are():
    cell = "Giao hàng; gọi trước\r\n\r\nBuổi sáng"

    assert cell in written([{"note": cell}], ["note"])


ANY_TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30
) | st.text("'\" \t\r\n=;1", max_size=12)


@given(
    columns=st.lists(ANY_TEXT.map(str.strip).filter(bool), min_size=1, max_size=5, unique=True),
    cells=st.lists(st.lists(ANY_TEXT, min_size=5, max_size=5), min_size=1, max_size=5),
)
def test_write__reads_back_the_same(columns, cells):
    rows = [dict(zip(columns, row, strict=False)) for row in cells]
    hypothesis.assume(any(map(is_filled, rows)))

    columns_back, rows_back = read_back(written(rows, columns))

    assert columns_back == tuple(columns)
    assert list(filter(is_filled, rows_back)) == list(filter(is_filled, rows))


def is_filled(row):
    return "".join(row.values()).strip()
