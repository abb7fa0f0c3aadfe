"""The line between the service and Keycloak fails: a TCP proxy stands there and spoils answers.

Discovery, keys and tokens all come through it: Keycloak names its issuer by the address it is asked
at. The service is a process of its own, and remembers no decisions, so that each answer rests on
the keys.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

import aiohttp
import pytest
import pytest_asyncio
from admin import Admin
from asking import forged
from conftest import make_realm
from keycloak_server import KeycloakServer
from login import Client
from realm import Realm
from realm_keys import add_key

from tests.chaos.enduring import ASKS_OFTEN, failed, fetched_anew, most_attempts, now
from tests.chaos.proxy import (
    Proxy,
    Relays,
    corrupting,
    cutting,
    faithful,
    half_closing,
    late,
    proxy_to,
    resetting,
    trickling,
)
from tests.chaos.report import Found, found
from tests.chaos.service import Answer, RunningService, said_by, serving, until

__all__ = ["found"]  # a fixture

EXPECTED = "known keys 200 as ever, unknown ones 401 within the timeout; recovers by itself"
PRIORITIES = count(200)
"""Each key of a higher one than that before it, so that it signs."""
TIMEOUT = 0.5
SETTINGS = {**ASKS_OFTEN, "KEYS__TIMEOUT": "500ms", "CACHE__ENTRIES": "0"}


def spoiling(number: str, injected: str, relays: Relays, *results: str) -> object:
    """Return a case: what the proxy does, and what the service calls it."""
    mark = pytest.mark.fault(number, injected, expected=EXPECTED)
    return pytest.param(relays, results, marks=mark, id=relays.__name__)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def proxy(keycloak: KeycloakServer) -> AsyncIterator[Proxy]:
    async with proxy_to(keycloak.port) as proxy:
        yield proxy


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def rotating(admin: Admin) -> Realm:
    """Give a realm whose keys these tests rotate."""
    return await make_realm(admin)


@pytest.mark.parametrize(
    ("relays", "results"),
    [
        spoiling("K1", "answers come 2 s late", late, "timeout"),
        spoiling("K2", "answers are cut in the middle", cutting, "invalid"),
        spoiling("K3", "each fiftieth byte is spoilt", corrupting, "invalid"),
        spoiling("K4", "a reset in the middle of answers", resetting, "connect", "invalid"),
        spoiling("K5", "answers come by a byte a second", trickling, "timeout"),
        spoiling("K6", "half-closed in the middle of answers", half_closing, "invalid"),
    ],
)
async def test_a_bad_line_to_keycloak_costs_nobody_with_a_known_key_anything(
    proxy: Proxy, rotating: Realm, found: Found, relays: Relays, results: tuple[str, ...]
) -> None:
    async with through(proxy, rotating) as client, serving(client.issuer, **SETTINGS) as service:
        old = (await client.password("alice", "openid org1")).access
        usual = await service.ask_each([old] * 50)
        began, before = now(), proxy.connections
        proxy.fault = relays
        known, unknown = await ask_until_failed(service, 1, old)
        await add_key(rotating, priority=next(PRIORITIES))
        new = (await client.password("alice", "openid org1")).access
        proxy.spared = 1  # now discovery gets through, and the keys do not
        await until(lambda: proxy.spared == 0)
        wanted = len(service.events("keys_not_fetched")) + 1
        more = await ask_until_failed(service, wanted, old)
        failures, allowed = await failed(service, wanted), most_attempts(now() - began)
        connections = proxy.connections - before
        states = [await service.ready(), (await service.ask(new)).said]
        successes = len(service.events("keys_fetched"))
        proxy.fault = faithful
        seconds = await fetched_anew(service, successes)
        after = await service.ask(new)

    known, unknown = known + more[0], unknown + more[1]
    assert said_by(known) == {(200, "org1"): len(known)}
    assert said_by(unknown) == {(401, "unknown_key"): len(unknown)}
    assert max(answer.seconds for answer in unknown) < 3 * TIMEOUT
    assert set(failures) <= set(results)
    assert len(failures) <= allowed
    assert connections <= 2 * allowed
    assert states == [200, "unknown_key"]
    assert (after.status, after.said) == (200, "org1")
    found.came(f"known: {len(known)} x 200; unknown: {len(unknown)} x 401; /readyz 200")
    found.came(f"{len(failures)} attempts of {allowed} allowed: {', '.join(sorted(set(failures)))}")
    found.took("known before", [answer.seconds for answer in usual])
    found.took("meanwhile", [answer.seconds for answer in known])
    found.took("unknown", [answer.seconds for answer in unknown])
    found.took("a new key after it is well", [seconds])


@asynccontextmanager
async def through(proxy: Proxy, realm: Realm) -> AsyncIterator[Client]:
    """Give the realm's client for tokens whose issuer is at the proxy.

    It does not go through it itself: Keycloak names the issuer by the header Host.
    """
    address = f"127.0.0.1:{proxy.port}"
    async with aiohttp.ClientSession(headers={"Host": address}) as http:
        client = Client(http, realm.issuer)
        client.issuer = realm.issuer.replace(realm.admin.url, f"http://{address}")
        yield client


async def ask_until_failed(
    service: RunningService, wanted: int, known: str
) -> tuple[list[Answer], list[Answer]]:
    """Ask under a known key and under an unknown one until so many attempts have failed."""
    unknown = forged(known, 0, kid="unpublished")

    def so_many() -> bool:
        return len(service.events("keys_not_fetched")) >= wanted

    first, second = await asyncio.gather(
        service.ask_until(so_many, lambda: known), service.ask_until(so_many, lambda: unknown)
    )
    return first, second
