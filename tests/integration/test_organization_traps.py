"""Organization claims that must not be taken for what they seem: sessions, refreshes, names."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from asking import ask, denied, granted, running
from keycloak_server import KeycloakServer
from login import Client, LoginFailed, Tokens
from native import login_to, make_native, native_settings, refuses
from organizations import SCOPE, MemberBrowser, Organizations
from realm import Realm

from hasura_kc_auth.wiring import Service

INTROSPECTION_SECRET = "asks-about-tokens"


def always_asking(realm: Realm, **org: Any) -> Any:
    """Return settings with which Keycloak is asked about every token."""
    introspection = {
        "client_id": "hasura",
        "client_secret": INTROSPECTION_SECRET,
        "when": "always",
    }
    return native_settings(realm, issuer={"introspection": introspection}, **org)


@pytest_asyncio.fixture(loop_scope="session")
async def native_service(native: Organizations) -> AsyncIterator[Service]:
    async with running(native_settings(native, roles="client")) as service:
        yield service


@pytest_asyncio.fixture(loop_scope="session")
async def grouped_service(grouped: Organizations) -> AsyncIterator[Service]:
    async with running(native_settings(grouped)) as service:
        yield service


def entries(tokens: Tokens) -> set[str]:
    return set(tokens.claims.get("organization", ()))


# A1: the session's latest choice gets into the tokens of an earlier one


async def test_a_refresh_after_a_switch_elsewhere_brings_the_other_orgs_roles(
    grouped: Organizations, grouped_service: Service
) -> None:
    """A1: acme's entry is empty then, and beta's holds its roles; no tab ever gets both."""
    async with MemberBrowser(grouped.issuer) as browser:
        first = await browser.login_to("alice", "openid organization:acme")
        second = await browser.silent("openid organization:beta")
        old = await browser.client.refresh(first)
        narrowed = await browser.client.refresh(first, "openid organization:acme")
        again = await browser.silent("openid organization:acme")

    for mixed in (old, narrowed):
        assert mixed.claims["organization"]["acme"] == {}
        assert mixed.claims["organization"]["beta"]["resource_access"]
        assert f"{SCOPE}:acme" in mixed.scopes
        await refuses(grouped_service, mixed, "no_org")
    editor = granted(grouped, "alice", "acme", "editor")
    assert await ask(grouped_service, first.access) == editor
    assert await ask(grouped_service, again.access) == editor
    viewer = granted(grouped, "alice", "beta", "viewer")
    assert await ask(grouped_service, second.access) == viewer


async def test_two_tabs_at_the_selection_page(
    grouped: Organizations, grouped_service: Service
) -> None:
    """A1: the same with the bare scope, which names no org at all."""
    async with MemberBrowser(grouped.issuer) as browser:
        first = await browser.login_to("alice", "openid organization", pick="acme")
        second = await browser.login_to("alice", "openid organization", pick="beta")
        old = await browser.client.refresh(first)

    assert await ask(grouped_service, first.access) == granted(grouped, "alice", "acme", "editor")
    assert await ask(grouped_service, second.access) == granted(grouped, "alice", "beta", "viewer")
    assert entries(old) == {"acme", "beta"}
    await refuses(grouped_service, old, "ambiguous_org")


async def test_an_introspected_token_changes_with_a_switch_elsewhere(
    grouped: Organizations,
) -> None:
    """A1: the very token that was good before, as Keycloak tells of it afterwards."""
    await grouped.configure_client("hasura", secret=INTROSPECTION_SECRET)
    async with running(always_asking(grouped)) as before, running(always_asking(grouped)) as after:
        async with MemberBrowser(grouped.issuer) as browser:
            first = await browser.login_to("alice", "openid organization:acme")
            good = granted(grouped, "alice", "acme", "editor")
            assert await ask(before, first.access) == good
            second = await browser.silent("openid organization:beta")

        await refuses(after, first, "no_org")
        assert await ask(after, second.access) == granted(grouped, "alice", "beta", "viewer")


async def test_without_groups_a_refresh_stays_or_is_refused(
    native: Organizations, native_service: Service, keycloak: KeycloakServer
) -> None:
    """On 26.4 the claim follows the session, and the scope stays with the token."""
    async with MemberBrowser(native.issuer) as browser:
        first = await browser.login_to("alice", "openid organization:acme")
        await browser.silent("openid organization:beta")
        old = await browser.client.refresh(first)

    assert f"{SCOPE}:acme" in old.scopes
    if keycloak.release >= (26, 7):
        assert old.claims["organization"] == ["acme"]
        assert await ask(native_service, old.access) == granted(native, "alice", "acme", "editor")
        assert await ask(native_service, old.access, org_id="beta") == denied("org_not_granted")
    else:
        assert old.claims["organization"] == ["beta"]
        await refuses(native_service, old, "no_org")


async def test_the_bare_scope_follows_the_session_and_the_request_holds_it(
    native: Organizations, native_service: Service, keycloak: KeycloakServer
) -> None:
    """On 26.4 a refresh of the first tab brings the second one's org: only a wish tells."""
    async with MemberBrowser(native.issuer) as browser:
        first = await browser.login_to("alice", "openid organization", pick="acme")
        await browser.login_to("alice", "openid organization", pick="beta")
        old = await browser.client.refresh(first)

    left, other, held = (
        ("acme", "beta", "editor") if keycloak.release >= (26, 7) else ("beta", "acme", "viewer")
    )
    assert old.claims["organization"] == [left]
    assert await ask(native_service, old.access) == granted(native, "alice", left, held)
    assert await ask(native_service, old.access, org_id=other) == denied("org_not_granted")


