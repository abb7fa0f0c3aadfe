"""Many at once: floods of unknown keys, a stampede at a cold start, clients that leave."""

from __future__ import annotations

import asyncio
from itertools import cycle

import pytest

from tests.chaos.enduring import most_attempts, now
from tests.chaos.issuer import Held, Late, status
from tests.chaos.service import said_by, serving, until

CLIENTS = 32
SECONDS = 2.5


@pytest.mark.fault(
    "F20",
    f"{CLIENTS} clients ask under unknown keys without a pause",
    expected="at most one fetch in a cooldown; known keys 200",
)
async def test_a_flood_of_unknown_keys_costs_one_fetch_in_a_cooldown(issuer, found):
    await _flood(issuer, found)


@pytest.mark.long
@pytest.mark.fault(
    "F21",
    "the same flood while the issuer fails, or is slow",
    expected="the same: the cooldown counts attempts",
)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(status("500 Oh"), id="500"),
        pytest.param(Late(10.0), id="slow"),
    ],
)
async def test_a_flood_does_not_hammer_an_issuer_that_is_ill(issuer, found, fault):
    await _flood(issuer, found, fault)


async def _flood(issuer, found, fault=None):
    tokens, strange = issuer.tokens(60), issuer.unknown(1000)
    async with serving(issuer.issuer) as service:
        issuer.certs = fault
        began, over = now(), asyncio.Event()
        source = cycle(strange)

        async def client():
            answers = []
            while not over.is_set():
                answers.append(await service.ask(next(source)))
            return answers

        flood = [asyncio.create_task(client()) for _ in range(CLIENTS)]
        known = []
        for token in tokens:
            known.append(await service.ask(token))
            await asyncio.sleep(SECONDS / len(tokens))
        over.set()
        refused = [answer for answers in await asyncio.gather(*flood) for answer in answers]
        # The first of all attempts was before: the one of the start.
        allowed = most_attempts(now() - began)
        attempts = await service.metric("jwks_fetches_total") - 1

    assert said_by(known) == {(200, "acme"): len(tokens)}
    assert said_by(refused) == {(401, "unknown_key"): len(refused)}
    assert 1 <= issuer.fetched() - 1 <= allowed
    assert 1 <= attempts <= allowed
    assert issuer.open_at_once == 1
    found.answered("known", known)
    found.came(f"unknown: all 401; {attempts:.0f} fetches of {allowed} allowed")
    found.took("unknown", [answer.seconds for answer in refused])


@pytest.mark.fault(
    "F34",
    "500 requests at once, before the first keys have come",
    expected="1 fetch of discovery and 1 of the keys; all 200",
)
async def test_a_stampede_at_a_cold_start_makes_one_fetch(issuer, found):
    released = asyncio.Event()
    issuer.certs = Held(released)
    tokens = issuer.tokens(500)
    async with serving(issuer.issuer, ready=False, KEYS__TIMEOUT="5s") as service:
        asked = asyncio.create_task(service.ask_each(tokens, at_once=True))
        await _in_flight(service, 500)
        released.set()
        answers = await asked

    assert said_by(answers) == {(200, "acme"): 500}
    assert (issuer.fetched("discovery"), issuer.fetched("certs")) == (1, 1)
    found.answered("tokens", answers)
    found.came("1 + 1 fetches")


@pytest.mark.fault(
    "F35",
    "the first of 50 who wait for one fetch leaves",
    expected="the other 49 get 200 of that fetch",
)
async def test_who_leaves_does_not_take_the_others_fetch_along(issuer, found):
    async with serving(issuer.issuer, KEYS__TIMEOUT="5s") as service:
        await service.cool_down()
        issuer.keys.rotate(keep_old=True)
        released = asyncio.Event()
        issuer.certs = Held(released)
        first, *others = issuer.tokens(50)
        leaving = asyncio.create_task(service.ask(first))
        await until(lambda: issuer.fetched() == 2)  # it has begun the fetch
        waiting = asyncio.create_task(service.ask_each(others, at_once=True))
        await _in_flight(service, 50)
        files = service.open_files()
        leaving.cancel()  # which closes its connection
        await until(lambda: service.open_files() < files)  # and the service knows
        released.set()
        answers = await waiting

    assert leaving.cancelled()
    assert said_by(answers) == {(200, "acme"): 49}
    assert issuer.fetched() == 2
    found.answered("the others", answers)
    found.came("1 fetch for all of them")


async def _in_flight(service, count):
    async def so_many():
        return await service.metric("requests_in_flight") == count

    await until(so_many)
