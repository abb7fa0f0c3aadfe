"""The end of a long soak's report, for docs/reliability.md."""

from __future__ import annotations

from pathlib import Path

from tests.chaos.report import PAGE, machine, write
from tests.soak.tally import Tally

MARKS = ("<!-- soak: written by `make soak ARGS=--write` -->", "<!-- end of the soak -->")
SHORTEST = 600.0
"""Seconds that a soak must last to be shown."""


def refusal(tally: Tally) -> str | None:
    """Return why this soak is not one to be shown; None if it is."""
    if tally.failures():
        return "it failed"
    if tally.seconds < SHORTEST:
        return f"it lasted {tally.seconds:.0f} s, and not {SHORTEST:.0f}"
    return None


def show(tally: Tally, page: Path = PAGE) -> None:
    """Put the report into the page. Raises ValueError where it has no place for it."""
    report = "\n".join(["```text", *tally.lines(), "```", "", machine()])
    write(report, page, MARKS)
