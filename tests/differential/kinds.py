"""What a mutation is, and the kinds of them by name. Each kind's module adds its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, TypeVar

from tests.differential.originals import Draft, World
from tests.made_tokens import MadeKey

T = TypeVar("T")


class Judged(NamedTuple):
    """A token, and when it is judged: seconds since the epoch. `of`: the kinds it is made of."""

    token: str
    now: int
    of: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """What a mutation is made of: an original and the dice."""

    draft: Draft
    random: Random
    world: World

    def pick(self, *choices: T) -> T:
        return self.random.choice(choices)

    @property
    def stranger(self) -> MadeKey:
        """A key that nobody publishes, for the same algorithm where it is a public one."""
        return self.world.stranger.get(self.draft.key.algorithm, self.world.stranger["RS256"])

    @property
    def parts(self) -> list[str]:
        return self.draft.token.split(".")


Mutate = Callable[[Material], str | Judged]
Kinds = Mapping[str, Mutate]
