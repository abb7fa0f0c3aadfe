"""Fixtures of this folder: somebody who publishes keys, and somebody who fetches them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from hasura_kc_auth.keycloak.jwks import KeySource, KeyTimes
from tests.conftest import FakeClock
from tests.keycloak.publishing import RS256, Fetching, Publisher, fetching, publishing
from tests.keycloak.realm_server import RealmServer, realm_server

StartsFetching = Callable[..., Awaitable[Fetching]]


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    """Give a server that publishes a realm with the good key of the made tokens."""
    async with publishing() as publisher:
        yield publisher


@pytest.fixture
async def start_fetching(clock: FakeClock) -> AsyncIterator[StartsFetching]:
    """Give what starts the keys of the issuer at this address, and stops them in the end.

    It takes the members of KeyTimes, and those of KeySource, by name. The cooldown has no jitter.
    """
    started: list[Fetching] = []

    async def start(issuer: str, **options: Any) -> Fetching:
        random = options.pop("random", lambda: 0.0)
        of_source = {name: options.pop(name) for name in ("jwks_uri", "tls") if name in options}
        source = KeySource(issuer, RS256, **of_source)
        found = fetching(clock, source, KeyTimes(**options), random=random)
        await found.keys.start()
        started.append(found)
        return found

    yield start
    for found in started:
        await found.keys.stop()


@pytest.fixture
async def server() -> AsyncIterator[RealmServer]:
    """Give a Keycloak with one realm that has what every realm has."""
    async with realm_server() as server:
        yield server
