"""Changes that know what they change: members of JSON, and tokens that are signed again after it.

`Mutate(data, max_size)` is the fuzzer's own: any change of bytes.
"""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from copy import deepcopy
from random import Random
from typing import Any

from tests.fuzz.decoders import KEY, TOKENS
from tests.made_tokens import ISSUER, NOW, b64, sign_text

Mutate = Callable[[bytes, int], bytes]
Mutator = Callable[[bytes, int, Random, Mutate], bytes]

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 1e308, 10**30, 10**400, 0.5, float("nan"), float("inf")),
    *(NOW, NOW - 29, NOW - 30, NOW - 31, NOW + 30, NOW + 31, str(NOW)),
    *("", " ", "a", "\ud800", "\0", "\ufeff", "admin", "editor", "viewer", "org_admin", "ADMIN"),
    *("org1", "org2", "openid", "account", "frontend", "hasura", "org1 org2", "openid org1\torg2"),
    *("organization", "organization:*", "openid organization:org1", "organization:org2"),
    *("Bearer", "bearer", "ID", "DPoP", "none", "HS256", "ES256", "JWT", "at+jwt", "fuzz", ISSUER),
    *([], {}, [None], ["org1"], ["org1", "hasura"], [["org1"]], {"roles": ["editor"]}),
    *({"roles": ["admin"]}, {"roles": "editor"}, {"org2": {"roles": ["viewer"]}}, ["editor", 1]),
)
_NAMES = (
    *("alg", "kid", "typ", "crit", "b64", "jwk", "jku", "zip", "cty", "exp", "iat", "nbf", "iss"),
    *("aud", "sub", "azp", "scope", "resource_access", "realm_access", "cnf", "acr", "org2"),
    *("headers", "request", "Authorization", "authorization", "X-Hasura-Role", "x-hasura-role"),
    *("X-Hasura-Org-Id", "x-hasura-org-id", "roles", "organization", "org"),
)
_MOST = 40_000


def any_bytes(data: bytes, max_size: int, _random: Random, mutate: Mutate) -> bytes:
    return mutate(data, max_size)


def token(data: bytes, max_size: int, random: Random, mutate: Mutate) -> bytes:
    """Change a token: its bytes, or what is in a part of it, mostly with a right signature."""
    for name, issued in TOKENS.items():
        data = data.replace(name, issued.encode())
    parts = data.split(b".")
    if len(parts) != 3 or random.random() < 0.3:
        return mutate(data, max_size)
    number = random.choice((0, 1, 1, 1))
    parts[number] = _segment(parts[number], random, mutate)
    if random.random() < 0.1:
        return b".".join(parts)[:max_size]
    header, payload = (part.decode("latin-1") for part in parts[:2])
    return sign_text(header, payload, KEY).encode()[:max_size]


def _segment(segment: bytes, random: Random, mutate: Mutate) -> bytes:
    try:
        inside = urlsafe_b64decode(segment + b"==")
    except ValueError:
        return mutate(segment, _MOST)
    return b64(_json_or_bytes(inside, random, mutate)).encode()


def body(data: bytes, max_size: int, random: Random, mutate: Mutate) -> bytes:
    """Change a body: its bytes, or its members."""
    return _json_or_bytes(data, random, mutate)[:max_size]


def _json_or_bytes(data: bytes, random: Random, mutate: Mutate) -> bytes:
    if random.random() < 0.3:
        return mutate(data, _MOST)
    try:
        tree = json.loads(data)
        return json.dumps(changed(tree, random)).encode()
    except (ValueError, RecursionError):
        return mutate(data, _MOST)


def changed(tree: Any, random: Random) -> Any:
    """Return a JSON value with one to three changes in it."""
    holder = [deepcopy(tree)]
    for _ in range(random.randint(1, 3)):
        place = random.choice(_places(holder))
        _change(place, random, _places(holder))
    return holder[0]


def _places(tree: Any) -> list[Any]:
    """Return every list and object in a tree."""
    if not isinstance(tree, list | dict):
        return []
    inside = tree.values() if isinstance(tree, dict) else tree
    return [tree, *(place for it in inside for place in _places(it))]


def _change(place: Any, random: Random, others: list[Any]) -> None:
    value = deepcopy(random.choice([*_VALUES, random.choice(others)]))
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    act = random.choice(("replace", "replace", "replace", "delete", "add"))
    if act == "add" or not keys:
        _add(place, value, random)
    elif act == "delete" and len(keys) > 1:
        del place[random.choice(keys)]
    else:
        place[random.choice(keys)] = value


def _add(place: Any, value: Any, random: Random) -> None:
    if isinstance(place, dict):
        place[random.choice(_NAMES)] = value
    else:
        place.append(value)


MUTATORS: Mapping[str, Mutator] = {"header": any_bytes, "jws": token, "body": body}
