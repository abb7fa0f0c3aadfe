"""Tokens that Keycloak really issues and that must not be taken for what they seem."""

import asyncio
from typing import Any

import pytest
from asking import Answer, SkippedTime, ask, denied, forged, granted, running, settings_for
from joserfc.jwk import ECKey
from login import Client, roles, unverified
from realm import LIGHTWEIGHT, Realm
from realm_keys import published_keys
from variants import (
    ALLOWED_CLIENTS,
    BRIEF,
    KEYCLOAK_CLIENTS,
    ODD_ORGS,
    ODD_ROLES,
    UNSELECTABLE,
    login,
)

from hasura_kc_auth.wiring import SYSTEM_CLOCKS, Service


def issuer(**changes: Any) -> dict[str, Any]:
    return {"clients": ALLOWED_CLIENTS, **changes}


# Roles of orgs that nobody asked for


async def test_full_scope_shows_every_org_and_selects_none(
    variants: Realm, variants_service: Service
) -> None:
    """T1: roles in resource_access are no proof that their org was selected."""
    asked_other = await login(variants, "bob", "openid org2", "full-scope")
    asked_none = await login(variants, "alice", "openid", "full-scope")
    asked_one = (await login(variants, "alice", "openid org1", "full-scope")).access

    assert set(roles(asked_other)) == {"org1", "account"}
    assert await ask(variants_service, asked_other.access) == denied("no_org")
    assert await ask(variants_service, asked_other.access, org_id="org1") == denied("no_org")
    assert {"org1", "org2"} < set(roles(asked_none))
    assert await ask(variants_service, asked_none.access) == denied("no_org")
    expected = granted(variants, "alice", "org1", "editor")
    assert await ask(variants_service, asked_one) == expected
    assert await ask(variants_service, asked_one, role="viewer") == denied("role_not_granted")
    for org in ("org2", "account"):
        assert await ask(variants_service, asked_one, org_id=org) == denied("org_not_granted")


@pytest.mark.parametrize(
    ("client_id", "user", "scope"),
    [
        pytest.param("no-roles-scope", "alice", "org1", id="no default scope `roles`"),
        pytest.param("frontend", "carol", "bare", id="a scope without a role mapping"),
    ],
)
async def test_a_scope_is_no_proof_of_a_role(
    variants: Realm, variants_service: Service, client_id: str, user: str, scope: str
) -> None:
    """T2."""
    tokens = await login(variants, user, f"openid {scope}", client_id)

    assert scope in tokens.scopes
    assert roles(tokens) == {}
    assert await ask(variants_service, tokens.access) == denied("no_org")
    assert await ask(variants_service, tokens.access, org_id=scope) == denied("no_org")


async def test_a_scope_that_was_dropped_in_silence_leaves_nothing(
    variants: Realm, variants_service: Service
) -> None:
    """T3: with a second org the other one stays, alone and unambiguous."""
    none = await login(variants, "bob", "openid org2")
    one = (await login(variants, "bob", "openid org1 org2")).access

    assert await ask(variants_service, none.access) == denied("no_org")
    assert await ask(variants_service, one) == granted(variants, "bob", "org1", "viewer")
    assert await ask(variants_service, one, org_id="org2") == denied("org_not_granted")


async def test_a_refresh_for_another_org_does_not_keep_the_first(
    variants: Realm, variants_service: Service
) -> None:
    """T4: nor does the request's header bring one of them back."""
    client = Client(variants.admin.http, variants.issuer)
    tokens = await client.refresh(await client.password("alice", "openid org1"), "openid org2")

    assert roles(tokens) == {}
    for wishes in ({}, {"org_id": "org1"}, {"org_id": "org2"}):
        assert await ask(variants_service, tokens.access, **wishes) == denied("no_org")


