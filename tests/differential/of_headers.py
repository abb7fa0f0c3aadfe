"""Mutations of the header's parameters, signed by the key that they ask for wherever one can."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.differential.kinds import Kinds, Material
from tests.differential.originals import compact
from tests.made_tokens import ABSENT, MadeKey, b64

_NO_STRINGS = (None, True, 0, 1.5, [], ["RS256"], {}, {"alg": "RS256"})
_TRUE, _FALSE = (True,), (False,)
_URL = "https://attacker.example/keys"


def _one_of(name: str, *values: Any) -> Callable[[Material], str]:
    """Give the parameter one of these values and sign that."""
    return lambda it: it.draft.with_header(**{name: it.random.choice(values)}).signed()


# --- alg


def _unsecured(it: Material) -> str:
    header = {**it.draft.header, "alg": it.pick("none", "None", "NONE", "nOnE", "", "null")}
    signature = it.pick("", it.parts[2])
    return f"{b64(compact(header))}.{it.parts[1]}.{signature}"


def _by_the_public_key_as_a_secret(it: Material) -> str:
    size = it.pick(256, 384, 512)
    header = {**it.draft.header, "alg": f"HS{size}"}
    signing_input = f"{b64(compact(header))}.{it.parts[1]}"
    secret = _lying_about(it.pick(it.stranger, *it.world.realms[0].keys), it)
    mac = hmac.new(secret, signing_input.encode(), getattr(hashlib, f"sha{size}"))
    return f"{signing_input}.{b64(mac.digest())}"


def _lying_about(key: MadeKey, it: Material) -> bytes:
    """Return a form in which a public key lies about as bytes, or the empty secret."""
    public: Any = key.pair.public_key
    form = PublicFormat.SubjectPublicKeyInfo
    pem, der = (public.public_bytes(encoding, form) for encoding in (Encoding.PEM, Encoding.DER))
    return it.pick(pem, pem.strip(), der, compact(key.jwk()), b"")


def _by_another_algorithm_of_the_key(it: Material) -> str:
    rsa = ("RS384", "RS512", "PS256", "PS384", "PS512")
    if it.draft.key.algorithm != "RS256":
        return it.draft.with_header(alg=it.pick("ES384", "ES512", "ES256K", *rsa)).signed()
    algorithm = it.random.choice(rsa)
    header, payload = compact({**it.draft.header, "alg": algorithm}), it.parts[1]
    signing_input = f"{b64(header)}.{payload}"
    return f"{signing_input}.{b64(it.draft.key.signature(signing_input.encode(), algorithm))}"


def _under_another_published_key(it: Material) -> str:
    """Let the header name one key of the realms, and another one sign."""
    other = it.random.choice([key for realm in it.world.realms for key in realm.keys])
    named = it.draft.with_header(
        kid=other.kid, alg=it.pick(other.algorithm, it.draft.header["alg"])
    )
    return named.signed(it.random.choice([other, it.draft.key, it.stranger]))


# --- keys that come along


def _brings_its_key(it: Material) -> str:
    stranger = it.stranger
    certificate = b64(compact(stranger.jwk()))
    brought = it.pick(
        {"jwk": stranger.jwk()},
        {"jwk": it.draft.key.jwk()} if it.draft.key.algorithm in it.world.stranger else {},
        {"jwk": stranger.jwk(kid=it.draft.header["kid"])},
        {"jku": _URL},
        {"x5u": _URL},
        {"x5c": [certificate]},
        {"x5t": "abc", "x5t#S256": "abc"},
        {"jwk": {"kty": "oct", "k": "AA"}},
        {"jwk": "not a key"},
    )
    kid = it.pick(it.draft.header["kid"], stranger.kid, ABSENT)
    by = it.pick(stranger, it.draft.key)
    return it.draft.with_header(**brought, kid=kid, alg=by.algorithm).signed(by)


# --- extensions


def _critical(it: Material) -> str:
    critical = it.pick(
        {"crit": []},
        {"crit": ["alg"]},
        {"crit": ["exp"], "exp": 1},
        {"crit": ["http://example.com/x"], "http://example.com/x": True},
        {"crit": ["b64"]},
        {"crit": ["b64", "x"], "b64": True},
        {"crit": "b64", "b64": True},
        {"crit": None},
        {"crit": [1]},
        {"crit": {}},
    )
    return it.draft.with_header(**critical).signed()


def _encoded(it: Material) -> str:
    return it.draft.with_header(b64=True, crit=it.pick(["b64"], ["b64", "b64"])).signed()


def _unencoded(it: Material) -> str:
    header = compact({**it.draft.header, "b64": False, "crit": ["b64"]})
    payload = it.pick(it.parts[1], compact(it.draft.claims).decode().replace(".", ","))
    return it.draft.signed_text(b64(header), payload)


def _harmless(it: Material) -> str:
    return it.draft.with_header(
        **it.pick(
            {"cty": "JWT"},
            {"zip": "DEF"},
            {"enc": "A128GCM"},
            {"p2c": 10**9},
            {"x-own": "value"},
            {"iss": it.draft.claims["iss"]},
            {"epk": {}},
            {"nonce": [1, {"a": None}]},
            {"ü": "ö"},
            {"url": _URL},
        )
    ).signed()


KINDS: Kinds = {
    "alg none": _unsecured,
    "alg HS*, the public key as secret": _by_the_public_key_as_a_secret,
    "alg another one of the key's": _by_another_algorithm_of_the_key,
    "alg no string": _one_of("alg", *_NO_STRINGS),
    "alg absent": _one_of("alg", ABSENT),
    "alg misspelt": _one_of(
        "alg", "rs256", "RS256 ", "Rs256", "es256", "RSA256", "\u0000", "RS256\n"
    ),
    "kid of another key": _under_another_published_key,
    "kid absent": _one_of("kid", ABSENT),
    "kid no string": _one_of("kid", *_NO_STRINGS),
    "kid unknown": _one_of("kid", "", "enc", "KEY-RS256", "../../etc/passwd", "k" * 5000, "ключ"),
    "typ absent": _one_of("typ", ABSENT),
    "typ no string": _one_of("typ", *_NO_STRINGS),
    "typ of an access token": _one_of("typ", "jwt", "Jwt", "at+jwt", "AT+JWT", "at+JWT"),
    "typ in full": _one_of("typ", "application/at+jwt", "application/jwt", "APPLICATION/JWT"),
    "typ of something else": _one_of(
        "typ", "logout+jwt", "dpop+jwt", "JOSE", "JWE", "", "JWT ", "JWT\u0000", "text/jwt", "ᴊwt"
    ),
    "a key comes along": _brings_its_key,
    "crit": _critical,
    "b64 true, with crit": _encoded,
    "b64 true, without crit": _one_of("b64", *_TRUE),
    "b64 false, without crit": _one_of("b64", *_FALSE),
    "b64 no boolean": _one_of("b64", None, 0, "false", []),
    "b64 false, with crit": _unencoded,
    "a parameter that nobody knows": _harmless,
}
