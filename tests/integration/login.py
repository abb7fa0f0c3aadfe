"""How clients get tokens without a browser: password, refresh, DPoP, client credentials."""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from time import time  # noqa: TID251 - Keycloak compares a proof with the real clock
from typing import Any, Self

import aiohttp
from joserfc import jwt
from joserfc.jwk import ECKey


class LoginFailed(Exception):
    """No tokens: `error` is the OAuth code, `status` that of the HTTP answer."""

    def __init__(self, error: str, description: str = "", status: int = 0) -> None:
        super().__init__(f"{status} {error}: {description}")
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True)
class Tokens:
    access: str
    refresh: str | None
    id: str | None
    answer: Mapping[str, Any]

    @classmethod
    def from_answer(cls, answer: Mapping[str, Any]) -> Self:
        return cls(
            answer["access_token"], answer.get("refresh_token"), answer.get("id_token"), answer
        )

    @property
    def claims(self) -> dict[str, Any]:
        return unverified(self.access)

    @property
    def header(self) -> dict[str, Any]:
        return unverified(self.access, part=0)

    @property
    def scopes(self) -> set[str]:
        return set(self.claims.get("scope", "").split())


def roles(tokens: Tokens) -> dict[str, set[str]]:
    """Return what `resource_access` grants, by client."""
    access = tokens.claims.get("resource_access", {})
    return {org: set(held["roles"]) for org, held in access.items()}


def unverified(token: str, part: int = 1) -> dict[str, Any]:
    """Read a token's claims (or header, part 0) without looking at its signature."""
    text = token.split(".")[part]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


class Client:
    """One client of a realm, seen from outside; a public one unless it has a secret."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        issuer: str,
        client_id: str = "frontend",
        secret: str | None = None,
    ) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self.token_url = f"{issuer}/protocol/openid-connect/token"
        self._http = http
        self._secret = secret

    async def password(self, user: str, scope: str = "openid", password: str = "") -> Tokens:
        """Log in with the user's password, which is the user's name unless given."""
        return await self.grant("password", username=user, password=password or user, scope=scope)

    async def refresh(self, tokens: Tokens, scope: str | None = None) -> Tokens:
        """Refresh; with a scope, narrow to it. Keycloak drops in silence what was not granted."""
        wish = {} if scope is None else {"scope": scope}
        return await self.grant("refresh_token", refresh_token=tokens.refresh or "", **wish)

    async def client_credentials(self, scope: str = "openid") -> Tokens:
        return await self.grant("client_credentials", scope=scope)

    async def bound_password(self, user: str, scope: str, key: ECKey) -> Tokens:
        """Log in for a token that is bound to a key by DPoP; any public client may ask for it."""
        proof = dpop_proof(key, "POST", self.token_url)
        return await self.grant(
            "password", {"DPoP": proof}, username=user, password=user, scope=scope
        )

    async def grant(
        self, grant_type: str, headers: Mapping[str, str] | None = None, /, **form: str
    ) -> Tokens:
        form |= {"grant_type": grant_type, "client_id": self.client_id}
        if self._secret is not None:
            form["client_secret"] = self._secret
        async with self._http.post(self.token_url, data=form, headers=headers) as response:
            answer = await response.json()
            if response.status != 200:
                error, description = answer.get("error"), answer.get("error_description", "")
                raise LoginFailed(error, description, response.status)
            return Tokens.from_answer(answer)


def dpop_proof(key: ECKey, method: str, url: str, access_token: str | None = None) -> str:
    """Make a proof of possession; with a token, one for its use at a resource."""
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": key.as_dict(private=False)}
    claims: dict[str, Any] = {"jti": secrets.token_hex(16), "htm": method, "htu": url}
    claims["iat"] = int(time())
    if access_token is not None:
        claims["ath"] = s256(access_token)
    return jwt.encode(header, claims, key, algorithms=["ES256"])


def s256(text: str) -> str:
    """Return the SHA-256 as DPoP and PKCE write it."""
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
