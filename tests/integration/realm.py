"""A fresh realm made of the pieces the service meets: frontends, orgs, users, mappers."""

import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

from admin import Admin, Representation

REDIRECT = "http://127.0.0.1/callback"
ORIGIN = "http://127.0.0.1"

# What the frontend's users have in each org, and the composite that holds two of them.
ROLES = ("admin", "editor", "viewer")
COMPOSITES: Mapping[str, tuple[str, ...]] = {"owner": ("admin", "editor")}

Assignment = Literal["optional", "default"]

LIGHTWEIGHT = "client.use.lightweight.access.token.enabled"
AT_JWT = "access.token.header.type.rfc9068"
SIGNED_BY = "access.token.signed.response.alg"


class Realm:
    """A realm and, by name, the ids of what was put into it."""

    def __init__(self, admin: Admin, name: str) -> None:
        self.admin = admin
        self.name = name
        self.path = f"/{name}"
        self.issuer = f"{admin.url}/realms/{name}"
        self.jwks_uri = f"{self.issuer}/protocol/openid-connect/certs"
        self.clients: dict[str, str] = {}
        self.scopes: dict[str, str] = {}
        self.users: dict[str, str] = {}

    @classmethod
    async def create(cls, admin: Admin, name: str | None = None, **settings: Any) -> Self:
        realm = cls(admin, name or f"test-{secrets.token_hex(4)}")
        await admin.post("", {"realm": realm.name, "enabled": True, **settings})
        for scope in await admin.get(f"{realm.path}/client-scopes"):
            realm.scopes[scope["name"]] = scope["id"]
        return realm

    async def configure(self, **changes: Any) -> None:
        """Change settings of the realm, such as `accessTokenLifespan=5`."""
        await self.admin.change(self.path, **changes)

    # Clients

    async def add_client(self, client_id: str, **settings: Any) -> str:
        settings = {"clientId": client_id, "fullScopeAllowed": False, **settings}
        self.clients[client_id] = await self.admin.post(f"{self.path}/clients", settings)
        return self.clients[client_id]

    async def add_frontend(self, client_id: str = "frontend", **settings: Any) -> None:
        """Add a public client for browsers; it may log in by password too, which tests like."""
        public: Representation = {
            "publicClient": True,
            "standardFlowEnabled": True,
            "directAccessGrantsEnabled": True,
            "redirectUris": [REDIRECT],
            "webOrigins": [ORIGIN],
        }
        await self.add_client(client_id, **{**public, **settings})

    async def add_service_account(
        self, client_id: str, roles: Mapping[str, Iterable[str]] | None = None
    ) -> str:
        """Add a machine and return its secret; its user is granted `roles` by org."""
        secret = secrets.token_urlsafe(16)
        await self.add_client(
            client_id, secret=secret, serviceAccountsEnabled=True, standardFlowEnabled=False
        )
        user = await self.admin.get(f"{self._client(client_id)}/service-account-user")
        self.users[user["username"]] = user["id"]
        for org, names in (roles or {}).items():
            await self.grant(user["username"], org, *names)
        return secret

    async def configure_client(self, client_id: str, **changes: Any) -> None:
        """Change a client: `enabled=False`, `fullScopeAllowed=True`, `attributes={...}`."""
        await self.admin.change(self._client(client_id), **changes)

    async def assign(self, client_id: str, scope: str, how: Assignment = "optional") -> None:
        # A client has a scope one way only, and Keycloak keeps the first without a word.
        await self.unassign(client_id, scope)
        await self.admin.put(f"{self._client(client_id)}/{how}-client-scopes/{self.scopes[scope]}")

    async def unassign(self, client_id: str, scope: str) -> None:
        for how in ("optional", "default"):
            path = f"{self._client(client_id)}/{how}-client-scopes"
            if any(found["name"] == scope for found in await self.admin.get(path)):
                await self.admin.delete(f"{path}/{self.scopes[scope]}")

    async def add_mapper(self, client_id: str, name: str, provider: str, **config: str) -> None:
        """Add a protocol mapper to a client; dots in option names are written as `__`."""
        await self._add_mapper(self._client(client_id), name, provider, config)

    # Client scopes

    async def add_scope(self, name: str, *, in_token: bool = True) -> None:
        """Add a client scope without content; `in_token`: the claim `scope` names it."""
        scope = {
            "name": name,
            "protocol": "openid-connect",
            "attributes": {"include.in.token.scope": str(in_token).lower()},
        }
        self.scopes[name] = await self.admin.post(f"{self.path}/client-scopes", scope)

    async def add_scope_mapper(self, scope: str, name: str, provider: str, **config: str) -> None:
        await self._add_mapper(self._scope(scope), name, provider, config)

    async def add_audience(self, audience: str, *, to: Iterable[str] = ("frontend",)) -> None:
        """Put a client's id into `aud` of every token of the clients `to`."""
        await self.add_client(audience)
        scope = f"{audience}-audience"
        await self.add_scope(scope, in_token=False)
        await self.add_scope_mapper(
            scope,
            "audience",
            "oidc-audience-mapper",
            included__client__audience=audience,
            access__token__claim="true",
        )
        for client_id in to:
            await self.assign(client_id, scope, "default")

    async def map_roles(self, scope: str, org: str, *roles: str) -> None:
        """Let a scope carry roles of an org; without names, all that the org has now."""
        path = f"{self._scope(scope)}/scope-mappings/clients/{self.clients[org]}"
        await self.admin.post(path, await self._roles(org, roles))

    async def map_own_roles(self, client_id: str, org: str, *roles: str) -> None:
        """Let a client's tokens carry roles of an org whatever scope is asked for."""
        path = f"{self._client(client_id)}/scope-mappings/clients/{self.clients[org]}"
        await self.admin.post(path, await self._roles(org, roles))

    # Orgs, roles, users

    async def add_org(
        self,
        org: str,
        *,
        scope: str | None = None,
        roles: Iterable[str] = ROLES,
        composites: Mapping[str, Iterable[str]] = COMPOSITES,
        mapped: bool = True,
        in_token: bool = True,
        how: Assignment = "optional",
        to: Iterable[str] = ("frontend",),
    ) -> None:
        """Add an org: a client with roles, and a scope (named like it) that carries them all."""
        scope = scope or org
        await self.add_client(org, standardFlowEnabled=False)
        for role in (*roles, *composites):
            await self.add_role(org, role)
        for parent, children in composites.items():
            await self.add_composite((org, parent), *((org, child) for child in children))
        await self.add_scope(scope, in_token=in_token)
        if mapped:
            await self.map_roles(scope, org)
        for client_id in to:
            await self.assign(client_id, scope, how)

    async def add_role(self, org: str, role: str) -> None:
        await self.admin.post(f"{self._client(org)}/roles", {"name": role})

    async def add_composite(self, parent: tuple[str, str], *children: tuple[str, str]) -> None:
        """Make one (org, role) contain others, of the same org or of another one."""
        found = [(await self._roles(org, (role,)))[0] for org, role in children]
        target = (await self._roles(parent[0], (parent[1],)))[0]
        await self.admin.post(f"{self.path}/roles-by-id/{target['id']}/composites", found)

    async def add_user(
        self, name: str, roles: Mapping[str, Iterable[str]] | None = None, password: str = ""
    ) -> None:
        """Add a user who can log in; the password is the name unless given."""
        user = {
            "username": name,
            "enabled": True,
            "emailVerified": True,
            "email": f"{name}@example.test",
            # Without all three the login ends at a page that asks for them.
            "firstName": name.title(),
            "lastName": "Test",
            "credentials": [{"type": "password", "value": password or name, "temporary": False}],
        }
        self.users[name] = await self.admin.post(f"{self.path}/users", user)
        for org, names in (roles or {}).items():
            await self.grant(name, org, *names)

    async def grant(self, user: str, org: str, *roles: str) -> None:
        await self.admin.post(self._held(user, org), await self._roles(org, roles))

    async def revoke(self, user: str, org: str, *roles: str) -> None:
        await self.admin.delete(self._held(user, org), await self._roles(org, roles))

    def _client(self, client_id: str) -> str:
        return f"{self.path}/clients/{self.clients[client_id]}"

    def _scope(self, name: str) -> str:
        return f"{self.path}/client-scopes/{self.scopes[name]}"

    def _held(self, user: str, org: str) -> str:
        return f"{self.path}/users/{self.users[user]}/role-mappings/clients/{self.clients[org]}"

    async def _roles(self, org: str, names: Iterable[str]) -> list[Representation]:
        found: list[Representation] = await self.admin.get(f"{self._client(org)}/roles")
        wanted = set(names)
        if missing := wanted - {role["name"] for role in found}:
            raise LookupError(f"{org} has no role {missing}")
        return [role for role in found if not wanted or role["name"] in wanted]

    async def _add_mapper(
        self, owner: str, name: str, provider: str, config: Mapping[str, str]
    ) -> None:
        mapper = {
            "name": name,
            "protocol": "openid-connect",
            "protocolMapper": provider,
            "config": {option.replace("__", "."): value for option, value in config.items()},
        }
        await self.admin.post(f"{owner}/protocol-mappers/models", mapper)
