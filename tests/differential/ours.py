"""The service as a judge: its own wiring of keys, rules and policy, with a clock to set."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp

from hasura_kc_auth.authenticator import Authenticator
from hasura_kc_auth.config.policy import policy_of
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.keys import KeySet, import_key_set
from hasura_kc_auth.core.request import Request
from hasura_kc_auth.keycloak.jwks import IssuerKeys, KeySource, KeyTimes, RealmKeys
from tests.differential.mutants import Mutant
from tests.differential.originals import LEEWAY, World

ACCEPT = "accept"

# What a token grants is no other implementation's business: with one of these it is valid.
_ABOUT_GRANTS = frozenset(
    {
        Code.NO_ORG,
        Code.ORG_NOT_GRANTED,
        Code.AMBIGUOUS_ORG,
        Code.NO_ROLE,
        Code.ROLE_NOT_GRANTED,
        Code.STEP_UP_REQUIRED,
    }
)


class Ours:
    """Judges mutants as the service would."""

    def __init__(self, world: World) -> None:
        self._now = 0.0
        self._published = {realm.issuer: realm.published for realm in world.realms}
        sources = (KeySource(it.issuer, it.algorithms) for it in world.realms)
        self.keys = RealmKeys({it.issuer: self._keys(it) for it in sources})
        self._authenticator = Authenticator(
            policy_of(_settings(world)), self.keys, lambda: self._now
        )

    async def judge(self, mutant: Mutant) -> str:
        """Return `accept`, the code of the denial, or what was raised instead of one."""
        self._now = mutant.now
        try:
            await self._authenticator.authenticate(Request(mutant.token))
        except Denied as denied:
            return ACCEPT if denied.code in _ABOUT_GRANTS else denied.code.value
        except Exception as error:  # noqa: BLE001 - a finding, whatever it is
            return f"raised {type(error).__name__}"
        return ACCEPT

    def _keys(self, source: KeySource) -> IssuerKeys:
        return IssuerKeys(
            source,
            KeyTimes(),
            monotonic=lambda: 0.0,
            random=lambda: 0.5,
            report=lambda *_: None,
            fetch=self._fetch,
        )

    async def _fetch(
        self, _session: aiohttp.ClientSession, source: KeySource, _within: float
    ) -> KeySet:
        return import_key_set(self._published[source.issuer], source.algorithms)


def _settings(world: World) -> Settings:
    issuers = [
        {
            "issuer": it.issuer,
            "namespace": it.namespace,
            "clients": it.clients,
            "audiences": it.audiences,
            "algorithms": it.algorithms,
            "leeway": f"{LEEWAY}s",
        }
        for it in world.realms
    ]
    tree = {"issuers": issuers, "roles": {"allowed": ["editor", "viewer"]}}
    return Settings.model_validate(tree, context={"insecure_transport": False})


@asynccontextmanager
async def ours(world: World) -> AsyncIterator[Ours]:
    """Give the judge with its keys fetched."""
    judge = Ours(world)
    await judge.keys.start()
    try:
        for realm in world.realms:
            # Waits for the first fetch.
            await judge.keys.issuers[realm.issuer].find(realm.keys[0].kid)
        yield judge
    finally:
        await judge.keys.stop()
