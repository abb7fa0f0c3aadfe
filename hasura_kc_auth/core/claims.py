"""Reading single claims by their JSON type."""

from __future__ import annotations

from collections.abc import Mapping
from sys import float_info
from typing import TypeGuard

from hasura_kc_auth.core.policy import ClaimPath
from hasura_kc_auth.core.strict_json import Json

# A claim that becomes an id: long enough for a federated user's id, short enough for an index.
_MAX_ID = 255
_LARGEST = float_info.max


def claim_at(claims: Mapping[str, Json], path: ClaimPath) -> Json:
    """Return the claim at this path, or None where it is missing or null."""
    value: Json = claims
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def scopes_of(claims: Mapping[str, Json]) -> frozenset[str]:
    """Return the names in `scope` (RFC 6749, section 3.3); Keycloak keeps no order in it."""
    scope = claims.get("scope")
    return frozenset(scope.split(" ")) if isinstance(scope, str) else frozenset()


def audience_of(claims: Mapping[str, Json]) -> frozenset[str]:
    """Return `aud`, a string or a list of strings (RFC 7519, 4.1.3); empty where it is neither."""
    audience = claims.get("aud")
    values = [audience] if isinstance(audience, str) else audience
    return frozenset(values) if is_list_of_strings(values) else frozenset()


def object_at(holder: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    """Return the object under a key; an empty one where there is none."""
    value = holder.get(key)
    return value if isinstance(value, dict) else {}


def roles_in(entry: Mapping[str, Json]) -> tuple[str, ...]:
    """Return `roles` of an entry as Keycloak writes it; empty where it is no list of strings."""
    roles = entry.get("roles")
    return tuple(roles) if is_list_of_strings(roles) else ()


def client_roles(claims: Mapping[str, Json], client: str) -> tuple[str, ...]:
    """Return the roles under `resource_access[client]`, and no others."""
    return roles_in(object_at(object_at(claims, "resource_access"), client))


def is_list_of_strings(value: Json) -> TypeGuard[list[str]]:
    if not isinstance(value, list):
        return False
    for item in value:  # noqa: SIM110 - with all() it takes three times as long, on each token
        if type(item) is not str or not item:
            return False
    return True


def is_id(value: Json) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID and value.isprintable()


def is_number(value: Json) -> TypeGuard[float]:
    """Whether this is a NumericDate (RFC 7519, section 2): a finite number and no bool."""
    kind = type(value)
    return (kind is int or kind is float) and -_LARGEST <= value <= _LARGEST
