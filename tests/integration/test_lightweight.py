"""Lightweight tokens: Keycloak tells what is in them, and the same rules judge it."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from asking import Answer, SkippedTime, ask, denied, granted, running, settings_for
from browser import Browser
from keycloak_server import KeycloakServer
from lightweight import ASKS, OUTSIDER, introspecting, light_login
from login import Client, roles, unverified
from realm import Realm

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.wiring import Service

TTL = 30.1  # introspection.ttl is 30 s by default


@pytest_asyncio.fixture(loop_scope="session")
async def asking(light: Realm) -> AsyncIterator[Service]:
    async with running(asks_about(light)) as service:
        yield service


def asks_about(realm: Realm, client_id: str = ASKS, **changes: str) -> Settings:
    return settings_for(realm, issuer=introspecting(client_id, **changes))


async def test_without_introspection_they_are_refused(light: Realm) -> None:
    """T19: there is no user in it, though there is an org's scope."""
    tokens = await light_login(light, "alice", "openid org1")

    assert "org1" in tokens.scopes
    assert not {"sub", "aud", "resource_access"} & set(tokens.claims)
    async with running(settings_for(light, issuer={"clients": ["light"]})) as service:
        assert await ask(service, tokens.access) == denied("missing_claim")
        assert await ask(service, tokens.access, org_id="org1") == denied("missing_claim")


@pytest.mark.parametrize(
    ("user", "org", "held"),
    [
        ("alice", "org1", ["editor"]),
        ("alice", "org2", ["viewer"]),
        ("dave", "org1", ["org_admin", "owner", "editor"]),
    ],
)
async def test_they_get_what_a_full_token_gets(
    light: Realm, asking: Service, user: str, org: str, held: list[str]
) -> None:
    token = (await light_login(light, user, f"openid {org}")).access
    full = await Client(light.admin.http, light.issuer).password(user, f"openid {org}")

    expected = granted(light, user, org, *held)
    assert roles(full)[org]
    assert await ask(asking, full.access) == expected
    assert await ask(asking, token) == expected
    assert await ask(asking, token, org_id=org, role=held[0]) == expected
    assert await ask(asking, token, org_id="org3") == denied("org_not_granted")
    assert await ask(asking, token, role="admin") == denied("role_not_granted")


async def test_the_same_rules_judge_what_is_told(light: Realm, asking: Service) -> None:
    both = (await light_login(light, "alice", "openid org1 org2")).access
    none = (await light_login(light, "alice", "openid")).access
    foreign = (await light_login(light, "bob", "openid org2")).access

    assert await ask(asking, both) == denied("ambiguous_org")
    assert await ask(asking, both, org_id="org2") == granted(light, "alice", "org2", "viewer")
    refused = await ask(asking, both, org_id="org2", role="editor")
    assert refused == denied("role_not_granted")
    assert await ask(asking, none) == denied("no_org")
    assert await ask(asking, foreign, org_id="org2") == denied("no_org")


async def test_a_browser_switches_with_them(light: Realm, asking: Service) -> None:
    async with Browser(light.issuer, "light") as browser:
        first = await browser.login("alice", "openid org1")
        second = await browser.silent("openid org2")
        old = await browser.client.refresh(first)

    viewer = granted(light, "alice", "org2", "viewer")
    assert await ask(asking, second.access) == viewer
    for token in (first.access, old.access):
        assert await ask(asking, token) == granted(light, "alice", "org1", "editor")
        assert await ask(asking, token, org_id="org2") == denied("org_not_granted")


async def test_who_asks_must_be_in_the_audience(light: Realm, keycloak: KeycloakServer) -> None:
    """A2: from 26.6 on; before, every confidential client was told."""
    token = (await light_login(light, "alice", "openid org1")).access
    told = granted(light, "alice", "org1", "editor")
    expected = denied("inactive_token") if keycloak.release >= (26, 6) else told

    async with running(asks_about(light, OUTSIDER)) as service:
        assert await ask(service, token) == expected
        # A full token needs no telling.
        full = await Client(light.admin.http, light.issuer).password("alice", "openid org1")
        assert await ask(service, full.access) == told
    async with running(asks_about(light, OUTSIDER, when="always")) as service:
        assert await ask(service, full.access) == expected


