"""A Keycloak on loopback as far as a realm is set up through it: the admin API, with its state.

It answers as the real one was seen to: 409 for what is there, 204 for what was taken away already,
silence where a client has a scope another way. And it fails as tests want it to: `Fault`.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import uuid4

from aiohttp import web

from hasura_kc_auth.keycloak.admin.api import Admin, Login

SECRET = "the-secret-of-the-account"
REALM = "made"
ACCOUNT = Login(client_id="provisioner", client_secret=SECRET)
BUILT_IN = ("basic", "roles", "profile", "organization")

Json = Any
Thing = dict[str, Any]


@dataclass
class Fault:
    """What goes wrong with the next `times` calls that match.

    `how`: a status; `cut`, the connection ends and nothing was done; `lost`, all was done and the
    connection ends instead of the answer; `never`, there is none; bytes, an answer of these in
    place of the right one, with `status`.
    """

    call: str
    how: int | Literal["cut", "lost", "never"] | bytes
    times: int = 1
    status: int = 200


class Answered(Exception):
    """Ends a call with this status."""

    def __init__(self, status: int, words: str = "") -> None:
        super().__init__(words)
        self.status = status
        self.words = words


def thing(**members: Any) -> Thing:
    return {"id": str(uuid4()), **members}


def named(things: Iterable[Thing], name: str, member: str = "name") -> Thing:
    """Return the one that is called so; 404 where there is none."""
    for it in things:
        if it[member] == name:
            return it
    raise Answered(404, f"there is no {name}")


@dataclass
class RealmServer:
    """The server. `things` by kind and id; `holding`: who holds which roles, by path.

    `delay`: seconds that a call takes; `lifetime`: seconds of a token.
    """

    things: dict[str, dict[str, Thing]] = field(default_factory=lambda: defaultdict(dict))
    holding: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    realm: Thing = field(default_factory=lambda: {"realm": REALM, "organizationsEnabled": False})
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    logins: list[Thing] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    connections: set[Any] = field(default_factory=set)
    lifetime: int = 300
    delay: float = 0.0
    most_at_once: int = 0
    origin: str = ""
    _at_once: int = 0

    def __post_init__(self) -> None:
        for name in BUILT_IN:
            self.add("client-scopes", name=name, attributes={}, protocolMappers=[])
        membership = "oidc-organization-membership-mapper"
        config = {"claim.name": "organization", "access.token.claim": "true", "multivalued": "true"}
        mapper = thing(name="organization", protocolMapper=membership, config=config)
        self.scope("organization")["protocolMappers"].append(mapper)
        self.add_client("account")

    # For tests: what there is

    def add(self, kind: str, **members: Any) -> Thing:
        made = thing(**members)
        self.things[kind][made["id"]] = made
        return made

    def add_client(self, client_id: str, **members: Any) -> Thing:
        usual = {
            "attributes": {},
            "defaultClientScopes": ["basic", "roles"],
            "optionalClientScopes": ["organization"],
        }
        return self.add("clients", clientId=client_id, **{**usual, **members})

    def add_role(self, client: str, name: str, **members: Any) -> Thing:
        holder = self.client(client)["id"] if client else REALM
        usual = {"composite": False, "clientRole": bool(client), "attributes": {}}
        return self.add("roles", name=name, containerId=holder, **{**usual, **members})

    def add_user(self, name: str) -> Thing:
        return self.add("users", username=name)

    def client(self, client_id: str) -> Thing:
        return named(self.things["clients"].values(), client_id, "clientId")

    def scope(self, name: str) -> Thing:
        return named(self.things["client-scopes"].values(), name)

    def role(self, client: str, name: str) -> Thing:
        holder = self.client(client)["id"]
        return named((it for it in self._roles() if it["containerId"] == holder), name)

    def held(self, path: str) -> set[str]:
        """Return what is held at a path: `client:role`, or `:role`."""
        return {self._label(self.things["roles"][it]) for it in self.holding[path]}

    def hold(self, path: str, *roles: Thing) -> None:
        self.holding[path] += [it["id"] for it in roles]

    def _roles(self) -> list[Thing]:
        return list(self.things["roles"].values())

    def _label(self, role: Thing) -> str:
        client = self.things["clients"].get(role["containerId"], {"clientId": ""})
        return f"{client['clientId']}:{role['name']}"

    # HTTP

    async def serve(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(f"/admin/realms/{REALM}").removeprefix("/")
        call = f"{request.method} {path}".strip()
        self.calls.append(call)
        self.connections.add(request.transport)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(self.delay)
            return await self._faulty(request, call, path)
        finally:
            self._at_once -= 1

    async def _faulty(self, request: web.Request, call: str, path: str) -> web.StreamResponse:
        fault = next((it for it in self.faults if it.times and re.search(it.call, call)), None)
        if fault is None:
            return await self._answer(request, path)
        fault.times -= 1
        if isinstance(fault.how, int):
            # For who follows a redirect.
            headers = {"Location": f"{self.origin}/elsewhere"}
            words = {"errorMessage": "as wanted"}
            return web.json_response(words, status=fault.how, headers=headers)
        if isinstance(fault.how, bytes):
            headers = {"Location": "/somewhere/strange id"}
            return web.Response(body=fault.how, status=fault.status, headers=headers)
        if fault.how == "never":
            await asyncio.Event().wait()
        if fault.how == "lost":
            await self._answer(request, path)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _answer(self, request: web.Request, path: str) -> web.StreamResponse:
        if request.path.endswith("/protocol/openid-connect/token"):
            return self._login(dict(await request.post()))
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return web.json_response({"error": "HTTP 401 Unauthorized"}, status=401)
        body = await request.json() if request.can_read_body else None
        try:
            found = self._call(request.method, path, body, dict(request.query))
        except Answered as answer:
            return web.json_response({"errorMessage": answer.words}, status=answer.status)
        if request.method == "GET":
            return web.json_response(found)
        if isinstance(found, str):
            return web.Response(status=201, headers={"Location": f"{request.url}/{found}"})
        return web.Response(status=204)

    def _login(self, form: Thing) -> web.Response:
        self.logins.append(form)
        if SECRET not in (form.get("client_secret"), form.get("password")):
            return web.json_response({"error": f"wrong: {form}"}, status=401)
        self.tokens.add(token := f"the.token.{len(self.logins)}")
        return web.json_response({"access_token": token, "expires_in": self.lifetime})

    # The calls, by the form of their path

    def _call(self, method: str, path: str, body: Json, query: Thing) -> Json:
        for pattern, handler in self._handlers():
            if match := re.fullmatch(pattern.replace("ID", "([^/]+)"), path):
                return handler(method, *match.groups(), body=body, query=query)
        raise Answered(404, "no such path")

    def _handlers(self) -> list[tuple[str, Callable[..., Json]]]:
        return [
            ("", self._realm),
            ("clients/ID/roles", self._client_roles),
            ("clients/ID/(default|optional)-client-scopes/ID", self._assignment),
            ("client-scopes/ID/protocol-mappers/models", self._mappers),
            ("client-scopes/ID/protocol-mappers/models/ID", self._mapper),
            ("organizations/ID/groups", self._groups),
            ("(organizations/[^/]+/groups)/ID", self._one),
            ("organizations/ID/members", self._members),
            ("organizations/ID/members/ID/groups", self._member_groups),
            ("organizations/ID/groups/ID/members/ID", self._joined),
            ("(.+/(?:scope|role)-mappings)", self._mapping),
            ("(.+(?:/composites|-mappings/realm|-mappings/clients/[^/]+))", self._holder),
            ("(clients|client-scopes|organizations|users)", self._collection),
            ("(clients|client-scopes|organizations|roles-by-id)/ID", self._one),
        ]

    def _realm(self, method: str, *, body: Json, **_: Any) -> Json:
        if method == "PUT":
            self.realm.update(body)
        return self.realm

    def _collection(self, method: str, kind: str, *, body: Json, query: Thing) -> Json:
        things = self.things[kind]
        if method == "POST":
            name = {"clients": "clientId", "organizations": "alias"}.get(kind, "name")
            if any(it[name] == body[name] for it in things.values()):
                raise Answered(409, "already exists")
            return self._made(kind, body)["id"]
        found = list(things.values())
        if "clientId" in query:
            found = [it for it in found if it["clientId"] == query["clientId"]]
        if kind == "users":
            found = [it for it in found if it["username"] == query["username"].lower()]
        return _page(found, query)

    def _made(self, kind: str, body: Thing) -> Thing:
        if kind == "clients":
            return self.add_client(body.pop("clientId"), **body)
        usual = {"protocolMappers": []} if kind == "client-scopes" else {}
        return self.add(kind, **{**usual, **body})

    def _one(self, method: str, kind: str, its: str, *, body: Json, **_: Any) -> Json:
        things = self.things["roles" if kind == "roles-by-id" else kind]
        if its not in things:
            raise Answered(404)
        if method == "DELETE":
            del things[its]
        elif method == "PUT":
            # The mappers of a scope are no part of what is written.
            things[its] = {**body, **_mappers_of(things[its])}
        return things.get(its)

    def _client_roles(self, method: str, client: str, *, body: Json, **_: Any) -> Json:
        name = self.things["clients"][client]["clientId"]
        its = [it for it in self._roles() if it["containerId"] == client]
        if method == "POST":
            if any(it["name"] == body["name"] for it in its):
                raise Answered(409, "already exists")
            self.add_role(name, body["name"], attributes=body["attributes"])
            return body["name"]
        return [self._role(it) for it in its]

    def _role(self, role: Thing) -> Thing:
        return {**role, "composite": bool(self.holding[f"roles-by-id/{role['id']}/composites"])}

    def _assignment(self, method: str, client: str, how: str, scope: str, **_: Any) -> None:
        it, name = self.things["clients"][client], self.things["client-scopes"][scope]["name"]
        lists = ("defaultClientScopes", "optionalClientScopes")
        if method == "PUT" and not any(name in it[its] for its in lists):
            it[f"{how}ClientScopes"].append(name)
        if method == "DELETE":
            for its in lists:
                it[its] = [other for other in it[its] if other != name]

    def _mappers(self, method: str, scope: str, *, body: Json, **_: Any) -> Json:
        mappers = self.things["client-scopes"][scope]["protocolMappers"]
        if method == "POST":
            if any(it["name"] == body["name"] for it in mappers):
                raise Answered(409, "already exists")
            mappers.append(thing(**body))
            return mappers[-1]["id"]
        return mappers

    def _mapper(self, method: str, scope: str, its: str, *, body: Json, **_: Any) -> Json:
        mappers = self.things["client-scopes"][scope]["protocolMappers"]
        found = named(mappers, its, "id")
        if method == "PUT":
            found.update(body)
        if method == "DELETE":
            mappers.remove(found)
        return found

    def _mapping(self, _method: str, path: str, **_: Any) -> Json:
        """Return all that is held below a path."""
        clients = {}
        for it in self.things["clients"].values():
            if roles := self._held(f"{path}/clients/{it['id']}"):
                clients[it["clientId"]] = {"id": it["id"], "mappings": roles}
        realm = self._held(f"{path}/realm")
        return {"clientMappings": clients, **({"realmMappings": realm} if realm else {})}

    def _held(self, path: str) -> list[Thing]:
        roles = self.things["roles"]
        return [self._role(roles[it]) for it in self.holding[path] if it in roles]

    def _holder(self, method: str, path: str, *, body: Json, **_: Any) -> Json:
        if method == "GET":
            return self._held(path)
        for role in body:
            if role["id"] not in self.things["roles"]:
                raise Answered(404, "Role not found")
            its = [it for it in self.holding[path] if it != role["id"]]
            self.holding[path] = its + ([role["id"]] if method == "POST" else [])
        return None

    # Organizations

    def _groups(self, method: str, org: str, *, body: Json, query: Thing) -> Json:
        groups = self.things[f"organizations/{org}/groups"]
        if method == "POST":
            if any(it["name"] == body["name"] for it in groups.values()):
                raise Answered(409, "already exists")
            made = thing(**body, path=f"/{body['name']}")
            groups[made["id"]] = made
            return made["id"]
        top = [it for it in groups.values() if it["path"] == f"/{it['name']}"]
        return _page([self._group(org, it) for it in top], query)

    def _group(self, org: str, group: Thing) -> Thing:
        mapping = self._mapping("GET", f"organizations/{org}/groups/{group['id']}/role-mappings")
        clients = {
            client: [role["name"] for role in its["mappings"]]
            for client, its in mapping["clientMappings"].items()
        }
        realm = [role["name"] for role in mapping.get("realmMappings", [])]
        return {**group, "clientRoles": clients, "realmRoles": realm}

    def _members(self, method: str, org: str, *, body: Json, query: Thing) -> Json:
        members = self.things[f"organizations/{org}/members"]
        if method == "GET":
            asked = query.get("membershipType")
            kinds = {
                it: member.get("membershipType", "UNMANAGED") for it, member in members.items()
            }
            return [
                {"id": it, "membershipType": kind} for it, kind in kinds.items() if kind == asked
            ]
        if body in members:
            raise Answered(409, "User is already a member of the organization.")
        members[body] = {}
        return str(body)

    def _member_groups(self, _method: str, org: str, user: str, **_: Any) -> Json:
        members = self.things[f"organizations/{org}/members"]
        if user not in members:
            raise Answered(404)
        groups = self.things[f"organizations/{org}/groups"]
        return [groups[it] for it in members[user]]

    def _joined(self, method: str, org: str, group: str, user: str, **_: Any) -> None:
        groups = self.things[f"organizations/{org}/members"].get(user)
        if groups is None:
            raise Answered(400, "User is not member of the organization")
        if method == "PUT" and group in groups:
            raise Answered(409, "User is already a member of the group")
        if method == "DELETE" and group not in groups:
            raise Answered(404)
        if method == "PUT":
            groups[group] = True
        else:
            del groups[group]


def _mappers_of(it: Thing) -> Thing:
    return {name: value for name, value in it.items() if name == "protocolMappers"}


def _page(found: list[Thing], query: Thing) -> list[Thing]:
    first = int(query.get("first", 0))
    return found[first : first + int(query.get("max", 10_000))]


@asynccontextmanager
async def opened(
    server: RealmServer, login: Login = ACCOUNT, **options: Any
) -> AsyncIterator[Admin]:
    """Open the realm as the tests' account, without pauses."""
    usual: Thing = {"sleep": Pauses().sleep, "random": lambda: 1.0}
    async with Admin(server.origin, REALM, login, **{**usual, **options}) as admin:
        yield admin


class Pauses:
    """Where the pauses between attempts go: nowhere, but they are told."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


@asynccontextmanager
async def realm_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[RealmServer]:
    server = RealmServer()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    server.origin = f"http{'s' if tls else ''}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
