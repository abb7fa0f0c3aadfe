"""The metrics: names, labels and values as dashboards know them."""

from __future__ import annotations

import platform
from collections import Counter

import pytest
from prometheus_client.exposition import generate_latest

from hasura_kc_auth import __version__
from hasura_kc_auth.core.errors import Code
from hasura_kc_auth.telemetry.metrics import (
    DecisionCounts,
    Durations,
    ServiceCollector,
    registry_of,
)

ISSUER = "https://sso.example.com/realms/acme"
OTHER = "https://sso.example.com/realms/other"
BUCKETS = [
    *("5e-05", "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.05", "0.1"),
    *("1.0", "+Inf"),
]


class Cache:
    hits, misses = 7, 3

    def __len__(self):
        return 2


class Keys:
    def __init__(self, age=None, unknown_kids=0, **fetches):
        self.age = age
        self.unknown_kids = unknown_kids
        self.fetches = Counter(fetches)


def _samples(counts=None, keys=None, dropped=0):
    """Return each sample of the service's own, by its name and labels."""
    collector = ServiceCollector(counts or DecisionCounts(), Cache(), keys or {}, lambda: dropped)
    return {
        (sample.name.removeprefix("hasura_kc_auth_"), *sample.labels.values()): sample.value
        for family in registry_of(collector).collect()
        for sample in family.samples
        if sample.name.startswith("hasura_kc_auth_")
    }


def _only(samples, name):
    return {key[1:]: value for key, value in samples.items() if key[0] == name}


def test_an_idle_service_shows_every_name():
    names = {key[0] for key in _samples(keys={ISSUER: Keys(age=0.0, ok=1)})}
    assert names == {
        "decisions_total",
        "decision_duration_seconds_bucket",
        "decision_duration_seconds_count",
        "decision_duration_seconds_sum",
        "requests_in_flight",
        "cache_hits_total",
        "cache_misses_total",
        "cache_entries",
        "jwks_fetches_total",
        "jwks_age_seconds",
        "unknown_kids_total",
        "log_lines_dropped_total",
        "build_info",
    }


def test_a_mistake_of_ours_is_a_series_before_the_first():
    assert _only(_samples(), "decisions_total") == {("error", "internal_error", "none"): 0}


def test_decisions_are_counted_by_outcome_reason_and_issuer():
    counts = DecisionCounts()
    for _ in range(3):
        counts.allow(ISSUER, 0.001)
    counts.allow(None, 0.001)
    counts.refuse(Code.NO_ORG, ISSUER, 0.001)
    counts.refuse(Code.NO_ORG, ISSUER, 0.001)
    counts.refuse(Code.NO_CREDENTIALS, None, 0.001)
    counts.refuse(Code.KEYS_UNAVAILABLE, OTHER, 0.001)
    counts.refuse(Code.INTERNAL_ERROR, None, 0.001)
    assert _only(_samples(counts), "decisions_total") == {
        ("allow", "ok", ISSUER): 3,
        ("allow", "ok", "none"): 1,
        ("deny", "no_org", ISSUER): 2,
        ("deny", "no_credentials", "none"): 1,
        ("error", "keys_unavailable", OTHER): 1,
        ("error", "internal_error", "none"): 1,
    }


def test_their_labels_have_these_names():
    counts = DecisionCounts()
    counts.allow(ISSUER, 0.0)
    collector = ServiceCollector(counts, Cache(), {ISSUER: Keys(age=1.0, ok=1)}, lambda: 0)
    labels = {
        metric.name.removeprefix("hasura_kc_auth_"): set(metric.samples[0].labels)
        for metric in collector.collect()
    }
    assert labels == {
        "decisions": {"outcome", "reason", "issuer"},
        "decision_duration_seconds": {"outcome", "le"},
        "requests_in_flight": set(),
        "cache_hits": set(),
        "cache_misses": set(),
        "cache_entries": set(),
        "jwks_fetches": {"issuer", "result"},
        "jwks_age_seconds": {"issuer"},
        "unknown_kids": {"issuer"},
        "log_lines_dropped": set(),
        "build": {"version", "python"},
    }


UNDECIDED = (Code.KEYS_UNAVAILABLE, Code.INTROSPECTION_UNAVAILABLE, Code.INTERNAL_ERROR)