async def test_a_composite_role_leads_into_another_org_and_opens_nothing(
    variants: Realm, variants_service: Service
) -> None:
    """T5: org1 is in resource_access and in aud, with its admin role."""
    tokens = await login(variants, "zoe", "openid org2")
    token = tokens.access

    assert roles(tokens) == {"org1": {"admin"}, "org2": {"bridge", "viewer"}}
    assert {"org1", "org2"} < set(tokens.claims["aud"])
    assert await ask(variants_service, token) == granted(variants, "zoe", "org2", "viewer")
    assert await ask(variants_service, token, org_id="org1") == denied("org_not_granted")
    assert await ask(variants_service, token, role="org_admin") == denied("role_not_granted")


async def test_an_org_scope_that_is_a_default_is_in_every_token(
    variants: Realm, variants_service: Service
) -> None:
    """T5: asking for another org then gives two, and nothing is guessed."""
    both = (await login(variants, "alice", "openid org2", "org1-by-default")).access
    unasked = (await login(variants, "alice", "openid", "org1-by-default")).access

    assert await ask(variants_service, both) == denied("ambiguous_org")
    expected = granted(variants, "alice", "org2", "viewer")
    assert await ask(variants_service, both, org_id="org2") == expected
    assert await ask(variants_service, unasked) == granted(variants, "alice", "org1", "editor")


async def test_roles_in_the_frontends_own_scope_mapping_select_nothing(
    variants: Realm, variants_service: Service
) -> None:
    """T5: they are in every token, whatever was asked for."""
    other = await login(variants, "alice", "openid org2", "own-mapping")
    none = await login(variants, "alice", "openid", "own-mapping")

    assert set(roles(other)) == {"org1", "org2"}
    expected = granted(variants, "alice", "org2", "viewer")
    assert await ask(variants_service, other.access) == expected
    assert await ask(variants_service, other.access, org_id="org1") == denied("org_not_granted")
    assert set(roles(none)) == {"org1"}
    assert await ask(variants_service, none.access) == denied("no_org")


async def test_a_scope_that_the_token_does_not_name_selects_nothing(
    variants: Realm, variants_service: Service
) -> None:
    """`Include in token scope` is off for this org: only one of the two proofs is there."""
    tokens = await login(variants, "zoe", "openid hidden")

    assert roles(tokens) == {"hidden": {"viewer"}}
    assert await ask(variants_service, tokens.access) == denied("no_org")
    assert await ask(variants_service, tokens.access, org_id="hidden") == denied("no_org")


# Audience, client, issuer


async def test_aud_is_a_string_a_list_or_nothing(variants: Realm) -> None:
    """T6, where no audience is demanded."""
    settings = settings_for(variants, issuer=issuer(audiences=[]))
    one = await login(variants, "alice", "openid org1", "no-audience")
    two = await login(variants, "alice", "openid org1")
    none = await login(variants, "alice", "openid", "no-audience")

    assert one.claims["aud"] == "org1"
    assert set(two.claims["aud"]) == {"hasura", "org1"}
    assert "aud" not in none.claims
    async with running(settings) as service:
        assert await ask(service, one.access) == granted(variants, "alice", "org1", "editor")
        assert await ask(service, two.access) == granted(variants, "alice", "org1", "editor")
        assert await ask(service, none.access) == denied("no_org")


@pytest.mark.parametrize("scope", ["openid org1", "openid"])
async def test_a_token_for_other_apis_is_refused(
    variants: Realm, variants_service: Service, scope: str
) -> None:
    tokens = await login(variants, "alice", scope, "no-audience")

    assert await ask(variants_service, tokens.access) == denied("wrong_audience")


async def test_an_org_must_be_in_the_audience(variants: Realm, variants_service: Service) -> None:
    """Without the mapper Audience Resolve it is not; the service's own audience is no stand-in."""
    tokens = await login(variants, "alice", "openid org1", "no-audience-resolve")

    assert "org1" in tokens.scopes
    assert roles(tokens) == {"org1": {"editor"}}
    assert tokens.claims["aud"] == "hasura"
    assert await ask(variants_service, tokens.access) == denied("no_org")
    assert await ask(variants_service, tokens.access, org_id="org1") == denied("no_org")


