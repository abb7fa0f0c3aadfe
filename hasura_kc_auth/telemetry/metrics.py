"""Prometheus metrics.

The path of a repeated token only adds to plain integers; one collector turns them into metrics when
`/metrics` is read. Labels come from closed sets: the codes, the configured issuers, the results of
a fetch. Nothing a client sends can make a new series.
"""

from __future__ import annotations

import platform
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from typing import Protocol

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from typing_extensions import override

from hasura_kc_auth import __version__
from hasura_kc_auth.core.errors import Code

_PREFIX = "hasura_kc_auth_"
NO_ISSUER = "none"

# Seconds.
_BUCKETS = (50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 50e-3, 100e-3, 1.0)


class Durations:
    """A histogram of seconds in plain numbers."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(_BUCKETS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(_BUCKETS, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Return (upper bound, count up to it) for each bucket, as Prometheus has them."""
        bounds = [*map(str, _BUCKETS), "+Inf"]
        running, rows = 0, []
        for bound, count in zip(bounds, self.counts, strict=True):
            running += count
            rows.append((bound, float(running)))
        return rows


class DecisionCounts:
    """Counts decisions by code and issuer, and how long they took."""

    def __init__(self) -> None:
        self.allowed: Counter[str | None] = Counter()
        self.refused: Counter[tuple[Code, str | None]] = Counter()
        self.durations = {"allow": Durations(), "deny": Durations(), "error": Durations()}
        self._allow_durations = self.durations["allow"]
        self.in_flight = 0

    def allow(self, issuer: str | None, seconds: float) -> None:
        self.allowed[issuer] += 1
        self._allow_durations.add(seconds)

    def refuse(self, code: Code, issuer: str | None, seconds: float) -> None:
        self.refused[code, issuer] += 1
        self.durations[_outcome(code)].add(seconds)


def _outcome(code: Code) -> str:
    return "error" if code.undecided else "deny"


class RemembersDecisions(Sized, Protocol):
    hits: int
    misses: int


class HoldsKeys(Protocol):
    fetches: Counter[str]
    unknown_kids: int

    @property
    def age(self) -> float | None: ...


class AsksAboutTokens(Protocol):
    @property
    def requests(self) -> Mapping[str, Counter[str]]: ...

    @property
    def store_failures(self) -> int: ...


class ServiceCollector(Collector):
    """Reads the service's plain numbers when Prometheus asks."""

    def __init__(
        self,
        decisions: DecisionCounts,
        cache: RemembersDecisions,
        keys: Mapping[str, HoldsKeys],
        dropped_lines: Callable[[], int],
        introspections: AsksAboutTokens | None = None,
    ) -> None:
        self._decisions = decisions
        self._cache = cache
        self._keys = keys
        self._dropped_lines = dropped_lines
        self._introspections = introspections

    @override
    def collect(self) -> Iterator[Metric]:
        yield self._decisions_total()
        yield self._decision_durations()
        yield _gauge("requests_in_flight", "Requests being decided now.", self._decisions.in_flight)
        yield _counter("cache_hits", "Decisions remembered.", self._cache.hits)
        yield _counter("cache_misses", "Decisions made anew.", self._cache.misses)
        yield _gauge("cache_entries", "Decisions remembered at the moment.", len(self._cache))
        yield from self._key_metrics()
        # Not shown where no issuer is set so, as by default.
        if self._introspections is not None and self._introspections.requests:
            yield from _introspection_metrics(self._introspections)
        yield _counter(
            "log_lines_dropped",
            "Log lines lost because the output was full, closed or blocked.",
            self._dropped_lines(),
        )
        yield InfoMetricFamily(
            f"{_PREFIX}build",
            "Version of the service.",
            {"version": __version__, "python": platform.python_version()},
        )

    def _decisions_total(self) -> Metric:
        family = CounterMetricFamily(
            f"{_PREFIX}decisions",
            "Answers of the webhook.",
            labels=["outcome", "reason", "issuer"],
        )
        for issuer, count in self._decisions.allowed.copy().items():
            family.add_metric(["allow", "ok", issuer or NO_ISSUER], count)
        # There from the start, since Prometheus sees no increase in a series that begins at one.
        refused = {(Code.INTERNAL_ERROR, None): 0, **self._decisions.refused}
        for (code, issuer), count in refused.items():
            family.add_metric([_outcome(code), code.value, issuer or NO_ISSUER], count)
        return family

    def _decision_durations(self) -> Metric:
        family = HistogramMetricFamily(
            f"{_PREFIX}decision_duration_seconds",
            "Time from the request's headers to the answer.",
            labels=["outcome"],
        )
        for outcome, durations in self._decisions.durations.items():
            family.add_metric([outcome], durations.cumulative(), durations.total)
        return family

    def _key_metrics(self) -> Iterable[Metric]:
        fetches = CounterMetricFamily(
            f"{_PREFIX}jwks_fetches",
            "Attempts to fetch an issuer's keys.",
            labels=["issuer", "result"],
        )
        age = GaugeMetricFamily(
            f"{_PREFIX}jwks_age_seconds",
            "Time since an issuer's keys were fetched.",
            labels=["issuer"],
        )
        unknown = CounterMetricFamily(
            f"{_PREFIX}unknown_kids",
            "Tokens whose key id the issuer did not publish.",
            labels=["issuer"],
        )
        for issuer, keys in self._keys.items():
            for result, count in keys.fetches.copy().items():
                fetches.add_metric([issuer, result], count)
            if keys.age is not None:
                age.add_metric([issuer], keys.age)
            unknown.add_metric([issuer], keys.unknown_kids)
        return fetches, age, unknown


def _introspection_metrics(introspections: AsksAboutTokens) -> Iterable[Metric]:
    requests = CounterMetricFamily(
        f"{_PREFIX}introspections",
        "Questions to Keycloak about single tokens.",
        labels=["issuer", "result"],
    )
    for issuer, results in introspections.requests.items():
        for result, count in results.copy().items():
            requests.add_metric([issuer, result], count)
    return requests, _counter(
        "introspection_store_failures",
        "Times that the store of their answers was slow, down or full of garbage.",
        introspections.store_failures,
    )


def _counter(name: str, help_text: str, value: float) -> Metric:
    return CounterMetricFamily(f"{_PREFIX}{name}", help_text, value=value)


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{_PREFIX}{name}", help_text, value=value)


def registry_of(collector: ServiceCollector) -> CollectorRegistry:
    """Make a registry of its own, so that two services in one process do not meet."""
    registry = CollectorRegistry()
    registry.register(collector)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
