"""What in a realm's set-up will make tokens fail, or say more than they should: as a pure function.

`RealmFacts` is what the admin API tells (`realm_reader.py` asks it); `faults` compares it with the
issuer's policy. What is a fault depends on how the realm's tokens carry the org.
"""

from __future__ import annotations

from collections.abc import Iterator

from hasura_kc_auth.core.keys import SUPPORTED_ALGORITHMS
from hasura_kc_auth.core.policy import IssuerPolicy, OrgPolicy, OrgSource
from hasura_kc_auth.keycloak.organization_check import organization_faults
from hasura_kc_auth.keycloak.realm_facts import ClientFacts, OrgFacts, RealmFacts


def faults(realm: RealmFacts, issuer: IssuerPolicy, introspector: str = "") -> Iterator[str]:
    """Yield a sentence for each fault: what is wrong, what comes of it, where to mend it.

    `introspector`: the client that introspects this issuer's tokens, "" where none does.
    """
    for name in sorted(issuer.clients - realm.clients.keys()):
        yield f"client {name}: is in `clients`, and not in the realm"
    for name, client in sorted(realm.clients.items()):
        for fault in _client_faults(client, issuer, introspector):
            yield f"client {name}: {fault}"
    yield from _default_algorithm_faults(realm, issuer)
    if issuer.org.reads_resource_access:
        yield from _full_scope_faults(realm, issuer.org)
        yield from _composite_faults(realm, issuer.org)
    if issuer.org.source == "client-scope":
        yield from _client_scope_faults(realm, issuer.org)
    if realm.organizations is not None:
        scopes = {
            name: (it.default_scopes, it.optional_scopes) for name, it in realm.clients.items()
        }
        yield from organization_faults(realm.organizations, issuer.org, scopes)


def _client_faults(client: ClientFacts, issuer: IssuerPolicy, introspector: str) -> Iterator[str]:
    """Yield what is wrong with a frontend whatever carries the org."""
    if issuer.org.reads_resource_access and "roles" not in client.default_scopes:
        yield "lacks the default scope `roles`: its tokens have no roles, no_org"
    if "basic" not in client.default_scopes:
        yield "lacks the default scope `basic`: its tokens have no sub, missing_claim"
    if issuer.audiences and issuer.audiences.isdisjoint(client.audiences):
        yield "no default scope adds one of `audiences` to aud: wrong_audience"
    if client.algorithm and client.algorithm not in issuer.algorithms:
        cure = _algorithm_cure(client.algorithm)
        yield f"access tokens are signed {client.algorithm}, unsupported_algorithm: {cure}"
    if client.lightweight and not introspector:
        yield "lightweight access tokens are on: `introspection` is needed"
    if introspector and introspector not in client.audiences:
        yield (
            f"no default scope adds {introspector}, which introspects, to aud: from 26.6 on "
            "Keycloak answers it `active: false` for every such token, inactive_token"
        )


def _default_algorithm_faults(realm: RealmFacts, issuer: IssuerPolicy) -> Iterator[str]:
    follows = sorted(name for name, client in realm.clients.items() if not client.algorithm)
    if follows and realm.algorithm and realm.algorithm not in issuer.algorithms:
        yield (
            f"the realm's default signature algorithm is {realm.algorithm} (Realm settings, "
            f"Tokens), and {', '.join(follows)} sign access tokens by it, unsupported_algorithm: "
            f"{_algorithm_cure(realm.algorithm)}"
        )


def _algorithm_cure(algorithm: str) -> str:
    return "add it to `algorithms`" if algorithm in SUPPORTED_ALGORITHMS else "change it"


# What comes of it: with client scopes the roles are no proof any more, a claim is the only choice
# left, and beside Keycloak's organizations they grant nothing here.
_FULL_SCOPE: dict[OrgSource, str] = {
    "client-scope": "so every token carries the roles of every org (Clients, its dedicated scope, "
    "Scope)",
    "claim": "so every token carries the roles of every org, and the claim alone chooses among all "
    "of them, for whatever the user may write there (Clients, its dedicated scope, Scope: turn it "
    "off and assign the orgs' roles)",
    "organization": "so every token carries the roles of every org: they grant nothing here but "
    "the chosen one's, and every other API that gets the token sees them (Clients, its dedicated "
    "scope, Scope: turn it off and assign the orgs' roles)",
}
_COMPOSITE: dict[OrgSource, str] = {
    "client-scope": "",
    "claim": ": who holds it can get in there too, once the claim names it",
    "organization": ": who holds it and is a member there has them there too",
}


def _full_scope_faults(realm: RealmFacts, org: OrgPolicy) -> Iterator[str]:
    for name, client in sorted(realm.clients.items()):
        if client.full_scope:
            yield f"client {name}: Full scope allowed is on, {_FULL_SCOPE[org.source]}"


def _composite_faults(realm: RealmFacts, org: OrgPolicy) -> Iterator[str]:
    for name, reached in sorted(realm.leads_to.items()):
        for other in sorted(reached & realm.leads_to.keys() - {name}):
            what = "org" if org.source == "client-scope" else "client"
            consequence = _COMPOSITE[org.source]
            yield f"{what} {name}: a composite role of it leads to roles of {other}{consequence}"


def _client_scope_faults(realm: RealmFacts, org: OrgPolicy) -> Iterator[str]:
    for name, client in sorted(realm.clients.items()):
        yield from _scope_faults(name, client, realm, org)
    for name, facts in sorted(realm.orgs.items()):
        yield from _org_faults(name, facts)


def _scope_faults(
    name: str, client: ClientFacts, realm: RealmFacts, org: OrgPolicy
) -> Iterator[str]:
    for scope in map(org.scope_of, sorted(realm.orgs)):
        if scope in client.default_scopes:
            yield f"client {name}: scope {scope} is assigned as default, and in every token"
        elif scope not in client.optional_scopes:
            yield f"client {name}: lacks the scope {scope}: asking for it is invalid_scope"


def _org_faults(org: str, facts: OrgFacts) -> Iterator[str]:
    missing = sorted(facts.roles - facts.mapped)
    if missing:
        yield (
            f"org {org}: its scope does not map {', '.join(missing)}: who holds only that loses "
            "the org in silence (Client scopes, the scope, Scope)"
        )
    if not facts.in_token_scope:
        yield f"org {org}: its scope has `Include in token scope` off: no_org"
