"""Names that lead elsewhere: of aliases, of attributes, of Keycloak's own clients."""

from typing import Any

import pytest
import pytest_asyncio
from admin import Admin
from asking import ask, denied, granted, running, settings_for
from joserfc.jwk import ECKey
from login import Client, roles
from native import login_to, make_grouped, make_native, native_settings
from organizations import Organizations

WITH_GROUPS = pytest.mark.usefixtures("has_groups")
EVERYTHING = {"addOrganizationId": "true", "addOrganizationAttributes": "true"}
# Names of clients that are there already, and what JavaScript has in every object.
ODD_ALIASES = ("a.b", "Ünï", "null", "__proto__")
NO_ORGS = ("account", "realm-management", "frontend")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def odd(admin: Admin) -> Organizations:
    """Give a realm of organizations with odd aliases, all with alice in them."""
    realm = await make_native(admin, **EVERYTHING)
    for found in await admin.get(f"{realm.path}/clients"):
        realm.clients[found["clientId"]] = found["id"]
    for alias in ("ACME", *ODD_ALIASES):
        await realm.add_client(alias)
    for alias in (*ODD_ALIASES, *NO_ORGS):
        await realm.add_organization(alias, "alice")
    # "ACME" is bob's, and no org of alice, who has a role in its client.
    await realm.add_organization("ACME", "bob")
    for alias in ("ACME", *ODD_ALIASES, "account", "frontend"):
        await realm.add_role(alias, "viewer")
        await realm.map_own_roles("frontend", alias, "viewer")
        await realm.grant("alice", alias, "viewer")
    return realm


async def test_aliases_that_differ_in_case_are_two_orgs(odd: Organizations) -> None:
    small = await login_to(odd, "bob", "acme")
    large = await login_to(odd, "bob", "ACME")
    foreign = await login_to(odd, "alice", "ACME")

    assert set(small.claims["organization"]) == {"acme"}
    assert set(large.claims["organization"]) == {"ACME"}
    async with running(native_settings(odd, roles="client")) as service:
        assert await ask(service, small.access) == granted(odd, "bob", "acme", "viewer")
        assert await ask(service, small.access, org_id="ACME") == denied("org_not_granted")
        assert await ask(service, large.access) == denied("no_role")
        assert await ask(service, large.access, org_id="acme") == denied("org_not_granted")
        for wishes in ({}, {"org_id": "acme"}, {"org_id": "ACME"}):
            assert await ask(service, foreign.access, **wishes) == denied("no_org")


@pytest.mark.parametrize("alias", ODD_ALIASES)
async def test_an_alias_may_be_odd(odd: Organizations, alias: str) -> None:
    token = (await login_to(odd, "alice", alias)).access
    expected = granted(odd, "alice", alias, "viewer")

    async with running(native_settings(odd, roles="client")) as service:
        assert await ask(service, token) == expected
        assert await ask(service, token, org_id="acme") == denied("org_not_granted")
        if alias.isascii():
            assert await ask(service, token, org_id=alias) == expected


@pytest.mark.parametrize("alias", NO_ORGS)
async def test_an_alias_lends_no_roles_of_a_client_that_is_no_orgs(
    odd: Organizations, alias: str
) -> None:
    """T17: of Keycloak's own clients and of the frontend, whoever called an org so."""
    tokens = await login_to(odd, "alice", alias)

    assert set(tokens.claims["organization"]) == {alias}
    async with running(native_settings(odd, roles="client")) as service:
        assert await ask(service, tokens.access) == denied("no_role")
        assert await ask(service, tokens.access, role="viewer") == denied("no_role")


async def test_an_attribute_called_like_the_roles_is_none(odd: Organizations) -> None:
    """The mapper writes it where the roles would be; it is a list, and never an object."""
    tokens = await login_to(odd, "alice", "acme")

    assert tokens.claims["organization"]["acme"]["resource_access"] == ["hasura"]
    async with running(native_settings(odd, realm_roles=True)) as service:
        assert await ask(service, tokens.access) == denied("no_role")


