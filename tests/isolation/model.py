"""The truth, written from the manual: what a request must get, by who asks and how they logged in.

It knows users, their roles and their logins. It has never seen a token, and imports nothing of the
service.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

LIFESPAN = 300
LEEWAY = 30
MAX_AGE = 300
"""All in seconds."""

ALLOWED = ("org_admin", "editor", "billing", "viewer")
"""Hasura's roles, in the order that makes the first one held the default."""
MAPPED = {"admin": "org_admin", "boss": "editor"}
"""Keycloak's roles that have another name there."""

Carrier = Literal["client-scope", "organization", "claim"]


@dataclass(frozen=True, slots=True)
class Realm:
    """A realm and its orgs. `denied`: those that the operator has cut off."""

    namespace: str
    carrier: Carrier
    orgs: tuple[str, ...] = field(repr=False)
    denied: frozenset[str]

    def qualified(self, name: str) -> str:
        return f"{self.namespace}/{name}"


@dataclass(frozen=True, slots=True)
class User:
    """`roles`: the orgs that the user belongs to, and Keycloak's roles held there, if any."""

    realm: Realm
    id: str
    roles: Mapping[str, tuple[str, ...]]

    @property
    def email(self) -> str:
        return f"{self.id}@{self.realm.namespace}.example"


@dataclass(frozen=True, slots=True)
class Login:
    """How a token was got. `asked`: for which orgs, `all_orgs`: for whatever there is.

    `key`: the number of the realm's key that was in use; `forged`: made by somebody else.
    """

    user: User
    asked: tuple[str, ...]
    issued_at: int
    key: int
    all_orgs: bool = False
    forged: bool = False

    @property
    def expires_at(self) -> int:
        return self.issued_at + LIFESPAN


class Wishes(NamedTuple):
    """What the client asks for by header, "" for nothing."""

    org: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The request gets nothing but this code."""

    code: str


Variables = Mapping[str, str]


def outcome(login: Login, wishes: Wishes, now: float) -> Variables | Refused:
    """Return what a request with this login's token must get while its key is published."""
    if login.forged:
        return Refused("bad_signature")
    if now >= login.expires_at + LEEWAY:
        return Refused("expired")
    if now < login.issued_at - LEEWAY:
        return Refused("not_yet_valid")
    return _by_org(login, wishes, now)


def _by_org(login: Login, wishes: Wishes, now: float) -> Variables | Refused:
    realm = login.user.realm
    granted = {realm.qualified(org): org for org in granted_orgs(login)}
    if not granted:
        return Refused("no_org")
    if wishes.org and wishes.org not in granted:
        return Refused("org_not_granted")
    if _names_no_org(login) or (len(granted) > 1 and not wishes.org):
        return Refused("ambiguous_org")
    return _by_role(login, wishes, next(iter(granted)) if not wishes.org else wishes.org, now)


def granted_orgs(login: Login) -> list[str]:
    """Return the orgs that a login's token is good for, before anybody chooses."""
    roles, realm = login.user.roles, login.user.realm
    asked = roles if login.all_orgs else login.asked
    belonging = [org for org in asked if org in roles and org not in realm.denied]
    if realm.carrier == "organization":
        return belonging  # a member without any role is one all the same
    return [org for org in belonging if roles[org]]


def _names_no_org(login: Login) -> bool:
    """Whether the token was asked for all orgs, and there are several: nobody has chosen."""
    return login.all_orgs and len(login.user.roles) > 1


def _by_role(login: Login, wishes: Wishes, org_id: str, now: float) -> Variables | Refused:
    held = roles_held(login.user, org_id.removeprefix(f"{login.user.realm.namespace}/"))
    if not held:
        return Refused("no_role")
    if wishes.role and wishes.role not in held:
        return Refused("role_not_granted")
    return {
        "X-Hasura-Org-Id": org_id,
        "X-Hasura-Role": wishes.role or held[0],
        "X-Hasura-Allowed-Roles": "{" + ",".join(held) + "}",
        "X-Hasura-User-Id": login.user.realm.qualified(login.user.id),
        "X-Hasura-Email": login.user.email,
        "Cache-Control": f"max-age={max(1, int(min(login.expires_at - now, MAX_AGE)))}",
    }


def roles_held(user: User, org: str) -> list[str]:
    """Return Hasura's roles of a user in an org, in their order."""
    named = {MAPPED.get(role, role) for role in user.roles.get(org, ())}
    return [role for role in ALLOWED if role in named]
