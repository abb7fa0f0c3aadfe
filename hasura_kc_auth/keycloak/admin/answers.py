"""Takes apart what Keycloak's admin API answers.

Keycloak is asked, but a proxy may answer: nothing of an answer is taken to be of any shape. Every
function raises OddAnswer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from hasura_kc_auth.core.strict_json import Json
from hasura_kc_auth.keycloak.admin.errors import OddAnswer

Object = Mapping[str, Json]

# Mostly a UUID; an imported realm may bring its own. It becomes a part of paths.
_IDENTIFIER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


def list_of_objects(value: Json) -> list[Object]:
    if not isinstance(value, list) or not all(isinstance(it, dict) for it in value):
        raise OddAnswer("a list")
    return value


def an_object(value: Json) -> Object:
    """Return an object; null and absent are an empty one, as Keycloak means them."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise OddAnswer("an object")
    return value


def text(it: Object, name: str) -> str:
    value = it.get(name)
    if not isinstance(value, str) or not value:
        raise OddAnswer(name)
    return value


def identifier(it: Object) -> str:
    """Return the id of a thing, fit to be a part of a path."""
    value = text(it, "id")
    if not _IDENTIFIER.fullmatch(value):
        raise OddAnswer("id")
    return value


def last_segment(location: str) -> str:
    """Return the id that a Location header ends with; "" where it is none."""
    value = location.rpartition("/")[2]
    return value if _IDENTIFIER.fullmatch(value) else ""


def texts(it: Object, name: str) -> frozenset[str]:
    """Return a list of texts; null and absent are an empty one."""
    value = it.get(name)
    if value is None:
        return frozenset()
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise OddAnswer(name)
    return frozenset(value)


def attribute(it: Object, name: str) -> str:
    """Return an attribute, "" for none. Clients and scopes have texts, all others lists of them."""
    value = an_object(it.get("attributes")).get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, str) else ""


def by_client(mappings: Json) -> Iterator[tuple[str, list[Object]]]:
    """Yield the client roles of a role mapping: (client id, its roles)."""
    for client, held in an_object(an_object(mappings).get("clientMappings")).items():
        yield client, list_of_objects(an_object(held).get("mappings") or [])
