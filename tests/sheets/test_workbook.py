"""XLSX: which sheet is read, and what each kind of cell becomes."""

import io
from datetime import date, datetime, time, timedelta

import openpyxl
import pytest

from django_etelecom.sheets import open_sheet, package

from .files import (
    HEADINGS,
    MAIN,
    ONE_ROW,
    TYPES,
    WORKBOOK,
    package_of,
    refusal_of,
    rows_of,
    saved,
    sheet_xml,
    strings_xml,
    values_of,
    workbook_of,
)

NAME = "recipients.xlsx"
THIRD_ROW = ONE_ROW.replace("2", "3", 1).replace("A2", "A3")


def only_value(content):
    ((value,),) = values_of(content, NAME)
    return value


def cell(inner, attributes=""):
    """Return the sheet of one column with this cell below its heading."""
    return HEADINGS + f'<row r="2"><c r="A2" {attributes}>{inner}</c></row>'


def test_xlsx__header_and_rows():
    sheet = open_sheet(
        io.BytesIO(workbook_of(["to", " Tên "], ["0912345678", "Nguyễn"], [], ["1", None])), NAME
    )

    assert sheet.title == "Sheet"
    assert sheet.columns == ("to", "Tên")
    assert [(row.number, row.values, row.faults) for row in sheet.rows()] == [
        (2, {"to": "0912345678", "Tên": "Nguyễn"}, ()),
        (4, {"to": "1", "Tên": ""}, ()),
    ]
    assert len(list(sheet.rows())) == 2


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("0912345678", "0912345678"),
        (" An\n", " An\n"),
        ("&lt;b&gt; < > &", "&lt;b&gt; < > &"),
        (912345678, "912345678"),
        (150000.0, "150000"),
        (1234.5, "1234.5"),
        (0.1 + 0.2, "0.3"),
        (1e-7, "0.0000001"),
        (1.5e15, "1500000000000000"),
        (-3, "-3"),
        (84912345678, "84912345678"),
        (True, "TRUE"),
        (False, "FALSE"),
        (date(2026, 11, 25), "25/11/2026"),
        (datetime.fromisoformat("2026-11-25T08:05"), "08:05 25/11/2026"),
        (datetime.fromisoformat("2026-11-25"), "00:00 25/11/2026"),
        (time(8, 5), "08:05:00"),
        (timedelta(hours=26, minutes=30), "26:30:00"),
        (date(1900, 1, 1), "01/01/1900"),
        (date(9999, 12, 31), "31/12/9999"),
    ],
    ids=repr,
)
def test_xlsx__cells_as_they_are_shown(value, shown):
    assert only_value(workbook_of(["to"], [value])) == shown


@pytest.mark.parametrize(
    ("number_format", "shown"),
    [
        ("hh:mm", "08:05"),
        ("hh:mm:ss", "08:05:30"),
        ("h:mm AM/PM", "08:05"),
        ("dd/mm/yyyy", "25/11/2026"),
        ('"ngày" dd "tháng" mm', "25/11/2026"),
        ("mmm-yy", "25/11/2026"),
        ("MMMM", "25/11/2026"),
        ("mm:ss", "08:05:30"),
        ("dd/mm/yyyy;@", "25/11/2026"),
        ("[$-42A]dd mmmm yyyy", "25/11/2026"),
        ("[Red]dd/mm/yyyy hh:mm", "08:05 25/11/2026"),
        ("m/d/yy h:mm", "08:05 25/11/2026"),
        ("0.00", "46351.3371527778"),
        ('#,##0\\ "đ";[Red]-#,##0', "46351.3371527778"),
        ("General", "46351.3371527778"),
    ],
)
def test_xlsx__number_is_a_date_where_its_format_is(number_format, shown):
    content = workbook_of(
        ["to"], [datetime.fromisoformat("2026-11-25T08:05:30")], formats={"A2": number_format}
    )

    assert only_value(content) == shown


