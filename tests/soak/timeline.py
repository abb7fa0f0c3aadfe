"""What the service can know of the issuer's keys at a moment, and what it must.

The soak turns keys and breaks the issuer, and notes here when. From that, and from the service's
own documented times, follows which answers may come. Around such a moment there may be two; each
tolerance is stated beside the method that grants it. All moments are seconds by the monotonic
clock; what was asked is a span from `sent` to `received`, and a thing "may be" if it may be at any
moment of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

_JITTER = 1.1
_REFRESH_AHEAD = 0.8
_INSTANT = 1e-6


@dataclass(frozen=True, slots=True)
class Times:
    """The service's settings, in seconds. `slack`: how late a busy machine fires a timer.

    Short, so that a minute sees each state; an attempt ends before the next one may begin.
    """

    ttl: float = 20.0
    cooldown: float = 3.0
    timeout: float = 3.0
    max_stale: float = 32.0
    cache_ttl: float = 5.0
    leeway: float = 2.0
    read_timeout: float = 5.0
    slack: float = 1.0

    @property
    def retry(self) -> float:
        """The longest wait from one attempt to the next that is allowed."""
        return self.cooldown * _JITTER + self.slack

    @property
    def refresh(self) -> float:
        """The longest wait from a success to the next attempt in the background."""
        return max(self.ttl * _REFRESH_AHEAD + self.timeout + self.slack, self.retry)

    @property
    def attempt(self) -> float:
        """The longest that one attempt takes."""
        return self.timeout + self.slack


@dataclass(slots=True)
class KeyLife:
    """When a key was published and withdrawn, and what the service's answers told since.

    `proven`: an answer showed that the service has it; `missed`: one showed, after the withdrawal,
    that it has it no more.
    """

    published: float = inf
    withdrawn: float = inf
    proven: float = inf
    missed: float = inf


@dataclass
class Outage:
    """A span in which the issuer answers no fetch as it should."""

    begin: float
    end: float = inf


@dataclass
class Timeline:
    """The issuer's keys and outages, as the soak made them."""

    times: Times
    keys: dict[str, KeyLife] = field(default_factory=dict)
    outages: list[Outage] = field(default_factory=list)

    def publish(self, kid: str, now: float) -> None:
        self.keys[kid] = KeyLife(published=now)

    def withdraw(self, kid: str, now: float) -> None:
        self.keys[kid].withdrawn = now

    def fail(self, now: float) -> None:
        self.outages.append(Outage(now))

    def mend(self, now: float) -> None:
        self.outages[-1].end = now

    def saw_key(self, kid: str, received: float) -> None:
        """Note that an answer proved this key to be in the service's set."""
        life = self._life(kid)
        life.proven = min(life.proven, received)

    def saw_no_key(self, kid: str, received: float) -> None:
        """Note that an answer said `unknown_key`."""
        life = self._life(kid)
        if received >= life.withdrawn and life.proven < life.withdrawn:
            life.missed = min(life.missed, received)

    def may_have_key(self, kid: str, sent: float, received: float, *, remembered: float) -> bool:
        """Whether the service may still decide by this key.

        Not before it is published. A withdrawn key is gone after the next refresh that must have
        succeeded, or as soon as one answer showed it, and with it what was decided by it, at the
        end of `remembered` more seconds (`cache.ttl` for a session; nothing else is remembered).
        In an outage no key is used beyond `max_stale`, but for what is remembered.
        """
        life = self._life(kid)
        gone = min(life.missed, self._refreshed_after(life.withdrawn))
        if received < life.published or sent >= gone + remembered:
            return False
        return not self._is_surely_unusable(sent, received, remembered)

    def may_lack_key(self, kid: str, sent: float, received: float) -> bool:
        """Whether the service may answer `unknown_key`.

        Never for a published key that an earlier answer proved it to have, or that a refresh in
        the background must have brought. Else for at most one cooldown (x 1.1) after the
        publication or the end of an outage, since the attempt before may have come just before:
        after that, the request itself makes the service fetch, and waits.
        """
        if self._is_surely_unusable(sent, received, 0.0):
            return False
        life = self._life(kid)
        if received >= life.withdrawn:
            return True
        since = sent - self.times.retry
        can_fetch = since >= life.published and self._is_healthy(since, received)
        known = min(life.proven, self._refreshed_after(life.published))
        return not (known <= sent or can_fetch)

    def may_be_unusable(self, sent: float, received: float) -> bool:
        """Whether `keys_unavailable` may come: no fetch need have succeeded for `max_stale`."""
        ends = [it.end + self.times.retry + self.times.attempt - _INSTANT for it in self.outages]
        moments = [sent, received, *(end for end in ends if sent < end < received)]
        return any(self._oldest_possible(moment) >= self.times.max_stale for moment in moments)

    def _life(self, kid: str) -> KeyLife:
        return self.keys.get(kid) or KeyLife()

    def _is_healthy(self, begin: float, end: float) -> bool:
        return not any(outage.begin < end and begin < outage.end for outage in self.outages)

    def _settled(self, moment: float) -> bool:
        """Whether the issuer was well for so long that whatever attempt was due has succeeded."""
        return self._is_healthy(moment - self.times.retry - self.times.attempt, moment)

    def _refreshed_after(self, moment: float) -> float:
        """Return when a fetch that began after this moment must have succeeded."""
        done = moment + self.times.refresh + self.times.attempt
        for outage in self.outages:
            if not self._settled(done) and outage.begin <= done:
                done = max(done, outage.end + self.times.retry + self.times.attempt)
        return done

    def _oldest_possible(self, moment: float) -> float:
        """Return the greatest age that the service's set may have."""
        settled = moment
        for outage in reversed(self.outages):
            if self._settled(settled):
                break
            settled = min(settled, outage.begin)
        if settled == -inf:
            return inf
        return moment - settled + self.times.refresh + self.times.attempt

    def _is_surely_unusable(self, sent: float, received: float, remembered: float) -> bool:
        beyond = self.times.attempt + self.times.max_stale + remembered
        return any(it.begin + beyond <= sent and received < it.end for it in self.outages)
