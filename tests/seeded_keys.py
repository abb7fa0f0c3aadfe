"""Key pairs made from a seed, so that what fails today fails tomorrow, to the byte."""

from __future__ import annotations

from math import gcd, prod
from random import Random

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from joserfc.jwk import ECKey, RSAKey
from typing_extensions import override

from tests.made_tokens import MadeKey

_EXPONENT = 65537
# Of NIST P-256, a little below its order: every number up to here is a private key.
_P256_MAX = 2**256 - 2**225
_COORDINATE_BYTES = 32
_WITNESSES = 20
_SMALL_PRIMES = [n for n in range(3, 2000, 2) if all(n % it for it in range(3, n, 2))]
_PRIMORIAL = prod(_SMALL_PRIMES)


class SeededKey(MadeKey):
    """A key pair whose signatures are the same ones every time (RFC 6979 for ES256)."""

    @override
    def signature(self, signing_input: bytes, algorithm: str | None = None) -> bytes:
        if (algorithm or self.algorithm) != "ES256":
            return super().signature(signing_input, algorithm)
        ecdsa = ec.ECDSA(SHA256(), deterministic_signing=True)
        numbers = decode_dss_signature(self.pair.private_key.sign(signing_input, ecdsa))
        return b"".join(it.to_bytes(_COORDINATE_BYTES) for it in numbers)

    def private_pem(self) -> str:
        private = self.pair.private_key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        )
        return private.decode("ascii")


def seeded_key(random: Random, algorithm: str, kid: str) -> SeededKey:
    """Return the next key for RS256 or ES256."""
    pair = _elliptic(random) if algorithm == "ES256" else _rsa(random)
    return SeededKey(kid, algorithm, pair)


def _elliptic(random: Random) -> ECKey:
    private = ec.derive_private_key(random.randrange(1, _P256_MAX), ec.SECP256R1())
    return ECKey(private, private)


def _rsa(random: Random) -> RSAKey:
    p, q = _prime(random, 1024), _prime(random, 1024)
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(_EXPONENT, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    private = numbers.private_key()
    return RSAKey(private, private)


def _prime(random: Random, bits: int) -> int:
    while True:
        # The two highest bits set: the product of two has all its bits. The lowest: odd.
        number = random.getrandbits(bits) | (3 << (bits - 2)) | 1
        coprime = gcd(number, _PRIMORIAL) == 1 == gcd(number - 1, _EXPONENT)
        if coprime and _is_prime(number, random):
            return number


def _is_prime(number: int, random: Random) -> bool:
    """Ask Miller and Rabin."""
    odd = number - 1
    twos = (odd & -odd).bit_length() - 1
    odd >>= twos
    return all(
        _passes(pow(random.randrange(2, number - 1), odd, number), twos, number)
        for _ in range(_WITNESSES)
    )


def _passes(power: int, twos: int, number: int) -> bool:
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False
