"""Which orgs a token proves, and which roles in each: the one rule of this service.

An org is selected only if the token says so twice, independently: its scope is in `scope`, and
`resource_access[org]` holds at least one role. Its client must be in `aud` as well, which Keycloak
derives from the roles. Roles are read from that one key and nowhere else.

Either fact alone proves nothing, as measured on Keycloak 26.4 and 26.7: with "Full scope allowed" a
token carries the roles of orgs nobody asked for, and a scope without a role mapping is granted to
everybody. A composite role across orgs puts a second org into resource_access and aud.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeGuard

from hasura_kc_auth.core.claims import is_id
from hasura_kc_auth.core.policy import IssuerPolicy, RolePolicy
from hasura_kc_auth.core.strict_json import Json
from hasura_kc_auth.core.token import VerifiedClaims


class OrgEvidence(NamedTuple):
    """What the token says of one name that stands in `scope` or in `resource_access`."""

    org: str
    in_scope: bool
    has_role: bool
    in_audience: bool
    admitted: bool

    @property
    def granted(self) -> bool:
        return self.in_scope and self.has_role and self.in_audience and self.admitted


def granted_orgs(claims: VerifiedClaims, issuer: IssuerPolicy) -> tuple[str, ...]:
    """Return the orgs that this token proves, in the order of resource_access."""
    return tuple(evidence.org for evidence in weigh(claims, issuer) if evidence.granted)


def weigh(claims: VerifiedClaims, issuer: IssuerPolicy) -> list[OrgEvidence]:
    """Return the evidence for each key of resource_access; total on claims of any JSON type."""
    scopes = _scopes(claims)
    audience = audience_of(claims)
    return [
        OrgEvidence(
            org,
            in_scope=issuer.org.scope_of(org) in scopes,
            has_role=bool(keycloak_roles(claims, org)),
            in_audience=org in audience,
            admitted=is_id(org) and issuer.can_be_org(org),
        )
        for org in _resource_access(claims)
    ]


def audience_of(claims: VerifiedClaims) -> frozenset[str]:
    """Return `aud`, a string or a list of strings (RFC 7519, 4.1.3); empty where it is neither."""
    audience = claims.get("aud")
    values = [audience] if isinstance(audience, str) else audience
    return frozenset(values) if _is_list_of_strings(values) else frozenset()


def keycloak_roles(claims: VerifiedClaims, org: str) -> tuple[str, ...]:
    """Return the roles under this one org's key; empty where they are no list of strings."""
    entry = _resource_access(claims).get(org)
    roles = entry.get("roles") if isinstance(entry, dict) else None
    return tuple(roles) if _is_list_of_strings(roles) else ()


def hasura_roles(claims: VerifiedClaims, org: str, policy: RolePolicy) -> tuple[str, ...]:
    """Return the Hasura roles held in this org, in the order of `roles.allowed`."""
    held = {policy.mapping.get(role, role) for role in keycloak_roles(claims, org)}
    return tuple(role for role in policy.allowed if role in held)


def _scopes(claims: VerifiedClaims) -> frozenset[str]:
    scope = claims.get("scope")
    return frozenset(scope.split(" ")) if isinstance(scope, str) else frozenset()


def _resource_access(claims: VerifiedClaims) -> Mapping[str, Json]:
    access = claims.get("resource_access")
    return access if isinstance(access, dict) else {}


def _is_list_of_strings(value: Json) -> TypeGuard[list[str]]:
    return isinstance(value, list) and all(type(item) is str and item for item in value)
