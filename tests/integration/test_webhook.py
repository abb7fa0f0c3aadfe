"""A person picks an org at Keycloak, and Hasura gets the variables of that org and no other."""

from dataclasses import replace

import pytest
from asking import Answer, ask, denied, granted, running, settings_for
from browser import Browser
from login import Client, unverified
from realm import Realm

from hasura_kc_auth.wiring import Service

# What a service answers that is asked for its users' lists and flags as well.
LISTS = {
    "X-Hasura-Origins": {"claim": "allowed-origins", "list": True},
    "X-Hasura-Plans": {"claim": "plans", "list": True},
    "X-Hasura-Email-Verified": "email_verified",
}


# Picking an org


async def test_a_login_with_an_orgs_scope_picks_it(
    service: Service, realm: Realm, browser: Browser
) -> None:
    tokens = await browser.login("alice", "openid org1")

    answer = await ask(service, tokens.access)

    assert answer == granted(realm, "alice", "org1", "editor")
    assert answer.body["X-Hasura-User-Id"] == tokens.claims["sub"]


@pytest.mark.parametrize(
    ("user", "org", "held"),
    [
        ("alice", "org1", ["editor"]),
        ("alice", "org2", ["viewer"]),
        ("bob", "org1", ["viewer"]),
        pytest.param("erin", "org1", ["org_admin"], id="the role admin is mapped"),
        pytest.param("dave", "org1", ["org_admin", "owner", "editor"], id="a composite role"),
    ],
)
async def test_each_org_has_the_roles_held_in_it(
    service: Service, realm: Realm, frontend: Client, *, user: str, org: str, held: list[str]
) -> None:
    tokens = await frontend.password(user, f"openid {org}")

    assert await ask(service, tokens.access) == granted(realm, user, org, *held)


async def test_the_scope_openid_is_not_needed(
    service: Service, realm: Realm, frontend: Client
) -> None:
    tokens = await frontend.password("alice", "org1")

    assert await ask(service, tokens.access) == granted(realm, "alice", "org1", "editor")


@pytest.mark.parametrize(
    ("user", "scope"),
    [
        pytest.param("alice", "openid", id="no org was picked"),
        pytest.param("bob", "openid org2", id="no role in the org that was picked"),
        pytest.param("carol", "openid org1", id="no role in any org"),
    ],
)
async def test_without_an_org_nobody_gets_in(
    service: Service, frontend: Client, user: str, scope: str
) -> None:
    tokens = await frontend.password(user, scope)

    assert await ask(service, tokens.access) == denied("no_org")
    assert await ask(service, tokens.access, org_id="org1", role="viewer") == denied("no_org")


async def test_without_a_token_nobody_gets_in(service: Service) -> None:
    assert await ask(service, None) == denied("no_credentials")
    assert await ask(service, None, org_id="org1", role="viewer") == denied("no_credentials")


# Switching


async def test_a_browser_switches_silently(
    service: Service, realm: Realm, browser: Browser
) -> None:
    first = await browser.login("alice", "openid org1")
    second = await browser.silent("openid org2")

    # The acr of such a token is "0": nothing may hang on it.
    assert await ask(service, second.access) == granted(realm, "alice", "org2", "viewer")
    # Both tabs of a browser stay in their own org.
    assert await ask(service, first.access) == granted(realm, "alice", "org1", "editor")
    assert await ask(service, first.access, org_id="org2") == denied("org_not_granted")


async def test_a_silent_switch_to_a_strange_org_succeeds_without_an_org(
    service: Service, browser: Browser
) -> None:
    await browser.login("bob", "openid org1")

    assert await ask(service, (await browser.silent("openid org2")).access) == denied("no_org")


async def test_a_refresh_narrows_two_orgs_to_one_and_back(
    service: Service, realm: Realm, frontend: Client
) -> None:
    both = await frontend.password("alice", "openid org1 org2")
    narrow = await frontend.refresh(both, "openid org2")
    other = await frontend.refresh(narrow, "openid org1")

    assert await ask(service, both.access) == denied("ambiguous_org")
    assert await ask(service, narrow.access) == granted(realm, "alice", "org2", "viewer")
    assert await ask(service, other.access) == granted(realm, "alice", "org1", "editor")


