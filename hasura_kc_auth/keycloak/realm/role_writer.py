"""Brings roles to where they are held: into roles, scopes and groups, and to users."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from hasura_kc_auth.core.strict_json import Json
from hasura_kc_auth.keycloak.admin.answers import (
    Object,
    an_object,
    by_client,
    identifier,
    list_of_objects,
    text,
)
from hasura_kc_auth.keycloak.admin.api import Admin
from hasura_kc_auth.keycloak.admin.errors import NotFound
from hasura_kc_auth.keycloak.realm.ids import RealmIds
from hasura_kc_auth.keycloak.realm.representations import label
from hasura_kc_auth.provisioning.items import (
    Composite,
    Group,
    OwnMapping,
    ScopeMapping,
    client_key,
    organization_key,
    scope_key,
)

Names = frozenset[str]
NONE: Names = frozenset()


class RoleWriter:
    """Every method raises AdminFailed.

    `old` and `new` are what a plan says. What is there besides stays, and what is there already is
    not made again: Keycloak is asked anew wherever there was something before.
    """

    def __init__(self, admin: Admin, ids: RealmIds) -> None:
        self._admin = admin
        self._ids = ids
        self._asking: Mapping[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def bring(self, at: str, client: str, old: Names, new: Names) -> None:
        """Let what is at this path hold the roles of one client: a role mapping, or composites."""
        found = list_of_objects(await self._admin.get(at)) if old else []
        now = {label(it, client, self._ids.client_names): it for it in found}
        if missing := new - now.keys():
            await self._admin.post(at, await self._representations(client, missing))
        if surplus := (old - new) & now.keys():
            await self._admin.delete(at, [now[name] for name in sorted(surplus)])

    async def composite(self, composite: Composite, old: Names, new: Names) -> None:
        role = await self._role_id(composite.client, composite.role)
        await self.bring(f"roles-by-id/{role}/composites", composite.client, old, new)

    async def scope_mapping(self, mapping: ScopeMapping, old: Names, new: Names) -> None:
        scope = self._ids.id_of(scope_key(mapping.scope))
        client = self._ids.id_of(client_key(mapping.client))
        at = f"client-scopes/{scope}/scope-mappings/clients/{client}"
        await self.bring(at, mapping.client, old, new)

    async def own_mapping(self, mapping: OwnMapping, old: Names, new: Names) -> None:
        """Take away what is in a client's own mapping; nothing is ever to be put there."""
        at = f"clients/{self._ids.id_of(client_key(mapping.client))}/scope-mappings"
        await self._take_away(at, await self._admin.get(at), old - new)

    async def group(self, group: Group, old: Names, new: Names) -> None:
        organization = self._ids.id_of(organization_key(group.org))
        at = f"organizations/{organization}/groups/{self._ids.id_of(group.key)}/role-mappings"
        held = await self._admin.get(at) if old else {}
        now = {f"{client}:{text(it, 'name')}" for client, it in _client_roles(held)}
        for client, names in self._split(new - now):
            place = f"{at}/clients/{self._ids.id_of(client_key(client))}"
            await self._admin.post(place, await self._representations(client, names))
        await self._take_away(at, held, old - new)

    async def _take_away(self, at: str, held: Json, surplus: Names) -> None:
        """Remove roles from a role mapping; they are named `client:role`, realm roles `:role`."""
        going = defaultdict[str, list[Object]](list)
        for client, role in _client_roles(held):
            if f"{client}:{text(role, 'name')}" in surplus:
                going[f"clients/{text(role, 'containerId')}"].append(role)
        for role in list_of_objects(an_object(held).get("realmMappings") or []):
            if f":{text(role, 'name')}" in surplus:
                going["realm"].append(role)
        for place, roles in going.items():
            await self._admin.delete(f"{at}/{place}", roles)

    def _split(self, names: Iterable[str]) -> Iterator[tuple[str, Names]]:
        """Yield by client the roles that are named `client:role`."""
        for kind, *rest in list(self._ids.of):
            if kind == "client":
                prefix = f"{rest[0]}:"
                roles = {it.removeprefix(prefix) for it in names if it.startswith(prefix)}
                if roles:
                    yield rest[0], frozenset(roles)

    async def _representations(self, client: str, names: Names) -> list[Json]:
        return [{"id": await self._role_id(client, name), "name": name} for name in sorted(names)]

    async def _role_id(self, client: str, name: str) -> str:
        async with self._asking[client]:
            known = self._ids.roles.get(client) or await self._ask(client)
        if name not in known:
            raise NotFound(f"role {client}:{name}: is not in the realm (any more)")
        return known[name]

    async def _ask(self, client: str) -> Mapping[str, str]:
        path = f"clients/{self._ids.id_of(client_key(client))}/roles"
        found = list_of_objects(await self._admin.get(path))
        self._ids.roles[client] = {text(it, "name"): identifier(it) for it in found}
        return self._ids.roles[client]


def _client_roles(held: Json) -> Iterator[tuple[str, Object]]:
    for client, roles in by_client(held):
        for role in roles:
            yield client, role
