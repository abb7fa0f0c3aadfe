"""Session variables as Hasura and Postgres read them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring_ascii

from hasura_kc_auth.core.policy import Values
from hasura_kc_auth.core.strict_json import Json

# What Postgres reads as one element without quotes; everything else is quoted.
_BARE_ELEMENT = re.compile(r"[A-Za-z0-9_.:/@-]+")


def render(value: Json, values: Values) -> Json:
    """Return one variable's value: a string for `text`, the JSON value as it is for `json`."""
    if values == "json":
        return value
    return array_literal(map(_text, value)) if isinstance(value, list) else _text(value)


def array_literal(elements: Iterable[str]) -> str:
    """Return a Postgres array literal: `{a,"b,c"}`, and `{}` for none.

    Quoted so that no element can become two, and none can become NULL (PostgreSQL documentation,
    section 8.15.6): an org named `a,b` must not grant `a` and `b`.
    """
    return "{" + ",".join(map(_element, elements)) + "}"


def _element(text: str) -> str:
    if _BARE_ELEMENT.fullmatch(text) and text.lower() != "null":
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _text(value: Json) -> str:
    if isinstance(value, str):
        return value
    return compact_json(value)  # true, 1, 1.5, {"a":1}: as Postgres casts them


def compact_json(value: Json) -> str:
    return _compact.encode(value)


def json_object(members: Mapping[str, Json]) -> str:
    """Return what `compact_json` does, cheaper where nearly all values are strings.

    `json` makes an encoder anew for each object that it writes.
    """
    written = [f"{encode_basestring_ascii(name)}:{_member(it)}" for name, it in members.items()]
    return "{" + ",".join(written) + "}"


def _member(value: Json) -> str:
    return encode_basestring_ascii(value) if isinstance(value, str) else compact_json(value)


# What was read from JSON holds no circle to look out for.
_compact = json.JSONEncoder(separators=(",", ":"), check_circular=False)
