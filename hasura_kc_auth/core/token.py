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

# The payload may be empty here: what must be in it is said where it is read.
_COMPACT = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]*)\.([A-Za-z0-9_-]+)")

# What the last character of a segment may be, by length modulo 4, so that its unused bits are zero:
# otherwise several texts would decode to one signature (RFC 4648, section 3.5).
_LAST_CHARACTERS = {2: frozenset("AQgw"), 3: frozenset("AEIMQUYcgkosw048")}


@dataclass(frozen=True, slots=True)
class CompactJws:
    """A compact JWS taken apart. Nothing in it is to be believed yet."""

    header: Mapping[str, Json]
    payload: bytes
    signing_input: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        return str(self.header["alg"])


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """A JWT of the right form, with the claims that it asserts."""

    jws: CompactJws
    payload: Mapping[str, Json]

    @property
    def header(self) -> Mapping[str, Json]:
        return self.jws.header

    @property
    def algorithm(self) -> str:
        return self.jws.algorithm

    @property
    def key_id(self) -> str:
        return str(self.jws.header["kid"])


def parse(token: str) -> UnverifiedToken:
    """Read a JWT, strictly. Raises Denied `malformed_token`.

    That is: as `take_apart`, or the payload is no strict JSON object, or `kid` no string.
    """
    jws = take_apart(token)
    if not isinstance(jws.header.get("kid"), str):
        raise Denied(Code.MALFORMED_TOKEN, "the header's `kid` is no string")
    try:
        return UnverifiedToken(jws, decode_object(jws.payload))
    except ValueError as error:
        raise Denied(Code.MALFORMED_TOKEN, "the payload is not strict JSON") from error


def take_apart(token: str) -> CompactJws:
    """Take a compact JWS apart, strictly. Raises Denied `malformed_token`.

    That is: not three parts of unpadded base64url, the header no strict JSON object, `alg` no
    string, any `crit` or `b64` (no extension is understood here: RFC 7515, 4.1.11; RFC 7797).
    """
    parts = _COMPACT.fullmatch(token)
    if parts is None:
        raise Denied(Code.MALFORMED_TOKEN, "not three parts of base64url")
    try:
        header, payload, signature = map(_decode, parts.groups())
        jws = CompactJws(
            decode_object(header), payload, token[: parts.end(2)].encode("ascii"), signature
        )
    except ValueError as error:
        raise Denied(Code.MALFORMED_TOKEN, "a part is not base64url, or no JSON") from error
    if "crit" in jws.header or "b64" in jws.header:
        raise Denied(Code.MALFORMED_TOKEN, "the header has `crit` or `b64`")
    if not isinstance(jws.header.get("alg"), str):
        raise Denied(Code.MALFORMED_TOKEN, "the header's `alg` is no string")
    return jws


def _decode(segment: str) -> bytes:
    remainder = len(segment) % 4
    if remainder and segment[-1] not in _LAST_CHARACTERS.get(remainder, ()):
        raise ValueError("not canonical base64url")
    return urlsafe_b64decode(segment + "==")


def verify_signature(
    token: UnverifiedToken, key: VerificationKey, issuer: str | None = None
) -> VerifiedClaims:
    """Turn a token into claims to be judged. `issuer` only labels the denial.

    Raises Denied `bad_signature`.
    """
    if not is_signed_by(token.jws, key):
        raise Denied(Code.BAD_SIGNATURE, issuer=issuer)
    return VerifiedClaims(token.payload)


def is_signed_by(jws: CompactJws, key: VerificationKey) -> bool:
    """Whether the signature is right under this key; a key's own `alg` binds (RFC 8725, 3.1)."""
    verifies = key.verifiers.get(jws.algorithm)
    return verifies is not None and verifies(jws.signing_input, jws.signature)
