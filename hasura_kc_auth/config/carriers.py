"""The settings of what carries the org in a realm's tokens."""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from hasura_kc_auth.config.sections import Section
from hasura_kc_auth.core.policy import KEYCLOAK_CLIENTS, STANDARD_SCOPES, OrgRoles, OrgSource

CARRIER_FIELDS: dict[OrgSource, set[str]] = {
    "client-scope": {"scope"},
    "organization": {"roles", "client", "realm_roles", "id"},
    "claim": {"claim"},
}
"""Which of an org's settings each carrier looks at; the others are for all of them."""

# What Keycloak's own mappers write into an entry, over an attribute of that name.
_WRITTEN_BY_MAPPERS = frozenset({"id", "groups", "realm_access", "resource_access"})


class OrgSettings(Section):
    """How an org is named in an issuer's tokens."""

    from_: OrgSource = Field(
        "client-scope",
        alias="from",
        description="What carries the org in a token: a client scope, one of Keycloak's "
        "organizations, or a claim.",
    )
    scope: str = Field(
        "{org}",
        description="How an org's scope is named, as in `org:{org}`; {org} is its client's id.",
    )
    claim: str | None = Field(
        None,
        min_length=1,
        description="Dotted path of the claim that holds the chosen org; required for this "
        "carrier.",
    )
    roles: OrgRoles = Field(
        "nested",
        description="Where an org's roles are. nested: in its entry of the claim; groups: the "
        "entry's group paths; client: `resource_access` of a client named like its alias.",
    )
    client: str | None = Field(
        None,
        min_length=1,
        description="With nested roles: the client whose roles in the entry count; required, "
        "unless `realm_roles` is true.",
    )
    realm_roles: bool = Field(
        default=False, description="With nested roles: the entry's realm roles count as well."
    )
    id: str = Field(
        "alias",
        pattern=r"^(alias|id|attribute:.{1,64})$",
        description="What X-Hasura-Org-Id is: the organization's alias, its id, or attribute:NAME.",
    )
    only: tuple[str, ...] = Field(
        (), description="If not empty, no org but these (globs) can be selected."
    )
    deny: tuple[str, ...] = Field(
        (), description="Orgs (globs) that are cut off, whatever their tokens say."
    )

    @model_validator(mode="after")
    def _fits_the_carrier(self) -> Self:
        mine = CARRIER_FIELDS[self.from_]
        foreign = self.model_fields_set & set().union(*CARRIER_FIELDS.values()) - mine
        if foreign:
            raise ValueError(f"`{min(foreign)}` says nothing where `from` is {self.from_}")
        if self.from_ == "claim" and self.claim is None:
            raise ValueError("`claim` is required where `from` is claim")
        return self

    @model_validator(mode="after")
    def _knows_where_the_roles_are(self) -> Self:
        from_client_or_realm = self.client is not None or self.realm_roles
        if self.roles != "nested" and from_client_or_realm:
            raise ValueError("`client` and `realm_roles` go with nested roles only")
        nested = self.from_ == "organization" and self.roles == "nested"
        if nested and not from_client_or_realm:
            raise ValueError("`client` or `realm_roles` is required for nested roles")
        return self

    @field_validator("id")
    @classmethod
    def _is_the_orgs_own(cls, id_from: str) -> str:
        _, _, attribute = id_from.partition(":")
        if attribute in _WRITTEN_BY_MAPPERS:
            raise ValueError("names an attribute that Keycloak's mappers write over")
        return id_from

    @field_validator("scope")
    @classmethod
    def _names_the_org(cls, scope: str) -> str:
        if scope.count("{org}") != 1:
            raise ValueError("must hold {org} exactly once")
        if " " in scope:
            raise ValueError("must hold no space: a scope has none")
        return scope

    @field_validator("only")
    @classmethod
    def _is_no_reserved_name(cls, only: tuple[str, ...]) -> tuple[str, ...]:
        if not (KEYCLOAK_CLIENTS | STANDARD_SCOPES).isdisjoint(only):
            raise ValueError("holds a client or scope of Keycloak's own, which is never an org")
        return only