@pytest.mark.parametrize(
    ("number_format", "shown"),
    [("[h]:mm", "26:30"), ("[mm]:ss", "26:30:15"), ("[Red][hh]:mm:ss", "26:30:15")],
)
def test_xlsx__duration_as_its_format_shows_it(number_format, shown):
    duration = timedelta(hours=26, minutes=30, seconds=15)
    content = workbook_of(["to"], [duration], formats={"A2": number_format})

    assert only_value(content) == shown


@pytest.mark.parametrize(("number_format", "shown"), [("hh:mm", "08:05"), ("h:mm:ss", "08:05:30")])
def test_xlsx__time_as_its_format_shows_it(number_format, shown):
    content = workbook_of(["to"], [time(8, 5, 30)], formats={"A2": number_format})

    assert only_value(content) == shown


def test_xlsx__dates_that_count_from_1904():
    workbook = openpyxl.Workbook()
    workbook.epoch = openpyxl.utils.datetime.MAC_EPOCH
    for row in (["to"], [date(2026, 11, 25)], [date(1904, 1, 2)]):
        workbook.active.append(row)

    assert values_of(saved(workbook), NAME) == [("25/11/2026",), ("02/01/1904",)]


DATES = f'<styleSheet xmlns="{MAIN}"><cellXfs><xf numFmtId="14"/></cellXfs></styleSheet>'


@pytest.mark.parametrize(
    ("serial", "told"),
    [
        ("-1", "does not exist"),
        ("0.5", "does not exist"),
        ("2958466", "shows an error"),
        ("1e300", "shows an error"),
    ],
)
def test_xlsx__date_that_does_not_exist_is_a_fault(serial, told):
    content = package_of(cell(f"<v>{serial}</v>", 's="0"') + THIRD_ROW, styles=DATES)
    faulty, good = rows_of(content, NAME)

    assert told in faulty.faults[0]
    assert not good.faults


def test_xlsx__date_past_the_calendar_from_1904_is_a_fault():
    workbook = WORKBOOK.replace("<sheets>", '<workbookPr date1904="1"/><sheets>')
    rows = cell("<v>2958465</v>", 's="0"')
    (row,) = rows_of(package_of(rows, styles=DATES, workbook=workbook), NAME)

    assert "shows an error" in row.faults[0]


@pytest.mark.parametrize("value", ["1e999", "-1e999", "9" * 400])
def test_xlsx__number_that_does_not_exist_is_a_fault(value):
    (row,) = rows_of(package_of(cell(f"<v>{value}</v>")), NAME)

    assert "does not exist" in row.faults[0]


@pytest.mark.parametrize("value", ["nan", "2026-11-25", "An"])
def test_xlsx__number_that_is_none(value):
    assert "damaged" in refusal_of(package_of(cell(f"<v>{value}</v>")), NAME)


@pytest.mark.parametrize(
    ("inner", "attributes", "shown"),
    [
        ("<v>2026-11-25</v>", 't="d"', "25/11/2026"),
        ("<v>2026-11-25T08:05:00Z</v>", 't="d"', "08:05 25/11/2026"),
        ("<v>08:05:00</v>", 't="d"', "08:05"),
        ("<v>08:05:30</v>", 't="d"', "08:05:30"),
        ("<f>A1</f><v>9.12345678E8</v>", "", "912345678"),
        ("<f>A1</f><v>An</v>", 't="str"', "An"),
        ("<v>-0.0</v>", "", "0"),
        ("<v>00912</v>", "", "912"),
        ("<v> 5 </v>", 't="n"', "5"),
        ("<is><r><t>An</t></r><r><t> Bình</t></r></is>", 't="inlineStr"', "An Bình"),
        ('<is><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></is>', 't="inlineStr"', "東京"),
        ("<is><t>a_x000D_b_x0000__xD800_</t></is>", 't="inlineStr"', "a\rb_x0000__xD800_"),
    ],
)
def test_xlsx__cells_of_other_programs(inner, attributes, shown):
    assert only_value(package_of(cell(inner, attributes))) == shown


