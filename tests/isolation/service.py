"""The service as it is wired, asked in this process: everything but HTTP and Keycloak."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from math import inf
from typing import Any

from multidict import CIMultiDict
from typing_extensions import override

from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.core.errors import Denied
from hasura_kc_auth.core.keys import KeySet, import_key_set
from hasura_kc_auth.core.request import headers_in_body
from hasura_kc_auth.keycloak.jwks import KeySource
from hasura_kc_auth.ports import AuthenticatesHeaders
from hasura_kc_auth.telemetry.tracing import NoTracing
from hasura_kc_auth.wiring import Service
from tests.conftest import FakeClock, Output
from tests.isolation.asking import Ask
from tests.isolation.logins import APP, ORG_CLAIM, Keycloaks, issuer_of
from tests.isolation.model import ALLOWED, LEEWAY, MAPPED, MAX_AGE, Realm, Refused, Variables
from tests.isolation.people import DENY, People

Through = Callable[[AuthenticatesHeaders], AuthenticatesHeaders]
"""What a request goes through on its way to the service: a test may put a mistake there."""

CACHE_TTL = 60
# Far fewer than there are tokens and wishes in use: most are forgotten before they come again.
_CACHE_ENTRIES = 200

_ORG_SETTINGS: Mapping[str, dict[str, Any]] = {
    "eu": {"scope": "{org}"},
    "eu2": {"scope": "org:{org}"},
    "us": {"from": "organization", "client": APP},
    "claims": {"from": "claim", "claim": ORG_CLAIM},
}


class _Inside(NoTracing):
    """Wraps the service's parts where tracing would: it hands out one of them, and publishes keys.

    `fetches`: when the service took a realm's keys, by its monotonic clock.
    """

    authenticates: AuthenticatesHeaders

    def __init__(
        self, people: People, keycloaks: Keycloaks, clock: FakeClock, through: Through
    ) -> None:
        self._through = through
        self._realms = {issuer_of(realm): realm for realm in people.realms}
        self._keycloaks = keycloaks
        self._clock = clock
        self.fetches: dict[str, list[float]] = {it.namespace: [] for it in people.realms}

    @override
    def decisions(self, authenticates: AuthenticatesHeaders) -> AuthenticatesHeaders:
        self.authenticates = self._through(authenticates)
        return self.authenticates

    @override
    def questions(
        self, name: str, issuer: str, _ask: Callable[..., Awaitable[Any]], /
    ) -> Callable[..., Awaitable[Any]]:
        assert name == "key fetch"
        realm = self._realms[issuer]

        async def fetch(_session: object, source: KeySource, _within: float) -> KeySet:
            self.fetches[realm.namespace].append(self._clock.monotonic())
            return import_key_set(self._keycloaks.key_set(realm), source.algorithms)

        return fetch


class Asked:
    """The service, and what is to be known about it from outside."""

    def __init__(self, service: Service, inside: _Inside, clock: FakeClock) -> None:
        self.service = service
        self._inside = inside
        self.clock = clock

    async def answer(self, ask: Ask) -> Variables | Refused:
        """Return what Hasura would be told."""
        try:
            if ask.mode == "POST":
                headers = CIMultiDict(headers_in_body(ask.body))
            else:
                headers = CIMultiDict(ask.headers)
            session = await self._inside.authenticates.authenticate(headers)
        except Denied as denied:
            return Refused(denied.code.value)
        variables: dict[str, str] = json.loads(session.body(self.clock.wall()))
        return variables

    def heard_of_keys(self, realm: Realm, since: float) -> float:
        """Return when it first took the keys as they are since then; infinity for not yet."""
        fetches = self._inside.fetches[realm.namespace]
        at = bisect_left(fetches, since)
        return fetches[at] if at < len(fetches) else inf


def _settings(people: People) -> Settings:
    issuers = [
        {
            "issuer": issuer_of(realm),
            "namespace": realm.namespace,
            "clients": ["frontend"],
            "audiences": ["hasura"],
            "algorithms": ["ES256"],
            "leeway": f"{LEEWAY}s",
            "org": {**_ORG_SETTINGS[realm.namespace], "deny": DENY},
        }
        for realm in people.realms
    ]
    tree = {
        "issuers": issuers,
        "roles": {"allowed": ALLOWED, "map": MAPPED},
        "session": {"variables": {"X-Hasura-Email": "email"}, "max_age": f"{MAX_AGE}s"},
        "cache": {"entries": _CACHE_ENTRIES, "ttl": f"{CACHE_TTL}s"},
    }
    return Settings.model_validate(tree, context={"insecure_transport": False})


@asynccontextmanager
async def service_for(
    people: People, keycloaks: Keycloaks, through: Through
) -> AsyncIterator[Asked]:
    """Give the service with its keys fetched; it listens nowhere."""
    clock = FakeClock()
    inside = _Inside(people, keycloaks, clock, through)
    service = Service(_settings(people), Output(), clock.clocks, inside)
    await service.keys.start()
    try:
        for realm in people.realms:
            await service.keys.issuers[issuer_of(realm)].find("key-0")  # waits for the first fetch
        yield Asked(service, inside, clock)
    finally:
        await service.keys.stop()
