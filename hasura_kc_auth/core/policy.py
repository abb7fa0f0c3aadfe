"""What the operator has decided: the frozen input of every rule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

from hasura_kc_auth.core.strict_json import Json

# Never orgs. Keycloak makes these clients in every realm; with "Full scope allowed" their roles are
# in every token. The standard scopes are what OIDC and Keycloak put into `scope` by themselves.
KEYCLOAK_CLIENTS = frozenset(
    {
        "account",
        "account-console",
        "admin-cli",
        "broker",
        "realm-management",
        "security-admin-console",
    }
)
STANDARD_SCOPES = frozenset(
    {
        "acr",
        "address",
        "basic",
        "email",
        "microprofile-jwt",
        "offline_access",
        "openid",
        "organization",
        "phone",
        "profile",
        "roles",
        "service_account",
        "web-origins",
    }
)

# Hasura's superuser: no permission rule holds it back, and no org. It is never answered.
HASURA_ADMIN = "admin"

Values = Literal["text", "json"]
"""text: every value a string, lists as Postgres array literals (Hasura v2); json: native (v3)."""

OrgSource = Literal["client-scope", "organization", "claim"]
"""Which carrier an issuer's realm uses: how its tokens tell the chosen org."""

OrgRoles = Literal["nested", "groups", "client"]
"""Where an organization's roles are: in its entry by client, in its entry's group paths, or in
`resource_access` under a client named like its alias."""

ClaimPath = tuple[str, ...]
"""The keys from a token's top level down to one claim."""


@dataclass(frozen=True, slots=True)
class OrgPolicy:
    """How an org is carried in this issuer's tokens, and which ones count.

    `scope` is for the carrier client-scope; `claim` for claim; `roles`, `client`, `realm_roles` and
    `id_from` (alias, id or attribute:NAME) for organization.
    """

    source: OrgSource = "client-scope"
    scope: str = "{org}"
    claim: ClaimPath = ()
    roles: OrgRoles = "nested"
    client: str = ""
    realm_roles: bool = False
    id_from: str = "alias"
    only: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()

    @property
    def reads_resource_access(self) -> bool:
        """Whether an org's roles are in `resource_access`, under a client named like the org."""
        return self.source != "organization" or self.roles == "client"

    def scope_of(self, org: str) -> str:
        return self.scope.replace("{org}", org)

    def admits(self, org: str) -> bool:
        """Whether the operator's lists let this org in (globs, case-sensitive)."""
        if self.deny and any(fnmatchcase(org, pattern) for pattern in self.deny):
            return False
        return not self.only or any(fnmatchcase(org, pattern) for pattern in self.only)


@dataclass(frozen=True, slots=True)
class RolePolicy:
    """Which Keycloak roles become which Hasura roles. A role not in `allowed` does not exist."""

    allowed: tuple[str, ...]
    mapping: Mapping[str, str] = field(default_factory=dict)
    acr: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Hasura role -> the authentication levels with one of which alone it is held."""

    def __post_init__(self) -> None:
        if HASURA_ADMIN in self.allowed:
            raise ValueError("Hasura's admin is never answered")


@dataclass(frozen=True, slots=True)
class Variable:
    """One configured session variable: a claim's value or a constant.

    `is_list` makes a missing claim an empty list, since Hasura fails a query whose permission needs
    a variable that is not there. `default` stands in for a missing claim otherwise.
    """

    name: str
    claim: ClaimPath | None = None
    is_list: bool = False
    default: Json = None
    value: Json = None


@dataclass(frozen=True, slots=True)
class SessionPolicy:
    """How the answer is written. `max_age`: seconds, None to leave Cache-Control out."""

    user_id: ClaimPath = ("sub",)
    variables: tuple[Variable, ...] = ()
    values: Values = "text"
    max_age: int | None = 300


@dataclass(frozen=True, slots=True)
class IssuerPolicy:
    """What is accepted from one Keycloak realm. `leeway`: seconds."""

    issuer: str
    clients: frozenset[str]
    audiences: frozenset[str] = frozenset()
    algorithms: frozenset[str] = frozenset({"RS256"})
    leeway: float = 30.0
    namespace: str | None = None
    org: OrgPolicy = OrgPolicy()

    def can_be_org(self, name: str) -> bool:
        reserved = name in KEYCLOAK_CLIENTS or name in STANDARD_SCOPES or name in self.clients
        return not reserved and self.org.admits(name)

    def qualified(self, name: str) -> str:
        """Return an org or user id as Hasura sees it: ids of two realms never meet."""
        return name if self.namespace is None else f"{self.namespace}/{name}"


@dataclass(frozen=True, slots=True)
class AnonymousPolicy:
    """What a request without any credential gets."""

    role: str
    variables: Mapping[str, Json] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.role == HASURA_ADMIN:
            raise ValueError("Hasura's admin is never answered")


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything a decision depends on besides the request, the keys and the time."""

    issuers: Mapping[str, IssuerPolicy]
    roles: RolePolicy
    session: SessionPolicy = SessionPolicy()
    anonymous: AnonymousPolicy | None = None
    algorithms: frozenset[str] = field(init=False)
    """Those of all issuers."""
    prefixes: tuple[str, ...] = field(init=False)
    """What the ids of the issuers with a namespace begin with."""

    def __post_init__(self) -> None:
        issuers = self.issuers.values()
        algorithms = frozenset().union(*(issuer.algorithms for issuer in issuers))
        prefixes = tuple(f"{it.namespace}/" for it in issuers if it.namespace is not None)
        object.__setattr__(self, "algorithms", algorithms)
        object.__setattr__(self, "prefixes", prefixes)
