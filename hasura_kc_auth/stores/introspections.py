"""Introspection answers, remembered for a short while; replicas may share them.

A Redis look-up costs more than verifying a token, so this is for what Keycloak itself would have to
be asked for, and for nothing else. What a shared store returns is believed only under the service's
own seal: whoever can write to Redis can make answers vanish, and cannot make one up.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

from yarl import URL

from hasura_kc_auth.core.breaker import Breaker
from hasura_kc_auth.core.claims import is_number
from hasura_kc_auth.core.rendering import compact_json
from hasura_kc_auth.core.strict_json import Json, decode_object
from hasura_kc_auth.ports import Clocks, Told

_SEAL_BYTES = 32
# A slow store is a miss: it must not cost a request more than this.
_READ_SECONDS = 0.05
# Nobody waits for a write.
_WRITE_SECONDS = 1.0
# A store that fails again and again is tried once in so long a time, so it costs next to nothing.
_COOLDOWN_SECONDS = 1.0
# Four times what is taken from Keycloak: more is nothing that this service wrote.
_MAX_ENTRY_BYTES = 1024 * 1024
# Below a millisecond Redis knows no time to live, and aiocache reads 0 as forever.
_SHORTEST_SECONDS = 0.001


class Store(Protocol):
    """What is used of aiocache."""

    async def get(self, key: str) -> Any: ...  # noqa: ANN401 - aiocache's own
    async def set(self, key: str, value: bytes, *, ttl: float) -> Any: ...  # noqa: ANN401
    async def close(self) -> Any: ...  # noqa: ANN401


AsksKeycloak = Callable[[str], Awaitable[Mapping[str, Json]]]
"""Returns Keycloak's answer about a token. Raises Denied `introspection_unavailable`."""


def open_store(url: URL | None, entries: int) -> Store:
    """Return a store in Redis or Valkey, or without a URL one in this process, of so many entries.

    It connects when it is first used. Raises ImportError without the extra `redis`.
    """
    # aiocache brings its own imports of Redis and tracing wherever they are installed: only who
    # needs a store waits for them.
    if url is not None:
        from hasura_kc_auth.stores.shared import SharedCache  # noqa: PLC0415

        shared: Store = SharedCache(url)
        return shared
    from hasura_kc_auth.stores.memory import BoundedMemoryCache  # noqa: PLC0415

    memory: Store = BoundedMemoryCache(entries)
    return memory


class _Entry(NamedTuple):
    """An answer. `until`: the moment, by the wall clock, from which it is not believed any more."""

    answer: Mapping[str, Json]
    until: float


class Introspections:
    """The port `Introspects`: asks once for many, remembers for `ttl` seconds at most.

    Never past the token's `exp`, though. `secret` seals what is stored; replicas that share it
    believe each other.
    """

    def __init__(
        self, ask: AsksKeycloak, store: Store, clocks: Clocks, *, ttl: float, secret: str
    ) -> None:
        self._ask = ask
        self._store = store
        self._wall_clock, self._monotonic = clocks
        self._breaker = Breaker(_COOLDOWN_SECONDS)
        self._ttl = ttl
        self._seal_key = sha256(b"hasura-kc-auth introspection seal\0" + secret.encode()).digest()
        self._asking: dict[str, asyncio.Task[_Entry]] = {}
        self._writing: set[asyncio.Task[None]] = set()
        self.store_failures = 0

    async def introspect(self, token: str) -> Told:
        """Return Keycloak's answer, at most `ttl` seconds old. Raises Denied as the port does."""
        key = hmac.digest(self._seal_key, token.encode(), "sha256").hex()
        answer, until = await self._recall(key) or await self._ask_once(key, token)
        return Told(answer, max(0.0, until - self._wall_clock()))

    async def stop(self) -> None:
        """Ask no more, and wait for what is being written."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, *self._writing, return_exceptions=True)

    async def _recall(self, key: str) -> _Entry | None:
        sealed = await self._use_store(_READ_SECONDS, lambda: self._store.get(key))
        try:
            return None if sealed is None else self._open(key, sealed)
        except Exception:  # noqa: BLE001 - whatever somebody else wrote there, it is a miss
            self.store_failures += 1
            return None

    async def _use_store(self, seconds: float, call: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401
        """Return the store's answer; None where it is slow, down, or left alone since it was so."""
        if not self._breaker.lets_through(self._monotonic()):
            return None
        try:
            async with asyncio.timeout(seconds):
                answer = await call()
        except Exception:  # noqa: BLE001 - a store has many ways to fail, and none is a request's
            self._breaker.failed(self._monotonic())
            self.store_failures += 1
            return None
        self._breaker.succeeded()
        return answer

    async def _ask_once(self, key: str, token: str) -> _Entry:
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.create_task(self._ask_and_remember(key, token))
            asking.add_done_callback(lambda _: self._asking.pop(key))
        # One caller leaving must not cancel what others wait for.
        return await asyncio.shield(asking)

    async def _ask_and_remember(self, key: str, token: str) -> _Entry:
        answer = await self._ask(token)
        entry = _Entry(answer, self._until(answer))
        writing = asyncio.create_task(self._remember(key, entry))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        return entry

    def _until(self, answer: Mapping[str, Json]) -> float:
        latest, expires = self._wall_clock() + self._ttl, answer.get("exp")
        return min(latest, expires) if is_number(expires) else latest

    async def _remember(self, key: str, entry: _Entry) -> None:
        ttl = float(entry.until - self._wall_clock())
        if ttl < _SHORTEST_SECONDS:
            return
        sealed = self._sealed(key, entry)
        await self._use_store(_WRITE_SECONDS, lambda: self._store.set(key, sealed, ttl=ttl))

    def _sealed(self, key: str, entry: _Entry) -> bytes:
        text = compact_json(entry._asdict()).encode()
        return self._seal(key, text) + text

    def _open(self, key: str, sealed: bytes) -> _Entry | None:
        """Return what lies under our own seal, if it is still good. Raises anything otherwise."""
        if len(sealed) > _MAX_ENTRY_BYTES:
            raise ValueError("longer than anything that this service writes")
        seal, text = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
        if not hmac.compare_digest(seal, self._seal(key, text)):
            raise ValueError("not sealed by this service, for this token")
        entry = _Entry(**decode_object(text))
        # An end further away than any that is written now: the wall clock was set back meanwhile.
        alive = 0 < entry.until - self._wall_clock() <= self._ttl
        return entry if alive else None

    def _seal(self, key: str, text: bytes) -> bytes:
        return hmac.digest(self._seal_key, key.encode() + text, "sha256")
