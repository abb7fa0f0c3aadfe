"""Reads what a realm has of what a file of orgs owns or names, in few calls."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Mapping
from itertools import chain
from typing import Any

from hasura_kc_auth.core.policy import IssuerPolicy
from hasura_kc_auth.keycloak.admin.answers import (
    by_client,
    identifier,
    list_of_objects,
    text,
    texts,
)
from hasura_kc_auth.keycloak.admin.api import Admin
from hasura_kc_auth.keycloak.admin.together import together
from hasura_kc_auth.keycloak.realm.ids import RealmIds
from hasura_kc_auth.keycloak.realm.listing import RealmListing
from hasura_kc_auth.keycloak.realm.organization_state import OrganizationState
from hasura_kc_auth.keycloak.realm.representations import (
    is_owned,
    labels,
    names_of,
    read_client,
    read_mapper,
    read_role,
    read_scope,
    use_of,
)
from hasura_kc_auth.keycloak.realm.survey import RealmSurvey
from hasura_kc_auth.provisioning.items import (
    Assignment,
    Client,
    Composite,
    Found,
    Item,
    Key,
    Mapper,
    Member,
    OwnMapping,
    Scope,
    ScopeMapping,
    client_key,
    scope_key,
)
from hasura_kc_auth.provisioning.recipe import BUILT_IN_SCOPES, items
from hasura_kc_auth.provisioning.wanted import Wanted


class RealmState:
    """Reads one realm; `ids` are those of what was found, for who changes it afterwards."""

    def __init__(self, admin: Admin) -> None:
        self.ids = RealmIds()
        self._admin = admin

    async def survey(self, policy: IssuerPolicy) -> Wanted:
        """Return the file of orgs of a realm that follows the recipe. Raises AdminFailed."""
        return await RealmSurvey(await RealmListing.of(self._admin)).wanted(policy)

    async def read(self, wanted: Wanted) -> Found:
        """Return what there is. Raises AdminFailed.

        Needs view-clients, for members view-users, for organizations view-organizations.
        """
        listing = await RealmListing.of(self._admin)
        await self._find_users(wanted)
        held = _Held(wanted, listing)
        self._keep_ids(held)
        found = await together(self._questions(held))
        return Found(
            {it.key: it for it in chain(held.at_once(), *found)},
            frozenset(listing.scopes),
            frozenset(self.ids.users),
        )

    def _keep_ids(self, held: _Held) -> None:
        self.ids.client_names.update(held.listing.client_names)
        for client in held.clients:
            self.ids.keep(client_key(client), identifier(held.listing.clients[client]))
        for scope, it in held.listing.scopes.items():
            self.ids.keep(scope_key(scope), identifier(it))

    def _questions(self, held: _Held) -> Iterator[Coroutine[Any, Any, list[Item]]]:
        for client in held.clients.values():
            if client.use == "frontend":
                yield self._own_mapping(client.client_id, held)
            else:
                yield self._roles(client.client_id, held.listing)
        for scope in (*held.scopes, *BUILT_IN_SCOPES[held.wanted.carrier]):
            if scope in held.listing.scopes:
                yield self._mappings(scope, held)
        if held.wanted.carrier == "organization":
            yield OrganizationState(held.listing, self.ids).read(held.wanted)
        else:
            for user in self.ids.users:
                yield self._memberships(user, held.wanted)

    async def _find_users(self, wanted: Wanted) -> None:
        names = {user for org in wanted.orgs.values() for user in org.members}
        await together(self._find_user(name) for name in names)

    async def _find_user(self, name: str) -> None:
        found = await self._admin.get("users", username=name, exact="true")
        for it in list_of_objects(found):
            # Keycloak keeps user names in lower case, and compares them so.
            if text(it, "username").lower() == name.lower():
                self.ids.users[name] = identifier(it)

    async def _roles(self, client: str, listing: RealmListing) -> list[Item]:
        roles = await listing.roles_of(client)
        self.ids.roles[client] = {text(it, "name"): identifier(it) for it in roles}
        contents = await together(listing.contained_in(client, it) for it in roles)
        return [
            *(read_role(client, it) for it in roles),
            *(
                Composite(client, text(it, "name"), content)
                for it, content in zip(roles, contents, strict=True)
                if content
            ),
        ]

    async def _mappings(self, scope: str, held: _Held) -> list[Item]:
        return [
            ScopeMapping(scope, client, names_of(roles))
            for client, roles in by_client(await held.listing.mappings_of(scope))
            if held.holds_roles(client) and roles
        ]

    async def _own_mapping(self, client: str, held: _Held) -> list[Item]:
        path = f"clients/{self.ids.of[client_key(client)]}/scope-mappings"
        found = labels(await self._admin.get(path))
        roles = (label for label, holder, _ in found if held.holds_roles(holder))
        return [OwnMapping(client, frozenset(roles))]

    async def _memberships(self, user: str, wanted: Wanted) -> list[Item]:
        mappings = await self._admin.get(f"users/{self.ids.users[user]}/role-mappings")
        return [
            Member(org, user, names_of(roles))
            for org, roles in by_client(mappings)
            if roles and org in wanted.orgs and user in wanted.orgs[org].members
        ]


class _Held:
    """The clients and scopes that a file owns or names, by name, and what the listing tells."""

    def __init__(self, wanted: Wanted, listing: RealmListing) -> None:
        self.wanted = wanted
        self.listing = listing
        self._named = items(wanted)
        self.clients: Mapping[str, Client] = {it.client_id: it for it in self._clients()}
        self.scopes: Mapping[str, Scope] = {it.name: it for it in self._scopes()}

    def holds_roles(self, client: str) -> bool:
        """Whether the client's roles are those of orgs; a frontend's own are other people's."""
        return client in self.clients and self.clients[client].use != "frontend"

    def at_once(self) -> Iterator[Item]:
        """Yield the items that need no further question."""
        yield from self.clients.values()
        yield from self.scopes.values()
        yield from self._mappers()
        for client in self.clients.values():
            if client.use == "frontend":
                yield from self._assignments(client.client_id)

    def _clients(self) -> Iterator[Client]:
        for name, it in self.listing.clients.items():
            named = self._named.get(client_key(name))
            use = named.use if isinstance(named, Client) else use_of(it)
            if name in self.wanted.retired:
                use = use or "org"
            if use is not None:
                yield read_client(it, use)

    def _scopes(self) -> Iterator[Scope]:
        retired = {self.wanted.scope_of(org): org for org in self.wanted.retired}
        for name, it in self.listing.scopes.items():
            named = self._named.get(scope_key(name))
            if isinstance(named, Scope) or is_owned(it) or name in retired:
                org = named.org if isinstance(named, Scope) else retired.get(name, "")
                yield read_scope(it, org)

    def _mappers(self) -> Iterator[Mapper]:
        for scope, it in self.listing.scopes.items():
            for mapper in list_of_objects(it.get("protocolMappers") or []):
                key: Key = ("mapper", scope, text(mapper, "name"))
                wanted = self._named.get(key)
                if isinstance(wanted, Mapper):
                    yield read_mapper(scope, mapper, wanted)

    def _assignments(self, client: str) -> Iterator[Assignment]:
        it = self.listing.clients[client]
        scopes = {*self.scopes, *BUILT_IN_SCOPES[self.wanted.carrier]}
        for scope in texts(it, "defaultClientScopes") & scopes:
            yield Assignment(client, scope, "default")
        for scope in texts(it, "optionalClientScopes") & scopes:
            yield Assignment(client, scope, "optional")
