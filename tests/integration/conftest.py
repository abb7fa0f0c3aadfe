"""The real Keycloak of these tests: one server for the whole run, skipped where it cannot run."""

import asyncio
import os
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path

import pytest
import pytest_asyncio
from admin import Admin
from asking import running, settings_for
from browser import Browser
from keycloak_dist import Tools, find_tools
from keycloak_server import KeycloakServer
from lightweight import add_lightweight
from login import Client
from native import make_grouped, make_native
from organizations import Organizations
from realm import Realm
from variants import ALLOWED_CLIENTS, add_variants

from hasura_kc_auth.wiring import Service

REQUIRE = "HASURA_KC_AUTH_TEST_REQUIRE_KEYCLOAK"
VERSION = "KEYCLOAK_VERSION"
DEFAULT_VERSION = "26.7.3"

ENVIRONMENT = dict(os.environ)  # noqa: TID251 - the tests' own switches, read once

USERS = {
    "alice": {"org1": ["editor"], "org2": ["viewer"]},
    "bob": {"org1": ["viewer"]},
    "carol": {},
    "dave": {"org1": ["owner"]},
    "erin": {"org1": ["admin"]},
}


@cache
def _tools() -> Tools | str:
    return find_tools(ENVIRONMENT)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    # Here and not in a fixture or a mark, so that all skips are one line of the summary.
    found = _tools()
    if isinstance(found, str) and ENVIRONMENT.get(REQUIRE) == "1":
        pytest.fail(f"{found} ({REQUIRE}=1)", pytrace=False)
    if isinstance(found, str):
        pytest.skip(found)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if not item.path.is_relative_to(here):
            continue
        item.add_marker(pytest.mark.keycloak)
        # The first test pays for the server's start, which has bounds of its own.
        item.add_marker(pytest.mark.timeout(60, func_only=True))
        if pytest_asyncio.is_async_test(item):
            # The server's sessions belong to one loop, so the tests run in it.
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def keycloak(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KeycloakServer]:
    """Give the running server; `restart()` keeps its port and its data."""
    tools = _tools()
    assert isinstance(tools, Tools)
    version = ENVIRONMENT.get(VERSION) or DEFAULT_VERSION
    folder = tmp_path_factory.mktemp("keycloak")
    server = await asyncio.to_thread(KeycloakServer.install, version, tools, folder, ENVIRONMENT)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
        server.remove()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def admin(keycloak: KeycloakServer) -> AsyncIterator[Admin]:
    bootstrap = keycloak.bootstrap
    async with Admin(keycloak.url, bootstrap.username, bootstrap.password) as admin:
        yield admin


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def realm(admin: Admin) -> Realm:
    """Give the realm all tests share: read it, add to it, and change nothing others look at."""
    return await make_realm(admin)


@pytest_asyncio.fixture(loop_scope="session")
async def own_realm(admin: Admin) -> Realm:
    """Give the same realm afresh, for a test that breaks it."""
    # Left behind: deleting takes as long as making, and the server does not outlive the run.
    return await make_realm(admin)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def variants(admin: Admin) -> Realm:
    """Give the realm of odd clients, orgs and users: look only, as in `realm`."""
    variants = await make_realm(admin)
    await add_variants(variants)
    return variants


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def service(realm: Realm) -> AsyncIterator[Service]:
    """Give the running service for the shared realm."""
    async with running(settings_for(realm)) as service:
        yield service


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def variants_service(variants: Realm) -> AsyncIterator[Service]:
    """Give the running service for the odd realm; its settings are the same."""
    async with running(settings_for(variants, issuer={"clients": ALLOWED_CLIENTS})) as service:
        yield service


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def native(admin: Admin) -> Organizations:
    """Give the realm of organizations as Keycloak sets them up by itself: look only."""
    return await make_native(admin)


@pytest.fixture(scope="session")
def has_groups(keycloak: KeycloakServer) -> None:
    """Skip where an organization has no groups; two of them in one request came with these."""
    if keycloak.release < (26, 7):
        pytest.skip(f"Keycloak {keycloak.version}: no groups with roles in an organization yet")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def grouped(has_groups: None, admin: Admin) -> Organizations:  # noqa: ARG001
    """Give the realm of organizations whose groups hold the roles: look only."""
    return await make_grouped(admin)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def light(admin: Admin) -> Realm:
    """Give the realm whose frontends get lightweight tokens: look only."""
    realm = await make_realm(admin)
    await add_lightweight(realm)
    return realm


async def make_realm(admin: Admin) -> Realm:
    realm = await Realm.create(admin)
    await realm.add_frontend()
    await realm.add_audience("hasura")
    for org in ("org1", "org2", "org3"):
        await realm.add_org(org)
    for name, roles in USERS.items():
        await realm.add_user(name, roles)
    return realm


@pytest.fixture
def frontend(realm: Realm) -> Client:
    """Give the shared realm's allowed client."""
    return Client(realm.admin.http, realm.issuer)


@pytest_asyncio.fixture(loop_scope="session")
async def browser(realm: Realm) -> AsyncIterator[Browser]:
    async with Browser(realm.issuer) as browser:
        yield browser
