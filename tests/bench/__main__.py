"""Measure how fast the service is, and how it behaves as work grows."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.bench import cores, machine, page, plots
from tests.bench.cases import Bench
from tests.bench.load import Load
from tests.bench.parts import GROUPS, PARTS, chosen
from tests.command_line import at_least, run

_ROUNDS, _SCALE_ROUNDS = 9, 3
_HELP = """\
what to measure (several may be named; default: speed):
  speed   requests     CPU, requests/s and latency of each kind of request, beside bare aiohttp
          flood        latency of good requests beside a flood of forged ones
  scale   tokens orgs connections issuers bodies
                       the same as one quantity grows; `scale tokens` is that one alone
          memory       resident memory by distinct tokens, good and forged
  start   ready        from the start of the process until it answers
          imports      which libraries the time of the start goes to
  all                  everything

examples:
  make bench                                  the table of docs/performance.md, in three minutes
  make bench ARGS="scale bodies --rounds 1"   one curve, quickly
  make bench ARGS="memory --tokens 100000"    memory, with a tenth of the tokens
  make bench ARGS="requests --json"           for machines
  make bench ARGS="all --write docs/performance.md"
                                              everything, into the page and its pictures
  make bench ARGS="--from results.json --write docs/performance.md"
                                              the same from what --json has written

The server has one core for itself, the load another. CPU time is of the server's process, from the
kernel. Each answer's status is looked at: a wrong one ends the run with the case's name. wrk brings
the load where it is installed (apt-get install wrk), else a client of our own in Python, which can
be slower than what it measures: compare requests/s and latencies of one load only. Linux.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        names = chosen(options.what)
    except ValueError as error:
        parser.error(str(error))
    try:
        results = json.loads(options.load.read_text("utf-8")) if options.load else {}
    except (OSError, ValueError) as error:
        parser.error(f"argument --from: {error}")
    if options.write and set(PARTS) - set(results or names):
        parser.error("a page is of one run: measure all of it (`all --write PAGE`)")
    results = results or _measured(names, options)
    if options.write:
        page.write(options.write, results, plots.draw_all(results, options.write.parent / "images"))
    if options.json:
        print(json.dumps(results, indent=1))
    elif not options.write:
        _print(results)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench",
        usage='make bench ARGS="[what …] [options]", or python -m tests.bench [what …] [options]',
        description=__doc__,
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="*", default=["speed"], help="see below")
    parser.add_argument(
        "--rounds",
        type=at_least(1, int),
        help=f"alternating rounds, of which the median counts ({_ROUNDS}; scale: {_SCALE_ROUNDS})",
    )
    parser.add_argument(
        "--seconds",
        type=at_least(0.05, float),
        default=1.0,
        help="of each case in each round (1; wrk counts whole ones)",
    )
    parser.add_argument(
        "--tokens",
        type=at_least(1, int),
        default=1_000_000,
        help="of memory: distinct good ones (1000000)",
    )
    parser.add_argument("--bundled", action="store_true", help="our own client, even with wrk")
    parser.add_argument("--json", action="store_true", help="print all figures for machines")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="into this page; with all")
    parser.add_argument(
        "--from",
        dest="load",
        type=Path,
        metavar="FILE",
        help="measure nothing: take the figures that --json has written",
    )
    return parser


def _measured(names: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    cores.pin_load()
    load = Load() if options.bundled else Load.best()
    columns = (TextColumn("{task.description:12}"), BarColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:

        def track(work: Sequence[Any], title: str) -> Iterable[Any]:
            return progress.track(work, description=title)

        bench = Bench(load, track, options.rounds or _ROUNDS, options.seconds, options.tokens)
        fewer = replace(bench, rounds=options.rounds or _SCALE_ROUNDS)
        results: dict[str, Any] = {
            "machine": machine.facts(load.name),
            "settings": {"rounds": bench.rounds, "scale_rounds": fewer.rounds}
            | {"seconds": bench.seconds, "tokens": bench.tokens},
        }
        for name in names:
            results[name] = PARTS[name].measure(fewer if name in GROUPS["scale"] else bench)
    return results


def _print(results: dict[str, Any]) -> None:
    for name, text in page.blocks(results, {}).items():
        print(f"{name}\n\n{text}\n")


if __name__ == "__main__":
    run(main)
