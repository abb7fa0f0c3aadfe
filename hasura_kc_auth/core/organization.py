"""The carrier `organization`: Keycloak's native Organizations (26.4 and newer).

The two proofs are the `organization` scope and the entry in the `organization` claim. Measured on
26.4 and 26.7, and the reason for each refusal here:

- The claim is a list, a map, a plain string or empty, by the mappers that write it.
- With the group mapper a refreshed or introspected token can hold a *second* entry, of the org that
  the same session last chose elsewhere, with that org's roles: an entry that the scope does not
  name spoils the token.
- `organization` and `organization:*` name no org. With several entries nothing tells which one the
  user chose, and a refresh cannot narrow them reliably: nobody may choose among these. A plain
  string is an arbitrary one of any number where `organization:*` was asked for.
- A default scope writes `organization` beside `organization:acme`: what is named binds all the
  same.
- An alias is compared exactly: "acme" and "ACME" are two orgs.
- Top-level roles are announced to hold those of all orgs of a user: none is read, but under the key
  of a client named like the org where `org.roles` says `client`.
- An alias may be the name of any client, also of one that is no org's (`account`): no roles there.
- An org attribute may be called `resource_access`: it is a list then, and only objects are read.
- One called `groups` is a list, as groups are: only paths are read. The mapper of groups writes
  over it; without that mapper one that holds paths passes for groups, and nothing in a token tells.
"""

from __future__ import annotations

from collections.abc import Mapping

from hasura_kc_auth.core.claims import (
    audience_of,
    client_roles,
    is_id,
    is_list_of_strings,
    object_at,
    roles_in,
    scopes_of,
)
from hasura_kc_auth.core.grants import Grant, Grants
from hasura_kc_auth.core.policy import IssuerPolicy
from hasura_kc_auth.core.strict_json import Json
from hasura_kc_auth.core.token import VerifiedClaims

_SCOPE = "organization"
_ALL = f"{_SCOPE}:*"
_ANY = frozenset({_SCOPE, _ALL})

Entries = Mapping[str, Mapping[str, Json]]
"""Alias -> what the mappers wrote of that org; an empty object where they wrote a name only."""


def orgs_by_organization(claims: VerifiedClaims, issuer: IssuerPolicy) -> Grants:
    """Return the orgs whose scope and entry agree; none where any of them do not."""
    entries = entries_of(claims)
    named, any_org = named_in_scope(claims)
    if (named or not any_org) and named != entries.keys():
        return Grants()
    # Counted before `only` and `deny`: cutting an org off must not make a choice for the user.
    selectable = not any_org or _is_the_only_one(claims, entries)
    return Grants(_grants(claims, entries, issuer), selectable)


def _is_the_only_one(claims: VerifiedClaims, entries: Entries) -> bool:
    arbitrary = isinstance(claims.get("organization"), str) and _ALL in scopes_of(claims)
    return len(entries) == 1 and not arbitrary


def entries_of(claims: VerifiedClaims) -> Entries:
    """Return the claim in one form, whatever the mappers made of it."""
    claim = claims.get("organization")
    if isinstance(claim, str):
        return {claim: {}}
    if isinstance(claim, dict):
        return {alias: entry if isinstance(entry, dict) else {} for alias, entry in claim.items()}
    return {alias: {} for alias in claim} if is_list_of_strings(claim) else {}


def named_in_scope(claims: VerifiedClaims) -> tuple[frozenset[str], bool]:
    """Return the aliases that the scope names, and whether it asks for any org at all."""
    scopes = scopes_of(claims)
    prefix = f"{_SCOPE}:"
    named = {it.removeprefix(prefix) for it in scopes - _ANY if it.startswith(prefix)}
    return frozenset(named), not scopes.isdisjoint(_ANY)


def _grants(claims: VerifiedClaims, entries: Entries, issuer: IssuerPolicy) -> tuple[Grant, ...]:
    found = (
        (_id(alias, entry, issuer), _roles(claims, alias, entry, issuer))
        for alias, entry in entries.items()
        if issuer.org.admits(alias)
    )
    return tuple(Grant(org, roles) for org, roles in found if is_id(org))


def _id(alias: str, entry: Mapping[str, Json], issuer: IssuerPolicy) -> Json:
    match issuer.org.id_from:
        case "alias":
            return alias
        case "id":
            return entry.get("id")
        case attribute:
            values = entry.get(attribute.removeprefix("attribute:"))
            # An attribute is a list of strings, always; only one value is an id.
            return values[0] if is_list_of_strings(values) and len(values) == 1 else None


def _roles(
    claims: VerifiedClaims, alias: str, entry: Mapping[str, Json], issuer: IssuerPolicy
) -> tuple[str, ...]:
    match issuer.org.roles:
        case "nested":
            client = object_at(object_at(entry, "resource_access"), issuer.org.client)
            realm = object_at(entry, "realm_access") if issuer.org.realm_roles else {}
            return (*roles_in(client), *roles_in(realm))
        case "groups":
            return _paths(entry.get("groups"))
        case _:  # client
            is_an_orgs = issuer.can_be_org(alias) and alias in audience_of(claims)
            return client_roles(claims, alias) if is_an_orgs else ()


def _paths(groups: Json) -> tuple[str, ...]:
    """Return the paths of groups, each of which begins with a slash; empty for anything else."""
    if not is_list_of_strings(groups) or not all(it.startswith("/") for it in groups):
        return ()
    return tuple(groups)
