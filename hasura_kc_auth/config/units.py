"""Durations and sizes as people write them."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_DURATION = re.compile(r"(\d{1,9})(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE = re.compile(r"(\d{1,9})(B|KiB|MiB)")
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2}


def parse_duration(value: object) -> float:
    """Return seconds for `300s`, `5m`, `250ms`. Raises ValueError."""
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a whole number with a unit: ms, s, m or h, as in 30s")
    return int(match[1]) * _SECONDS[match[2]]


def parse_size(value: object) -> int:
    """Return bytes for `32KiB`, `8MiB`, `512B`. Raises ValueError."""
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("must be a whole number with a unit: B, KiB or MiB, as in 32KiB")
    return int(match[1]) * _BYTES[match[2]]


Seconds = Annotated[
    float,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["30s"]}),
]
Bytes = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({"type": "string", "pattern": f"^{_SIZE.pattern}$", "examples": ["32KiB"]}),
]


def default_as_written(schema: dict[str, Any]) -> None:
    """Write a property's default as people do: copied out of the JSON schema, it must be valid."""
    default = schema.get("default")
    patterns = [kind.get("pattern") for kind in (schema, *schema.get("anyOf", ()))]
    if isinstance(default, float) and f"^{_DURATION.pattern}$" in patterns:
        schema["default"] = f"{default:.0f}s"
    elif isinstance(default, int) and f"^{_SIZE.pattern}$" in patterns:
        schema["default"] = f"{default // 1024}KiB"
