"""Sessions of requests that were allowed before, so that a repeated token costs one look-up."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable
from hashlib import sha256

from hasura_kc_auth.core.request import Request
from hasura_kc_auth.core.session import Session
from hasura_kc_auth.ports import Clocks, Decides, TakesTurns

_NO_MISS = (Request(None), b"")


class Decisions:
    """Wraps the deciding port: remembers its sessions, in this process, bounded.

    Only verified results are stored, never a denial, and never longer than `ttl` seconds: a key
    that Keycloak withdrew, or a changed role list, ends a session by then. `entries`: how many are
    kept, the least recently used one leaves first; 0 turns it off. `turns`: lets what is not
    remembered be decided when it is its turn. The counts are plain integers for a collector to
    read.
    """

    def __init__(
        self, decides: Decides, turns: TakesTurns, clocks: Clocks, *, entries: int, ttl: float
    ) -> None:
        self._decides = decides
        self._turns = turns
        self._max_entries = entries
        self._ttl = ttl
        self._wall_clock, self._monotonic = clocks
        self._entries: OrderedDict[bytes, tuple[Session, float]] = OrderedDict()
        # `authenticate` comes right after what is not recalled: its key is kept for that long.
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
        session = self._remembered(key)
        if session is None:
            self.misses += 1
            self._missed = (request, key)
            return None
        self.hits += 1
        return session

    def _remembered(self, key: bytes) -> Session | None:
        found = self._entries.get(key)
        if found is None:
            return None
        session, keep_until = found
        # The wall clock may have jumped either way: the token's own times are asked on every hit.
        alive = session.valid_from <= self._wall_clock() < session.valid_until
        if not alive or self._monotonic() >= keep_until:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return session

    async def authenticate(self, request: Request) -> Session:
        """Ask the wrapped port, and remember its session. Raises what that raises."""
        (missed, key), self._missed = self._missed, _NO_MISS
        if request.token is None:  # nothing to verify, and nothing to remember
            outcome = self._decides.decide(request)
            return outcome if isinstance(outcome, Session) else await outcome
        if missed is not request:
            key = _digest(request)
        outcome = await self._turns.run(lambda: self._decide(request, key))
        return outcome if isinstance(outcome, Session) else self._remember(key, await outcome)

    def _decide(self, request: Request, key: bytes) -> Session | Awaitable[Session]:
        # An equal request may have had its turn just before: pages ask many questions at once.
        remembered = self._remembered(key)
        if remembered is not None:
            return remembered
        outcome = self._decides.decide(request)
        return self._remember(key, outcome) if isinstance(outcome, Session) else outcome

    def _remember(self, key: bytes, session: Session) -> Session:
        if self._max_entries:
            keep_until = self._monotonic() + min(self._ttl, session.fresh_for)
            self._entries[key] = (session, keep_until)
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
