"""A stand-in for the JWT mode of Hasura v2: what it makes of a token, in place of Hasura itself.

The engine cannot run in this suite, so its rules were read and written down here, each with its
source. The sources are files of github.com/hasura/graphql-engine as of 2.38 and later:

- JWT.hs: `server/src-lib/Hasura/Server/Auth/JWT.hs`
- Auth.hs: `server/src-lib/Hasura/Server/Auth.hs`
- Session.hs: `server/src-lib/Hasura/Session.hs`
- jwt.mdx: `docs/docs/auth/authentication/jwt.mdx`, the manual

and `src/Crypto/JWT.hs` of github.com/frasertweedale/hs-jose, the library that verifies: "jose".

Left out, as no test needs it: a fixed `key`, Ed25519, tokens in cookies and other headers, the role
of requests without a token, lists of secrets (Cloud and Enterprise editions), and the newest
`extra_required_claims`, which refuses a token without `aud`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import import_key

ALLOWED_ROLES = "x-hasura-allowed-roles"
DEFAULT_ROLE = "x-hasura-default-role"
NAMESPACE = "https://hasura.io/jwt/claims"

# jose, defaultJWTValidationSettings: none but `none` is refused, and a public key fits no HS*.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
# jose: parsed into fields of their own; JWT.hs looks for a namespace among the other claims only.
REGISTERED = {"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

_STEP = re.compile(r"\.?(?:([A-Za-z_$][\w$-]*)|\[(\d+)\]|\['([^']+)'\]|\[\"([^\"]+)\"\])")


class Refused(Exception):
    """Hasura answers an error; the message is that of JWT.hs."""


class JwtMode:
    """Hasura with `HASURA_GRAPHQL_JWT_SECRET` set to `config`, and `keys` at its `jwk_url`."""

    def __init__(self, config: Mapping[str, Any], keys: Iterable[Mapping[str, Any]]) -> None:
        self.config = config
        self.keys = list(keys)

    def session(self, token: str, now: float, role: str | None = None) -> dict[str, str]:
        """Return the session variables; `role` is the request's X-Hasura-Role. Raises Refused.

        JWT.hs, processJwt_: the role asked for, or else the default one, must be an allowed one,
        and whatever else is there must be a string; nothing looks at `typ`, `azp`, `scope`, `acr`
        or `cnf`.
        """
        claims = verified(token, self.keys)
        validate(claims, self.config, now)
        variables = self._variables(claims)
        allowed = _list_of_roles(_role_claim(variables, ALLOWED_ROLES))
        default = _role(_role_claim(variables, DEFAULT_ROLE))
        # An empty wish is no wish (Session.hs, mkRoleName); a role's name is not looked at further.
        chosen = role or default
        if chosen not in allowed:
            raise Refused("Your requested role is not in allowed roles")
        others = {name: it for name, it in variables.items() if name not in _ROLE_CLAIMS}
        if not all(isinstance(it, str) for it in others.values()):
            raise Refused("x-hasura-* claims: parsing Text failed")
        return {**others, "x-hasura-role": chosen}

    def _variables(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        """JWT.hs, FromJSON JWTConfig: with a `claims_map`, the namespace counts for nothing."""
        if "claims_map" in self.config:
            return mapped(claims, self.config["claims_map"])
        return namespaced(claims, self.config)


_ROLE_CLAIMS = (ALLOWED_ROLES, DEFAULT_ROLE)


def verified(token: str, keys: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """jose, verifyJWT: the claims, if any of the keys verifies; JWT.hs asks nothing of `kid`."""
    for key in keys:
        try:
            found = jws.deserialize_compact(token, import_key(dict(key)), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            continue
        claims: dict[str, Any] = json.loads(found.payload)
        return claims
    raise Refused("Could not verify JWT: JWSError JWSInvalidSignature")


def validate(claims: Mapping[str, Any], config: Mapping[str, Any], now: float) -> None:
    """jose, validateClaimsSet, as verifyJwt of JWT.hs sets it up: what is absent is not checked.

    `now` in seconds since the epoch. `allowed_skew` is 0 unless set. Of several audiences of the
    token one is enough.
    """
    skew = config.get("allowed_skew", 0)
    audiences = _listed(config.get("audience", []))
    if "exp" in claims and now >= claims["exp"] + skew:
        raise Refused("Could not verify JWT: JWTExpired")
    if "iat" in claims and claims["iat"] > now + skew:
        raise Refused("Could not verify JWT: JWTIssuedAtFuture")
    if "iss" in claims and claims["iss"] != config.get("issuer", claims["iss"]):
        raise Refused("Could not verify JWT: JWTNotInIssuer")
    if audiences and "aud" in claims and not set(audiences) & set(_listed(claims["aud"])):
        raise Refused("Could not verify JWT: JWTNotInAudience")


def namespaced(claims: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """JWT.hs, parseClaimsMap, JCNamespace: the `x-hasura-` members of one object."""
    others = {name: it for name, it in claims.items() if name not in REGISTERED}
    path = config.get("claims_namespace_path")
    name = config.get("claims_namespace", NAMESPACE)
    found = others.get(name) if path is None else at(path, others)
    if found is None and path is None:
        raise Refused(f"claims key: '{name}' not found")
    if found is None:
        raise Refused(f"claims not found at claims_namespace_path: '{path}'")
    if config.get("claims_format", "json") == "stringified_json":
        found = _from_text(found)
    if not isinstance(found, dict):
        raise Refused("expecting a json object when claims_format is json")
    # Session.hs, isSessionVariable and mkSessionVariable: in any case, and lower-case from here on.
    return {key.lower(): it for key, it in found.items() if key.lower().startswith("x-hasura-")}


def _from_text(found: Any) -> Any:
    if not isinstance(found, str):
        raise Refused("expecting a string when claims_format is stringified_json")
    try:
        return json.loads(found)
    except ValueError:
        raise Refused(f"expecting stringified json, but found: {found}") from None


def mapped(claims: Mapping[str, Any], claims_map: Mapping[str, Any]) -> dict[str, Any]:
    """JWT.hs, parseClaimsMap, JCMap: each variable, roles first, is a literal or at a path."""
    sources = {name.lower(): source for name, source in claims_map.items()}
    names = [*_ROLE_CLAIMS, *(name for name in sources if name not in _ROLE_CLAIMS)]
    return {name: _mapped_one(claims, name, sources[name]) for name in names}


def _mapped_one(claims: Mapping[str, Any], name: str, source: Any) -> Any:
    if not isinstance(source, dict):
        return source
    found = at(source["path"], claims)
    if found is None:
        found = source.get("default")
    if found is None and name in _ROLE_CLAIMS:
        raise Refused(f"JWT claim does not contain {name}")
    if found is None:
        raise Refused(f"JWT claim from claims_map, {name} not found")
    return found


def at(path: str, claims: Any) -> Any:
    """Follow a JSON path of names and indices, all there is (Data/Parser/JSONPath.hs), or None."""
    for name, index, *quoted in _STEP.findall(path.removeprefix("$")):
        key = int(index) if index else name or "".join(quoted)
        fits = isinstance(claims, list) if isinstance(key, int) else isinstance(claims, dict)
        try:
            claims = claims[key] if fits else None
        except LookupError:
            return None
    return claims


def _role_claim(variables: Mapping[str, Any], name: str) -> Any:
    if name not in variables:
        raise Refused(f"JWT claim does not contain {name}")
    return variables[name]


def _list_of_roles(found: Any) -> list[str]:
    if not (isinstance(found, list) and all(isinstance(it, str) and it for it in found)):
        raise Refused(f"invalid {ALLOWED_ROLES}; should be a list of roles")
    return found


def _role(found: Any) -> str:
    if not (isinstance(found, str) and found):
        raise Refused(f"invalid {DEFAULT_ROLE}; should be a role")
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def seconds_to_next_fetch(cache_control: str) -> float | None:
    """How long the keys are kept, or None: until the next start. jwt.mdx, "Rotating JWKs".

    JWT.hs, determineJwkExpiryLifetime; Auth.hs, updateJwkFromUrl, looks once a second whether that
    time has come. A failed fetch changes nothing (fetchAndUpdateJWKs): the old keys stay.
    """
    directives = [it.strip() for it in cache_control.split(",")]
    ages = [int(it.partition("=")[2]) for it in directives if re.match(r"(s-)?max-?age=\d", it)]
    if "must-revalidate" in directives:
        return max(1.0, *ages, 0.0)
    if {"no-cache", "no-store"} & set(directives):
        return 1.0
    return max(1.0, ages[0]) if ages else None
