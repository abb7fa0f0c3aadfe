"""Mutants of real tokens, by the number: number n of a seed is the same one every time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tests.differential import of_claims, of_headers, of_json, of_text
from tests.differential.kinds import Judged, Kinds, Material
from tests.differential.originals import World

KINDS: Kinds = {**of_text.KINDS, **of_headers.KINDS, **of_claims.KINDS, **of_json.KINDS}
_NAMES = tuple(KINDS)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One question to both judges.

    `now`: when it is judged, in seconds since the epoch; `of`: the kinds that it is made of.
    """

    number: int
    kind: str
    token: str
    now: int
    of: tuple[str, ...]


def mutant(world: World, seed: int, number: int) -> Mutant:
    random = Random(f"mutant {seed} {number}")
    # Each kind in turn, so that a short run has them all.
    kind = _NAMES[number % len(_NAMES)]
    made = KINDS[kind](Material(world.original(random), random, world))
    token, now, of = made if isinstance(made, Judged) else Judged(made, world.now)
    return Mutant(number, kind, token, now, of or (kind,))


def mutants(world: World, seed: int, count: int) -> Iterator[Mutant]:
    return (mutant(world, seed, number) for number in range(count))
