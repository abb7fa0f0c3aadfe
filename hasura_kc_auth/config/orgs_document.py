"""The form of the file of orgs, `orgs.yaml`: docs/orgs-file.md explains it to people.

What is checked here is the form alone. Whether a file agrees with itself is `orgs_check.py`'s to
say, whether it agrees with the service's settings `orgs_fit.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator

from hasura_kc_auth.config.sections import Section
from hasura_kc_auth.provisioning.wanted import Carrier, Frontend, Org, Roles, Wanted


def _check_text(value: object) -> object:
    """Say what YAML made of a name: `no` is False there, and 007 is 7."""
    if value is None or isinstance(value, bool | int | float | date):
        raise ValueError(f"YAML reads it as {value}, and not as text: put it in quotes")
    return value


_AsText = BeforeValidator(_check_text)
Text = Annotated[str, _AsText]
Name = Annotated[str, Field(min_length=1), _AsText]
DisplayName = Annotated[str, Field(min_length=1, max_length=255), _AsText]
RoleNames = tuple[Name, ...]


class FrontendEntry(Section):
    """A client that people log in with."""

    client: Name = Field(description="Its client id; one of the issuer's `clients`.")
    redirect_uris: tuple[Name, ...] = Field(
        min_length=1, description="Where Keycloak may send people back to."
    )
    web_origins: tuple[Name, ...] = Field(
        ("+",), description="Origins for CORS; + is those of redirect_uris."
    )
    public: bool = Field(default=True, description="Keeps no secret, as one in a browser.")


class TemplateEntry(Section):
    """What each org has, unless it says otherwise."""

    roles: dict[Name, RoleNames] = Field(
        {}, description="Role -> the roles of the same org that it contains."
    )


class OrgEntry(Section):
    """One org."""

    display_name: DisplayName | None = Field(None, description="Default: the org's name.")
    roles: dict[Name, RoleNames | None] = Field(
        {}, description="Roles besides, or instead of, the template's; null drops one of those."
    )
    members: dict[Name, RoleNames] = Field(
        {}, description="User name -> the roles that the user holds at least."
    )


class OrgsDocument(Section):
    """The orgs of one Keycloak realm, their roles, and the frontends."""

    issuer: Text | None = Field(
        None, description="Only where several issuers' realms have this name: which of them."
    )
    realm: Name = Field(description="The realm's name, as it ends its issuer's URL.")
    carrier: Carrier = Field(description="How tokens carry the org: as the issuer's `org.from`.")
    audience: Name = Field(description="The service's own; one of the issuer's `audiences`.")
    scope: Text = Field(
        "{org}", description="For client-scope: how an org's scope is named, as `org.scope`."
    )
    client: Name | None = Field(
        None, description="For organization: whose roles the groups hold, as `org.client`."
    )
    frontends: tuple[FrontendEntry, ...] = Field(min_length=1)
    template: TemplateEntry = TemplateEntry()
    orgs: dict[Text, OrgEntry | None] = Field(
        description="Name, which becomes the id in Hasura -> the org."
    )
    retired: tuple[Name, ...] = Field(
        (), description="Names that were orgs and may never be again: their rows are still there."
    )

    @field_validator("carrier", mode="before")
    @classmethod
    def _can_be_set_up(cls, carrier: object) -> object:
        if carrier == "claim":
            raise ValueError(
                "must be client-scope or organization: what carries the org by a claim is yours "
                "to set up, and not done by this file"
            )
        return carrier

    def entries(self) -> Mapping[str, OrgEntry]:
        """Return the orgs; one of which nothing is said has all by default."""
        return {name: entry or OrgEntry() for name, entry in self.orgs.items()}

    def wanted(self) -> Wanted:
        """Return what the file asks for, with the template's roles in each org."""
        template = _roles({**self.template.roles})
        return Wanted(
            realm=self.realm,
            carrier=self.carrier,
            audience=self.audience,
            frontends=tuple(map(_frontend, self.frontends)),
            orgs={name: _org(name, it, template) for name, it in self.entries().items()},
            retired=frozenset(self.retired),
            scope=self.scope,
            client=self.client or "",
        )


def _frontend(entry: FrontendEntry) -> Frontend:
    return Frontend(
        entry.client,
        frozenset(entry.redirect_uris),
        frozenset(entry.web_origins),
        public=entry.public,
    )


def _org(name: str, entry: OrgEntry, template: Roles) -> Org:
    return Org(
        name,
        entry.display_name or name,
        _roles({**template, **entry.roles}) if entry.roles else template,
        {user: frozenset(roles) for user, roles in entry.members.items()},
    )


def _roles(written: Mapping[str, Any]) -> Roles:
    return {role: frozenset(parts) for role, parts in written.items() if parts is not None}
