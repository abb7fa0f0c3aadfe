"""What helm makes of the files in ci/, and what it says to those in ci/refused/.

The first line of each of the latter is a sentence of the refusal.
"""

from __future__ import annotations

import pytest
import yaml

from tests.deploy.helm.chart import CHART, LEAST, VERSIONS, ci, faults

pytestmark = pytest.mark.helm

GOOD = sorted((CHART / "ci").glob("*.yaml"))
REFUSED = sorted((CHART / "ci" / "refused").glob("*.yaml"))

# What a release is made of, beyond what all have.
COMMON = ["ConfigMap", "Deployment", "Service"]
KINDS = {
    "standalone": [*COMMON, "NetworkPolicy", "PodDisruptionBudget", "ServiceAccount"],
    "sidecar": [*COMMON, "NetworkPolicy", "PodDisruptionBudget", "ServiceAccount"],
    "plain": [*COMMON, "NetworkPolicy", "PodDisruptionBudget", "ServiceAccount"],
    "own-certificate": [*COMMON, "PodDisruptionBudget", "ServiceAccount"],
    "everything-sidecar": [*COMMON, "NetworkPolicy", "PodMonitor"],
    "everything-standalone": [
        *COMMON,
        *("ConfigMap", "HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget"),
        *("ServiceAccount", "ServiceMonitor"),
    ],
}
# There as soon as the chart has files for them.
OBSERVING = {"PrometheusRule", "dashboards"}

each_good = pytest.mark.parametrize("values", [pytest.param(it, id=it.stem) for it in GOOD])


def test_each_file_of_values_is_known():
    assert [it.stem for it in GOOD] == sorted(KINDS)
    assert len(REFUSED) >= 40


@each_good
def test_lint_finds_nothing(chart, values):
    assert "0 chart(s) failed" in chart.lint(values)


@pytest.mark.parametrize("version", VERSIONS)
@each_good
def test_each_object_is_what_kubernetes_takes(chart, values, version):
    objects = chart.objects(values, version=version)
    kinds = [
        it["kind"]
        for it in objects
        if it["kind"] not in OBSERVING and not it["metadata"]["name"].endswith("-dashboards")
    ]

    assert sorted(kinds) == sorted(KINDS[values.stem])
    assert faults(yaml.safe_dump_all(objects), version) == []


@pytest.mark.parametrize("version", VERSIONS)
@each_good
def test_the_check_sees_a_slip_in_each_object(chart, values, version):
    """A schema that lets everything pass, or is not found, would prove nothing."""
    objects = chart.objects(values, version=version)
    wrong = [
        {**it, "spec": {**it["spec"], "slip": 1}} if "spec" in it else {**it, "slip": 1}
        for it in objects
    ]

    assert len(faults(yaml.safe_dump_all(wrong), version)) == len(objects)


@pytest.mark.parametrize("values", [pytest.param(it, id=it.stem) for it in REFUSED])
def test_each_wrong_value_is_refused_with_its_sentence(chart, values):
    sentence = values.read_text("utf-8").partition("\n")[0].removeprefix("# ")

    assert sentence in chart.refusal(values)


def test_all_problems_are_told_at_once(chart):
    said = chart.refusal(
        LEAST,
        {"tls": {"enabled": False}, "config": {"management": {"port": 8090, "host": "localhost"}}},
    )

    names = [line.partition(": ")[0] for line in said.splitlines() if ": " in line]
    assert [it for it in names if not it.startswith("Error")] == [
        "tls.enabled",
        "config.management.host",
        "config.management.port",
    ]


def test_nothing_but_issuer_clients_and_roles_must_be_set(chart):
    least = {
        "issuers": [{"issuer": "https://sso.example.com/realms/acme", "clients": ["frontend"]}],
        "roles": {"allowed": ["editor"]},
    }

    for mode in ("standalone", "sidecar"):
        objects = chart.text({"mode": mode, "config": least})
        assert faults(objects, VERSIONS[0]) == []


def test_a_kubernetes_without_native_sidecars_is_refused(chart):
    with pytest.raises(Exception, match=r"requires kubeVersion: >=1\.30\.0-0"):
        chart.text(ci("standalone"), version="1.29.5")
