"""The signing keys of the configured realms, kept fresh in the background.

States of one realm's keys, by their age since the last successful fetch:

    none ──fetch──▶ fresh ──80 % of ttl──▶ refreshing ahead ──failure──▶ stale ──max_stale──▶ none

Fresh and stale keys verify alike: while Keycloak is down, tokens under known keys are answered as
ever. Every fetch has a cooldown behind it, counted from the attempt and not from the success, so
that neither a flood of unknown key ids nor a failing Keycloak makes the service hammer it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

import aiohttp

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.keys import KeySet, UnusableKeySet, VerificationKey, import_key_set
from hasura_kc_auth.keycloak.discovery import DiscoveryMismatch, discovery_url, read_jwks_uri
from hasura_kc_auth.keycloak.fetch import FetchFailed, FetchResult, client_session, fetch_json
from hasura_kc_auth.ports import Clock, FoundKey

_REFRESH_AHEAD = 0.8
# Up to a tenth more than the cooldown, so that many replicas do not come back at one moment.
_JITTER = 0.1


@dataclass(frozen=True, slots=True)
class KeyTimes:
    """All in seconds. `timeout`: discovery and key set together; `max_stale` >= `ttl`."""

    ttl: float = 300.0
    cooldown: float = 10.0
    timeout: float = 3.0
    max_stale: float = 3600.0


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where one issuer's keys are. `jwks_uri` None: ask discovery. `tls`: a CA of its own."""

    issuer: str
    algorithms: Collection[str]
    jwks_uri: str | None = None
    tls: ssl.SSLContext | None = None


Report = Callable[[str, FetchResult, str], None]
"""(issuer, result, constant sentence): told of every attempt."""


FetchKeySet = Callable[[aiohttp.ClientSession, KeySource, float], Awaitable[KeySet]]


async def fetch_key_set(session: aiohttp.ClientSession, source: KeySource, within: float) -> KeySet:
    """Ask for one issuer's keys, for so many seconds at most. Raises FetchFailed."""
    try:
        async with asyncio.timeout(within):
            return await _ask_for_key_set(session, source)
    except TimeoutError as error:
        raise FetchFailed(FetchResult.TIMEOUT, "no answer within keys.timeout") from error
    except (DiscoveryMismatch, UnusableKeySet) as error:
        raise FetchFailed(FetchResult.INVALID, str(error)) from error


async def _ask_for_key_set(session: aiohttp.ClientSession, source: KeySource) -> KeySet:
    jwks_uri = source.jwks_uri
    if jwks_uri is None:
        document = await fetch_json(session, discovery_url(source.issuer))
        jwks_uri = read_jwks_uri(document, source.issuer)
    return import_key_set(await fetch_json(session, jwks_uri), source.algorithms)