def test_xlsx__texts_that_cells_share():
    strings = strings_xml("to", "Nguyễn", "<!--c-->").replace(
        "</sst>", '<si><r><t>A</t></r><r><t>n</t></r><rPh sb="0" eb="2"><t>x</t></rPh></si></sst>'
    )
    rows = "".join(
        f'<row r="{number}"><c r="A{number}" t="s"><v>{index}</v></c></row>'
        for number, index in [(1, 0), (2, 1), (3, 3), (4, 1)]
    )

    assert values_of(package_of(rows, strings=strings), NAME) == [("Nguyễn",), ("An",), ("Nguyễn",)]


def test_xlsx__many_shared_texts():
    texts = [f"{number:0100}" for number in range(20_000)]
    rows = HEADINGS + "".join(f'<row><c t="s"><v>{index}</v></c></row>' for index in range(20_000))

    found = values_of(package_of(rows, strings=strings_xml(*texts)), NAME)

    assert found == [(text,) for text in texts]


@pytest.mark.parametrize("index", ["1", "x", "99999999999"])
def test_xlsx__shared_text_that_is_not_there(index):
    content = package_of(cell(f"<v>{index}</v>", 't="s"'), strings=strings_xml("a"))

    assert "damaged" in refusal_of(content, NAME)


def test_xlsx__formula_without_a_result_is_a_fault_of_its_row():
    faulty, good = rows_of(workbook_of(["to", "x"], ["1", "=1+1"], ["2", "two"]), NAME)

    assert "“x” holds a formula without a result" in faulty.faults[0]
    assert faulty.values == {"to": "1", "x": ""}
    assert not good.faults


def test_xlsx__formulas_without_a_result_in_every_row():
    rows = rows_of(package_of(HEADINGS + "<row><c><f/></c></row>" * 11_000), NAME)

    assert len(rows) == 11_000
    assert all("formula without a result" in row.faults[0] for row in rows)


def test_xlsx__formula_whose_result_is_empty_text_is_an_empty_cell():
    content = package_of(cell("<f>IF(1,&quot;&quot;)</f><v></v>", 't="str"') + THIRD_ROW)

    assert values_of(content, NAME) == [("0912345678",)]


def test_xlsx__error_of_the_spreadsheet_is_a_fault():
    (row,) = rows_of(package_of(cell("<v>#N/A</v>", 't="e"')), NAME)

    assert "“to” shows an error" in row.faults[0]
    assert row.values == {"to": "#N/A"}


def test_xlsx__cells_beyond_the_headings():
    beyond, empty = rows_of(
        package_of(
            HEADINGS
            + '<row><c r="A2"><v>1</v></c><c r="C2"><v>3</v></c></row>'
            + '<row><c r="A3"><v>1</v></c><c r="B3"><f>A1</f></c></row>'
        ),
        NAME,
    )

    assert "beyond the last" in beyond.faults[0]
    assert empty.faults == ()


def test_xlsx__cells_without_a_reference_follow_one_another():
    rows = (
        "<row><c><v>1</v></c><c><v>2</v></c></row>"
        "<row><c><v>3</v></c><c><f>A1</f></c></row>"
        '<row r="5"><c r="A5"><v>4</v></c><c><f>A1</f><v></v></c></row>'
    )

    sheet = open_sheet(io.BytesIO(package_of(rows)), NAME)

    assert sheet.columns == ("1", "2")
    first, second = sheet.rows()
    assert (first.number, first.values) == (2, {"1": "3", "2": ""})
    assert (second.number, second.values) == (5, {"1": "4", "2": ""})
    assert "“2” holds a formula" in first.faults[0]
    assert "“2” holds a formula" in second.faults[0]


@pytest.mark.parametrize("reference", ["ABCD2", "$A2", "2", "A", "?"])
def test_xlsx__reference_to_no_cell(reference):
    rows = HEADINGS + f'<row r="2"><c r="{reference}"><v>1</v></c></row>'

    assert "damaged" in refusal_of(package_of(rows), NAME)


