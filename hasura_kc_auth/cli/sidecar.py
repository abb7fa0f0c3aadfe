"""The service as a container beside Hasura's engine, in the words of Hasura's own Helm chart.

The chart of this service prints the same values in its notes; a test compares both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hasura_kc_auth.config.sources import PREFIX, Tree

FOLDER = "/run/secrets/hasura-kc-auth"
"""Below it each Secret and ConfigMap has a folder of its name, with a file for each key."""

_NAME = "hasura-kc-auth"
_USER = 65532
_ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - written, not bound

_RESOURCES = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
_SECURITY = {
    "runAsUser": _USER,
    "runAsGroup": _USER,
    "runAsNonRoot": True,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True)
class Sidecar:
    """What the container is made of.

    `settings`: as they are written. `native`: an init container that goes on running, stopped after
    Hasura; else an ordinary one, for Kubernetes before 1.29.
    """

    settings: Tree
    native: bool
    image: str
    secrets: tuple[str, ...] = ()
    config_maps: tuple[str, ...] = ()

    @property
    def webhook(self) -> Tree:
        return dict(self.settings.get("webhook", {}))

    @property
    def management(self) -> Tree:
        return dict(self.settings.get("management", {}))

    @property
    def host(self) -> str:
        return str(self.webhook.get("host", "127.0.0.1"))


def hasura_chart_values(sidecar: Sidecar) -> dict[str, Any]:
    """Return the values of Hasura's own chart (graphql-engine) that are this sidecar."""
    files = list(_files(sidecar))
    volumes = [{"name": volume, **source} for volume, _, source in files]
    mounts = [
        {"name": volume, "mountPath": f"{FOLDER}/{name}", "readOnly": True}
        for volume, name, _ in files
    ]
    kind = "initContainers" if sidecar.native else "extraContainers"
    container = _container(sidecar) | ({"volumeMounts": mounts} if mounts else {})
    return {
        "config": {"authHook": _hook(sidecar), "authHookMode": "GET"},
        kind: [container],
        **({"extraVolumes": volumes} if volumes else {}),
    }


def _hook(sidecar: Sidecar) -> str:
    host = f"[{sidecar.host}]" if ":" in sidecar.host else sidecar.host
    return f"http://{host}:{_port(sidecar.webhook, 8090)}{sidecar.webhook.get('path', '/')}"


def _port(listener: Tree, default: int) -> int:
    return int(listener.get("port", default))


def _container(sidecar: Sidecar) -> dict[str, Any]:
    ports = {
        "auth-http": _port(sidecar.webhook, 8090),
        "auth-metrics": _port(sidecar.management, 8091),
    }
    return {
        "name": _NAME,
        "image": sidecar.image,
        "imagePullPolicy": "IfNotPresent",
        **({"restartPolicy": "Always"} if sidecar.native else {}),
        "env": [{"name": name, "value": value} for name, value in _variables(sidecar)],
        "ports": [{"name": name, "containerPort": port} for name, port in ports.items()],
        # Hasura is not started before a native sidecar has.
        **({"startupProbe": _asking("/livez", 1, failureThreshold=60)} if sidecar.native else {}),
        "livenessProbe": _asking("/livez", 10, timeoutSeconds=3),
        "readinessProbe": _asking("/readyz", 5, timeoutSeconds=3),
        "resources": _RESOURCES,
        "securityContext": _SECURITY,
    }


def _asking(path: str, seconds: int, **more: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "auth-metrics"}, "periodSeconds": seconds, **more}


def _variables(sidecar: Sidecar) -> Iterator[tuple[str, str]]:
    """Yield the settings as variables, so that a changed one rolls the pods."""
    for name, value in sorted(sidecar.settings.items()):
        if value is not None:
            # Kubernetes would take `$(…)` for another variable.
            yield f"{PREFIX}{name.upper()}", _text(value).replace("$", "$$")
    if "drain" not in sidecar.webhook:
        # An ordinary container is told to stop with Hasura, which asks on until it has stopped.
        yield f"{PREFIX}WEBHOOK__DRAIN", "0s" if sidecar.native else "20s"
    # The image's own environment has both hosts, for a service that stands alone.
    yield f"{PREFIX}WEBHOOK__HOST", sidecar.host
    yield f"{PREFIX}MANAGEMENT__HOST", sidecar.management.get("host", _ANY_ADDRESS)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


def _files(sidecar: Sidecar) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each mounted volume: its own name, that of what is in it, and its source."""
    for index, name in enumerate(dict.fromkeys(sidecar.secrets)):
        yield f"{_NAME}-secret-{index}", name, {"secret": {"secretName": name}}
    for index, name in enumerate(dict.fromkeys(sidecar.config_maps)):
        yield f"{_NAME}-configmap-{index}", name, {"configMap": {"name": name}}
