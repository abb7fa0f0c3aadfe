"""What a request costs the server, kind by kind, as a ratio to bare aiohttp in the same round."""

from __future__ import annotations

import time

from hasura_kc_auth.devtools.issuer import ORGS, DevIssuer
from hasura_kc_auth.devtools.tokens import TokenMaker
from tests.bench.calls import get, post
from tests.bench.cases import HIT, MISS, Bench, Case, Row
from tests.bench.issuers import ORG, answering, good_claims
from tests.bench.process import wait_until_ready
from tests.bench.servers import Server, floor, service

ANSWER_LENGTH = 175
"""Bytes of a good answer's body: the floor sends as many."""
_ENTRIES = 1000
_GET, _POST = "floor, GET", "floor, POST 2 KB"


def measure(bench: Bench) -> list[Row]:
    issuer = DevIssuer(time.time)  # noqa: TID251 - tokens that a real clock accepts
    with (
        answering(issuer),
        floor(ANSWER_LENGTH) as least,
        service(issuer, CACHE__ENTRIES=str(_ENTRIES)) as ours,
    ):
        wait_until_ready(ours)
        return bench.measure("requests", cases(issuer, least, ours))


def good_token(issuer: DevIssuer) -> str:
    return issuer.keys.sign(good_claims(issuer.maker, (ORG,)))


def forged_token(issuer: DevIssuer) -> str:
    """Return one with another's signature, under the key's own `kid`."""
    one, another = good_token(issuer), good_token(issuer)
    return one.rpartition(".")[0] + "." + another.rpartition(".")[2]


def cases(issuer: DevIssuer, least: Server, ours: Server) -> list[Case]:
    many = [good_token(issuer) for _ in range(2 * _ENTRIES)]
    token = many[0]
    old = TokenMaker(issuer.issuer, issuer.keys, ORGS, lambda: 1_600_000_000.0)
    expired = old.issue(issuer.users["alice"], f"openid {ORG}").access
    garbage = "x" * len(token)
    misses = [get(each) for each in many]

    def denied(name: str, bad: str, code: str) -> Case:
        return Case(name, ours, [get(bad)], 401, f'reason="{code}"', floor=_GET)

    return [
        Case(_GET, least, [get(token)]),
        Case(_POST, least, [post(token)]),
        Case("GET hit", ours, [get(token)], counted=HIT, floor=_GET),
        Case("POST hit, 2 KB", ours, [post(token)], counted=HIT, floor=_POST),
        # More distinct tokens in a circle than the cache has entries: each is a miss, once the
        # first ones of the circle are out.
        Case("GET miss", ours, misses, counted=MISS, before=misses[_ENTRIES:], floor=_GET),
        denied("garbage token", garbage, "malformed_token"),
        denied("expired token", expired, "expired"),
        denied("forged, known kid", forged_token(issuer), "bad_signature"),
    ]
