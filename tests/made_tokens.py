"""Tokens made by hand for the tests, shaped as Keycloak shapes them.

    token = sign(claims(exp=NOW - 1))               # the good token with one claim changed
    token = sign(claims(sub=ABSENT))                # ... with one claim left out
    token = sign(header={"typ": "logout+jwt"})      # ... with one header parameter changed
    token = sign_bytes(b'{"alg":"RS256"}', b"[]")   # any bytes at all, rightly signed
    keys = KeysAtHand()                             # the port FindsKeys, holding the good key

Everything starts from one good token: GOOD under HEADER, signed by KEY, judged at NOW by POLICY.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import pytest
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.keys import KeySet, VerificationKey, import_key_set
from hasura_kc_auth.core.policy import IssuerPolicy, OrgPolicy, Policy, RolePolicy, SessionPolicy
from hasura_kc_auth.core.request import Request

NOW = 1_800_000_000
"""The wall clock of the tests. GOOD was issued ten seconds before and is good for five minutes."""

ISSUER = "https://sso.example.com/realms/acme"
USER = "4f1f6c5e-0d3c-4f0e-9a53-6b6d1c9f2a10"

ABSENT: Any = object()
"""As a changed value: leave this member out."""

GOOD: Mapping[str, Any] = {
    "exp": NOW + 290,
    "iat": NOW - 10,
    "auth_time": NOW - 3600,
    "jti": "onrtac:0b9c7f0e-55a8-4dd5-8d23-0a3c7b8f5a11",
    "iss": ISSUER,
    "aud": "org1",
    "sub": USER,
    "typ": "Bearer",
    "azp": "frontend",
    "sid": "_wlFRi49mKy62CBaDhCszNY-",
    "acr": "1",
    "allowed-origins": ["https://app.example.com"],
    "resource_access": {"org1": {"roles": ["editor"]}},
    "scope": "openid profile org1 email",
    "email_verified": True,
    "name": "Alice Ünal",
    "preferred_username": "alice",
    "given_name": "Alice",
    "family_name": "Ünal",
    "email": "alice@example.com",
}
"""Alice, who chose org1 and is an editor there: an access token as Keycloak 26 writes it."""

TWO_ORGS: Mapping[str, Any] = {
    "aud": ["org1", "org2"],
    "resource_access": {"org1": {"roles": ["editor"]}, "org2": {"roles": ["viewer"]}},
    "scope": "openid profile org1 org2 email",
}
"""Changes that make GOOD prove two orgs, with a different role in each."""


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key pair for one algorithm, under the `kid` it is published with."""

    kid: str
    algorithm: str
    pair: RSAKey | ECKey | OKPKey

    def signature(self, signing_input: bytes, algorithm: str | None = None) -> bytes:
        model: Any = JWSRegistry.algorithms[algorithm or self.algorithm]
        signed: bytes = model.sign(signing_input, self.pair)
        return signed

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """Return the public key as Keycloak publishes it, with these members changed."""
        public = self.pair.as_dict(private=False)
        published = {"kid": self.kid, "alg": self.algorithm, "use": "sig"}
        return _changed({**public, **published}, changes)

    def private_jwk(self) -> dict[str, Any]:
        return {**self.jwk(), **self.pair.as_dict(private=True), "kid": self.kid}


_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}


@cache
def made_key(algorithm: str = "RS256", name: str = "first") -> MadeKey:
    """Return the key of this name for this algorithm, made once in a test run."""
    pair: RSAKey | ECKey | OKPKey
    if algorithm in _CURVES:
        pair = ECKey.generate_key(_CURVES[algorithm])
    elif algorithm == "EdDSA":
        pair = OKPKey.generate_key("Ed25519")
    else:
        pair = RSAKey.generate_key(2048)
    return MadeKey(f"{name}-{algorithm}", algorithm, pair)


KEY = made_key()
OTHER_KEY = made_key(name="other")
HEADER: Mapping[str, Any] = {"alg": "RS256", "typ": "JWT", "kid": KEY.kid}