async def test_a_token_of_another_client_of_the_realm_is_refused(
    variants: Realm, variants_service: Service
) -> None:
    tokens = await login(variants, "alice", "openid org1", "stranger")

    assert roles(tokens) == {"org1": {"editor"}}
    assert set(tokens.claims["aud"]) == {"hasura", "org1"}
    assert await ask(variants_service, tokens.access) == denied("wrong_client")


async def test_a_token_of_admin_cli_is_refused(own_realm: Realm) -> None:
    """T8: every realm has this public client; it logs anybody in by password with full scope."""
    [found] = await own_realm.admin.get(f"{own_realm.path}/clients", clientId="admin-cli")
    own_realm.clients["admin-cli"] = found["id"]
    for scope, how in (("org1", "optional"), ("hasura-audience", "default")):
        await own_realm.assign("admin-cli", scope, how)
    light = await login(own_realm, "alice", "openid org1", "admin-cli")
    await own_realm.configure_client("admin-cli", attributes={LIGHTWEIGHT: "false"})
    whole = await login(own_realm, "alice", "openid org1", "admin-cli")

    assert {"org1", "org2"} < set(roles(whole))
    async with running(settings_for(own_realm)) as service:
        assert await ask(service, light.access) == denied("missing_claim")
        assert await ask(service, whole.access) == denied("wrong_client")


async def test_a_token_of_another_realm_is_refused(
    realm: Realm, variants: Realm, service: Service
) -> None:
    """The same names of user, client, org and audience: only the issuer differs."""
    strange = (await login(variants, "alice", "openid org1")).access

    assert await ask(service, strange) == denied("wrong_issuer")
    renamed = forged(strange, 1, iss=realm.issuer)
    assert await ask(service, renamed) == denied("unknown_key")
    own_kid = (await login(realm, "alice", "openid org1")).header["kid"]
    assert await ask(service, forged(renamed, 0, kid=own_kid)) == denied("bad_signature")


# Other kinds of tokens


async def test_an_id_token_is_refused(variants: Realm, variants_service: Service) -> None:
    """T9: the same key, header, iss, sub and exp as the access token's."""
    tokens = await login(variants, "alice", "openid org1")

    assert tokens.id is not None
    assert unverified(tokens.id, 0) == tokens.header
    assert await ask(variants_service, tokens.id) == denied("wrong_type")


async def test_an_id_token_with_roles_in_it_is_refused(
    variants: Realm, variants_service: Service
) -> None:
    """T9: one mapper away."""
    tokens = await login(variants, "alice", "openid org1", "id-token-with-roles")

    assert tokens.id is not None
    assert unverified(tokens.id)["resource_access"]["org1"] == {"roles": ["editor"]}
    assert await ask(variants_service, tokens.id) == denied("wrong_type")
    assert await ask(variants_service, tokens.id, org_id="org1") == denied("wrong_type")


async def test_a_refresh_token_is_refused_without_asking_for_keys(
    variants: Realm, variants_service: Service
) -> None:
    tokens = await login(variants, "alice", "openid org1")
    fetches = sum(variants_service.keys.issuers[variants.issuer].fetches.values())

    assert tokens.refresh is not None
    assert await ask(variants_service, tokens.refresh) == denied("unsupported_algorithm")
    assert sum(variants_service.keys.issuers[variants.issuer].fetches.values()) == fetches


async def test_a_dpop_token_is_refused_as_bearer(
    variants: Realm, variants_service: Service
) -> None:
    """T10: any public client gets one that sends a proof."""
    client = Client(variants.admin.http, variants.issuer)
    key = ECKey.generate_key("P-256")

    tokens = await client.bound_password("alice", "openid org1", key)

    assert tokens.claims["typ"] == "DPoP"
    assert await ask(variants_service, tokens.access) == denied("sender_constrained")


@pytest.mark.parametrize(
    ("client_id", "missing"),
    [
        pytest.param("lightweight", {"sub", "aud", "resource_access"}, id="lightweight"),
        pytest.param("no-basic-scope", {"sub"}, id="no default scope `basic`"),
    ],
)
async def test_a_token_without_a_subject_is_refused(
    variants: Realm, variants_service: Service, client_id: str, missing: set[str]
) -> None:
    """T19: a lightweight token still names the org's scope."""
    tokens = await login(variants, "alice", "openid org1", client_id)

    assert "org1" in tokens.scopes
    assert not missing & set(tokens.claims)
    assert await ask(variants_service, tokens.access) == denied("missing_claim")


