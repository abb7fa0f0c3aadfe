"""Lightweight access tokens: signed, but their claims are only told by Keycloak on request.

The second maker of VerifiedClaims: an introspection answer (RFC 7662), for a token whose own
signature, issuer, client and times have passed, and only where the answer is about that very token.
"""

from __future__ import annotations

from collections.abc import Mapping

from hasura_kc_auth.core.claims import scopes_of
from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.strict_json import Json
from hasura_kc_auth.core.token import VerifiedClaims

# What an answer must have in common with the token that was asked about.
_SAME = ("iss", "azp", "exp", "iat", "jti")
_SAME_IF_SIGNED = frozenset({"sub", "sid"})
_NOT_ACTIVE = (
    "Keycloak says that it is not active, as it does to a client of `introspection` that is not in "
    "the token's aud"
)
# Said of every token when introspected, so it tells nothing: in a token of its own, `client_id`
# marks a machine.
_ADDED_BY_INTROSPECTION = frozenset({"active", "client_id", "token_type", "username"})
# The token's own word counts. An answer's `acr` may be that of a later login of the same session.
_OWN = _ADDED_BY_INTROSPECTION | {"acr"}


def is_lightweight(claims: VerifiedClaims) -> bool:
    """Whether Keycloak left most claims out: the user's, or of a machine all but its `sub`.

    Keycloak writes the kind of token into `jti`: on, of or tr for the session, then rt for regular
    or lt for lightweight.
    """
    jti = claims.get("jti")
    return "sub" not in claims or (isinstance(jti, str) and jti[2:4] == "lt")


def introspected(claims: VerifiedClaims, answer: Mapping[str, Json], issuer: str) -> VerifiedClaims:
    """Return the claims that Keycloak tells of a verified token. Raises Denied `inactive_token`.

    Keycloak calls ID tokens active as well: the rule on `typ` judges what is returned here, as all
    rules do.
    """
    if answer.get("active") is not True:
        raise Denied(Code.INACTIVE_TOKEN, _NOT_ACTIVE, issuer=issuer)
    if not _is_about(answer, claims):
        raise Denied(Code.INACTIVE_TOKEN, "the answer is about another token", issuer=issuer)
    told = {name: value for name, value in answer.items() if name not in _ADDED_BY_INTROSPECTION}
    own = {name: claims[name] for name in _OWN & claims.keys()}
    return VerifiedClaims({**told, **own})


def _is_about(answer: Mapping[str, Json], claims: VerifiedClaims) -> bool:
    """Whether the answer has the token's own `jti`, and contradicts nothing that is signed."""
    return (
        isinstance(claims.get("jti"), str)
        and all(answer.get(name) == claims.get(name) for name in _SAME)
        and all(answer.get(name) == claims[name] for name in _SAME_IF_SIGNED & claims.keys())
        # A scope may have been taken away meanwhile; none can have come.
        and ("scope" not in claims or scopes_of(answer) <= scopes_of(claims))
    )
