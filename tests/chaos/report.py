"""What the suite of faults found, as a table.

    @pytest.mark.fault("F5", "it accepts and never answers", expected="known keys as ever")
    async def test_…(found):
        found.came("50 x 200")
        found.took("known key", answers)

A test without these is a test like any other; `python -m tests.chaos` makes the table of them.
"""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.chaos.service import Answer, said_by
from tests.measures import nearest_rank

# From so many on, a 99th percentile is not just the worst.
_MANY = 100

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
PROXY = "tests/integration/test_between.py"
"""Where the faults between the service and a real Keycloak are."""

FAULTS = (*(f"F{number}" for number in range(1, 38)), *(f"K{number}" for number in range(1, 7)))
"""All there must be: F of facts that can be injected anywhere, K in front of a real Keycloak."""

BEGIN, END = "<!-- faults: written by `make chaos ARGS=--write` -->", "<!-- end of faults -->"


@dataclass
class Found:
    """What one test found. `case`: its parameter, empty without."""

    fault: str
    injected: str
    expected: str
    case: str = ""
    facts: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)

    def came(self, fact: str) -> None:
        """Note what came: answers, counts, states."""
        self.facts.append(fact)

    def answered(self, name: str, answers: Sequence[Answer]) -> None:
        """Note which answers came how often, and how long they took."""
        said = said_by(answers)
        self.came(f"{name}: " + ", ".join(f"{said[it]} x {it[0]} {it[1]}" for it in sorted(said)))
        self.took(name, [answer.seconds for answer in answers])

    def took(self, name: str, seconds: Sequence[float]) -> None:
        """Note how long something took: once, or the median and the 99th percentile."""
        self.times.append(f"{name} {spread(seconds)}")


def spread(seconds: Sequence[float]) -> str:
    """Write one time, or the median and the worst or (from 100 on) the 99th percentile."""
    if len(seconds) == 1:
        return _written(seconds[0])
    many = len(seconds) >= _MANY
    tail = nearest_rank(seconds, 0.99) if many else max(seconds)
    median = _written(statistics.median(seconds))
    return f"p50 {median}, {'p99' if many else 'worst'} {_written(tail)}"


def _written(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


@pytest.fixture
def found(request: pytest.FixtureRequest) -> Found:
    """Give where a test notes what it found; its mark says which fault it injects."""
    mark = request.node.get_closest_marker("fault")
    spec = getattr(request.node, "callspec", None)
    found = Found(*mark.args, **mark.kwargs, case=spec.id if spec is not None else "")
    request.node.user_properties.append(("fault", found))
    return found


@dataclass(eq=False)  # pytest wants it hashable
class Table:
    """A plugin of pytest that collects what the tests found, of those that passed.

    `left_out`: the tests of a fault that were deselected, skipped, or failed.
    """

    rows: list[Found] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self.left_out += [it.nodeid for it in items if it.get_closest_marker("fault")]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if "fault" in report.keywords and not report.passed:
            self.left_out.append(report.nodeid)
        if report.when == "call" and report.passed:
            found = [it for name, it in report.user_properties if name == "fault"]
            self.rows += [it for it in found if it.fault in FAULTS]

    def missing(self) -> list[str]:
        """Return the faults that no test was about."""
        return [fault for fault in FAULTS if fault not in {row.fault for row in self.rows}]

    def refusal(self) -> str | None:
        """Return why this is not the table of a whole run; None if it is."""
        if missing := self.missing():
            return f"there was no {', '.join(missing)}"
        if self.left_out:
            return f"left out or failed: {', '.join(self.left_out)}"
        return None

    def text(self) -> str:
        lines = [
            "| | injected | expected | what came | latency |",
            "| --- | --- | --- | --- | --- |",
        ]
        kinds = {(row.fault, row.injected): row for row in self.rows}
        for fault, injected in sorted(kinds, key=lambda kind: (kind[0][0], int(kind[0][1:]))):
            of_kind = [row for row in self.rows if (row.fault, row.injected) == (fault, injected)]
            cells = (fault, injected, of_kind[0].expected, _facts(of_kind), _times(of_kind))
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join([*lines, "", machine()])


def machine() -> str:
    """Say what the latencies are to be read with."""
    system, python = platform.system(), platform.python_version()
    load = f"{os.cpu_count()} CPUs, load average {os.getloadavg()[1]:.1f}"
    return f"Python {python} on {system}, {load} at the end."


def _facts(rows: list[Found]) -> str:
    return _together([(row.case, "; ".join(row.facts)) for row in rows])


def _times(rows: list[Found]) -> str:
    return _together([(row.case, "; ".join(row.times)) for row in rows])


def _together(said: list[tuple[str, str]]) -> str:
    """Write what all cases say alike once, and else each with its name."""
    if len({text for _, text in said}) == 1:
        return said[0][1]
    # Sorted, since tests run in any order.
    return "<br>".join(f"{case}: {text}" if case else text for case, text in sorted(said) if text)


def write(text: str, page: Path = PAGE, marks: tuple[str, str] = (BEGIN, END)) -> None:
    """Put a text between two marks of the page. Raises ValueError where they are not there."""
    before, begin, rest = page.read_text("utf-8").partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise ValueError(f"{page} has no place for {marks[0]}")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", "utf-8")


def marked_in(*files: Path) -> Iterator[str]:
    """Yield the faults that the tests in these files name in their marks."""
    for file in files:
        yield from re.findall(r'\(\s*"([FK]\d+)",', file.read_text("utf-8"))
