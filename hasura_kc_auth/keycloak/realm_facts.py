"""What `check --online` wants to know of a realm's set-up: plain values, whoever read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Config = Mapping[str, str]
"""The options of one protocol mapper, as Keycloak writes them: all of them text."""


@dataclass(frozen=True, slots=True)
class ClientFacts:
    """One frontend. `algorithm`: of its access tokens, "" for the realm's default."""

    full_scope: bool
    default_scopes: frozenset[str]
    optional_scopes: frozenset[str]
    audiences: frozenset[str]
    algorithm: str = ""
    lightweight: bool = False


@dataclass(frozen=True, slots=True)
class OrgFacts:
    """One org: its client's roles, and those that its scope lets through."""

    roles: frozenset[str]
    mapped: frozenset[str]
    in_token_scope: bool


@dataclass(frozen=True, slots=True)
class OrganizationFacts:
    """Native Organizations: the realm's switch (None: not told), and the mappers of their scope.

    A mapper is None where there is none that writes into access tokens.
    """

    enabled: bool | None
    membership: Config | None
    groups: Config | None


@dataclass(frozen=True, slots=True)
class RealmFacts:
    """What the realm has. `clients`: the configured ones that exist; `orgs`: by client id.

    Only what the issuer's carrier needs is read: `orgs` for client scopes, `organizations` for
    Keycloak's own. `leads_to`: for each client that can be an org, the clients that its composite
    roles lead to, where roles are read from `resource_access`. `algorithm`: the realm's default, ""
    where it is not told, as to an account without `view-realm`.
    """

    clients: Mapping[str, ClientFacts]
    orgs: Mapping[str, OrgFacts] = field(default_factory=dict)
    leads_to: Mapping[str, frozenset[str]] = field(default_factory=dict)
    algorithm: str = ""
    organizations: OrganizationFacts | None = None
