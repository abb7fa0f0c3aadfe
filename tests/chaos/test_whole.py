"""The suite is whole, and its table says what came."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.chaos import report
from tests.chaos.report import FAULTS, PROXY, ROOT, Found, Table, marked_in, spread, write
from tests.cli.commands import Process

HERE = Path(__file__)
QUIETLY = (
    "-q",
    "--import-mode=importlib",
    "-p",
    "no:cacheprovider",
    "-c",
    str(ROOT / "pyproject.toml"),
)
SUITE = [*(set(HERE.parent.glob("test_*.py")) - {HERE}), ROOT / PROXY]


def test_every_fault_is_in_the_suite():
    assert set(marked_in(*SUITE)) == set(FAULTS)


def test_the_page_has_the_place_for_the_table():
    assert report.PAGE.read_text("utf-8").count(report.BEGIN) == 1


def table_of(*rows):
    table = Table()
    table.rows += rows
    return table


def row(fault, *facts, injected="it is down", case="", times=()):
    return Found(fault, injected, "200", case=case, facts=list(facts), times=list(times))


def test_rows_are_sorted_by_number_and_k_comes_after_f():
    table = table_of(row("K1", "c"), row("F10", "b"), row("F2", "a"))
    lines = table.text().splitlines()

    assert lines[0] == "| | injected | expected | what came | latency |"
    assert [line.split(" | ")[0] for line in lines[2:5]] == ["| F2", "| F10", "| K1"]
    assert lines[2] == "| F2 | it is down | 200 | a |  |"


def test_cases_of_one_fault_are_one_row_and_what_they_share_is_said_once():
    alike = table_of(row("F1", "a", case="x"), row("F1", "a", case="y")).text()
    unlike = table_of(row("F1", "b", case="y"), row("F1", "a", case="x"), row("F1", "c")).text()

    assert alike.splitlines()[2] == "| F1 | it is down | 200 | a |  |"
    assert unlike.splitlines()[2] == "| F1 | it is down | 200 | c<br>x: a<br>y: b |  |"


def test_it_says_what_machine_the_latencies_are_of():
    lines = table_of(row("F1", "a")).text().splitlines()

    assert re.fullmatch(
        r"Python 3\.\S+ on Linux, \d+ CPUs, load average \S+ at the end\.", lines[-1]
    )


def test_what_is_missing_is_named():
    table = table_of(*(row(fault) for fault in FAULTS if fault not in ("F7", "K2")))

    assert table.missing() == ["F7", "K2"]


SOME_TESTS = """
import pytest

@pytest.mark.fault("F1", "", expected="")
@pytest.mark.parametrize("case", ["short", pytest.param("long", marks=pytest.mark.long)])
def test_of_a_fault(case):
    if case == "long":
        pytest.{ends}("so")

@pytest.mark.long
def test_of_no_fault():
    pytest.{ends}("so")
"""


@pytest.mark.parametrize(
    ("ends", "options"),
    [("fail", ["-m", "not long"]), ("fail", ["-k", "short"]), ("skip", []), ("fail", [])],
    ids=["deselected by -m", "deselected by -k", "skipped", "failed"],
)
def test_a_test_of_a_fault_that_is_left_out_makes_it_no_whole_run(tmp_path, ends, options):
    """Though each fault has a row: another case of it passed."""
    file = tmp_path / "test_some.py"
    file.write_text(SOME_TESTS.format(ends=ends), "utf-8")
    table = table_of(*(row(fault) for fault in FAULTS))
    assert table.refusal() is None
    pytest.main([str(file), *QUIETLY, *options], plugins=[table])

    assert [it.rpartition("::")[2] for it in table.left_out] == ["test_of_a_fault[long]"]
    refusal = table.refusal()
    assert refusal is not None
    assert refusal.startswith("left out or failed: ")


def test_times_are_written_so_that_they_can_be_read():
    assert spread([0.0123]) == "12.3 ms"
    assert spread([0.001, 0.002, 1.5]) == "p50 2.0 ms, worst 1.5 s"
    assert spread([0.001] * 150 + [0.5]) == "p50 1.0 ms, p99 1.0 ms"


def test_the_table_is_written_into_its_place_and_nowhere_else(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", "utf-8")
    write("| new |", page)

    assert page.read_text("utf-8") == (
        f"before\n{report.BEGIN}\n\n| new |\n\n{report.END}\nafter\n"
    )
    page.write_text("no place", "utf-8")
    with pytest.raises(ValueError, match="has no place for <!-- faults"):
        write("| new |", page)


@pytest.fixture
def found_by(request):
    return [value for name, value in request.node.user_properties if name == "fault"]


@pytest.mark.parametrize("case", [pytest.param(1, id="one")])
@pytest.mark.fault("F0", "nothing", expected="")  # not one of FAULTS, so it is not in the table
def test_a_test_is_known_by_its_mark_and_its_case(found, found_by, case):
    assert (found.fault, found.injected, found.case) == ("F0", "nothing", "one")
    assert found_by == [found]
    assert case == 1


@pytest.mark.long
def test_the_command_shows_what_came_and_writes_nothing_that_is_not_whole():
    before = report.PAGE.read_bytes()
    only_two = ("--write", "-k", "known_by_its_mark or malformed_key", "-p", "no:cacheprovider")
    with Process(*only_two, program=("-m", "tests.chaos")) as process:
        outcome = process.end()

    assert outcome.code == 1
    (row,) = [line for line in outcome.out.splitlines() if line.startswith("| F")]
    assert "| 6 malformed keys: 20 x 200 acme |" in row
    assert outcome.err.startswith("not written: there was no F1, F2, ")
    assert report.PAGE.read_bytes() == before
