"""Whether there is tracing: by OpenTelemetry's own variables, which its SDK reads itself."""

from __future__ import annotations

from collections.abc import Mapping

from hasura_kc_auth.config.sources import ConfigurationError

_EXPORTER = "OTEL_TRACES_EXPORTER"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")


def wants_tracing(environment: Mapping[str, str]) -> bool:
    """Return whether spans are to be sent: only where OTEL_TRACES_EXPORTER is `otlp`.

    Raises ConfigurationError where the variables ask for what there is not.
    """
    exporter = environment.get(_EXPORTER, "").strip()
    disabled = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if disabled or exporter in ("", "none"):
        return False
    problems = [] if exporter == "otlp" else [f"{_EXPORTER}: must be otlp or none"]
    problems += [
        f"{name}: must be http/protobuf"
        for name in _PROTOCOLS
        if environment.get(name, "").strip() not in ("", "http/protobuf")
    ]
    if problems:
        raise ConfigurationError(problems)
    return True
