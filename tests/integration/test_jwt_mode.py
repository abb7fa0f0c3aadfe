"""What Hasura's own JWT mode makes of Keycloak's tokens, for docs/versus-jwt-mode.md.

The tokens are real; Hasura is a stand-in, `tests/hasura_jwt_mode.py`. Its settings are those that
the page shows.
"""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from time import time  # noqa: TID251 - Keycloak's tokens are of the real time
from typing import Any

import pytest
import pytest_asyncio
from admin import Admin
from asking import SkippedTime, ask, denied, granted, running, settings_for
from browser import Browser
from joserfc.jwk import ECKey
from jwt_mode_realm import (
    ORGS,
    add_frontend,
    add_mappers_to_client,
    add_mappers_to_scope,
    login,
    make_jwt_mode_realm,
    make_plain_realm,
    roles_claim,
)
from keycloak_server import KeycloakServer
from levels import StrongBrowser, add_levels
from lightweight import allow_introspection, introspecting
from login import Client, LoginFailed, Tokens
from native import login_to, make_native, native_settings
from organizations import Organizations
from realm import Realm
from realm_keys import add_key, disable_key, key_id_of, published_keys

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.wiring import Service
from tests.hasura_jwt_mode import JwtMode, Refused, seconds_to_next_fetch

PAGE = Path(__file__).parents[2] / "docs" / "versus-jwt-mode.md"
BOTH = "openid org1 org2"
NO_ROLES = "JWT claim does not contain x-hasura-allowed-roles"
NOT_ALLOWED = "Your requested role is not in allowed roles"
EVERY_ROLE = ("org_admin", "editor", "viewer")
VARIABLES = {"X-Hasura-Email": "email"}

