"""The carrier `client-scope`: a client and an optional client scope for each org.

An org is granted only if its scope is in `scope`, `resource_access[org]` holds at least one role,
and the org's client is in `aud`, which Keycloak derives from the roles. Roles are read from that
one key and nowhere else.

Either fact alone proves nothing, as measured on Keycloak 26.4 and 26.7: with "Full scope allowed" a
token carries the roles of orgs nobody asked for, and a scope without a role mapping is granted to
everybody. A composite role across orgs puts a second org into resource_access and aud.
"""

from __future__ import annotations

from typing import NamedTuple

from hasura_kc_auth.core.claims import audience_of, is_id, object_at, roles_in, scopes_of
from hasura_kc_auth.core.grants import Grant, Grants
from hasura_kc_auth.core.policy import IssuerPolicy
from hasura_kc_auth.core.token import VerifiedClaims


class OrgEvidence(NamedTuple):
    """What the token says of one name in `resource_access`."""

    org: str
    in_scope: bool
    roles: tuple[str, ...]
    in_audience: bool
    admitted: bool

    @property
    def granted(self) -> bool:
        return self.in_scope and bool(self.roles) and self.in_audience and self.admitted


def orgs_by_client_scope(claims: VerifiedClaims, issuer: IssuerPolicy) -> Grants:
    """Return the orgs that are proven, in the order of resource_access."""
    return Grants(tuple([Grant(it.org, it.roles) for it in weigh(claims, issuer) if it.granted]))


def weigh(claims: VerifiedClaims, issuer: IssuerPolicy) -> list[OrgEvidence]:
    """Return the evidence for each key of resource_access."""
    scopes = scopes_of(claims)
    audience = audience_of(claims)
    entries = object_at(claims, "resource_access")
    return [
        OrgEvidence(
            org,
            issuer.org.scope_of(org) in scopes,
            roles_in(object_at(entries, org)),
            org in audience,
            is_id(org) and issuer.can_be_org(org),
        )
        for org in entries
    ]
