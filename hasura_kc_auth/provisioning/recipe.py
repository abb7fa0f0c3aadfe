"""A file of orgs as the items of a realm: docs/keycloak.md's set-up, for either carrier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hasura_kc_auth.provisioning.items import (
    Assignment,
    Client,
    Composite,
    Group,
    Item,
    Key,
    Mapper,
    Member,
    Organization,
    OwnMapping,
    RealmSwitch,
    Role,
    Scope,
    ScopeMapping,
)
from hasura_kc_auth.provisioning.wanted import MY_ORGS, Frontend, Org, Wanted

ORGANIZATION = "organization"
"""Keycloak's own scope for Organizations."""

BUILT_IN_SCOPES: Mapping[str, tuple[str, ...]] = {
    "client-scope": ("basic", "roles"),
    "organization": ("basic", ORGANIZATION),
}
"""What every realm has and a frontend needs: `sub`; and `resource_access` or the org's claim."""

_AUDIENCE = {
    "access.token.claim": "true",
    "id.token.claim": "false",
    "introspection.token.claim": "true",
}
_MY_ORGS_MAPPER = {
    "access.token.claim": "false",
    "claim.name": "orgs.${client_id}.roles",
    "id.token.claim": "false",
    "introspection.token.claim": "false",
    "jsonType.label": "String",
    "multivalued": "true",
    "userinfo.token.claim": "true",
}
_ORGANIZATION_CLAIM = {
    "access.token.claim": "true",
    "claim.name": ORGANIZATION,
    "introspection.token.claim": "true",
    "multivalued": "true",
    "userinfo.token.claim": "true",
}
_GROUP_CLAIM = {
    "access.token.claim": "true",
    "addGroupRoleMappings": "true",
    "claim.name": ORGANIZATION,
    "introspection.token.claim": "true",
    "userinfo.token.claim": "true",
}


def items(wanted: Wanted) -> dict[Key, Item]:
    """Return all that the realm should hold, by key."""
    carrier = _with_client_scopes if wanted.carrier == "client-scope" else _with_organizations
    return {item.key: item for item in (*_audience(wanted), *carrier(wanted))}


def _audience(wanted: Wanted) -> Iterator[Item]:
    scope = wanted.audience_scope
    yield Scope(scope, in_token=False)
    config = {"included.custom.audience": wanted.audience, **_AUDIENCE}
    yield Mapper(scope, "audience", "oidc-audience-mapper", config)
    for frontend in wanted.frontends:
        yield from _frontend(frontend)
        yield Assignment(frontend.client_id, scope, "default")


def _frontend(frontend: Frontend) -> Iterator[Item]:
    yield Client(
        frontend.client_id,
        "frontend",
        full_scope=False,
        public=frontend.public,
        standard_flow=True,
        redirect_uris=frontend.redirect_uris,
        web_origins=frontend.web_origins,
    )
    yield OwnMapping(frontend.client_id, frozenset())
    yield Assignment(frontend.client_id, "basic", "default")


# A client and a client scope for each org


def _with_client_scopes(wanted: Wanted) -> Iterator[Item]:
    yield Scope(MY_ORGS, in_token=True)
    # Into userinfo alone: a token for the webhook is for one org, and this scope is for none.
    yield Mapper(MY_ORGS, "orgs", "oidc-usermodel-client-role-mapper", _MY_ORGS_MAPPER)
    for frontend in wanted.frontends:
        yield Assignment(frontend.client_id, "roles", "default")
        yield Assignment(frontend.client_id, MY_ORGS, "optional")
    for org in wanted.orgs.values():
        yield from _org_client(org, wanted)


def _org_client(org: Org, wanted: Wanted) -> Iterator[Item]:
    scope, roles = wanted.scope_of(org.name), frozenset(org.roles)
    yield Client(org.name, "org", display_name=org.display_name)
    yield from _roles(org.name, org.roles)
    yield Scope(scope, in_token=True, org=org.name)
    # All of them: who held only a role that is not mapped would lose the org in silence.
    yield ScopeMapping(scope, org.name, roles)
    yield ScopeMapping(MY_ORGS, org.name, roles)
    for frontend in wanted.frontends:
        # As default it would be in every token, whoever asks for what.
        yield Assignment(frontend.client_id, scope, "optional")
    yield from _members(org)


def _roles(client: str, roles: Mapping[str, frozenset[str]]) -> Iterator[Item]:
    for role, contains in roles.items():
        yield Role(client, role)
        yield Composite(client, role, contains)


def _members(org: Org) -> Iterator[Item]:
    for user, roles in org.members.items():
        yield Member(org.name, user, roles)


# Keycloak's native Organizations: one client whose roles the groups of each org hold


def _with_organizations(wanted: Wanted) -> Iterator[Item]:
    yield RealmSwitch(organizations=True)
    yield Mapper(
        ORGANIZATION, "organization", "oidc-organization-membership-mapper", _ORGANIZATION_CLAIM
    )
    yield Mapper(
        ORGANIZATION,
        "organization-groups",
        "oidc-organization-group-membership-mapper",
        _GROUP_CLAIM,
    )
    yield Client(wanted.client, "roles")
    yield from _roles(wanted.client, all_roles(wanted))
    for frontend in wanted.frontends:
        yield Assignment(frontend.client_id, ORGANIZATION, "optional")
    for org in wanted.orgs.values():
        yield Organization(org.name, org.display_name)
        for role in org.roles:
            yield Group(org.name, role, frozenset({f"{wanted.client}:{role}"}))
        yield from _members(org)


def all_roles(wanted: Wanted) -> dict[str, frozenset[str]]:
    """Return the roles of all orgs, with what each contains; where one is named twice, alike."""
    return {role: parts for org in wanted.orgs.values() for role, parts in org.roles.items()}
