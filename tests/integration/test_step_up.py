"""Roles that need a strong login, in a realm with two levels of authentication."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from admin import Admin
from asking import ask, denied, granted, running, settings_for
from conftest import make_realm
from levels import StrongBrowser, add_levels
from login import Client, LoginFailed
from realm import Realm

from hasura_kc_auth.wiring import Service

HELD = ("org_admin", "owner", "editor")
NAMED = {"silver": 1, "gold": 2}


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=["numbers", "names"])
async def levels(request: pytest.FixtureRequest, admin: Admin) -> Realm:
    """Give a realm with two levels: 1 and 2, or silver and gold."""
    realm = await make_realm(admin)
    await add_levels(realm, NAMED if request.param == "names" else None)
    return realm


@pytest_asyncio.fixture(loop_scope="session")
async def strict(levels: Realm) -> AsyncIterator[Service]:
    async with running(settings_with(levels, org_admin=["2", "gold"])) as service:
        yield service


@pytest_asyncio.fixture(loop_scope="session")
async def browser(levels: Realm) -> AsyncIterator[StrongBrowser]:
    async with StrongBrowser(levels.issuer) as browser:
        yield browser


def settings_with(realm: Realm, **acr: list[str]) -> Any:
    allowed = ["org_admin", "owner", "editor", "viewer"]
    roles = {"allowed": allowed, "map": {"admin": "org_admin"}, "acr": acr}
    return settings_for(realm, roles=roles)


async def strong_level(realm: Realm) -> str:
    found = await realm.admin.get(realm.path)
    return "gold" if "acr.loa.map" in found["attributes"] else "2"


async def test_a_role_is_held_after_the_strong_login_alone(
    levels: Realm, strict: Service, browser: StrongBrowser
) -> None:
    level = await strong_level(levels)
    weak = await browser.login("dave", "openid org1")
    strong = await browser.login_with_level("dave", "openid org1", level)

    assert (weak.claims["acr"], strong.claims["acr"]) == (
        "silver" if level == "gold" else "1",
        level,
    )
    fewer = granted(levels, "dave", "org1", *HELD[1:])
    assert await ask(strict, weak.access) == fewer
    assert await ask(strict, weak.access, role="org_admin") == denied("step_up_required")
    assert await ask(strict, weak.access, role="owner") == fewer
    # What is not held at all is not a question of the login.
    assert await ask(strict, weak.access, role="viewer") == denied("role_not_granted")
    assert await ask(strict, strong.access) == granted(levels, "dave", "org1", *HELD)
    wished = granted(levels, "dave", "org1", *HELD, role="editor")
    assert await ask(strict, strong.access, role="editor") == wished


async def test_it_falls_away_with_a_silent_switch_and_stays_with_a_refresh(
    levels: Realm, strict: Service, browser: StrongBrowser
) -> None:
    """T15: a login by cookie is of no level, whatever the session began with."""
    level = await strong_level(levels)
    strong = await browser.login_with_level("dave", "openid org1", level)
    refreshed = await browser.client.refresh(strong)
    silent = await browser.silent("openid org1")

    assert (refreshed.claims["acr"], silent.claims["acr"]) == (level, "0")
    assert await ask(strict, refreshed.access) == granted(levels, "dave", "org1", *HELD)
    fewer = granted(levels, "dave", "org1", *HELD[1:])
    for token in (silent.access, (await browser.client.refresh(silent)).access):
        assert await ask(strict, token) == fewer
        assert await ask(strict, token, role="org_admin") == denied("step_up_required")


async def test_a_level_cannot_be_had_silently(levels: Realm, browser: StrongBrowser) -> None:
    level = await strong_level(levels)
    await browser.login_with_level("dave", "openid org1", level)

    with pytest.raises(LoginFailed) as failed:
        await browser.silent("openid org1", acr_values=level)

    assert failed.value.error == "login_required"


async def test_whoever_has_that_role_only_must_step_up(levels: Realm, strict: Service) -> None:
    level = await strong_level(levels)
    async with StrongBrowser(levels.issuer) as browser:
        weak = await browser.login("erin", "openid org1")
        strong = await browser.login_with_level("erin", "openid org1", level)

    for wishes in ({}, {"role": "org_admin"}, {"org_id": "org1"}):
        assert await ask(strict, weak.access, **wishes) == denied("step_up_required")
    assert await ask(strict, weak.access, role="owner") == denied("role_not_granted")
    assert await ask(strict, weak.access, org_id="org2") == denied("org_not_granted")
    assert await ask(strict, strong.access) == granted(levels, "erin", "org1", "org_admin")


async def test_a_strong_login_gives_nobody_another_role(levels: Realm, strict: Service) -> None:
    level = await strong_level(levels)
    async with StrongBrowser(levels.issuer) as browser:
        strong = await browser.login_with_level("bob", "openid org1", level)

    assert strong.claims["acr"] == level
    assert await ask(strict, strong.access) == granted(levels, "bob", "org1", "viewer")
    assert await ask(strict, strong.access, role="org_admin") == denied("role_not_granted")


async def test_a_level_of_another_realm_is_none(levels: Realm) -> None:
    """The values are compared as they are: nothing is known of their order."""
    token = (await Client(levels.admin.http, levels.issuer).password("dave", "openid org1")).access
    fewer = granted(levels, "dave", "org1", *HELD[1:])

    for values in (["platinum"], ["0"], ["3"], ["Silver", "01"]):
        async with running(settings_with(levels, org_admin=values)) as service:
            assert await ask(service, token) == fewer
    async with running(settings_with(levels, org_admin=["1", "silver"])) as service:
        assert await ask(service, token) == granted(levels, "dave", "org1", *HELD)