# What the page shows for HASURA_GRAPHQL_JWT_SECRET, and its realm.
[SHOWN] = re.findall(r"^```json\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
SHOWN_REALM = "https://sso.example.com/realms/acme"


def config_for(realm: Realm, **claims_map: Any) -> dict[str, Any]:
    """Return the page's settings for this realm; `claims_map`: what else is mapped, and where."""
    config: dict[str, Any] = json.loads(SHOWN.replace(SHOWN_REALM, realm.issuer))
    assert config["jwk_url"] == realm.jwks_uri
    named = {f"x-hasura-{name.replace('_', '-')}": it for name, it in claims_map.items()}
    return {**config, "claims_map": {**config["claims_map"], **named}}


async def jwt_mode(realm: Realm, config: Mapping[str, Any] | None = None) -> JwtMode:
    return JwtMode(config_for(realm) if config is None else config, await published_keys(realm))


def verdict(hasura: JwtMode, token: str, role: str | None = None) -> dict[str, str] | str:
    """Return the session's variables, or why there is none."""
    try:
        return hasura.session(token, time(), role)
    except Refused as refused:
        return str(refused)


def session(realm: Realm, user: str, org: str, role: str) -> dict[str, str]:
    return {
        "x-hasura-user-id": realm.users[user],
        "x-hasura-org-id": org,
        "x-hasura-role": role,
    }


def settings_of(realm: Realm, *more: str, **sections: Any) -> Settings:
    return settings_for(realm, issuer={"clients": ["frontend", *more]}, **sections)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mapped(admin: Admin) -> Realm:
    """Give the realm whose scopes write what JWT mode reads."""
    return await make_jwt_mode_realm(admin)


@pytest_asyncio.fixture(loop_scope="session")
async def hasura(mapped: Realm) -> JwtMode:
    return await jwt_mode(mapped)


@pytest_asyncio.fixture(loop_scope="session")
async def service(mapped: Realm) -> AsyncIterator[Service]:
    """Give this service for the same realm; it does not look at the mappers' claims."""
    async with running(settings_of(mapped)) as service:
        yield service


# --- what JWT mode does well


async def test_one_org_is_carried_as_well_as_here(
    mapped: Realm, hasura: JwtMode, service: Service
) -> None:
    alice = (await login(mapped, "alice", "openid org1")).access
    bob = (await login(mapped, "bob", "openid org1")).access

    assert verdict(hasura, alice) == session(mapped, "alice", "org1", "viewer")
    assert verdict(hasura, alice, "org_admin") == session(mapped, "alice", "org1", "org_admin")
    assert await ask(service, alice) == granted(mapped, "alice", "org1", *EVERY_ROLE)
    assert verdict(hasura, bob) == session(mapped, "bob", "org1", "viewer")
    assert verdict(hasura, bob, "org_admin") == NOT_ALLOWED
    assert await ask(service, bob, role="org_admin") == denied("role_not_granted")


async def test_an_org_not_held_is_refused_by_both(
    mapped: Realm, hasura: JwtMode, service: Service
) -> None:
    """Keycloak drops its scope, and with it the mappers in it."""
    for user, scope in (("carol", "openid org1"), ("alice", "openid")):
        token = (await login(mapped, user, scope)).access

        assert verdict(hasura, token) == NO_ROLES
        assert await ask(service, token) == denied("no_org")


@pytest.mark.parametrize(
    ("claim", "config"),
    [
        pytest.param("hasura_claims", {"claims_namespace_path": "$.hasura_claims"}, id="a path"),
        pytest.param(r"https://hasura\.io/jwt/claims", {}, id="the default namespace"),
    ],
)
async def test_a_namespace_serves_as_well_as_a_map(
    mapped: Realm, claim: str, config: dict[str, str]
) -> None:
    client_id = f"namespaced-{len(config)}"
    await mapped.add_frontend(client_id)
    await mapped.map_own_roles(client_id, "org1")
    for name, provider, options in (
        ("org-id", "oidc-hardcoded-claim-mapper", {"claim__value": "org1"}),
        ("default-role", "oidc-hardcoded-claim-mapper", {"claim__value": "viewer"}),
        ("user-id", "oidc-usermodel-property-mapper", {"user__attribute": "id"}),
        ("allowed-roles", "oidc-usermodel-client-role-mapper", roles_claim("org1")),
    ):
        written = {"jsonType__label": "String", "access__token__claim": "true", **options}
        written["claim__name"] = f"{claim}.x-hasura-{name}"
        await mapped.add_mapper(client_id, name, provider, **written)
    token = (await login(mapped, "alice", client_id=client_id)).access

    hasura = await jwt_mode(mapped, config)
    assert verdict(hasura, token, "editor") == session(mapped, "alice", "org1", "editor")


async def test_one_org_per_user_needs_one_attribute(mapped: Realm) -> None:
    """And roles in one client, which are the same question whatever the org is."""
    await _give_attribute(mapped, "alice", "org1")
    await mapped.add_role("hasura", "editor")
    await mapped.add_role("hasura", "viewer")
    await mapped.grant("alice", "hasura", "editor", "viewer")
    await mapped.add_frontend("single")
    await mapped.assign("single", "hasura-audience", "default")
    await mapped.map_own_roles("single", "hasura")
    await mapped.add_mapper(
        "single",
        "org",
        "oidc-usermodel-attribute-mapper",
        user__attribute="org",
        claim__name="hasura.org",
        jsonType__label="String",
        access__token__claim="true",
    )
    provider = "oidc-usermodel-client-role-mapper"
    await mapped.add_mapper("single", "roles", provider, **roles_claim("hasura"))
    token = (await login(mapped, "alice", client_id="single")).access

    hasura = await jwt_mode(mapped)
    assert verdict(hasura, token) == session(mapped, "alice", "org1", "viewer")
    assert verdict(hasura, token, "editor") == session(mapped, "alice", "org1", "editor")
    assert verdict(hasura, token, "org_admin") == NOT_ALLOWED


async def _give_attribute(realm: Realm, user: str, org: str) -> None:
    profile = await realm.admin.get(f"{realm.path}/users/profile")
    profile["unmanagedAttributePolicy"] = "ADMIN_EDIT"
    await realm.admin.put(f"{realm.path}/users/profile", profile)
    path = f"{realm.path}/users/{realm.users[user]}"
    await realm.admin.change(path, attributes={"org": [org]})


async def test_a_machine_is_served_by_both(mapped: Realm, hasura: JwtMode) -> None:
    secret = await mapped.add_service_account("robot", {"org1": ["viewer"]})
    await mapped.assign("robot", "org1")
    await mapped.assign("robot", "hasura-audience", "default")
    robot = Client(mapped.admin.http, mapped.issuer, "robot", secret)
    token = (await robot.client_credentials("openid org1")).access

    user = "service-account-robot"
    assert verdict(hasura, token) == session(mapped, user, "org1", "viewer")
    async with running(settings_of(mapped, "robot")) as service:
        answer = await ask(service, token)
        assert (answer.status, answer.body["X-Hasura-Org-Id"]) == (200, "org1")


async def test_a_new_key_is_seen_within_a_second_and_a_withdrawn_one_too(admin: Admin) -> None:
    realm = await make_plain_realm(admin)
    for org in ORGS:
        await add_mappers_to_scope(realm, org, org)
    old = await login(realm, "alice", "openid org1")
    hasura = await jwt_mode(realm)
    time = SkippedTime()
    async with realm.admin.http.get(realm.jwks_uri) as response:
        assert seconds_to_next_fetch(response.headers["Cache-Control"]) == 1

    async with running(settings_of(realm), time.clocks) as service:
        assert (await ask(service, old.access)).status == 200
        await disable_key(realm, await key_id_of(realm, old.header["kid"]))
        await add_key(realm)
        new = await login(realm, "alice", "openid org1")
        hasura.keys = await published_keys(realm)

        assert verdict(hasura, new.access) == session(realm, "alice", "org1", "viewer")
        assert verdict(hasura, old.access) == "Could not verify JWT: JWSError JWSInvalidSignature"
        # Here, no earlier than keys.cooldown after the last fetch.
        assert await ask(service, new.access) == denied("unknown_key")
        assert (await ask(service, old.access)).status == 200
        time.monotonic += 61  # keys.cooldown, and cache.ttl for what is remembered
        assert (await ask(service, new.access)).status == 200
        assert await ask(service, old.access) == denied("unknown_key")


# --- several orgs in one token


async def test_two_scopes_mix_tenants_there_and_are_ambiguous_here(
    mapped: Realm, hasura: JwtMode, service: Service
) -> None:
    """Two users, each admin of the one org and viewer of the other: whichever org's name wins."""
    crossed = []
    for user, own, other in (("alice", "org1", "org2"), ("bob", "org2", "org1")):
        tokens = await login(mapped, user, BOTH)
        carried = tokens.claims["hasura"]
        as_admin = verdict(hasura, tokens.access, "org_admin")

        assert set(carried["roles"]) == set(EVERY_ROLE)
        assert as_admin == session(mapped, user, carried["org"], "org_admin")
        crossed += [user] if carried["org"] == other else []
        assert await ask(service, tokens.access) == denied("ambiguous_org")
        wished = await ask(service, tokens.access, org_id=own)
        assert wished == granted(mapped, user, own, *EVERY_ROLE)
        assert await ask(service, tokens.access, org_id=other) == granted(
            mapped, user, other, "viewer"
        )
        assert await ask(service, tokens.access, org_id=other, role="org_admin") == denied(
            "role_not_granted"
        )
    # One of them is an admin where they are a viewer only.
    assert len(crossed) == 1


async def test_the_org_in_the_roles_name_mixes_nothing(mapped: Realm) -> None:
    """One token for all orgs, switched by X-Hasura-Role; each permission is written per org."""
    roles = {"path": "$.hasura.named_roles"}
    config = config_for(mapped, allowed_roles=roles, default_role="nobody")
    del config["claims_map"]["x-hasura-org-id"]
    hasura = await jwt_mode(mapped, config)
    tokens = await login(mapped, "alice", BOTH)

    expected = {"org1:org_admin", "org1:editor", "org1:viewer", "org2:viewer"}
    assert set(tokens.claims["hasura"]["named_roles"]) == expected
    for role in expected:
        assert verdict(hasura, tokens.access, role) == {
            "x-hasura-user-id": mapped.users["alice"],
            "x-hasura-role": role,
        }
    for role in ("org2:org_admin", "org_admin", None):
        assert verdict(hasura, tokens.access, role) == NOT_ALLOWED


async def test_a_login_client_per_org_mixes_nothing(mapped: Realm, hasura: JwtMode) -> None:
    """The strongest of all: the client says the org, and no scope can add another one."""
    for user, own, other in (("alice", "org1", "org2"), ("bob", "org2", "org1")):
        strong = (await login(mapped, user, client_id=f"app-{own}")).access
        weak = (await login(mapped, user, client_id=f"app-{other}")).access

        assert verdict(hasura, strong, "org_admin") == session(mapped, user, own, "org_admin")
        assert verdict(hasura, weak) == session(mapped, user, other, "viewer")
        assert verdict(hasura, weak, "org_admin") == NOT_ALLOWED
        with pytest.raises(LoginFailed, match="invalid_scope"):
            await login(mapped, user, f"openid {other}", client_id=f"app-{own}")
    carol = (await login(mapped, "carol", client_id="app-org1")).access
    assert verdict(hasura, carol) == NO_ROLES


async def test_a_scope_per_role_mixes_nothing(mapped: Realm, hasura: JwtMode) -> None:
    """One mapper writes org and role together, so that the last one to write wins both."""
    alone = (await login(mapped, "erin", "openid org1:admin")).access
    both = (await login(mapped, "erin", "openid org1:admin org2:viewer")).access
    dropped = (await login(mapped, "bob", "openid org1:admin")).access

    assert verdict(hasura, alone, "admin") == session(mapped, "erin", "org1", "admin")
    found = [verdict(hasura, both, role) for role in ("admin", "viewer")]
    assert found in (
        [session(mapped, "erin", "org1", "admin"), NOT_ALLOWED],
        [NOT_ALLOWED, session(mapped, "erin", "org2", "viewer")],
    )
    assert verdict(hasura, dropped) == NO_ROLES


async def test_but_a_scope_of_a_composite_role_is_granted_to_holders_of_its_parts(
    mapped: Realm, hasura: JwtMode, service: Service
) -> None:
    tokens = await login(mapped, "bob", "openid org1:org_admin")

    assert "org1:org_admin" in tokens.scopes
    as_admin = verdict(hasura, tokens.access, "org_admin")
    assert as_admin == session(mapped, "bob", "org1", "org_admin")
    assert await ask(service, tokens.access) == denied("no_org")


async def test_client_policies_can_refuse_every_pair_of_scopes(
    keycloak: KeycloakServer, admin: Admin
) -> None:
    """All conditions of a policy must hold, and of a condition one scope: one policy an org."""
    realm = await make_plain_realm(admin)
    await realm.add_org("org3")
    for org in ("org1", "org2", "org3"):
        await add_mappers_to_scope(realm, org, org)
    await _forbid_pairs(realm, "org1", "org2", "org3")

    async with Browser(realm.issuer) as browser:
        alone = (await browser.login("alice", "openid org2")).access
    assert verdict(await jwt_mode(realm), alone) == session(realm, "alice", "org2", "viewer")
    for scope in (BOTH, "openid org3 org1", "openid org2 org3"):
        async with Browser(realm.issuer) as browser:
            with refused_by_policy():
                await browser.login("alice", scope)
    with refused_by_policy():
        await _exchanged(realm, "alice", "openid org1", BOTH)
    # An older Keycloak asks no policy about a login by password.
    if keycloak.release >= (26, 7):
        with refused_by_policy():
            await login(realm, "alice", BOTH)


def refused_by_policy() -> Any:
    return pytest.raises(LoginFailed, match="invalid_request: Request not allowed")


async def _exchanged(realm: Realm, user: str, scope: str, other: str) -> Tokens:
    """Log in at a confidential client, which then asks for another scope by token exchange."""
    switch = {"standard.token.exchange.enabled": "true"}
    settings = {"publicClient": False, "secret": "secret", "attributes": switch}
    await add_frontend(realm, "bff", **settings)
    bff = Client(realm.admin.http, realm.issuer, "bff", "secret")
    token = (await bff.password(user, scope)).access
    kind = "urn:ietf:params:oauth:token-type:access_token"
    grant = "urn:ietf:params:oauth:grant-type:token-exchange"
    return await bff.grant(grant, subject_token=token, subject_token_type=kind, scope=other)


async def _forbid_pairs(realm: Realm, *orgs: str) -> None:
    """Refuse each org together with any of those after it."""
    profile = {"name": "reject", "executors": [{"executor": "reject-request", "configuration": {}}]}
    policies = [
        {
            "name": f"{org} alone",
            "enabled": True,
            "conditions": [_asks_for([org]), _asks_for(orgs[number:])],
            "profiles": [profile["name"]],
        }
        for number, org in enumerate(orgs[:-1], start=1)
    ]
    path = f"{realm.path}/client-policies"
    await realm.admin.put(f"{path}/profiles", {"profiles": [profile]})
    await realm.admin.put(f"{path}/policies", {"policies": policies})


def _asks_for(scopes: Sequence[str]) -> dict[str, Any]:
    options = {"type": "Optional", "scopes": list(scopes)}
    return {"condition": "client-scopes", "configuration": options}


# --- Keycloak's own Organizations


async def test_organizations_serve_where_roles_are_the_same_in_each(
    keycloak: KeycloakServer, admin: Admin
) -> None:
    realm = await make_native(admin)
    for role in ("editor", "viewer"):
        await realm.add_role("hasura", role)
    await realm.map_own_roles("frontend", "hasura")
    await realm.grant("alice", "hasura", "editor", "viewer")
    config = config_for(
        realm,
        org_id={"path": "$.organization[0]"},
        allowed_roles={"path": "$.resource_access.hasura.roles"},
    )
    hasura = await jwt_mode(realm, config)
    one = (await login_to(realm, "alice", "beta")).access
    # An older Keycloak refuses two by name.
    several = ("acme", "beta") if keycloak.release >= (26, 7) else ("*",)
    both = await login_to(realm, "alice", *several)

    assert verdict(hasura, one, "editor") == session(realm, "alice", "beta", "editor")
    first = both.claims["organization"][0]
    assert set(both.claims["organization"]) == {"acme", "beta"}
    assert verdict(hasura, both.access, "editor") == session(realm, "alice", first, "editor")
    stranger = (await login_to(realm, "bob", "beta")).access
    assert verdict(hasura, stranger) == NO_ROLES
    async with running(native_settings(realm, roles="client")) as service:
        assert await ask(service, both.access) == denied("ambiguous_org")


async def test_roles_that_differ_by_organization_are_out_of_a_paths_reach(
    grouped: Organizations,
) -> None:
    """A path has no wildcard: it names one organization, and Hasura is then that one's alone."""
    roles = {"path": "$.organization.acme.resource_access.hasura.roles"}
    config = config_for(grouped, org_id="acme", allowed_roles=roles, default_role="editor")
    hasura = await jwt_mode(grouped, config)
    acme = (await login_to(grouped, "alice", "acme")).access
    beta = (await login_to(grouped, "alice", "beta")).access

    assert verdict(hasura, acme) == session(grouped, "alice", "acme", "editor")
    assert verdict(hasura, beta) == NO_ROLES
    async with running(native_settings(grouped)) as service:
        assert await ask(service, acme) == granted(grouped, "alice", "acme", "editor")
        assert await ask(service, beta) == granted(grouped, "alice", "beta", "viewer")


# --- roles


async def test_the_default_role_is_one_for_all(
    mapped: Realm, hasura: JwtMode, service: Service
) -> None:
    """Whoever does not hold it must send X-Hasura-Role, each time."""
    token = (await login(mapped, "erin", "openid org1")).access

    assert verdict(hasura, token) == NOT_ALLOWED
    assert verdict(hasura, token, "admin") == session(mapped, "erin", "org1", "admin")
    assert await ask(service, token) == granted(mapped, "erin", "org1", "org_admin")


async def test_a_role_called_admin_is_hasuras_superuser_unless_it_gets_a_prefix(
    mapped: Realm, hasura: JwtMode, service: Service
) -> None:
    token = (await login(mapped, "erin", "openid org1")).access
    prefixed = await jwt_mode(
        mapped, config_for(mapped, allowed_roles={"path": "$.hasura.named_roles"})
    )

    assert verdict(hasura, token, "admin") == session(mapped, "erin", "org1", "admin")
    assert verdict(prefixed, token, "admin") == NOT_ALLOWED
    assert verdict(prefixed, token, "org1:admin") == session(mapped, "erin", "org1", "org1:admin")
    assert await ask(service, token, role="admin") == denied("role_not_granted")


# --- tokens that were meant for something else


async def test_an_id_token_is_taken_where_it_has_the_claims_and_no_audience_is_set(
    mapped: Realm, hasura: JwtMode, service: Service
) -> None:
    """The admin console ticks "Add to ID token" for a new mapper."""
    await mapped.add_frontend("id-claims")
    await mapped.map_own_roles("id-claims", "org1")
    await add_mappers_to_client(mapped, "id-claims", "org1", id__token__claim="true")
    ticked = (await login(mapped, "alice", client_id="id-claims")).id
    unticked = (await login(mapped, "alice", "openid org1")).id
    assert ticked is not None
    assert unticked is not None
    config = config_for(mapped)
    del config["audience"]
    trusting = await jwt_mode(mapped, config)

    assert verdict(trusting, ticked) == session(mapped, "alice", "org1", "viewer")
    assert verdict(hasura, ticked) == "Could not verify JWT: JWTNotInAudience"
    assert verdict(trusting, unticked) == NO_ROLES
    for token in (ticked, unticked):
        assert await ask(service, token) == denied("wrong_type")


async def test_a_token_without_an_audience_passes_there(
    mapped: Realm, hasura: JwtMode, service: Service
) -> None:
    await add_frontend(mapped, "no-audience")
    # The scope that writes `aud` out of the roles.
    await mapped.unassign("no-audience", "roles")
    tokens = await login(mapped, "alice", "openid org1", "no-audience")

    assert "aud" not in tokens.claims
    assert verdict(hasura, tokens.access) == session(mapped, "alice", "org1", "viewer")
    async with running(settings_of(mapped, "no-audience")) as lenient:
        assert await ask(lenient, tokens.access) == denied("wrong_audience")
    assert await ask(service, tokens.access) == denied("wrong_client")


async def test_any_client_of_the_realm_will_do_there(
    mapped: Realm, hasura: JwtMode, service: Service
) -> None:
    await add_frontend(mapped, "stranger")
    await mapped.assign("stranger", "hasura-audience", "default")
    token = (await login(mapped, "alice", "openid org1", "stranger")).access

    assert verdict(hasura, token) == session(mapped, "alice", "org1", "viewer")
    assert await ask(service, token) == denied("wrong_client")


async def test_a_token_bound_to_a_key_is_taken_without_its_proof_there(
    mapped: Realm, hasura: JwtMode, service: Service
) -> None:
    client = Client(mapped.admin.http, mapped.issuer)
    token = (
        await client.bound_password("alice", "openid org1", ECKey.generate_key("P-256"))
    ).access

    assert verdict(hasura, token) == session(mapped, "alice", "org1", "viewer")
    assert await ask(service, token) == denied("sender_constrained")


# --- what changes after the token was issued


@pytest.mark.parametrize(
    ("user", "code"), [("leaves-the-org", "no_org"), ("logs-out", "inactive_token")]
)
async def test_a_token_outlives_role_and_session_unless_keycloak_is_asked(
    mapped: Realm, hasura: JwtMode, user: str, code: str
) -> None:
    await mapped.add_user(user, {"org1": ["viewer"]})
    await allow_introspection(mapped)
    token = (await login(mapped, user, "openid org1")).access
    if code == "no_org":
        await mapped.revoke(user, "org1", "viewer")
    else:
        await mapped.admin.post(f"{mapped.path}/users/{mapped.users[user]}/logout")

    assert verdict(hasura, token) == session(mapped, user, "org1", "viewer")
    allowed = granted(mapped, user, "org1", "viewer")
    async with running(settings_of(mapped)) as service:
        assert await ask(service, token) == allowed
    asking = settings_for(mapped, issuer=introspecting(when="always"))
    async with running(asking) as service:
        assert await ask(service, token) == denied(code)
    with pytest.raises(Refused, match="JWTExpired"):
        hasura.session(token, time() + 301)


# --- step-up


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def levels(admin: Admin) -> Realm:
    """Give a realm with two levels of login, and a client that asks for the second one."""
    realm = await make_plain_realm(admin)
    for org in ORGS:
        await add_mappers_to_scope(realm, org, org)
    await add_levels(realm)
    return realm


async def test_a_level_can_be_carried_there_but_no_role_depends_on_it(levels: Realm) -> None:
    hasura = await jwt_mode(levels, config_for(levels, acr={"path": "$.acr"}))
    async with StrongBrowser(levels.issuer) as browser:
        weak = (await browser.login("alice", "openid org1")).access

    expected = {**session(levels, "alice", "org1", "org_admin"), "x-hasura-acr": "1"}
    assert verdict(hasura, weak, "org_admin") == expected
    roles = {"allowed": [*EVERY_ROLE], "acr": {"org_admin": ["2"]}}
    async with running(settings_of(levels, roles=roles)) as service:
        assert await ask(service, weak, role="org_admin") == denied("step_up_required")
        assert await ask(service, weak) == granted(levels, "alice", "org1", "editor", "viewer")


async def test_a_client_for_strong_logins_is_the_step_up_of_jwt_mode(levels: Realm) -> None:
    """It alone may carry the strong role; Keycloak lets nobody have its tokens for less."""
    strong = {"attributes": {"minimum.acr.value": "2"}, "directAccessGrantsEnabled": False}
    await levels.add_frontend("strong", **strong)
    await levels.assign("strong", "hasura-audience", "default")
    await levels.map_own_roles("strong", "org1")
    await add_mappers_to_client(levels, "strong", "org1")
    hasura = await jwt_mode(levels)
    async with StrongBrowser(levels.issuer, "strong") as browser:
        with pytest.raises(LoginFailed):
            await browser.login("alice")
        tokens: Tokens = await browser.login_with_level("alice", "openid", "2")

    assert tokens.claims["acr"] == "2"
    assert verdict(hasura, tokens.access, "org_admin") == session(
        levels, "alice", "org1", "org_admin"
    )


# --- several realms


async def test_one_secret_is_one_realm(mapped: Realm, hasura: JwtMode, levels: Realm) -> None:
    """Several secrets are for the Cloud and Enterprise editions, and both orgs are `org1` then."""
    here = (await login(mapped, "alice", "openid org1")).access
    there = (await login(levels, "alice", "openid org1")).access

    assert verdict(hasura, here) == session(mapped, "alice", "org1", "viewer")
    # By key already; with all keys at one address, by the issuer.
    assert verdict(hasura, there) == "Could not verify JWT: JWSError JWSInvalidSignature"
    hasura.keys += await published_keys(levels)
    assert verdict(hasura, there) == "Could not verify JWT: JWTNotInIssuer"
    async with running(settings_for(mapped, levels)) as service:
        for realm, token in ((mapped, here), (levels, there)):
            answer = await ask(service, token)
            assert (answer.status, answer.body["X-Hasura-Org-Id"]) == (200, f"{realm.name}/org1")
