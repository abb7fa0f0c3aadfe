"""What is told after an installation, and that it is what `helm-values` prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.commands import invoke
from tests.deploy.helm.chart import LEAST, VERSIONS, Chart, Values, ci, faults

pytestmark = pytest.mark.helm

_AS_OBJECT = """
apiVersion: v1
kind: Notes
text: {{ include "hasura-kc-auth.notes" . | toJson }}
"""
_AWKWARD: Values = {
    "mode": "sidecar",
    "config": {
        **LEAST["config"],
        "anonymous": None,
        "org_header": "X-Tenant",
        "session": {
            "max_age": None,
            "variables": {"X-Hasura-P": {"value": "$(HOME) $$ <&> ü 0.5"}},
        },
        "cache": {"entries": 1000000},
        "shared": {"url_file": "/run/secrets/hasura-kc-auth/redis/url"},
        "webhook": {"path": "/auth", "port": 9090, "drain": "3s"},
    },
    "existingSecrets": ["redis", "other"],
    "existingConfigMaps": ["company-ca"],
}


def notes(chart: Chart, *values: Path | Values) -> str:
    """Return the notes. Helm prints them only where there is a cluster."""
    copy = chart.copy()
    (copy.folder / "templates" / "notes.yaml").write_text(_AS_OBJECT, "utf-8")
    (printed,) = [it for it in copy.objects(*values) if it["kind"] == "Notes"]
    return str(printed["text"])


def values_in(text: str) -> list[dict[str, Any]]:
    """Return the values for Hasura's chart, of which each block begins with `config:`."""
    blocks = [f"config:\n{it}" for it in text.split("config:\n")[1:]]
    return [yaml.safe_load(it.partition("\n\n")[0]) for it in blocks]


def printed(tmp_path: Path, values: Values, *options: str) -> dict[str, Any]:
    """Return what `helm-values` prints for the configuration of these values."""
    file = tmp_path / "settings.yaml"
    file.write_text(yaml.safe_dump(values["config"]), "utf-8")
    mounted = [
        *(f"--secret={name}" for name in values.get("existingSecrets", ())),
        *(f"--config-map={name}" for name in values.get("existingConfigMaps", ())),
    ]
    outcome = invoke("helm-values", "--config", str(file), *mounted, *options)
    assert (outcome.code, outcome.err) == (0, "")
    return dict(yaml.safe_load(outcome.out))


@pytest.mark.parametrize(
    "values",
    [pytest.param({**LEAST, "mode": "sidecar"}, id="least"), pytest.param(_AWKWARD, id="awkward")],
)
def test_the_notes_and_the_command_say_the_same(chart, tmp_path, values):
    assert values_in(notes(chart, values)) == [
        printed(tmp_path, values),
        printed(tmp_path, values, "--extra-container"),
    ]


@pytest.mark.usefixtures("chart")
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("options", [(), ("--extra-container",)])
def test_what_is_printed_makes_a_pod_that_kubernetes_takes(tmp_path, options, version):
    """Put together as Hasura's own chart (0.9.0) does it."""
    values = printed(tmp_path, _AWKWARD, *options)
    engine = {"name": "graphql-engine", "image": "hasura/graphql-engine:v2.48.3"}
    labels = {"app": "hasura-graphql-engine"}
    pod = {
        "initContainers": values.get("initContainers", []),
        "containers": [*values.get("extraContainers", ()), engine],
        "volumes": values["extraVolumes"],
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "hasura"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }

    assert faults(json.dumps(deployment), version) == []


def test_a_service_of_its_own_tells_what_hasura_and_the_cluster_need(chart):
    text = notes(chart, ci("standalone"))

    assert "HASURA_GRAPHQL_AUTH_HOOK=https://auth-hasura-kc-auth.default.svc:8090/\n" in text
    assert "wait for the Secret auth-hasura-kc-auth-tls" in text
    assert "app: hasura-graphql-engine" in text
    assert "WARNING" not in text


@pytest.mark.parametrize(
    ("values", "warning"),
    [
        ("plain", "WARNING: the webhook is plain HTTP."),
        ("own-certificate", "WARNING: networkPolicy.enabled is off"),
    ],
)
def test_what_is_dangerous_is_said(chart, values, warning):
    assert warning in notes(chart, ci(values))


def test_a_sidecar_tells_which_secret_it_needs(chart):
    text = notes(chart, ci("everything-sidecar"))

    assert "create secret generic engine \\\n      --from-literal=admin=… " in text
    assert "http://auth-hasura-kc-auth.default.svc:80," in text
