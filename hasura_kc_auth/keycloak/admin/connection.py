"""One attempt at an admin call, through python-keycloak: the only place that imports it.

What is put around its connection, and why:
- one login at a time, or every waiting call makes its own as soon as the token has run out;
- the HTTP client of this project below it, for calls and logins: it trusts the system's authorities
  and not those of a package, takes no proxy from the environment, follows no redirect, bounds the
  size of answers, and is four times as fast, which a thousand orgs feel;
- a bound for the whole attempt, since httpx bounds only each single read;
- its errors taken apart: it says "Can't connect to server" to everything.
Its `max_retries` is of its synchronous half, so nothing is tried again here.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import aiohttp
import httpx
from keycloak import KeycloakOpenIDConnection
from keycloak.exceptions import KeycloakConnectionError, KeycloakError
from typing_extensions import override
from yarl import URL

from hasura_kc_auth.keycloak.admin.errors import BUSY, LoginRefused, OddAnswer, Unreachable
from hasura_kc_auth.keycloak.fetch import client_session, read_bounded

_PATIENCE = 30.0
"""Seconds for one attempt, with the login that it may need. Calls take milliseconds."""
_MAX_BYTES = 16 * 1024 * 1024
_SENT = ("Authorization", "Content-Type")


@dataclass(frozen=True, slots=True)
class Account:
    """Who logs in, and in which realm; either a name and a password or the client's secret."""

    realm: str
    client_id: str
    client_secret: str = field(repr=False)
    username: str
    password: str = field(repr=False)


class Connection(KeycloakOpenIDConnection):
    """Speaks to one server as one account. To be closed by `close`."""

    def __init__(self, server: str, account: Account, tls: ssl.SSLContext) -> None:
        super().__init__(
            # Paths are joined to it as a browser joins a link.
            server_url=f"{server.removesuffix('/')}/",
            username=account.username or None,
            password=account.password or None,
            client_id=account.client_id,
            client_secret_key=account.client_secret or None,
            user_realm_name=account.realm,
            verify=tls,  # type: ignore[arg-type]  # for httpx, which wants just this
            timeout=int(_PATIENCE),
        )
        self._logging_in = asyncio.Lock()
        self._http = httpx.AsyncClient(transport=_Transport(tls))
        self.async_s = self._http
        self.keycloak_openid.connection.async_s = self._http

    async def close(self) -> None:
        await self._http.aclose()

    @override
    async def a_refresh_token(self) -> None:
        seen = self.token
        async with self._logging_in:
            if self.token is seen:
                # Never by the refresh token: that can have ended before its time as well.
                await self.a_get_token()

    async def attempt(
        self, method: str, path: str, body: str | None, query: Mapping[str, str]
    ) -> httpx.Response:
        """Make a call, and log in before if need be; return the answer whatever its status.

        Raises Unreachable, LoginRefused, OddAnswer.
        """
        try:
            async with asyncio.timeout(_PATIENCE):
                return await self._send(method, path, body or "", query)
        except TimeoutError:
            raise Unreachable(f"no answer within {_PATIENCE:g} s") from None
        except KeycloakConnectionError as error:
            raise _lost(error) from None
        except KeycloakError as error:
            raise _refused(error.response_code) from None
        except (KeyError, TypeError, ValueError):
            # What python-keycloak stumbles on; its words quote the answer.
            raise OddAnswer("the login") from None

    async def _send(
        self, method: str, path: str, body: str, query: Mapping[str, str]
    ) -> httpx.Response:
        match method:
            case "GET":
                return await self.a_raw_get(path, **query)
            case "POST":
                return await self.a_raw_post(path, body, **query)
            case "PUT":
                return await self.a_raw_put(path, body, **query)
            case _:
                return await self.a_raw_delete(path, body, **query)


def _refused(status: int | None) -> LoginRefused | Unreachable:
    if status in BUSY:
        return Unreachable(f"the login: Keycloak answered {status}")
    if status == 404:  # noqa: PLR2004 - not found
        return LoginRefused("the login: there is no such realm (404); look at its name")
    return LoginRefused(
        f"the login was refused ({status}): look at the account's name, its secret and its realm"
    )


def _lost(error: KeycloakConnectionError) -> Unreachable | OddAnswer:
    causes = list(_causes(error))
    if any(isinstance(it, aiohttp.ClientSSLError) for it in causes):
        detail = "the server's certificate is not trusted (`ca_file` names another authority)"
        return Unreachable(detail, may_pass=False)
    if any(isinstance(it, aiohttp.ClientError | OSError) for it in causes):
        return Unreachable("the connection failed")
    return OddAnswer("the server")


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__ or error.__context__
    if cause is not None:
        yield cause
        yield from _causes(cause)


class _Transport(httpx.AsyncBaseTransport):
    """httpx by way of aiohttp: bounded answers, no redirects, and a quarter of the time."""

    def __init__(self, tls: ssl.SSLContext) -> None:
        self._session = client_session(tls, keep_alive=True)

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        headers = {it: request.headers[it] for it in _SENT if it in request.headers}
        url = URL(str(request.url), encoded=True)
        async with self._session.request(
            request.method,
            url,
            headers=headers,
            data=await request.aread() or None,
            allow_redirects=False,
        ) as answer:
            content = await read_bounded(answer.content, _MAX_BYTES)
            location = {"Location": answer.headers.get("Location", "")}
            return httpx.Response(answer.status, headers=location, content=content)

    @override
    async def aclose(self) -> None:
        await self._session.close()
