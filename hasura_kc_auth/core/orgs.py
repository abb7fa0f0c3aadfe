"""Which orgs a token proves, and which roles in each.

How a realm carries the org differs; each way is a carrier of its own, in a module of its own, and
each keeps the one rule: an org is granted only by what the token says of that org, twice and
independently, and its roles are read from that org's place alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hasura_kc_auth.core.client_scope import orgs_by_client_scope
from hasura_kc_auth.core.grants import Grant, Grants
from hasura_kc_auth.core.org_claim import org_by_claim
from hasura_kc_auth.core.organization import orgs_by_organization
from hasura_kc_auth.core.policy import IssuerPolicy, OrgSource, RolePolicy
from hasura_kc_auth.core.token import VerifiedClaims

_CARRIERS: Mapping[OrgSource, Callable[[VerifiedClaims, IssuerPolicy], Grants]] = {
    "client-scope": orgs_by_client_scope,
    "organization": orgs_by_organization,
    "claim": org_by_claim,
}


def granted_orgs(claims: VerifiedClaims, issuer: IssuerPolicy) -> Grants:
    """Return what this token proves by the issuer's carrier. Total on claims of any JSON type."""
    return _CARRIERS[issuer.org.source](claims, issuer)


def choose_org(grants: Grants, wish: str, issuer: IssuerPolicy) -> Grant | None:
    """Return the one org this request acts for. Nothing is guessed."""
    if not grants.selectable:
        return None
    found = grants.orgs
    if wish:
        found = tuple(it for it in found if issuer.qualified(it.id) == wish)
    # Two orgs may show one id, taken from an attribute: their roles are not each other's.
    return found[0] if len(found) == 1 else None


def hasura_roles(grant: Grant, policy: RolePolicy) -> tuple[str, ...]:
    """Return the Hasura roles held in this org, in the order of `roles.allowed`."""
    held = {policy.mapping.get(role, role) for role in grant.roles}
    return tuple([role for role in policy.allowed if role in held])
