"""Soak the service: `python -m tests.soak [--minutes N] [--seed N] [--rate N] [--json] [--write]`.

Exit 0: every answer was one that may come, and the service ended as it should. 1: not so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from tests.chaos.report import PAGE
from tests.command_line import at_least, run
from tests.soak.page import refusal, show
from tests.soak.run import Plan, soak
from tests.soak.tally import Tally


def main() -> None:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=at_least(0.05, float), default=10.0, help="how long (10)")
    parser.add_argument("--seed", type=int, default=1, help="of the mix and the outages (1)")
    parser.add_argument(
        "--rate", type=at_least(1, float), default=150.0, help="requests a second (150)"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    parser.add_argument(
        "--write",
        action="store_true",
        help=f"write the report into docs/{PAGE.name}, if it passed and lasted ten minutes",
    )
    options = parser.parse_args()
    tally = asyncio.run(_with_progress(Plan(options.minutes * 60, options.rate, options.seed)))
    if options.json:
        print(json.dumps(tally.as_json()))
    else:
        print("\n".join(tally.lines()))
    if options.write:
        _write(tally)
    sys.exit(1 if tally.failures() else 0)


def _write(tally: Tally) -> None:
    if why := refusal(tally):
        sys.exit(f"not written: {why}")
    show(tally)


async def _with_progress(plan: Plan) -> Tally:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("soak", total=plan.seconds)

        def show(seconds: float, tally: Tally) -> None:
            text = f"{tally.requests} requests, {len(tally.wrong)} wrong"
            progress.update(task, completed=seconds, description=text)

        return await soak(plan, show)


if __name__ == "__main__":
    run(main)
