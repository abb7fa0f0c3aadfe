"""Redis fails, or lies: introspection answers that are shared, and what is done without them."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

import pytest

from hasura_kc_auth.devtools.introspection import CLIENT_SECRET, CONFIDENTIAL_CLIENT
from hasura_kc_auth.devtools.issuer import DevIssuer
from hasura_kc_auth.wiring import SYSTEM_CLOCKS
from tests.chaos.service import Answer, RunningService, serving, until
from tests.stores.conftest import make_redis, redis, redis_program, start_stub
from tests.stores.redis_server import free_port
from tests.stores.test_shared import LOADING

__all__ = ["make_redis", "redis", "redis_program", "start_stub"]  # fixtures

SEAL = 32
"""Bytes of an entry's seal."""

ASKED = 5
"""How often a test asks, each time about the same token. No decision is cached in process."""


@pytest.fixture
async def realm() -> AsyncIterator[DevIssuer]:
    """Give an issuer that introspects."""
    realm = DevIssuer(SYSTEM_CLOCKS.wall)
    await realm.start()
    yield realm
    await realm.stop()


class Replica(NamedTuple):
    """A service that shares introspection answers, and remembers nothing else."""

    service: RunningService
    realm: DevIssuer

    async def ask(self, token: str, times: int = ASKED) -> tuple[int, list[Answer]]:
        """Ask, with the right answer each time; return how often Keycloak was asked."""
        before = self.realm.fetches["introspect"]
        answers = [await self.service.ask(token) for _ in range(times)]
        assert {(it.status, it.body.get("X-Hasura-Role")) for it in answers} == {(200, "viewer")}
        return self.realm.fetches["introspect"] - before, answers

    async def hits(self, token: str) -> bool:
        """Ask, and tell whether Redis knew: where the machine is busy it may have been too slow."""
        return (await self.ask(token, 1))[0] == 0

    async def failures(self) -> float:
        return await self.service.metric("introspection_store_failures_total")


@asynccontextmanager
async def replica(realm: DevIssuer, url: str) -> AsyncIterator[Replica]:
    introspection = {"client_id": CONFIDENTIAL_CLIENT, "client_secret": CLIENT_SECRET}
    settings = {
        "INTROSPECTION": json.dumps(introspection),
        "SHARED__URL": url,
        "CACHE__ENTRIES": "0",
    }
    async with serving(realm.issuer, **settings) as service:
        yield Replica(service, realm)


def bobs(realm: DevIssuer) -> str:
    return realm.login("bob", "openid acme", lightweight=True).access


FAILING = pytest.mark.fault(
    "F28",
    "Redis is not there, hangs, answers garbage or LOADING, dies, stops",
    expected="each failure is a miss: Keycloak is asked, the answer is right",
)
STUBS = [
    pytest.param(None, id="hangs"),
    pytest.param(bytes(range(256)), id="garbage", marks=pytest.mark.long),
    pytest.param(LOADING, id="loading", marks=pytest.mark.long),
]


@FAILING
@pytest.mark.parametrize("reply", STUBS)
async def test_a_faulty_redis_is_a_miss(realm, start_stub, found, reply):
    await _misses_each_time(realm, await start_stub(reply), found)


@FAILING
async def test_a_redis_that_is_not_there_is_a_miss(realm, found):
    found.case = "not there"
    await _misses_each_time(realm, f"redis://127.0.0.1:{free_port()}", found)


async def _misses_each_time(realm: DevIssuer, url: str, found) -> None:
    async with replica(realm, url) as asked:
        introspected, answers = await asked.ask(bobs(realm))
        failures = await asked.failures()

    assert introspected == ASKED
    assert failures >= 1
    found.came(f"{ASKED} x 200, Keycloak asked {introspected} times")
    found.took("asked", [answer.seconds for answer in answers])


@FAILING
@pytest.mark.redis
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["dies", "stops"])
async def test_a_redis_that_fails_mid_way(realm, redis, found, number):
    token = bobs(realm)
    async with replica(realm, redis.url) as asked:
        await asked.ask(token, 1)
        await _written(redis)
        await until(partial(asked.hits, token))
        _fail(redis, number)
        introspected, answers = await asked.ask(token)
        failures = await asked.failures()

    assert introspected == ASKED
    assert failures >= 1
    found.came(f"{ASKED} x 200, Keycloak asked {introspected} times")
    found.took("asked", [answer.seconds for answer in answers])


def _fail(redis, number: signal.Signals) -> None:
    if number is signal.SIGKILL:
        redis.kill()
    else:
        redis.signal(number)


async def _written(redis) -> str:
    """Wait for one entry and return its key."""
    keys: list[str] = []

    async def is_there() -> bool:
        keys[:] = await redis.keys()
        return len(keys) == 1

    await until(is_there)
    return keys[0]


async def _value(redis, key: str) -> bytes:
    text: bytes = await redis.command("GET", key)
    return text.split(b"\r\n", 1)[1][:-2]


@pytest.mark.fault(
    "F29",
    "somebody writes into Redis: a forged answer, or another token's answer",
    expected="not accepted: a miss, and the right answer",
)
@pytest.mark.redis
async def test_a_poisoned_entry_is_not_accepted(realm, redis, found):
    token, better = bobs(realm), realm.login("alice", "openid acme", lightweight=True).access
    async with replica(realm, redis.url) as asked:
        assert (await asked.service.ask(better)).body["X-Hasura-Role"] == "editor"
        alices = await _taken_out(redis)
        await asked.ask(token, 1)
        key = await _written(redis)
        bobs_own = await _value(redis, key)
        poisons = [alices, *(poison(bobs_own) for poison in POISONS)]
        for poison in poisons:
            await until(partial(asked.hits, token))  # the poison before this one is gone
            before = await asked.failures()
            await redis.command("SET", key, poison)
            assert (await asked.ask(token, 1))[0] == 1
            assert await asked.failures() > before

    found.came(f"{len(poisons)} poisons, each refused and counted; 200 with the right role")


POISONS: tuple[Callable[[bytes], bytes], ...] = (
    lambda it: it.replace(b'"viewer"', b'"editor"'),
    lambda it: it[SEAL:],
    lambda it: bytes(SEAL) + it[SEAL:],
    lambda _: b'{"active":true}',
)
"""From an entry: another role under its seal, no seal, a seal of zeros, no more than active."""


async def _taken_out(redis) -> bytes:
    """Wait for one entry, delete it, and return what it held."""
    key = await _written(redis)
    value = await _value(redis, key)
    await redis.command("DEL", key)
    return value
