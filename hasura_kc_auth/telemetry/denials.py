"""The last denials, for whoever asks "why was I refused?".

The log has them too, but ten a second for each code at most, and perhaps in another place. Nothing
of a token or a claim is here: a code, a configured issuer, and a request id of the right form.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.ports import Clock

KEPT_DENIALS = 1000


class Denial(NamedTuple):
    """One refused request. `time`: seconds since the epoch."""

    time: float
    code: Code
    issuer: str | None
    request_id: str | None


class RecentDenials:
    """Keeps the last denials of this process; the oldest leaves first."""

    def __init__(self, wall_clock: Clock, kept: int = KEPT_DENIALS) -> None:
        self._wall_clock = wall_clock
        self._denials: deque[Denial] = deque(maxlen=kept)

    def note(self, denied: Denied, request_id: str | None) -> None:
        now = self._wall_clock()
        self._denials.append(Denial(now, denied.code, denied.issuer, request_id))

    def newest_first(self, request_id: str | None = None) -> Iterator[Denial]:
        """Yield the denials; with a request id only those of that request."""
        return (
            it
            for it in reversed(self._denials)
            if request_id is None or it.request_id == request_id
        )