async def test_a_token_ends(variants: Realm) -> None:
    """Not a moment longer out of the cache, either."""
    settings = settings_for(variants, issuer=issuer(leeway="0s"))
    async with running(settings) as service:
        tokens = await login(variants, "alice", "openid org1", "brief")
        answer = await ask(service, tokens.access)
        assert answer == granted(variants, "alice", "org1", "editor")
        assert answer.max_age is not None
        assert answer.max_age <= BRIEF

        await asyncio.sleep(tokens.claims["exp"] - SYSTEM_CLOCKS.wall() + 0.01)
        assert await ask(service, tokens.access) == denied("expired")


async def test_clocks_may_differ_by_the_leeway(variants: Realm) -> None:
    tokens = await login(variants, "alice", "openid org1")
    lifespan = tokens.claims["exp"] - tokens.claims["iat"]
    time = SkippedTime()

    async with running(settings_for(variants, issuer=issuer(leeway="60s")), time.clocks) as service:
        for skipped, expected in (
            (-90, denied("not_yet_valid")),
            (-30, granted(variants, "alice", "org1", "editor")),
            (lifespan + 30, granted(variants, "alice", "org1", "editor")),
            (lifespan + 60, denied("expired")),
            (0, granted(variants, "alice", "org1", "editor")),
        ):
            time.wall = skipped
            assert await ask(service, tokens.access) == expected


# Keys and algorithms


async def test_the_encryption_key_verifies_nothing(
    variants: Realm, variants_service: Service
) -> None:
    """T12: it is published beside the signing key, at no fixed place."""
    tokens = await login(variants, "alice", "openid org1")
    keys = await published_keys(variants)
    [encryption] = [key["kid"] for key in keys if key["use"] == "enc"]

    assert await ask(variants_service, tokens.access) == granted(
        variants, "alice", "org1", "editor"
    )
    assert await ask(variants_service, forged(tokens.access, 0, kid=encryption)) == denied(
        "unknown_key"
    )


async def test_a_token_signed_with_a_shared_secret_is_refused(
    variants: Realm, variants_service: Service
) -> None:
    """T14: the client's own choice."""
    tokens = await login(variants, "alice", "openid org1", "signs-HS256")

    assert tokens.header["alg"] == "HS256"
    assert await ask(variants_service, tokens.access) == denied("unsupported_algorithm")


@pytest.mark.parametrize("algorithm", ["ES256", "PS256", "EdDSA"])
async def test_another_algorithm_must_be_configured(
    variants: Realm, variants_service: Service, algorithm: str
) -> None:
    token = (await login(variants, "alice", "openid org1", f"signs-{algorithm}")).access
    usual = (await login(variants, "alice", "openid org1")).access
    expected = granted(variants, "alice", "org1", "editor")

    assert unverified(token, 0)["alg"] == algorithm
    assert await ask(variants_service, token) == denied("unsupported_algorithm")
    async with running(settings_for(variants, issuer=issuer(algorithms=[algorithm]))) as only:
        assert await ask(only, token) == expected
        assert await ask(only, usual) == denied("unsupported_algorithm")
    both = settings_for(variants, issuer=issuer(algorithms=["RS256", algorithm]))
    async with running(both) as service:
        assert await ask(service, token) == expected
        assert await ask(service, usual) == expected
        swapped = forged(usual, 0, kid=unverified(token, 0)["kid"])
        assert await ask(service, swapped) == denied("bad_signature")


async def test_changed_claims_are_refused(variants: Realm, variants_service: Service) -> None:
    token = (await login(variants, "alice", "openid org1")).access
    access = {"org1": {"roles": ["admin"]}}

    assert await ask(variants_service, forged(token, 1, resource_access=access)) == denied(
        "bad_signature"
    )
    assert await ask(variants_service, forged(token, 0, alg="none")) == denied(
        "unsupported_algorithm"
    )


