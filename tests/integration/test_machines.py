"""Machines: tokens by client credentials pass through the same rules, and can be told."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from admin import Admin
from asking import Answer, ask, denied, granted, running, settings_for
from conftest import make_realm
from lightweight import allow_introspection, introspecting
from login import Client, Tokens
from realm import LIGHTWEIGHT, Realm

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.wiring import Service

MACHINES = ("robot", "light-robot")
VARIABLES = {
    "X-Hasura-Machine": "client_id",
    "X-Hasura-Name": "preferred_username",
    "X-Hasura-Is-Machine": {"claim": "client_id", "default": "nobody"},
}


class Machines:
    """A realm with two machines and a human who is called like one."""

    def __init__(self, realm: Realm) -> None:
        self.realm = realm
        self.clients: dict[str, Client] = {}

    async def add(self, name: str, **attributes: str) -> None:
        secret = await self.realm.add_service_account(name, {"org1": ["viewer"]})
        for org in ("org1", "org2"):
            await self.realm.assign(name, org)
        await self.realm.assign(name, "hasura-audience", "default")
        await self.realm.configure_client(name, attributes=attributes)
        self.clients[name] = Client(self.realm.admin.http, self.realm.issuer, name, secret)

    async def login(self, name: str = "robot", scope: str = "openid org1") -> Tokens:
        return await self.clients[name].client_credentials(scope)

    def expected(self, name: str, **more: str) -> Answer:
        answer = granted(self.realm, f"service-account-{name}", "org1", "viewer")
        body = {key: value for key, value in answer.body.items() if key != "X-Hasura-Email"}
        variables = {"X-Hasura-Name": f"service-account-{name}", **_named(more)}
        return Answer(200, {**body, **variables})


def _named(variables: dict[str, str]) -> dict[str, str]:
    return {f"X-Hasura-{name.replace('_', '-')}": value for name, value in variables.items()}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def machines(admin: Admin) -> Machines:
    machines = Machines(await make_realm(admin))
    await machines.add("robot")
    await machines.add("light-robot", **{LIGHTWEIGHT: "true"})
    await machines.realm.add_user("service-account-x", {"org1": ["viewer"]})
    await allow_introspection(machines.realm)
    return machines


@pytest_asyncio.fixture(loop_scope="session")
async def telling(machines: Machines) -> AsyncIterator[Service]:
    async with running(settings_of(machines)) as service:
        yield service


def settings_of(machines: Machines, **issuer: Any) -> Settings:
    issuer = {**issuer, "clients": ["frontend", *MACHINES]}
    return settings_for(machines.realm, issuer=issuer, session={"variables": VARIABLES})


async def test_a_machine_is_told_by_its_client(machines: Machines, telling: Service) -> None:
    tokens = await machines.login()

    assert "sid" not in tokens.claims
    expected = machines.expected("robot", Machine="robot", Is_Machine="robot")
    assert await ask(telling, tokens.access) == expected
    assert await ask(telling, tokens.access, org_id="org1", role="viewer") == expected


async def test_a_machine_is_held_by_the_same_rules(machines: Machines, telling: Service) -> None:
    one = (await machines.login(scope="openid org1 org2")).access
    foreign = (await machines.login(scope="openid org2")).access
    none = (await machines.login(scope="openid")).access

    # It has no role in org2, so Keycloak drops that scope.
    expected = machines.expected("robot", Machine="robot", Is_Machine="robot")
    assert await ask(telling, one) == expected
    assert await ask(telling, one, org_id="org2") == denied("org_not_granted")
    assert await ask(telling, one, role="editor") == denied("role_not_granted")
    for token in (foreign, none):
        assert await ask(telling, token) == denied("no_org")
        assert await ask(telling, token, org_id="org1") == denied("no_org")
    async with running(settings_for(machines.realm)) as service:
        assert await ask(service, one) == denied("wrong_client")


async def test_a_human_called_like_a_machine_is_none(machines: Machines, telling: Service) -> None:
    realm = machines.realm
    human = await Client(realm.admin.http, realm.issuer).password(
        "service-account-x", "openid org1"
    )

    usual = granted(realm, "service-account-x", "org1", "viewer").body
    body = {key: value for key, value in usual.items() if key != "X-Hasura-Email"}
    expected = {**body, "X-Hasura-Name": "service-account-x", "X-Hasura-Is-Machine": "nobody"}
    answer = await ask(telling, human.access, machine="robot", is_machine="robot")
    assert answer == Answer(200, expected)


async def test_introspection_makes_no_human_a_machine(machines: Machines) -> None:
    """Keycloak's answer has a `client_id` for every token: that of its frontend."""
    realm = machines.realm
    human = await Client(realm.admin.http, realm.issuer).password("alice", "openid org1")
    robot = await machines.login()

    async with running(settings_of(machines, **introspection("always"))) as service:
        answer = await ask(service, human.access)
        assert answer.status == 200
        assert "X-Hasura-Machine" not in answer.body
        assert answer.body["X-Hasura-Is-Machine"] == "nobody"
        expected = machines.expected("robot", Machine="robot", Is_Machine="robot")
        assert await ask(service, robot.access) == expected


def introspection(when: str) -> dict[str, Any]:
    return {"introspection": introspecting(when=when)["introspection"]}


@pytest.mark.parametrize("when", ["always", "lightweight"])
async def test_a_lightweight_token_of_a_machine_is_asked_about(
    machines: Machines, when: str
) -> None:
    """It has no session, so that its `sub` is in the token; everything else is missing."""
    tokens = await machines.login("light-robot")

    assert "aud" not in tokens.claims
    assert "sub" in tokens.claims
    expected = machines.expected("light-robot", Is_Machine="nobody")
    async with running(settings_of(machines, **introspection(when))) as service:
        assert await ask(service, tokens.access) == expected
    async with running(settings_of(machines)) as service:
        assert await ask(service, tokens.access) == denied("wrong_audience")


async def test_without_the_scope_that_tells_a_machine_is_not_told(machines: Machines) -> None:
    await machines.add("unnamed")
    await machines.realm.unassign("unnamed", "service_account")
    tokens = await machines.login("unnamed")

    assert "client_id" not in tokens.claims
    settings = settings_for(
        machines.realm, issuer={"clients": ["unnamed"]}, session={"variables": VARIABLES}
    )
    async with running(settings) as service:
        expected = machines.expected("unnamed", Is_Machine="nobody")
        assert await ask(service, tokens.access) == expected
