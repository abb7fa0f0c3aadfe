"""Prints the chart's values.schema.json: `config` by the settings' own types, the rest by hand.

Helm checks values against it, so that a wrong setting is refused by its name before anything is
installed. `make chart-schema` writes the file; a test says when that has to be done.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

from hasura_kc_auth.config.settings import Settings

_BASE = Path(__file__).parent / "values.base.yaml"


def values_schema() -> dict[str, Any]:
    """Return the schema of the chart's values."""
    settings = _without_titles(Settings.model_json_schema())
    sections = settings.pop("$defs")
    for listener in ("WebhookSettings", "ManagementSettings"):
        # 0 is any free port, which no Service and no probe would find.
        sections[listener]["properties"]["port"]["minimum"] = 1
    schema: dict[str, Any] = yaml.safe_load(_BASE.read_text("utf-8"))
    schema["properties"]["config"] = settings
    schema["$defs"].update(sections)
    return schema


def _without_titles(tree: Any) -> Any:  # noqa: ANN401 - what JSON can hold
    """Leave out what pydantic makes of a field's name: it says nothing more than that."""
    if isinstance(tree, dict):
        return {
            key: _without_titles(value)
            for key, value in tree.items()
            if not (key == "title" and isinstance(value, str))
        }
    return [_without_titles(item) for item in tree] if isinstance(tree, list) else tree


if __name__ == "__main__":
    json.dump(values_schema(), sys.stdout, indent=2, sort_keys=True, ensure_ascii=False)
    sys.stdout.write("\n")
