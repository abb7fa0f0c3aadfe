"""The development issuer: a realm over HTTP, with switches for its faults.

It signs for anybody who knows the passwords printed beside it: it listens on loopback only.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum

from aiohttp import web
from joserfc.errors import JoseError

from hasura_kc_auth.core.strict_json import Json
from hasura_kc_auth.devtools.introspection import (
    CLIENT_SECRET,
    CONFIDENTIAL_CLIENT,
    ClientRefused,
    Introspector,
)
from hasura_kc_auth.devtools.tokens import (
    FRONTEND,
    LIFESPAN,
    InvalidScope,
    SigningKeys,
    TokenMaker,
    Tokens,
    User,
)
from hasura_kc_auth.ports import Clock

HOST = "127.0.0.1"
REALM = "demo"
ORGS = ("acme", "globex")
USERS = (
    User("alice", {"acme": ("editor",), "globex": ("viewer",)}),
    User("bob", {"acme": ("viewer",)}),
    User("carol"),
    # `owner` is a composite role: Keycloak writes its parts beside it, in no fixed order.
    User("dave", {"acme": ("owner", "editor", "admin", "viewer")}),
)


_Form = Mapping[str, object]


class Fault(StrEnum):
    """What the issuer does to whoever fetches its discovery or its keys, or introspects."""

    NONE = "none"
    DOWN = "down"
    SLOW = "slow"
    HANGING = "hanging"
    ERROR = "error"
    GARBAGE = "garbage"
    REDIRECT = "redirect"
    EMPTY = "empty"


class DevIssuer:
    """A Keycloak-shaped issuer on a loopback port.

    `fetches` counts requests by document: `discovery`, `certs`, `introspect`, and `canary` for
    redirects that somebody followed. `fault` is of the documents, `introspection_fault` of
    introspection. `slow_seconds`: how long the fault `slow` takes.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        users: Iterable[User] = USERS,
        orgs: Iterable[str] = ORGS,
        slow_seconds: float = 10.0,
    ) -> None:
        self._clock = clock
        self.orgs = tuple(orgs)
        self._slow_seconds = slow_seconds
        self._runner: web.AppRunner | None = None
        self._hang = asyncio.Event()
        self.users = {user.name: user for user in users}
        self.keys = SigningKeys()
        self.introspector = Introspector(
            self.keys, {CONFIDENTIAL_CLIENT: CLIENT_SECRET, FRONTEND: None}
        )
        self.fault = Fault.NONE
        self.introspection_fault = Fault.NONE
        self.fetches: Counter[str] = Counter()
        self.port = 0

    async def start(self, port: int = 0) -> None:
        """Listen; `port` 0 takes a free one. Raises OSError."""
        self._hang.clear()
        self._runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, HOST, port or self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self._hang.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def issuer(self) -> str:
        return f"http://{HOST}:{self.port}/realms/{REALM}"

    @property
    def maker(self) -> TokenMaker:
        return TokenMaker(self.issuer, self.keys, self.orgs, self._clock)

    def login(self, name: str, scope: str = "openid", *, lightweight: bool = False) -> Tokens:
        """Return what the token endpoint would. Raises KeyError, InvalidScope.

        `lightweight`: the access token tells nothing of the user; introspection does.
        """
        tokens = self.maker.issue(self.users[name], scope)
        if not lightweight:
            return tokens
        return replace(tokens, access=self.introspector.issue_lightweight(tokens.access))

    def _app(self) -> web.Application:
        realm = f"/realms/{REALM}"
        app = web.Application()
        app.router.add_get(f"{realm}/.well-known/openid-configuration", self._discovery)
        app.router.add_get(f"{realm}/protocol/openid-connect/certs", self._certs)
        app.router.add_post(f"{realm}/protocol/openid-connect/token", self._token)
        app.router.add_post(f"{realm}/protocol/openid-connect/token/introspect", self._introspect)
        app.router.add_get("/dev/canary", self._canary)
        app.router.add_get("/dev/state", self._state)
        app.router.add_post("/dev/fault/{fault}", self._set_fault)
        app.router.add_post("/dev/rotate", self._rotate)
        return app

    async def _discovery(self, request: web.Request) -> web.StreamResponse:
        base = f"{self.issuer}/protocol/openid-connect"
        document = {
            "issuer": self.issuer,
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/certs",
            "introspection_endpoint": f"{base}/token/introspect",
            "grant_types_supported": ["password", "refresh_token"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access", *self.orgs],
        }
        return await self._publish("discovery", document, request)

    async def _certs(self, request: web.Request) -> web.StreamResponse:
        keys = {"keys": []} if self.fault is Fault.EMPTY else self.keys.public()
        return await self._publish("certs", keys, request)

    async def _publish(self, name: str, document: Json, request: web.Request) -> web.StreamResponse:
        self.fetches[name] += 1
        failure = await self._suffer(request, self.fault)
        return failure or web.json_response(document, headers={"Cache-Control": "no-cache"})

    async def _suffer(self, request: web.Request, fault: Fault) -> web.Response | None:
        """Return the answer that a fault puts in the place of the right one, if any."""
        match fault:
            case Fault.ERROR:
                return web.Response(status=500, text="Internal Server Error")
            case Fault.GARBAGE:
                return web.Response(text="<html>maintenance</html>", content_type="text/html")
            case Fault.REDIRECT:
                return web.Response(status=302, headers={"Location": "/dev/canary"})
            case Fault.DOWN if request.transport is not None:
                request.transport.abort()
            case Fault.SLOW:
                await asyncio.sleep(self._slow_seconds)
            case Fault.HANGING:
                await self._hang.wait()
            case _:
                pass
        return None

    async def _introspect(self, request: web.Request) -> web.StreamResponse:
        self.fetches["introspect"] += 1
        failure = await self._suffer(request, self.introspection_fault)
        if failure is not None:
            return failure
        form = await request.post()
        try:
            client = self.introspector.authenticate(request.headers.get("Authorization", ""), form)
        except ClientRefused as refused:
            return _oauth_error("invalid_request", str(refused), refused.status)
        answer = self.introspector.introspect(
            str(form.get("token", "")), client, self.maker, self.users, self._clock()
        )
        return web.json_response({} if self.introspection_fault is Fault.EMPTY else answer)

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if form.get("client_id") != FRONTEND:
            return _oauth_error("invalid_client", "Invalid client or Invalid client credentials")
        try:
            match form.get("grant_type"):
                case "password":
                    return self._password_grant(form)
                case "refresh_token":
                    return self._refresh_grant(form)
                case _:
                    return _oauth_error("unsupported_grant_type", "Unsupported grant_type")
        except InvalidScope as error:
            return _oauth_error("invalid_scope", f"Invalid scopes: {error}")

    def _password_grant(self, form: _Form) -> web.Response:
        user = self.users.get(str(form.get("username")))
        if user is None or form.get("password") != user.password:
            return _oauth_error("invalid_grant", "Invalid user credentials")
        return _token_response(self.maker.issue(user, str(form.get("scope", ""))))

    def _refresh_grant(self, form: _Form) -> web.Response:
        try:
            claims = self.keys.read_refresh(str(form.get("refresh_token", "")))
        except (JoseError, ValueError, TypeError):  # the library stumbles on odd headers
            return _oauth_error("invalid_grant", "Invalid refresh token")
        if claims["iss"] != self.issuer or claims["exp"] <= self._clock():
            return _oauth_error("invalid_grant", "Token is not active")
        user = next(user for user in self.users.values() if user.subject == claims["sub"])
        original = claims["scope"]
        # Asking for more than the first grant had is not an error: the rest is dropped in silence.
        if form.get("scope") == "":
            raise InvalidScope
        asked = str(form.get("scope", original)).split(" ")
        kept = [name for name in asked if name in original.split(" ") or name not in self.orgs]
        return _token_response(self.maker.issue(user, " ".join(kept), refreshed=claims))

    async def _canary(self, _request: web.Request) -> web.Response:
        self.fetches["canary"] += 1
        return web.json_response(self.keys.public())

    async def _state(self, _request: web.Request) -> web.Response:
        return web.json_response({"fault": self.fault, "fetches": self.fetches})

    async def _set_fault(self, request: web.Request) -> web.Response:
        try:
            fault = Fault(request.match_info["fault"])
        except ValueError:
            names = ", ".join(Fault)
            return web.json_response({"error": f"no such fault; there are: {names}"}, status=404)
        if "introspection" in request.query:
            self.introspection_fault = fault
        else:
            self.fault = fault
        return await self._state(request)

    async def _rotate(self, request: web.Request) -> web.Response:
        self.keys.rotate(keep_old="drop" not in request.query)
        return await self._state(request)


def _token_response(tokens: Tokens) -> web.Response:
    body = {
        "access_token": tokens.access,
        "expires_in": LIFESPAN,
        "refresh_expires_in": 6 * LIFESPAN,
        "refresh_token": tokens.refresh,
        "token_type": "Bearer",
        "not-before-policy": 0,
        "scope": tokens.scope,
    }
    return web.json_response(body | ({"id_token": tokens.identity} if tokens.identity else {}))


def _oauth_error(error: str, description: str, status: int | None = None) -> web.Response:
    status = status or (401 if error == "invalid_client" else 400)
    return web.json_response({"error": error, "error_description": description}, status=status)
