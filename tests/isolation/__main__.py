"""Ask the service at random and compare with a model of who may see what: `make isolation`.

Exit codes: 0 each answer was the model's; 1 one was not, and is shown.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.command_line import at_least, run
from tests.isolation import running
from tests.isolation.running import Report, Wrong

_OUT, _ERR = Console(highlight=False), Console(stderr=True, highlight=False)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make isolation", description=__doc__)
    parser.add_argument(
        "--count", type=at_least(1, int), default=1_000_000, help="requests (1000000)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of the people, the tokens and the requests (1)"
    )
    parser.add_argument("--json", action="store_true", help="for machines")
    options = parser.parse_args()
    with Progress(console=_ERR) as bar:
        task = bar.add_task("requests", total=options.count)
        report = asyncio.run(
            running.run(options.seed, options.count, lambda more: bar.advance(task, more))
        )
    if options.json:
        print(json.dumps(_as_json(report)))  # noqa: T201 - for a machine
    else:
        _show(report)
    sys.exit(1 if report.wrong else 0)


def _as_json(report: Report) -> dict[str, object]:
    counts = {it: getattr(report, it) for it in ("seed", "requests", "logins", "hits", "misses")}
    return {**counts, "answers": report.codes, "wrong": report.wrong and repr(report.wrong)}


def _show(report: Report) -> None:
    table = Table("answer", "requests", title=f"seed {report.seed}: {report.requests} requests")
    for code, count in report.codes.most_common():
        table.add_row(code, str(count))
    _OUT.print(table)
    _OUT.print(
        f"{report.logins} tokens; {report.hits} answers from the cache, "
        f"{report.misses} decided anew"
    )
    found = _in_words(report.seed, report.wrong) if report.wrong else "no wrong answer"
    _OUT.print(found, markup=False, soft_wrap=True)


def _in_words(seed: int, wrong: Wrong) -> str:
    ask = wrong.ask
    return (
        f"WRONG: request {wrong.number} (seed {seed}), by {ask.mode} at {wrong.now}\n"
        f"  login: {ask.login}\n  wishes: {ask.wishes}\n  headers: {ask.headers}\n"
        f"  expected: {' or '.join(map(str, wrong.expected))}\n  got: {wrong.got}"
    )


if __name__ == "__main__":
    run(main)
