"""What the tests of lightweight tokens share: a service that asks the development issuer."""

from __future__ import annotations

from typing import Any

from hasura_kc_auth.devtools.introspection import CLIENT_SECRET, CONFIDENTIAL_CLIENT
from hasura_kc_auth.devtools.issuer import DevIssuer
from hasura_kc_auth.devtools.tokens import AUDIENCE, FRONTEND

TTL = 30.0


def introspecting(issuer: DevIssuer, **changes: Any) -> dict[str, Any]:
    """Return the setting `issuers` of a team with lightweight tokens; `changes`: how it asks."""
    how = {"client_id": CONFIDENTIAL_CLIENT, "client_secret": CLIENT_SECRET, **changes}
    return {
        "issuers": [
            {
                "issuer": issuer.issuer,
                "clients": [FRONTEND],
                "audiences": [AUDIENCE],
                "introspection": how,
            }
        ]
    }


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def lightweight(issuer: DevIssuer, user: str = "bob", scope: str = "openid acme") -> dict[str, str]:
    """Return the headers of somebody with a lightweight token."""
    return bearer(issuer.login(user, scope, lightweight=True).access)
