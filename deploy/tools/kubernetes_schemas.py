"""Lays out the schemas that kubeconform checks the rendered chart against, without a download.

Kubernetes' own come with the package kubernetes-validate. Those of the Prometheus operator are
custom resource definitions that controller-gen has made from its types.

    python kubernetes_schemas.py SCHEMAS CRDS    # from CRDS/*.yaml and the package, to SCHEMAS/
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

# The oldest that the chart is for, and the newest that there is.
VERSIONS = ("v1.30.0", "v1.37.0")


def lay_out(target: Path, definitions: Path) -> None:
    """Write each kind's schema as TARGET/VERSION/KIND-GROUP-VERSION.json."""
    for version in VERSIONS:
        folder = target / version
        folder.mkdir(parents=True, exist_ok=True)
        for file in _kubernetes_schemas(version).glob("*.json"):
            text = file.read_text("utf-8").replace("/api/_definitions.json", "_definitions.json")
            schema = json.loads(text)
            schema.pop("$id", None)  # would be where the others are looked for
            _write(folder / file.name, schema)
        for file in definitions.glob("*.yaml"):
            for name, schema in _custom_schemas(yaml.safe_load(file.read_text("utf-8"))):
                _write(folder / name, schema)


def _kubernetes_schemas(version: str) -> Path:
    found = find_spec("kubernetes_validate")
    if found is None or found.origin is None:
        sys.exit("kubernetes-validate is not installed: requirements/chart.txt")
    return Path(found.origin).parent / "kubernetes-json-schema" / f"{version}-local-strict"


def _custom_schemas(definition: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    spec = definition["spec"]
    kind, group = spec["names"]["singular"], spec["group"].partition(".")[0]
    return [
        (f"{kind}-{group}-{it['name']}.json", _strict(it["schema"]["openAPIV3Schema"]))
        for it in spec["versions"]
    ]


def _strict(tree: Any) -> Any:  # noqa: ANN401 - what JSON can hold
    """Let no object have a property that it does not name, but where it says so."""
    if isinstance(tree, list):
        return [_strict(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    strict = {key: _strict(value) for key, value in tree.items()}
    if isinstance(tree.get("properties"), dict) and tree.get("type") == "object":
        strict.setdefault("additionalProperties", False)
    if tree.get("x-kubernetes-preserve-unknown-fields"):
        strict["additionalProperties"] = True
    return strict


def _write(file: Path, schema: dict[str, Any]) -> None:
    file.write_text(json.dumps(schema), "utf-8")


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]), Path(sys.argv[2]))