async def test_picking_an_org_of_others_picks_none(
    native: Organizations, native_service: Service
) -> None:
    async with MemberBrowser(native.issuer) as browser:
        tokens = await browser.login_to("alice", "openid organization", pick="gamma")
        with pytest.raises(LoginFailed) as failed:
            await browser.silent("openid organization")

    assert failed.value.error == "login_required"
    await refuses(native_service, tokens, "no_org")


# A3 and T20: refreshes, and orgs that are left


async def test_whoever_left_an_org_has_no_org(admin: Any, keycloak: KeycloakServer) -> None:
    """A3: from 26.5 on Keycloak answers 400 for such a token; that is no outage."""
    realm = await make_native(admin)
    await realm.configure_client("hasura", secret=INTROSPECTION_SECRET)
    client = Client(admin.http, realm.issuer)
    tokens = await login_to(realm, "alice", "acme")
    other = await login_to(realm, "bob", "acme")
    await realm.remove_member("acme", "alice")

    new = keycloak.release >= (26, 7)
    async with running(always_asking(realm, roles="client")) as service:
        # More of them than it takes to open the circuit breaker.
        for _ in range(4):
            await refuses(service, tokens, "inactive_token" if new else "no_org")
        assert await ask(service, other.access) == granted(realm, "bob", "acme", "viewer")
    if new:
        with pytest.raises(LoginFailed) as failed:
            await client.refresh(tokens)
        assert failed.value.description == "Invalid organization"
    else:
        async with running(native_settings(realm, roles="client")) as service:
            await refuses(service, await client.refresh(tokens), "no_org")


async def test_a_refresh_of_every_org_for_one_of_them(
    native: Organizations, native_service: Service, keycloak: KeycloakServer
) -> None:
    """T20: on 26.4 it may still hold every one."""
    client = Client(native.admin.http, native.issuer)
    one = await client.refresh(await login_to(native, "alice", "*"), "openid organization:beta")

    if keycloak.release >= (26, 7):
        assert one.claims["organization"] == ["beta"]
    if entries(one) == {"beta"}:
        assert await ask(native_service, one.access) == granted(native, "alice", "beta", "viewer")
    else:
        await refuses(native_service, one, "ambiguous_org")


async def test_a_refresh_for_another_org_has_no_org(
    native: Organizations, native_service: Service
) -> None:
    client = Client(native.admin.http, native.issuer)
    other = await client.refresh(
        await login_to(native, "alice", "acme"), "openid organization:beta"
    )

    await refuses(native_service, other, "no_org")


async def test_the_bare_scope_fills_up_from_another_tab(
    grouped: Organizations, grouped_service: Service
) -> None:
    """A1: a token without an org gets, by a refresh, the one that its session chose last."""
    async with MemberBrowser(grouped.issuer) as browser:
        none = await browser.login_to("alice", "openid organization", pick="gamma")
        await browser.silent("openid organization:beta")
        late = await browser.client.refresh(none)

    assert none.claims["organization"] == {}
    await refuses(grouped_service, none, "no_org")
    viewer = granted(grouped, "alice", "beta", "viewer")
    assert await ask(grouped_service, late.access) == viewer
    assert await ask(grouped_service, late.access, org_id="acme") == denied("org_not_granted")
