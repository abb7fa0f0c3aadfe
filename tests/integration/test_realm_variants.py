"""The realms that go wrong, or are set up otherwise, look as the harness says they do."""

import pytest
from keycloak_server import KeycloakServer
from login import Client, roles
from realm import AT_JWT, LIGHTWEIGHT, SIGNED_BY, Realm


@pytest.mark.parametrize(
    ("attribute", "value", "part", "expected"),
    [
        pytest.param(AT_JWT, "true", "typ", "at+jwt", id="at+jwt"),
        pytest.param(SIGNED_BY, "ES256", "alg", "ES256", id="another algorithm"),
        pytest.param(SIGNED_BY, "HS256", "alg", "HS256", id="a shared secret"),
    ],
)
async def test_a_client_changes_the_header_of_its_tokens(
    own_realm: Realm, attribute: str, value: str, part: str, expected: str
) -> None:
    await own_realm.configure_client("frontend", attributes={attribute: value})
    frontend = Client(own_realm.admin.http, own_realm.issuer)

    assert (await frontend.password("alice", "openid org1")).header[part] == expected


async def test_the_switches_of_a_client(own_realm: Realm) -> None:
    frontend = Client(own_realm.admin.http, own_realm.issuer)

    await own_realm.configure(accessTokenLifespan=7)
    claims = (await frontend.password("alice", "openid org1")).claims
    assert claims["exp"] - claims["iat"] == 7

    await own_realm.configure_client("org1", enabled=False)
    assert "org1" in roles(await frontend.password("alice", "openid org1"))

    await own_realm.configure_client("frontend", fullScopeAllowed=True)
    assert {"org1", "org2"} <= set(roles(await frontend.password("alice", "openid")))

    await own_realm.configure_client("frontend", attributes={LIGHTWEIGHT: "true"})
    light = await frontend.password("alice", "openid org1")
    assert not {"sub", "aud", "resource_access"} & set(light.claims)
    assert "org1" in light.scopes


async def test_clients_that_lack_a_default_scope(own_realm: Realm) -> None:
    for client_id, missing in (("roleless", "roles"), ("baseless", "basic")):
        await own_realm.add_frontend(client_id)
        await own_realm.assign(client_id, "org1")
        await own_realm.unassign(client_id, missing)
    roleless = Client(own_realm.admin.http, own_realm.issuer, "roleless")
    baseless = Client(own_realm.admin.http, own_realm.issuer, "baseless")

    without_roles = await roleless.password("alice", "openid org1")
    without_sub = await baseless.password("alice", "openid org1")

    assert "org1" in without_roles.scopes
    assert roles(without_roles) == {}
    assert "sub" not in without_sub.claims


async def test_orgs_out_of_the_ordinary(own_realm: Realm) -> None:
    await own_realm.add_org("hidden", in_token=False)
    await own_realm.add_org("bare", mapped=False)
    await own_realm.add_org("always", how="default")
    await own_realm.add_org("acme.io", scope="org:acme.io")
    await own_realm.add_role("org2", "bridge")
    await own_realm.map_roles("org2", "org2", "bridge")
    await own_realm.add_composite(("org2", "bridge"), ("org1", "admin"))
    orgs = {"hidden": ["viewer"], "always": ["viewer"], "acme.io": ["viewer"], "org2": ["bridge"]}
    await own_realm.add_user("zoe", orgs)
    frontend = Client(own_realm.admin.http, own_realm.issuer)

    hidden = await frontend.password("zoe", "openid hidden bare")
    named = await frontend.password("zoe", "openid org:acme.io")
    leaking = await frontend.password("zoe", "openid org2")

    assert roles(hidden) == {"hidden": {"viewer"}, "always": {"viewer"}}
    assert {"bare", "always"} <= hidden.scopes
    assert "hidden" not in hidden.scopes
    assert roles(named) == {"acme.io": {"viewer"}, "always": {"viewer"}}
    assert roles(leaking)["org1"] == {"admin"}


async def test_mappers_and_pairwise_subjects(own_realm: Realm) -> None:
    await own_realm.add_mapper(
        "frontend",
        "plan",
        "oidc-hardcoded-claim-mapper",
        claim__name="plan",
        claim__value="gold",
        jsonType__label="String",
        access__token__claim="true",
    )
    await own_realm.add_mapper(
        "frontend", "pairwise", "oidc-sha256-pairwise-sub-mapper", pairwiseSubAlgorithmSalt="salt"
    )
    frontend = Client(own_realm.admin.http, own_realm.issuer)

    claims = (await frontend.password("alice", "openid org1")).claims

    assert claims["plan"] == "gold"
    assert claims["sub"] != own_realm.users["alice"]


async def test_roles_come_and_go_with_the_next_refresh(own_realm: Realm) -> None:
    frontend = Client(own_realm.admin.http, own_realm.issuer)
    tokens = await frontend.password("alice", "openid org1")

    await own_realm.revoke("alice", "org1", "editor")
    tokens = await frontend.refresh(tokens)
    assert "org1" not in tokens.scopes

    await own_realm.grant("alice", "org1", "viewer")
    assert roles(await frontend.refresh(tokens)) == {"org1": {"viewer"}}


async def test_discovery_names_every_org_but_those_kept_out(
    keycloak: KeycloakServer, own_realm: Realm
) -> None:
    """From 26.7 on; and who asks for the scope of such an org gets it all the same."""
    path = f"{own_realm.path}/client-scopes/{own_realm.scopes['org1']}"
    hidden = {"include.in.openid.provider.metadata": "false"}

    assert {"org1", "org2"} <= await _scopes_of_discovery(own_realm)

    await own_realm.admin.change(path, attributes=hidden)
    named = await _scopes_of_discovery(own_realm)
    tokens = await Client(own_realm.admin.http, own_realm.issuer).password("alice", "openid org1")

    knows_the_switch = keycloak.release >= (26, 7)
    assert {"org1", "org2"} & named == ({"org2"} if knows_the_switch else {"org1", "org2"})
    assert roles(tokens) == {"org1": {"editor"}}


async def _scopes_of_discovery(realm: Realm) -> set[str]:
    async with realm.admin.http.get(f"{realm.issuer}/.well-known/openid-configuration") as answer:
        return set((await answer.json())["scopes_supported"])
