"""The pieces of a realm that a file of orgs owns or looks at, each a plain value.

What is wanted and what is found are both sets of these, so that one comparison makes the plan. The
first fields of an item name it (`key`); the others are what may differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from typing_extensions import override

Key = tuple[str, ...]
"""Kind and names, such as ("role", "acme", "editor")."""

Use = Literal["org", "frontend", "roles"]
"""What a client is there for; kept in its ownership attribute. `roles`: it holds what groups map"""

OWNER = "hasura-kc-auth"
"""The attribute that marks what a file of orgs owns: nothing else is changed or removed.

Its value is for a client its `Use`, for a scope the org it belongs to (`-` for none), else `yes`.
"""


class Item(Protocol):
    """As text it is what people call it: `role acme:editor`.

    `parts`: keys of what this item consists of: it can't be made before, nor outlive them.

    `rank`: items of one rank can be made at the same time, those of a lower one come first.
    """

    @property
    def key(self) -> Key: ...
    @property
    def parts(self) -> tuple[Key, ...]: ...
    @property
    def rank(self) -> int: ...


def client_key(client_id: str) -> Key:
    return ("client", client_id)


def scope_key(name: str) -> Key:
    return ("scope", name)


def role_key(client: str, name: str) -> Key:
    return ("role", client, name)


def organization_key(alias: str) -> Key:
    return ("organization", alias)


@dataclass(frozen=True, slots=True)
class RealmSwitch:
    """Whether the realm has Organizations. To change it needs `manage-realm`."""

    organizations: bool
    rank: ClassVar[int] = 0

    @property
    def key(self) -> Key:
        return ("realm",)

    @property
    def parts(self) -> tuple[Key, ...]:
        return ()

    @override
    def __str__(self) -> str:
        return "realm"


@dataclass(frozen=True, slots=True)
class Client:
    """An org's client, a frontend, or the holder of roles for groups.

    Neither says whether it is enabled: an org that was switched off stays so. `display_name` None:
    it is left as it is.
    """

    client_id: str
    use: Use
    owned: bool = True
    full_scope: bool = False
    public: bool = False
    standard_flow: bool = False
    redirect_uris: frozenset[str] = frozenset()
    web_origins: frozenset[str] = frozenset()
    display_name: str | None = None
    rank: ClassVar[int] = 1

    @property
    def key(self) -> Key:
        return client_key(self.client_id)

    @property
    def parts(self) -> tuple[Key, ...]:
        return ()

    @override
    def __str__(self) -> str:
        return f"client {self.client_id}"


@dataclass(frozen=True, slots=True)
class Scope:
    """A client scope. `in_token`: the claim `scope` names it. `org`: whose it is, "" for none."""

    name: str
    in_token: bool
    org: str = ""
    owned: bool = True
    rank: ClassVar[int] = 1

    @property
    def key(self) -> Key:
        return scope_key(self.name)

    @property
    def parts(self) -> tuple[Key, ...]:
        return ()

    @override
    def __str__(self) -> str:
        return f"scope {self.name}"


@dataclass(frozen=True, slots=True)
class Organization:
    """One of Keycloak's native Organizations; its alias is the org's name."""

    alias: str
    display_name: str
    owned: bool = True
    rank: ClassVar[int] = 1

    @property
    def key(self) -> Key:
        return organization_key(self.alias)

    @property
    def parts(self) -> tuple[Key, ...]:
        return ()

    @override
    def __str__(self) -> str:
        return f"organization {self.alias}"


@dataclass(frozen=True, slots=True)
class Role:
    """A role of a client."""

    client: str
    name: str
    owned: bool = True
    rank: ClassVar[int] = 2

    @property
    def key(self) -> Key:
        return role_key(self.client, self.name)

    @property
    def parts(self) -> tuple[Key, ...]:
        return (client_key(self.client),)

    @override
    def __str__(self) -> str:
        return f"role {self.client}:{self.name}"


@dataclass(frozen=True, slots=True)
class Mapper:
    """A protocol mapper of a scope.

    `config`: the options that are wanted, and what would overrule them; others are left alone.
    """

    scope: str
    name: str
    provider: str
    config: Mapping[str, str]
    rank: ClassVar[int] = 3

    @property
    def key(self) -> Key:
        return ("mapper", self.scope, self.name)

    @property
    def parts(self) -> tuple[Key, ...]:
        return (scope_key(self.scope),)

    @override
    def __str__(self) -> str:
        return f"scope {self.scope}, mapper {self.name}"


@dataclass(frozen=True, slots=True)
class Composite:
    """What a role contains: roles of the same client by name, others as `client:role`.

    Realm roles, which have no client, are `:role`. Wanted for each role, mostly empty; found only
    where it contains something.
    """

    client: str
    role: str
    contains: frozenset[str]
    rank: ClassVar[int] = 3

    @property
    def key(self) -> Key:
        return ("composite", self.client, self.role)

    @property
    def parts(self) -> tuple[Key, ...]:
        return (role_key(self.client, self.role),)

    @override
    def __str__(self) -> str:
        return f"role {self.client}:{self.role}"


@dataclass(frozen=True, slots=True)
class ScopeMapping:
    """The roles of one client that a scope lets through."""

    scope: str
    client: str
    roles: frozenset[str]
    rank: ClassVar[int] = 3

    @property
    def key(self) -> Key:
        return ("mapping", self.scope, self.client)

    @property
    def parts(self) -> tuple[Key, ...]:
        return (scope_key(self.scope), client_key(self.client))

    @override
    def __str__(self) -> str:
        return f"scope {self.scope}, roles of {self.client}"


@dataclass(frozen=True, slots=True)
class OwnMapping:
    """The roles that a frontend lets through whatever scope is asked for, as `client:role`.

    They would bring an org's roles into tokens for another. Found: those of owned or named clients.
    """

    client: str
    roles: frozenset[str]
    rank: ClassVar[int] = 3

    @property
    def key(self) -> Key:
        return ("own mapping", self.client)

    @property
    def parts(self) -> tuple[Key, ...]:
        return (client_key(self.client),)

    @override
    def __str__(self) -> str:
        return f"client {self.client}, its own scope mapping"


@dataclass(frozen=True, slots=True)
class Assignment:
    """How a frontend has a scope: in every token, or when it is asked for."""

    client: str
    scope: str
    how: Literal["default", "optional"]
    rank: ClassVar[int] = 3

    @property
    def key(self) -> Key:
        return ("assignment", self.client, self.scope)

    @property
    def parts(self) -> tuple[Key, ...]:
        return (client_key(self.client), scope_key(self.scope))

    @override
    def __str__(self) -> str:
        return f"client {self.client}, scope {self.scope}"


@dataclass(frozen=True, slots=True)
class Group:
    """A group of an organization, at its top level; `roles` as `client:role`, realm ones `:role`.

    With groups and roles of the same names, who is in a group holds the role in that org.
    """

    org: str
    name: str
    roles: frozenset[str]
    owned: bool = True
    rank: ClassVar[int] = 3

    @property
    def key(self) -> Key:
        return ("group", self.org, self.name)

    @property
    def parts(self) -> tuple[Key, ...]:
        return (organization_key(self.org),)

    @override
    def __str__(self) -> str:
        return f"organization {self.org}, group {self.name}"


@dataclass(frozen=True, slots=True)
class Member:
    """The roles that a user holds in an org: directly, not by groups or composites.

    With organizations: that the user is a member, and the org's groups that they are in. A user
    who is no member is not found; a member in no group has no roles.
    """

    org: str
    user: str
    roles: frozenset[str]
    rank: ClassVar[int] = 4

    @property
    def key(self) -> Key:
        return ("member", self.org, self.user)

    @property
    def parts(self) -> tuple[Key, ...]:
        # One of the two, by the carrier; what is neither wanted nor found holds nothing back.
        return (client_key(self.org), organization_key(self.org))

    @override
    def __str__(self) -> str:
        return f"org {self.org}, member {self.user}"


@dataclass(frozen=True, slots=True)
class Found:
    """What a realm has of that.

    `items`: what is owned, and what the file names, retired or not; then of these clients all roles
    and composites, of these scopes the mappers that the file names and the mappings of these
    clients, of these frontends the assignments of these scopes and of Keycloak's own that the
    recipe needs, of these organizations all groups, and of the members those that the file names.
    `scopes`: names of all client scopes. `users`: those of the file's members who exist.
    """

    items: Mapping[Key, Item]
    scopes: frozenset[str]
    users: frozenset[str]
