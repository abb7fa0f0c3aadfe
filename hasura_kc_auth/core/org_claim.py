"""The carrier `claim`: the chosen org in a claim of its own, such as a user attribute.

The claim is a wish only, since a user may be let edit the attribute: the org must also hold a role
in `resource_access`, and be in `aud`. The choice is one per user, not per tab or device: two of
them fight over it. Where each tab needs an org of its own, use another carrier.
"""

from __future__ import annotations

from hasura_kc_auth.core.claims import audience_of, claim_at, client_roles, is_id
from hasura_kc_auth.core.grants import Grant, Grants
from hasura_kc_auth.core.policy import IssuerPolicy
from hasura_kc_auth.core.token import VerifiedClaims


def org_by_claim(claims: VerifiedClaims, issuer: IssuerPolicy) -> Grants:
    """Return the one org that the claim names, if the token proves it by a role."""
    org = claim_at(claims, issuer.org.claim)
    if not is_id(org) or org not in audience_of(claims) or not issuer.can_be_org(org):
        return Grants()
    roles = client_roles(claims, org)
    return Grants((Grant(org, roles),)) if roles else Grants()