def _changed(members: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    together = {**members, **changes}
    return {name: value for name, value in together.items() if value is not ABSENT}


def claims(changes: Mapping[str, Any] | None = None, /, **more: Any) -> dict[str, Any]:
    """Return GOOD with these claims changed or, for ABSENT, left out."""
    return _changed(GOOD, {**(changes or {}), **more})


def json_bytes(value: Any) -> bytes:
    """Encode as Keycloak does: with blanks, and with letters as they are."""
    return json.dumps(value, ensure_ascii=False).encode()


def b64(data: bytes) -> str:
    """Encode as base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def sign(
    payload: Mapping[str, Any] = GOOD, header: Mapping[str, Any] | None = None, key: MadeKey = KEY
) -> str:
    """Return a compact token. The header is `key`'s own with these parameters changed."""
    own = {**HEADER, "alg": key.algorithm, "kid": key.kid}
    return sign_bytes(json_bytes(_changed(own, header or {})), json_bytes(payload), key)


def sign_bytes(header: bytes, payload: bytes, key: MadeKey = KEY) -> str:
    """Sign what no honest issuer would write: the bytes are taken as they are."""
    return sign_text(b64(header), b64(payload), key)


def sign_text(header: str, payload: str, key: MadeKey = KEY) -> str:
    """Sign two segments as they are, base64url or not."""
    signing_input = f"{header}.{payload}"
    return f"{signing_input}.{b64(key.signature(signing_input.encode()))}"


def jwks(*members: Mapping[str, Any]) -> dict[str, Any]:
    return {"keys": list(members)}


def key_set(*keys: MadeKey) -> KeySet:
    """Return these keys as they come out of a JWK set, each for its own algorithm."""
    return import_key_set(jwks(*(key.jwk() for key in keys)), {key.algorithm for key in keys})


ISSUER_POLICY = IssuerPolicy(ISSUER, clients=frozenset({"frontend"}))
POLICY = Policy(
    issuers={ISSUER: ISSUER_POLICY},
    roles=RolePolicy(("org_admin", "editor", "viewer"), {"admin": "org_admin"}),
)


def issuer_policy(*, org: Mapping[str, Any] | None = None, **changes: Any) -> IssuerPolicy:
    """Return the good issuer's policy with these settings changed, those of `org` included."""
    return replace(ISSUER_POLICY, org=OrgPolicy(**(org or {})), **changes)


def policy_of(*issuers: IssuerPolicy, session: SessionPolicy = POLICY.session) -> Policy:
    """Return the good policy for other issuers, or with another way to write the answer."""
    return replace(
        POLICY,
        issuers={issuer.issuer: issuer for issuer in issuers or (ISSUER_POLICY,)},
        session=session,
    )


def request_of(token: str | None = None, *, org: str = "", role: str = "") -> Request:
    return Request(token, org, role)


@dataclass
class KeysAtHand:
    """The port FindsKeys over a fixed set of keys. It remembers who was asked for what.

    `failure`: the code of every answer, instead of a key.
    """

    keys: KeySet = field(default_factory=lambda: key_set(KEY))
    failure: Code | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)

    def find(self, issuer: str, kid: str) -> VerificationKey:
        self.asked.append((issuer, kid))
        if self.failure is not None:
            raise Denied(self.failure, issuer=issuer)
        if kid not in self.keys:
            raise Denied(Code.UNKNOWN_KEY, issuer=issuer)
        return self.keys[kid]


@contextmanager
def denied(code: Code, *, issuer: str | None = None) -> Iterator[None]:
    """Expect a denial with exactly this code, labelled with exactly this issuer."""
    with pytest.raises(Denied) as caught:
        yield
    assert (caught.value.code, caught.value.issuer) == (code, issuer)


def outcome(call: Callable[..., Any], *arguments: Any) -> Any:
    """Return what this call returns, or the code it is denied with."""
    try:
        return call(*arguments)
    except Denied as denial:
        return denial.code
