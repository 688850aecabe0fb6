"""One command runs every benchmark, and leaves no figure out of its page; none is asserted here."""

import re
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import measured, page
from benchmarks.measured import Figure, Measurement
from benchmarks.page import Result

BENCHMARKS = Path(page.__file__).parent

RATIO = Figure.of("send_message", "times by hand", [1.2, 1.25, 1.4], unit="x", at_most=1.5)
MISSED = Figure.of("worker", "times loop", [4.5, 4.7, 5.2], unit="x", at_least=5)
COUNT = Figure.of("order notice", "statements", [7])


def measurement(*figures, **changes):
    return Measurement(
        **{
            "size": "3 rounds of 10 messages",
            "figures": list(figures),
            "database": "PostgreSQL 15.2",
            "versions": {"Python": "3.13.0", "requests": "2.34.2"},
            **changes,
        }
    )


def result(*figures, benchmark="send_cost"):
    return Result(benchmark=benchmark, measurement=measurement(*figures))


def written(*results, quick=False):
    return page.written(
        results,
        command="tox run -e benchmark",
        day="2026-11-26",
        minutes=31.4,
        machine="Some processor, 2 cores",
        quick=quick,
    )


# --- The command ----------------------------------------------------------------------------------


def test_command__runs_every_benchmark():
    scripts = {
        path.stem
        for path in BENCHMARKS.glob("*.py")
        if 'if __name__ == "__main__":' in path.read_text()
    }

    assert {run.benchmark for run in command.RUNS} == scripts - {"__main__"}


def test_command__is_the_one_of_tox():
    tox = (BENCHMARKS.parent / "tox.ini").read_text()

    assert re.search(r"\[testenv:benchmark\][^\[]*commands = python -m benchmarks \{posargs\}", tox)


@pytest.mark.parametrize("run", command.RUNS, ids=lambda run: run.benchmark)
def test_command__gives_no_option_that_the_script_does_not_take(run):
    script = (BENCHMARKS / f"{run.benchmark}.py").read_text()

    for option in re.findall(r"--[\w-]+", f"{run.arguments} {run.quick}"):
        assert f'"{option}"' in script


def test_command__postgresql_away_runs_nothing(monkeypatch, capsys):
    monkeypatch.setattr(command, "fault_of_postgresql", lambda url: "Connection refused")
    monkeypatch.setattr(command, "result_of", lambda *run, **how: pytest.fail("It ran"))

    assert command.main(["--quick"]) == 2
    assert "PostgreSQL cannot be reached, and nothing was run" in capsys.readouterr().err


def test_command__sqlite_alone_asks_no_postgresql(monkeypatch):
    monkeypatch.setattr(command, "fault_of_postgresql", lambda url: pytest.fail("It was asked"))
    monkeypatch.setattr(command, "result_of", lambda run, database, **how: result(COUNT))

    assert command.main(["--quick", "--database", "sqlite"]) == 0


@pytest.fixture
def written_to(monkeypatch, tmp_path):
    monkeypatch.setattr(command, "fault_of_postgresql", lambda url: "")
    monkeypatch.setattr(page, "PAGE", tmp_path / "performance.md")
    return page.PAGE


@pytest.mark.parametrize(
    ("became", "code"),
    [
        (result(RATIO, COUNT), 0),
        (result(RATIO, MISSED), 1),
        (Result(benchmark="send_cost", failure="it ended with 1"), 1),
    ],
    ids=["within", "outside", "failed"],
)
def test_command__writes_the_page_and_then_fails_for_what_is_not_so(
    monkeypatch, written_to, became, code
):
    monkeypatch.setattr(command, "result_of", lambda *run, **how: became)

    assert command.main([]) == code
    assert written_to.read_text().startswith("# Performance\n")


@pytest.mark.parametrize(
    ("arguments", "is_written"),
    [
        (["--quick"], False),
        (["--only", "send_cost"], False),
        (["--database", "postgresql"], False),
        (["--quick", "--write"], True),
    ],
    ids=["quick", "one", "on one database", "quick, but to be written"],
)
def test_command__a_part_takes_no_page_by_itself(monkeypatch, written_to, arguments, is_written):
    monkeypatch.setattr(command, "result_of", lambda *run, **how: result(RATIO))

    command.main(arguments)

    assert written_to.exists() == is_written


