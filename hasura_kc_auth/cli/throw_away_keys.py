"""Keys that live as long as one command, so that claims without a signature can be judged.

What signs with them is told the verdict of the whole pipeline; no service ever knows these keys.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from warnings import catch_warnings, simplefilter

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, KeyParameters, OKPKey, RSAKey

from hasura_kc_auth.config.issuers import IssuerSettings
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.core.keys import VerificationKey, import_key_set
from hasura_kc_auth.core.strict_json import Json

_KEY_ID = "throw-away"


class ThrowAwayKeys:
    """One key for each issuer of the settings: signs claims, and is the port that finds keys."""

    def __init__(self, settings: Settings) -> None:
        self._issuers = {issuer.issuer: issuer for issuer in settings.issuers}
        self._keys = {it.issuer: _generate(it.algorithms[0]) for it in settings.issuers}

    def find(self, issuer: str, kid: str) -> VerificationKey:
        """Return the key of one issuer, as `ports.FindsKeys` has it."""
        algorithms = self._issuers[issuer].algorithms
        keys = {"keys": [self._keys[issuer].as_dict(private=False)]}
        return import_key_set(keys, algorithms)[kid]

    def sign(self, claims: Mapping[str, Json], issuer: IssuerSettings) -> str:
        """Return a token of these claims, as that issuer would sign it."""
        algorithm = issuer.algorithms[0]
        header = {"alg": algorithm, "typ": "JWT", "kid": _KEY_ID}
        key = self._keys[issuer.issuer]
        with catch_warnings():
            simplefilter("ignore", SecurityWarning)  # Keycloak's name for EdDSA is an old one
            return jws.serialize_compact(header, json.dumps(claims), key, algorithms=[algorithm])


def _generate(algorithm: str) -> Key:
    parameters: KeyParameters = {"kid": _KEY_ID, "use": "sig", "alg": algorithm}
    curves = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
    if algorithm in curves:
        return ECKey.generate_key(curves[algorithm], parameters)
    if algorithm == "EdDSA":
        return OKPKey.generate_key("Ed25519", parameters)
    return RSAKey.generate_key(2048, parameters)
