"""What a realm has, asked for once: all clients and client scopes, and then what is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Self

from hasura_kc_auth.core.strict_json import Json
from hasura_kc_auth.keycloak.admin.answers import Object, identifier, list_of_objects, text
from hasura_kc_auth.keycloak.admin.api import Admin
from hasura_kc_auth.keycloak.admin.errors import AdminFailed, Forbidden, NotFound
from hasura_kc_auth.keycloak.admin.together import together
from hasura_kc_auth.keycloak.realm.representations import label

_PAGE = 200
_PAGES_AT_ONCE = 4
_NO_GROUPS = "organizations have no groups with roles here: that needs Keycloak 26.7 or newer"


@dataclass(frozen=True, slots=True)
class RealmListing:
    """`clients`: by client id; `scopes`: by name. Every method raises AdminFailed."""

    admin: Admin
    clients: Mapping[str, Object]
    scopes: Mapping[str, Object]
    client_names: Mapping[str, str]
    """By Keycloak's own id."""

    @classmethod
    async def of(cls, admin: Admin) -> Self:
        clients, scopes = await together((_all(admin, "clients"), _scopes(admin)))
        # Every realm has some. Who may query and not view is told of none, with status 200.
        if not clients or not scopes:
            raise Forbidden(
                "the account is shown no clients; it needs view-clients of realm-management,"
                " in its token"
            )
        return cls(
            admin,
            {text(it, "clientId"): it for it in clients},
            {text(it, "name"): it for it in scopes},
            {identifier(it): text(it, "clientId") for it in clients},
        )

    async def roles_of(self, client: str) -> list[Object]:
        path = f"clients/{identifier(self.clients[client])}/roles"
        return list_of_objects(await self.admin.get(path, briefRepresentation="false"))

    async def contained_in(self, client: str, role: Object) -> frozenset[str]:
        """Return what a role contains itself, named as in Composite."""
        if role.get("composite") is not True:
            return frozenset()
        parts = await self.admin.get(f"roles-by-id/{identifier(role)}/composites")
        return frozenset(label(it, client, self.client_names) for it in list_of_objects(parts))

    async def mappings_of(self, scope: str) -> Json:
        """Return the roles that a scope lets through, as a role mapping."""
        return await self.admin.get(
            f"client-scopes/{identifier(self.scopes[scope])}/scope-mappings"
        )

    async def organizations(self) -> list[Object]:
        return await _all(self.admin, "organizations", briefRepresentation="false")

    async def groups_of(self, organization: Object) -> list[Object]:
        path = f"organizations/{identifier(organization)}/groups"
        try:
            return await _all(self.admin, path, briefRepresentation="false")
        except NotFound:
            raise AdminFailed(_NO_GROUPS) from None


async def _scopes(admin: Admin) -> list[Object]:
    return list_of_objects(await admin.get("client-scopes"))


async def _all(admin: Admin, path: str, **query: str) -> list[Object]:
    """Return a list that comes in pages; without being asked Keycloak gives ten organizations."""

    async def page(number: int) -> list[Object]:
        first = str(number * _PAGE)
        return list_of_objects(await admin.get(path, first=first, max=str(_PAGE), **query))

    pages = [await page(0)]
    while len(pages[-1]) == _PAGE:
        # A page of clients that Keycloak has not in memory takes it most of a second.
        more = range(len(pages), len(pages) + _PAGES_AT_ONCE)
        pages += await together(page(number) for number in more)
    return list(chain.from_iterable(pages))
