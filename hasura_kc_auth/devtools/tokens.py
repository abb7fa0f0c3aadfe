"""Tokens of the shapes that a Keycloak 26 issues, as measured on 26.4 and 26.7.

The realm follows the recipe: a client and an optional client scope per org, a frontend without full
scope, an audience `hasura` for every token. Scopes without a role behind them are dropped without a
word; `aud` is a string for one audience and a list for several.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4

from joserfc import jws
from joserfc.jwk import Key, KeyParameters, KeySet, OctKey, RSAKey

from hasura_kc_auth.core.strict_json import Json
from hasura_kc_auth.ports import Clock

FRONTEND = "frontend"
AUDIENCE = "hasura"
LIFESPAN = 300
_DEFAULT_SCOPES = ("profile", "email")
_PASSIVE_SCOPES = frozenset({"openid", "offline_access", *_DEFAULT_SCOPES})

Claims = dict[str, Json]
Roles = Mapping[str, tuple[str, ...]]
"""Org -> the roles held in it."""


@dataclass(frozen=True, slots=True)
class User:
    name: str
    roles: Roles = field(default_factory=dict)
    password: str = "demo"  # noqa: S105 - printed beside the issuer's address
    subject: str = field(default_factory=lambda: str(uuid4()))


class InvalidScope(Exception):
    """A scope that the client does not know. Keycloak answers 400 with its name."""


class SigningKeys:
    """The realm's keys: those that sign and have signed, one for encryption, one for refreshes."""

    def __init__(self) -> None:
        self._published: list[Key] = [_rsa_key("enc", "RSA-OAEP"), _rsa_key("sig", "RS256")]
        self._refresh = OctKey.generate_key(512, {"kid": str(uuid4()), "alg": "HS512"})

    def rotate(self, *, keep_old: bool) -> None:
        """Sign with a new key from now on; it is published at once, as Keycloak does it."""
        if not keep_old:
            del self._published[1:]
        self._published.append(_rsa_key("sig", "RS256"))

    def public(self) -> Json:
        """Return the JWK set. The encryption key comes first: its place is not fixed."""
        return KeySet(self._published).as_dict(private=False)

    def sign(self, claims: Claims) -> str:
        """Sign an access or ID token."""
        return _sign(claims, self._published[-1], "RS256")

    def read(self, token: str) -> Claims:
        """Return the claims of an access or ID token. Raises JoseError, ValueError or TypeError."""
        keys = KeySet([key for key in self._published if key.as_dict().get("use") == "sig"])
        verified = jws.deserialize_compact(token, keys, algorithms=["RS256"])
        claims: Claims = json.loads(verified.payload)
        return claims

    def sign_refresh(self, claims: Claims) -> str:
        """Sign a refresh token, with a key that is never published."""
        return _sign(claims, self._refresh, "HS512")

    def read_refresh(self, token: str) -> Claims:
        """Return a refresh token's claims. Raises JoseError or ValueError."""
        verified = jws.deserialize_compact(token, self._refresh, algorithms=["HS512"])
        claims: Claims = json.loads(verified.payload)
        return claims


_LIGHTWEIGHT = ("exp", "iat", "jti", "iss", "typ", "azp", "sid", "scope")


def lightweight_claims(claims: Claims) -> Claims:
    """Return what Keycloak leaves in a lightweight access token: of the user, nothing."""
    kept = {name: claims[name] for name in _LIGHTWEIGHT}
    return kept | {"jti": f"onltro:{uuid4()}"}


def _rsa_key(use: str, algorithm: str) -> RSAKey:
    parameters: KeyParameters = {"kid": secrets.token_urlsafe(32), "use": use, "alg": algorithm}
    return RSAKey.generate_key(2048, parameters)


def _sign(claims: Claims, key: Key, algorithm: str) -> str:
    header = {"alg": algorithm, "typ": "JWT", "kid": key.kid}
    return jws.serialize_compact(
        header, json.dumps(claims, separators=(",", ":")), key, algorithms=[algorithm]
    )


@dataclass(frozen=True, slots=True)
class Tokens:
    """One answer of the token endpoint. `scope`: what was granted."""

    access: str
    identity: str | None
    refresh: str
    scope: str


class TokenMaker:
    """Issues tokens for users of one realm."""

    def __init__(self, issuer: str, keys: SigningKeys, orgs: Iterable[str], clock: Clock) -> None:
        self.issuer = issuer
        self._keys = keys
        self._orgs = frozenset(orgs)
        self._clock = clock

    def issue(self, user: User, scope: str, *, refreshed: Claims | None = None) -> Tokens:
        """Issue tokens for the scopes asked for. `refreshed`: the refresh token's claims, if any.

        Raises InvalidScope for a scope that no client scope has.
        """
        original = refreshed["scope"] if refreshed else scope
        asked = [name for name in scope.split(" ") if name]
        unknown = [name for name in asked if name not in self._orgs | _PASSIVE_SCOPES]
        if unknown:
            raise InvalidScope(scope)
        granted = [name for name in asked if name in user.roles]
        text = " ".join(dict.fromkeys([*_openid(asked), "profile", *granted, "email"]))
        sid = refreshed["sid"] if refreshed else secrets.token_urlsafe(18)
        session = {"sid": sid, "sub": user.subject}
        # An ID token comes if the first grant asked for it, whatever a refresh asks for.
        identity = self._identity(user, session) if "openid" in original.split(" ") else None
        return Tokens(
            self._keys.sign(self.access_claims(user, granted, text) | session),
            None if identity is None else self._keys.sign(identity),
            self._keys.sign_refresh(self._refresh(original) | session),
            text,
        )

    def access_claims(self, user: User, orgs: Iterable[str], scope: str) -> Claims:
        """Return the claims of an access token for these orgs."""
        access = {org: {"roles": list(user.roles[org])} for org in orgs}
        audience = [AUDIENCE, *access]
        claims = self._common("Bearer", "onrtro") | {
            "sub": user.subject,
            "aud": audience if len(audience) > 1 else audience[0],
            "acr": "1",
            "allowed-origins": ["http://127.0.0.1:3000"],
            "scope": scope,
            "email_verified": True,
            "name": user.name.title(),
            "preferred_username": user.name,
            "email": f"{user.name}@example.com",
        }
        return claims | ({"resource_access": access} if access else {})

    def _identity(self, user: User, session: Claims) -> Claims:
        claims = self._common("ID", "") | session
        return claims | {"aud": FRONTEND, "at_hash": "demo", "preferred_username": user.name}

    def _refresh(self, scope: str) -> Claims:
        claims = self._common("Refresh", "") | {"aud": self.issuer, "scope": scope}
        return claims | {"exp": claims["iat"] + 6 * LIFESPAN}

    def _common(self, typ: str, prefix: str) -> Claims:
        now = int(self._clock())
        return {
            "exp": now + LIFESPAN,
            "iat": now,
            "jti": f"{prefix}:{uuid4()}".removeprefix(":"),
            "iss": self.issuer,
            "typ": typ,
            "azp": FRONTEND,
        }


def _openid(asked: Iterable[str]) -> tuple[str, ...]:
    return ("openid",) if "openid" in asked else ()
