"""Realms, orgs and users from a seed; the names are as alike as they may be."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.isolation.model import Carrier, Realm, User

_USERS = 200

DENY = ("globex", "evil*", "acme-old")
"""What the operator has cut off, as globs."""

# Namespace, carrier, and the share of the orgs.
_REALMS: tuple[tuple[str, Carrier, int], ...] = (
    ("eu", "client-scope", 20),
    ("eu2", "client-scope", 12),
    ("us", "organization", 10),
    ("claims", "claim", 8),
)

_ALIKE = (
    *("Acme", "ACME", "acm", "acme2", "acme-old", "acme.eu", "acme_", "-acme", "acmeacme"),
    *("eu", "eu/acme", "eu2/acme", "us/acme", "/acme", "acme/", "eu/eu/acme"),
    *("аcme", "acmé", "acme\u0301", "ａｃｍｅ", "ΑCME", "acⅿe", "ſcme"),  # noqa: RUF001 - that is it
    *(
        "admin",
        "org_admin",
        "editor",
        "viewer",
        "billing",
        "null",
        "NULL",
        "*",
        "a*",
        "acm?",
        "[a]",
    ),
    *("emails", "profile2", "Openid", "OPENID", "accounts", "account2", "Account", "hasura"),
    *("organization:acme", "org:acme", "organizations", "{acme}", "acme,globex", '"acme"'),
    *("globex2", "Globex", "evil", "evil-1", "devil", "0", "-", "true"),
)
_MAPPED_OR_ALLOWED = ("admin", "boss", "editor", "viewer", "billing", "org_admin")
_KEYCLOAK_ROLES = (*_MAPPED_OR_ALLOWED, *_MAPPED_OR_ALLOWED, "auditor", "Editor", "owner", "null")


@dataclass(frozen=True, slots=True)
class People:
    realms: tuple[Realm, ...]
    users: tuple[User, ...]


def make_people(seed: int) -> People:
    random = Random(f"people {seed}")
    realms = tuple(_realm(random, *it) for it in _REALMS)
    # One id may be another user's in another realm, as anybody who rules a realm can arrange.
    users = [
        User(realms[number % len(realms)], f"user-{number // 2}", {}) for number in range(_USERS)
    ]
    return People(realms, tuple(_with_roles(user, random) for user in users))


def _realm(random: Random, namespace: str, carrier: Carrier, count: int) -> Realm:
    # An organization cannot be called *: `organization:*` is the scope that asks for all.
    names = [it for it in _ALIKE if (it, carrier) != ("*", "organization")]
    orgs = ("acme", "globex", *random.sample(names, count - 2))
    return Realm(namespace, carrier, orgs, frozenset(org for org in orgs if _is_denied(org)))


def _is_denied(org: str) -> bool:
    return org in ("globex", "acme-old") or org.startswith("evil")


def _with_roles(user: User, random: Random) -> User:
    most = len(user.realm.orgs)
    count = random.choice((0, 1, 1, 1, 2, 2, 2, 3, 4, 5, most // 2, most))
    roles = {org: _some_roles(random) for org in random.sample(user.realm.orgs, count)}
    return User(user.realm, user.id, roles)


def _some_roles(random: Random) -> tuple[str, ...]:
    count = random.choice((0, 1, 1, 1, 2, 2, 3, 4))
    return tuple(dict.fromkeys(random.sample(_KEYCLOAK_ROLES, count)))