@pytest.mark.parametrize("code", Code)
def test_what_could_not_be_decided_is_no_denial(code):
    counts = DecisionCounts()
    counts.refuse(code, None, 0.0)
    outcome = "error" if code in UNDECIDED else "deny"
    decisions = _only(_samples(counts), "decisions_total")
    assert {labels: count for labels, count in decisions.items() if count} == {
        (outcome, code.value, "none"): 1
    }
    assert _only(_samples(counts), "decision_duration_seconds_count")[outcome,] == 1


def test_durations_are_a_histogram_by_outcome():
    counts = DecisionCounts()
    for seconds in (0.00005, 0.00006, 0.3):
        counts.allow(ISSUER, seconds)
    counts.refuse(Code.NO_ORG, ISSUER, 5.0)
    samples = _samples(counts)
    buckets = _only(samples, "decision_duration_seconds_bucket")
    assert [buckets["allow", bound] for bound in BUCKETS] == [1] + [2] * 9 + [3, 3]
    assert [buckets["deny", bound] for bound in BUCKETS] == [0] * 11 + [1]
    assert [buckets["error", bound] for bound in BUCKETS] == [0] * 12
    assert len(buckets) == 36
    assert _only(samples, "decision_duration_seconds_count") == {
        ("allow",): 3,
        ("deny",): 1,
        ("error",): 0,
    }
    assert _only(samples, "decision_duration_seconds_sum")["allow",] == pytest.approx(0.30011)


def test_a_duration_on_a_bound_is_within_it():
    durations = Durations()
    for bound in (0.001, 1.0, 1.0001):
        durations.add(bound)
    assert dict(durations.cumulative()) == {
        **dict.fromkeys(BUCKETS[:4], 0),
        **dict.fromkeys(BUCKETS[4:10], 1),
        "1.0": 2,
        "+Inf": 3,
    }


def test_the_cache_the_requests_in_flight_and_the_log():
    counts = DecisionCounts()
    counts.in_flight = 4
    samples = _samples(counts, dropped=5)
    assert {name: samples[name,] for name in ("cache_hits_total", "cache_misses_total")} == {
        "cache_hits_total": 7,
        "cache_misses_total": 3,
    }
    assert samples["cache_entries",] == 2
    assert samples["requests_in_flight",] == 4
    assert samples["log_lines_dropped_total",] == 5


def test_the_keys_of_each_issuer():
    keys = {ISSUER: Keys(12.5, 3, ok=4, timeout=1), OTHER: Keys(connect=2)}
    samples = _samples(keys=keys)
    assert _only(samples, "jwks_fetches_total") == {
        (ISSUER, "ok"): 4,
        (ISSUER, "timeout"): 1,
        (OTHER, "connect"): 2,
    }
    assert _only(samples, "jwks_age_seconds") == {(ISSUER,): 12.5}
    assert _only(samples, "unknown_kids_total") == {(ISSUER,): 3, (OTHER,): 0}


def test_the_build():
    assert _only(_samples(), "build_info") == {(__version__, platform.python_version()): 1}


def test_as_prometheus_reads_them():
    counts = DecisionCounts()
    counts.refuse(Code.NO_ORG, ISSUER, 0.0003)
    collector = ServiceCollector(counts, Cache(), {ISSUER: Keys(1.5, ok=2)}, lambda: 0)
    text = generate_latest(registry_of(collector)).decode()
    for line in (
        f'hasura_kc_auth_decisions_total{{issuer="{ISSUER}",outcome="deny",reason="no_org"}} 1.0',
        'hasura_kc_auth_decision_duration_seconds_bucket{le="0.0005",outcome="deny"} 1.0',
        f'hasura_kc_auth_jwks_fetches_total{{issuer="{ISSUER}",result="ok"}} 2.0',
        f'hasura_kc_auth_jwks_age_seconds{{issuer="{ISSUER}"}} 1.5',
        "hasura_kc_auth_cache_hits_total 7.0",
    ):
        assert line in text.splitlines()
    assert "process_resident_memory_bytes " in text
    assert 'python_gc_collections_total{generation="0"} ' in text


def test_two_services_in_one_process_do_not_meet():
    one, other = DecisionCounts(), DecisionCounts()
    one.allow(ISSUER, 0.0)
    assert _only(_samples(one), "decisions_total") != _only(_samples(other), "decisions_total")
