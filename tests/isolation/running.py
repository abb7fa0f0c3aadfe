"""Requests by the number, each compared with what the model says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.isolation.asking import Ask, Clients
from tests.isolation.logins import Keycloaks
from tests.isolation.model import Refused, Variables, outcome
from tests.isolation.people import make_people
from tests.isolation.service import CACHE_TTL, Asked, Through, service_for

_STEP = 0.06
"""Seconds from one request to the next."""
_COOLDOWN = 12.0
"""Seconds after which the service asks for keys again, its jitter included."""
_REPORT_EVERY = 1000
# Every so many requests the wall clock is wrong for some of them, by so many seconds.
_WRONG_EVERY, _WRONG_FOR, _WRONG_BY = 5000, 150, -120.0

Outcome = Variables | Refused


@dataclass(frozen=True, slots=True)
class Wrong:
    """An answer that the model does not know."""

    number: int
    ask: Ask
    now: float
    expected: tuple[Outcome, ...]
    got: Outcome


@dataclass
class Report:
    """What came out. `codes`: how often each answer came, "ok" for a session."""

    seed: int
    requests: int = 0
    logins: int = 0
    hits: int = 0
    misses: int = 0
    remembered: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    wrong: Wrong | None = None


async def run(
    seed: int,
    count: int,
    progress: Callable[[int], None] = lambda _: None,
    through: Through = lambda service: service,
) -> Report:
    """Ask so many times, or up to the first wrong answer. `progress`: told of how many more."""
    people = make_people(seed)
    keycloaks = Keycloaks(people, seed)
    clients = Clients(people, keycloaks, seed)
    async with service_for(people, keycloaks, through) as asked:
        course = _Course(seed, count, clients, asked)
        while course.report.requests < count and course.report.wrong is None:
            await course.next()
            if course.report.requests % _REPORT_EVERY == 0:
                progress(_REPORT_EVERY)
        return course.end()


class _Course:
    """The course of one run: time passes, keys change, one request follows another."""

    def __init__(self, seed: int, count: int, clients: Clients, asked: Asked) -> None:
        self.report = Report(seed)
        self._clients, self._keycloaks = clients, clients.keycloaks
        self._asked, self._clock = asked, asked.clock
        # First the old key goes at once, as after a theft; later the next one beside the old.
        self._rotations = {count // 3: (1,), 2 * count // 3: (1, 2)}
        self._rotated_at = 0.0

    async def next(self) -> None:
        number = self.report.requests
        if number in self._rotations:
            self._rotate(self._rotations[number])
        self._clock.advance(_STEP)
        match number % _WRONG_EVERY:
            case 0 if number:
                self._clock.jump(_WRONG_BY)
            case n if n == _WRONG_FOR and number > _WRONG_EVERY:
                self._clock.jump(-_WRONG_BY)
        now = self._clock.wall()
        ask = self._clients.ask(now)
        got = await self._asked.answer(ask)
        expected = self._expected(ask, now)
        self.report.requests += 1
        self.report.codes[got.code if isinstance(got, Refused) else "ok"] += 1
        if got not in expected:
            self.report.wrong = Wrong(number, ask, now, expected, got)

    def _rotate(self, published: tuple[int, ...]) -> None:
        self._clock.advance(_COOLDOWN)
        self._rotated_at = self._clock.monotonic()
        for realm in self._clients.people.realms:
            self._keycloaks.published[realm.namespace] = published

    def _expected(self, ask: Ask, now: float) -> tuple[Outcome, ...]:
        """Return what may be answered: one thing, but for a while after a key's withdrawal."""
        if ask.refused or ask.login is None:
            return (Refused(ask.refused),)
        right = outcome(ask.login, ask.wishes, now)
        realm = ask.login.user.realm
        heard = self._asked.heard_of_keys(realm, self._rotated_at)
        now_monotonic = self._clock.monotonic()
        if ask.login.key in self._keycloaks.published[realm.namespace] or now_monotonic < heard:
            return (right,)
        unknown = Refused("unknown_key")
        return (right, unknown) if now_monotonic < heard + CACHE_TTL else (unknown,)

    def end(self) -> Report:
        decisions = self._asked.service.decisions
        report = self.report
        report.logins = self._clients.logins
        report.hits, report.misses = decisions.hits, decisions.misses
        report.remembered = len(decisions)
        return report
