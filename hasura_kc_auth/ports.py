"""What the use case asks of the world, and the world of it. Each port is one method wide."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from hasura_kc_auth.core.keys import VerificationKey
from hasura_kc_auth.core.request import Headers, Request
from hasura_kc_auth.core.session import Session
from hasura_kc_auth.core.strict_json import Json

Result = TypeVar("Result")


class Clock(Protocol):
    """Seconds: since the epoch for claims (wall clock), since any moment for caches (monotonic)."""

    def __call__(self) -> float: ...


class Clocks(NamedTuple):
    """The two clocks of the service. They are read at its edges only, and injected everywhere."""

    wall: Clock
    monotonic: Clock


FoundKey: TypeAlias = VerificationKey | Awaitable[VerificationKey]
"""A key at hand, or what to wait for where Keycloak must be asked for it."""


class FindsKeys(Protocol):
    def find(self, issuer: str, kid: str) -> FoundKey:
        """Return this issuer's key, or what to wait for where Keycloak must be asked for it.

        Raises Denied `unknown_key` or `keys_unavailable`, at once or while it is waited for.
        """
        ...


class Told(NamedTuple):
    """Keycloak's answer about a token. `fresh_for`: seconds for which it is still believed."""

    answer: Mapping[str, Json]
    fresh_for: float


class Introspects(Protocol):
    async def introspect(self, token: str) -> Told:
        """Return Keycloak's answer about a token. Raises Denied `introspection_unavailable`."""
        ...


class Decides(Protocol):
    def decide(self, request: Request) -> Session | Awaitable[Session]:
        """Return the session this request gets, or what to wait for where Keycloak must be asked.

        Raises Denied, at once or while it is waited for.
        """
        ...


class TakesTurns(Protocol):
    async def run(self, call: Callable[[], Result]) -> Result:
        """Call it when it is its turn, and return or raise what it does."""
        ...


class Authenticates(Protocol):
    async def authenticate(self, request: Request) -> Session:
        """Return the session this request gets. Raises Denied."""
        ...


class AuthenticatesHeaders(Protocol):
    async def authenticate(self, headers: Headers) -> Session:
        """Return the session that a client with these headers gets. Raises Denied."""
        ...


class Recalls(Protocol):
    def recall(self, request: Request) -> Session | None:
        """Return the session an equal request got, if it still may have it. Never waits."""
        ...
