"""What it costs to read an uploaded sheet: time a row, and memory for few rows and for many.

CSV against the csv module alone, XLSX against openpyxl alone in its read-only mode: what the checks
cost that make an upload safe to read. Each run is a process of its own, so that the peak of its
memory is its own; rounds are interleaved; times are of the CPU.

    python -m benchmarks.sheet_reading
"""

import csv
import tempfile
import time
from pathlib import Path

from benchmarks import measured
from benchmarks.measured import Figure

COLUMNS = ["to", "name", "order_code", "amount", "delivery_date", "note"]
FEW = 1_000


def row(number):
    return [
        f"09{number:08d}",
        f"Nguyễn Văn {number}",
        f"DH-{number}",
        number * 1000,
        "25/11/2026",
        "Giao hàng, buổi sáng",
    ]


def write_csv_file(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(map(row, range(rows)))


def write_workbook(path, rows):
    """Write a workbook as Excel does, with the texts shared."""
    import xlsxwriter

    with xlsxwriter.Workbook(path) as workbook:
        sheet = workbook.add_worksheet()
        sheet.write_row(0, 0, COLUMNS)
        for number in range(rows):
            sheet.write_row(number + 1, 0, row(number))


def read_by_sheets(path):
    from django.conf import settings

    from django_etelecom.sheets import open_sheet

    settings.configure(USE_I18N=False)
    with path.open("rb") as file:
        return sum(1 for _row in open_sheet(file, path.name).rows(number_column="to"))


def read_by_csv_module(path):
    with path.open(newline="", encoding="utf-8-sig") as file:
        return sum(1 for _row in csv.reader(file)) - 1


def read_by_openpyxl(path):
    import openpyxl

    workbook = openpyxl.load_workbook(path, read_only=True, data_only=True)
    return sum(1 for _row in workbook.worksheets[0].iter_rows(values_only=True)) - 1


def measure(read, path, rows):
    """Return the microseconds of a row, and the peak of memory in MiB."""
    began = time.process_time()
    if read(path) != rows:
        raise SystemExit(f"{read.__name__} lost rows.")
    return (time.process_time() - began) / rows * 1e6, measured.peak_memory()


READERS = {
    "csv module": (read_by_csv_module, "csv"),
    "CSV": (read_by_sheets, "csv"),
    "openpyxl": (read_by_openpyxl, "xlsx"),
    "XLSX": (read_by_sheets, "xlsx"),
}
"""What reads, and what it reads."""
COMPARED = [("CSV", "csv module"), ("XLSX", "openpyxl")]


def main():
    parser = measured.parser(__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    counts = (FEW, options.rows)
    with tempfile.TemporaryDirectory() as folder:
        for rows in counts:
            write_csv_file(Path(folder, f"{rows}.csv"), rows)
            write_workbook(Path(folder, f"{rows}.xlsx"), rows)

        def read(reader, kind):
            return [
                measured.apart(measure, reader, Path(folder, f"{rows}.{kind}"), rows)
                for rows in counts
            ]

        results = measured.interleaved(
            {name: lambda _turn, what=what: read(*what) for name, what in READERS.items()},
            options.rounds,
        )
    figures, times = [], {}
    for name, rounds in results.items():
        few = [peak for (_time, peak), _many in rounds]
        many = [peak for _few, (_time, peak) in rounds]
        times[name] = [time for _few, (time, _peak) in rounds]
        figures += [
            Figure.of(name, "a row", times[name], unit="µs"),
            Figure.of(name, f"memory for {FEW:,} rows", few, unit="MiB"),
            Figure.of(name, f"memory for {options.rows:,} rows", many, unit="MiB"),
            Figure.of(name, "memory, times", measured.ratios(many, few), unit="x"),
        ]
    figures += [
        Figure.of(ours, f"times {theirs}", measured.ratios(times[ours], times[theirs]), unit="x")
        for ours, theirs in COMPARED
    ]
    measured.tell(
        options,
        figures,
        size=f"{options.rounds} rounds of {options.rows:,} rows of {len(COLUMNS)} columns",
        packages=["openpyxl", "xlsxwriter"],
    )


if __name__ == "__main__":
    main()
