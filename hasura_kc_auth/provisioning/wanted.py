"""What a file of orgs asks for: the frontends, the orgs, their roles, and the carrier."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Carrier = Literal["client-scope", "organization"]
"""How tokens are to carry the org; the words are those of the setting `org.from`."""

Roles = Mapping[str, frozenset[str]]
"""Role -> the roles of the same org that it contains (a composite), or none."""

MY_ORGS = "my-orgs"
"""The scope by which a frontend lists its user's orgs."""


@dataclass(frozen=True, slots=True)
class Frontend:
    """A client that people log in with. `public`: it keeps no secret, as one in a browser."""

    client_id: str
    redirect_uris: frozenset[str]
    web_origins: frozenset[str] = frozenset({"+"})
    public: bool = True


@dataclass(frozen=True, slots=True)
class Org:
    """One tenant. `members`: user name -> the roles that they are to hold at least."""

    name: str
    display_name: str
    roles: Roles
    members: Mapping[str, frozenset[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A whole file.

    `audience`: what the service finds in `aud`. `scope`: how an org's scope is named, for the
    carrier client-scope. `client`: whose roles the orgs' groups hold, for organization.
    `retired`: names that were orgs once; whoever used one again would inherit the rows.
    """

    realm: str
    carrier: Carrier
    audience: str
    frontends: tuple[Frontend, ...]
    orgs: Mapping[str, Org]
    retired: frozenset[str] = frozenset()
    scope: str = "{org}"
    client: str = ""

    @property
    def audience_scope(self) -> str:
        """The default scope that puts the audience into tokens."""
        return f"{self.audience}-audience"

    def scope_of(self, org: str) -> str:
        return self.scope.replace("{org}", org)
