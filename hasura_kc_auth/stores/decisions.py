"""Sessions of requests that were allowed before, so that a repeated token costs one look-up."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256

from hasura_kc_auth.core.request import Request
from hasura_kc_auth.core.session import Session
from hasura_kc_auth.ports import Authenticates, Clocks

_NO_MISS = (Request(None), b"")


class Decisions:
    """Wraps the deciding port: remembers its sessions, in this process, bounded.

    Only verified results are stored, never a denial, and never longer than `ttl` seconds: a key
    that Keycloak withdrew, or a changed role list, ends a session by then. `entries`: how many are
    kept, the least recently used one leaves first; 0 turns it off. The counts are plain integers
    for a collector to read.
    """

    def __init__(self, decide: Authenticates, clocks: Clocks, *, entries: int, ttl: float) -> None:
        self._decide = decide
        self._max_entries = entries
        self._ttl = ttl
        self._wall_clock, self._monotonic = clocks
        self._entries: OrderedDict[bytes, tuple[Session, float]] = OrderedDict()
        # What is not recalled is decided at once: until then its key is kept, and no longer.
        self._missed = _NO_MISS
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._entries)

    def recall(self, request: Request) -> Session | None:
        """Return the session an equal request got, if the rules would still let it pass.

        Synchronous, and free of cryptography but one hash: this is the path of a repeated token.
        """
        if request.token is None or not self._max_entries:
            self.misses += 1
            return None
        key = _digest(request)
        found = self._entries.get(key)
        if found is None:
            self.misses += 1
            self._missed = (request, key)
            return None
        session, keep_until = found
        # The wall clock may have jumped either way: the token's own times are asked on every hit.
        alive = session.valid_from <= self._wall_clock() < session.valid_until
        if not alive or self._monotonic() >= keep_until:
            del self._entries[key]
            self.misses += 1
            return None
        self._entries.move_to_end(key)
        self.hits += 1
        return session

    async def authenticate(self, request: Request) -> Session:
        """Ask the wrapped port, and remember its session. Raises what that raises."""
        (missed, key), self._missed = self._missed, _NO_MISS
        session = await self._decide.authenticate(request)
        if self._max_entries and request.token is not None:
            keep_until = self._monotonic() + min(self._ttl, session.fresh_for)
            self._entries[key if missed is request else _digest(request)] = (session, keep_until)
            if len(self._entries) > self._max_entries:
                self._entries.popitem(last=False)
        return session


def _digest(request: Request) -> bytes:
    """Hash everything that changes the answer; the lengths keep two requests from running together.

    Never the token itself: a memory dump of the keys lets nobody in.
    """
    token, org, role = request
    parts = f"{len(org)}:{org}{len(role)}:{role}{token}"
    return sha256(parts.encode("utf-8", "surrogatepass")).digest()
