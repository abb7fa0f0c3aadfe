"""Judge mutants of real tokens by the service and by npm `jose`: `make differential`.

Exit codes: 0 they agree but for what is explained; 1 they do not.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from tests.command_line import at_least, run
from tests.differential.comparing import Comparison, Verdicts, compare
from tests.differential.mutants import mutant, mutants
from tests.differential.needs import is_required
from tests.differential.originals import make_world
from tests.differential.theirs import missing

_DEFAULT_COUNT = 100_000
# So many that each explanation is needed, whatever the seed.
_ENOUGH_FOR_ALL = 10_000
_SHOWN = 10
_OUT = Console(highlight=False)
_ERR = Console(stderr=True, highlight=False, soft_wrap=True)


def main() -> None:
    options = _options()
    if lacking := missing():
        _ERR.print(f"{'FAILED' if is_required() else 'skipped'}: {lacking}")
        sys.exit(1 if is_required() else 0)
    comparison = asyncio.run(_run(options))
    faults = _faults(comparison)
    if options.json:
        print(json.dumps(_as_json(comparison, faults)))  # noqa: T201 - for a machine
    else:
        _show(comparison, faults, options.seed)
    sys.exit(1 if faults else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make differential", description=__doc__)
    parser.add_argument(
        "--count", type=at_least(1, int), default=_DEFAULT_COUNT, help="mutants (100000)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the tokens and the mutants (1)")
    parser.add_argument("--only", type=at_least(0, int), help="the number of one mutant")
    parser.add_argument("--json", action="store_true", help="for machines")
    return parser.parse_args()


async def _run(options: argparse.Namespace) -> Comparison:
    world = make_world(options.seed)
    if options.only is not None:
        one = mutant(world, options.seed, options.only)
        comparison = await compare(world, [one])
        if comparison.last is not None:
            _ERR.print(_in_words(comparison.last, options.seed), markup=False)
        return comparison
    with Progress(console=_ERR) as bar:
        task = bar.add_task("mutants judged", total=options.count)
        questions = mutants(world, options.seed, options.count)
        return await compare(world, questions, lambda more: bar.advance(task, more))


def _faults(comparison: Comparison) -> list[str]:
    faults = []
    if comparison.holes:
        faults.append(f"{len(comparison.holes)} accepted by the service alone, or not judged")
    if comparison.unexplained:
        faults.append(f"{len(comparison.unexplained)} refused by the service alone, unexplained")
    if comparison.judged >= _ENOUGH_FOR_ALL and not comparison.good:
        faults.append("no good token among them: nothing has been shown")
    if comparison.judged >= _ENOUGH_FOR_ALL and comparison.never_needed:
        faults.append(f"{len(comparison.never_needed)} explanations of what no longer happens")
    return faults


def _as_json(comparison: Comparison, faults: list[str]) -> dict[str, object]:
    explained = [{**it._asdict(), "count": count} for it, count in comparison.explained.items()]
    holes, unexplained = (
        [asdict(it) for it in some[:_SHOWN]] for some in (comparison.holes, comparison.unexplained)
    )
    counts = {name: getattr(comparison, name) for name in ("judged", "accepted", "refused")}
    found = {"holes": holes, "unexplained": unexplained, "faults": faults}
    return {**counts, "explained": explained, **found}


def _show(comparison: Comparison, faults: list[str], seed: int) -> None:
    table = Table("count", "refused by the service alone", "why", title=_title(comparison, seed))
    for explanation, count in comparison.explained.most_common():
        table.add_row(str(count), explanation.code.value, explanation.why)
    _OUT.print(table)
    for difference in [*comparison.holes[:_SHOWN], *comparison.unexplained[:_SHOWN]]:
        _OUT.print(_in_words(difference, seed), markup=False, soft_wrap=True)
    for explanation in comparison.never_needed if comparison.judged >= _ENOUGH_FOR_ALL else ():
        _OUT.print(f"never needed: {explanation.code}: {explanation.why}", markup=False)
    _OUT.print(
        "FAILED: " + "; ".join(faults) if faults else "they agree, but for what is explained"
    )


def _title(comparison: Comparison, seed: int) -> str:
    return (
        f"seed {seed}: {comparison.judged} mutants, {comparison.accepted} accepted by both, "
        f"{comparison.refused} refused by both, {len(comparison.holes)} accepted by us alone"
    )


def _in_words(difference: Verdicts, seed: int) -> str:
    it = difference.mutant
    return (
        f"{' + '.join(it.of)} (ARGS='--seed {seed} --only {it.number}'), judged at {it.now}:\n"
        f"  the service: {difference.ours}; jose: {difference.theirs}\n  {it.token!r}"
    )


if __name__ == "__main__":
    run(main)
