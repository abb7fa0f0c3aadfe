"""Tokens for logins, as each realm's Keycloak would write them: by the development issuer."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from random import Random
from typing import Any

from joserfc.jwk import OctKey

from hasura_kc_auth.devtools import tokens as dev
from tests.isolation.model import Login, Realm
from tests.isolation.people import People
from tests.made_tokens import MadeKey, b64, jwks, sign_text
from tests.seeded_keys import seeded_key

APP = "app"
"""The client whose roles an entry of `organization` holds."""
ORG_CLAIM = "org"
GENERATIONS = 3

# What "Full scope allowed" lets into a token beside anybody's orgs: clients of Keycloak's own, the
# frontend, and one that is called like a standard scope. None is ever an org, whatever its roles
# are and though a scope is called like it.
_NEVER_ORGS = {
    name: {"roles": ["editor", "admin", "viewer"]}
    for name in ("account", "realm-management", "frontend", "profile")
}


def issuer_of(realm: Realm) -> str:
    return f"https://sso.example.com/realms/{realm.namespace}"


def scope_of(realm: Realm, org: str) -> str:
    """Return how an org's scope is named, which differs from realm to realm."""
    return {"eu2": f"org:{org}", "us": f"organization:{org}"}.get(realm.namespace, org)


class Keycloaks:
    """The realms as they sign. All name their keys alike; no two have the same key.

    `published`: which of a realm's keys, by number, it publishes now; the last one signs.
    """

    def __init__(self, people: People, seed: int) -> None:
        self._random = Random(f"keys {seed}")
        self._keys = {
            realm.namespace: [self._key(f"key-{number}") for number in range(GENERATIONS)]
            for realm in people.realms
        }
        self._stranger = {f"key-{it}": self._key(f"key-{it}") for it in range(GENERATIONS)}
        self.published: dict[str, tuple[int, ...]] = {it.namespace: (0,) for it in people.realms}

    def _key(self, kid: str) -> MadeKey:
        return seeded_key(self._random, "ES256", kid)

    def key_set(self, realm: Realm) -> Mapping[str, Any]:
        keys = self._keys[realm.namespace]
        return jwks(*(keys[number].jwk() for number in self.published[realm.namespace]))

    def signing(self, realm: Realm) -> int:
        return self.published[realm.namespace][-1]

    def token(self, login: Login, random: Random) -> str:
        """Return the token of a login."""
        claims = _claims(login, random)
        key = self._keys[login.user.realm.namespace][login.key]
        if login.forged:
            others = [keys[login.key] for keys in self._keys.values() if keys[login.key] is not key]
            key = random.choice([*others, self._stranger[key.kid]])
        header = {"alg": key.algorithm, "typ": "JWT", "kid": key.kid}
        return sign_text(*(b64(json.dumps(it).encode()) for it in (header, claims)), key)


def _claims(login: Login, random: Random) -> dict[str, Any]:
    user = login.user
    write = {
        "client-scope": _by_client_scope,
        "organization": _by_organization,
        "claim": _by_claim,
    }[user.realm.carrier]
    common = {"sub": user.id, "email": user.email, "jti": f"{random.getrandbits(64):x}"}
    return write(login, random) | common


def _by_client_scope(login: Login, random: Random) -> dict[str, Any]:
    """Now and then with what must not count: roles of other orgs, scopes without a role."""
    user = login.user
    granted = [org for org in login.asked if user.roles.get(org)]
    scopes = [*granted, *login.asked] if random.random() < 0.5 else granted
    has_full_scope = random.random() < 0.3
    # Entries without a role, too, which Keycloak leaves out: they prove nothing.
    in_access = user.roles if has_full_scope else granted
    names = [*scopes, *_NEVER_ORGS] if has_full_scope else scopes
    claims = _access_claims(login, in_access, [scope_of(user.realm, org) for org in names])
    if has_full_scope:
        claims["resource_access"] = {**_NEVER_ORGS, **claims.get("resource_access", {})}
        claims["aud"] = ["hasura", *claims["resource_access"]]
    return claims


def _by_organization(login: Login, random: Random) -> dict[str, Any]:
    """Now and then with a default scope that asks for any org beside those that are named."""
    user = login.user
    orgs = [org for org in user.roles if login.all_orgs or org in login.asked]
    scopes = [scope_of(user.realm, org) for org in orgs]
    if login.all_orgs:
        scopes = [random.choice(("organization", "organization:*"))]
    claims = _access_claims(login, [], scopes)
    entries = {org: {"resource_access": {APP: {"roles": [*user.roles[org]]}}} for org in orgs}
    # The roles of all orgs together, at the top level, prove nothing of any of them.
    everything = {APP: {"roles": sorted({it for held in user.roles.values() for it in held})}}
    return claims | ({"organization": entries} if orgs else {}) | {"resource_access": everything}


def _by_claim(login: Login, _random: Random) -> dict[str, Any]:
    """Return a token with the roles of all orgs, and the chosen one in a claim of its own."""
    held = [org for org, roles in login.user.roles.items() if roles]
    claims = _access_claims(login, held, held)
    return claims | {ORG_CLAIM: login.asked[0]} if login.asked else claims


def _access_claims(login: Login, orgs: Iterable[str], scopes: Iterable[str]) -> dict[str, Any]:
    user = login.user
    maker = dev.TokenMaker(issuer_of(user.realm), _NO_KEYS, (), lambda: float(login.issued_at))
    scope = " ".join(["openid", "profile", *scopes, "email"])
    return maker.access_claims(dev.User(user.id, user.roles), orgs, scope)


class _NoKeys(dev.SigningKeys):
    """Signs nothing: only the shape of the claims is wanted."""

    def __init__(self) -> None:
        self._published = []
        self._refresh = OctKey.generate_key(512)


_NO_KEYS = _NoKeys()
