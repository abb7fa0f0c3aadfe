"""Whether there is tracing: what OpenTelemetry's variables mean here."""

from __future__ import annotations

import pytest

from hasura_kc_auth.config.sources import ConfigurationError
from hasura_kc_auth.config.tracing import wants_tracing

OTLP = {"OTEL_TRACES_EXPORTER": "otlp"}


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_TRACES_EXPORTER": ""},
        {"OTEL_TRACES_EXPORTER": "none"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"},
        {**OTLP, "OTEL_SDK_DISABLED": "True"},
        {"OTEL_TRACES_EXPORTER": "jaeger", "OTEL_SDK_DISABLED": "true"},
    ],
)
def test_it_is_off(environment):
    assert wants_tracing(environment) is False


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SDK_DISABLED": "false"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
        {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": ""},
    ],
)
def test_it_is_on(environment):
    assert wants_tracing({**OTLP, **environment}) is True


def test_what_there_is_not_is_refused_by_its_name_all_at_once():
    with pytest.raises(ConfigurationError) as refused:
        wants_tracing({"OTEL_TRACES_EXPORTER": "console", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    assert refused.value.problems == [
        "OTEL_TRACES_EXPORTER: must be otlp or none",
        "OTEL_EXPORTER_OTLP_PROTOCOL: must be http/protobuf",
    ]


def test_the_protocol_of_traces_alone_is_looked_at_as_well():
    with pytest.raises(ConfigurationError) as refused:
        wants_tracing({**OTLP, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"})
    assert refused.value.problems == ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: must be http/protobuf"]
