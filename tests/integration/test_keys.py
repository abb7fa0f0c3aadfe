"""The realm's keys change, Keycloak goes and comes back, and has more than one address."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from asking import SkippedTime, ask, denied, forged, granted, health, running, settings_for
from keycloak_server import KeycloakServer
from lightweight import introspecting, light_login
from login import Client, Tokens
from realm import Realm
from realm_keys import add_key, disable_key, key_id_of, restore_key, retire_key

from hasura_kc_auth.wiring import Service

COOLDOWN = 11.1  # keys.cooldown is 10 s by default, and up to a tenth more
CACHED = 61.0  # cache.ttl is 60 s by default
STALE = 3601.0  # keys.max_stale is 1 h by default


async def org1(realm: Realm) -> Tokens:
    return await Client(realm.admin.http, realm.issuer).password("alice", "openid org1")


def fetches(service: Service, realm: Realm) -> int:
    return service.keys.issuers[realm.issuer].fetches.total()


async def test_a_new_key_is_accepted_on_first_sight(own_realm: Realm) -> None:
    """T13: nothing announces it. A disabled one is refused once the keys were fetched again."""
    time = SkippedTime()
    allowed = granted(own_realm, "alice", "org1", "editor")
    old = await org1(own_realm)
    old_id = await key_id_of(own_realm, old.header["kid"])
    async with running(settings_for(own_realm), time.clocks) as service:
        assert await ask(service, old.access) == allowed

        await add_key(own_realm)
        new = await org1(own_realm)
        assert await ask(service, new.access) == denied("unknown_key")
        assert fetches(service, own_realm) == 1
        time.monotonic += COOLDOWN
        assert await ask(service, new.access) == allowed
        assert fetches(service, own_realm) == 2

        await retire_key(own_realm, old_id)
        await refresh(service, new.access, time)
        assert await ask(service, old.access) == allowed

        await disable_key(own_realm, old_id)
        assert await ask(service, old.access) == allowed
        await refresh(service, new.access, time)
        assert await ask(service, old.access) == denied("unknown_key")
        assert await ask(service, new.access) == allowed

        await restore_key(own_realm, old_id)
        time.monotonic += COOLDOWN
        assert await ask(service, old.access) == allowed


async def refresh(service: Service, token: str, time: SkippedTime) -> None:
    """Let the time pass in which decisions are forgotten, and a strange kid lead to a fetch."""
    time.monotonic += CACHED
    strange = forged(token, 0, kid="unpublished")
    assert await ask(service, strange) == denied("unknown_key")


async def test_keycloak_may_go_and_come_back(
    keycloak: KeycloakServer, realm: Realm, light: Realm, frontend: Client
) -> None:
    tokens = await org1(realm)
    asking = Introspected(light)
    allowed = granted(realm, "alice", "org1", "editor")
    settings = settings_for(realm, keys={"cooldown": "1s"}, cache={"entries": 0})
    time = SkippedTime()
    async with AsyncExitStack() as stack:
        warm = await stack.enter_async_context(running(settings, time.clocks))
        assert await ask(warm, tokens.access) == allowed
        await asking.begin(stack)

        async with outage(keycloak):
            await asking.without_keycloak()

            # Known keys are as good as ever, though nothing is cached.
            assert await ask(warm, tokens.access) == allowed
            assert (await health(warm))[0] == 200

            # A service that starts now lives, is not ready, and blames no token.
            cold = await stack.enter_async_context(running(settings))
            assert await ask(cold, tokens.access) == denied("keys_unavailable", 503)
            assert (await health(cold, "livez"))[0] == 200
            status, states = await health(cold)
            assert (status, states["status"]) == (503, "not ready")
            assert states["issuers"][realm.issuer]["last_failure"] == "no connection to the address"

            # After an hour, the known keys are worth nothing any more.
            time.monotonic += STALE
            assert await ask(warm, tokens.access) == denied("keys_unavailable", 503)
            assert (await health(warm))[0] == 503

        # Nobody asks: it becomes ready by itself, within the cooldown and a second.
        async with asyncio.timeout(5):
            while (await health(cold))[0] != 200:  # noqa: ASYNC110 - another party's state
                await asyncio.sleep(0.1)
        fresh = await frontend.refresh(tokens)
        for service in (cold, warm):
            assert await ask(service, tokens.access) == allowed
            assert await ask(service, fresh.access) == allowed
            assert (await health(service))[0] == 200
        await asking.end()


class Introspected:
    """Lightweight tokens before, in and after the outage: each can only be told by Keycloak."""

    def __init__(self, realm: Realm) -> None:
        self.realm = realm
        self.time = SkippedTime()
        self.allowed = granted(realm, "alice", "org1", "editor")

    async def begin(self, stack: AsyncExitStack) -> None:
        settings = settings_for(self.realm, issuer=introspecting())
        self.service = await stack.enter_async_context(running(settings, self.time.clocks))
        self.known = (await light_login(self.realm, "alice", "openid org1")).access
        self.new = (await light_login(self.realm, "alice", "openid org1")).access
        assert await ask(self.service, self.known) == self.allowed

    async def without_keycloak(self) -> None:
        """Believe what was told for its 30 s, also where another question needs it anew."""
        down = denied("introspection_unavailable", 503)
        assert await ask(self.service, self.known) == self.allowed
        assert await ask(self.service, self.known, role="editor") == self.allowed
        assert await ask(self.service, self.known, role="viewer") == denied("role_not_granted")
        # By both modes each: more often than it takes to open the circuit breaker.
        for _ in range(3):
            assert await ask(self.service, self.new) == down
        self.time.wall = self.time.monotonic = 30.1
        assert await ask(self.service, self.known) == down

    async def end(self) -> None:
        self.time.monotonic += COOLDOWN
        assert await ask(self.service, self.new) == self.allowed
        assert await ask(self.service, self.known) == self.allowed


@asynccontextmanager
async def outage(keycloak: KeycloakServer) -> AsyncIterator[None]:
    await keycloak.stop()
    try:
        yield
    finally:
        await keycloak.start()


async def test_keycloak_may_have_an_inner_address(own_realm: Realm) -> None:
    """Its tokens bear the outer one, and only the settings may say where the keys are."""
    inner = await org1(own_realm)
    outer_issuer = f"https://sso.example.test/realms/{own_realm.name}"
    await own_realm.configure(attributes={"frontendUrl": "https://sso.example.test"})
    outer = await org1(own_realm)
    allowed = granted(own_realm, "alice", "org1", "editor")
    outside = {"issuer": outer_issuer, "jwks_uri": own_realm.jwks_uri}

    assert outer.claims["iss"] == outer_issuer
    async with running(settings_for(own_realm, issuer=outside)) as service:
        assert await ask(service, outer.access) == allowed
        assert await ask(service, inner.access) == denied("wrong_issuer")
    async with running(settings_for(own_realm)) as mistaken:
        # Discovery at the inner address names the outer issuer, so its keys are not taken.
        assert await ask(mistaken, inner.access) == denied("keys_unavailable", 503)
        assert await ask(mistaken, outer.access) == denied("wrong_issuer")
        _, states = await health(mistaken)
        failure = states["issuers"][own_realm.issuer]["last_failure"]
        assert failure == "the discovery document names another issuer"


async def test_the_issuer_follows_the_address_that_the_token_was_got_through(
    realm: Realm, service: Service
) -> None:
    """T11: without a fixed hostname each address is another issuer, with the same keys."""
    elsewhere = realm.issuer.replace("127.0.0.1", "localhost")
    other = await Client(realm.admin.http, elsewhere).password("alice", "openid org1")
    usual = await org1(realm)
    allowed = granted(realm, "alice", "org1", "editor")

    assert other.claims["iss"] == elsewhere
    assert other.header["kid"] == usual.header["kid"]
    assert await ask(service, other.access) == denied("wrong_issuer")
    async with running(settings_for(realm, issuer={"issuer": elsewhere})) as local:
        assert await ask(local, other.access) == allowed
        assert await ask(local, usual.access) == denied("wrong_issuer")
