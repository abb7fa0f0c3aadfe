"""A circuit breaker: what fails again and again is left alone for a while."""

from __future__ import annotations

# So many failures in a row, and it opens.
_FAILURES_TO_OPEN = 5


class Breaker:
    """Lets everything through while it works; afterwards one attempt in each `cooldown` seconds.

    `now`: seconds by the monotonic clock.
    """

    def __init__(self, cooldown: float) -> None:
        self._cooldown = cooldown
        self._failures = 0
        self._next_attempt = 0.0

    def lets_through(self, now: float) -> bool:
        """Whether to try. Where it is open, whoever is let through tries for all."""
        if self._failures < _FAILURES_TO_OPEN:
            return True
        if now < self._next_attempt:
            return False
        self._next_attempt = now + self._cooldown
        return True

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, now: float) -> None:
        self._failures += 1
        self._next_attempt = now + self._cooldown