async def test_a_refresh_to_another_org_loses_the_org(service: Service, frontend: Client) -> None:
    tokens = await frontend.refresh(await frontend.password("alice", "openid org1"), "openid org2")

    assert await ask(service, tokens.access) == denied("no_org")


async def test_a_role_that_is_taken_away_is_gone_with_the_next_refresh(
    service: Service, realm: Realm, frontend: Client
) -> None:
    await realm.add_user("frank", {"org1": ["editor", "viewer"]})
    tokens = await frontend.password("frank", "openid org1")
    assert await ask(service, tokens.access) == granted(realm, "frank", "org1", "editor", "viewer")

    await realm.revoke("frank", "org1", "editor")
    fewer = await frontend.refresh(tokens)
    await realm.revoke("frank", "org1", "viewer")
    none = await frontend.refresh(fewer)

    assert await ask(service, fewer.access) == granted(realm, "frank", "org1", "viewer")
    assert await ask(service, none.access) == denied("no_org")


# Wishes


@pytest.mark.parametrize(("org", "held"), [("org1", "editor"), ("org2", "viewer")])
async def test_the_request_chooses_among_two_orgs(
    service: Service, realm: Realm, frontend: Client, org: str, held: str
) -> None:
    both = (await frontend.password("alice", "openid org1 org2")).access

    assert await ask(service, both, org_id=org) == granted(realm, "alice", org, held)
    assert await ask(service, both, org_id=org, role=held) == granted(realm, "alice", org, held)


@pytest.mark.parametrize("role", ["editor", "viewer", "org_admin"])
async def test_a_role_never_leaves_its_org(service: Service, frontend: Client, role: str) -> None:
    both = (await frontend.password("alice", "openid org1 org2")).access
    strange = {"org2"} if role == "editor" else {"org1"} if role == "viewer" else {"org1", "org2"}

    for org in strange:
        assert await ask(service, both, org_id=org, role=role) == denied("role_not_granted")
    assert await ask(service, both, role=role) == denied("ambiguous_org")


@pytest.mark.parametrize("org", ["org3", "ORG1", "org9", "org1 org2", "*", "{org1}", "account"])
@pytest.mark.parametrize("scope", ["openid org1", "openid org1 org2"])
async def test_the_request_adds_no_org(
    service: Service, frontend: Client, scope: str, org: str
) -> None:
    tokens = await frontend.password("alice", scope)

    assert await ask(service, tokens.access, org_id=org) == denied("org_not_granted")


@pytest.mark.parametrize("role", ["org_admin", "owner", "editor"])
async def test_a_held_role_can_be_wished_for(
    service: Service, realm: Realm, frontend: Client, role: str
) -> None:
    dave = (await frontend.password("dave", "openid org1")).access
    held = ("org_admin", "owner", "editor")

    assert await ask(service, dave, role=role) == granted(realm, "dave", "org1", *held, role=role)


@pytest.mark.parametrize(
    "role",
    [
        "viewer",
        "Editor",
        "nobody",
        "editor,owner",
        pytest.param("admin", id="Hasura's superuser, whatever Keycloak calls a role"),
    ],
)
@pytest.mark.parametrize("user", ["dave", "erin"])
async def test_the_request_adds_no_role(
    service: Service, frontend: Client, user: str, role: str
) -> None:
    tokens = await frontend.password(user, "openid org1")

    assert await ask(service, tokens.access, role=role) == denied("role_not_granted")


async def test_variables_of_the_request_change_nothing(
    service: Service, realm: Realm, frontend: Client
) -> None:
    alice = (await frontend.password("alice", "openid org1")).access

    answer = await ask(
        service,
        alice,
        user_id=realm.users["bob"],
        allowed_roles="{org_admin}",
        email="bob@example.test",
        default_role="org_admin",
        is_owner="true",
    )

    assert answer == granted(realm, "alice", "org1", "editor")


# Settings of the answer


