"""A compact JWS on its way from text to verified claims (RFC 7515, RFC 7519, RFC 8725)."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NewType

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.keys import VerificationKey
from hasura_kc_auth.core.strict_json import Json, decode_object

VerifiedClaims = NewType("VerifiedClaims", Mapping[str, Json])
"""Claims under a valid signature. Only `verify_signature` makes one; whatever grants something
asks for this type. It says who signed, not that the claims fit: that is what the rules are for."""

_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")

# What the last character of a segment may be, by length modulo 4, so that its unused bits are zero:
# otherwise several texts would decode to one signature (RFC 4648, section 3.5).
_LAST_CHARACTERS = {2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A token of the right form. Nothing in it is to be believed yet."""

    header: Mapping[str, Json]
    payload: Mapping[str, Json]
    signing_input: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        return str(self.header["alg"])

    @property
    def key_id(self) -> str:
        return str(self.header["kid"])


def parse(token: str) -> UnverifiedToken:
    """Take a compact JWS apart, strictly.

    Raises Denied `malformed_token`: not three parts of unpadded base64url, header or payload no
    strict JSON object, `alg` or `kid` no string, any `crit` or `b64` (no extension is understood
    here: RFC 7515, section 4.1.11; RFC 7797).
    """
    parts = _COMPACT.fullmatch(token)
    if parts is None:
        raise Denied(Code.MALFORMED_TOKEN, "not three parts of base64url")
    segments = parts.groups()
    try:
        header, payload = (decode_object(_decode(part)) for part in segments[:2])
        signature = _decode(segments[2])
    except ValueError as error:
        raise Denied(Code.MALFORMED_TOKEN, "a part is not base64url of strict JSON") from error
    _check_header(header)
    return UnverifiedToken(header, payload, token[: parts.end(2)].encode("ascii"), signature)


def _decode(segment: str) -> bytes:
    remainder = len(segment) % 4
    if remainder and segment[-1] not in _LAST_CHARACTERS.get(remainder, ()):
        raise ValueError("not canonical base64url")
    return urlsafe_b64decode(segment + "==")


def _check_header(header: Mapping[str, Json]) -> None:
    if "crit" in header or "b64" in header:
        raise Denied(Code.MALFORMED_TOKEN, "the header has `crit` or `b64`")
    if not isinstance(header.get("alg"), str):
        raise Denied(Code.MALFORMED_TOKEN, "the header's `alg` is no string")
    if not isinstance(header.get("kid"), str):
        raise Denied(Code.MALFORMED_TOKEN, "the header's `kid` is no string")


def verify_signature(
    token: UnverifiedToken, key: VerificationKey, issuer: str | None = None
) -> VerifiedClaims:
    """Turn a token into claims to be judged. `issuer` only labels the denial.

    Raises Denied `bad_signature`, also where the key is not meant for the token's algorithm: a
    key's `alg` binds (RFC 8725, section 3.1).
    """
    verifies = key.verifiers.get(token.algorithm)
    if verifies is None or not verifies(token.signing_input, token.signature):
        raise Denied(Code.BAD_SIGNATURE, issuer=issuer)
    return VerifiedClaims(token.payload)
