"""Behaviour as work grows: one quantity goes up, the rest stays."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from hasura_kc_auth.config.settings import CacheSettings
from tests.bench.calls import get, post_insert
from tests.bench.cases import HIT, MISS, Bench, Case, Row
from tests.bench.issuers import Realms, answering
from tests.bench.load import Load
from tests.bench.process import wait_until_ready
from tests.bench.servers import Server, floor, service
from tests.bench.speed import ANSWER_LENGTH

TOKENS = (1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)
ORGS = (1, 3, 10, 30, 100, 300)
CONNECTIONS = (1, 3, 10, 30, 100, 300, 1000)
ISSUERS = (1, 3, 10, 30, 100)
BODIES = (1_000, 10_000, 100_000, 1_000_000, 5_000_000)
_AT_ONCE_WITH_BODIES = 4
_ENTRIES = CacheSettings().entries
_FEW = 100
"""Entries of a small cache: two times as many tokens make each request a miss."""
_DRAWN = 20_000


def tokens(bench: Bench) -> list[Row]:
    """Return rows for more and more tokens in circulation, each as often as any other."""
    realms = Realms()
    with answering(realms), service(realms, ISSUERS=realms.settings(1)) as ours:
        wait_until_ready(ours)
        drawn = _Drawn(realms)
        return bench.measure("tokens", [drawn.case(number, ours) for number in TOKENS])


class _Drawn:
    """Tokens by number. One is signed when it is drawn: a million exist, few are ever made."""

    def __init__(self, realms: Realms) -> None:
        self._realm = realms.all[0]
        self._made: dict[int, bytes] = {}
        self._random = random.Random(1)  # noqa: S311 - which token comes next

    def case(self, number: int, server: Server) -> Case:
        all_fit = number <= _ENTRIES
        first = range(number) if all_fit else self._draw(number, _ENTRIES + _ENTRIES // 5)
        return Case(
            f"{number} tokens",
            server,
            [self._get(it) for it in self._draw(number, _DRAWN)],
            counted=HIT if all_fit else 'outcome="allow"',
            before=[self._get(it) for it in first],
            line="any of them",
            x=number,
        )

    def _draw(self, number: int, count: int) -> list[int]:
        return [self._random.randrange(number) for _ in range(count)]

    def _get(self, number: int) -> bytes:
        if number not in self._made:
            self._made[number] = get(self._realm.token())
        return self._made[number]


def orgs(bench: Bench) -> list[Row]:
    """Return rows for more and more orgs in one token; the request asks for one of them."""
    names = [f"organization-{number}" for number in range(max(ORGS))]
    realms = Realms(orgs=names)
    with (
        answering(realms),
        floor(ANSWER_LENGTH) as least,
        service(realms, ISSUERS=realms.settings(1), CACHE__ENTRIES=str(_FEW)) as ours,
    ):
        wait_until_ready(ours)
        cases = []
        for number in ORGS:
            wish = {"X_Hasura_Org_Id": f"r0/{names[0]}"}
            many = [get(realms.all[0].token(names[:number]), **wish) for _ in range(2 * _FEW)]
            cases += _three(f"{number} orgs", number, many, least, ours)
        return bench.measure("orgs", cases)


def _three(name: str, x: int, many: Sequence[bytes], least: Server, ours: Server) -> list[Case]:
    """Return the floor, a hit and a miss. `many`: more requests than the cache has entries."""
    bare = f"floor, {name}"
    return [
        Case(bare, least, many[:1], line="floor", x=x),
        Case(f"hit, {name}", ours, many[:1], counted=HIT, floor=bare, line="hit", x=x),
        Case(
            f"miss, {name}",
            ours,
            many,
            counted=MISS,
            before=many[_FEW:],  # so that the first are gone
            floor=bare,
            line="miss",
            x=x,
        ),
    ]


def connections(bench: Bench) -> list[Row]:
    """Return rows for more and more connections, each with a request in flight."""
    realms = Realms()
    with (
        answering(realms),
        floor(ANSWER_LENGTH) as least,
        service(realms, ISSUERS=realms.settings(1)) as ours,
    ):
        wait_until_ready(ours)
        request = [get(realms.all[0].token())]
        cases = []
        for number in CONNECTIONS:
            cases += _hit_and_floor(ours, least, request, number, number, "connections")
        return bench.measure("connections", cases)


def _hit_and_floor(  # noqa: PLR0917
    ours: Server, least: Server, request: list[bytes], connections: int, x: int, unit: str
) -> list[Case]:
    """Return a point of two curves: of the floor, and of hits as a ratio to it."""
    bare = Case(f"floor, {x} {unit}", least, request, connections=connections, line="floor", x=x)
    hit = replace(bare, name=f"hit, {x} {unit}", server=ours, counted=HIT)
    return [bare, replace(hit, floor=bare.name, line="hit")]


def issuers(bench: Bench) -> list[Row]:
    """Return rows for more and more issuers, asked for in turn; a service for each number."""
    realms = Realms(max(ISSUERS))
    with answering(realms), ExitStack() as stack:
        cases = []
        for number in ISSUERS:
            settings = {"ISSUERS": realms.settings(number), "CACHE__ENTRIES": str(_FEW)}
            ours = stack.enter_context(service(realms, **settings))
            wait_until_ready(ours)
            many = [get(realms.all[it % number].token()) for it in range(2 * _FEW)]
            name = f"{number} issuers"
            once = many[:_FEW]
            cases += [
                Case(f"hit, {name}", ours, once, counted=HIT, before=once, line="hit", x=number),
                Case(
                    f"miss, {name}",
                    ours,
                    many,
                    counted=MISS,
                    before=many[_FEW:],
                    line="miss",
                    x=number,
                ),
            ]
        return bench.measure("issuers", cases)


def bodies(bench: Bench) -> list[Row]:
    """Return rows for longer and longer GraphQL bodies in POST mode, of a token that hits.

    With the bundled client: it waits for all answers, where wrk leaves out those that come after
    its time; here they are many of the few.
    """
    bench = replace(bench, load=Load())
    realms = Realms()
    with (
        answering(realms),
        floor(ANSWER_LENGTH) as least,
        service(realms, ISSUERS=realms.settings(1)) as ours,
    ):
        wait_until_ready(ours)
        token = realms.all[0].token()
        cases = []
        for length in BODIES:
            request = [post_insert(token, length)]
            cases += _hit_and_floor(ours, least, request, _AT_ONCE_WITH_BODIES, length, "bytes")
        return bench.measure("bodies", cases)
