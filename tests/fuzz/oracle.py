"""Whether a session may be: judged anew, by nothing of the package and not by its JOSE library."""

from __future__ import annotations

import json
import math
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from multidict import CIMultiDict

from hasura_kc_auth.core.session import Session
from tests.made_tokens import ISSUER, NOW

CLIENT = "frontend"
AUDIENCE = "hasura"
LEEWAY = 30.0
ROLES = ("org_admin", "editor", "viewer")
ROLE_MAP = {"admin": "org_admin"}
ORG_CLAIM = "org"
ORG_HEADER = "X-Hasura-Org-Id"
_NO_ORGS = {"account", "account-console", "admin-cli", "broker", "realm-management"} | {
    *("security-admin-console", "openid", "profile", "email", "offline_access", CLIENT)
}


def credential(headers: CIMultiDict[str]) -> str:
    """Return the one token that these headers hold."""
    (value,) = {it.strip(" \t") for it in headers.getall("Authorization")}
    scheme, token = value.split(" ", 1)
    assert scheme.lower() == "bearer"
    return token


def agrees(
    session: Session,
    headers: CIMultiDict[str],
    key: ec.EllipticCurvePublicKey,
    carrier: str = "client-scope",
) -> None:
    """Fail unless the token in these headers is signed by this key and proves this session."""
    signing_input, _, signature = credential(headers).rpartition(".")
    _is_signed(signing_input, signature, key)
    header, payload = (_decoded(it) for it in signing_input.split("."))
    _is_a_header(header)
    _is_an_access_token(payload)
    orgs = _PROVEN[carrier](payload)
    wished = _wish(headers, ORG_HEADER)
    (org,) = [wished] if wished else orgs
    held = [role for role in ROLES if role in orgs[org]]
    told = dict(session.variables)
    assert told == {
        ORG_HEADER: org,
        "X-Hasura-Role": _wish(headers, "X-Hasura-Role") or held[0],
        "X-Hasura-Allowed-Roles": "{" + ",".join(held) + "}",
        "X-Hasura-User-Id": payload["sub"],
    }
    assert told["X-Hasura-Role"] in held


def _is_signed(signing_input: str, signature: str, key: ec.EllipticCurvePublicKey) -> None:
    raw = urlsafe_b64decode(signature + "==")
    assert len(raw) == 64
    pair = (int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key.verify(encode_dss_signature(*pair), signing_input.encode("ascii"), ec.ECDSA(SHA256()))


def _decoded(segment: str) -> dict[str, Any]:
    told = json.loads(urlsafe_b64decode(segment + "==").decode("utf-8"))
    assert isinstance(told, dict)
    return told


def _is_a_header(header: dict[str, Any]) -> None:
    assert header["alg"] == "ES256"
    assert header["kid"] == "fuzz"
    assert not header.keys() & {"crit", "b64"}
    assert str(header.get("typ", "JWT")).lower() in {"jwt", "at+jwt"}


def _is_an_access_token(payload: dict[str, Any]) -> None:
    assert payload["iss"] == ISSUER
    assert payload["azp"] == CLIENT
    assert payload["typ"] == "Bearer"
    assert "cnf" not in payload
    for name in ("exp", "iat", "nbf"):
        moment = payload.get(name, NOW) if name == "nbf" else payload[name]
        assert not isinstance(moment, bool)
        assert math.isfinite(moment)
        assert moment > NOW - LEEWAY if name == "exp" else moment <= NOW + LEEWAY
    assert isinstance(payload["sub"], str)
    assert 1 <= len(payload["sub"]) <= 255
    assert payload["sub"].isprintable()
    assert AUDIENCE in _audience(payload)


def _audience(payload: dict[str, Any]) -> list[str]:
    audience = payload["aud"]
    return [audience] if isinstance(audience, str) else audience


Proven = dict[str, set[str]]
"""The orgs that a token proves, with the Hasura roles in each."""


def _by_scope(payload: dict[str, Any]) -> Proven:
    """Go by scope, roles and audience alike."""
    scopes = payload["scope"].split(" ")
    proven = {}
    for org, entry in payload["resource_access"].items():
        if org in scopes and org in _audience(payload) and org not in _NO_ORGS:
            roles = _roles(entry)
            if roles:
                proven[org] = roles
    return proven


def _by_claim(payload: dict[str, Any]) -> Proven:
    """Go by a claim, roles and audience alike."""
    org = payload[ORG_CLAIM]
    assert org in _audience(payload)
    assert org not in _NO_ORGS
    return {org: _roles(payload["resource_access"][org])}


def _by_organization(payload: dict[str, Any]) -> Proven:
    """Go by the scope and the claim `organization`, which must name the same."""
    entries = payload["organization"]
    assert isinstance(entries, dict)
    scopes = payload["scope"].split(" ")
    named = {it.split(":", 1)[1] for it in scopes if it.startswith("organization:")} - {"*"}
    assert named == set(entries) or (not named and len(entries) == 1)
    assert any(it == "organization" or it.startswith("organization:") for it in scopes)
    return {org: _roles(it["resource_access"][AUDIENCE]) for org, it in entries.items()}


def _roles(entry: Any) -> set[str]:
    roles = entry.get("roles") if isinstance(entry, dict) else None
    proper = isinstance(roles, list) and all(type(it) is str and it for it in roles)
    return {ROLE_MAP.get(it, it) for it in roles} if proper else set()


_PROVEN: Mapping[str, Callable[[dict[str, Any]], Proven]] = {
    "client-scope": _by_scope,
    "organization": _by_organization,
    "claim": _by_claim,
}


def _wish(headers: CIMultiDict[str], name: str) -> str:
    values = {it.strip(" \t") for it in headers.getall(name, [])} or {""}
    (wish,) = values
    return wish
