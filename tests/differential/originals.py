"""The tokens that everything starts from, and all it takes to make them anew: from a seed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from uuid import UUID

from joserfc.jwk import OctKey

from hasura_kc_auth.devtools.tokens import AUDIENCE, FRONTEND, Claims, TokenMaker, User
from tests.made_tokens import ABSENT, NOW, MadeKey, b64, jwks, sign_text
from tests.seeded_keys import seeded_key

LEEWAY = 30
_GOOD_SHARE = 0.9
ORGS = ("acme", "globex")


@dataclass(frozen=True, slots=True)
class Draft:
    """A token before it is signed: change what you like. `token`: as its issuer signed it."""

    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    key: MadeKey
    token: str = ""

    def with_header(self, **changes: Any) -> Draft:
        return replace(self, header=_changed(self.header, changes))

    def with_claims(self, **changes: Any) -> Draft:
        return replace(self, claims=_changed(self.claims, changes))

    def signed(self, by: MadeKey | None = None) -> str:
        return self.signed_bytes(compact(self.header), compact(self.claims), by)

    def signed_bytes(self, header: bytes, payload: bytes, by: MadeKey | None = None) -> str:
        """Sign any bytes at all, by the token's own key or by another one."""
        return self.signed_text(b64(header), b64(payload), by)

    def signed_text(self, header: str, payload: str, by: MadeKey | None = None) -> str:
        """Sign two segments as they are, base64url or not."""
        return sign_text(header, payload, by or self.key)


def _changed(members: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: it for name, it in {**members, **changes}.items() if it is not ABSENT}


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class Realm:
    """One realm whose tokens are judged: the policy that both judges follow, and its keys.

    `published`: its JWK set. `algorithms`: those that are accepted, of whatever it publishes.
    """

    issuer: str
    namespace: str
    algorithms: tuple[str, ...]
    published: Mapping[str, Any]
    keys: tuple[MadeKey, ...] = ()
    clients: tuple[str, ...] = (FRONTEND,)
    audiences: tuple[str, ...] = (AUDIENCE,)


@dataclass(frozen=True, slots=True)
class World:
    """What the mutations draw from. `stranger`: a key for each algorithm, published by nobody."""

    realms: tuple[Realm, ...]
    originals: tuple[Draft, ...]
    stranger: Mapping[str, MadeKey]
    now: int = NOW

    def original(self, random: Random) -> Draft:
        """Return a token that is good, mostly; now and then one that never is."""
        good = [it for it in self.originals if self._is_good(it)]
        return random.choice(good if random.random() < _GOOD_SHARE else self.originals)

    def _is_good(self, draft: Draft) -> bool:
        accepted = {it.issuer: it.algorithms for it in self.realms}
        is_accepted = draft.key.algorithm in accepted[draft.claims["iss"]]
        return draft.claims["typ"] == "Bearer" and is_accepted

    def other_key(self, draft: Draft) -> MadeKey:
        """Return a key that another realm publishes under the same id."""
        return next(
            key
            for realm in self.realms
            if realm.issuer != draft.claims["iss"]
            for key in realm.keys
            if key.algorithm != draft.key.algorithm or key.kid == draft.key.kid
        )


@dataclass
class _Signer:
    """In the place of a realm's keys: what it signs holds nothing that is drawn by lot elsewhere.

    `signed`: every token so far.
    """

    key: MadeKey
    refresh: OctKey
    random: Random
    signed: list[Draft] = field(default_factory=list)

    def sign(self, claims: Claims) -> str:
        return self._sign(claims, self.key)

    def sign_refresh(self, claims: Claims) -> str:
        return self._sign(claims, MadeKey("refresh", "HS512", self.refresh))  # type: ignore[arg-type]

    def _sign(self, claims: Claims, key: MadeKey) -> str:
        header = {"alg": key.algorithm, "typ": "JWT", "kid": key.kid}
        settled = claims | {"jti": f"onrtro:{_uuid(self.random)}", "sid": str(_uuid(self.random))}
        draft = Draft(header, settled, key)
        self.signed.append(replace(draft, token=draft.signed()))
        return self.signed[-1].token


def _uuid(random: Random) -> UUID:
    return UUID(int=random.getrandbits(128), version=4)


def make_world(seed: int) -> World:
    """Return two realms and their tokens. Both have keys of the same ids, but not the same keys.

    The second publishes a key for ES256 as well and uses it, though only RS256 is accepted of it.
    """
    random = Random(f"world {seed}")
    realms = (
        _realm(random, "acme", "eu", ("RS256", "ES256")),
        _realm(random, "globex", "us", ("RS256",)),
    )
    stranger = {it: seeded_key(random, it, "stranger") for it in ("RS256", "ES256")}
    originals = tuple(it for realm in realms for it in _tokens(realm, random))
    return World(realms, originals, stranger)


def _realm(random: Random, name: str, namespace: str, algorithms: tuple[str, ...]) -> Realm:
    keys = tuple(seeded_key(random, it, f"key-{it}") for it in ("RS256", "ES256"))
    encryption = {**keys[0].jwk(), "kid": "enc", "use": "enc", "alg": "RSA-OAEP"}
    published = jwks(encryption, *(key.jwk() for key in keys))
    return Realm(f"https://sso.example.com/realms/{name}", namespace, algorithms, published, keys)


def _tokens(realm: Realm, random: Random) -> list[Draft]:
    """Return access, ID and refresh tokens of several users, by each key of the realm."""
    refresh = OctKey.import_key(random.randbytes(64))
    made: list[Draft] = []
    for key in realm.keys:
        signer = _Signer(key, refresh, random)
        maker = TokenMaker(realm.issuer, signer, ORGS, lambda: NOW - 10)  # type: ignore[arg-type]
        for user, scope in _logins(random):
            maker.issue(user, scope)
        made += signer.signed
    return made


def _logins(random: Random) -> list[tuple[User, str]]:
    roles = {"acme": ("editor", "viewer"), "globex": ("viewer",)}
    alice, bob, carol = (
        User(name, held, subject=str(_uuid(random)))
        for name, held in (("alice", roles), ("bob", {"acme": ("viewer",)}), ("carol", {}))
    )
    return [
        (alice, "openid acme"),
        (alice, "acme globex"),
        (alice, "openid"),
        (bob, "acme"),
        (carol, "acme"),
    ]
