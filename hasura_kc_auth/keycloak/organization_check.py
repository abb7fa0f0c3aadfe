"""What makes tokens fail where Keycloak's native Organizations carry the org."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hasura_kc_auth.core.policy import OrgPolicy
from hasura_kc_auth.keycloak.realm_facts import Config, OrganizationFacts

SCOPE = "organization"

ScopesOf = Mapping[str, tuple[frozenset[str], frozenset[str]]]
"""Client -> the names of its default scopes and of its optional ones."""


def organization_faults(
    facts: OrganizationFacts, org: OrgPolicy, clients: ScopesOf
) -> Iterator[str]:
    """Yield a sentence for each fault."""
    if facts.enabled is False:
        yield "the realm has Organizations off (Realm settings, General): no_org"
    for name, (default, optional) in sorted(clients.items()):
        if SCOPE in default:
            yield (
                f"client {name}: scope {SCOPE} is assigned as default: who is in several "
                "organizations is not asked for one, and gets none, no_org"
            )
        elif SCOPE not in optional:
            yield f"client {name}: lacks the optional scope {SCOPE}: no_org"
    yield from _membership_faults(facts.membership, org)
    yield from _group_faults(facts.groups, org)
    unwritten = org.roles == "groups" and facts.groups is None
    if unwritten and facts.membership and _on(facts.membership, "addOrganizationAttributes"):
        yield (
            f"scope {SCOPE}: writes organizations' attributes and not their groups: an attribute "
            "named groups passes for them"
        )


def _membership_faults(mapper: Config | None, org: OrgPolicy) -> Iterator[str]:
    if mapper is None:
        yield f"scope {SCOPE}: lacks the mapper Organization Membership for access tokens: no_org"
        return
    claim = mapper.get("claim.name")
    if claim != SCOPE:
        yield f"scope {SCOPE}: its mapper writes the claim {claim}, and not {SCOPE}: no_org"
    needed = {"alias": "", "id": "addOrganizationId"}.get(org.id_from, "addOrganizationAttributes")
    if needed and not _on(mapper, needed):
        yield f"scope {SCOPE}: `org.id` is {org.id_from}, its mapper has {needed} off: no_org"


def _group_faults(mapper: Config | None, org: OrgPolicy) -> Iterator[str]:
    if org.roles == "client":
        return
    if mapper is None:
        yield (
            f"scope {SCOPE}: lacks the mapper Organization Group Membership for access tokens "
            "(26.6 and newer): no roles, no_org"
        )
    elif org.roles == "nested" and not _on(mapper, "addGroupRoleMappings"):
        yield f"scope {SCOPE}: its group mapper has addGroupRoleMappings off: no roles, no_org"


def _on(mapper: Config, option: str) -> bool:
    return mapper.get(option) == "true"
