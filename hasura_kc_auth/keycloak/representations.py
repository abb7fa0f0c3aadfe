"""Reading what the admin API answers: Keycloak is asked, but a proxy may answer.

So nothing of an answer is taken to be of any shape: what is of another raises FetchFailed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hasura_kc_auth.core.strict_json import Json
from hasura_kc_auth.keycloak.fetch import FetchFailed, FetchResult
from hasura_kc_auth.keycloak.realm_facts import Config

Object = Mapping[str, Json]


def odd(what: str) -> FetchFailed:
    return FetchFailed(FetchResult.INVALID, f"{what}: the answer is not of Keycloak's shape")


def objects_of(value: Json) -> list[Object]:
    if not isinstance(value, list) or not all(isinstance(it, dict) for it in value):
        raise odd("a list")
    return value


def object_of(value: Json) -> Object:
    """Return an object; null and absent are an empty one, as Keycloak means them."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise odd("an object")
    return value


def text_of(it: Object, name: str) -> str:
    value = it.get(name)
    if not isinstance(value, str) or not value:
        raise odd(name)
    return value


def names_of(items: Json) -> frozenset[str]:
    return frozenset(text_of(it, "name") for it in objects_of(items))


def mappers_of(holder: Object, provider: str) -> Iterator[Config]:
    """Yield the options of the mappers of this kind that write into access tokens."""
    for mapper in objects_of(holder.get("protocolMappers") or []):
        config = object_of(mapper.get("config"))
        if mapper.get("protocolMapper") == provider and config.get("access.token.claim") == "true":
            yield config
