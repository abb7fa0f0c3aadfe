"""The metrics of introspection: shown where an issuer is set so, and only there."""

from __future__ import annotations

from collections import Counter

from hasura_kc_auth.telemetry.metrics import DecisionCounts, ServiceCollector

ISSUER = "https://sso.example.com/realms/acme"
OTHER = "https://sso.example.com/realms/other"


class Cache:
    hits = misses = 0

    def __len__(self):
        return 0


class Asking:
    """What asks Keycloak, as far as the collector looks at it."""

    def __init__(self, requests, store_failures=0):
        self.requests = requests
        self.store_failures = store_failures


def _families(introspections=None):
    collector = ServiceCollector(DecisionCounts(), Cache(), {}, lambda: 0, introspections)
    return {
        family.name.removeprefix("hasura_kc_auth_"): family
        for family in collector.collect()
        if "introspection" in family.name
    }


def test_nothing_is_shown_where_nobody_asks():
    assert _families() == _families(Asking({})) == {}


def test_questions_are_counted_by_issuer_and_result():
    families = _families(
        Asking({ISSUER: Counter(ok=3, timeout=1), OTHER: Counter(status=2)}, store_failures=7)
    )
    assert [(sample.labels, sample.value) for sample in families["introspections"].samples] == [
        ({"issuer": ISSUER, "result": "ok"}, 3),
        ({"issuer": ISSUER, "result": "timeout"}, 1),
        ({"issuer": OTHER, "result": "status"}, 2),
    ]
    (failures,) = families["introspection_store_failures"].samples
    assert failures.name == "hasura_kc_auth_introspection_store_failures_total"
    assert (failures.labels, failures.value) == ({}, 7)


def test_the_names_are_there_before_the_first_question():
    families = _families(Asking({ISSUER: Counter()}))
    assert set(families) == {"introspections", "introspection_store_failures"}
    assert families["introspections"].samples == []
