"""Files as browsers upload them: CSV, workbooks of openpyxl, and workbooks made by hand."""

import io
import struct
import zipfile

import openpyxl
import pytest

from django_etelecom.sheets import UnreadableSheet, open_sheet

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"

WORKBOOK = (
    f'<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets>'
    '<sheet name="Khách" sheetId="1" r:id="rId1"/></sheets></workbook>'
)
FORMAT = "application/vnd.openxmlformats-officedocument.spreadsheetml"
TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{FORMAT}.sheet.main+xml"/>'
    f'<Override PartName="/xl/sharedStrings.xml" ContentType="{FORMAT}.sharedStrings+xml"/>'
    "</Types>"
)
RELATED_TO_PACKAGE = (
    f'<Relationships xmlns="{RELATIONS}">'
    f'<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    "</Relationships>"
)
RELATED_TO_WORKBOOK = (
    f'<Relationships xmlns="{RELATIONS}">'
    f'<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{OFFICE}/sharedStrings" Target="/xl/sharedStrings.xml"/>'
    f'<Relationship Id="rId3" Type="{OFFICE}/styles" Target="styles.xml"/>'
    "</Relationships>"
)
HEADINGS = '<row r="1"><c r="A1" t="inlineStr"><is><t>to</t></is></c></row>'
ONE_ROW = '<row r="2"><c r="A2" t="inlineStr"><is><t>0912345678</t></is></c></row>'


def rows_of(content, name="recipients.csv", **options):
    sheet = open_sheet(io.BytesIO(content), name)
    return list(sheet.rows(**options))


def values_of(content, name="recipients.csv"):
    return [tuple(row.values.values()) for row in rows_of(content, name)]


def refusal_of(content, name="recipients.csv", **options):
    """Return the sentence with which the file is refused, at its opening or while it is read."""
    with pytest.raises(UnreadableSheet) as caught:
        for _row in open_sheet(io.BytesIO(content), name, **options).rows():
            pass
    return str(caught.value)


def workbook_of(*rows, formats=None):
    """Return an XLSX file as openpyxl writes it; `formats` maps cells such as B2 to theirs."""
    workbook = openpyxl.Workbook()
    for row in rows:
        workbook.active.append(row)
    for cell, number_format in (formats or {}).items():
        workbook.active[cell].number_format = number_format
    return saved(workbook)


def saved(workbook):
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


def sheet_xml(rows):
    return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'


def strings_xml(*texts):
    items = "".join(f"<si><t>{text}</t></si>" for text in texts)
    return f'<sst xmlns="{MAIN}">{items}</sst>'


def package_of(rows=HEADINGS + ONE_ROW, *, packing=zipfile.ZIP_DEFLATED, **parts):
    """Return an XLSX file made by hand; a part given as None is left out.

    Parts are `types`, `relations`, `workbook`, `related`, `sheet`, `strings`, `styles`.
    """
    names = {
        "types": "[Content_Types].xml",
        "relations": "_rels/.rels",
        "workbook": "xl/workbook.xml",
        "related": "xl/_rels/workbook.xml.rels",
        "sheet": "xl/worksheets/sheet1.xml",
        "strings": "xl/sharedStrings.xml",
        "styles": "xl/styles.xml",
    }
    contents = {
        "types": TYPES,
        "relations": RELATED_TO_PACKAGE,
        "workbook": WORKBOOK,
        "related": RELATED_TO_WORKBOOK,
        "sheet": sheet_xml(rows),
        "strings": strings_xml("0912345678"),
        "styles": f'<styleSheet xmlns="{MAIN}"/>',
    } | parts
    return zip_of(
        {names[part]: content for part, content in contents.items() if content is not None},
        packing=packing,
    )


def zip_of(contents, *, packing=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", packing) as package:
        for name, content in contents.items():
            package.writestr(name, content)
    return file.getvalue()


def declaring(content, name, size, *, checksum=None):
    """Return the zip with another unpacked size of one entry in its directory."""
    changed = bytearray(content)
    at = content.rindex(b"PK\x01\x02", 0, content.rindex(name.encode()))
    struct.pack_into("<L", changed, at + 24, size)
    if checksum is not None:
        struct.pack_into("<L", changed, at + 16, checksum)
    return bytes(changed)


class Counting(io.RawIOBase):
    """A file of one letter, as long as it is asked to be, that knows how much was read of it."""

    def __init__(self, size):
        self.size, self.position, self.bytes_read = size, 0, 0

    def seek(self, offset, whence=0):
        self.position = offset if whence == 0 else self.size + offset
        return self.position

    def read(self, size=-1):
        taken = min(size if size >= 0 else self.size, self.size - self.position)
        self.position += taken
        self.bytes_read += taken
        return b"a" * taken
