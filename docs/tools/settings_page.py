"""Writes the reference of docs/settings.md from the settings' types.

What stands above the mark in the page is written by hand; below it, each setting has its variable,
its type, its default and its description, all of them out of `hasura_kc_auth.config`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from hasura_kc_auth.config.carriers import CARRIER_FIELDS
from hasura_kc_auth.config.settings import Settings
from hasura_kc_auth.config.sources import PREFIX

MARK = "<!-- From here on written by `make docs-settings`. -->\n"

Schema = dict[str, Any]

_CARRIERS = {field: carrier for carrier, fields in CARRIER_FIELDS.items() for field in fields}
_TEXTS = {"file-path": "path of a file", "password": "text, secret"}
_END_OF_DOCUMENT = "...\n"
_KINDS = {"boolean": "`true` or `false`", "integer": "whole number", "string": "text"}


class Section(NamedTuple):
    """A group of settings: its path, how its settings' variables begin, its schema.

    `prefix` is None where no variable leads to a setting; `lead` says when to have this section.
    """

    path: str
    prefix: str | None
    schema: Schema
    lead: str = ""


def page(text: str) -> str:
    """Return the page with its reference written anew. Raises ValueError where the mark is not."""
    by_hand, mark, _ = text.partition(MARK)
    if not mark:
        raise ValueError("the page has no mark")
    return f"{by_hand}{MARK}\n{reference()}"


def reference() -> str:
    schema = Settings.model_json_schema()
    parts = [_of_section(it, schema["$defs"]) for it in _sections(schema)]
    return "\n\n".join("\n\n".join(part) for part in parts) + "\n"


def _sections(schema: Schema) -> Iterator[Section]:
    """Yield every section, each before those within it; what stands at the top level is last."""
    root = Section("", PREFIX, {**schema, "description": "What belongs to no section."})
    yield from _within(root, schema["$defs"])
    yield root


def _within(section: Section, definitions: Schema) -> Iterator[Section]:
    for name, field in section.schema["properties"].items():
        if schema := _inner(field, definitions):
            inner = _named(section, name, field, schema)
            yield inner
            yield from _within(inner, definitions)


def _named(section: Section, name: str, field: Schema, schema: Schema) -> Section:
    path = f"{section.path}.{name}".removeprefix(".")
    lead = field.get("description", "")
    if _is_map(field):  # its names are the operator's, so no variable leads into it
        return Section(f"{path}.NAME", None, schema)
    if field.get("type") == "array":  # the issuers: of a single one each field is a variable
        return Section(f"{path}[]", section.prefix, schema, lead)
    return Section(path, f"{section.prefix}{name.upper()}__", schema, lead)


def _is_map(field: Schema) -> bool:
    return field.get("type") == "object"


def _inner(field: Schema, definitions: Schema) -> Schema | None:
    """Return the section that a field is, or is a list or a map of; None for any other."""
    held = (field, field.get("items", {}), field.get("additionalProperties", {}))
    for kind in (choice for it in held for choice in (it, *it.get("anyOf", ()))):
        name = kind.get("$ref", "").rpartition("/")[2]
        if definitions.get(name, {}).get("properties"):
            return dict(definitions[name])
    return None


def _of_section(section: Section, definitions: Schema) -> Iterator[str]:
    yield f"## `{section.path}`" if section.path else "## At the top level"
    yield section.schema.get("description", "")
    if section.lead:
        yield section.lead
    required = section.schema.get("required", [])
    for name, field in section.schema["properties"].items():
        if _is_map(field) or not _inner(field, definitions):
            yield from _of_setting(section, name, field, is_required=name in required)


def _of_setting(section: Section, name: str, field: Schema, *, is_required: bool) -> Iterator[str]:
    path = f"{section.path}.{name}".removeprefix(".")
    yield f"### `{path}`"
    yield f"{_carrier(path)}{field['description']}"
    named = section.prefix is not None
    variable = f"- Variable: `{section.prefix}{name.upper()}`\n" if named else ""
    default = _default(field, is_required=is_required)
    yield f"{variable}- Type: {kind_of(field)}\n- Default: {default}"


def _carrier(path: str) -> str:
    section, _, name = path.rpartition(".")
    carrier = _CARRIERS.get(name) if section == "issuers[].org" else None
    return f"(`from: {carrier}`) " if carrier else ""


def _default(field: Schema, *, is_required: bool) -> str:
    if is_required:
        return "none; it is required"
    default = field["default"]
    if default is None:
        return "not set"
    text = yaml.safe_dump(default, default_flow_style=True)
    return f"`{text.removesuffix(_END_OF_DOCUMENT).strip()}`"


def kind_of(field: Schema) -> str:
    """Return in words what a value of this schema is."""
    kinds = [kind for kind in field.get("anyOf", [field]) if kind.get("type") != "null"]
    return " or ".join(map(_kind, kinds))


def _kind(kind: Schema) -> str:
    if "enum" in kind:
        return "one of " + ", ".join(f"`{value}`" for value in kind["enum"])
    if "$ref" in kind:
        return "any JSON value" if kind["$ref"].endswith("/JsonValue") else "settings, below"
    if kind["type"] == "array":
        return f"list of {kind_of(kind['items']).replace('one of', 'any of')}"
    if kind["type"] == "object":
        return f"map by name, each {kind_of(kind['additionalProperties'])}"
    text = _TEXTS.get(kind.get("format", "")) or _measure(kind)
    return text or _KINDS[kind["type"]] + _range(kind)


def _measure(kind: Schema) -> str:
    pattern = kind.get("pattern", "")
    if "ms|s|m|h" in pattern:
        return "duration, as `500ms`, `30s`, `5m` or `1h`"
    return "size, as `512B`, `32KiB` or `8MiB`" if "KiB" in pattern else ""


def _range(kind: Schema) -> str:
    return f", {kind['minimum']} to {kind['maximum']}" if "minimum" in kind else ""


if __name__ == "__main__":
    (_, file) = sys.argv
    Path(file).write_text(page(Path(file).read_text("utf-8")), "utf-8")
