"""JSON as RFC 8259 has it, without what Python's reader lets pass."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any, NoReturn, TypeAlias

Json: TypeAlias = Any
"""A JSON value: str, int, float, bool, None, a list or a dict of these."""

# Escapes for a lone surrogate or U+0000: neither Hasura's reader nor a Postgres text can hold one.
_SUSPICIOUS_ESCAPE = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")
# RFC 8259, section 2.
_BLANKS = " \t\n\r"
# A token nests four deep; far below where any reader or writer of JSON runs out of stack.
_MAX_DEPTH = 64
_HOLDERS = (dict, list)


def decode_object(data: bytes) -> dict[str, Json]:
    """Read one JSON object.

    Raises ValueError for anything else: other encodings than UTF-8, a byte order mark, NaN and
    Infinity, numbers beyond a float, duplicate members, lone surrogates, U+0000, deep nesting.
    """
    return _object(_strictly(data))


def decode_value(text: str) -> Json:
    """Read one JSON value of any type. Raises ValueError as `decode_object` does."""
    return _strictly(text.encode("utf-8", "surrogatepass"))


def _strictly(data: bytes) -> Json:
    text, value = _decode(data, _STRICT)
    if text.count("{") + text.count("[") > _MAX_DEPTH and _is_deep(value):
        raise ValueError("nested too deep")
    if "\\" in text and _SUSPICIOUS_ESCAPE.search(text):
        _refuse_odd_characters(value)
    return value


def decode_member(data: bytes, name: str) -> Json:
    """Read one member of an object, strictly, and of the others only that they are JSON.

    For Hasura's POST body: `headers` beside a user's GraphQL request, which may be long, and may
    hold any characters and numbers, and nest for some hundred levels. None where there is no such
    member. Raises ValueError for anything but one JSON object, and for a duplicate of its own
    members or of the named one's, which is returned as a dict where it is an object.
    """
    value = _decode(data, _PAIRS)[1]
    if not isinstance(value, tuple):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one exception for bad input
    member = _unique(value).get(name)
    return _unique(member) if isinstance(member, tuple) else member


def decode_foreign_object(data: bytes) -> dict[str, Json]:
    """Like `decode_object`, for what Keycloak publishes: any characters, numbers and nesting."""
    return _object(_decode(data, _FOREIGN)[1])


def _decode(data: bytes, decoder: json.JSONDecoder) -> tuple[str, Json]:
    try:
        text = data.decode("utf-8").strip(_BLANKS)
        value, end = decoder.raw_decode(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("not strict JSON") from error  # the reader's words quote what it read
    if end != len(text):
        raise ValueError("not strict JSON")
    return text, value


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one exception for bad input
    return value


def _is_deep(value: Json) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        # What holds nothing is let go at once: a token of many orgs is broad, and not deep.
        level = [inner for outer in level for inner in _inside(outer) if type(inner) in _HOLDERS]
    return bool(level)


def _inside(value: Json) -> Iterable[Json]:
    return value.values() if type(value) is dict else value


def _refuse_odd_characters(value: Json) -> None:
    plain = json.dumps(value, ensure_ascii=False)
    plain.encode("utf-8")  # UnicodeEncodeError, a ValueError, for a lone surrogate
    if r"\u0000" in plain.replace(r"\\", ""):
        raise ValueError("U+0000 in a string")


def _unique(pairs: Sequence[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError("a number beyond every float")
    return number


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


_STRICT = json.JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_no_constant
)
_FOREIGN = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
# Objects as tuples of their members, all made in C: a user's long query has many, none looked at.
# (So many at once are work for the garbage collector; `serve` lets it look less often.) No number
# counts here, and Python reads no integer of thousands of digits.
_PAIRS = json.JSONDecoder(object_pairs_hook=tuple, parse_int=float, parse_constant=_no_constant)