async def test_a_token_may_be_typed_as_an_access_token(
    variants: Realm, variants_service: Service
) -> None:
    tokens = await login(variants, "alice", "openid org1", "at-jwt")

    assert tokens.header["typ"] == "at+jwt"
    assert await ask(variants_service, tokens.access) == granted(
        variants, "alice", "org1", "editor"
    )


# Names


@pytest.mark.parametrize("name", KEYCLOAK_CLIENTS)
async def test_a_client_of_keycloaks_own_is_no_org(
    variants: Realm, variants_service: Service, name: str
) -> None:
    """T17: though it has a scope, a role and a place in aud, all that makes an org."""
    alone = await login(variants, "zoe", f"openid {name}")
    beside = (await login(variants, "alice", f"openid org1 {name}")).access

    assert name in alone.scopes & set(alone.claims["aud"])
    assert KEYCLOAK_CLIENTS[name] in roles(alone)[name]
    assert await ask(variants_service, alone.access) == denied("no_org")
    assert await ask(variants_service, alone.access, org_id=name) == denied("no_org")
    assert await ask(variants_service, beside) == granted(variants, "alice", "org1", "editor")


@pytest.mark.parametrize(
    ("client_id", "name"),
    [
        pytest.param("an-org-itself", "an-org-itself", id="the frontend's own id"),
        pytest.param("frontend", "phone", id="a standard scope"),
    ],
)
async def test_neither_a_frontend_nor_a_standard_scope_is_an_org(
    variants: Realm, variants_service: Service, client_id: str, name: str
) -> None:
    """T17."""
    tokens = await login(variants, "zoe", f"openid {name}", client_id)

    assert name in tokens.scopes & set(tokens.claims["aud"])
    assert roles(tokens) == {name: {"viewer"}}
    assert await ask(variants_service, tokens.access) == denied("no_org")
    assert await ask(variants_service, tokens.access, org_id=name) == denied("no_org")


@pytest.mark.parametrize("org", ODD_ORGS)
async def test_an_orgs_id_may_be_odd(variants: Realm, variants_service: Service, org: str) -> None:
    """T18: dots do not nest, colons and slashes do not divide."""
    token = (await login(variants, "zoe", f"openid {org}")).access
    expected = granted(variants, "zoe", org, "viewer")

    assert await ask(variants_service, token) == expected
    assert await ask(variants_service, token, org_id=org) == expected
    for other in (org.swapcase(), org[:-1], "acme"):
        assert await ask(variants_service, token, org_id=other) == denied("org_not_granted")


@pytest.mark.parametrize(("org", "scope"), UNSELECTABLE.items())
async def test_an_orgs_id_that_no_scope_can_have_is_never_selected(
    variants: Realm, variants_service: Service, org: str, scope: str
) -> None:
    """T18: `org1 org2` is one client, not two orgs. Keycloak takes no such name for a scope."""
    tokens = await login(variants, "zoe", f"openid {scope}")

    assert roles(tokens) == {org: {"viewer"}}
    for wishes in ({}, {"org_id": org}, {"org_id": scope}, {"org_id": "org1"}):
        assert await ask(variants_service, tokens.access, **wishes) == denied("no_org")


async def test_odd_role_names_grant_nothing_by_themselves(
    variants: Realm, variants_service: Service
) -> None:
    """T18: a role that is not allowed does not exist."""
    odd = await login(variants, "only-odd-roles", "openid odd")
    more = (await login(variants, "all-odd-roles", "openid odd")).access

    assert roles(odd) == {"odd": set(ODD_ROLES[:4])}
    assert await ask(variants_service, odd.access) == denied("no_role")
    held = granted(variants, "all-odd-roles", "odd", "org_admin", "viewer")
    assert await ask(variants_service, more) == held
    for role in (*ODD_ROLES[:5], "a", "b", "Org"):
        assert await ask(variants_service, more, role=role) == denied("role_not_granted")


