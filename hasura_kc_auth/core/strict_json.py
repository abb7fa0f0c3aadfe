"""JSON as RFC 8259 has it, without what Python's reader lets pass."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn, TypeAlias

Json: TypeAlias = Any
"""A JSON value: str, int, float, bool, None, a list or a dict of these."""

# Escapes for a lone surrogate or U+0000: neither Hasura's reader nor a Postgres text can hold one.
_SUSPICIOUS_ESCAPE = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")


def decode_object(data: bytes) -> dict[str, Json]:
    """Read one JSON object.

    Raises ValueError for anything else: other encodings than UTF-8, a byte order mark, NaN and
    Infinity, duplicate members, lone surrogates, U+0000, nesting too deep, numbers too long.
    """
    return _decode(data, _STRICT)


def decode_foreign_object(data: bytes) -> dict[str, Json]:
    """Like `decode_object`, for JSON that carries somebody else's content: Hasura's POST body.

    A GraphQL request in it may hold any text, and looking at each pair would cost time on the path
    of a repeated token, so duplicate members and odd characters are let pass.
    """
    return _decode(data, _FOREIGN)


def _decode(data: bytes, decoder: json.JSONDecoder) -> dict[str, Json]:
    try:
        text = data.decode("utf-8")
        value = decoder.decode(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("not strict JSON") from error
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one exception for bad input
    if decoder is _STRICT and _SUSPICIOUS_ESCAPE.search(text):
        _refuse_odd_characters(value)
    return value


def _refuse_odd_characters(value: Json) -> None:
    plain = json.dumps(value, ensure_ascii=False)
    plain.encode("utf-8")  # UnicodeEncodeError, a ValueError, for a lone surrogate
    if r"\u0000" in plain.replace(r"\\", ""):
        raise ValueError("U+0000 in a string")


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are no JSON")


_STRICT = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
_FOREIGN = json.JSONDecoder(parse_constant=_no_constant)