def test_xlsx__names_with_a_prefix():
    prefixed = (
        sheet_xml(HEADINGS + ONE_ROW)
        .replace("</", "</x:")
        .replace("<", "<x:")
        .replace("<x:/x:", "</x:")
        .replace("xmlns", "xmlns:x")
    )

    assert only_value(package_of(sheet=prefixed)) == "0912345678"


def test_xlsx__first_visible_sheet_with_something_in_it():
    workbook = openpyxl.Workbook()
    workbook.active.title = "Empty"
    hidden = workbook.create_sheet("Hidden")
    hidden.append(["lists"])
    hidden.sheet_state = "hidden"
    workbook.create_chartsheet("Chart")
    for title in ("Khách", "Khác"):
        sheet = workbook.create_sheet(title)
        sheet.append(["to"])
        sheet.append([title])
    workbook.active = 4

    sheet = open_sheet(io.BytesIO(saved(workbook)), NAME)

    assert sheet.title == "Khách"
    assert [row.values for row in sheet.rows()] == [{"to": "Khách"}]


def test_xlsx__hidden_rows_are_faulty():
    workbook = openpyxl.Workbook()
    for value in ("to", "a", "b", None, "c", "d"):
        workbook.active.append([value])
    for row in (3, 4, 6):
        workbook.active.row_dimensions[row].hidden = True

    rows = rows_of(saved(workbook), NAME)

    assert [(row.number, row.values["to"]) for row in rows] == [
        (2, "a"),
        (3, "b"),
        (5, "c"),
        (6, "d"),
    ]
    assert [row.number for row in rows if row.faults] == [3, 6]
    assert rows[1].faults == (
        "The row is hidden in the workbook, as by a filter. Show it, or delete it if it is not "
        "meant.",
    )


def test_xlsx__hidden_rows_are_faulty_behind_many_that_are_empty():
    workbook = openpyxl.Workbook()
    workbook.active.append(["to"])
    last = package.MAX_WAITING + 100
    for row in range(2, last + 1):
        workbook.active.row_dimensions[row].hidden = True
    for row in range(last - 2, last + 1):
        workbook.active.cell(row, 1, "a")

    assert [bool(row.faults) for row in rows_of(saved(workbook), NAME)] == [True] * 3


def test_xlsx__no_sheet_with_anything_in_it():
    assert "no visible sheet" in refusal_of(workbook_of(), NAME)


def test_xlsx__workbook_without_texts_and_styles():
    types = TYPES.replace("sharedStrings+xml", "theme+xml")
    rows = HEADINGS + "<row><c><v>46351</v></c></row>"

    assert only_value(package_of(rows, types=types, styles=None, strings=None)) == "46351"


def test_xlsx__shared_text_of_a_workbook_without_any():
    types = TYPES.replace("sharedStrings+xml", "theme+xml")
    content = package_of(cell("<v>0</v>", 't="s"'), types=types)

    assert "damaged" in refusal_of(content, NAME)


def test_xlsx__digits_that_a_number_is_shown_with():
    content = workbook_of(
        ["to", "code"], [912345678, 12.5], formats={"A2": "0000000000", "B2": "00"}
    )

    assert values_of(content, NAME) == [("0912345678", "12.5")]


def test_xlsx__what_openpyxl_would_lose_is_no_warning():
    extension = '<extLst><ext uri="{CCE6A557-97BC-4B89-ADB6-D9C93CAAB3DF}"/></extLst></worksheet>'
    sheet = sheet_xml(HEADINGS + ONE_ROW).replace("</worksheet>", extension)

    assert only_value(package_of(sheet=sheet)) == "0912345678"


def test_xlsx__numbers_that_a_spreadsheet_took_for_amounts():
    (row,) = rows_of(workbook_of(["to"], [912345678]), NAME, number_column="to")

    assert row.values == {"to": "0912345678"}
    assert row.notices