async def test_a_wrong_secret_is_nobodys_logout(light: Realm) -> None:
    token = (await light_login(light, "alice", "openid org1")).access

    async with running(asks_about(light, client_secret="wrong")) as service:
        assert await ask(service, token) == denied("introspection_unavailable", 503)


async def _revoked(realm: Realm, user: str) -> None:
    await realm.revoke(user, "org1", "viewer")


async def _logged_out(realm: Realm, user: str) -> None:
    await realm.admin.post(f"{realm.path}/users/{realm.users[user]}/logout")


async def _disabled(realm: Realm, user: str) -> None:
    await realm.admin.change(f"{realm.path}/users/{realm.users[user]}", enabled=False)


@pytest.mark.parametrize(
    ("change", "code"),
    [(_revoked, "no_org"), (_logged_out, "inactive_token"), (_disabled, "inactive_token")],
)
async def test_what_keycloak_takes_away_is_gone_after_the_ttl(
    light: Realm, change: Callable[[Realm, str], Awaitable[None]], code: str
) -> None:
    user = f"user{change.__name__}".replace("_", "-")
    await light.add_user(user, {"org1": ["viewer"]})
    token = (await light_login(light, user, "openid org1")).access
    time = SkippedTime()
    allowed = granted(light, user, "org1", "viewer")
    async with running(asks_about(light), time.clocks) as service:
        assert await ask(service, token) == allowed

        await change(light, user)
        for skipped in (0, 29):
            time.wall = time.monotonic = skipped
            assert await ask(service, token) == allowed
        # Another wish is another question, and no reason to believe the answer for longer.
        assert await ask(service, token, role="viewer") == allowed
        time.wall = time.monotonic = TTL
        assert await ask(service, token) == denied(code)
        assert await ask(service, token, role="viewer") == denied(code)


async def test_a_full_token_is_asked_about_where_it_is_wanted(light: Realm) -> None:
    user = "asked-always"
    await light.add_user(user, {"org1": ["viewer"]})
    tokens = await Client(light.admin.http, light.issuer).password(user, "openid org1")
    allowed = granted(light, user, "org1", "viewer")

    async with running(asks_about(light, when="always")) as service:
        assert await ask(service, tokens.access) == allowed
    await _logged_out(light, user)
    async with running(asks_about(light, when="always")) as service:
        assert await ask(service, tokens.access) == denied("inactive_token")
    async with running(asks_about(light)) as service:
        assert await ask(service, tokens.access) == allowed


async def test_a_token_of_admin_cli_never_gets_in(light: Realm, asking: Service) -> None:
    """T8: introspected, it would show every org of the user."""
    admin_cli = Client(light.admin.http, light.issuer, "admin-cli")
    tokens = await admin_cli.password("alice", "openid")

    assert "sub" not in tokens.claims
    async with running(asks_about(light, when="always")) as always:
        for service in (asking, always):
            assert await ask(service, tokens.access) == denied("wrong_client")
            assert await ask(service, tokens.access, org_id="org1") == denied("wrong_client")


async def test_other_kinds_of_tokens_are_not_even_asked_about(light: Realm) -> None:
    """T7: Keycloak calls an ID token active, too."""
    tokens = await light_login(light, "alice", "openid org1")
    assert tokens.id is not None
    assert tokens.refresh is not None
    assert unverified(tokens.id)["typ"] == "ID"

    async with running(asks_about(light, when="always")) as service:
        assert await ask(service, tokens.id) == denied("wrong_type")
        assert await ask(service, tokens.refresh) == denied("unsupported_algorithm")


async def test_variables_are_told_as_well(light: Realm) -> None:
    """But not what Keycloak says of every token that it is asked about."""
    token = (await light_login(light, "alice", "openid org1")).access
    names = {"Name": "preferred_username", "Machine": "client_id", "Active": "active"}
    variables = {f"X-Hasura-{name}": claim for name, claim in names.items()}
    settings = settings_for(light, issuer=introspecting(), session={"variables": variables})

    usual = granted(light, "alice", "org1", "editor").body
    expected = {name: value for name, value in usual.items() if name != "X-Hasura-Email"}
    async with running(settings) as service:
        assert await ask(service, token) == Answer(200, {**expected, "X-Hasura-Name": "alice"})
