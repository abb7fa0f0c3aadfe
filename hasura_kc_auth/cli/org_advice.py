"""Why a token holds no org, or not the one named: in words, by what its realm uses to carry one."""

from __future__ import annotations

from collections.abc import Iterator

from hasura_kc_auth.core.claims import claim_at
from hasura_kc_auth.core.client_scope import OrgEvidence, weigh
from hasura_kc_auth.core.organization import entries_of, named_in_scope
from hasura_kc_auth.core.policy import OrgPolicy
from hasura_kc_auth.core.rules import Case


def proof_of_org(org: OrgPolicy) -> str:
    """Return what must hold for an org to be proven at all."""
    return {
        "client-scope": "an org's scope, a role in that org and the org in aud are all in the "
        "token",
        "organization": "the organization claim holds an org that the scope asks for, and no other",
        "claim": "the claim names an org, and a role in that org and the org in aud are in the "
        "token too",
    }[org.source]


def about_orgs(case: Case) -> Iterator[str]:
    """Yield sentences; they hold claims of the token."""
    yield f"The token's scope is {case.claims.get('scope')!r}."
    if case.grants.orgs:
        yield f"It holds {named(case)}."
    match case.issuer.org.source:
        case "client-scope":
            yield from _about_client_scopes(case)
        case "organization":
            yield from _about_organizations(case)
        case _:  # claim
            yield from _about_claim(case)


def named(case: Case) -> str:
    """Return the orgs that the token proves, as Hasura would see them."""
    return " and ".join(case.issuer.qualified(grant.id) for grant in case.grants.orgs)


def _about_client_scopes(case: Case) -> Iterator[str]:
    evidence = weigh(case.claims, case.issuer)
    if not evidence:
        yield (
            "There is no resource_access at all: no org's scope was asked for, or Keycloak dropped "
            "it in silence since the user has no role in that org, or the scope maps no roles "
            "(Client scopes, the scope, Scope), or the frontend lacks the default scope `roles`."
        )
    for it in evidence:
        yield from _about_evidence(it, case.issuer.org.scope_of(it.org))


def _about_evidence(it: OrgEvidence, scope: str) -> Iterator[str]:
    if not it.admitted:
        yield f"{it.org!r} cannot be an org: Keycloak's own, a frontend, or kept out by `org`."
    elif it.roles and not it.in_scope:
        yield (
            f"Roles of {it.org!r} are in the token, but its scope {scope!r} is not. Either the "
            "frontend has Full scope allowed on (Keycloak, Clients, the frontend, Client scopes, "
            "its dedicated scope, Scope), or a composite role leads there: turn it off and ask for "
            "the scope. Or the scope has `Include in token scope` off (Client scopes, the scope). "
            "Or the realm names its scopes otherwise than `org.scope` says."
        )
    elif it.in_scope and not it.roles:
        yield f"The scope of {it.org!r} is there, but no role of that org."
    elif it.in_scope and not it.in_audience:
        yield f"{it.org!r} is not in aud: the default scope `roles` lacks its Audience Resolve."


def _about_organizations(case: Case) -> Iterator[str]:
    entries, (scoped, any_org) = entries_of(case.claims), named_in_scope(case.claims)
    yield f"Its organization claim has {sorted(entries)!r}."
    if not scoped and not any_org:
        yield "No organization scope was asked for: log in with scope=openid organization:ALIAS."
    elif not entries:
        yield "The user is no member of what was asked for, or several orgs and none was picked."
    elif (scoped or not any_org) and scoped != entries.keys():
        yield (
            "Scope and claim name different orgs: after a switch in another tab Keycloak's group "
            "mapper mixes them. Drop the older token and switch again."
        )
    elif not case.grants.orgs:
        yield "Its org is kept out by `org.only` or `org.deny`, or has no `org.id`."


def _about_claim(case: Case) -> Iterator[str]:
    path = case.issuer.org.claim
    yield f"The claim {'.'.join(path)} is {claim_at(case.claims, path)!r}."
    yield "Its org counts only with a role in resource_access, and in aud."
