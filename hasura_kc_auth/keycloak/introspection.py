"""Asks Keycloak about single tokens (RFC 7662), and waits for no Keycloak that is down."""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote_plus

import aiohttp

from hasura_kc_auth.core.breaker import Breaker
from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.strict_json import Json, decode_foreign_object, decode_object
from hasura_kc_auth.keycloak.fetch import Asked, FetchFailed, FetchResult, ask_json, client_session
from hasura_kc_auth.ports import Clock

_BAD_REQUEST = 400
# Codes of a 400 that is about who asks (RFC 6749, section 5.2), and not about the token.
_CLIENT_ERRORS = frozenset({"invalid_client", "unauthorized_client"})
# Unknown client or wrong secret; a client that may not introspect, such as a public one.
_REFUSALS = frozenset({401, 403})
_INACTIVE: Mapping[str, Json] = {"active": False}


@dataclass(frozen=True, slots=True)
class IntrospectionClient:
    """Who asks where. `timeout` and `cooldown`: seconds. `tls`: a CA of its own."""

    issuer: str
    url: str
    client_id: str
    client_secret: str = field(repr=False)
    timeout: float = 3.0
    cooldown: float = 10.0
    tls: ssl.SSLContext | None = None


def introspection_url(issuer: str, jwks_uri: str | None) -> str:
    """Return where Keycloak's introspection is: beside its keys, where their address is given."""
    keys = "/protocol/openid-connect/certs"
    realm = jwks_uri.removesuffix(keys) if jwks_uri and jwks_uri.endswith(keys) else issuer
    return f"{realm.removesuffix('/')}/protocol/openid-connect/token/introspect"


class Introspection:
    """Asks over HTTP, with a circuit breaker: after some failures one request tries at a time.

    `requests` counts by the closed set FetchResult, for a collector to read.
    """

    def __init__(
        self,
        client: IntrospectionClient,
        monotonic: Clock,
        report: Callable[[str, str], None],
    ) -> None:
        self._client = client
        self._monotonic = monotonic
        self._report = report
        self._breaker = Breaker(client.cooldown)
        self._session: aiohttp.ClientSession | None = None
        self.requests: Counter[str] = Counter()

    async def start(self) -> None:
        self._session = client_session(self._client.tls)

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def introspect(self, token: str) -> Mapping[str, Json]:
        """Return Keycloak's answer about one token; `{"active": False}` is one, too.

        Raises Denied `introspection_unavailable`: never an answer where there was none.
        """
        if not self._breaker.lets_through(self._monotonic()):
            raise self._unavailable(
                "Keycloak failed again and again, and is left alone for a while"
            )
        try:
            async with asyncio.timeout(self._client.timeout):
                answer = await self._ask(token)
        except TimeoutError:
            self._failed(FetchResult.TIMEOUT, "no answer within keys.timeout")
            raise self._unavailable("no answer within keys.timeout") from None
        except FetchFailed as failure:
            self._failed(failure.result, failure.detail)
            raise self._unavailable(failure.detail) from failure
        self._breaker.succeeded()
        self.requests[FetchResult.OK.value] += 1
        return answer

    async def _ask(self, token: str) -> Mapping[str, Json]:
        assert self._session is not None  # noqa: S101 - `start` has opened it
        status, answer = await ask_json(
            _post(self._session, self._client, token),
            statuses=(200, _BAD_REQUEST),
            read=_read_answer,
        )
        return _about_a_bad_request(answer) if status == _BAD_REQUEST else _told(answer)

    def _failed(self, result: FetchResult, detail: str) -> None:
        # An answer that cannot be read may be about one odd token: it opens the breaker for nobody.
        if result is not FetchResult.INVALID:
            self._breaker.failed(self._monotonic())
        self.requests[result.value] += 1
        self._report(self._client.issuer, detail)

    def _unavailable(self, detail: str) -> Denied:
        return Denied(Code.INTROSPECTION_UNAVAILABLE, detail, issuer=self._client.issuer)


async def login_refused(session: aiohttp.ClientSession, client: IntrospectionClient) -> bool:
    """Whether Keycloak refuses this client, by asking about a token that is none.

    It looks at who asks first. Raises FetchFailed where it cannot be told.
    """
    try:
        async with asyncio.timeout(client.timeout):
            status, answer = await ask_json(
                _post(session, client, "no-token"),
                statuses=(200, _BAD_REQUEST, *_REFUSALS),
                read=_read_any,
            )
    except TimeoutError:
        raise FetchFailed(FetchResult.TIMEOUT, "no answer within keys.timeout") from None
    if status == 200:  # noqa: PLR2004 - the one status that has what was asked for
        _told(answer)
    return status in _REFUSALS or answer.get("error") in _CLIENT_ERRORS


def _post(session: aiohttp.ClientSession, client: IntrospectionClient, token: str) -> Asked:
    # A redirect would take the secret to whatever place the answer names.
    return session.post(
        client.url,
        data={"token": token, "token_type_hint": "access_token"},
        headers={"Authorization": _basic(client.client_id, client.client_secret)},
        allow_redirects=False,
    )


def _basic(client_id: str, client_secret: str) -> str:
    """RFC 6749, section 2.3.1: both are encoded as in a form before they are joined."""
    login = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return f"Basic {b64encode(login.encode()).decode()}"


def _read_answer(body: bytes) -> dict[str, Json]:
    """Read an answer as strictly as a token. Raises ValueError where it is no JSON object.

    JSON that no token could carry, such as a name with U+0000 in it, is that token's fault: one
    user's attributes must not open the breaker for all.
    """
    try:
        return decode_object(body)
    except ValueError:
        decode_foreign_object(body)
        return dict(_INACTIVE)


def _read_any(body: bytes) -> dict[str, Json]:
    """Read an answer whose status says enough, whatever its body is."""
    try:
        return decode_foreign_object(body)
    except ValueError:
        return {}


def _told(answer: Mapping[str, Json]) -> Mapping[str, Json]:
    if not isinstance(answer.get("active"), bool):  # RFC 7662, section 2.2: it is required
        raise FetchFailed(FetchResult.INVALID, "the answer does not say whether it is active")
    return answer


def _about_a_bad_request(answer: Mapping[str, Json]) -> Mapping[str, Json]:
    """Keycloak itself is up: it is that token's fault, such as an org that its user has left."""
    if answer.get("error") in _CLIENT_ERRORS:
        raise FetchFailed(FetchResult.STATUS, "Keycloak refuses the client of `introspection`")
    return _INACTIVE
