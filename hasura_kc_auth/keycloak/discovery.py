"""OpenID Connect Discovery: from an issuer to the address of its keys."""

from __future__ import annotations

from collections.abc import Mapping

from yarl import URL

from hasura_kc_auth.core.strict_json import Json


class DiscoveryMismatch(Exception):
    """The discovery document does not belong to this issuer. The text is a constant sentence."""


def discovery_url(issuer: str) -> str:
    """OpenID Connect Discovery 1.0, section 4."""
    return f"{issuer.removesuffix('/')}/.well-known/openid-configuration"


def read_jwks_uri(document: Mapping[str, Json], issuer: str) -> str:
    """Return the `jwks_uri` of a discovery document.

    Raises DiscoveryMismatch: the document names another issuer (a Keycloak without a fixed hostname
    echoes the Host header of whoever asks), or its keys lie at another origin than the issuer,
    which only the configuration may say.
    """
    if document.get("issuer") != issuer:
        raise DiscoveryMismatch("the discovery document names another issuer")
    jwks_uri = document.get("jwks_uri")
    if not isinstance(jwks_uri, str) or not _same_origin(jwks_uri, issuer):
        raise DiscoveryMismatch("discovery has no jwks_uri at the issuer's origin")
    return jwks_uri


def _origin(url: URL) -> tuple[str, str | None, int | None]:
    """RFC 6454, section 4; a default port is the same port unwritten."""
    return url.scheme, url.host, url.port


def _same_origin(address: str, issuer: str) -> bool:
    try:
        return _origin(URL(address)) == _origin(URL(issuer))
    except ValueError:
        return False