# --- Figures --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        (RATIO, "1.25x (1.20–1.40; at most 1.5x)"),
        (MISSED, "4.70x (4.50–5.20; not at least 5x)"),
        (COUNT, "7"),
        (Figure.of("a", "b", [1234.4, 999, 1300]), "1,234 (999–1,300)"),
        (Figure.of("a", "b", [26.74], unit="ms", at_most=60), "26.7 ms (at most 60 ms)"),
        (Figure.of("a", "b", [150.4, 150.2], unit="µs"), "150 µs (150–150)"),
    ],
)
def test_figure__says_median_range_and_bound(figure, said):
    assert str(figure) == said


@pytest.mark.parametrize(
    ("bound", "holds"),
    [
        ({}, True),
        ({"at_most": 2}, True),
        ({"at_most": 1.99}, False),
        ({"at_least": 2}, True),
        ({"at_least": 2.01}, False),
    ],
)
def test_figure__is_held_to_its_bound_by_the_median(bound, holds):
    assert Figure.of("a", "b", [1, 2, 9], **bound).holds is holds


def test_measurement__comes_back_from_json_as_it_was():
    whole = measurement(RATIO, MISSED, COUNT)

    assert Measurement.from_json(whole.to_json()) == whole


def test_table__has_a_row_for_each_subject_and_marks_what_is_outside():
    rows = measured.table([RATIO, MISSED, COUNT]).splitlines()

    assert [len(row) for row in rows] == [len(rows[0])] * 5
    assert [row.split("|")[1].strip() for row in rows[2:]] == [
        "send_message",
        "worker",
        "order notice",
    ]
    assert "**4.70x (4.50–5.20; not at least 5x)**" in rows[3]


def test_interleaved__alternates_the_order_and_drops_the_first_round():
    asked = []

    def side(name):
        def measure(turn):
            asked.append((turn, name))
            return turn

        return measure

    kept = measured.interleaved({"ours": side("ours"), "theirs": side("theirs")}, 2)

    assert kept == {"ours": [1, 2], "theirs": [1, 2]}
    assert [name for _turn, name in asked] == ["theirs", "ours", "ours", "theirs", "theirs", "ours"]


# --- The page -------------------------------------------------------------------------------------


def test_page__has_every_figure_and_what_it_was_measured_with():
    text = written(result(RATIO, COUNT), result(MISSED, benchmark="queue_throughput"))

    for figure in (RATIO, COUNT, MISSED):
        assert str(figure) in text
    for said in (
        "2026-11-26",
        "31 min",
        "Some processor, 2 cores",
        "PostgreSQL 15.2, 3 rounds of 10 messages",
        "requests 2.34.2",
        "`tox run -e benchmark`",
        "`services.send_message` against what a careful developer writes by hand",
    ):
        assert said in text
    assert "```" not in text
    assert "warning" not in text


def test_page__names_what_is_outside_its_bound_above_everything_else():
    text = written(result(RATIO), result(MISSED, benchmark="queue_throughput"))

    above = text.partition("\n## ")[0]
    assert "1 of 2 figures that have a bound are within it" in above
    assert "`queue_throughput` on PostgreSQL 15.2, worker, times loop: 4.70x" in above


def test_page__all_within_says_so():
    assert "All 1 figures that have a bound are within it." in written(result(RATIO, COUNT))


def test_page__says_what_could_not_be_measured():
    text = written(Result(benchmark="send_cost", failure="on sqlite it ended with 1"))

    assert "- `send_cost`: on sqlite it ended with 1" in text
    assert "Nothing was measured: on sqlite it ended with 1" in text


def test_page__quick_figures_are_marked():
    assert ":::{warning}\nThese figures are of a quick run." in written(result(RATIO), quick=True)


@pytest.mark.parametrize("benchmark", dict.fromkeys(run.benchmark for run in command.RUNS))
def test_page__has_a_section_for_each_benchmark(benchmark):
    assert f"\n## `{benchmark}`\n" in page.PAGE.read_text()


def test_about__ends_before_the_command():
    for run in command.RUNS:
        said = page.about(run.benchmark)
        assert said.partition("\n")[0].endswith(".")
        assert "python" not in said.split()
