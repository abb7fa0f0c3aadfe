"""Both judges on the same mutants."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice

from tests.differential.explained import EXPLANATIONS, Explanation, explanation_of
from tests.differential.mutants import Mutant
from tests.differential.originals import World
from tests.differential.ours import ACCEPT, Ours, ours
from tests.differential.theirs import Theirs, theirs

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Verdicts:
    """A mutant, and what each of the two said."""

    mutant: Mutant
    ours: str
    theirs: str


@dataclass
class Comparison:
    """What came out.

    `good`: unchanged tokens that both accept, without which nothing has been shown; `explained`:
    what they accept and we do not, by the explanation; `holes`: what we accept and they do not, or
    judge by an exception; `last`: what came of the last mutant.
    """

    judged: int = 0
    accepted: int = 0
    refused: int = 0
    good: int = 0
    explained: Counter[Explanation] = field(default_factory=Counter)
    unexplained: list[Verdicts] = field(default_factory=list)
    holes: list[Verdicts] = field(default_factory=list)
    last: Verdicts | None = None

    def add(self, mutant: Mutant, our_answer: str, their_answer: str) -> None:
        self.judged += 1
        self.last = Verdicts(mutant, our_answer, their_answer)
        match our_answer == ACCEPT, their_answer == ACCEPT:
            case True, True:
                self.accepted += 1
                self.good += mutant.kind == "as it is"
            case False, True:
                self._add_refusal(self.last)
            case False, False if not our_answer.startswith("raised"):
                self.refused += 1
            case _:
                self.holes.append(self.last)

    def _add_refusal(self, difference: Verdicts) -> None:
        explanation = explanation_of(difference.mutant.of, difference.ours)
        if explanation is None:
            self.unexplained.append(difference)
        else:
            self.explained[explanation] += 1

    @property
    def never_needed(self) -> list[Explanation]:
        """Explanations of what has not come up: in a long run, of what is no longer so."""
        return [it for it in EXPLANATIONS if it not in self.explained]

    @property
    def agrees(self) -> bool:
        """Whether nothing is accepted by us alone, and each refusal of ours alone is explained."""
        return bool(self.good) and not self.holes and not self.unexplained


async def compare(
    world: World, mutants: Iterable[Mutant], progress: Callable[[int], None] = lambda _: None
) -> Comparison:
    """Let both judge. `progress` is told of how many more have been judged."""
    comparison = Comparison()
    remaining = iter(mutants)
    async with ours(world) as us, theirs(world) as them:
        while some := list(islice(remaining, _AT_ONCE)):
            await them.ask(some)  # they work on it while we do
            await _judge(some, us, them, comparison)
            progress(len(some))
    return comparison


async def _judge(mutants: Iterable[Mutant], us: Ours, them: Theirs, comparison: Comparison) -> None:
    answers = [(it, await us.judge(it)) for it in mutants]
    for mutant, answer in answers:
        comparison.add(mutant, answer, await them.answer())