class IssuerKeys:
    """The keys of one issuer: look-ups, and the task that keeps them fresh."""

    def __init__(  # noqa: PLR0913 - all that it needs of the world is handed in
        self,
        source: KeySource,
        times: KeyTimes,
        *,
        monotonic: Clock,
        random: Callable[[], float],
        report: Report,
        fetch: FetchKeySet = fetch_key_set,
    ) -> None:
        self._source = source
        self._times = times
        self._monotonic = monotonic
        self._random = random
        self._report = report
        self._fetch = fetch
        self._keys: KeySet = {}
        self._fetched_at: float | None = None
        self._next_attempt = self._refresh_at = monotonic()
        self._refreshing: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._session: aiohttp.ClientSession | None = None
        self.fetches: Counter[str] = Counter()
        self.unknown_kids = 0
        self.last_failure: str | None = None

    async def start(self) -> None:
        """Begin to fetch in the background; returns at once, also while Keycloak is down."""
        self._session = client_session(self._source.tls)
        self._keeper = asyncio.create_task(self._keep_fresh())

    async def stop(self) -> None:
        tasks = [task for task in (self._keeper, self._refreshing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    @property
    def age(self) -> float | None:
        """Seconds since the last successful fetch; None before the first."""
        return None if self._fetched_at is None else self._monotonic() - self._fetched_at

    @property
    def usable(self) -> bool:
        age = self.age
        return age is not None and age < self._times.max_stale

    async def find(self, kid: str) -> VerificationKey:
        """Return the key with this id; an unknown one costs a fetch, where the cooldown is over.

        Raises Denied: `keys_unavailable` while there is no usable set, `unknown_key`.
        """
        key = self.known(kid)
        if key is None:
            await self._refresh_for_caller()
            key = self.known(kid)
        if key is not None:
            return key
        issuer = self._source.issuer
        if not self.usable:
            raise Denied(Code.KEYS_UNAVAILABLE, self.last_failure or "", issuer=issuer)
        self.unknown_kids += 1
        raise Denied(Code.UNKNOWN_KEY, issuer=issuer)

    def known(self, kid: str) -> VerificationKey | None:
        """Return the key with this id out of the usable set, if it is there. Never waits."""
        return self._keys.get(kid) if self.usable else None

    async def _refresh_for_caller(self) -> None:
        if self._refreshing is None and self._monotonic() < self._next_attempt:
            return
        # One caller leaving (a closed connection) must not cancel the fetch that others wait for.
        await asyncio.shield(self._begin_refresh())

    def _begin_refresh(self) -> asyncio.Task[None]:
        """Return the one refresh in flight, beginning it if there is none."""
        if self._refreshing is None:
            cooldown = self._times.cooldown * (1 + _JITTER * self._random())
            self._next_attempt = self._monotonic() + cooldown
            self._refreshing = asyncio.create_task(self._refresh())
        return self._refreshing

    async def _refresh(self) -> None:
        """Replace the keys; on any failure keep what there is."""
        result, detail = await self._attempt()
        now = self._monotonic()
        self.last_failure = None if result is FetchResult.OK else detail
        self._refresh_at = self._next_attempt
        if result is FetchResult.OK:
            self._fetched_at = now
            ahead = self._times.ttl * _REFRESH_AHEAD * (1 - _JITTER * self._random())
            self._refresh_at = max(self._next_attempt, now + ahead)
        self.fetches[result.value] += 1
        self._refreshing = None  # here, and not by a callback that runs after who waits for it
        self._report(self._source.issuer, result, detail)

    async def _attempt(self) -> tuple[FetchResult, str]:
        assert self._session is not None  # noqa: S101 - `start` has opened it
        try:
            self._keys = await self._fetch(self._session, self._source, self._times.timeout)
        except FetchFailed as failure:
            return failure.result, failure.detail
        except Exception as error:  # noqa: BLE001 - whatever it is, the keeper must live on
            return FetchResult.INVALID, f"unexpected {type(error).__name__}"
        return FetchResult.OK, ""

    async def _keep_fresh(self) -> None:
        while True:
            wait = self._refresh_at - self._monotonic()
            if wait > 0:
                await asyncio.sleep(wait)  # and look again: a caller's refresh may have come first
            else:
                await asyncio.shield(self._begin_refresh())


class RealmKeys:
    """The port `FindsKeys` over all configured issuers. A key of one never verifies for another."""

    def __init__(self, issuers: Mapping[str, IssuerKeys]) -> None:
        self.issuers = issuers

    async def start(self) -> None:
        for keys in self.issuers.values():
            await keys.start()

    async def stop(self) -> None:
        for keys in self.issuers.values():
            await keys.stop()

    def find(self, issuer: str, kid: str) -> FoundKey:
        """Return this issuer's key, or what to wait for where Keycloak must be asked for it.

        Raises Denied `unknown_key` or `keys_unavailable` while it is waited for.
        """
        keys = self.issuers[issuer]
        return keys.known(kid) or keys.find(kid)
