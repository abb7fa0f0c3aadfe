"""Thousands of hostile requests: the answers stay right, and the memory stays what it was."""

from __future__ import annotations

import time

import pytest

from tests.chaos.hostile import Attack, flood, padding
from tests.chaos.process import series, stop
from tests.chaos.service import RunningService, serving
from tests.keycloak.publishing import ok
from tests.made_tokens import jwks, made_key, sign
from tests.web.wire import connected, get

MB = 1_000_000
BOUND = 4 * MB
"""How much the resident memory may grow. A thousand requests have twice as much, few alike."""
ENTRY = 2000
"""Bytes more for each decision that the cache remembers."""
ENTRIES = 400
WARM_UP = 300
FEW_SERIES = 200
LONG = pytest.mark.long


async def _hostile(service: RunningService, issuer, count: int) -> Attack:
    attack = Attack(service.webhook)
    requests = list(flood(issuer, count))
    await attack.run(requests[::2], "GET")
    await attack.run(requests[1::2], "POST")
    return attack


def _publish_a_fast_key(issuer) -> None:
    """Let the issuer publish, beside its own, a key that signs a hundred thousand tokens soon."""
    own = issuer.document("certs")["keys"]
    issuer.certs = ok(jwks(*own, made_key("ES256").jwk()))


def _signed(issuer, number: int) -> str:
    now = int(time.time())  # noqa: TID251 - what the service reads
    claims = {
        "iss": issuer.issuer,
        "exp": now + 300,
        "iat": now,
        "azp": "frontend",
        "typ": "Bearer",
        "sub": f"user-{number}",
        "aud": ["hasura", "acme"],
        "scope": "openid acme",
        "resource_access": {"acme": {"roles": ["editor"]}},
        "note": padding(),
    }
    return sign(claims, key=made_key("ES256"))


async def _members(service: RunningService, issuer, numbers: range) -> int:
    """Ask for so many people, each once; return how many of them got in."""
    granted = 0
    async with connected(service.webhook) as wire:
        for number in numbers:
            answer = await wire.ask(get(f"Authorization: Bearer {_signed(issuer, number)}"))
            granted += answer.status == 200
    return granted


HOSTILE_LOAD = pytest.mark.fault(
    "F22",
    "thousands of hostile requests, then of distinct good tokens, many more than the cache holds",
    expected="memory grows by less than 4 MB, and 2 kB a decision; the cache is full and no fuller",
)


@HOSTILE_LOAD
async def test_a_flood_leaves_the_memory_as_it_was(issuer, found):
    await _fill(issuer, found, hostile=1000, good=3 * ENTRIES, entries=ENTRIES)


@HOSTILE_LOAD
@LONG
@pytest.mark.timeout(900)
async def test_so_does_a_flood_of_many_more(issuer, found):
    """Three times as many as the cache of a default service holds; `make bench` sends a million."""
    await _fill(issuer, found, hostile=5000, good=30_000, entries=10_000)


async def _fill(issuer, found, *, hostile: int, good: int, entries: int) -> None:
    _publish_a_fast_key(issuer)
    settings = {"ALGORITHMS": "RS256,ES256", "CACHE__ENTRIES": str(entries)}
    async with serving(issuer.issuer, **settings) as service:
        assert await _members(service, issuer, range(-100, 0)) == 100
        await _hostile(service, issuer, WARM_UP)
        before = service.resident_bytes()
        attack = await _hostile(service, issuer, hostile)
        attacked = service.resident_bytes()
        granted = await _members(service, issuer, range(good))
        after = service.resident_bytes()
        cached = await service.metric("cache_entries")

    assert granted == good
    assert attack.wrong == []
    assert cached == entries
    assert attacked - before < BOUND
    assert after - before < BOUND + entries * ENTRY
    found.came(f"{hostile} x 401; {good} x 200; {cached:.0f} of them cached")
    found.came(f"memory +{(attacked - before) / MB:.1f} MB, then +{(after - attacked) / MB:.1f} MB")


@pytest.mark.fault(
    "F37",
    "thousands of hostile requests in a row: malformed, forged, oversized, wrong in one claim",
    expected="each its own code, no 5xx, memory flat; a good request is answered after each batch",
)
@pytest.mark.parametrize("batches", [10, pytest.param(100, marks=LONG)])
@pytest.mark.parametrize("mode", ["GET", "POST"])
async def test_each_gets_its_code_and_a_good_request_is_answered_after_each_batch(
    issuer, found, mode, batches
):
    batch = 100
    async with serving(issuer.issuer) as service:
        good, attack = issuer.token(), Attack(service.webhook)
        await attack.run(list(flood(issuer, batch)), mode)
        before, answers = service.resident_bytes(), []
        requests = list(flood(issuer, batch * batches))
        for first in range(0, len(requests), batch):
            await attack.run(requests[first : first + batch], mode)
            answers.append(await service.ask(good, mode=mode))
        grown = service.resident_bytes() - before
        own_series = await series(service)
        code = await stop(service)

    assert attack.wrong == []
    assert {(answer.status, answer.said) for answer in answers} == {(200, "acme")}
    assert grown < BOUND
    assert own_series < FEW_SERIES
    assert code == 0
    found.came(f"{batch * batches} x 401, each with its code ({len(attack.codes)} different)")
    found.came(f"{batches} x 200 in between; memory +{grown / MB:.1f} MB; {own_series} series")
    found.took("good", [answer.seconds for answer in answers])
