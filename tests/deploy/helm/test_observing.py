"""What Prometheus and Grafana get: monitors, and the files in rules/ and dashboards/."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.deploy.helm.chart import LEAST, RELEASE, VERSIONS, ci, faults

pytestmark = pytest.mark.helm

RULES = """
groups:
  - name: one
    rules:
      - alert: Something
        expr: hasura_kc_auth_requests_in_flight > 10
        annotations: {summary: "{{ $labels.pod }} has {{ $value }}"}
"""
DASHBOARD = json.dumps({"panels": [{"targets": [{"legendFormat": "{{reason}}"}]}]})
ON = {"metrics": {"prometheusRule": {"enabled": True}, "dashboards": {"enabled": True}}}


@pytest.fixture
def filled(chart):
    """Give a copy of the chart whose rules and dashboards are these."""
    copy = chart.copy()
    for name, files in {
        "rules": {"one.yaml": RULES, "two.yaml": RULES.replace("one", "two")},
        "dashboards": {"auth.json": DASHBOARD},
    }.items():
        folder = copy.folder / name
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            old.unlink()
        for file, text in files.items():
            (folder / file).write_text(text, "utf-8")
    return copy


def test_rules_and_dashboards_are_taken_over_as_they_are(filled):
    objects = filled.objects(LEAST, ON)

    (rule,) = [it for it in objects if it["kind"] == "PrometheusRule"]
    (dashboards,) = [it for it in objects if it["metadata"]["name"].endswith("-dashboards")]
    assert rule["spec"]["groups"] == [
        group
        for text in (RULES, RULES.replace("one", "two"))
        for group in yaml.safe_load(text)["groups"]
    ]
    assert dashboards["data"] == {"auth.json": DASHBOARD}
    assert dashboards["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert faults(yaml.safe_dump_all(objects), VERSIONS[0]) == []


def test_both_are_off_by_default(filled):
    objects = filled.objects(LEAST)

    assert "PrometheusRule" not in [it["kind"] for it in objects]
    assert [it["metadata"]["name"] for it in objects if it["kind"] == "ConfigMap"] == [
        f"{RELEASE}-hasura-kc-auth"
    ]


def test_a_chart_without_them_renders_without_them(filled):
    for name in ("rules", "dashboards"):
        for file in (filled.folder / name).iterdir():
            file.unlink()

    assert filled.text(LEAST, ON) == filled.text(LEAST)


def test_a_service_monitor_finds_its_service(chart):
    rendered = chart.render(LEAST, {"metrics": {"serviceMonitor": {"enabled": True}}})
    monitor, service = rendered["ServiceMonitor"]["spec"], rendered["Service"]

    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] in [it["name"] for it in service["spec"]["ports"]]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["namespaceSelector"] == {"matchNames": [service["metadata"]["namespace"]]}


@pytest.mark.parametrize("mode", ["standalone", "sidecar"])
def test_a_pod_monitor_finds_the_pods(chart, mode):
    rendered = chart.render(ci(mode), {"metrics": {"podMonitor": {"enabled": True}}})
    monitor = rendered["PodMonitor"]["spec"]

    (endpoint,) = monitor["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["path"]) == ("auth-metrics", "/metrics")
    template = rendered["Deployment"]["spec"]["template"]
    assert monitor["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()


def test_the_management_listener_is_in_no_service_that_nobody_scrapes(chart):
    ports = chart.render(LEAST)["Service"]["spec"]["ports"]

    assert [it["name"] for it in ports] == ["auth-http"]
