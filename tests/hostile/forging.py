"""What the words in the corpus stand for: tokens of a running development issuer, good and bad."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import time
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from hasura_kc_auth.devtools.issuer import DevIssuer
from hasura_kc_auth.devtools.tokens import Tokens
from tests.hostile.corpus import MadeToken, filled
from tests.made_tokens import OTHER_KEY, MadeKey, b64, sign, sign_bytes

_FRESH = 60
"""Seconds; a token lasts five minutes."""

_GZIP_BOMB = gzip.compress(bytes(30_000_000), compresslevel=1)
_DEFLATE_BOMB = zlib.compress(bytes(3_000_000))

_NEXT = {"A": "B", "Q": "R", "g": "h", "w": "x"}
"""For a letter of base64url whose four last bits are zero, the one with the last of them set."""


def now() -> int:
    return int(time.time())  # noqa: TID251 - the service under test goes by the system's clock


class Forger:
    """Makes what the words stand for, and tokens signed by the issuer's own key."""

    def __init__(self, issuer: DevIssuer) -> None:
        self._issuer = issuer
        pair = issuer.keys._published[-1]  # noqa: SLF001 - to sign what it would not sign itself
        self.key = MadeKey(str(pair.kid), "RS256", pair)  # type: ignore[arg-type]
        self.claims = self.good_claims()
        self._words: Mapping[str, str | bytes] = {}
        self._made_at = 0

    def good_claims(self) -> dict[str, Any]:
        return self._issuer.keys.read(self._issuer.login("bob", "openid acme").access)

    def signed(self, payload: bytes) -> str:
        header = {"alg": "RS256", "typ": "JWT", "kid": self.key.kid}
        return sign_bytes(json.dumps(header).encode(), payload, self.key)

    def word(self, name: str) -> bytes:
        """Return what a word of the corpus stands for. Raises KeyError."""
        if name.startswith("now"):
            return str(now() + int(name.removeprefix("now"))).encode()
        if now() - self._made_at > _FRESH:  # before the tokens among them expire
            self._words, self._made_at = self._all_words(), now()
        word = self._words[name]
        return word if isinstance(word, bytes) else word.encode()

    def _all_words(self) -> dict[str, str | bytes]:
        issuer, address = self._issuer, self._issuer.issuer
        bob, alice = issuer.login("bob", "openid acme"), issuer.login("alice", "openid acme globex")
        good = json.dumps(self.good_claims())
        body = json.dumps({"headers": {"Authorization": f"Bearer {bob.access}"}})
        claims = {f"good {name}": str(it) for name, it in self.good_claims().items()}
        return {
            **_tokens(bob, alice, issuer),
            "forged": sign(self.good_claims(), {"kid": self.key.kid}, OTHER_KEY),
            "expired": self.signed(json.dumps({**self.good_claims(), "exp": now() - 99}).encode()),
            "kid": self.key.kid,
            "KID": self.key.kid.swapcase(),
            "enc kid": str(issuer.keys._published[0].kid),  # noqa: SLF001
            "other jwk": json.dumps(OTHER_KEY.jwk()),
            "issuer": address,
            "ISSUER": address.upper(),
            "port": str(issuer.port),
            "good": good,
            "payload in utf-16": good.encode("utf-16"),
            "payload in utf-32": good.encode("utf-32"),
            "header in utf-16": '{"alg":"RS256"}'.encode("utf-16"),
            "header in utf-32": '{"alg":"RS256"}'.encode("utf-32"),
            "body in utf-16": body.encode("utf-16"),
            "body in utf-32": body.encode("utf-32"),
            "chunk": f"{len(body):x}\r\n{body}\r\n",
            "token-body-length": str(
                len('{"headers":{"Authorization":"Bearer "}}') + len(bob.access)
            ),
            "gzip body": gzip.compress(body.encode()),
            "gzip bomb": _GZIP_BOMB,
            "deflate bomb": _DEFLATE_BOMB,
            **claims,
        }

    def token(self, made: MadeToken) -> str:
        """Return the token that a `.token` file describes."""
        header, payload = (b64(filled(it, self.word)) for it in (made.header, made.payload))
        signature = b64(self._signature(made.signature, f"{header}.{payload}".encode()))
        parts = {
            "header": header,
            "payload": payload,
            "signature": signature,
            "signature cut": signature[:-2],
            # 256 bytes leave four bits of the last letter unused.
            "signature with unused bits": signature[:-1] + _NEXT.get(signature[-1:], ""),
        }
        return filled(
            made.token, lambda name: parts[name].encode() if name in parts else self.word(name)
        ).decode("utf-8")

    def _signature(self, how: str, signing_input: bytes) -> bytes:
        return _SIGNATURES[how](self.key, signing_input)


def _tokens(bob: Tokens, alice: Tokens, issuer: DevIssuer) -> dict[str, str | bytes]:
    _, alice_payload, alice_signature = alice.access.split(".")
    return {
        "token": bob.access,
        "token-head": bob.access[:100],
        "token-tail": bob.access[100:],
        "alice": alice.access,
        "alice payload": alice_payload,
        "alice signature": alice_signature,
        "id token": str(bob.identity),
        "refresh token": bob.refresh,
        "no org": issuer.login("bob", "openid").access,
    }


def _hmac_by(secret: Callable[[MadeKey], bytes]) -> Callable[[MadeKey, bytes], bytes]:
    return lambda key, text: hmac.digest(secret(key), text, hashlib.sha256)


def _pem(key: MadeKey) -> bytes:
    pem: bytes = key.pair.as_pem(private=False)
    return pem


_SIGNATURES: Mapping[str, Callable[[MadeKey, bytes], bytes]] = {
    "right": MadeKey.signature,
    "by another key": lambda _, text: OTHER_KEY.signature(text),
    "empty": lambda *_: b"",
    "one byte": lambda *_: b"a",
    "256 zeros": lambda *_: bytes(256),
    "8000 zeros": lambda *_: bytes(8000),
    "HMAC by the PEM": _hmac_by(_pem),
    "HMAC by the JWK": _hmac_by(lambda key: json.dumps(key.jwk()).encode()),
    "HMAC by nothing": _hmac_by(lambda _: b""),
}
