"""Token introspection of the development issuer, as measured on Keycloak 26.4 and 26.7."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from joserfc.errors import JoseError

from hasura_kc_auth.core.claims import audience_of, scopes_of
from hasura_kc_auth.devtools.tokens import Claims, SigningKeys, TokenMaker, User, lightweight_claims

CONFIDENTIAL_CLIENT = "hasura-kc-auth"
CLIENT_SECRET = "demo"  # noqa: S105 - printed beside the issuer's address

_INACTIVE: Claims = {"active": False}


class ClientRefused(Exception):
    """The client may not ask. `status` and the text are Keycloak's."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass
class Introspector:
    """Tells of the tokens that these keys have signed.

    `clients`: the secret of each client, None for a public one. `checks_audience`: whether the
    asking client must be in the token's `aud`, as from 26.6 on.
    """

    keys: SigningKeys
    clients: dict[str, str | None]
    checks_audience: bool = False
    told: dict[str, Claims] = field(default_factory=dict)

    def issue_lightweight(self, token: str) -> str:
        """Return a lightweight token in the place of an access token, whose claims it keeps."""
        claims = self.keys.read(token)
        reduced = lightweight_claims(claims)
        self.told[reduced["jti"]] = claims | {"jti": reduced["jti"]}
        return self.keys.sign(reduced)

    def authenticate(self, authorization: str, form: Mapping[str, object]) -> str:
        """Return the client that asks. Raises ClientRefused."""
        name, secret = _login(authorization, form)
        if name in self.clients and self.clients[name] is None:
            raise ClientRefused(403, "Client not allowed.")
        if not secret or self.clients.get(name) != secret:
            raise ClientRefused(401, "Authentication failed.")
        return name

    def introspect(
        self, token: str, client: str, maker: TokenMaker, users: Mapping[str, User], now: float
    ) -> Claims:
        """Return the answer (RFC 7662) about a token, with the roles that its user has now."""
        try:
            signed = self.keys.read(token)
        except (JoseError, ValueError, TypeError):  # the library stumbles on odd headers
            return _INACTIVE
        claims = self.told.get(signed["jti"], signed)
        user = next((it for it in users.values() if it.subject == claims["sub"]), None)
        strange = self.checks_audience and client not in audience_of(claims)
        if user is None or strange or signed["exp"] <= now:
            return _INACTIVE
        added = {"username": user.name, "client_id": claims["azp"], "active": True}
        if claims["typ"] == "ID":
            return claims | added  # active, too: who asks must look at `typ`
        return _live(claims, user, maker) | added | {"token_type": claims["typ"]}


def _live(claims: Claims, user: User, maker: TokenMaker) -> Claims:
    """Return the claims with the roles of today; `aud` and `scope` stay as they were."""
    held = [org for org in scopes_of(claims) if org in user.roles]
    today = maker.access_claims(user, held, claims["scope"])
    kept = {name: value for name, value in claims.items() if name != "resource_access"}
    return today | kept


def _login(authorization: str, form: Mapping[str, object]) -> tuple[str, str]:
    """RFC 6749, section 2.3.1: HTTP Basic of form-encoded parts, or both in the form."""
    if not authorization.startswith("Basic "):
        return str(form.get("client_id", "")), str(form.get("client_secret", ""))
    try:
        name, _, secret = b64decode(authorization[6:], validate=True).decode().partition(":")
    except ValueError:
        return "", ""
    return unquote_plus(name), unquote_plus(secret)
