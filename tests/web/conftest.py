"""Fixtures of this folder. Its tests run on the event loop that the service runs on."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable

import pytest
import uvloop

from hasura_kc_auth.devtools.issuer import DevIssuer
from tests.conftest import RunningService, StartsService


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def bob(issuer: DevIssuer) -> str:
    """Give the Authorization value of a viewer in acme."""
    return f"Bearer {issuer.login('bob', 'openid acme').access}"


@pytest.fixture
def alice(issuer: DevIssuer) -> str:
    """Give the Authorization value of an editor in acme who is a viewer in globex as well."""
    return f"Bearer {issuer.login('alice', 'openid acme globex').access}"


@pytest.fixture
async def keyless(start_service: StartsService) -> RunningService:
    """Give a service whose issuer is not there: for what is refused before any key is needed."""
    return await start_service("http://127.0.0.1:1/realms/none")


@pytest.fixture
async def impatient(issuer, start_service):
    """Give a service that waits for the rest of a request only so long."""
    return await start_service(issuer.issuer, webhook={"read_timeout": "300ms"})