async def test_the_first_allowed_role_that_is_held_is_the_default(
    realm: Realm, frontend: Client
) -> None:
    dave = (await frontend.password("dave", "openid org1")).access
    allowed = {"allowed": ["viewer", "editor", "org_admin"], "map": {"admin": "org_admin"}}

    async with running(settings_for(realm, roles=allowed)) as service:
        assert await ask(service, dave) == granted(realm, "dave", "org1", "editor", "org_admin")


async def test_a_role_called_admin_is_nobodys_where_it_is_not_mapped(
    realm: Realm, frontend: Client
) -> None:
    erin = (await frontend.password("erin", "openid org1")).access
    dave = (await frontend.password("dave", "openid org1")).access

    async with running(settings_for(realm, roles={"allowed": ["editor", "viewer"]})) as service:
        assert await ask(service, erin) == denied("no_role")
        assert await ask(service, erin, role="admin") == denied("no_role")
        assert await ask(service, dave) == granted(realm, "dave", "org1", "editor")


async def test_the_answer_ends_with_the_token(
    service: Service, realm: Realm, frontend: Client
) -> None:
    tokens = await frontend.password("alice", "openid org1")
    claims = tokens.claims

    answer = await ask(service, tokens.access)

    # Seconds of the test itself; the token lives 300, which is the cap too.
    assert answer.max_age is not None
    assert 270 < answer.max_age <= claims["exp"] - claims["iat"] == 300
    for max_age, expected in (("10s", 10), (None, None)):
        async with running(settings_for(realm, session={"max_age": max_age})) as capped:
            assert (await ask(capped, tokens.access)).max_age == expected


async def test_text_values_are_strings_and_array_literals(realm: Realm, frontend: Client) -> None:
    dave = (await frontend.password("dave", "openid org1")).access
    session = {"variables": {"X-Hasura-Email": "email", **LISTS}}

    async with running(settings_for(realm, session=session)) as service:
        answer = await ask(service, dave)

    expected = granted(realm, "dave", "org1", "org_admin", "owner", "editor").body
    assert answer == Answer(
        200,
        {
            **expected,
            "X-Hasura-Origins": "{http://127.0.0.1}",
            "X-Hasura-Plans": "{}",
            "X-Hasura-Email-Verified": "true",
        },
    )


async def test_json_values_keep_their_types(realm: Realm, frontend: Client) -> None:
    dave = (await frontend.password("dave", "openid org1")).access
    session = {"values": "json", "variables": {"X-Hasura-Email": "email", **LISTS}}

    async with running(settings_for(realm, session=session)) as service:
        answer = await ask(service, dave, role="owner")

    expected = granted(realm, "dave", "org1", "owner").body
    assert answer == Answer(
        200,
        {
            **expected,
            "X-Hasura-Allowed-Roles": ["org_admin", "owner", "editor"],
            "X-Hasura-Origins": ["http://127.0.0.1"],
            "X-Hasura-Plans": [],
            "X-Hasura-Email-Verified": True,
        },
    )


async def test_a_namespace_keeps_two_realms_apart(
    realm: Realm, variants: Realm, frontend: Client
) -> None:
    here = (await frontend.password("alice", "openid org1")).access
    there = (await Client(realm.admin.http, variants.issuer).password("bob", "openid org1")).access
    assert unverified(here)["iss"] != unverified(there)["iss"]

    async with running(settings_for(realm, variants)) as service:
        assert await ask(service, here) == _in(realm, "alice", "editor")
        assert await ask(service, there) == _in(variants, "bob", "viewer")
        wish = f"{realm.name}/org1"
        assert await ask(service, here, org_id=wish) == _in(realm, "alice", "editor")
        assert await ask(service, there, org_id=wish) == denied("org_not_granted")
        assert await ask(service, here, org_id="org1") == denied("org_not_granted")


def _in(realm: Realm, user: str, role: str) -> Answer:
    answer = granted(realm, user, f"{realm.name}/org1", role)
    user_id = f"{realm.name}/{realm.users[user]}"
    return replace(answer, body={**answer.body, "X-Hasura-User-Id": user_id})
