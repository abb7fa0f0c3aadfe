"""Reads Keycloak's native Organizations: the switch, the orgs, their groups, and who is in them."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator
from itertools import chain
from typing import Any

from hasura_kc_auth.keycloak.admin.answers import (
    Object,
    an_object,
    identifier,
    list_of_objects,
    text,
)
from hasura_kc_auth.keycloak.admin.errors import NotFound
from hasura_kc_auth.keycloak.admin.together import together
from hasura_kc_auth.keycloak.realm.ids import RealmIds
from hasura_kc_auth.keycloak.realm.listing import RealmListing
from hasura_kc_auth.keycloak.realm.representations import read_group, read_organization
from hasura_kc_auth.provisioning.items import (
    Item,
    Member,
    Organization,
    RealmSwitch,
    organization_key,
)
from hasura_kc_auth.provisioning.wanted import Wanted


class OrganizationState:
    """Reads them, and keeps their ids."""

    def __init__(self, listing: RealmListing, ids: RealmIds) -> None:
        self._listing = listing
        self._ids = ids

    async def read(self, wanted: Wanted) -> list[Item]:
        """Return the items that are about organizations. Raises AdminFailed."""
        realm = an_object(await self._listing.admin.get(""))
        if realm.get("organizationsEnabled") is not True:
            # There may be some all the same; Keycloak tells of none, and keeps them.
            return [RealmSwitch(organizations=False)]
        held = [
            (read_organization(it), it)
            for it in await self._listing.organizations()
            if _is_held(read_organization(it), wanted)
        ]
        for organization, it in held:
            self._ids.keep(organization.key, identifier(it))
        inside = await together(chain.from_iterable(self._inside(wanted, *it) for it in held))
        return [RealmSwitch(organizations=True), *(it for it, _ in held), *chain(*inside)]

    def _inside(
        self, wanted: Wanted, organization: Organization, it: Object
    ) -> Iterator[Coroutine[Any, Any, list[Item]]]:
        yield self._groups(organization.alias, it)
        org = wanted.orgs.get(organization.alias)
        for user in org.members if org else ():
            if user in self._ids.users:
                yield self._member(organization.alias, user)

    async def _groups(self, org: str, it: Object) -> list[Item]:
        found: list[Item] = []
        for group in await self._listing.groups_of(it):
            found.append(read_group(org, group))
            self._ids.keep(found[-1].key, identifier(group))
        return found

    async def _member(self, org: str, user: str) -> list[Item]:
        organization, member = self._ids.of[organization_key(org)], self._ids.users[user]
        path = f"organizations/{organization}/members/{member}/groups"
        try:
            groups = list_of_objects(await self._listing.admin.get(path))
        except NotFound:
            return []
        names = (text(it, "name") for it in groups if it.get("path") == f"/{text(it, 'name')}")
        return [Member(org, user, frozenset(names))]


def _is_held(organization: Organization, wanted: Wanted) -> bool:
    return organization.owned or organization.alias in {*wanted.orgs, *wanted.retired}
