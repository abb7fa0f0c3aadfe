"""Reading single claims by their JSON type."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TypeGuard

from hasura_kc_auth.core.policy import ClaimPath
from hasura_kc_auth.core.strict_json import Json

# A claim that becomes an id: long enough for a federated user's id, short enough for an index.
_MAX_ID = 255


def claim_at(claims: Mapping[str, Json], path: ClaimPath) -> Json:
    """Return the claim at this path, or None where it is missing or null."""
    value: Json = claims
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def is_id(value: Json) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID and value.isprintable()


def is_number(value: Json) -> TypeGuard[float]:
    """Whether this is a NumericDate (RFC 7519, section 2): a finite number and no bool."""
    return type(value) in (int, float) and _is_finite(value)


def _is_finite(value: float) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # an int beyond every float
        return False
