"""What it costs to read an uploaded sheet: time a row, and memory for few rows and for many.

CSV against the csv module alone, XLSX against openpyxl alone in its read-only mode: what the checks
cost that make the same readers safe to give an upload to. Each run is a process of its own, so that
the peak of its memory is its own; rounds are interleaved; times are of the CPU.

    python benchmarks/sheet_reading.py --rows 200000 --rounds 3
"""

import argparse
import csv
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

COLUMNS = ["to", "name", "order_code", "amount", "delivery_date", "note"]
FEW = 1_000

context = multiprocessing.get_context("spawn")


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


def measure(read, path, rows, answer):
    began = time.process_time()
    if read(path) != rows:
        raise SystemExit(f"{read.__name__} lost rows.")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answer.put(((time.process_time() - began) / rows * 1e6, peak))


def written_apart(write, path, rows):
    # A process begins with the peak of the one that starts it.
    process = context.Process(target=write, args=(path, rows))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(f"{write.__name__} failed.")


def in_its_own_process(read, path, rows):
    answer = context.Queue()
    process = context.Process(target=measure, args=(read, path, rows, answer))
    process.start()
    measured = answer.get()
    process.join()
    return measured


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    readers = [
        (read_by_csv_module, "csv"),
        (read_by_sheets, "csv"),
        (read_by_openpyxl, "xlsx"),
        (read_by_sheets, "xlsx"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for rows in (FEW, options.rows):
            write_csv_file(Path(folder, f"{rows}.csv"), rows)
            written_apart(write_workbook, Path(folder, f"{rows}.xlsx"), rows)
        times = {reader: [] for reader in readers}
        peaks = {reader: [] for reader in readers}
        for _round in range(options.rounds):
            for read, kind in readers:
                _time, few = in_its_own_process(read, Path(folder, f"{FEW}.{kind}"), FEW)
                a_row, many = in_its_own_process(
                    read, Path(folder, f"{options.rows}.{kind}"), options.rows
                )
                times[read, kind].append(a_row)
                peaks[read, kind].append((few, many))
    print(f"{options.rows} rows of {len(COLUMNS)} columns, {options.rounds} rounds")
    for read, kind in readers:
        few, many = max(peaks[read, kind], key=lambda pair: pair[1] / pair[0])
        taken = times[read, kind]
        print(
            f"{kind:5} {read.__name__:20} {statistics.median(taken):6.1f} us a row "
            f"({min(taken):.1f}-{max(taken):.1f}); "
            f"peak {few:.0f} MiB of {FEW} rows, {many:.0f} of all ({many / few:.2f} x)"
        )


if __name__ == "__main__":
    main()
