"""Where tracing wraps what the service is made of. Where it is off, nothing is wrapped."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec, Protocol, TypeVar

from hasura_kc_auth.core.request import Headers
from hasura_kc_auth.ports import AuthenticatesHeaders, Recalls


class HasHeaders(Protocol):
    """An HTTP request, as far as tracing looks at it."""

    @property
    def headers(self) -> Headers: ...


Call = TypeVar("Call", bound=HasHeaders)
Params = ParamSpec("Params")
Result = TypeVar("Result")


class Tracing(Protocol):
    """Each method takes a part and returns it, wrapped or not."""

    def calls(
        self, handle: Callable[[Call], Awaitable[Result]]
    ) -> Callable[[Call], Awaitable[Result]]:
        """Take the webhook's HTTP handler: Hasura's own trace headers are the call's."""
        ...

    def decisions(self, authenticates: AuthenticatesHeaders) -> AuthenticatesHeaders: ...

    def recalls(self, recalls: Recalls) -> Recalls: ...

    def questions(
        self, name: str, issuer: str, ask: Callable[Params, Awaitable[Result]], /
    ) -> Callable[Params, Awaitable[Result]]:
        """Take what asks this issuer's Keycloak."""
        ...

    async def stop(self) -> None: ...


class NoTracing:
    """Returns each part as it is: what is not there costs nothing."""

    def calls(
        self, handle: Callable[[Call], Awaitable[Result]]
    ) -> Callable[[Call], Awaitable[Result]]:
        return handle

    def decisions(self, authenticates: AuthenticatesHeaders) -> AuthenticatesHeaders:
        return authenticates

    def recalls(self, recalls: Recalls) -> Recalls:
        return recalls

    def questions(
        self, _name: str, _issuer: str, ask: Callable[Params, Awaitable[Result]], /
    ) -> Callable[Params, Awaitable[Result]]:
        return ask

    async def stop(self) -> None:
        pass


NO_TRACING: Tracing = NoTracing()
