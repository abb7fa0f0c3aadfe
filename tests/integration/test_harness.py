"""The harness brings what it promises: tokens of the shapes the service is built on."""

import pytest
from admin import Admin
from browser import Browser
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from keycloak_server import KeycloakServer
from login import Client, LoginFailed, dpop_proof, roles
from realm import Realm
from realm_keys import add_key, disable_key, key_id_of, published_keys, retire_key


async def kids(realm: Realm, use: str = "sig") -> set[str]:
    return {key["kid"] for key in await published_keys(realm) if key["use"] == use}


async def test_a_token_for_one_org_names_its_scope_role_and_audience(frontend: Client) -> None:
    tokens = await frontend.password("alice", "openid org1")

    claims = tokens.claims
    assert tokens.header["alg"] == "RS256"
    assert tokens.header["typ"] == "JWT"
    assert claims["iss"] == frontend.issuer
    assert (claims["typ"], claims["azp"], claims["acr"]) == ("Bearer", "frontend", "1")
    assert set(claims["aud"]) == {"hasura", "org1"}
    assert tokens.scopes == {"openid", "profile", "org1", "email"}
    assert roles(tokens) == {"org1": {"editor"}}
    assert "realm_access" not in claims


async def test_two_orgs_come_without_an_order(frontend: Client) -> None:
    one = await frontend.password("alice", "openid org1 org2")
    other = await frontend.password("alice", "openid org2 org1")

    expected = {"org1": {"editor"}, "org2": {"viewer"}}
    assert roles(one) == roles(other) == expected
    assert set(one.claims["aud"]) == {"hasura", "org1", "org2"}
    assert one.scopes == other.scopes


async def test_a_token_for_no_org_has_one_audience_and_no_roles(frontend: Client) -> None:
    tokens = await frontend.password("alice", "openid")

    assert tokens.claims["aud"] == "hasura"
    assert roles(tokens) == {}


async def test_without_the_scope_openid_there_is_no_id_token(frontend: Client) -> None:
    assert (await frontend.password("alice", "org1")).id is None
    assert (await frontend.password("alice", "openid org1")).id is not None


@pytest.mark.parametrize(
    ("user", "held"),
    [("dave", {"owner", "admin", "editor"}), ("erin", {"admin"}), ("bob", {"viewer"})],
)
async def test_composites_are_flattened(frontend: Client, user: str, held: set[str]) -> None:
    assert roles(await frontend.password(user, "openid org1")) == {"org1": held}


async def test_a_scope_without_a_role_is_dropped_in_silence(frontend: Client) -> None:
    tokens = await frontend.password("bob", "openid org2")

    assert "org2" not in tokens.scopes
    assert roles(tokens) == {}


async def test_an_unknown_scope_is_an_error(frontend: Client) -> None:
    with pytest.raises(LoginFailed) as failed:
        await frontend.password("alice", "openid org9")

    assert failed.value.error == "invalid_scope"


async def test_the_jwks_verifies_tokens_and_holds_an_encryption_key_too(
    realm: Realm, frontend: Client
) -> None:
    keys = await published_keys(realm)
    tokens = await frontend.password("alice", "openid org1")

    assert sorted((key["use"], key["alg"]) for key in keys) == [
        ("enc", "RSA-OAEP"),
        ("sig", "RS256"),
    ]
    signing = [key for key in keys if key["kid"] == tokens.header["kid"]]
    jwt.decode(tokens.access, KeySet.import_key_set({"keys": signing}), algorithms=["RS256"])


async def test_refresh_narrows_and_widens_back_but_never_adds(frontend: Client) -> None:
    both = await frontend.password("alice", "openid org1 org2")

    narrow = await frontend.refresh(both, "openid org2")
    again = await frontend.refresh(narrow, "openid org1")
    one = await frontend.password("alice", "openid org1")
    other = await frontend.refresh(one, "openid org2")

    assert roles(narrow) == {"org2": {"viewer"}}
    assert roles(again) == {"org1": {"editor"}}
    assert roles(other) == {}


async def test_a_browser_logs_in_and_switches_silently(browser: Browser) -> None:
    first = await browser.login("alice", "openid org1")
    second = await browser.silent("openid org2")

    assert roles(first) == {"org1": {"editor"}}
    assert roles(second) == {"org2": {"viewer"}}
    assert first.claims["sid"] == second.claims["sid"]
    assert (first.claims["acr"], second.claims["acr"]) == ("1", "0")


async def test_a_browser_without_a_session_cannot_switch(browser: Browser) -> None:
    with pytest.raises(LoginFailed) as failed:
        await browser.silent("openid org1")

    assert failed.value.error == "login_required"


async def test_a_wrong_password_stays_at_the_login_page(browser: Browser) -> None:
    with pytest.raises(LoginFailed) as failed:
        await browser.login("alice", "openid org1", password="wrong")

    assert failed.value.error == "login_page"
    assert "Invalid username or password" in failed.value.description


async def test_a_dpop_token_is_bound_to_its_key(frontend: Client) -> None:
    key = ECKey.generate_key("P-256")

    tokens = await frontend.bound_password("alice", "openid org1", key)

    assert tokens.answer["token_type"] == "DPoP"
    assert tokens.claims["cnf"]["jkt"] == key.thumbprint()
    assert dpop_proof(key, "GET", frontend.issuer, tokens.access)


async def test_a_machine_has_a_role_and_no_session(realm: Realm) -> None:
    secret = await realm.add_service_account("machine", {"org1": ["viewer"]})
    await realm.assign("machine", "org1")
    machine = Client(realm.admin.http, realm.issuer, "machine", secret)

    tokens = await machine.client_credentials("openid org1")

    assert roles(tokens) == {"org1": {"viewer"}}
    assert tokens.claims["client_id"] == "machine"
    assert "sid" not in tokens.claims
    assert tokens.refresh is None


async def test_a_new_key_signs_at_once_and_a_disabled_one_vanishes(own_realm: Realm) -> None:
    frontend = Client(own_realm.admin.http, own_realm.issuer)
    old = (await frontend.password("alice", "openid org1")).header["kid"]
    old_id = await key_id_of(own_realm, old)

    await add_key(own_realm)
    new = (await frontend.password("alice", "openid org1")).header["kid"]

    assert new != old
    assert await kids(own_realm) == {old, new}
    await retire_key(own_realm, old_id)
    assert await kids(own_realm) == {old, new}
    await disable_key(own_realm, old_id)
    assert await kids(own_realm) == {new}


async def test_a_restart_keeps_keys_and_sessions(
    keycloak: KeycloakServer, realm: Realm, frontend: Client
) -> None:
    before = await kids(realm), await kids(realm, "enc")
    tokens = await frontend.password("alice", "openid org1")

    await keycloak.restart()

    assert (await kids(realm), await kids(realm, "enc")) == before
    assert roles(await frontend.refresh(tokens)) == {"org1": {"editor"}}


async def test_the_admin_logs_in_again_when_the_token_runs_out(
    realm: Realm, admin: Admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "_token", "worn out")
    monkeypatch.setattr(admin, "_token_ends", 0.0)

    assert (await admin.get(realm.path))["realm"] == realm.name
