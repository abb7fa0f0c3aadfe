"""Each alert fires where it should, says what it should, and is quiet a step below its bound."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.telemetry.prometheus_server import promtool, require_prometheus
from tests.telemetry.test_prometheus import RULES, alerts

JOB = {"namespace": "hasura", "job": "auth"}
POD = {**JOB, "instance": "10.0.0.7:8091"}
ISSUER = {"issuer": "https://sso.example.com/realms/acme"}
OTHER = {"issuer": "https://sso.example.com/realms/other"}
REASON = {"outcome": "deny", "reason": "no_org"}
OK = {"outcome": "allow", "reason": "ok"}
BUILD = "build_info"


class Case(NamedTuple):
    """Series of one sample a minute, in promtool's notation: `0+60x20` is one a second.

    `firing` and `quiet` are series by name and labels; `labels` are the alert's own, `value` the
    text that its sentence has for its value.
    """

    firing: Mapping[tuple[str, tuple[tuple[str, str], ...]], str]
    quiet: Mapping[tuple[str, tuple[tuple[str, str], ...]], str]
    labels: Mapping[str, str]
    value: str = ""


def of(name: str, *labels: Mapping[str, str], prefix: str = "hasura_kc_auth_") -> Any:
    """Return the key of a series."""
    merged = {label: text for it in labels for label, text in it.items()}
    return prefix + name, tuple(merged.items())


ALLOWED, DENIED = of("decisions_total", POD, ISSUER, OK), of("decisions_total", POD, ISSUER, REASON)
EXPIRED = of("decisions_total", POD, ISSUER, {"outcome": "deny", "reason": "expired"})
UNDECIDED = of("decisions_total", POD, ISSUER, {"outcome": "error", "reason": "keys_unavailable"})
MISTAKES_LABELS = {"outcome": "error", "reason": "internal_error", "issuer": "none"}
MISTAKES = of("decisions_total", POD, MISTAKES_LABELS)
FORGED_LABELS = {"outcome": "deny", "reason": "bad_signature"}
FORGED = of("decisions_total", POD, ISSUER, FORGED_LABELS)
AGE = of("jwks_age_seconds", POD, ISSUER)
UNKNOWN = of("unknown_kids_total", POD, ISSUER)
UNKNOWN_OTHER = of("unknown_kids_total", POD, OTHER)
ASKED, FAILED = (
    of("introspections_total", POD, ISSUER, {"result": it}) for it in ("ok", "timeout")
)
STORE = of("introspection_store_failures_total", POD)
CPU = of("process_cpu_seconds_total", POD, prefix="")
FAST, SLOW, ALL = (
    of("decision_duration_seconds_bucket", POD, {"outcome": "allow", "le": it})
    for it in ("0.1", "1.0", "+Inf")
)
LOST = of("log_lines_dropped_total", POD)
RUNNING = {of(BUILD, POD): "1x30"}

CASES = {
    "HasuraKcAuthDown": Case({of("nothing"): "1x30"}, RUNNING, {}),
    "HasuraKcAuthUndecided": Case(
        {ALLOWED: "0+60x30", UNDECIDED: "0+20x30"},
        {ALLOWED: "0+1000x30", UNDECIDED: "0+9x30"},
        JOB,
        "25%",
    ),
    "HasuraKcAuthInternalError": Case(
        {MISTAKES: "0x19 1x11"}, {MISTAKES: "1x30"}, {**POD, **MISTAKES_LABELS}
    ),
    "HasuraKcAuthNoKeys": Case(
        {UNKNOWN: "0x30", UNKNOWN_OTHER: "0x30", AGE: "100x30"},
        {UNKNOWN: "0x30", AGE: "5000x30"},
        {**POD, **OTHER},
    ),
    "HasuraKcAuthKeysStale": Case({AGE: "0+30x30"}, {AGE: "600x30"}, {**POD, **ISSUER}, "12m 30s"),
    "HasuraKcAuthKeysRunOut": Case(
        {AGE: "0+120x30"}, {AGE: "2700x30"}, {**POD, **ISSUER}, "50m 0s"
    ),
    "HasuraKcAuthUnknownKeys": Case(
        {UNKNOWN: "0+30x30"}, {UNKNOWN: "0+12x30"}, {**JOB, **ISSUER}, "500m"
    ),
    "HasuraKcAuthBadSignatures": Case(
        {FORGED: "0+30x30"}, {FORGED: "0+12x30"}, {**JOB, **ISSUER}, "500m"
    ),
    "HasuraKcAuthMostlyRefused": Case(
        {ALLOWED: "0+60x30", DENIED: "0+180x30"},
        {ALLOWED: "0+10x30", DENIED: "0+49x30", EXPIRED: "0+41x30"},
        JOB,
        "75%",
    ),
    "HasuraKcAuthIntrospectionFailing": Case(
        {ASKED: "0+30x30", FAILED: "0+30x30"},
        {ASKED: "0+90x30", FAILED: "0+10x30"},
        {**JOB, **ISSUER},
        "50%",
    ),
    "HasuraKcAuthStoreFailing": Case({STORE: "0+30x30"}, {STORE: "0+6x30"}, POD, "500m"),
    "HasuraKcAuthSlow": Case(
        {FAST: "0+50x30", SLOW: "0+100x30", ALL: "0+100x30"},
        {FAST: "0+99x30", SLOW: "0+100x30", ALL: "0+100x30"},
        JOB,
        "982ms",
    ),
    "HasuraKcAuthSaturated": Case(
        {CPU: "0+57x30", **RUNNING}, {CPU: "0+47x30", **RUNNING}, POD, "95%"
    ),
    "HasuraKcAuthLogLinesDropped": Case({LOST: "0+6x30"}, {LOST: "5x30"}, POD, "60"),
}

AT = 25
"""Minutes after the start at which it is looked."""


def run(folder: Path, name: str, series: Mapping[Any, str], expected: list[Any]) -> None:
    """Let promtool play the series, and compare the alerts that fire in the end."""
    test = {
        "interval": "1m",
        "input_series": [
            {"series": _written(*key), "values": values} for key, values in series.items()
        ],
        "alert_rule_test": [
            {"eval_time": f"{AT}m", "alertname": name, "exp_alerts": expected},
        ],
    }
    file = folder / "alerts.yaml"
    file.write_text(
        yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]}),
        "utf-8",
    )
    promtool("test", "rules", file)


def _written(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    written = ", ".join(f'{label}="{text}"' for label, text in labels)
    return f"{name}{{{written}}}"


def rendered(text: str, case: Case) -> str:
    """Put an alert's labels and value where its sentence has them."""
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: case.labels[found[1]], text)
    return re.sub(r"\{\{ \$value \| \w+ \}\}", case.value, text)


def test_there_is_a_case_for_each_alert():
    assert CASES.keys() == alerts().keys()


@pytest.mark.prometheus
@pytest.mark.parametrize("name", CASES)
def test_it_fires_and_says_why(tmp_path, name):
    require_prometheus()
    case, rule = CASES[name], alerts()[name]
    annotations = {key: rendered(text, case) for key, text in rule["annotations"].items()}
    assert "{{" not in str(annotations)
    fired = {"exp_labels": {**rule["labels"], **case.labels}, "exp_annotations": annotations}
    run(tmp_path, name, case.firing, [fired])


@pytest.mark.prometheus
@pytest.mark.parametrize("name", CASES)
def test_it_is_quiet_below_its_bound(tmp_path, name):
    require_prometheus()
    run(tmp_path, name, CASES[name].quiet, [])


def test_each_has_what_a_person_needs_at_night():
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in ("warning", "critical"), name
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}, name
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"


def test_each_has_its_section_in_the_runbook():
    text = (RULES.parents[4] / "docs" / "runbook.md").read_text("utf-8")
    sections = dict(re.findall(r"^## (\w+)\n\n(.+?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    assert list(sections) == list(alerts())
    assert all(len(section.split()) > 25 for section in sections.values())
