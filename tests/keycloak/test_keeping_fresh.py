"""The background task: it fetches ahead of time, retries after failures, and survives anything.

It sleeps in real time, so these tests have times of milliseconds; the clock it reads is theirs.
"""

from __future__ import annotations

import asyncio

import pytest

from hasura_kc_auth.devtools.issuer import Fault
from hasura_kc_auth.keycloak.fetch import FetchResult
from hasura_kc_auth.keycloak.jwks import IssuerKeys, KeyTimes
from tests.keycloak.publishing import RS256, Fetching
from tests.made_tokens import KEY

TTL = 0.1
COOLDOWN = 0.02
TIMES = {"ttl": TTL, "cooldown": COOLDOWN, "max_stale": 1.0}
# Several times what the task sleeps: enough for it to look at the clock again.
A_WHILE = 0.3


async def test_a_new_set_is_fetched_at_four_fifths_of_the_ttl(issuer, start_fetching, clock):
    fetching = await start_fetching(issuer.issuer, **TIMES)
    await fetching.until_reported(1)
    clock.advance(0.79 * TTL)
    await asyncio.sleep(A_WHILE)
    assert fetching.results == [FetchResult.OK]
    clock.advance(0.02 * TTL)
    await fetching.until_reported(2)
    assert fetching.results == [FetchResult.OK] * 2
    assert fetching.keys.age == 0.0
    assert issuer.fetches == {"discovery": 2, "certs": 2}


async def test_it_comes_up_to_a_tenth_earlier(issuer, start_fetching, clock):
    fetching = await start_fetching(issuer.issuer, random=lambda: 1.0, **TIMES)
    await fetching.until_reported(1)
    clock.advance(0.73 * TTL)
    await fetching.until_reported(2)


async def test_it_never_comes_before_the_cooldown_is_over(issuer, start_fetching, clock):
    fetching = await start_fetching(issuer.issuer, ttl=TTL, cooldown=TTL, max_stale=1.0)
    await fetching.until_reported(1)
    clock.advance(0.99 * TTL)
    await asyncio.sleep(A_WHILE)
    assert fetching.results == [FetchResult.OK]
    clock.advance(0.02 * TTL)
    await fetching.until_reported(2)


async def test_a_callers_fetch_postpones_it(issuer, start_fetching, clock):
    fetching = await start_fetching(issuer.issuer, **TIMES)
    await fetching.until_reported(1)
    clock.advance(0.7 * TTL)
    await fetching.outcome_for("unknown")
    clock.advance(0.2 * TTL)
    await asyncio.sleep(A_WHILE)
    assert fetching.results == [FetchResult.OK] * 2


async def test_a_rotation_is_seen_without_anybody_asking(issuer, start_fetching, clock):
    fetching = await start_fetching(issuer.issuer, **TIMES)
    await fetching.until_reported(1)
    issuer.keys.rotate(keep_old=False)
    clock.advance(TTL)
    await fetching.until_reported(2)
    new = issuer.keys.public()["keys"][-1]["kid"]
    assert (await fetching.keys.find(new)).kid == new
    assert issuer.fetches["certs"] == 2


async def test_after_a_failure_it_tries_again_when_the_cooldown_is_over(
    issuer, start_fetching, clock
):
    issuer.fault = Fault.ERROR
    fetching = await start_fetching(issuer.issuer, **TIMES)
    for attempt in (1, 2, 3):
        await fetching.until_reported(attempt)
        await asyncio.sleep(3 * COOLDOWN)
        assert len(fetching.results) == attempt  # no attempt without time having passed
        issuer.fault = Fault.ERROR if attempt < 3 else Fault.NONE
        clock.advance(COOLDOWN)
    await fetching.until_reported(4)
    assert fetching.results == [FetchResult.STATUS] * 3 + [FetchResult.OK]
    assert fetching.keys.fetches == {"status": 3, "ok": 1}


async def test_an_issuer_that_starts_late_is_found(issuer, start_fetching, clock):
    await issuer.stop()
    fetching = await start_fetching(issuer.issuer, **TIMES)
    await fetching.until_reported(1)
    assert not fetching.keys.usable
    await issuer.start()
    clock.advance(COOLDOWN)
    await fetching.until_reported(2)
    assert fetching.keys.usable


class _Treacherous:
    """A key source that fails in a way nobody thought of, the first two times."""

    issuer = "https://sso.example.com/realms/made"
    algorithms = RS256
    tls = None

    def __init__(self, address):
        self._address = address
        self._looks = 0

    @property
    def jwks_uri(self):
        self._looks += 1
        if self._looks <= 2:
            raise LookupError("with a secret in its text")
        return self._address


async def test_it_survives_what_nobody_thought_of(publisher, clock):
    reports = []
    keys = IssuerKeys(
        _Treacherous(publisher.certs),
        KeyTimes(**TIMES),
        monotonic=clock.monotonic,
        random=lambda: 0.0,
        report=lambda *report: reports.append(report),
    )
    fetching = Fetching(keys, reports)
    await keys.start()
    for attempt in (1, 2, 3):
        await fetching.until_reported(attempt)
        clock.advance(COOLDOWN)
    await keys.stop()
    unexpected = (_Treacherous.issuer, FetchResult.INVALID, "unexpected LookupError")
    assert reports == [unexpected, unexpected, (_Treacherous.issuer, FetchResult.OK, "")]
    assert keys.usable


@pytest.mark.parametrize("asks", [True, False], ids=["somebody waits", "nobody waits"])
async def test_stopping_does_not_wait_for_a_hanging_fetch(issuer, start_fetching, asks):
    issuer.fault = Fault.HANGING
    fetching = await start_fetching(issuer.issuer, timeout=50.0)
    waiting = asyncio.create_task(fetching.keys.find(KEY.kid)) if asks else None
    async with asyncio.timeout(30):
        while not issuer.fetches:  # noqa: ASYNC110 - the issuer has only its counter
            await asyncio.sleep(0.001)
        await fetching.keys.stop()
        if waiting is not None:
            with pytest.raises(asyncio.CancelledError):
                await waiting
    assert fetching.results == []


async def test_stopping_twice_is_no_error(issuer, start_fetching):
    fetching = await start_fetching(issuer.issuer)
    await fetching.until_reported(1)
    await fetching.keys.stop()
    await fetching.keys.stop()