async def test_odd_role_names_can_be_mapped(variants: Realm) -> None:
    """T18: each to exactly one of Hasura's."""
    token = (await login(variants, "only-odd-roles", "openid odd")).access
    allowed = {
        "allowed": ["x-hasura-role", "org_admin", "ab", "uni"],
        "map": {"a,b": "ab", "Org Admin": "org_admin", "Ünï": "uni"},
    }

    async with running(settings_for(variants, roles=allowed)) as service:
        held = ("x-hasura-role", "org_admin", "ab", "uni")
        expected = granted(variants, "only-odd-roles", "odd", *held)
        assert await ask(service, token) == expected
        wished = granted(variants, "only-odd-roles", "odd", *held, role="uni")
        assert await ask(service, token, role="uni") == wished
        assert await ask(service, token, role="Ünï") == denied("role_not_granted")
        assert await ask(service, token, role="a,b") == denied("role_not_granted")


async def test_scopes_may_follow_a_pattern(variants: Realm, variants_service: Service) -> None:
    patterned = (await login(variants, "zoe", "openid org:shop")).access
    plain = (await login(variants, "alice", "openid org1")).access
    settings = settings_for(variants, issuer=issuer(org={"scope": "org:{org}"}))

    assert await ask(variants_service, patterned) == denied("no_org")
    async with running(settings) as service:
        expected = granted(variants, "zoe", "shop", "viewer")
        assert await ask(service, patterned) == expected
        assert await ask(service, patterned, org_id="shop") == expected
        assert await ask(service, patterned, org_id="org:shop") == denied("org_not_granted")
        assert await ask(service, plain) == denied("no_org")


async def test_a_subject_may_be_pairwise(variants: Realm, variants_service: Service) -> None:
    tokens = await login(variants, "alice", "openid org1", "pairwise")
    subject = tokens.claims["sub"]

    assert subject != variants.users["alice"]
    usual = granted(variants, "alice", "org1", "editor").body
    expected = Answer(200, {**usual, "X-Hasura-User-Id": subject})
    assert await ask(variants_service, tokens.access) == expected


# Who else may get in


async def test_disabling_an_orgs_client_changes_nothing_and_deny_does(
    variants: Realm, variants_service: Service
) -> None:
    """From 26.7.5 on Keycloak itself leaves a disabled client out; this says when it does."""
    both = (await login(variants, "zoe", "openid closed org2")).access
    closed = (await login(variants, "zoe", "openid closed")).access

    assert await ask(variants_service, closed) == granted(variants, "zoe", "closed", "viewer")
    for deny in ("closed", "clo*"):
        denying = settings_for(variants, issuer=issuer(org={"deny": [deny]}))
        async with running(denying) as service:
            assert await ask(service, closed) == denied("no_org")
            assert await ask(service, both) == granted(variants, "zoe", "org2", "viewer")
            assert await ask(service, both, org_id="closed") == denied("org_not_granted")
    async with running(settings_for(variants, issuer=issuer(org={"only": ["org*"]}))) as service:
        assert await ask(service, closed) == denied("no_org")
        assert await ask(service, both) == granted(variants, "zoe", "org2", "viewer")


async def test_a_machine_gets_in_by_a_role_of_its_own(
    variants: Realm, variants_service: Service
) -> None:
    secret = await variants.add_service_account("machine", {"org1": ["viewer"]})
    for scope, how in (("org1", "optional"), ("org2", "optional"), ("hasura-audience", "default")):
        await variants.assign("machine", scope, how)
    machine = Client(variants.admin.http, variants.issuer, "machine", secret)
    tokens = await machine.client_credentials("openid org1 org2")
    other = await machine.client_credentials("openid org2")

    # It has no e-mail, so there is no such variable.
    expected = granted(variants, "service-account-machine", "org1", "viewer").body
    body = {name: value for name, value in expected.items() if name != "X-Hasura-Email"}
    assert await ask(variants_service, tokens.access) == Answer(200, body)
    assert await ask(variants_service, other.access) == denied("no_org")
