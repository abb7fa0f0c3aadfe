"""values.yaml and its schema: the one made from the settings' types, both about the same names."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import yaml

from hasura_kc_auth import __version__
from tests.deploy.helm.chart import CHART, ROOT

SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text("utf-8"))
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
METADATA: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))


def test_the_schema_is_what_the_settings_types_say():
    made = subprocess.run(
        [sys.executable, "deploy/tools/chart_schema.py"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    current = (CHART / "values.schema.json").read_text("utf-8")
    assert current == made.stdout, "run `make chart-schema`"


def test_the_chart_is_for_this_version():
    assert (METADATA["version"], METADATA["appVersion"]) == (__version__, __version__)


def test_every_value_has_a_default_and_no_other_is_taken():
    values = {name: it for name, it in VALUES.items() if name != "config"}
    schema = {name: it for name, it in SCHEMA["properties"].items() if name != "config"}

    assert VALUES["config"] == {}
    assert set(_leaves(values, schema)) == set(_leaves(schema, schema)) - {"global"}


# What is Kubernetes' own, and may have more than the chart's defaults.
_OPEN = {"livenessProbe", "readinessProbe", "securityContext"}


def _leaves(tree: dict[str, Any], schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the dotted names in values, or in a schema itself, as deep as the schema names them."""
    for name, it in tree.items():
        inner = _properties(schema[name])
        if inner is None or name in _OPEN:
            yield f"{path}{name}"
        else:
            yield from _leaves(inner if tree is schema else it, inner, f"{path}{name}.")


def _properties(schema: dict[str, Any]) -> dict[str, Any] | None:
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema.get("properties")
