"""A compact JWS on its way from text to verified claims (RFC 7515, RFC 7519, RFC 8725)."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple, NewType

from hasura_kc_auth.core.errors import Code, Denied
from hasura_kc_auth.core.keys import VerificationKey
from hasura_kc_auth.core.strict_json import Json, decode_object

VerifiedClaims = NewType("VerifiedClaims", Mapping[str, Json])
"""Claims under a valid signature. Only `verify_signature` makes one; whatever grants something
asks for this type. It says who signed, not that the claims fit: that is what the rules are for."""

# To what `a2b_base64` reads; the other alphabet's own characters, and its padding, to what it
# refuses.
_TO_BASE64 = bytes.maketrans(b"-_+/=", b"+/\0\0\0")
_PADDING = {0: b"", 2: b"==", 3: b"="}  # by length modulo 4; no text has a remainder of one

# What the last character of a segment may be, by length modulo 4, so that its unused bits are zero:
# otherwise several texts would decode to one signature (RFC 4648, section 3.5).
_LAST_CHARACTERS = {2: frozenset(b"AQgw"), 3: frozenset(b"AEIMQUYcgkosw048")}

# Every token under one key has the same header, byte for byte. A longer one is no Keycloak's.
_REMEMBERED_HEADERS = 64
_USUAL_HEADER = 512


class CompactJws(NamedTuple):
    """A compact JWS taken apart. Nothing in it is to be believed yet."""

    header: Mapping[str, Json]
    algorithm: str
    payload: bytes
    signing_input: bytes
    signature: bytes


class UnverifiedToken(NamedTuple):
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
        name: str = self.jws.header["kid"]
        return name


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
    signing_input, _, signature = token.encode("ascii", "replace").rpartition(b".")
    header, dot, payload = signing_input.partition(b".")
    if not (header and dot and signature):  # an empty payload is refused by whoever reads it
        raise Denied(Code.MALFORMED_TOKEN, "not three parts of base64url")
    read = _remembered_header if len(header) <= _USUAL_HEADER else _read_header
    try:
        known = read(header)
        return CompactJws(known, known["alg"], _decode(payload), signing_input, _decode(signature))
    except ValueError as error:
        raise Denied(Code.MALFORMED_TOKEN, "a part is not base64url, or no JSON") from error


def _read_header(segment: bytes) -> Mapping[str, Json]:
    """Read a header, strictly. Raises Denied, or ValueError: no base64url, no strict JSON."""
    header = decode_object(_decode(segment))
    if "crit" in header or "b64" in header:
        raise Denied(Code.MALFORMED_TOKEN, "the header has `crit` or `b64`")
    if not isinstance(header.get("alg"), str):
        raise Denied(Code.MALFORMED_TOKEN, "the header's `alg` is no string")
    return MappingProxyType(header)


# What the bytes say, and no decision: a flood of made-up headers only makes it useless for a while.
_remembered_header = lru_cache(_REMEMBERED_HEADERS)(_read_header)


def _decode(segment: bytes) -> bytes:
    remainder = len(segment) % 4
    if remainder and segment[-1] not in _LAST_CHARACTERS.get(remainder, ()):
        raise ValueError("not canonical base64url")
    return a2b_base64(segment.translate(_TO_BASE64) + _PADDING[remainder], strict_mode=True)


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
