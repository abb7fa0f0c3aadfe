"""Makes, changes and removes what stands for itself: clients, scopes, roles, organizations."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import assert_never

from hasura_kc_auth.keycloak.admin.answers import Object, an_object, identifier, list_of_objects
from hasura_kc_auth.keycloak.admin.api import Admin
from hasura_kc_auth.keycloak.admin.errors import AdminFailed, Conflict, NotFound
from hasura_kc_auth.keycloak.realm.ids import RealmIds
from hasura_kc_auth.keycloak.realm.representations import (
    Written,
    is_owned,
    write_client,
    write_group,
    write_mapper,
    write_organization,
    write_role,
    write_scope,
)
from hasura_kc_auth.provisioning.items import (
    Client,
    Group,
    Mapper,
    Organization,
    Role,
    Scope,
    client_key,
    organization_key,
    scope_key,
)
from hasura_kc_auth.provisioning.plan import Do

Piece = Client | Scope | Mapper | Role | Organization | Group


@dataclass(frozen=True, slots=True)
class _Place:
    """Where pieces of a kind are. `collection`: where one is made, and all can be listed.

    `each`: below it each has its place by id. `name`: what it is found by, and `value`; `query`:
    how to ask for few, where Keycloak can.
    """

    collection: str
    each: str
    name: str
    value: str
    query: dict[str, str]


class PieceWriter:
    """Every method raises AdminFailed."""

    def __init__(self, admin: Admin, ids: RealmIds) -> None:
        self._admin = admin
        self._ids = ids

    async def take(self, do: Do, piece: Piece) -> None:
        place = self._place(piece)
        match do:
            case "create":
                await self._create(place, piece)
            case "change":
                await self._change(await self._at(place, piece), piece)
            case "remove":
                await self._remove(place, piece)
            case _:
                assert_never(do)

    async def _create(self, place: _Place, piece: Piece) -> None:
        try:
            made = await self._admin.post(place.collection, _written(piece, {}))
        except Conflict:
            found = await self._find(place)
            # It may be ours: made by a call whose answer was lost, or by somebody else's apply.
            if _has_owner(piece) and not is_owned(found):
                raise AdminFailed(f"{piece}: somebody else has just made it; plan again") from None
            made = identifier(found)
            await self._change(f"{place.each}/{made}", piece)
        if isinstance(piece, Role):
            # Of a role Keycloak tells the name; the ids are asked for when one is needed.
            self._ids.roles.pop(piece.client, None)
        else:
            self._ids.keep(piece.key, made or identifier(await self._find(place)))

    async def _change(self, at: str, piece: Piece) -> None:
        found = an_object(await self._admin.get(at))
        await self._admin.put(at, _written(piece, found))

    async def _remove(self, place: _Place, piece: Piece) -> None:
        with suppress(NotFound):  # gone already, by an attempt whose answer was lost
            at = await self._at(place, piece)
            if isinstance(piece, Organization):
                await self._refuse_managed_members(at, piece)
            await self._admin.delete(at)
        self._ids.of.pop(piece.key, None)

    async def _refuse_managed_members(self, at: str, organization: Organization) -> None:
        """Refuse to remove an organization whose users Keycloak would delete along with it.

        Those are the ones that its own identity provider has made: managed members.
        """
        query = {"membershipType": "MANAGED", "max": "1"}
        members = list_of_objects(await self._admin.get(f"{at}/members", **query))
        if any(it.get("membershipType") == "MANAGED" for it in members):
            raise AdminFailed(
                f"{organization}: has members that Keycloak would delete along with it (managed "
                "ones, of its identity provider); move them first"
            )

    async def _at(self, place: _Place, piece: Piece) -> str:
        known = self._ids.of.get(piece.key)
        return f"{place.each}/{known or identifier(await self._find(place))}"

    async def _find(self, place: _Place) -> Object:
        for it in list_of_objects(await self._admin.get(place.collection, **place.query)):
            if it.get(place.name) == place.value:
                # Lists are short versions.
                return an_object(await self._admin.get(f"{place.each}/{identifier(it)}"))
        raise NotFound(f"{place.collection}: there is no {place.value} (any more)")

    def _place(self, piece: Piece) -> _Place:
        match piece:
            case Client(client_id=name):
                return _Place("clients", "clients", "clientId", name, {"clientId": name})
            case Scope(name=name):
                return _Place("client-scopes", "client-scopes", "name", name, {})
            case Mapper(scope=scope, name=name):
                at = f"client-scopes/{self._ids.id_of(scope_key(scope))}/protocol-mappers/models"
                return _Place(at, at, "name", name, {})
            case Role(client=client, name=name):
                at = f"clients/{self._ids.id_of(client_key(client))}/roles"
                return _Place(at, "roles-by-id", "name", name, {})
            case Organization(alias=alias, display_name=name):
                query = {"search": name, "exact": "true"}
                return _Place("organizations", "organizations", "alias", alias, query)
            case Group(org=org, name=name):
                at = f"organizations/{self._ids.id_of(organization_key(org))}/groups"
                return _Place(at, at, "name", name, {"search": name, "exact": "true"})
            case _:
                assert_never(piece)


def _written(piece: Piece, found: Object) -> Written:
    match piece:
        case Client():
            return write_client(piece, found)
        case Scope():
            return write_scope(piece, found)
        case Mapper():
            return write_mapper(piece, found)
        case Role():
            return write_role(piece, found)
        case Organization():
            return write_organization(piece, found)
        case Group():
            return write_group(piece, found)
        case _:
            assert_never(piece)


def _has_owner(piece: Piece) -> bool:
    """Whether this is a piece that only its maker may change; the others go with one of these."""
    return isinstance(piece, Client | Scope | Organization)
