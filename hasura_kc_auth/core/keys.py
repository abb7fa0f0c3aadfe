"""Which published keys may verify which signatures (RFC 7517, RFC 7518)."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from hasura_kc_auth.core.strict_json import Json

# The one list of what can be configured. Never `none`, never HS*: a shared secret is no public key.
SUPPORTED_ALGORITHMS = (
    *("RS256", "RS384", "RS512"),
    *("PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512"),
    "EdDSA",
)


class _Algorithm(Protocol):
    def check_key(self, key: Key) -> None: ...
    def verify(self, msg: bytes, sig: bytes, key: Key) -> bool: ...


_MODELS: Mapping[str, _Algorithm] = {
    name: JWSRegistry.algorithms[name] for name in SUPPORTED_ALGORITHMS
}
_KEY_TYPES: Mapping[str, type[RSAKey | ECKey | OKPKey]] = {
    "RSA": RSAKey,
    "EC": ECKey,
    "OKP": OKPKey,
}
_SIGNING_CURVES = frozenset({"Ed25519", "Ed448", "P-256", "P-384", "P-521"})
# Only the public members: a certificate beside the key proves nothing here and is not read.
_PUBLIC_MEMBERS = frozenset({"kty", "alg", "n", "e", "crv", "x", "y"})
_MIN_RSA_BITS = 2048

Verifies = Callable[[bytes, bytes], bool]
"""(signing input, signature) -> whether the signature is right."""


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """One public key, and a verifier for each algorithm it may be used with."""

    kid: str
    verifiers: Mapping[str, Verifies]


KeySet = Mapping[str, VerificationKey]
"""The usable keys of one issuer by their `kid`."""


class UnusableKeySet(Exception):
    """Nothing in the document may replace the keys in use. The text is a constant sentence."""


def import_key_set(document: Mapping[str, Json], algorithms: Collection[str]) -> KeySet:
    """Take the keys that can verify one of `algorithms` out of a JWK set, one by one.

    A bad or foreign key (encryption keys, weak RSA, unknown curves) is left out and does no harm to
    the others. Raises UnusableKeySet: no `keys` list, no usable key, two usable keys with one kid.
    """
    members = document.get("keys")
    if not isinstance(members, list):
        raise UnusableKeySet("the document has no list `keys`")
    keys: dict[str, VerificationKey] = {}
    for member in members:
        key = _import_key(member, algorithms)
        if key is None:
            continue
        if key.kid in keys:
            raise UnusableKeySet("two keys have the same `kid`")
        keys[key.kid] = key
    if not keys:
        raise UnusableKeySet("no key in it can verify the configured algorithms")
    return keys


def _import_key(member: Json, algorithms: Collection[str]) -> VerificationKey | None:
    if not isinstance(member, dict) or not _is_for_verifying(member):
        return None
    try:
        kind = _KEY_TYPES[member["kty"]]
        key = kind.import_key({name: member[name] for name in _PUBLIC_MEMBERS & member.keys()})
    except Exception:  # noqa: BLE001 - the library raises whatever the bad key makes it stumble on
        return None
    verifiers = {
        name: partial(_verifies, _MODELS[name], key)
        for name in algorithms
        if _fits(_MODELS[name], key)
    }
    return VerificationKey(member["kid"], verifiers) if verifiers else None


def _is_for_verifying(member: Mapping[str, Json]) -> bool:
    operations = member.get("key_ops", ["verify"])
    return (
        isinstance(member.get("kid"), str)
        and member.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
        and (_is_strong_rsa(member) if member.get("kty") == "RSA" else _has_signing_curve(member))
    )


def _has_signing_curve(member: Mapping[str, Json]) -> bool:
    curve = member.get("crv")
    return isinstance(curve, str) and curve in _SIGNING_CURVES


def _is_strong_rsa(member: Mapping[str, Json]) -> bool:
    """Asked before the import, which would only warn of a short modulus."""
    modulus = member.get("n")
    try:
        number = int.from_bytes(urlsafe_b64decode(f"{modulus}=="))
    except ValueError:
        return False
    return number.bit_length() >= _MIN_RSA_BITS


def _fits(model: _Algorithm, key: Key) -> bool:
    try:
        model.check_key(key)  # key type, curve, and the key's own `alg`
    except JoseError:
        return False
    return True


def _verifies(model: _Algorithm, key: Key, signing_input: bytes, signature: bytes) -> bool:
    try:
        return model.verify(signing_input, signature, key)
    except Exception:  # noqa: BLE001 - what cannot be verified is not verified, whatever the reason
        return False
