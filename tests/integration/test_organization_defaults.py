"""The organization scope as a client's default: it is in every token of that client."""

from asking import ask, granted, running
from native import login_to, native_settings, refuses
from organizations import SCOPE, MemberBrowser, Organizations


async def test_the_scope_as_a_default_picks_nothing_for_a_member_of_two(
    native: Organizations,
) -> None:
    """An alias on top of it binds."""
    await _assign_by_default(native)
    none = await login_to(native, "alice", client_id="always")
    only = await login_to(native, "bob", client_id="always")
    named = await login_to(native, "alice", "beta", client_id="always")

    settings = native_settings(native, roles="client", issuer={"clients": ["always"]})
    async with running(settings) as service:
        await refuses(service, none, "no_org")
        assert await ask(service, only.access) == granted(native, "bob", "acme", "viewer")
        assert await ask(service, named.access) == granted(native, "alice", "beta", "viewer")


async def test_the_claim_of_a_default_scope_may_be_an_empty_map(grouped: Organizations) -> None:
    """A5. With an alias on top, a switch elsewhere is refused as without the default."""
    await _assign_by_default(grouped)
    none = await login_to(grouped, "alice", client_id="always")
    async with MemberBrowser(grouped.issuer, "always") as browser:
        first = await browser.login_to("alice", "openid organization:acme")
        second = await browser.silent("openid organization:beta")
        old = await browser.client.refresh(first)

    assert none.claims["organization"] == {}
    assert set(old.claims["organization"]) == {"acme", "beta"}
    async with running(native_settings(grouped, issuer={"clients": ["always"]})) as service:
        await refuses(service, none, "no_org")
        await refuses(service, old, "no_org")
        assert await ask(service, second.access) == granted(grouped, "alice", "beta", "viewer")


async def _assign_by_default(realm: Organizations) -> None:
    await realm.add_frontend("always")
    await realm.assign("always", SCOPE, "default")
    await realm.assign("always", "hasura-audience", "default")
    for org in ("acme", "beta"):
        await realm.map_own_roles("always", org)
