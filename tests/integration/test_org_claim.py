"""The chosen org in a claim of its own: a wish that the token's roles must bear out."""

import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from admin import Admin
from asking import ask, denied, granted, running, settings_for
from conftest import make_realm
from login import Client, Tokens, roles
from realm import Realm

from hasura_kc_auth.wiring import Service

BOTH = "openid org1 org2"
# By frontend, a claim that is the same for everybody: its value and its type in JSON.
HARDCODED = {
    "a-list": ('["org1"]', "JSON"),
    "an-object": ('{"org1": "org1"}', "JSON"),
    "a-number": ("1", "int"),
    "a-boolean": ("true", "boolean"),
    "blanks": (" org1", "String"),
    "other-case": ("ORG1", "String"),
    "no-org": ("account", "String"),
    "a-frontend": ("frontend", "String"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def chosen(admin: Admin) -> Realm:
    """Give a realm whose users have the attribute `active_org`, and may edit it themselves."""
    realm = await make_realm(admin)
    profile = await admin.get(f"{realm.path}/users/profile")
    profile["unmanagedAttributePolicy"] = "ENABLED"
    await admin.put(f"{realm.path}/users/profile", profile)
    await add_claim(realm, "frontend", "active_org")
    return realm


@pytest_asyncio.fixture(loop_scope="session")
async def by_claim(chosen: Realm) -> AsyncIterator[Service]:
    async with running(settings_by(chosen, "active_org")) as service:
        yield service


def settings_by(realm: Realm, claim: str, client_id: str = "frontend", **org: Any) -> Any:
    org = {"from": "claim", "claim": claim, **org}
    return settings_for(realm, issuer={"clients": [client_id, "frontend"], "org": org})


async def add_claim(realm: Realm, client_id: str, claim: str) -> None:
    await realm.add_mapper(
        client_id,
        claim.replace(".", "-"),
        "oidc-usermodel-attribute-mapper",
        user__attribute="active_org",
        claim__name=claim,
        jsonType__label="String",
        access__token__claim="true",
    )


async def add_frontend(realm: Realm, client_id: str) -> None:
    await realm.add_frontend(client_id)
    for org in ("org1", "org2"):
        await realm.assign(client_id, org)
    await realm.assign(client_id, "hasura-audience", "default")


async def choose(realm: Realm, user: str, *orgs: str) -> None:
    await realm.admin.change(
        f"{realm.path}/users/{realm.users[user]}", attributes={"active_org": list(orgs)}
    )


async def login(realm: Realm, user: str, scope: str = BOTH, client_id: str = "frontend") -> Tokens:
    return await Client(realm.admin.http, realm.issuer, client_id).password(user, scope)


async def edit_own_account(realm: Realm, user: str, org: str) -> None:
    """Choose an org as the user alone can, at Keycloak's account page."""
    await realm.add_frontend(f"account-of-{user}", fullScopeAllowed=True)
    tokens = await login(realm, user, "openid", f"account-of-{user}")
    headers = {"Authorization": f"Bearer {tokens.access}", "Accept": "application/json"}
    url = f"{realm.issuer}/account"
    async with realm.admin.http.get(url, headers=headers) as response:
        account = await response.json()
    account["attributes"] = {**account.get("attributes", {}), "active_org": [org]}
    async with realm.admin.http.post(url, headers=headers, json=account) as response:
        assert response.status == 204


async def test_the_claim_picks_one_of_several_orgs(chosen: Realm, by_claim: Service) -> None:
    await chosen.add_user("gina", {"org1": ["editor"], "org2": ["viewer"]})
    unchosen = (await login(chosen, "gina")).access
    await choose(chosen, "gina", "org1")
    first = await login(chosen, "gina")
    await choose(chosen, "gina", "org2")
    second = await Client(chosen.admin.http, chosen.issuer).refresh(first)

    assert set(roles(first)) == set(roles(second)) == {"org1", "org2"}
    for wishes in ({}, {"org_id": "org1"}):
        assert await ask(by_claim, unchosen, **wishes) == denied("no_org")
    assert await ask(by_claim, first.access) == granted(chosen, "gina", "org1", "editor")
    assert await ask(by_claim, first.access, org_id="org2") == denied("org_not_granted")
    assert await ask(by_claim, first.access, role="viewer") == denied("role_not_granted")
    # The choice is the user's, not the tab's: the next refresh anywhere brings it.
    assert await ask(by_claim, second.access) == granted(chosen, "gina", "org2", "viewer")
    assert await ask(by_claim, second.access, org_id="org1") == denied("org_not_granted")


@pytest.mark.parametrize("org", ["org2", "org3", "org9", "account", "hasura", "*", "org1 org2"])
async def test_a_user_who_edits_the_choice_wins_no_org(
    chosen: Realm, by_claim: Service, org: str
) -> None:
    user = f"editing-{secrets.token_hex(4)}"
    await chosen.add_user(user, {"org1": ["viewer"]})
    await choose(chosen, user, "org1")
    tokens = await login(chosen, user)
    assert await ask(by_claim, tokens.access) == granted(chosen, user, "org1", "viewer")

    await edit_own_account(chosen, user, org)
    wished = await Client(chosen.admin.http, chosen.issuer).refresh(tokens)

    assert wished.claims["active_org"] == org
    for wishes in ({}, {"org_id": "org1"}, {"org_id": org}, {"role": "viewer"}):
        assert await ask(by_claim, wished.access, **wishes) == denied("no_org")


async def test_a_user_may_choose_among_the_orgs_with_a_role(
    chosen: Realm, by_claim: Service
) -> None:
    await chosen.add_user("hugo", {"org1": ["viewer"], "org2": ["editor"]})
    await edit_own_account(chosen, "hugo", "org2")

    token = (await login(chosen, "hugo")).access

    assert await ask(by_claim, token) == granted(chosen, "hugo", "org2", "editor")


async def test_the_chosen_org_needs_a_role_in_this_very_token(
    chosen: Realm, by_claim: Service
) -> None:
    await chosen.add_user("ida", {"org1": ["viewer"], "org2": ["editor"]})
    await choose(chosen, "ida", "org2")

    unasked = await login(chosen, "ida", "openid org1")
    asked = await login(chosen, "ida", "openid org2")
    await chosen.revoke("ida", "org2", "editor")
    revoked = await login(chosen, "ida")

    assert await ask(by_claim, unasked.access) == denied("no_org")
    assert await ask(by_claim, asked.access) == granted(chosen, "ida", "org2", "editor")
    assert await ask(by_claim, revoked.access) == denied("no_org")
    for cut in ({"deny": ["org2"]}, {"only": ["org1"]}):
        async with running(settings_by(chosen, "active_org", **cut)) as service:
            assert await ask(service, asked.access) == denied("no_org")


async def test_of_several_choices_keycloak_writes_the_first(
    chosen: Realm, by_claim: Service
) -> None:
    await chosen.add_user("jack", {"org1": ["viewer"], "org2": ["editor"]})
    await choose(chosen, "jack", "org2", "org1")
    tokens = await login(chosen, "jack")

    assert tokens.claims["active_org"] == "org2"
    assert await ask(by_claim, tokens.access) == granted(chosen, "jack", "org2", "editor")


@pytest.mark.parametrize("client_id", HARDCODED)
async def test_what_is_no_orgs_name_chooses_none(chosen: Realm, client_id: str) -> None:
    value, json_type = HARDCODED[client_id]
    await add_frontend(chosen, client_id)
    await chosen.add_mapper(
        client_id,
        "choice",
        "oidc-hardcoded-claim-mapper",
        claim__name="choice",
        claim__value=value,
        jsonType__label=json_type,
        access__token__claim="true",
    )
    tokens = await login(chosen, "alice", client_id=client_id)

    assert isinstance(tokens.claims["choice"], str) == (json_type == "String")
    async with running(settings_by(chosen, "choice", client_id)) as service:
        for wishes in ({}, {"org_id": "org1"}):
            assert await ask(service, tokens.access, **wishes) == denied("no_org")


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("tenant.active", id="nested"),
        pytest.param(r"https://hasura\.io/jwt/claims.x-hasura-org-id", id="a dot in a key"),
    ],
)
async def test_the_claim_may_be_anywhere(chosen: Realm, path: str) -> None:
    user = f"user-{len(path)}"
    await add_frontend(chosen, user)
    await add_claim(chosen, user, path)
    await chosen.add_user(user, {"org1": ["viewer"], "org2": ["editor"]})
    await choose(chosen, user, "org1")
    tokens = await login(chosen, user, client_id=user)

    async with running(settings_by(chosen, path, user)) as service:
        assert await ask(service, tokens.access) == granted(chosen, user, "org1", "viewer")
    async with running(settings_by(chosen, path.partition(".")[0], user)) as service:
        assert await ask(service, tokens.access) == denied("no_org")
