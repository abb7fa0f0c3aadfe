"""Keycloak's native Organizations: each form of the claim and of the scope, and where roles are."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from admin import Admin
from asking import ask, denied, granted, running
from login import LoginFailed, roles
from native import ATTRIBUTES, login_to, make_native, native_settings
from organizations import Organizations

from hasura_kc_auth.wiring import Service

WITH_GROUPS = pytest.mark.usefixtures("has_groups")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mapped(admin: Admin) -> Organizations:
    """Give the realm whose claim is a map of ids and attributes."""
    return await make_native(admin, addOrganizationId="true", addOrganizationAttributes="true")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def native_service(native: Organizations) -> AsyncIterator[Service]:
    async with running(native_settings(native, roles="client")) as service:
        yield service


@pytest_asyncio.fixture(loop_scope="session")
async def grouped_service(grouped: Organizations) -> AsyncIterator[Service]:
    async with running(native_settings(grouped)) as service:
        yield service


# The scope


@pytest.mark.parametrize(
    ("user", "org", "held"),
    [("alice", "acme", "editor"), ("alice", "beta", "viewer"), ("bob", "acme", "viewer")],
)
async def test_a_login_with_an_orgs_alias_picks_it(
    native: Organizations, native_service: Service, user: str, org: str, held: str
) -> None:
    tokens = await login_to(native, user, org)
    other = "beta" if org == "acme" else "acme"

    assert tokens.claims["organization"] == [org]
    expected = granted(native, user, org, held)
    assert await ask(native_service, tokens.access) == expected
    assert await ask(native_service, tokens.access, org_id=org, role=held) == expected
    assert await ask(native_service, tokens.access, org_id=other) == denied("org_not_granted")
    assert await ask(native_service, tokens.access, role="owner") == denied("role_not_granted")


async def test_without_a_membership_the_roles_of_an_org_open_nothing(
    native: Organizations, native_service: Service
) -> None:
    """Dora has roles of both in every token, and is no member: Keycloak drops the scope."""
    for wish in ("acme", "beta", "", "*"):
        tokens = await login_to(native, "dora", wish)
        assert roles(tokens) == {"acme": {"editor"}, "beta": {"editor"}}
        assert "organization" not in tokens.claims
        for wishes in ({}, {"org_id": "acme"}):
            assert await ask(native_service, tokens.access, **wishes) == denied("no_org")
    foreign = await login_to(native, "bob", "beta")
    assert await ask(native_service, foreign.access) == denied("no_org")


async def test_without_the_scope_a_membership_opens_nothing(
    native: Organizations, native_service: Service
) -> None:
    tokens = await login_to(native, "alice")

    assert roles(tokens) == {"acme": {"editor"}, "beta": {"viewer"}}
    for wishes in ({}, {"org_id": "acme"}):
        assert await ask(native_service, tokens.access, **wishes) == denied("no_org")


async def test_an_unknown_alias_is_no_scope(native: Organizations) -> None:
    with pytest.raises(LoginFailed) as failed:
        await login_to(native, "alice", "delta")

    assert failed.value.error == "invalid_scope"


@WITH_GROUPS
@pytest.mark.parametrize("order", [("acme", "beta"), ("beta", "acme")])
async def test_the_request_chooses_among_two_aliases(
    native: Organizations, native_service: Service, order: tuple[str, str]
) -> None:
    """A8: before 26.5 Keycloak refuses two of them."""
    both = await login_to(native, "alice", *order)
    one = (await login_to(native, "bob", *order)).access

    assert set(both.claims["organization"]) == {"acme", "beta"}
    token = both.access
    assert await ask(native_service, token) == denied("ambiguous_org")
    assert await ask(native_service, token, role="viewer") == denied("ambiguous_org")
    for org, held, strange in (("acme", "editor", "viewer"), ("beta", "viewer", "editor")):
        assert await ask(native_service, token, org_id=org) == granted(native, "alice", org, held)
        refused = await ask(native_service, token, org_id=org, role=strange)
        assert refused == denied("role_not_granted")
    assert await ask(native_service, token, org_id="gamma") == denied("org_not_granted")
    # The one that bob is no member of was dropped in silence, and leaves nothing.
    assert await ask(native_service, one) == granted(native, "bob", "acme", "viewer")
    assert await ask(native_service, one, org_id="beta") == denied("org_not_granted")


@pytest.mark.parametrize("scope", ["", "*"], ids=["organization", "organization:*"])
async def test_a_scope_without_an_alias_serves_a_member_of_one_org(
    native: Organizations, native_service: Service, scope: str
) -> None:
    token = (await login_to(native, "bob", scope)).access

    assert await ask(native_service, token) == granted(native, "bob", "acme", "viewer")
    assert await ask(native_service, token, org_id="beta") == denied("org_not_granted")


async def test_nobody_may_choose_where_the_scope_names_no_org(
    native: Organizations, native_service: Service
) -> None:
    every = await login_to(native, "alice", "*")
    none = await login_to(native, "alice", "")

    assert set(every.claims["organization"]) == {"acme", "beta"}
    for wishes in ({}, {"org_id": "acme"}, {"org_id": "beta", "role": "viewer"}):
        assert await ask(native_service, every.access, **wishes) == denied("ambiguous_org")
        assert await ask(native_service, none.access, **wishes) == denied("no_org")
    assert "organization" not in none.claims
    assert await ask(native_service, every.access, org_id="x") == denied("org_not_granted")


# The claim


async def test_the_claim_may_be_a_plain_string(admin: Admin) -> None:
    """`Multivalued` is off: of several orgs Keycloak takes any."""
    plain = {"multivalued": "false", "jsonType__label": "String"}
    realm = await make_native(admin, **plain)
    one = await login_to(realm, "alice", "beta")
    every = await login_to(realm, "alice", "*")

    assert one.claims["organization"] == "beta"
    async with running(native_settings(realm, roles="client")) as service:
        assert await ask(service, one.access) == granted(realm, "alice", "beta", "viewer")
        assert await ask(service, one.access, org_id="acme") == denied("org_not_granted")
        # Nothing in the token tells that there were two.
        assert every.claims["organization"] in ("acme", "beta")
        assert await ask(service, every.access) == denied("ambiguous_org")


@pytest.mark.parametrize(
    ("id_from", "org_id"), [("alias", "acme"), ("id", None), ("attribute:tenant", "t-1")]
)
async def test_an_org_may_be_known_by_its_id_or_an_attribute(
    mapped: Organizations, id_from: str, org_id: str | None
) -> None:
    org_id = org_id or mapped.orgs["acme"]
    tokens = await login_to(mapped, "alice", "acme")

    assert tokens.claims["organization"] == {
        "acme": {"id": mapped.orgs["acme"], **ATTRIBUTES["acme"]}
    }
    async with running(native_settings(mapped, roles="client", id=id_from)) as service:
        expected = granted(mapped, "alice", org_id, "editor")
        assert await ask(service, tokens.access) == expected
        assert await ask(service, tokens.access, org_id=org_id) == expected
        for other in {"acme", "t-1", "t-2", "beta"} - {org_id}:
            assert await ask(service, tokens.access, org_id=other) == denied("org_not_granted")


@pytest.mark.parametrize("attribute", ["plan", "missing"])
async def test_what_is_not_one_value_is_no_id(mapped: Organizations, attribute: str) -> None:
    """Two values, and none."""
    token = (await login_to(mapped, "alice", "acme")).access

    settings = native_settings(mapped, roles="client", id=f"attribute:{attribute}")
    async with running(settings) as service:
        assert await ask(service, token) == denied("no_org")
        assert await ask(service, token, org_id="acme") == denied("no_org")
