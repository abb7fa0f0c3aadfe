"""Makes a file of orgs from a realm that follows the recipe already, made by whomever."""

from __future__ import annotations

from collections.abc import Mapping

from hasura_kc_auth.core.policy import IssuerPolicy
from hasura_kc_auth.keycloak.admin.answers import Object, by_client, text
from hasura_kc_auth.keycloak.admin.errors import AdminFailed
from hasura_kc_auth.keycloak.admin.together import together
from hasura_kc_auth.keycloak.realm.listing import RealmListing
from hasura_kc_auth.keycloak.realm.representations import (
    names_of,
    read_client,
    read_group,
    read_organization,
)
from hasura_kc_auth.provisioning.wanted import Frontend, Org, Roles, Wanted

_AUDIENCE = "hasura"
"""What a service is called whose settings name no audience."""


class RealmSurvey:
    """Looks at one realm with the eyes of a service: its settings say what can be an org."""

    def __init__(self, listing: RealmListing) -> None:
        self._listing = listing

    async def wanted(self, policy: IssuerPolicy) -> Wanted:
        """Return the file, without members. Raises AdminFailed."""
        frontends = tuple(
            self._frontend(name) for name in sorted(policy.clients) if name in self._listing.clients
        )
        audience = min(policy.audiences, default=_AUDIENCE)
        realm = self._listing.admin.realm
        if policy.org.source == "client-scope":
            orgs = await self._client_orgs(policy)
            return Wanted(realm, "client-scope", audience, frontends, orgs, scope=policy.org.scope)
        if policy.org.source != "organization" or not policy.org.client:
            raise AdminFailed(
                "only orgs by client scopes, and organizations whose groups hold the roles of"
                " `org.client`, can be written as a file"
            )
        orgs = await self._organizations(policy)
        return Wanted(realm, "organization", audience, frontends, orgs, client=policy.org.client)

    def _frontend(self, name: str) -> Frontend:
        found = read_client(self._listing.clients[name], "frontend")
        return Frontend(name, found.redirect_uris, found.web_origins, found.public)

    # A client and a client scope for each org

    async def _client_orgs(self, policy: IssuerPolicy) -> dict[str, Org]:
        names = [
            name
            for name in self._listing.clients
            if policy.can_be_org(name) and policy.org.scope_of(name) in self._listing.scopes
        ]
        orgs = await together(self._client_org(name, policy) for name in names)
        return {org.name: org for org in orgs if org is not None}

    async def _client_org(self, name: str, policy: IssuerPolicy) -> Org | None:
        mappings = await self._listing.mappings_of(policy.org.scope_of(name))
        if not any(client == name and roles for client, roles in by_client(mappings)):
            return None
        display_name = self._listing.clients[name].get("name")
        return Org(name, str(display_name or name), await self._roles(name))

    async def _roles(self, client: str) -> dict[str, frozenset[str]]:
        """Return a client's roles; of what they contain only what is of the same client."""
        roles = await self._listing.roles_of(client)
        own = names_of(roles)
        contents = await together(self._listing.contained_in(client, it) for it in roles)
        return {
            text(it, "name"): content & own for it, content in zip(roles, contents, strict=True)
        }

    # Organizations

    async def _organizations(self, policy: IssuerPolicy) -> dict[str, Org]:
        if policy.org.client not in self._listing.clients:
            raise AdminFailed(f"the realm has no client {policy.org.client} (`org.client`)")
        roles = await self._roles(policy.org.client)
        orgs = await together(
            self._organization(it, roles, policy.org.client)
            for it in await self._listing.organizations()
            if policy.org.admits(text(it, "alias"))
        )
        return {org.name: org for org in orgs}

    async def _organization(self, it: Object, roles: Roles, client: str) -> Org:
        found = read_organization(it)
        groups = [read_group(found.alias, it) for it in await self._listing.groups_of(it)]
        held = frozenset[str]().union(*(group.roles for group in groups))
        names = sorted(role for role in roles if f"{client}:{role}" in held)
        # A role that is contained comes with its composite, and has to be named for that.
        return Org(found.alias, found.display_name, _with_parts(names, roles))


def _with_parts(names: list[str], roles: Roles) -> Mapping[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    left = list(names)
    while left:
        name = left.pop(0)
        if name not in found:
            found[name] = roles[name]
            left += sorted(roles[name])
    return found
