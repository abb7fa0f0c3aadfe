"""What became of each mutant, held against the list of those that no test can tell apart."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from typing_extensions import override


class Change(NamedTuple):
    """What a mutant is known by, also after it was renumbered: where, which lines, and to what.

    `where`: dotted name of the function, or of the module for what stands outside of functions.
    `before` and `after`: the lines that differ, without their indentation.
    """

    where: str
    before: str
    after: str

    def is_of(self, modules: Iterable[str]) -> bool:
        return any(f"{self.where}.".startswith(f"{module}.") for module in modules)

    @override
    def __str__(self) -> str:
        lines = [f"  in {self.where}"]
        lines += [f"    - {line}" for line in self.before.splitlines()]
        lines += [f"    + {line}" for line in self.after.splitlines()]
        return "\n".join(lines)


class Mutant(NamedTuple):
    """One change of one module, and whether a test noticed."""

    module: str
    change: Change
    killed: bool


def change_in(where: str, diff: Iterable[str]) -> Change:
    """Return the change that a unified diff shows."""
    lines = list(diff)[2:]  # after the names of the two files
    before, after = (
        "\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )
    return Change(where, before, after)


def read_equivalents(file: Path) -> Counter[Change]:
    """Return the listed mutants, with how many there are of each. Raises ValueError for no reason.

    `times` is for equal changes of equal lines of one function.
    """
    listed: Counter[Change] = Counter()
    for entry in tomllib.loads(file.read_text("utf-8"))["mutant"]:
        if not entry["reason"].strip():
            raise ValueError(f"{file}: an entry gives no reason")
        listed[Change(entry["where"], entry["before"], entry["after"])] += entry.get("times", 1)
    return listed


def complaints(mutants: Iterable[Mutant], listed: Counter[Change]) -> list[str]:
    """Return what is wrong: survivors that are not listed, and entries that are no survivors."""
    survived = Counter(mutant.change for mutant in mutants if not mutant.killed)
    unlisted = [f"survived, and not listed:\n{change}" for change in survived - listed]
    stale = [f"listed, but killed or no longer there:\n{change}" for change in listed - survived]
    return unlisted + stale


def summary(mutants: Sequence[Mutant]) -> str:
    """Return a table: mutants, killed and survived, by module."""
    made = Counter(mutant.module for mutant in mutants)
    killed = Counter(mutant.module for mutant in mutants if mutant.killed)
    rows = [(module, made[module], killed[module]) for module in sorted(made)]
    rows.append(("all", made.total(), killed.total()))
    lines = [f"{'':42}{'mutants':>9}{'killed':>9}{'listed':>9}"]
    lines += [f"{name:42}{total:9}{dead:9}{total - dead:9}" for name, total, dead in rows]
    return "\n".join(lines)
