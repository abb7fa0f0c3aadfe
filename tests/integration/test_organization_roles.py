"""Keycloak's native Organizations: where the roles of an org are, and where they are not."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from asking import ask, denied, granted, running, settings_for
from login import roles
from native import login_to, native_settings
from organizations import Organizations

from hasura_kc_auth.wiring import Service


@pytest_asyncio.fixture(loop_scope="session")
async def grouped_service(grouped: Organizations) -> AsyncIterator[Service]:
    async with running(native_settings(grouped)) as service:
        yield service


@pytest.mark.parametrize(
    ("user", "org", "held"),
    [
        ("alice", "acme", ["editor"]),
        ("alice", "beta", ["viewer"]),
        pytest.param("bob", "acme", ["viewer"], id="the roles of a parent group are not its own"),
    ],
)
async def test_roles_are_those_of_the_groups_in_the_org(
    grouped: Organizations, grouped_service: Service, user: str, org: str, held: list[str]
) -> None:
    """A4. The token's top level holds those of other orgs."""
    tokens = await login_to(grouped, user, org)

    nested = tokens.claims["organization"][org]["resource_access"]
    assert nested == {"hasura": {"roles": held}}
    assert roles(tokens)["acme"]
    assert await ask(grouped_service, tokens.access) == granted(grouped, user, org, *held)
    refused = await ask(grouped_service, tokens.access, role="org_admin")
    assert refused == denied("role_not_granted")


async def test_realm_roles_of_a_group_count_where_they_are_asked_for(
    grouped: Organizations, grouped_service: Service
) -> None:
    token = (await login_to(grouped, "alice", "beta")).access
    both = granted(grouped, "alice", "beta", "owner", "viewer")
    only = granted(grouped, "alice", "beta", "owner")

    assert await ask(grouped_service, token, role="owner") == denied("role_not_granted")
    async with running(native_settings(grouped, realm_roles=True)) as service:
        assert await ask(service, token) == both
    async with running(native_settings(grouped, roles="nested", realm_roles=True)) as service:
        assert await ask(service, token) == only
    async with running(native_settings(grouped, client="acme")) as service:
        assert await ask(service, token) == denied("no_role")


async def test_groups_may_be_roles_by_their_path(grouped: Organizations) -> None:
    mapping = {"/editors": "editor", "/editors/leads": "owner", "/viewers": "viewer"}
    settings = settings_for(
        grouped,
        issuer={"org": {"from": "organization", "roles": "groups"}},
        roles={"allowed": ["owner", "editor", "viewer"], "map": mapping},
    )
    token = (await login_to(grouped, "bob", "acme")).access
    beta = (await login_to(grouped, "alice", "beta")).access

    async with running(settings) as service:
        assert await ask(service, token) == granted(grouped, "bob", "acme", "owner")
        assert await ask(service, token, role="editor") == denied("role_not_granted")
        assert await ask(service, beta) == granted(grouped, "alice", "beta", "viewer")
        none = await login_to(grouped, "carol", "acme")
        assert await ask(service, none.access) == denied("no_role")


async def test_a_member_without_a_group_has_no_role(
    grouped: Organizations, grouped_service: Service
) -> None:
    """A5: though the very client's role is at the token's top level."""
    tokens = await login_to(grouped, "carol", "acme")

    assert tokens.claims["organization"] == {"acme": {"groups": []}}
    assert roles(tokens) == {"hasura": {"editor"}}
    assert await ask(grouped_service, tokens.access) == denied("no_role")
    assert await ask(grouped_service, tokens.access, role="editor") == denied("no_role")


async def test_a_name_alone_holds_no_role(native: Organizations) -> None:
    token = (await login_to(native, "alice", "acme")).access

    for org in ({"client": "acme"}, {"roles": "groups"}):
        async with running(native_settings(native, **org)) as service:
            assert await ask(service, token) == denied("no_role")


async def test_an_org_may_be_cut_off(native: Organizations) -> None:
    acme = (await login_to(native, "alice", "acme")).access
    every = (await login_to(native, "alice", "*")).access

    for cut in ({"deny": ["acme"]}, {"only": ["bet*"]}):
        async with running(native_settings(native, roles="client", **cut)) as service:
            assert await ask(service, acme) == denied("no_org")
            # Nor does this make a choice for the user.
            assert await ask(service, every) == denied("ambiguous_org")
