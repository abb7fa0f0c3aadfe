"""Discovery: whose document this is, and where its keys may lie."""

from __future__ import annotations

import pytest

from hasura_kc_auth.keycloak.discovery import DiscoveryMismatch, discovery_url, read_jwks_uri
from tests.made_tokens import ABSENT

ISSUER = "https://sso.example.com/realms/acme"
CERTS = f"{ISSUER}/protocol/openid-connect/certs"


def _document(**changes):
    document = {"issuer": ISSUER, "jwks_uri": CERTS, "token_endpoint": f"{ISSUER}/token"} | changes
    return {name: value for name, value in document.items() if value is not ABSENT}


@pytest.mark.parametrize("issuer", [ISSUER, f"{ISSUER}/"], ids=["plain", "with a slash in the end"])
def test_the_document_lies_below_the_issuer(issuer):
    assert discovery_url(issuer) == f"{ISSUER}/.well-known/openid-configuration"


@pytest.mark.parametrize(
    "jwks_uri",
    [CERTS, "https://sso.example.com:443/keys", "https://SSO.example.com/keys"],
    ids=["below the issuer", "default port written out", "host in capitals"],
)
def test_keys_at_the_issuers_origin_are_taken(jwks_uri):
    assert read_jwks_uri(_document(jwks_uri=jwks_uri), ISSUER) == jwks_uri


@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param("https://sso.example.com/realms/other", id="another realm"),
        pytest.param(f"{ISSUER}/", id="a slash more"),
        pytest.param("https://sso.example.com:443/realms/acme", id="the port written out"),
        pytest.param("http://sso.example.com/realms/acme", id="another scheme"),
        pytest.param("https://SSO.example.com/realms/acme", id="another case"),
        pytest.param("https://evil.example.com/realms/acme", id="the Host header of a liar"),
        pytest.param([ISSUER], id="a list"),
        pytest.param(None, id="null"),
        pytest.param(ABSENT, id="absent"),
    ],
)
def test_a_document_of_another_issuer_is_refused(issuer):
    with pytest.raises(DiscoveryMismatch, match=r"^the discovery document names another issuer$"):
        read_jwks_uri(_document(issuer=issuer), ISSUER)


@pytest.mark.parametrize(
    "jwks_uri",
    [
        pytest.param("https://evil.example.com/certs", id="another host"),
        pytest.param("https://sso.example.com:8443/certs", id="another port"),
        pytest.param("http://sso.example.com/certs", id="another scheme"),
        pytest.param("https://sso.example.com.evil.example/certs", id="a longer host"),
        pytest.param("https://sso.example.com@evil.example/certs", id="the host as a user"),
        pytest.param("//sso.example.com/certs", id="no scheme"),
        pytest.param("/certs", id="a path alone"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("https://sso.example.com:99999/certs", id="an impossible port"),
        pytest.param("https://[::1/certs", id="no address at all"),
        pytest.param("", id="empty"),
        pytest.param([CERTS], id="a list"),
        pytest.param(None, id="null"),
        pytest.param(ABSENT, id="absent"),
    ],
)
def test_keys_elsewhere_are_refused(jwks_uri):
    with pytest.raises(DiscoveryMismatch, match=r"^discovery has no jwks_uri at the issuer's"):
        read_jwks_uri(_document(jwks_uri=jwks_uri), ISSUER)