@WITH_GROUPS
async def test_attributes_and_roles_side_by_side(admin: Admin) -> None:
    """The roles win over an attribute of that name, where the member has any."""
    realm = await make_grouped(admin, **EVERYTHING)
    await realm.add_organization(
        "delta", "alice", "carol", groups=["/editors"], realm_access=["owner"], id=["acme"]
    )
    alice = await login_to(realm, "alice", "acme")
    delta = await login_to(realm, "alice", "delta")
    carol = await login_to(realm, "carol", "acme")

    entry = alice.claims["organization"]["acme"]
    assert entry["resource_access"] == {"hasura": {"roles": ["editor"]}}
    assert entry["tenant"] == ["t-1"]
    assert carol.claims["organization"]["acme"]["resource_access"] == ["hasura"]
    by_tenant = native_settings(realm, realm_roles=True, id="attribute:tenant")
    async with running(by_tenant) as service:
        assert await ask(service, alice.access) == granted(realm, "alice", "t-1", "editor")
        assert await ask(service, carol.access) == denied("no_role")
        assert await ask(service, delta.access) == denied("no_org")
    async with running(native_settings(realm, realm_roles=True, id="id")) as service:
        assert await ask(service, delta.access) == denied("no_role")
        refused = await ask(service, delta.access, org_id="acme")
        assert refused == denied("org_not_granted")
    async with running(native_settings(realm, roles="groups")) as service:
        assert await ask(service, delta.access) == denied("no_role")


async def test_without_the_mapper_of_groups_an_attribute_may_pass_for_them(admin: Admin) -> None:
    """Only what is a path: of one that holds paths nothing in the token tells."""
    realm = await make_native(admin, **EVERYTHING)
    await realm.add_organization("delta", "alice", groups=["editor"])
    await realm.add_organization("epsilon", "alice", groups=["/editors"])
    delta, epsilon = [await login_to(realm, "alice", org) for org in ("delta", "epsilon")]

    assert delta.claims["organization"]["delta"]["groups"] == ["editor"]
    assert epsilon.claims["organization"]["epsilon"]["groups"] == ["/editors"]
    settings = settings_for(
        realm,
        issuer={"org": {"from": "organization", "roles": "groups"}},
        roles={"allowed": ["editor"], "map": {"/editors": "editor"}},
    )
    async with running(settings) as service:
        assert await ask(service, delta.access) == denied("no_role")
        assert await ask(service, epsilon.access) == granted(realm, "alice", "epsilon", "editor")


async def test_two_orgs_may_show_one_id(admin: Admin) -> None:
    """An attribute is no key: nobody may act for either of them where both are in the token."""
    realm = await make_native(admin, **EVERYTHING)
    await realm.add_client("copy")
    await realm.add_role("copy", "editor")
    await realm.map_own_roles("frontend", "copy")
    await realm.add_organization("copy", "bob", tenant=["t-1"])
    await realm.grant("bob", "copy", "editor")
    one = (await login_to(realm, "bob", "acme")).access
    every = (await login_to(realm, "bob", "*")).access

    async with running(native_settings(realm, roles="client", id="attribute:tenant")) as service:
        assert await ask(service, one) == granted(realm, "bob", "t-1", "viewer")
        for wishes in ({}, {"org_id": "t-1"}, {"org_id": "t-1", "role": "editor"}):
            assert await ask(service, every, **wishes) == denied("ambiguous_org")


async def test_a_session_id_is_no_uuid_and_a_bound_token_stays_refused(
    native: Organizations, keycloak: Any
) -> None:
    """A6 and A7: of newer servers; neither changes an answer."""
    tokens = await login_to(native, "alice", "acme")
    client = Client(native.admin.http, native.issuer)
    key = ECKey.generate_key("P-256")
    bound = await client.bound_password("alice", "openid organization:acme", key)

    new = keycloak.release >= (26, 7)
    assert ("-" in tokens.claims["sid"] and len(tokens.claims["sid"]) == 36) != new
    assert set(bound.claims["cnf"]) == ({"jkt", "kc-jkt-type"} if new else {"jkt"})
    async with running(native_settings(native, roles="client")) as service:
        assert await ask(service, tokens.access) == granted(native, "alice", "acme", "editor")
        assert await ask(service, bound.access) == denied("sender_constrained")


async def test_roles_by_groups_are_not_at_the_top_level(grouped: Organizations) -> None:
    """A4: and what is there under another client is no role of the org's groups."""
    tokens = await login_to(grouped, "alice", "acme")

    assert "hasura" not in roles(tokens)
    async with running(native_settings(grouped, client="acme")) as service:
        assert roles(tokens)["acme"] == {"editor"}
        assert await ask(service, tokens.access) == denied("no_role")
