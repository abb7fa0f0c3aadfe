"""Fixtures of this folder: a real PostgreSQL with the example's rows, and the service's answers."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hasura_kc_auth.devtools.issuer import DevIssuer
from tests.compose import example
from tests.compose.bool_exp import Hasura
from tests.compose.postgres_server import PostgresServer, find_programs
from tests.conftest import Answer, FakeClock, RunningService, StartsService

Asks = Callable[..., Awaitable[Answer]]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    # Here and not in the fixture, so that all skips are one line of the summary.
    if "postgres" in getattr(item, "fixturenames", ()):
        postgres_programs()


def postgres_programs() -> Path:
    """Return the folder of PostgreSQL's programs; without them skip, or fail where it must be."""
    programs = find_programs()
    if programs is not None:
        return programs
    reason = "PostgreSQL's initdb and psql are not installed"
    if os.environ.get("HASURA_KC_AUTH_TEST_REQUIRE_POSTGRES") == "1":  # noqa: TID251
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def filled_postgres(folder: Path) -> PostgresServer:
    """Start a PostgreSQL with the example's schema and rows."""
    server = PostgresServer(postgres_programs(), folder)
    server.start()
    for name in ("schema.sql", "rows.sql"):
        server.run((example.EXAMPLE / "postgres" / name).read_text("utf-8"))
    return server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    # Its user may not enter pytest's own folders; and a socket's path must be short.
    folder = Path(tempfile.mkdtemp(prefix="hkca-"))
    server = None
    try:
        server = filled_postgres(folder)
        yield server
    finally:
        if server:
            server.stop()
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def hasura(postgres: PostgresServer) -> Hasura:
    return Hasura(postgres)


@pytest.fixture
async def demo_issuer(clock: FakeClock) -> AsyncIterator[DevIssuer]:
    """Give the development issuer with the users and orgs of the example's realm."""
    orgs = example.realm()["roles"]["client"]
    issuer = DevIssuer(clock.wall, users=example.users().values(), orgs=orgs)
    await issuer.start()
    yield issuer
    await issuer.stop()


@pytest.fixture
async def demo_service(demo_issuer: DevIssuer, start_service: StartsService) -> RunningService:
    """Give the service with the example's own settings."""
    running: RunningService = await start_service(settings=example.settings(demo_issuer.issuer))
    return running


@pytest.fixture
def ask(demo_issuer: DevIssuer, demo_service: RunningService) -> Asks:
    """Give what asks for a user logged in for some orgs, as Hasura asks."""

    async def ask(user: str, orgs: str, /, regions: Any = None, **wishes: str) -> Answer:
        token = access_token(demo_issuer, user, orgs, regions)
        headers = {f"X-Hasura-{name.replace('_', '-')}": it for name, it in wishes.items()}
        return await demo_service.ask({"Authorization": f"Bearer {token}", **headers})

    return ask


def access_token(issuer: DevIssuer, name: str, orgs: str, regions: Any = None) -> str:
    """Return a token as the example's realm makes it: its mapper `regions` adds that claim."""
    user = issuer.users[name]
    granted = [org for org in orgs.split() if org in user.roles]
    claims = issuer.maker.access_claims(user, granted, " ".join(["openid", *granted]))
    held = example.regions(name) if regions is None else regions
    return issuer.keys.sign(
        claims | {"sub": user.subject, "sid": "1"} | ({"regions": held} if held else {})
    )
