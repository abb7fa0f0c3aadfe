"""A Keycloak on loopback as far as `check --online` asks one: discovery, keys, login, admin API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus

from aiohttp import encode_basic_auth, web

from tests.made_tokens import KEY, jwks

SECRET = "the-secret-of-the-account"
ASKER = "hasura"
ASKERS_SECRET = "of-who+introspects"
TOKEN = "the.token.of-the-account"
ACCOUNT = "checker"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
"""Beside it an int (that status, with an error as JSON), bytes (a body), or JSON to be."""


def mapper(provider: str, **config: str) -> dict[str, Any]:
    """Return a protocol mapper; dots in the names of its options are written as `__`."""
    options = {name.replace("__", "."): value for name, value in config.items()}
    return {"id": provider, "protocolMapper": provider, "config": options}


def audience(value: str, member: str = "included__client__audience") -> dict[str, Any]:
    return mapper("oidc-audience-mapper", **{member: value, "access__token__claim": "true"})


def client(name: str, **more: Any) -> dict[str, Any]:
    return {"id": f"id-{name}", "clientId": name, "fullScopeAllowed": False, **more}


def scope(name: str, *mappers: Any, **attributes: str) -> dict[str, Any]:
    return {
        "id": f"scope-{name}",
        "name": name,
        "protocolMappers": list(mappers),
        "attributes": {
            "include.in.token.scope": "true",
            **{key.replace("__", "."): value for key, value in attributes.items()},
        },
    }


def role(org: str, name: str, *, composite: bool = False) -> dict[str, Any]:
    return {
        "id": f"{org}-{name}",
        "name": name,
        "composite": composite,
        "clientRole": True,
        "containerId": f"id-{org}",
    }


def named(*names: str) -> list[dict[str, str]]:
    return [{"id": f"scope-{name}", "name": name} for name in names]


def good_realm() -> dict[str, Any]:
    """Return the admin API's answers for a realm without faults, by path."""
    answers: dict[str, Any] = {
        "": {"realm": "made", "organizationsEnabled": True},
        "/clients": [client(it) for it in ("account", "frontend", "hasura", "acme", "globex")],
        "/client-scopes": [
            *(scope(it) for it in ("basic", "roles", "acme", "globex")),
            scope("hasura-audience", audience("hasura"), include__in__token__scope="false"),
            scope(
                "organization",
                mapper(
                    "oidc-organization-membership-mapper",
                    claim__name="organization",
                    access__token__claim="true",
                ),
            ),
        ],
        "/clients/id-frontend/default-client-scopes": named("basic", "roles", "hasura-audience"),
        "/clients/id-frontend/optional-client-scopes": named("acme", "globex", "organization"),
    }
    for org in ("acme", "globex"):
        roles = [role(org, "viewer"), role(org, "owner", composite=True)]
        answers[f"/clients/id-{org}/roles"] = roles
        mappings = f"/client-scopes/scope-{org}/scope-mappings/clients/id-{org}/composite"
        answers[mappings] = roles
        answers[f"/roles-by-id/{org}-owner/composites"] = [role(org, "viewer")]
    # Where no client scope says what an org is, any client can be one.
    answers["/clients/id-hasura/roles"] = []
    return answers


@dataclass
class AdminApi:
    """The server; `answers` by path below the realm's place in the admin API.

    `relative_path`: Keycloak's own, such as /auth. `follows_host`: no hostname is set.
    """

    relative_path: str = ""
    follows_host: bool = False
    answers: dict[str, Any] = field(default_factory=good_realm)
    login: Any = None
    introspection: Any = None
    discovery: Any = None
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, Any]] = field(default_factory=list)
    introspected: list[dict[str, Any]] = field(default_factory=list)
    origin: str = ""

    @property
    def issuer(self) -> str:
        return f"{self.origin}{self.relative_path}/realms/made"

    def client(self, name: str) -> dict[str, Any]:
        """Return the representation of a client, to be changed."""
        return next(it for it in self.answers["/clients"] if it["clientId"] == name)

    def scope(self, name: str) -> dict[str, Any]:
        return next(it for it in self.answers["/client-scopes"] if it["name"] == name)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(self.relative_path)
        self.asked.append(path)
        match path.removeprefix("/realms/made"):
            case "/.well-known/openid-configuration":
                return await _answer(self.discovery or self.document(request), request)
            case "/protocol/openid-connect/certs":
                return web.json_response(jwks(KEY.jwk()))
            case "/protocol/openid-connect/token":
                self.forms.append(dict(await request.post()))
                return await _answer(self._login(), request)
            case "/protocol/openid-connect/token/introspect":
                self.introspected.append(dict(await request.post()))
                return await _answer(self._introspect(request), request)
            case _:
                return await self._admin(request, path.removeprefix("/admin/realms/made"))

    def _introspect(self, request: web.Request) -> Any:
        if self.introspection is not None:
            return self.introspection
        right = encode_basic_auth(ASKER, quote_plus(ASKERS_SECRET))
        return {"active": False} if request.headers.get("Authorization") == right else 401

    def document(self, request: web.Request) -> dict[str, str]:
        """Return the discovery document, as long as `discovery` says nothing else."""
        host = f"http://{request.host}" if self.follows_host else self.origin
        issuer = f"{host}{self.relative_path}/realms/made"
        return {"issuer": issuer, "jwks_uri": f"{issuer}/protocol/openid-connect/certs"}

    def _login(self) -> Any:
        if self.login is not None:
            return self.login
        right = self.forms[-1] == {
            "grant_type": "client_credentials",
            "client_id": ACCOUNT,
            "client_secret": SECRET,
        }
        return {"access_token": TOKEN, "expires_in": 300} if right else 401

    async def _admin(self, request: web.Request, path: str) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return await _answer(401, request)
        answer = self.answers.get(path, 404)
        if path == "/clients" and isinstance(answer, list):
            first, count = int(request.query["first"]), int(request.query["max"])
            answer = answer[first : first + count]
        return await _answer(answer, request)

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.origin = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner


async def _answer(answer: Any, request: web.Request) -> web.StreamResponse:
    if callable(answer):
        response: web.StreamResponse = await answer(request)
        return response
    if isinstance(answer, int):
        return web.json_response({"error": f"it holds {SECRET} and {TOKEN}"}, status=answer)
    if isinstance(answer, bytes):
        return web.Response(body=answer, content_type="application/json")
    return web.json_response(answer)


async def broken(request: web.Request) -> web.StreamResponse:
    """Close the connection in the place of an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def redirecting(request: web.Request) -> web.StreamResponse:
    """Send whoever asks elsewhere, body and all."""
    return web.Response(status=307, headers={"Location": f"{request.url.origin()}/elsewhere"})


@asynccontextmanager
async def admin_api(**options: Any) -> AsyncIterator[AdminApi]:
    api = AdminApi(**options)
    runner = await api.start()
    try:
        yield api
    finally:
        await runner.cleanup()
