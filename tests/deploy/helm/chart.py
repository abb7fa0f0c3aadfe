"""Rendering the Helm chart with the real helm, and checking the outcome with kubeconform.

`make chart` builds both into .tools.

    rendered = chart.render(ci("sidecar"), {"hasura": {"port": 80}})
    rendered["Deployment"]["spec"]
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "hasura-kc-auth"
TOOLS = ROOT / ".tools"
HELM, KUBECONFORM = (TOOLS / "bin" / name for name in ("helm", "kubeconform"))
SCHEMAS = TOOLS / "schemas"

_LOCATION = "{{.NormalizedKubernetesVersion}}/{{.ResourceKind}}{{.KindSuffix}}.json"

VERSIONS = ("1.30.0", "1.37.0")
"""The oldest Kubernetes that the chart is for, and the newest whose schemas there are."""

RELEASE = "auth"
Values = Mapping[str, Any]
Object = dict[str, Any]


def ci(name: str) -> Path:
    return CHART / "ci" / f"{name}.yaml"


LEAST: Values = yaml.safe_load(ci("standalone").read_text("utf-8"))


class Refused(Exception):
    """Helm renders nothing. The text is what it says."""


@dataclass(frozen=True)
class Chart:
    """The chart in a folder, the repository's own or a changed copy. `scratch`: for values."""

    scratch: Path
    folder: Path = CHART

    def copy(self) -> Chart:
        """Return a copy that may be changed."""
        return Chart(self.scratch, shutil.copytree(self.folder, self.scratch / "copy"))

    def text(self, *values: Path | Values, version: str = VERSIONS[-1]) -> str:
        """Return what helm renders by these values, each winning over those before."""
        return self._helm("template", RELEASE, str(self.folder), "--kube-version", version, *values)

    def lint(self, *values: Path | Values) -> str:
        return self._helm("lint", "--strict", str(self.folder), "--kube-version", "1.37", *values)

    def objects(self, *values: Path | Values, version: str = VERSIONS[-1]) -> list[Object]:
        text = self.text(*values, version=version)
        return [it for it in yaml.safe_load_all(text) if it is not None]

    def render(self, *values: Path | Values) -> dict[str, Object]:
        """Return the objects by kind; the first of each."""
        return {it["kind"]: it for it in reversed(self.objects(*values))}

    def refusal(self, *values: Path | Values) -> str:
        """Return what helm says instead of rendering. Fails if it renders."""
        try:
            text = self.text(*values)
        except Refused as refused:
            return str(refused)
        raise AssertionError(f"rendered:\n{text}")

    def _helm(self, *words: str | Path | Values) -> str:
        arguments = [it for word in words for it in self._arguments(word)]
        done = subprocess.run(  # noqa: S603 - the helm of `make chart`
            [HELM, *arguments], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Refused(done.stdout + done.stderr)
        return done.stdout

    def _arguments(self, word: str | Path | Values) -> list[str]:
        if isinstance(word, str):
            return [word]
        if isinstance(word, Path):
            return ["--values", str(word)]
        file = self.scratch / f"values-{len(list(self.scratch.iterdir()))}.yaml"
        file.write_text(yaml.safe_dump(dict(word)), "utf-8")
        return ["--values", str(file)]


def faults(objects: str, version: str) -> list[str]:
    """Return what is wrong with these objects (YAML) by the schemas of this Kubernetes."""
    done = subprocess.run(  # noqa: S603 - the kubeconform of `make chart`
        [
            KUBECONFORM,
            "-strict",
            "-kubernetes-version",
            version,
            "-schema-location",
            _LOCATION,
            "-",
        ],
        cwd=SCHEMAS,
        input=objects,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = (done.stdout + done.stderr).splitlines()
    assert bool(lines) == bool(done.returncode)
    return lines


def container(rendered: Mapping[str, Object]) -> Object:
    """Return this service's container, wherever in the pod it is."""
    pod = rendered["Deployment"]["spec"]["template"]["spec"]
    found = [
        it
        for it in (*pod.get("initContainers", ()), *pod["containers"])
        if it["name"] == "hasura-kc-auth"
    ]
    (only,) = found
    return dict(only)


def variables(container: Object) -> dict[str, str]:
    """Return the environment as the container gets it: Kubernetes reads `$$` as `$`."""
    plain = {it["name"]: it["value"] for it in container["env"] if "value" in it}
    assert not [it for it in plain.values() if "$(" in it.replace("$$", "")]
    return {name: value.replace("$$", "$") for name, value in plain.items()}
